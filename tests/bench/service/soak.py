"""``python -m tests.bench.service.soak``: very many changes on both sides, and whether anything grows.

Rounds of changes, each over when both sides show the same again: all messages of half of the mailboxes are
read or unread by the mail program, those of the other half by the phone; now and then the oldest of each
mailbox is deleted and another comes.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from syncengine.engine.engine import Engine
from tests.bench.service.crowd import PASSWORD
from tests.bench.service.fleet import Crowd, Installation, Running, Seat, raise_files
from tests.support.base import Login
from tests.support.waiting import eventually
from tests.support.world import wav

_MOVES = 10
"""Rounds after which messages come and go."""
_EACH = 8
"""Messages in each mailbox."""


@dataclass(frozen=True, slots=True)
class Stand:
    """What the service takes at one moment of the soak."""

    changes: int
    seconds: float
    memory: int
    """MB."""
    threads: int
    files: int
    index: int
    """kB of the index."""


class Soak:
    """One run: mailboxes, the messages they hold, and how many changes there were."""

    def __init__(self, installation: Installation, crowd: Crowd, chance: random.Random, *words: str) -> None:
        self.changes = 0
        self._words = words
        self._installation, self._crowd, self._chance = installation, crowd, chance
        self._messages: dict[str, list[str]] = {}
        self._rounds = 0

    def run(self, changes: int, looks: int, note: Callable[[Stand], None]) -> list[Stand]:
        """Make so many changes, looked at so often on the way; the first look is before all of them."""
        self._installation.write(poll_interval="30s")
        self._messages = {number: [message] for number, message in self._installation.fill().items()}
        many = len(self._installation.seats)
        stands: list[Stand] = []
        with (
            Running(self._installation, *self._words) as service,
            Engine.open(self._installation.config) as phone,
        ):
            service.until(900, first_round=0, watching=many)
            for seat in self._installation.seats:
                box = phone.mailbox(seat.number)
                self._messages[seat.number] += [box.deliver(wav(800)).id for _ in range(_EACH - 1)]
            self._settled(phone, heard=False)
            for part in range(looks + 1):
                while self.changes < changes * part // looks:
                    self._round(phone)
                stands.append(self._stand(service))
                note(stands[-1])
            service.stop()
        if text := service.log.read_text():
            raise AssertionError(f"the service has something to say: {text[-2000:]}")
        return stands

    def _round(self, phone: Engine) -> None:
        """Every message becomes heard, or new again, and everything that follows from that."""
        self._rounds += 1
        heard = self._rounds % 2 == 1
        seats = list(self._installation.seats)
        self._chance.shuffle(seats)
        half = len(seats) // 2
        self._crowd.order("turn all", users=[seat.login.user for seat in seats[:half]])
        for seat in seats[half:]:
            box = phone.mailbox(seat.number)
            for message in self._messages[seat.number]:
                (box.mark_heard if heard else box.mark_new)(message)
        self.changes += len(seats) * _EACH
        self._settled(phone, heard=heard)
        if self._rounds % _MOVES == 0:
            self._moves(phone)

    def _moves(self, phone: Engine) -> None:
        """Another message takes the place of the oldest that each mailbox has; all are new then."""
        for seat in self._installation.seats:
            box = phone.mailbox(seat.number)
            box.delete(self._messages[seat.number].pop(0))
            self._messages[seat.number].append(box.deliver(wav(800)).id)
        self.changes += 2 * len(self._installation.seats)
        there = len(self._installation.seats) * (_EACH + self._rounds // _MOVES)
        eventually(lambda: self._crowd.order("stand")["messages"] == there, timeout=600, what="the new ones")
        self._settled(phone, heard=False)

    def _settled(self, phone: Engine, *, heard: bool) -> None:
        """Wait until both sides show of each message that it is heard, or new, and these alone live."""
        seats = self._installation.seats
        users = [seat.login.user for seat in seats]

        def same() -> bool:
            shown = self._crowd.order("live", users=users)
            return all(
                shown[seat.login.user] == [heard] * _EACH and self._at_phone(phone, seat) == [heard] * _EACH
                for seat in seats
            )

        eventually(same, timeout=600, every=0.1, what="both sides the same")

    def _at_phone(self, phone: Engine, seat: Seat) -> list[bool]:
        wanted = set(self._messages[seat.number])
        return [m.heard for m in phone.mailbox(seat.number).messages() if m.id in wanted and not m.deleted]

    def _stand(self, service: Running) -> Stand:
        """Looked at when all jobs are done; threads that did them may linger for some seconds."""
        eventually(lambda: service.figures().get("busy") == 0, timeout=600, what="rest")
        look = service.look()
        index = sqlite3.connect(self._installation.state / "index.sqlite3")
        pages, size = (index.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        index.close()
        seconds = time.monotonic() - service.started
        return Stand(self.changes, seconds, look.resident, look.threads, look.files, pages * size // 1000)


def seats_of(crowd: Crowd, many: int) -> list[Seat]:
    """So many mailboxes, all of the crowd's."""
    seats = []
    for place in range(many):
        login = Login(f"m{place}", PASSWORD, f"m{place}@example.com")
        seats.append(Seat(str(1000 + place), login, crowd.ports[place % len(crowd.ports)]))
    return seats


def main() -> None:
    """Soak, and print how the service stood on the way."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.service.soak", description=__doc__)
    parser.add_argument("--changes", type=int, default=300_000)
    parser.add_argument("--mailboxes", type=int, default=200)
    parser.add_argument("--looks", type=int, default=10)
    args = parser.parse_args()
    raise_files()
    print("| changes | after | memory | threads | descriptors | index |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="se-soak-") as name, Crowd(args.mailboxes, 4, None) as crowd:
        installation = Installation(Path(name), seats_of(crowd, args.mailboxes), None)
        Soak(installation, crowd, random.Random(args.changes)).run(args.changes, args.looks, _print)


def _print(stand: Stand) -> None:
    print(
        f"| {stand.changes:,} | {stand.seconds:.0f} s | {stand.memory} MB | {stand.threads} | {stand.files}"
        f" | {stand.index:,} kB |"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
