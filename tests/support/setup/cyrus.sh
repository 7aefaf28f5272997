#!/usr/bin/env bash
# cyrus.sh ROOT: declares the tests' users in Cyrus' password database, which only its own program can write.
set -eu
root=$1
mkdir -p "$root/srv/test"
for number in $(seq -w 1 300); do
    printf 'pw-u0%s' "$number" |
        chroot "$root" saslpasswd2 -p -c -f /srv/test/sasldb2 -u cyrus.test "u0$number"
done
chroot "$root" chown cyrus:mail /srv/test/sasldb2
