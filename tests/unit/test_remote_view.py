"""What counts as live, read, deleted or unknown in the account."""

from __future__ import annotations

import pytest

from syncengine.model import Evidence, Place, RemoteState, Role, Sighting, State, Token, Uid, UidValidity
from syncengine.rules.compare import Memory, Trash, Where, remote_view

TOKEN = Token("vm-" + "0" * 32 + "-z")


def sighting(role: Role, uid: int = 1, *, folder: str | None = None, **flags) -> Sighting:
    flags = {"seen": False, "deleted": False, "base_seen": False} | flags
    return Sighting(TOKEN, Place(folder or role.value, UidValidity(1), Uid(uid)), role, **flags)


def memory(base: State | None = State.NEW, **more) -> Memory:
    return Memory(TOKEN, base, **({"sighted": True} | more))


def test_a_message_that_is_nowhere_is_unknown_and_missing():
    view = remote_view(memory(), [])

    assert (view.state, view.missing, view.evidence) == (RemoteState.UNKNOWN, True, None)


def test_a_message_that_a_sound_look_did_not_find_is_deleted_by_inference():
    view = remote_view(memory(absent=True), [])

    assert (view.state, view.evidence) == (RemoteState.DELETED, Evidence.INFERRED)


@pytest.mark.parametrize("more", [{"linked": False}, {"sighted": False}])
def test_disappearance_is_no_evidence_where_it_was_not_live_in_scope(more):
    assert remote_view(memory(absent=True, **more), []).state is RemoteState.UNKNOWN


def test_a_message_only_in_trash_is_deleted_by_an_act():
    view = remote_view(memory(), [sighting(Role.TRASH)])

    assert (view.state, view.evidence, view.trash) == (RemoteState.DELETED, Evidence.ACT, Trash.HERE)


def test_a_first_sighting_in_trash_counts_only_when_it_is_read():
    unread = remote_view(memory(sighted=False), [sighting(Role.TRASH)])
    read = remote_view(memory(sighted=False), [sighting(Role.TRASH, seen=True)])

    assert (unread.state, read.state) == (RemoteState.UNKNOWN, RemoteState.DELETED)


def test_the_deleted_flag_counts_only_when_every_live_copy_carries_it():
    one = [sighting(Role.LIVE, 1, deleted=True), sighting(Role.LIVE, 2)]
    both = [sighting(Role.LIVE, 1, deleted=True), sighting(Role.LIVE, 2, deleted=True)]

    assert remote_view(memory(), one).state is RemoteState.UNSEEN
    assert remote_view(memory(), both).evidence is Evidence.ACT


def test_a_copy_in_sent_or_drafts_is_no_sighting():
    born_read = [sighting(Role.SENT, seen=True), sighting(Role.DRAFTS, seen=True)]

    assert remote_view(memory(), born_read).state is RemoteState.UNKNOWN
    assert remote_view(memory(), [*born_read, sighting(Role.TRASH)]).state is RemoteState.DELETED


def test_filed_in_all_mail_is_alive_unless_it_is_in_trash():
    filed = remote_view(memory(), [sighting(Role.ALL)])
    thrown = remote_view(memory(), [sighting(Role.ALL), sighting(Role.TRASH)])

    assert (filed.state, thrown.state) == (RemoteState.UNSEEN, RemoteState.DELETED)


def test_junk_is_no_delete_and_its_flags_count_for_nothing():
    view = remote_view(memory(), [sighting(Role.JUNK, seen=True)])

    assert (view.state, view.where) == (RemoteState.UNSEEN, Where.JUNK)


def test_outside_the_scope_the_read_mark_counts_and_the_deleted_flag_does_not():
    view = remote_view(memory(), [sighting(Role.OUTSIDE, seen=True, deleted=True)])

    assert (view.state, view.where) == (RemoteState.SEEN, Where.OUT_OF_SCOPE)


def test_the_first_flags_of_a_further_copy_are_no_change():
    copies = [sighting(Role.LIVE, 1), sighting(Role.LIVE, 2, seen=True, base_seen=None)]

    assert remote_view(memory(), copies).state is RemoteState.UNSEEN


def test_a_change_on_any_copy_counts():
    copies = [sighting(Role.LIVE, 1), sighting(Role.LIVE, 2, seen=True)]

    assert remote_view(memory(), copies).state is RemoteState.SEEN


def test_a_flag_that_contradicts_our_own_store_is_not_believed_at_once():
    copies = [sighting(Role.LIVE, seen=False, base_seen=True, doubtful=True)]

    assert remote_view(memory(State.HEARD), copies).state is RemoteState.SEEN


def test_after_a_delete_a_copy_outside_the_scope_is_not_the_message_come_back():
    view = remote_view(memory(State.DELETED, trashed=True), [sighting(Role.OUTSIDE)])

    assert view.state is RemoteState.DELETED


@pytest.mark.parametrize(
    ("more", "base_seen", "where"),
    [
        ({"trashed": True}, None, Where.OUT_OF_SCOPE),
        ({"trashed": True}, False, Where.NOWHERE),
        ({}, None, Where.NOWHERE),
        ({"local": State.NEW}, False, Where.OUT_OF_SCOPE),
        ({"local": State.DELETED}, False, Where.NOWHERE),
    ],
)
def test_after_a_delete_a_message_is_back_out_of_trash_or_by_the_phone(more, base_seen, where):
    view = remote_view(memory(State.DELETED, **more), [sighting(Role.OUTSIDE, base_seen=base_seen)])

    assert view.where is where


def test_restored_at_the_phone_in_junk_agrees_with_the_phone():
    view = remote_view(memory(State.DELETED, local=State.HEARD), [sighting(Role.JUNK)])

    assert (view.state, view.where) == (RemoteState.SEEN, Where.JUNK)
