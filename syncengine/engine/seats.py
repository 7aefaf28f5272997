"""Who has a seat: remembered, so that nobody loses it to a newcomer or to a smaller number."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Mapping, Set

from syncengine.index import Index
from syncengine.options.check import integrated, seats_off
from syncengine.options.schema import Settings

_log = logging.getLogger(__name__)

_FACT = "seats"


class Seats:
    """The seats of one installation, taken and given up with every change of its options."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._holders: Set[str] = frozenset()

    def assigned(self, settings: Settings) -> Mapping[str, str]:
        """The mailboxes that are off for want of a seat, with the reason; the others hold one from now on."""
        try:
            self._holders = self._remembered()
            if self._holders != (holders := _taking(settings, self._holders)):
                with self._index.database.write():
                    holders = _taking(settings, self._remembered())
                    self._index.passes.set_meta(_FACT, json.dumps(list(holders)))
        except sqlite3.Error as error:
            _log.warning("who has a seat cannot be remembered now: %s", error)
            holders = _taking(settings, self._holders)
        self._holders = holders
        return seats_off(settings, holders)

    def _remembered(self) -> Set[str]:
        return frozenset(json.loads(self._index.passes.meta(_FACT) or "[]"))


def _taking(settings: Settings, holders: Set[str]) -> Set[str]:
    return integrated(settings) - seats_off(settings, holders).keys()
