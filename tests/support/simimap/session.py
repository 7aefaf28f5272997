"""One connection as a state machine: a client's octets in, what the server does to the line out.

No socket, no thread, no clock: whoever carries the octets also carries out the waits. Updates of other
sessions' doings are told when the protocol allows them: never a sequence number shifts during FETCH,
STORE or SEARCH (RFC 9051 section 7.5.1).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from tests.support.simimap.account import SimAccount
from tests.support.simimap.faults import Answer, Bye, Cut, Delay, Fault, Moment, Phase, Silence
from tests.support.simimap.folder import Entry, View
from tests.support.simimap.grammar import (
    Assembler,
    Bad,
    GoAhead,
    No,
    Refusal,
    Value,
    compact,
    text_of,
    values,
)
from tests.support.simimap.profiles import Lie, Profile

if TYPE_CHECKING:
    from tests.support.simimap.server import SimServer

_TAG = re.compile(rb"[^ (){%*\"\\+\x00-\x1f\x7f]+")
COMMUTING = frozenset({"STATUS", "LIST", "LSUB", "NAMESPACE", "CAPABILITY", "ID"})
"""Commands that may be answered in another order than asked (RFC 9051 section 5.5)."""
FROZEN = frozenset({"FETCH", "STORE", "SEARCH"})
"""Commands during which no sequence number may shift."""


@dataclass(frozen=True, slots=True)
class Send:
    """Octets to the client."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing more for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Close:
    """The connection ends."""


Effect: TypeAlias = Send | Wait | Close
Handler: TypeAlias = Callable[["Session", list[Value]], "Done"]


@dataclass(frozen=True, slots=True)
class Done:
    """A tagged OK; ``text`` may begin with a response code."""

    text: str
    sync: bool = True
    """Whether untold updates go out before it."""


@dataclass(slots=True)
class _Answered:
    effects: list[Effect] = field(default_factory=list)
    commutes: bool = False


