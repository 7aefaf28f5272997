#!/usr/bin/env bash
# Gets real mails for the tests, out of packages that ship them for tests of their own. Quick when all is there.
#
#   talon        replies, as a dozen mail programs write them
#   mail-parser  newsletters, spam, orders, bounces and broken mails, in many languages and charsets
#   hyperkitty   mails that mailing lists' archives choked on
#
# What cannot be had is no error here: the tests name it, and fail for it where CI=true.
set -u
cd "$(dirname "$0")/../../.."
cache=.cache/mails
packages="talon==1.4.4 mail-parser==4.8.0 hyperkitty==1.3.12"

[ "$(cat $cache/done 2>/dev/null)" = "$packages" ] && exit 0
mkdir -p $cache
exec 9>$cache.lock
flock 9
[ "$(cat $cache/done 2>/dev/null)" = "$packages" ] && exit 0
echo "mails: fetching $packages" >&2
rm -rf $cache/*
# shellcheck disable=SC2086 # a list of words
.venv/bin/pip download -q --disable-pip-version-check --no-deps --no-binary talon,mail-parser -d $cache/packages \
    $packages >$cache/log 2>&1 || { echo "mails: that failed:" >&2; tail -n 3 $cache/log >&2; exit 0; }
for package in "$cache"/packages/*; do
    case $package in
    *.whl) .venv/bin/python -m zipfile -e "$package" $cache/hyperkitty ;;
    *) .venv/bin/python -m tarfile -e "$package" $cache ;;
    esac
done
echo "$packages" >$cache/done
