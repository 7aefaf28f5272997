#!/usr/bin/env bash
# Gets the programs that the bench compares with, as packages of Debian; what cannot be had is reported absent.
set -u
cd "$(dirname "$0")/../../.."
wanted="isync offlineimap3 interimap"
missing=""
for name in $wanted; do
    dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || missing+=" $name"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "bench: not installed:$missing (needs root on Debian)" >&2
    exit 0
fi
echo "bench: installing$missing" >&2
mkdir -p .cache
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words
{ apt-get -q update && apt-get -q install -y --no-install-recommends $missing; } >.cache/peers.log 2>&1 ||
    { echo "bench: packages failed:" >&2; tail -n 5 .cache/peers.log >&2; }
exit 0
