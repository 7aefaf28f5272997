"""A whole engine against a played server, driven by one seed: who does what when, and what breaks.

Invariant: nothing but the seed decides. The engine's own sources of chance are seeded too, time is
virtual, and no thread runs besides the caller's.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

from syncengine.engine.clock import Clock
from syncengine.engine.engine import Engine
from syncengine.errors import SyncError
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
from tests.support.simimap.session import Effect
from tests.support.simimap.smtp import SimSmtp
from tests.support.simulation.breaks import breakable
from tests.support.simulation.fates import Fate, Places, check_message
from tests.support.simulation.people import NUMBER, People

Step = tuple[str, int]
"""What is done, and the seed of how."""
IMAP, SMTP = ("127.0.0.1", 10143), ("127.0.0.1", 10025)
QUIET_PASSES = 14
TWENTY_MINUTES = 1200.0


class Crash(BaseException):
    """The process dies here, as far as one process can play it."""


class Simulation(People):
    """One run."""

    def __init__(
        self,
        seed: int,
        profile: str,
        folder: Path,
        *,
        faulty: bool = True,
        trace: list[str] | None = None,
    ) -> None:
        super().__init__(seed, profile)
        self.seed = seed
        self.folder = folder
        self.faulty = faulty
        self.trace = [] if trace is None else trace
        """Every step, octet and fault."""
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
        self.acts = [*self.deeds, (1, self.time_passes), (2, self.server_lies), (12, self.engine_passes)]
        self.acts += [(1, self.server_throttles)] if faulty else []

    # one run

    @contextmanager
    def running(self) -> Iterator[Simulation]:
        """The engine is open, and the world is the played one."""
        with ExitStack() as stack:
            stack.enter_context(_seeded(self.seed))
            stack.enter_context(reachable({IMAP: self.server, SMTP: self.smtp}, pause=self.clock.advance))
            # Whoever counts a silence in steps has to see the time pass that the played socket lets pass.
            stack.enter_context(mock.patch.object(time, "monotonic", lambda: self.clock().timestamp()))
            stack.enter_context(breakable(self.strike))
            self._open()
            stack.callback(self._close)
            yield self

    def play(self, steps: Sequence[Step]) -> None:
        """Do one thing after the other. Each draws from its own seed, so leaving one out changes no other."""
        acts = {act.__name__: act for _, act in self.acts} | {"quiet": self.settle}
        for name, seed in steps:
            self.rng = random.Random(seed)
            self.say(name)
            if name.startswith("phone"):
                self._at_the_phone(acts[name])
            else:
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

    def server_throttles(self) -> None:
        """The server asks for a pause (Exchange)."""
        self.server.throttle(self.rng.choice([20, 300, 4000]))

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
            there = tuple(one for one in sightings if one.id == message_id)
            places = Places(there, tuple(one for one in there if self.is_live(one)))
            message = local.get(message_id)
            what = f"{self}: message {message_id} {fate}\n  phone: {message}\n  account: {there}"
            sound = message is not None and bool(self._content(message_id).stat().st_size)
            check_message(fate, message, places, sound=sound, what=what)
            known = message is not None and message.delivery == "confirmed"
            fate.confirmed = known and bool(places.live)

    def __str__(self) -> str:
        return f"seed {self.seed} profile {self.profile}"

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
        except SyncError as error:
            self.say(f"pass {type(error).__name__}")
        finally:
            self.breaking = False

    def _at_the_phone(self, act: Callable[[], None]) -> None:
        """Something done at the phone, which may break off; what was taken in all the same is known then."""
        self.breaking = self.faulty and self.rng.random() < 0.5
        try:
            act()
        except Crash:
            self._reboot()
        except SyncError as error:
            self.say(f"refused {type(error).__name__}")
        finally:
            self.breaking = False
        self.fates |= {m.id: Fate() for m in self._messages() if m.id not in self.fates}

    # inside

    def _content(self, message_id: str) -> Path:
        return self.engine.mailbox(NUMBER).content(message_id)

    def say(self, what: str) -> None:
        """Put a line into the trace."""
        self.trace.append(what)

    def _waiting(self) -> bool:
        """Whether something waits for its next try, or for the pending timer to run out."""
        return any(m.delivery == "queued" or m.pending for m in self._messages() if not m.deleted)

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

    def strike(self, where: str, error: Exception | None) -> None:
        """Perhaps break at a commit or a file."""
        if not self.breaking or self.crashed or self.rng.random() > (0.015 if "commit" in where else 0.04):
            return
        self.say(f"fault {where}")
        if error is not None and self.rng.random() < 0.5:
            raise error
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
