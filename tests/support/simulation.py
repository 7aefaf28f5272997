"""A whole engine against a played server, driven by one seed: who does what when, and what breaks.

Invariant: nothing but the seed decides. The engine's own sources of chance are seeded too, time is
virtual, and no thread runs besides the caller's.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from unittest import mock

from syncengine.engine.clock import Clock
from syncengine.engine.engine import Engine
from syncengine.engine.status import Message
from syncengine.errors import SyncError
from syncengine.index.database import Database
from syncengine.model import Report
from syncengine.options.files import load
from syncengine.options.install import installation_key
from tests.support.simimap import (
    PROFILES,
    Answer,
    Bye,
    Cut,
    Delay,
    Fault,
    Lie,
    Moment,
    Phase,
    Silence,
    SimServer,
    VirtualClock,
    reachable,
)
from tests.support.simimap.grammar import No
from tests.support.simimap.session import Effect
from tests.support.simimap.smtp import SimSmtp
from tests.support.world import RECEIVED, wav

T = TypeVar("T")
Step = tuple[str, int]
"""What is done, and the seed of how."""
NUMBER = "101"
IMAP, SMTP = ("127.0.0.1", 10143), ("127.0.0.1", 10025)
TOKEN = re.compile(rb"(?im)^x-vm-message-uuid: *vm-([0-9a-f]{32})-z")
FOLDERS = ("Work", "Family", "Out")
"""What the second client makes; ``Out`` is not subscribed."""
QUIET_PASSES = 14
TWENTY_MINUTES = 1200.0


class Crash(BaseException):
    """The process dies here, as far as one process can play it."""


@dataclass
class Fate:
    """What was done to one message, as far as the checks need to know."""

    confirmed: bool = False
    """It was in step at the end of an earlier round."""
    deletable: bool = False
    """Somebody did what may delete it."""
    copies: int = 0
    disturbed: bool = False
    """Deleted, restored or copied in this round, by whomever: read marks made meanwhile may give way."""
    phone_deleted: bool = False
    trashed: bool = False
    restored: bool = False
    heard: bool | None = None
    """Last set at the phone in this round."""
    seen: bool | None = None
    """Last set in the mail in this round."""

    def next_round(self) -> None:
        """Forget what belongs to the round."""
        self.heard = self.seen = None
        self.disturbed = self.phone_deleted = self.trashed = self.restored = False


@dataclass(frozen=True)
class Seen:
    """One of our messages at one place of the account."""

    folder: str
    uid: int
    id: str
    flags: frozenset[str]


@dataclass
class Simulation:
    """One run."""

    seed: int
    profile: str
    folder: Path
    faulty: bool = True
    trace: list[str] = field(default_factory=list)
    fates: dict[str, Fate] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.seed} {self.profile}")
        self.clock = VirtualClock()
        self.skew = 0.0
        self.breaking = False
        self.crashed = False
        self.lied = False
        self.server = SimServer(
            PROFILES[self.profile],
            clock=self.clock,
            hook=self._hook,
            shuffle=random.Random(f"order {self.seed}"),
            trace=self._note,
        )
        self.account = self.server.add_user("u", "secret")
        self.by_append = self.rng.random() < 0.5
        self.smtp = SimSmtp(self.server, hook=self._hook)
        self.acts: list[tuple[int, Callable[[], None]]] = [
            (4, self.phone_takes_a_message),
            (4, self.phone_marks),
            (2, self.phone_deletes),
            (2, self.phone_restores),
            (5, self.mail_marks),
            (3, self.mail_moves),
            (2, self.mail_trashes),
            (1, self.mail_untrashes),
            (1, self.mail_expunges),
            (1, self.mail_flags_deleted),
            (1, self.mail_copies),
            (1, self.mail_replies),
            (1, self.mail_makes_a_folder),
            (1, self.mail_renames_a_folder),
            (1, self.mail_removes_a_folder),
            (1, self.mail_renumbers_a_folder),
            (1, self.time_passes),
            (2, self.server_lies),
            (12, self.engine_passes),
        ]

    # one run

    @contextmanager
    def running(self) -> Iterator[Simulation]:
        """The engine is open, and the world is the played one."""
        with ExitStack() as stack:
            stack.enter_context(_seeded(self.seed))
            stack.enter_context(reachable({IMAP: self.server, SMTP: self.smtp}, pause=self.clock.advance))
            stack.enter_context(mock.patch.object(Database, "write", self._write()))
            self._open()
            stack.callback(self._close)
            yield self

    def play(self, steps: Sequence[Step]) -> None:
        """Do one thing after the other. Each draws from its own seed, so leaving one out changes no other."""
        acts = {act.__name__: act for _, act in self.acts} | {"quiet": self.settle}
        for name, seed in steps:
            self.rng = random.Random(seed)
            self.say(name)
            acts[name]()

    def settle(self) -> None:
        """Quiet, then the checks; a new round begins."""
        self.quiet()
        self.check()
        for fate in self.fates.values():
            fate.next_round()

    def server_lies(self) -> None:
        """Another lie, or none."""
        own = set(PROFILES[self.profile].lies)
        if self.faulty:
            self.server.lies = own | ({self.rng.choice(list(Lie))} if self.rng.random() < 0.6 else set())
            self.lied = True
            self.say(f"lies {sorted(self.server.lies)}")

    def quiet(self) -> None:
        """All faults over, pass until twice nothing is done."""
        self.server.lies = set(PROFILES[self.profile].lies)
        self.breaking, faulty = False, self.faulty
        self.faulty = False
        still, patience = 0, 3
        reports: list[Report] = []
        for number in range(QUIET_PASSES):
            self.clock.advance(TWENTY_MINUTES)
            held = bool(reports) and reports[-1].held
            full = self.lied and number == 0
            reports.append(self.engine.resync(NUMBER, full=full, accept_deletes=held))
            idle = reports[-1].ok and not reports[-1].actions and not reports[-1].held
            still = still + 1 if idle else 0
            if still == 2 and patience and self._waiting():
                patience -= 1
                self.clock.advance(12 * TWENTY_MINUTES)
                still = 0
            self.say(f"pass {reports[-1].ok} {[(a.side, a.verb) for a in reports[-1].actions]}")
            if still == 2:
                break
        else:
            raise AssertionError(f"no quiet\n{self}: {QUIET_PASSES} passes, the last: {reports[-1]}")
        self.lied, self.faulty = False, faulty

    # what must hold after quiet

    def check(self) -> None:
        """Both sides agree, nothing is lost, nothing is there twice, no change was dropped."""
        local = {message.id: message for message in self.engine.mailbox(NUMBER).messages()}
        sightings = self.sightings()
        for message_id, fate in self.fates.items():
            there = [one for one in sightings if one.id == message_id]
            live = [one for one in there if self.is_live(one)]
            message = local.get(message_id)
            self._check(message_id, fate, message, there, live)
            fate.confirmed = message is not None and message.delivery == "confirmed" and bool(live)

    def _check(
        self, message_id: str, fate: Fate, message: Message | None, there: list[Seen], live: list[Seen]
    ) -> None:
        what = f"{self}: message {message_id} {fate}\n  phone: {message}\n  account: {there}"
        alive = message is not None and not message.deleted
        if not fate.deletable:
            assert alive, f"lost at the phone\n{what}"
            assert self.engine.mailbox(NUMBER).content(message_id).stat().st_size, f"no sound\n{what}"
            assert there, f"lost in the account\n{what}"
        if alive and message is not None:
            for one in live:
                assert ("\\Seen" in one.flags) is message.heard, f"read marks differ\n{what}"
        elif message is not None or not fate.restored:
            # Once the recording is given up, what is taken out of Trash stays a mail.
            assert not live, f"deleted at the phone, live in the account\n{what}"
        assert len(live) <= 1 + fate.copies, f"there twice\n{what}"
        if alive and message is not None and not fate.disturbed and not fate.copies:
            if fate.heard is not None and fate.seen is None:
                assert message.heard is fate.heard, f"the phone's mark is lost\n{what}"
            if fate.seen is not None and fate.heard is None:
                assert message.heard is fate.seen, f"the mail program's mark is lost\n{what}"
        if (
            not fate.restored
            and not fate.copies
            and (fate.phone_deleted or (fate.trashed and fate.confirmed))
        ):
            assert not alive, f"a delete is lost\n{what}"

    def __str__(self) -> str:
        return f"seed {self.seed} profile {self.profile}"

    # the phone

    def phone_takes_a_message(self) -> None:
        taken = self.engine.mailbox(NUMBER).deliver(wav(80), caller_number="+12035550117", received=RECEIVED)
        self.fates[taken.id] = Fate()

    def phone_marks(self) -> None:
        message = self._one([m for m in self._messages() if not m.deleted])
        if message:
            box, heard = self.engine.mailbox(NUMBER), self.rng.random() < 0.6
            (box.mark_heard if heard else box.mark_new)(message.id)
            if message.heard is not heard:
                self.fates[message.id].heard = heard

    def phone_deletes(self) -> None:
        message = self._one([m for m in self._messages() if not m.deleted])
        if message:
            self.engine.mailbox(NUMBER).delete(message.id)
            fate = self.fates[message.id]
            fate.deletable = fate.disturbed = fate.phone_deleted = True

    def phone_restores(self) -> None:
        message = self._one([m for m in self._messages() if m.deleted])
        if message:
            self.engine.mailbox(NUMBER).restore(message.id)
            fate = self.fates[message.id]
            fate.disturbed = fate.restored = True

    # the second client

    def mail_marks(self) -> None:
        one = self._one([s for s in self.sightings() if self.is_live(s)])
        if one:
            seen = self.rng.random() < 0.6
            if ("\\Seen" in one.flags) is not seen and not self.fates[one.id].copies:
                self.fates[one.id].seen = seen
            (self.account.flag if seen else self.account.unflag)(one.folder, one.uid, "\\Seen")

    def mail_moves(self) -> None:
        one = self._one([s for s in self.sightings() if self.is_live(s)])
        names = [n for n in self.account.folders if n != (one and one.folder) and not self._special(n)]
        if one and names:
            self.account.move(one.folder, one.uid, self.rng.choice(names))

    def mail_trashes(self) -> None:
        one = self._one([s for s in self.sightings() if self.is_live(s)])
        if one:
            fate = self.fates[one.id]
            fate.deletable = fate.disturbed = fate.trashed = True
            self.account.trash(one.folder, one.uid)

    def mail_untrashes(self) -> None:
        one = self._one([s for s in self.sightings() if self._special(s.folder)])
        if one and "sent" not in one.folder.lower() and "all" not in one.folder.lower():
            fate = self.fates[one.id]
            fate.disturbed = fate.restored = True
            self.account.move(one.folder, one.uid, "INBOX")

    def mail_expunges(self) -> None:
        one = self._one(self.sightings())
        if one:
            self._may_go(one)
            self.account.expunge(one.folder, [one.uid])

    def mail_flags_deleted(self) -> None:
        one = self._one([s for s in self.sightings() if self.is_live(s)])
        if one:
            self._may_go(one)
            self.account.flag(one.folder, one.uid, "\\Deleted")

    def mail_copies(self) -> None:
        one = self._one([s for s in self.sightings() if self.is_live(s)])
        if one:
            fate = self.fates[one.id]
            fate.copies += 1
            fate.disturbed = True
            self.account.copy(one.folder, one.uid, "INBOX")

    def mail_replies(self) -> None:
        one = self._one(self.sightings())
        token = f"vm-{one.id}-z" if one else "nothing"
        self.account.add(
            "INBOX",
            f"From: x@example.org\r\nSubject: Re: {token}\r\nIn-Reply-To: <{token}@pbx.example.com>\r\n"
            f"References: <{token}@thread.pbx.example.com>\r\n\r\n> Ref: {token}\r\n".encode(),
        )

    def mail_makes_a_folder(self) -> None:
        name = self.rng.choice(FOLDERS)
        with suppress(No):
            self.account.create(self._name(name), subscribe=name != "Out")

    def mail_renames_a_folder(self) -> None:
        old, new = (self._name(name) for name in self.rng.sample(FOLDERS, 2))
        with suppress(No):
            self.account.rename(old, new)

    def mail_removes_a_folder(self) -> None:
        name = self._name(self.rng.choice(FOLDERS))
        for one in self.sightings():
            if one.folder == name:
                self._may_go(one)
        with suppress(No):
            if self.rng.random() < 0.5:
                self.account.delete_folder(name)
            else:
                self.account.recreate(name, same_uidvalidity=self.rng.random() < 0.3)

    def mail_renumbers_a_folder(self) -> None:
        names = [name for name in self.account.folders if not self._special(name)]
        self.account.renumber(self.rng.choice(names))

    # time and the engine

    def time_passes(self) -> None:
        self.clock.advance(self.rng.choice([10, 61, 700, 4000, 30_000, 90_000]))
        if self.faulty and self.rng.random() < 0.2:
            self.skew = self.rng.choice([0.0, 7200.0, -7200.0, 400_000.0])

    def engine_passes(self) -> None:
        self.clock.advance(self.rng.choice([1, 30, 61]))
        self.breaking = self.faulty and self.rng.random() < 0.6
        try:
            report = self.engine.resync(NUMBER, full=self.rng.random() < 0.1)
            self.say(f"pass {report.ok} {report.held} {[(a.side, a.verb) for a in report.actions]}")
        except Crash:
            self._reboot()
        except (SyncError, sqlite3.Error) as error:
            self.say(f"pass {type(error).__name__}")
        finally:
            self.breaking = False

    # inside

    def say(self, what: str) -> None:
        """Put a line into the trace."""
        self.trace.append(what)

    def sightings(self) -> list[Seen]:
        """Our messages in the account, wherever they are."""
        found = []
        for name, folder in sorted(self.account.folders.items()):
            for uid, entry in folder.entries.items():
                token = TOKEN.search(entry.mail.raw)
                if token:
                    found.append(Seen(name, uid, token[1].decode(), entry.flags))
        return found

    def is_live(self, one: Seen) -> bool:
        """Whether a place is in scope and the message not marked deleted there."""
        inside = one.folder == "INBOX" or one.folder in self.account.subscribed
        return inside and not self._special(one.folder) and "\\Deleted" not in one.flags

    def _may_go(self, one: Seen) -> None:
        fate = self.fates[one.id]
        fate.deletable = fate.disturbed = True
        # Emptied from Trash before anybody looked there: what is left of the act is a disappearance.
        fate.trashed = False

    def _special(self, name: str) -> bool:
        profile = PROFILES[self.profile]
        leaf = name.removeprefix(profile.prefix).removeprefix("[Gmail]/")
        return leaf.split(" ")[0] in ("Trash", "Sent", "Drafts", "Junk", "Spam", "All", "Deleted")

    def _name(self, leaf: str) -> str:
        return PROFILES[self.profile].prefix + leaf

    def _one(self, items: Sequence[T]) -> T | None:
        return self.rng.choice(items) if items else None

    def _waiting(self) -> bool:
        """Whether something waits for its next try, or for the pending timer to run out."""
        return any(m.delivery == "queued" or m.pending for m in self._messages() if not m.deleted)

    def _messages(self) -> tuple[Message, ...]:
        return self.engine.mailbox(NUMBER).messages()

    def _note(self, session: int, what: Effect | bytes) -> None:
        self.trace.append(f"{session} {what!r}")

    def _hook(self, moment: Moment) -> Fault | None:
        if self.crashed:
            return Cut()
        if not self.breaking or self.rng.random() > 0.06:
            return None
        after = moment.phase is Phase.AFTER
        fault = self.rng.choice(
            [
                Cut(),
                Cut(sent=7 if after else 0),
                Bye(),
                Silence(),
                Delay(5),
                Delay(100),
                Answer("NO", "no"),
                None,
            ]
        )
        self.say(f"fault {fault or 'Crash'} {moment.phase} {moment.name}")
        if fault is None:
            self.crashed = True
            raise Crash
        return fault

    def _write(self) -> Callable[[Database], object]:
        """``Database.write`` whose commits may fail, or be the last thing that happens."""
        real = Database.write
        simulation = self

        @contextmanager
        def write(database: Database) -> Iterator[None]:
            outer = not database._connection().conn.in_transaction
            with real(database):
                yield
                if outer:
                    simulation.strike("before commit")
            if outer:
                simulation.strike("after commit")

        return write

    def strike(self, where: str) -> None:
        """Perhaps fail at a commit."""
        if not self.breaking or self.crashed or self.rng.random() > 0.015:
            return
        self.say(f"fault {where}")
        if where == "before commit" and self.rng.random() < 0.5:
            raise sqlite3.OperationalError("disk I/O error")
        self.crashed = True
        raise Crash

    def _open(self) -> None:
        config = self.folder / "syncengine.toml"
        if not config.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            config.write_text(self._options(), encoding="utf-8")
            config.chmod(0o600)
        wall, steady = (lambda: self.clock().timestamp() + self.skew), (lambda: self.clock().timestamp())
        self.engine = Engine(load(config), installation_key(config), clock=Clock(wall, steady))

    def _close(self) -> None:
        self.engine.close()

    def _reboot(self) -> None:
        self.say("reboot")
        self.engine.close()
        self.server.cut_all()
        self.crashed = self.breaking = False
        self._open()

    def _options(self) -> str:
        mailbox: dict[str, object] = {
            "email_integration": True,
            "email_name": "u@example.com",
            "delivery": "append" if self.by_append else "smtp",
            "sync_mode": "all-folders",
        }
        line: dict[str, object] = {
            "server": IMAP[0],
            "security": "none",
            "account": "u",
            "password": "secret",
        }
        smtp: dict[str, object] = {"server": SMTP[0], "port": SMTP[1], "security": "none"}
        tables: dict[str, dict[str, object]] = {
            "system": {"state_dir": str(self.folder / "state"), "domain": "pbx.example.com"},
            "sync": {"command_timeout": "30s"},
            f"mailboxes.{NUMBER}": mailbox,
            f"mailboxes.{NUMBER}.imap4": line | {"port": IMAP[1]},
            f"mailboxes.{NUMBER}.smtp": smtp,
        }
        return "\n".join(
            "\n".join([f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items()), ""])
            for name, table in tables.items()
        )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Take the process's own chance away: ids, boundaries, waits."""
    state, source = random.getstate(), random.Random(f"chance {seed}")
    random.seed(seed)
    with (
        mock.patch.object(os, "urandom", source.randbytes),
        mock.patch.object(random, "_urandom", source.randbytes),
    ):
        try:
            yield
        finally:
            random.setstate(state)


