"""Runs a mail server from a Debian folder of its own, for the two whose packages conflict with Dovecot's.

The folder stays as set-up made it: each run sees it through a layer in memory (overlayfs on tmpfs) inside
its own mount, process and host-name namespaces, and all three end with it. Needs root. The network is the
machine's own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.base import AbsentError, Found, cache_folder, process

RECIPE = 1
"""The recipe of ``setup/chroot.sh`` that these settings fit."""

ENTER = """\
set -e
hostname "$3"
mkdir -p "$2/layer"
mount -t tmpfs tmpfs "$2/layer"
mkdir "$2/layer/up" "$2/layer/work" "$2/layer/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/layer/up,workdir=$2/layer/work" "$2/layer/root"
root=$2/layer/root
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mkdir -p "$root/srv/state"
mount --bind "$2" "$root/srv/state"
exec chroot "$root" /bin/bash -e /srv/state/boot.sh
"""
"""Arguments: the Debian folder, the state folder (seen inside as /srv/state), the host name."""


def find(name: str) -> Found:
    """Return the server of that name in its Debian folder, or raise ``AbsentError``."""
    version = root(name) / "version"
    if os.getuid() != 0:
        raise AbsentError("its Debian folder can only be entered by root")
    if not version.exists():
        raise AbsentError("its Debian folder is not there; `make servers` makes it, as root on Debian")
    return Found(version.read_text().strip(), "chroot")


@contextmanager
def run(name: str, *, state: Path, boot: str, ready: Callable[[], bool]) -> Iterator[None]:
    """Run the shell script ``boot`` inside the server's folder for as long as the block lasts.

    Its last command must stay in the foreground, as a child of the shell and not in its place: the shell,
    being the first process of its namespace, takes all others with it, and ``unshare`` can only kill it while
    it is root.
    """
    find(name)
    (state / "boot.sh").write_text(boot)
    spaces = ["--mount", "--pid", "--uts", "--fork", "--kill-child"]
    argv = [
        "unshare",
        *spaces,
        "/bin/bash",
        "-c",
        ENTER,
        "enter",
        str(root(name)),
        str(state),
        f"{name}.test",
    ]
    with process(argv, log=state / "server.log", ready=ready, end=signal.SIGKILL):
        yield


def root(name: str) -> Path:
    """Return where a server's Debian folder is, or would be."""
    return cache_folder() / f"{name}-{RECIPE}"
