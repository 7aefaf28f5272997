#!/usr/bin/env bash
# courier.sh ROOT: leaves what Courier's own programs must make, the hashes of the one password of all its users.
set -eu
root=$1
chroot "$root" useradd -u 5000 -d /srv/mail -s /bin/false vmail
mkdir -p "$root/srv/mail"
for kind in md5 hmac-md5 hmac-sha1 hmac-sha256; do
    printf 'pw-courier\npw-courier\n' | chroot "$root" userdbpw -$kind >"$root/srv/userdbpw.$kind"
done
