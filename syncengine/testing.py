"""What a voice store has to do, as tests: whoever writes one of his own runs them against it with pytest.

The built-in store and Asterisk's spool pass the same tests. Subclass :class:`VoiceStoreContract` under a
name that begins with ``Test``, and give it a fixture ``server``: the voice-mail server's own hand.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest

from syncengine.errors import SyncError
from syncengine.model import TOKEN, Kind, LocalMessage, State, Token, token_of
from syncengine.replica import VoiceStore

MAILBOX = "101"
"""Where the tests leave messages."""
OTHER = "102"
"""A second mailbox; what happens in the first shows in it nowhere."""

_RECEIVED = datetime(2026, 11, 23, 15, 15, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Call:
    """A caller who leaves a voice message; no two of one test have the same number."""

    number: str
    name: str = "Zoë Müller"
    urgent: bool = False
    received: datetime = _RECEIVED

    @property
    def recording(self) -> bytes:
        """What he says: a tenth of a second of PCM16 at 8 kHz, other samples for every number."""
        samples = struct.pack("<800h", *(int(self.number[-4:]) + i for i in range(800)))
        head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
        body = b"WAVE" + head + struct.pack("<4sI", b"data", len(samples)) + samples
        return struct.pack("<4sI", b"RIFF", len(body)) + body


class VoiceMailServer(Protocol):
    """The voice-mail server whose store is tested, as far as the tests need its own hand.

    Every method works on the same place, which is empty at the beginning of each test.
    """

    def store(self) -> VoiceStore:
        """Open the store as another process would; the tests prepare it."""

    def leave(self, mailbox: str, call: Call) -> None:
        """Take in a new voice message, as when somebody called."""

    def hear(self, message: LocalMessage) -> None:
        """Do what the server does when the subscriber has heard a new message at the phone."""

    def delete(self, message: LocalMessage) -> None:
        """Do what the server does when the subscriber deletes a message at the phone."""

    def unmount(self) -> None:
        """Take the place away and leave an empty folder, as where nothing is mounted."""

    def mount(self) -> None:
        """Put the place back as it was."""


class VoiceStoreContract:
    """The tests. Every one begins with an empty store."""

    @pytest.fixture
    def server(self, tmp_path: Path) -> VoiceMailServer:
        """The voice-mail server under test; to be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, server: VoiceMailServer) -> VoiceStore:
        """The store under test, with nothing in it."""
        return _opened(server)

    def same_sound(self, stored: bytes, left: bytes) -> bool:
        """Whether a stored recording is the one that was left; for stores that convert sound."""
        return stored == left

    # What is listed

    def test_a_mailbox_without_messages_is_empty_and_proves_it(self, store: VoiceStore) -> None:
        """An empty mailbox is no doubt: only then is an emptied one believed."""
        listing = store.listing(MAILBOX)
        assert (listing.proven, listing.messages) == (True, ())

    def test_a_message_is_listed_as_it_was_left(self, server: VoiceMailServer, store: VoiceStore) -> None:
        """Who called, when, and that nobody has heard it yet."""
        call = Call("2035550117", urgent=True)
        server.leave(MAILBOX, call)
        (message,) = _listed(store)
        assert (message.mailbox, message.kind, message.state) == (MAILBOX, Kind.VOICE, State.NEW)
        assert (message.caller_number, message.caller_name) == (call.number, call.name)
        assert (message.urgent, message.content, message.deleted_at) == (True, True, None)
        assert message.received.tzinfo is not None
        assert abs(message.received - call.received) < timedelta(seconds=1)
        assert message.ref
        assert message.media_type == "audio/wav"

    def test_mailboxes_are_kept_apart(self, server: VoiceMailServer, store: VoiceStore) -> None:
        """What lies in one is not in another."""
        server.leave(MAILBOX, Call("2035550117"))
        assert _listed(store, OTHER) == []
        assert len(_listed(store)) == 1

    def test_every_message_has_a_token_of_its_own_and_keeps_it(
        self, server: VoiceMailServer, store: VoiceStore
    ) -> None:
        """Through changes, further messages and another process; the same store proves itself again."""
        server.leave(MAILBOX, Call("2035550001"))
        server.leave(MAILBOX, Call("2035550002"))
        before = _tokens(store)
        assert all(TOKEN.fullmatch(token) for token in before.values())
        assert len(set(before.values())) == len({m.ref for m in _listed(store)}) == 2
        server.hear(_one(store, "2035550001"))
        server.leave(MAILBOX, Call("2035550003"))
        after = _tokens(_opened(server))
        assert {number: after[number] for number in before} == before
        assert store.listing(MAILBOX).store_id == _opened(server).listing(MAILBOX).store_id != ""

    def test_what_the_subscriber_does_at_the_phone_is_seen(
        self, server: VoiceMailServer, store: VoiceStore
    ) -> None:
        """Heard is heard; deleted is missing, or listed as deleted, and the listing proves itself."""
        for number in ("2035550001", "2035550002", "2035550003"):
            server.leave(MAILBOX, Call(number))
        _listed(store)
        server.hear(_one(store, "2035550001"))
        server.delete(_one(store, "2035550002"))
        states = {m.caller_number: m.state for m in _listed(store)}
        assert states.pop("2035550002", State.DELETED) is State.DELETED
        assert states == {"2035550001": State.HEARD, "2035550003": State.NEW}

    def test_a_name_that_is_a_path_leads_nowhere(self, server: VoiceMailServer, store: VoiceStore) -> None:
        """A mailbox's number comes from outside; it names no place but that mailbox's own."""
        server.leave(MAILBOX, Call("2035550001"))
        server.leave(OTHER, Call("2035550002"))
        paths = (f"./{MAILBOX}", f"{MAILBOX}/", f"{OTHER}/../{MAILBOX}", "../../etc", "/etc", "..", "", "1\0")
        for name in paths:
            with _refused():
                assert store.listing(name).messages == ()

    # Recordings

    def test_the_recording_is_the_messages_own(self, server: VoiceMailServer, store: VoiceStore) -> None:
        """Also after it moved, and under the path that was given out before."""
        calls = [Call("2035550001"), Call("2035550002")]
        for call in calls:
            server.leave(MAILBOX, call)
        paths = {call: store.content(_one(store, call.number)) for call in calls}
        server.hear(_one(store, "2035550001"))
        for call, path in paths.items():
            assert self.same_sound(path.read_bytes(), call.recording)
            now = store.content(_one(store, call.number))
            assert self.same_sound(now.read_bytes(), call.recording)

    def test_sweeping_takes_nothing_that_is_needed(self, server: VoiceMailServer, store: VoiceStore) -> None:
        """Neither what is there nor what can be restored."""
        calls = [Call("2035550001"), Call("2035550002")]
        for call in calls:
            server.leave(MAILBOX, call)
        assert store.change(_one(store, "2035550002"), State.DELETED)
        store.sweep()
        for call in calls:
            assert self.same_sound(store.content(_one(store, call.number)).read_bytes(), call.recording)

    # Changes

    def test_heard_and_new_are_set_and_stay(self, server: VoiceMailServer, store: VoiceStore) -> None:
        """What the mail program does, another process sees; an urgent message stays urgent."""
        server.leave(MAILBOX, Call("2035550117", urgent=True))
        for wanted in (State.HEARD, State.NEW, State.HEARD):
            assert store.change(_one(store), wanted)
            message = _one(_opened(server))
            assert (message.state, message.urgent) == (wanted, True)

    def test_a_message_that_has_moved_on_is_not_changed(
        self, server: VoiceMailServer, store: VoiceStore
    ) -> None:
        """Compare and set: a change holds only for the state that was observed."""
        server.leave(MAILBOX, Call("2035550117"))
        observed = _one(store)
        server.hear(observed)
        assert not store.change(observed, State.DELETED)
        assert _one(store).state is State.HEARD

    def test_a_message_that_is_gone_is_not_changed(self, server: VoiceMailServer, store: VoiceStore) -> None:
        """And no other is in its place."""
        for number in ("2035550001", "2035550002"):
            server.leave(MAILBOX, Call(number))
        observed = _one(store, "2035550001")
        server.delete(observed)
        assert not store.change(observed, State.HEARD)
        assert _one(store, "2035550002").state is State.NEW

    def test_of_many_who_change_one_message_one_succeeds(
        self, server: VoiceMailServer, store: VoiceStore
    ) -> None:
        """Threads and processes at once: one of them is told that it was he."""
        server.leave(MAILBOX, Call("2035550117"))
        observed = _one(store)
        stores = [store, store, _opened(server), _opened(server)]
        done: list[bool] = []
        threads = [
            threading.Thread(target=lambda s=s: done.append(s.change(observed, State.HEARD))) for s in stores
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(done) == [False, False, False, True]
        assert _one(store).state is State.HEARD

    # Deletes

    @pytest.mark.parametrize("before", [State.NEW, State.HEARD])
    def test_a_delete_is_undone(self, server: VoiceMailServer, store: VoiceStore, before: State) -> None:
        """Under the same token and with the same recording, as what it was or as the other."""
        call = Call("2035550117")
        server.leave(MAILBOX, call)
        if before is State.HEARD:
            assert store.change(_one(store), State.HEARD)
        token = _one(store).token
        for back in (State.NEW, State.HEARD, before):
            was = _one(store).state
            assert store.change(_one(store), State.DELETED)
            deleted = _one(_opened(server))
            assert (deleted.state, deleted.token, deleted.content) == (State.DELETED, token, True)
            assert deleted.deleted_at is not None
            assert deleted.deleted_at.tzinfo is not None
            assert store.restored_state(deleted) is was
            assert store.change(deleted, back)
            assert (_one(store).state, _one(store).token) == (back, token)
        assert self.same_sound(store.content(_one(store)).read_bytes(), call.recording)

    def test_only_what_is_deleted_is_given_up(self, server: VoiceMailServer, store: VoiceStore) -> None:
        """Purging is for good; it does not touch what is there, or came back meanwhile."""
        server.leave(MAILBOX, Call("2035550117"))
        live = _one(store)
        assert not store.purge(live)
        assert store.change(live, State.DELETED)
        deleted = _one(store)
        assert store.change(deleted, State.NEW)
        assert not store.purge(deleted)
        assert _one(store).state is State.NEW
        assert store.change(_one(store), State.DELETED)
        assert store.purge(_one(store))
        assert not any(m.content for m in _listed(store))

    # Proof

    def test_a_store_that_is_not_there_proves_nothing(
        self, server: VoiceMailServer, store: VoiceStore
    ) -> None:
        """What is not mounted looks like a mailbox that was emptied; what it says it changed, it changed."""
        server.leave(MAILBOX, Call("2035550117"))
        for one in (store, None):
            message, changed = _one(store), False
            server.unmount()
            with _refused():
                other = one or _opened(server)
                assert not other.listing(MAILBOX).proven
                changed = other.change(message, State.HEARD)
            server.mount()
            assert _one(store).state is (State.HEARD if changed else message.state)
            assert _one(_opened(server)).token == message.token

    # Messages found in the account

    @pytest.mark.parametrize("state", [State.NEW, State.HEARD])
    def test_a_message_found_in_the_account_is_taken_in_once(
        self, server: VoiceMailServer, store: VoiceStore, state: State
    ) -> None:
        """Under the token that it carries there, whoever asks for it how often."""
        call, token = Call("2035550117"), token_of("ab" * 16)
        found = _found(call, token, state)
        for one in (store, store, _opened(server)):
            assert one.adopt(found, call.recording).token == token
        message = _one(_opened(server))
        assert (message.token, message.state, message.caller_number) == (token, state, call.number)
        assert self.same_sound(store.content(message).read_bytes(), call.recording)
        assert store.change(message, State.DELETED)

    # The rest

    def test_preparing_again_and_counting_again_change_nothing(
        self, server: VoiceMailServer, store: VoiceStore
    ) -> None:
        """Both are done whenever a process begins or a lamp is to be switched."""
        server.leave(MAILBOX, Call("2035550117"))
        message = _one(store)
        store.prepare()
        with _refused():
            store.refresh(MAILBOX)
        assert _one(store) == message


def _opened(server: VoiceMailServer) -> VoiceStore:
    store = server.store()
    store.prepare()
    return store


def _listed(store: VoiceStore, mailbox: str = MAILBOX) -> list[LocalMessage]:
    listing = store.listing(mailbox)
    assert listing.proven, "the store does not prove itself, and nobody else is at work in it"
    return list(listing.messages)


def _one(store: VoiceStore, number: str = "2035550117") -> LocalMessage:
    (message,) = (m for m in _listed(store) if m.caller_number == number)
    return message


def _tokens(store: VoiceStore) -> Mapping[str, Token]:
    return {m.caller_number: m.token for m in _listed(store)}


def _found(call: Call, token: Token, state: State) -> LocalMessage:
    return LocalMessage(
        ref="",
        token=token,
        mailbox=MAILBOX,
        kind=Kind.VOICE,
        state=state,
        received=call.received,
        caller_number=call.number,
        caller_name=call.name,
        duration=0.1,
        media_type="audio/wav",
    )


@contextmanager
def _refused() -> Iterator[None]:
    """Refusing with an error that says why is as good as answering no."""
    try:
        yield
    except SyncError as error:
        assert str(error)