class Session:
    """One connection to a :class:`SimServer`."""

    def __init__(self, server: SimServer, number: int) -> None:
        self.server = server
        self.number = number
        self.account: SimAccount | None = None
        self.view: View | None = None
        self.condstore = False
        self.qresync = False
        self.closed = False
        self.expects: Callable[[bytes], Done] | None = None
        """Takes the next line: the rest of AUTHENTICATE, or DONE."""
        self.idling = False
        self.last_idle: list[bytes] = []
        """What IDLE told, for the servers that tell it twice."""
        self.tag = b""
        """Of the command under way."""
        self._name = ""
        self._lines: list[bytes] = []
        self._input = Assembler(server.profile.max_line)

    @property
    def profile(self) -> Profile:
        """The kind of server."""
        return self.server.profile

    def lies(self, lie: Lie) -> bool:
        """Whether the server tells this lie now."""
        return lie in self.server.lies

    def say(self, line: bytes) -> None:
        """Put an untagged line into the answer."""
        self._lines.append(b"* " + line + b"\r\n")

    def prompt(self, text: bytes = b"") -> None:
        """Ask the client to go on."""
        self._lines.append(b"+ " + text + b"\r\n")

    def greet(self) -> list[Effect]:
        """What the server says first."""
        code = f"[CAPABILITY {self.server.shown(self)}] " if self.profile.greets_with_capabilities else ""
        return self._traced([Send(f"* OK {code}{self.profile.name} ready\r\n".encode())])

    def feed(self, data: bytes) -> list[Effect]:
        """Take octets of the client; what comes back may be nothing yet."""
        self.server.note(self, data)
        self._input.feed(data)
        answers: list[_Answered] = []
        while not self.closed:
            try:
                found = self._input.next()
            except Bad as error:
                answers.append(_Answered([Send(b"* BYE " + error.text.encode() + b"\r\n"), Close()]))
                self.end()
                break
            if found is None:
                break
            if isinstance(found, GoAhead):
                answers.append(_Answered([Send(b"+ OK\r\n")]))
                continue
            answers.append(self._take(found))
        if self.server.shuffle:
            _reorder(answers, self.server.shuffle)
        return self._traced([effect for answer in answers for effect in answer.effects])

    def poll(self) -> list[Effect]:
        """What the server pushes now: only during IDLE, or when the open folder is no more."""
        if self.closed or not self.idling or self.view is None:
            return []
        if not self.view.folder.alive:
            self.end()
            return self._traced([Send(b"* BYE Mailbox was deleted\r\n"), Close()])
        self._updates(expunges=True, flags=self.profile.idle_flags)
        told, self._lines = self._lines, []
        self.last_idle += told
        return self._traced([Send(b"".join(told))] if told else [])

    def end(self) -> None:
        """The connection is over, whoever ended it."""
        self.closed = True
        self.idling = False
        self.deselect()
        self.server.forget(self)

    def deselect(self) -> None:
        """Stop looking at the open folder."""
        if self.view:
            self.view.folder.close(self.view)
            self.view = None

    # one command

    def _take(self, parts: list[bytes]) -> _Answered:
        if self.expects is not None:
            return self._continue(parts[0])
        tag, _, rest = parts[0].partition(b" ")
        if not _TAG.fullmatch(tag) or not rest:
            return _Answered([Send((tag if _TAG.fullmatch(tag) else b"*") + b" BAD Invalid command\r\n")])
        self.tag = tag
        try:
            arguments = values([rest, *parts[1:]])
            name = text_of(arguments.pop(0)).upper()
            if name == "UID" and arguments:
                name = f"UID {text_of(arguments.pop(0)).upper()}"
        except (Refusal, IndexError):
            return _Answered([Send(tag + b" BAD Invalid arguments\r\n")])
        self._name = name
        return self._guarded(parts[0][len(tag) + 1 :], lambda: self._execute(name, arguments))

    def _continue(self, line: bytes) -> _Answered:
        expects, self.expects = self.expects, None
        assert expects is not None
        return self._guarded(b"DONE" if line.upper() == b"DONE" else b"***", lambda: expects(line))

    def _guarded(self, line: bytes, act: Callable[[], Done | None]) -> _Answered:
        """Ask the hook, act, ask it again: between the two the server has acted and nobody knows."""
        moment = self.server.moment(self, self._name, line)
        out = _Answered(commutes=self._name in COMMUTING)
        before = self.server.ask(moment(Phase.BEFORE))
        refused = self.server.over_budget()
        if isinstance(before, Delay):
            out.effects.append(Wait(before.seconds))
        elif before is not None:
            return self._spoil(out, before, b"")
        self._lines = []
        try:
            if refused:
                raise No(refused)
            done = act()
            result = b"" if done is None else self.tag + b" OK " + done.text.encode() + b"\r\n"
        except Refusal as error:
            done = Done(error.text)
            code = f"[{error.code}] " if error.code else ""
            result = self.tag + b" " + error.status + f" {code}{error.text}\r\n".encode()
        if done is not None and done.sync:
            self._sync()
        answer = b"".join(self._lines) + result
        self._lines = []
        after = self.server.ask(moment(Phase.AFTER))
        if isinstance(after, Delay):
            out.effects.append(Wait(after.seconds))
        elif after is not None:
            return self._spoil(out, after, answer)
        out.effects.append(Send(answer))
        if self.closed:
            out.effects.append(Close())
        return out

    def _spoil(self, out: _Answered, fault: Fault, answer: bytes) -> _Answered:
        match fault:
            case Silence():
                return out
            case Answer(status, text):
                out.effects.append(Send(self.tag + f" {status} {text}\r\n".encode()))
                return out
            case Cut(sent):
                out.effects += [Send(answer[:sent])] if sent else []
            case Bye(text):
                out.effects.append(Send(f"* BYE {text}\r\n".encode()))
            case Delay():
                raise AssertionError("a delay spoils nothing")
        out.effects.append(Close())
        self.end()
        return out

    def _execute(self, name: str, arguments: list[Value]) -> Done | None:
        handler = self.server.handler(self, name)
        if self.view is not None and not self.view.folder.alive:
            self.say(b"BYE IMAP session state is inconsistent, please relogin.")
            self.end()
            return None
        try:
            done = handler(self, arguments)
        except (IndexError, ValueError) as error:
            raise Bad("Missing or wrong argument") from error
        return None if self.expects is not None else done

    # what other sessions did

    def _sync(self) -> None:
        if self.view is not None:
            shuffle = self.server.shuffle
            late = shuffle is not None and self._name != "NOOP" and shuffle.random() < 0.3
            self._updates(expunges=self._name not in FROZEN, flags=not late)

    def _updates(self, *, expunges: bool, flags: bool) -> None:
        view = self.view
        assert view is not None
        if expunges and view.gone:
            self._tell_gone(view)
        if view.arrived:
            view.uids += view.arrived
            view.arrived.clear()
            self.say(b"%d EXISTS" % len(view.uids))
        if flags:
            for uid in sorted(view.changed):
                entry = view.entry(uid)
                if entry is not None:
                    self.tell_flags(entry)
            view.changed.clear()

    def _tell_gone(self, view: View) -> None:
        if self.qresync:
            self.say(b"VANISHED " + compact(view.gone))
        shuffle = self.server.shuffle
        falling = shuffle is None or shuffle.random() < 0.5
        for uid in sorted(view.gone, reverse=falling):
            if not self.qresync:
                self.say(b"%d EXPUNGE" % view.number(uid))
            view.uids.remove(uid)
        view.gone.clear()
        view.ghosts.clear()

    def tell_flags(self, entry: Entry, *, uid: bool = False, silent: bool = False) -> None:
        """Say a message's flags; ``silent``: its MODSEQ only, and only where CONDSTORE is on."""
        assert self.view is not None
        with_uid = uid or self.qresync or self.profile.uid_in_updates
        if self.lies(Lie.FETCH_WITHOUT_UID) and not uid:
            with_uid = False
        items = [f"UID {entry.uid}"] if with_uid else []
        items += [] if silent else [f"FLAGS ({' '.join(sorted(entry.flags))})"]
        items += [f"MODSEQ ({entry.modseq})"] if self.condstore else []
        if self.condstore or not silent:
            self.say(b"%d FETCH (%s)" % (self.view.number(entry.uid), " ".join(items).encode()))

    def _traced(self, effects: list[Effect]) -> list[Effect]:
        for effect in effects:
            self.server.note(self, effect)
        return effects


def moment_of(session: Session, serial: int, name: str, line: bytes) -> Callable[[Phase], Moment]:
    """Return what makes the two moments of one command."""
    user = session.account.user if session.account else ""
    shown = name.encode() if name in ("LOGIN", "AUTHENTICATE") else line
    return lambda phase: Moment(serial, session.number, user, phase, name, shown)


def _reorder(answers: list[_Answered], shuffle: random.Random) -> None:
    """Exchange neighbours that may be answered in any order."""
    for index in range(1, len(answers)):
        pair = answers[index - 1 : index + 1]
        if all(each.commutes for each in pair) and shuffle.random() < 0.5:
            answers[index - 1 : index + 1] = pair[::-1]
