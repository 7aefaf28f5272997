#!/usr/bin/env bash
# Gets the real mail servers that the tests run on, and the browser that looks at the pages. Quick when all is there; may run twice at once.
#
#   as root on Debian   packages of the system; Cyrus and Courier, whose packages conflict with Dovecot's, each
#                       in a folder of its own (see chroot.sh), and there Dovecot too if the system's is not 2.3
#   otherwise           what is installed is used; `make test-in-docker` runs all tests as root on Debian
#   GreenMail           from docker where an engine answers, else as a jar by Maven
#
# What cannot be had is no error here: the tests name it, and fail for it where CI=true.
set -u
cd "$(dirname "$0")/../../.."
here=tests/support/setup
greenmail=2.1.14 # the same as in compose/compose.yaml
image=greenmail/standalone:$greenmail
wanted="maven default-jre-headless debootstrap util-linux docker-compose chromium fonts-dejavu-core"
dovecot="dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-sieve"

say() { echo "servers: $*" >&2; }

packages() {
    local missing="" name rc=/usr/sbin/policy-rc.d ours="" failed=0
    for name in $wanted; do
        dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || missing+=" $name"
    done
    [ -z "$missing" ] && return 0
    say "installing$missing"
    # A machine that only tests should not start to serve mail: packages may not start their daemons now.
    if [ ! -e $rc ]; then printf '#!/bin/sh\nexit 101\n' >$rc && chmod +x $rc && ours=yes; fi
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # a list of words
    { apt-get -q update && apt-get -q install -y --no-install-recommends $missing; } >.cache/apt.log 2>&1 || failed=1
    [ -n "$ours" ] && rm -f $rc
    [ $failed = 0 ] || { say "packages failed:"; tail -n 5 .cache/apt.log >&2; }
    return $failed
}

image() {
    command -v docker >/dev/null && docker version >/dev/null 2>&1 || return 1
    docker image inspect "$image" >/dev/null 2>&1 && return 0
    say "pulling $image"
    docker pull -q "$image" >/dev/null
}

jar() {
    [ -s ".cache/greenmail/greenmail-standalone-$greenmail.jar" ] && return 0
    command -v mvn >/dev/null || return 0
    say "fetching GreenMail $greenmail"
    mvn -q -B dependency:copy -Dartifact=com.icegreen:greenmail-standalone:$greenmail \
        -DoutputDirectory="$PWD/.cache/greenmail" >.cache/maven.log 2>&1 ||
        { say "GreenMail's jar failed:"; tail -n 5 .cache/maven.log >&2; }
}

mkdir -p .cache
exec 9>.cache/servers.lock
flock 9
if [ "$(id -u)" = 0 ] && grep -qx 'ID=debian' /etc/os-release; then
    if grep -qx 'VERSION_CODENAME=bookworm' /etc/os-release; then wanted+=" $dovecot"; else own="dovecot"; fi
    packages
    for name in cyrus courier ${own-}; do $here/chroot.sh "$name"; done
fi
image || jar
exit 0
