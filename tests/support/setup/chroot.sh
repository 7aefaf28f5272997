#!/usr/bin/env bash
# chroot.sh cyrus|courier|dovecot: a Debian folder with that mail server, made once per user and used by all checkouts.
#
# It is never written to again: each run of the tests works on a layer of its own above it. The folder appears
# under its name only when it is complete, so an interrupted run leaves nothing that would be taken for it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
suite=bookworm # the versions for which the settings in tests/support are written
recipe=1       # raise it when anything below changes
cache=${XDG_CACHE_HOME:-$HOME/.cache}/syncengine-tests
name=$1
case $name in
    cyrus) packages="cyrus-imapd cyrus-pop3d sasl2-bin" version=cyrus-imapd ;;
    courier) packages="courier-imap courier-pop" version=courier-imap ;;
    dovecot) packages="dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-sieve" version=dovecot-core ;;
    *) echo "chroot.sh: no such server: $name" >&2; exit 2 ;;
esac

exec 3>&2
say() { echo "servers: $*" >&3; }

# The machine's own mirror, in either form of sources.
mirror() {
    cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null |
        sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb +(\[[^]]*\] +)?([^ ]+) .*/\2/p' | head -n 1
}

inside() { # inside ROOT command...: in namespaces of its own, so that no mount and no process stays behind
    unshare --mount --pid --fork --kill-child bash -c \
        'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"' "$@"
}

base() {
    [ -d "$cache/base-$recipe" ] && return 0
    say "making a Debian folder for mail servers (once)"
    rm -rf "$cache/base.making"
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$cache/base.making" "$(mirror)"
    printf '#!/bin/sh\nexit 101\n' >"$cache/base.making/usr/sbin/policy-rc.d"
    chmod +x "$cache/base.making/usr/sbin/policy-rc.d"
    grep -l '^ *Acquire::' /etc/apt/apt.conf.d/* 2>/dev/null | xargs -r cp -t "$cache/base.making/etc/apt/apt.conf.d"
    mv "$cache/base.making" "$cache/base-$recipe"
}

make() {
    local root=$cache/$name.making
    say "installing $name"
    rm -rf "$root"
    cp -a "$cache/base-$recipe" "$root"
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    inside "$root" apt-get -q update
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive inside "$root" apt-get -q install -y --no-install-recommends $packages
    inside "$root" apt-get clean
    if [ -e "$here/$name.sh" ]; then "$here/$name.sh" "$root"; fi
    inside "$root" dpkg-query -W -f '${Version}\n' $version | sed 's/^[0-9]*://; s/[-+~].*//' >"$root/version"
    mv "$root" "$cache/$name-$recipe"
}

mkdir -p "$cache"
exec 8>"$cache/lock"
flock 8
[ -d "$cache/$name-$recipe" ] && exit 0
log=$cache/$name.log
if ! { base && make; } >"$log" 2>&1; then
    say "$name failed (see $log):"
    tail -n 5 "$log" >&2
    exit 1
fi
