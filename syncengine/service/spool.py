"""Watching Asterisk's spool for the service: what changes there is passed over at once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from syncengine.engine.engine import Engine
from syncengine.errors import UsageError
from syncengine.options.schema import VoiceMailServer

if TYPE_CHECKING:
    from syncengine.voicemail.asterisk import SpoolWatcher


def spool_watcher(engine: Engine) -> SpoolWatcher | None:
    """A watcher that leaves a dirty mark on every mailbox that changed; None for another store."""
    system = engine.settings.system
    if system.voice_mail_server is not VoiceMailServer.ASTERISK:
        return None
    from syncengine.voicemail.asterisk import SpoolWatcher  # noqa: PLC0415 - only where it is the store

    def changed(number: str) -> None:
        with suppress(UsageError):  # a folder that belongs to no mailbox of ours
            engine.changed(number)

    return SpoolWatcher(system.spool, changed)
