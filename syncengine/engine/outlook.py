"""What a mailbox leaves to watch after a pass, from the stored view alone."""

from __future__ import annotations

from dataclasses import dataclass

from syncengine.engine.binding import Binding
from syncengine.index import Index, QueueState
from syncengine.model import LocalMessage, State


@dataclass(frozen=True, slots=True)
class Outlook:
    """How much there is to watch, and where."""

    lively: bool = False
    """Something is new, pending, or can still be restored."""
    live: bool = False
    """There is a live pair, or something that may become one."""
    wake: float | None = None
    """When a deferred message is tried again, seconds since the epoch."""
    folder: str | None = None
    """The folder with most live pairs; None where nothing can be watched."""
    uidnext: int | None = None
    modseq: int | None = None
    """How far that folder was read: what its SELECT shows beyond is news."""
    settled: bool = False
    """Nothing is pending or in flight: only a change on either side gives a pass something to do."""


_WORKED_ON = (QueueState.CLAIMED, QueueState.IN_DOUBT)


def outlook(index: Index, binding: Binding) -> Outlook:
    """The outlook of one mailbox."""
    rows = index.queue.rows(binding.number)
    wake = index.waits.wake(binding.number)
    if not binding.mailbox.synchronises:
        wake = _sooner(index.waits.doubtful(binding.number), wake)
        wake = _sooner(index.pop3.wake(binding.number), wake)
        return Outlook(wake=wake)
    account = binding.known_account(index)
    if account is None or not account.looked:
        return Outlook(lively=True, live=True, wake=wake)
    pending = index.pairs.pending(account.id)
    known = {t for t, m in index.pairs.memories(account.id).items() if m.base is not None or m.in_flight}
    kept = [m for m in binding.store.listing(binding.number).messages if m.content and m.token in known]
    in_flight = any(row.state in _WORKED_ON for row in rows) or (
        binding.reads_aloud and any(row.pending for row in index.emails.touched(account.id))
    )
    lively = (
        in_flight
        or any(_new_or_restorable(m, binding) for m in kept)
        or any(not item.expired for item in pending)
    )
    if not (lively or kept or pending or binding.settings.system.text_to_speech):
        return Outlook(wake=wake)
    folder = index.views.busiest_folder(account.id) or "INBOX"
    cursor = index.views.cursors(account.id).get(folder)
    return Outlook(
        lively=lively,
        live=True,
        wake=wake,
        folder=folder,
        uidnext=cursor.uidnext if cursor else None,
        modseq=cursor.highestmodseq if cursor else None,
        settled=not (in_flight or pending),
    )


def _sooner(one: float | None, other: float | None) -> float | None:
    return min((when for when in (one, other) if when is not None), default=None)


def _new_or_restorable(message: LocalMessage, binding: Binding) -> bool:
    if message.state is not State.DELETED:
        return message.state is State.NEW
    if message.deleted_at is None:
        return False
    return binding.clock() - message.deleted_at.timestamp() < binding.mailbox.sync.undo_window
