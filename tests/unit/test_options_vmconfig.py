"""The manual's Misc Setup table as it is printed, pasted or exported."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.options.keys import keys_of
from syncengine.options.schema import System, VmRow
from syncengine.options.vmconfig import MANUAL_ROWS, MEANINGS, canonical, meaning_of, parse_table

# Page 7 as it comes out of the printed manual, misprints included.
PRINTED = """Option\tValue\tIgnore
MaxTraceFileSize\t100000\t
NSLTraceModeOn\t0\t
NSL_InSkinType\t0\t
TraceLevelOverride\tFalse\t
g_bAllowNSL\tFalse\t
g_bEnableSendMsgAsAttachment\tTrue\t
g_blmap4SyncPendingTimer\t20\t
g_bUseAmis\tTrue\t
g_bUseDesktopMessaging\tTrue\t
g_bUseEmailIntegration\tTrue\t
g_bUseTTS\tFalse\t
g_nNetServiceNumber\t2000\t
g_nRepeatStartUpPeriod\t5\t
g szEmailDIIPath\t/usr/local/vm/lib/libsmtpimap4.so\t
"""


def spaced(text: str) -> str:
    return "\n".join("   ".join(line.split("\t")) for line in text.splitlines())


def barred(text: str) -> str:
    head, *rows = ["| " + line.replace("\t", " | ") + " |" for line in text.splitlines()]
    return "\n".join([head, "|---|---|---|", *rows])


@pytest.mark.parametrize(
    "text",
    [
        PRINTED,
        spaced(PRINTED),
        PRINTED.replace("\t", " "),
        PRINTED.replace("\t", ","),
        PRINTED.replace("\t", ";").replace("\n", "\r\n"),
        barred(PRINTED),
        "\ufeff" + PRINTED.replace("\t\n", "\t0\n"),
    ],
    ids=["tabs", "spaces", "one space", "csv", "semicolons", "bars", "digits"],
)
def test_the_printed_table_is_read_whole(text):
    table = parse_table(text)
    assert table.problems == ()
    assert list(table.unknown) == []
    assert {used.name for used in table.used} == set(MEANINGS)
    assert set(table.kept) == set(MANUAL_ROWS) - set(MEANINGS)
    assert {name: row.value for name, row in table.rows.items()} == dict(MANUAL_ROWS)
    assert {row.ignore for row in table.rows.values()} == {0}


def test_the_manuals_values_are_the_built_in_defaults():
    for name, meaning in MEANINGS.items():
        key = keys_of(System)[meaning.key]
        shown = str(meaning.to_system(MANUAL_ROWS[name])).lower()
        assert shown == key.default_text.strip('"'), name
        assert meaning.to_row(meaning.to_system(MANUAL_ROWS[name])) == MANUAL_ROWS[name]


@pytest.mark.parametrize(
    ("misprint", "name"),
    [
        ("g_szEmailDIIPath", "g_szEmailDllPath"),
        ("g szEmailDIIPath", "g_szEmailDllPath"),
        ("g_blmap4SyncPendingTimer", "g_bImap4SyncPendingTimer"),
        ("G_BUSETTS", "g_bUseTTS"),
        ("NSL InSkinType", "NSL_InSkinType"),
        ("something", "something"),
    ],
)
def test_misprinted_names_are_known(misprint, name):
    assert canonical(misprint) == name


@pytest.mark.parametrize(
    ("value", "protocol"),
    [
        ("/usr/local/vm/lib/libsmtppop3.so", "pop3"),
        ("r/local/vm/lib/libsmtppop3.sc", "pop3"),
        ("/usr/local/vm/lib/libsmtpimap4.so", "imap4"),
        ("LIBSMTPIMAP4.SO", "imap4"),
    ],
)
def test_the_module_path_names_the_protocol(value, protocol):
    (used,) = parse_table(f"g_szEmailDIIPath\t{value}\t0").used
    meaning = meaning_of(used.name)
    assert meaning is not None
    assert (used.key, meaning.to_system(used.row.value)) == ("protocol", protocol)
    assert used.row.value == f"/usr/local/vm/lib/libsmtp{protocol}.so"


@pytest.mark.parametrize(
    ("text", "value"), [("True", True), ("true", True), ("1", True), ("0", False), ("False", False)]
)
def test_a_switch_is_given_as_digit_or_word(text, value):
    (used,) = parse_table(f"g_bUseTTS {text} 0").used
    assert used.row == VmRow(value, 0)


def test_the_ignore_digit_is_kept_with_the_value():
    table = parse_table("g_bImap4SyncPendingTimer\t45\t1\ng_bUseAmis\tTrue\t1\n")
    assert table.used[0].row == VmRow(45, 1)
    assert table.kept["g_bUseAmis"] == VmRow(True, 1)


def test_rows_that_the_manual_does_not_have_are_kept_and_said():
    table = parse_table("g_nOwn\t3\t0\nName with spaces\tsome text\t1")
    assert dict(table.unknown) == {"g_nOwn": VmRow(3), "Name with spaces": VmRow("some text", 1)}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("g_bUseTTS\tperhaps\t0", "g_bUseTTS: allowed is True, False, 1 or 0"),
        ("g_bImap4SyncPendingTimer\t-1\t0", "g_bImap4SyncPendingTimer: allowed is a whole number"),
        ("g_szEmailDllPath\t/bin/sh\t0", "allowed is a path that names"),
        ("g_szEmailDllPath\timap4pop3\t0", "allowed is a path that names"),
        ("g_bUseAmis\tTrue\t2", "the Ignore digit is 0 or 1"),
        ("g_bUseAmis\t\t", "a name, a value and an Ignore digit are expected"),
        ("a\tb\t0\tc", "a name, a value and an Ignore digit are expected"),
        ("[vmconfig]\tx\t0", "this is no row"),
        (f"a\t{'x' * 1001}\t0", "too long"),
        ("a\tx\x07\t0", "control characters"),
    ],
)
def test_a_line_that_cannot_be_taken_is_said_with_its_number(line, said):
    table = parse_table(f"MaxTraceFileSize\t1\t0\n{line}\n")
    assert len(table.used) == 1
    (problem,) = table.problems
    assert problem.startswith("line 2: ")
    assert said in problem


def test_a_table_without_end_is_refused():
    assert "longer" in parse_table("x" * 1_000_001).problems[0]
    assert "more than 2000 rows" in parse_table("\n".join(f"a{n}\t1\t0" for n in range(3000))).problems[-1]


@given(st.text(alphabet="gGbISLl1_ \t,;|\"'\n\r0123x\x00\u2028é", max_size=200))
def test_no_text_makes_the_import_fail(text):
    table = parse_table(text)
    assert all("\n" not in problem for problem in table.problems)
    assert all(row.ignore in {0, 1} for row in table.rows.values())