def drawn(simulation: Simulation, *, rounds: int, length: int) -> list[Step]:
    """The steps of a seed."""
    rng = random.Random(f"steps {simulation.seed} {simulation.profile}")
    names = [act.__name__ for _, act in simulation.acts]
    weights = [weight for weight, _ in simulation.acts]
    steps: list[Step] = []
    for _ in range(rounds):
        steps += [(name, rng.getrandbits(32)) for name in rng.choices(names, weights, k=length)]
        steps.append(("quiet", rng.getrandbits(32)))
    return steps


def run(
    seed: int, profile: str, folder: Path, *, rounds: int = 3, length: int = 25, faulty: bool = True
) -> list[str]:
    """Run one seed and return its trace; an ``AssertionError`` names it and the fewest steps that fail."""
    steps = drawn(Simulation(seed, profile, folder, faulty=faulty), rounds=rounds, length=length)
    trace: list[str] = []
    failure = failure_of(seed, profile, folder, steps, faulty=faulty, trace=trace)
    if failure is None:
        return trace
    steps = shrunk(steps, lambda fewer: failure_of(seed, profile, folder, fewer, faulty=faulty))
    shortest = failure_of(seed, profile, folder, steps, faulty=faulty)
    raise AssertionError(f"{shortest or failure}\n  steps: {steps!r}")


def failure_of(
    seed: int,
    profile: str,
    folder: Path,
    steps: Sequence[Step],
    *,
    faulty: bool = True,
    trace: list[str] | None = None,
) -> str | None:
    """Play these steps; return what failed, None when nothing did."""
    shutil.rmtree(folder, ignore_errors=True)
    simulation = Simulation(seed, profile, folder, faulty=faulty, trace=[] if trace is None else trace)
    with simulation.running():
        try:
            simulation.play(steps)
        except AssertionError as failure:
            return str(failure)
    return None


def shrunk(steps: Sequence[Step], fails: Callable[[Sequence[Step]], str | None]) -> list[Step]:
    """Leave out steps as long as the same check fails."""
    kept = list(steps)
    first = (fails(kept) or "").splitlines()[:1]
    size = len(kept) // 2
    while size and first:
        start = 0
        while start < len(kept):
            fewer = kept[:start] + kept[start + size :]
            if (fails(fewer) or "").splitlines()[:1] == first:
                kept = fewer
            else:
                start += size
        size //= 2
    return kept
