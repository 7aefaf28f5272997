"""How long each side takes to see what was changed on the other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from syncengine.engine.engine import Engine
from tests.bench.service.fleet import Crowd, Installation, Phones, Seat
from tests.support.base import Server
from tests.support.mailprogram import MailProgram

_EVERY = 0.002
_FOLDER = "Voice Mail Messages"
"""Where the engine puts messages."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Seconds of many changes; those that were not seen in time are counted apart."""

    seconds: Sequence[float]
    missed: int = 0

    def __str__(self) -> str:
        if not self.seconds:
            return "none was seen"
        ordered = sorted(self.seconds)
        last = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        text = f"{_written(statistics.median(ordered))} / {_written(last)}"
        return f"{text} ({self.missed} not seen)" if self.missed else text


def to_the_phone(
    installation: Installation, crowd: Crowd, seats: Sequence[Seat], *, over: float, limit: float
) -> Spread:
    """Change the mail of each mailbox, evenly ``over`` so many seconds, and see when the phone shows it."""
    phones = Phones(installation)
    before = {seat.number: phones.state(seat.number) for seat in seats}
    changed: dict[str, float] = {}
    seen: dict[str, float] = {}
    version = phones.version
    end = time.monotonic() + over + limit
    waiting = _evenly(seats, over)
    upcoming = next(waiting, None)
    while time.monotonic() < end and len(seen) < len(seats):
        if upcoming is not None and time.monotonic() >= upcoming[0]:
            seat = upcoming[1]
            changed[seat.number] = crowd.order("turn", users=[seat.login.user])[seat.login.user]
            upcoming = next(waiting, None)
        if phones.version != version:
            version, now = phones.version, time.monotonic()
            for number in changed.keys() - seen.keys():
                if phones.state(number) != before[number]:
                    seen[number] = now
        time.sleep(_EVERY)
    phones.close()
    return Spread([seen[n] - changed[n] for n in seen], len(seats) - len(seen))


def to_the_mail(
    installation: Installation,
    crowd: Crowd,
    seats: Sequence[Seat],
    ids: Mapping[str, str],
    *,
    over: float,
    limit: float,
) -> Spread:
    """Change the message of each mailbox as a command does, in another process; when its account shows it."""
    changed: dict[str, float] = {}
    with Engine.open(installation.config) as engine:
        for when, seat in _evenly(seats, over):
            time.sleep(max(0.0, when - time.monotonic()))
            box = engine.mailbox(seat.number)
            turn = box.mark_new if box.message(ids[seat.number]).heard else box.mark_heard
            changed[seat.login.user] = time.monotonic()
            turn(ids[seat.number])
    end = time.monotonic() + limit
    seen: dict[str, float] = {}
    while time.monotonic() < end and len(seen) < len(seats):
        shown = crowd.order("changed", users=sorted(changed.keys() - seen.keys()))
        seen |= {user: when for user, when in shown.items() if when > changed[user]}
        time.sleep(0.2)
    return Spread([seen[user] - changed[user] for user in seen], len(seats) - len(seen))


def beside_a_real_server(
    installation: Installation, server: Server, seats: Sequence[Seat], ids: Mapping[str, str], *, limit: float
) -> tuple[Spread, Spread]:
    """The same two times of mailboxes on a real server, one after another: to the phone, and to the mail."""
    phones = Phones(installation)
    with ExitStack() as stack, Engine.open(installation.config) as engine:
        mails = [stack.enter_context(MailProgram(server, seat.login)) for seat in seats]
        there = [(seat, mail, mail.uids(_FOLDER)[-1]) for seat, mail in zip(seats, mails, strict=True)]

        def told(seat: Seat, mail: MailProgram, uid: int) -> float | None:
            before = phones.state(seat.number)
            _turn(mail, uid)
            return _until(lambda: phones.state(seat.number) != before, limit)

        def carried(seat: Seat, mail: MailProgram, uid: int) -> float | None:
            box, before = engine.mailbox(seat.number), mail.flags(uid, _FOLDER)
            turn = box.mark_new if box.message(ids[seat.number]).heard else box.mark_heard
            turn(ids[seat.number])
            return _until(lambda: mail.flags(uid, _FOLDER) != before, limit)

        spreads = [_spread([time_of(*one) for one in there]) for time_of in (told, carried)]
    phones.close()
    return spreads[0], spreads[1]


def _turn(mail: MailProgram, uid: int) -> None:
    change = mail.unflag if "\\Seen" in mail.flags(uid, _FOLDER) else mail.flag
    change(uid, "\\Seen", folder=_FOLDER)


def _until(seen: Callable[[], bool], limit: float) -> float | None:
    """Seconds until that is so, None where it is not so in time."""
    started = time.monotonic()
    while not seen():
        if time.monotonic() - started > limit:
            return None
        time.sleep(_EVERY)
    return time.monotonic() - started


def _spread(times: Sequence[float | None]) -> Spread:
    seen = [seconds for seconds in times if seconds is not None]
    return Spread(seen, len(times) - len(seen))


def _evenly(seats: Sequence[Seat], over: float) -> Iterator[tuple[float, Seat]]:
    start = time.monotonic()
    for place, seat in enumerate(seats):
        yield start + over * place / len(seats), seat


def _written(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
