"""Keeps a voice mailbox and an e-mail account telling the same story, both ways.

>>> from syncengine import Engine
>>> with Engine.open("syncengine.toml") as engine:
...     report = engine.resync("101")

What stands in ``__all__`` is the public library; it is imported when first used, so that
``import syncengine`` itself costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncengine.engine.engine import Engine
    from syncengine.engine.events import (
        DeliveryFailed,
        Event,
        Held,
        LampChanged,
        MessageDeleted,
        MessageEvent,
        MessageHeard,
        MessageNew,
        MessageRestored,
        Reading,
        Unconfirmed,
    )
    from syncengine.engine.handle import Mailbox
    from syncengine.engine.status import MailboxState, MailboxStatus, Message, PendingItem
    from syncengine.errors import (
        Busy,
        EngineError,
        MailboxError,
        OptionsError,
        StoreUnproven,
        SyncError,
        UsageError,
    )
    from syncengine.model import (
        Delivery,
        Kind,
        LocalListing,
        LocalMessage,
        Problem,
        Report,
        ReportedAction,
        Side,
        State,
        Token,
        Traffic,
        Verb,
        token_of,
    )
    from syncengine.replica import VoiceStore

__all__ = [
    "Busy",
    "Delivery",
    "DeliveryFailed",
    "Engine",
    "EngineError",
    "Event",
    "Held",
    "Kind",
    "LampChanged",
    "LocalListing",
    "LocalMessage",
    "Mailbox",
    "MailboxError",
    "MailboxState",
    "MailboxStatus",
    "Message",
    "MessageDeleted",
    "MessageEvent",
    "MessageHeard",
    "MessageNew",
    "MessageRestored",
    "OptionsError",
    "PendingItem",
    "Problem",
    "Reading",
    "Report",
    "ReportedAction",
    "Side",
    "State",
    "StoreUnproven",
    "SyncError",
    "Token",
    "Traffic",
    "Unconfirmed",
    "UsageError",
    "Verb",
    "VoiceStore",
    "token_of",
]

_HOMES = {
    "engine.engine": ("Engine",),
    "engine.events": (
        "DeliveryFailed",
        "Event",
        "Held",
        "LampChanged",
        "MessageDeleted",
        "MessageEvent",
        "MessageHeard",
        "MessageNew",
        "MessageRestored",
        "Reading",
        "Unconfirmed",
    ),
    "engine.handle": ("Mailbox",),
    "engine.status": ("MailboxState", "MailboxStatus", "Message", "PendingItem"),
    "errors": (
        "Busy",
        "EngineError",
        "MailboxError",
        "OptionsError",
        "StoreUnproven",
        "SyncError",
        "UsageError",
    ),
    "model": (
        "Delivery",
        "Kind",
        "LocalListing",
        "LocalMessage",
        "Problem",
        "Report",
        "ReportedAction",
        "Side",
        "State",
        "Token",
        "Traffic",
        "Verb",
        "token_of",
    ),
    "replica": ("VoiceStore",),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"syncengine.{home}"), name)
    raise AttributeError(f"module 'syncengine' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
