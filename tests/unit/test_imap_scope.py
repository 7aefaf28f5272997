"""What a folder means to a mailbox, by its attributes, its name, its parents and the sync mode."""

from __future__ import annotations

import pytest

from syncengine.imap.scope import roles, trash_folder, voice_folder
from syncengine.model import Folder, Role


def folder(name: str, *attributes: str, delimiter: str = "/", subscribed: bool = True) -> Folder:
    return Folder(name, delimiter, frozenset(attributes), subscribed)


def test_the_attribute_decides_before_the_name_and_in_any_case() -> None:
    found = roles(
        [folder("Sent", "\\trash"), folder("Ablage", "\\sent"), folder("Alles", "\\all")], "all-folders"
    )
    assert found == {"Sent": Role.TRASH, "Ablage": Role.SENT, "Alles": Role.ALL}


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Papierkorb", Role.TRASH),
        ("Gelöschte Elemente", Role.TRASH),
        ("INBOX/Trash", Role.TRASH),
        ("Corbeille", Role.TRASH),
        ("SPAM", Role.JUNK),
        ("Entwürfe", Role.DRAFTS),
        ("Envoyés", Role.SENT),
        ("Корзина", Role.TRASH),
    ],
)
def test_the_usual_names_count_in_several_languages(name: str, role: Role) -> None:
    assert roles([folder(name)], "all-folders") == {name: role}


def test_everything_below_trash_is_trash_even_where_a_level_is_not_listed() -> None:
    listed = [folder("Deleted Items", "\\trash"), folder("Deleted Items/Old"), folder("Deleted Items/a/b")]
    assert set(roles(listed, "all-folders").values()) == {Role.TRASH}


def test_somebodys_own_folder_called_sent_below_another_is_ordinary() -> None:
    assert roles([folder("Work"), folder("Work/Sent")], "all-folders")["Work/Sent"] is Role.LIVE


def test_gmails_trash_lies_below_what_holds_no_messages() -> None:
    listed = [folder("[Gmail]", "\\noselect"), folder("[Gmail]/Trash"), folder("[Gmail]/All Mail", "\\all")]
    assert roles(listed, "all-folders") == {"[Gmail]/Trash": Role.TRASH, "[Gmail]/All Mail": Role.ALL}


def test_all_folders_means_the_subscribed_ones_and_inbox_and_the_voice_folder_always() -> None:
    listed = [
        folder("INBOX", subscribed=False),
        folder("Voice Mail Messages", subscribed=False),
        folder("Work"),
        folder("Other", subscribed=False),
    ]
    assert roles(listed, "all-folders") == {
        "INBOX": Role.LIVE,
        "Voice Mail Messages": Role.LIVE,
        "Work": Role.LIVE,
        "Other": Role.OUTSIDE,
    }
    assert roles(listed, "all-folders", listed_only_subscribed=False)["Other"] is Role.LIVE


@pytest.mark.parametrize(
    ("mode", "live"),
    [
        ("inbox", {"INBOX"}),
        ("voice-mail-folder", {"INBOX", "voice mail messages"}),
        ("none", set()),
    ],
)
def test_each_narrower_mode_has_its_live_folders_and_keeps_trash(mode: str, live: set[str]) -> None:
    listed = [folder("INBOX"), folder("voice mail messages"), folder("Work"), folder("Trash", "\\trash")]
    found = roles(listed, mode)
    assert {name for name, role in found.items() if role is Role.LIVE} == live
    assert found["Trash"] is Role.TRASH


def test_inbox_is_never_taken_for_anything_else() -> None:
    assert roles([folder("INBOX", "\\junk")], "all-folders") == {"INBOX": Role.LIVE}


@pytest.mark.parametrize("name", ["Voice Mail Messages", "voice mail MESSAGES", "INBOX.Voice Mail Messages"])
def test_the_voice_folder_is_found_in_any_case_and_under_the_prefix(name: str) -> None:
    found = voice_folder([folder("INBOX", delimiter="."), folder(name, delimiter=".")])
    assert found is not None
    assert found.name == name


def test_a_voice_folder_in_trash_or_deep_below_is_not_it() -> None:
    listed = [
        folder("Trash"),
        folder("Trash/Voice Mail Messages"),
        folder("Work"),
        folder("Work/Voice Mail Messages"),
    ]
    assert voice_folder(listed) is None


def test_trash_is_the_marked_one_else_the_most_usual_name_else_none() -> None:
    marked = [folder("Trash"), folder("Weg", "\\trash")]
    assert trash_folder(marked) == marked[1]
    named = [folder("Papierkorb"), folder("Trash")]
    assert trash_folder(named) == named[1]
    assert trash_folder([folder("INBOX"), folder("Trash", "\\noselect")]) is None
