"""Looking whether the spool can be worked on, before a message depends on it; changes nothing that stays."""

from __future__ import annotations

import os
import pwd
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from syncengine.errors import SyncError
from syncengine.voicemail.asterisk.ami import Ami
from syncengine.voicemail.asterisk.conf import ConfMailbox, VoicemailConf
from syncengine.voicemail.asterisk.layout import FOLDERS, read_folder
from syncengine.voicemail.asterisk.locks import FLOCK, LOCKFILE, LockMode

_STANDING = 30.0
_WATCHES = 5
_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it is as it has to be, and what is to be known or done."""

    where: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Checkup:
    """A spool and what belongs to it; ``mailboxes`` are (context, number)."""

    spool: Path
    mailboxes: Sequence[tuple[str, str]]
    lock_mode: LockMode
    conf: VoicemailConf | None = None
    ami: Ami | None = None

    def findings(self) -> Iterator[Finding]:
        """Look at everything, the spool first; nothing more where there is none."""
        if not self.spool.is_dir():
            yield Finding(str(self.spool), False, "no folder; astspooldir in asterisk.conf says where it is")
            return
        yield self._user()
        yield from self._access(self.spool)
        if self.lock_mode is LockMode.LOCKFILE:
            yield self._links()
        yield self._watches()
        for context, number in self.mailboxes:
            yield from self._mailbox(self.spool / context / number)
            if self.conf is not None:
                yield from self._entry(self.conf, context, number)
        if self.ami is not None and self.mailboxes:
            yield self._manager(self.ami, *self.mailboxes[0])

    def _user(self) -> Finding:
        owner, own = self.spool.stat().st_uid, os.geteuid()
        detail = f"it belongs to {_name(owner)}, and this runs as {_name(own)}"
        return Finding("user", owner == own, "" if owner == own else f"{detail}; run as {_name(owner)}")

    def _links(self) -> Finding:
        name = self.spool / f".syncengine-{secrets.token_hex(8)}"
        other = name.with_name(f"{name.name}.link")
        try:
            name.touch(exist_ok=False)
            os.link(name, other)
        except OSError as error:
            return Finding("lock mode lockfile", False, f"no hard link can be made there: {error.strerror}")
        finally:
            other.unlink(missing_ok=True)
            name.unlink(missing_ok=True)
        return Finding("lock mode lockfile", True)

    def _watches(self) -> Finding:
        wanted = _WATCHES * len(self.mailboxes)
        try:
            limit = int(_LIMIT.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return Finding("watching", False, "this system has no inotify: the spool is polled")
        detail = (
            f"fs.inotify.max_user_watches is {limit}, and some {wanted} are needed; what is over is polled"
        )
        return Finding("watching", wanted <= limit, "" if wanted <= limit else detail)

    def _mailbox(self, box: Path) -> Iterator[Finding]:
        if not box.is_dir():
            yield Finding(str(box), True, "no folder yet: it never had a message")
            return
        yield from self._access(box)
        for folder in (box / name for name in FOLDERS):
            if folder.is_dir():
                yield from self._folder(folder)

    def _folder(self, folder: Path) -> Iterator[Finding]:
        yield from self._access(folder)
        for lock in (folder / LOCKFILE, folder / FLOCK):
            try:
                age = time.time() - lock.lstat().st_ctime
            except OSError:
                continue
            if age > _STANDING:
                remedy = "if Asterisk is down on every host, remove it"
                yield Finding(str(lock), False, f"a lock that has stood for {age:.0f} s; {remedy}")
        if os.access(folder, os.R_OK | os.X_OK) and read_folder(folder).renumbering:
            yield Finding(str(folder), False, "FreePBX left msgTMP files; rename msgTMPnnnn.* to msgnnnn.*")

    def _access(self, folder: Path) -> Iterator[Finding]:
        usable = os.access(folder, os.R_OK | os.W_OK | os.X_OK)
        yield Finding(str(folder), usable, "" if usable else "it cannot be read and written by this user")

    def _entry(self, conf: VoicemailConf, context: str, number: str) -> Iterator[Finding]:
        where = f"voicemail.conf [{context}] {number}"
        entry = next((e for e in conf.mailboxes if (e.context, e.number) == (context, number)), None)
        if entry is None:
            yield Finding(where, False, "there is no such entry")
            return
        wrong = list(in_the_way(entry))
        yield from (Finding(where, False, detail) for detail in wrong)
        if not wrong:
            yield Finding(where, True, f"maxmsg {entry.maxmsg}")

    def _manager(self, ami: Ami, context: str, number: str) -> Finding:
        where = f"manager interface {ami.host}:{ami.port}"
        try:
            found = ami.summary(context, number)
        except SyncError as error:
            return Finding(where, False, f"{error}; messages are changed in their files")
        return Finding(where, True, f"Asterisk counts {len(found)} messages in {number}")


def in_the_way(entry: ConfMailbox) -> Iterator[str]:
    """What of an entry has to be switched off, so that nothing is mailed twice, lost, or not seen."""
    if entry.delete:
        yield "delete=yes in voicemail.conf removes what Asterisk has mailed"
    if not entry.moveheard:
        yield "moveheard=no in voicemail.conf hides what was heard"
    if entry.emails:
        yield "take its address out of voicemail.conf, or Asterisk mails it too"


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
