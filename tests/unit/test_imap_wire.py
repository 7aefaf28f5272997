"""The IMAP layer that knows no network: bytes in, values out, and never a crash."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.imap.bulk import fetches
from syncengine.imap.commands import Command, Untagged, command, login_command
from syncengine.imap.errors import WireError
from syncengine.imap.failures import pause, scrubbed
from syncengine.imap.names import Names, quoted
from syncengine.imap.observe import believable
from syncengine.imap.responses import (
    Condition,
    Exists,
    Expunged,
    Fetch,
    Listed,
    SearchResult,
    StatusData,
    Vanished,
)
from syncengine.imap.store import internal_date
from syncengine.imap.tokens import tokenize
from syncengine.imap.uidset import LARGEST_UID, UidSet, chunks, in_order
from syncengine.imap.wire import appended, completion, copied, parse

UIDS = st.sets(st.integers(1, LARGEST_UID), max_size=60)


# FETCH


def test_fetch_without_a_uid_is_dropped_since_its_number_is_no_uid() -> None:
    assert parse([b"* 5 FETCH (FLAGS (\\Deleted))"]) is None
    assert parse([b"* 5 FETCH (FLAGS (\\Deleted) MODSEQ (7))"]) is None


@pytest.mark.parametrize(
    "line",
    [
        b"* 9 FETCH (UID 5 FLAGS (\\Seen kw) MODSEQ (12))",
        b"* 9 FETCH (FLAGS (\\Seen kw) UID 5 MODSEQ (12))",
        b"* 9 fetch (modseq (12) uid 5 flags (\\seen kw))",
        b'*  9  FETCH  (UID 5  FLAGS ( \\SEEN kw )  MODSEQ (12) X-GM-LABELS (\\Inbox "a b"))',
    ],
)
def test_fetch_is_read_in_any_order_case_and_spacing(line: bytes) -> None:
    assert parse([line]) == Fetch(5, frozenset({"\\Seen", "kw"}), 12)


def test_recent_is_no_flag_of_the_message() -> None:
    assert parse([b"* 1 FETCH (UID 5 FLAGS (\\Recent))"]) == Fetch(5, frozenset())


@pytest.mark.parametrize("keyword", ["50%", "123", "NIL", "a]b", "[x", "$Junk", "{3}"])
def test_odd_keywords_stay_what_they_are(keyword: str) -> None:
    assert parse([b"* 1 FETCH (UID 5 FLAGS (%s \\Seen))" % keyword.encode()]) == Fetch(
        5, frozenset({keyword, "\\Seen"})
    )


@pytest.mark.parametrize("before", [True, False])
def test_a_header_literal_is_read_whatever_stands_around_it(before: bool) -> None:
    head = b"* 1 FETCH (UID 5 FLAGS (\\Seen) " if before else b"* 1 FETCH ("
    tail = b")" if before else b" UID 5 FLAGS (\\Seen))"
    parts = [head + b'BODY[HEADER.FIELDS (FROM "X-A")] {6}', b"a: b\r\n", tail]
    assert parse(parts) == Fetch(5, frozenset({"\\Seen"}), None, {"HEADER.FIELDS": b"a: b\r\n"})


def test_a_body_may_be_nil_or_quoted_or_a_literal8() -> None:
    assert parse([b"* 1 FETCH (UID 5 BODY[] NIL)"]) == Fetch(5, sections={"": None})
    assert parse([b'* 1 FETCH (UID 5 BODY[]<0> "a\\"b")']) == Fetch(5, sections={"": b'a"b'})
    assert parse([b"* 1 FETCH (UID 5 BODY[] ~{3}", b"\0\r\n", b")"]) == Fetch(5, sections={"": b"\0\r\n"})


def test_a_store_answer_with_modseq_alone_is_no_flag_report() -> None:
    assert parse([b"* 1 FETCH (UID 5 MODSEQ (7))"]) == Fetch(5, None, 7)


@pytest.mark.parametrize(
    "line",
    [
        b"* 1 FETCH (UID 0 FLAGS ())",
        b"* 1 FETCH (UID 4294967296 FLAGS ())",
        b"* 1 FETCH (UID 5 FLAGS () MODSEQ (9223372036854775808))",
        b"* 1 FETCH (UID 5 FLAGS",
        b"* 1 FETCH (UID 5 FLAGS))",
        b'* 1 FETCH (UID 5 FLAGS "x)',
        b"* 1 FETCH " + b"(" * 1000,
        b"* 1 FETCH",
        b"garbage",
    ],
)
def test_what_cannot_be_read_is_refused_as_a_whole(line: bytes) -> None:
    with pytest.raises(WireError):
        parse([line])


# what may come inside any command


def test_vanished_is_read_with_and_without_earlier() -> None:
    assert parse([b"* VANISHED 5:7,9"]) == Vanished(UidSet(((5, 7), (9, 9))), earlier=False)
    assert parse([b"* VANISHED (EARLIER) 41,43:116"]) == Vanished(UidSet(((41, 41), (43, 116))), earlier=True)


def test_a_vanished_of_every_uid_there_is_costs_no_memory() -> None:
    vanished = parse([b"* VANISHED (EARLIER) 1:4294967295"])
    assert isinstance(vanished, Vanished)
    assert vanished.uids.among([7, 8]) == [7, 8]
    assert len(vanished.uids.ranges) == 1
    with pytest.raises(WireError):
        vanished.uids.members(limit=1000)


def test_everything_untagged_lands_in_one_place_and_counts_against_exists() -> None:
    untagged = Untagged()
    for line in (
        b"* 10 EXISTS",
        b"* 3 EXPUNGE",
        b"* VANISHED 4:5",
        b"* VANISHED (EARLIER) 1:3",
        b"* 1 RECENT",
    ):
        untagged.take(parse([line]))
    assert untagged.exists == 7
    assert (untagged.expunged, len(untagged.vanished), len(untagged.earlier)) == (1, 1, 1)


def test_what_came_before_closed_is_about_the_folder_that_was_left() -> None:
    untagged = Untagged()
    for line in (b"* VANISHED 4:5", b"* 1 FETCH (UID 9 FLAGS ())", b"* OK [CLOSED] bye", b"* 2 EXISTS"):
        untagged.take(parse([line]))
    assert (untagged.vanished, untagged.fetches, untagged.exists) == ([], [], 2)


def test_without_qresync_what_came_before_select_was_done_is_about_the_folder_that_was_left() -> None:
    untagged = Untagged()
    for line in (b"* 1 FETCH (UID 9 FLAGS ())", b"* 1 EXPUNGE", b"* 2 EXISTS", b"* OK [UIDVALIDITY 7]"):
        untagged.take(parse([line]))
    untagged.completed_select(forget=True)
    untagged.take(parse([b"* OK [HIGHESTMODSEQ 99] later"]))
    assert (untagged.fetches, untagged.expunged, untagged.opened_exists) == ([], 0, 2)
    assert untagged.opened == {"UIDVALIDITY": b"7"}


def test_numbers_that_mean_nothing_here_are_passed_over() -> None:
    assert parse([b"* 3 RECENT"]) is None
    assert parse([b"* XPIGSBECOMEHOGS 5"]) is None
    assert parse([b"* 3 EXISTS"]) == Exists(3)
    assert parse([b"* 3 expunge"]) == Expunged()


# SEARCH, ESEARCH, LIST, STATUS


def test_search_may_come_in_several_lines_with_modseq_and_empty() -> None:
    assert parse([b"* SEARCH 2 4 3 (MODSEQ 917162500)"]) == SearchResult(UidSet(((2, 4),)))
    assert parse([b"* SEARCH"]) == SearchResult(UidSet())
    assert parse([b"* SEARCH "]) == SearchResult(UidSet())


def test_esearch_is_read_and_an_empty_one_names_nothing() -> None:
    assert parse([b'* ESEARCH (TAG "v9") UID COUNT 3 ALL 1:3']) == SearchResult(UidSet(((1, 3),)), b"v9")
    assert parse([b'* ESEARCH (TAG "v9") UID']) == SearchResult(UidSet(), b"v9")


def test_list_survives_extended_data_literals_and_a_missing_delimiter() -> None:
    line = b'* LIST (\\HasChildren \\SENT) "/" "Gesendet" ("CHILDINFO" ("SUBSCRIBED") "OLDNAME" ("x"))'
    assert parse([line]) == Listed(b"Gesendet", "/", frozenset({"\\haschildren", "\\sent"}), lsub=False)
    assert parse([b"* LSUB () NIL {5}", b'a"b\\c', b""]) == Listed(b'a"b\\c', None, frozenset(), lsub=True)


def test_status_takes_the_numbers_and_leaves_the_rest() -> None:
    line = b"* STATUS INBOX (messages 3 UIDNEXT 4 MAILBOXID (x) HIGHESTMODSEQ 7)"
    assert parse([line]) == StatusData(b"INBOX", {"MESSAGES": 3, "UIDNEXT": 4, "HIGHESTMODSEQ": 7})


# completions and response codes


def test_completions_may_lack_a_text_and_be_in_lower_case() -> None:
    assert completion(b"a1 OK") == Condition("OK", tag=b"a1")
    assert completion(b"a1 no [TRYCREATE] no such") == Condition("NO", "TRYCREATE", b"", "no such", b"a1")
    assert completion(b"* OK") is None
    assert completion(b"a1 MAYBE") is None


def test_an_error_text_is_one_printable_line() -> None:
    done = completion(b"a1 NO bad\x1b[31m\x07 thing " + b"x" * 500)
    assert done is not None
    assert "\x1b" not in done.text
    assert len(done.text) <= 200


def test_copyuid_of_greenmail_with_its_first_uid_doubled() -> None:
    assert copied(b"7 1,1:3 1,1:3") == (7, {1: 1, 2: 2, 3: 3})
    assert copied(b"7  ") == (7, {})


def test_copyuid_is_paired_by_position_not_by_size() -> None:
    assert copied(b"7 304,319:320 3956:3958") == (7, {304: 3956, 319: 3957, 320: 3958})
    assert copied(b"7 320,304 1:2") == (7, {320: 1, 304: 2})
    assert copied(b"7 1:3 1:2") == (7, {})


def test_a_copyuid_of_four_billion_is_refused() -> None:
    with pytest.raises(WireError):
        copied(b"7 1:4294967295 1:4294967295")


def test_appenduid_of_several_messages_names_none() -> None:
    assert appended(b"38505 3955") == (38505, 3955)
    assert appended(b"38505 3955:3957") is None
    assert appended(b"") is None


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (b"a NO [UNAVAILABLE] try later", 60.0),
        (b"a NO [INUSE] locked", 30.0),
        (b"a BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds", 299.961),
        (b"a NO Suggested Backoff Time: 99999999999 milliseconds", 86_400.0),
        (b"a NO [NONEXISTENT] no", None),
    ],
)
def test_requests_to_come_back_later_are_understood(line: bytes, seconds: float | None) -> None:
    done = completion(line)
    assert done is not None
    assert pause(done) == seconds


def test_secrets_do_not_stand_in_errors() -> None:
    assert scrubbed("BAD LOGIN a hunter2", ("hunter2", "")) == "BAD LOGIN a ***"


# names and commands


@pytest.mark.parametrize(
    "raw", [b"a&XX-b", b"a&", b"&AAAA", b"caf\xc3\xa9", b"\xff\xfe", b"Entw&APw-rfe", b"a&-b"]
)
def test_every_name_goes_back_to_the_server_as_it_came(raw: bytes) -> None:
    names = Names()
    assert names.wire(names.learn(raw)) == quoted(raw)


def test_two_spellings_of_one_name_stay_two_folders() -> None:
    names = Names()
    modern, old = names.learn(b"caf\xc3\xa9"), names.learn(b"caf&AOk-")
    assert modern != old
    assert (names.wire(modern), names.wire(old)) == (b'"caf\xc3\xa9"', b'"caf&AOk-"')


def test_inbox_is_inbox_in_any_case() -> None:
    assert Names().learn(b"Inbox") == "INBOX"


@given(st.text(max_size=40))
def test_a_name_is_either_sent_on_one_line_or_refused(name: str) -> None:
    try:
        wire = Names().wire(name)
    except WireError:
        return
    assert not set(wire) & set(b"\r\n\0")


@given(st.binary(max_size=40))
def test_any_bytes_as_a_name_have_a_readable_form_that_leads_back(raw: bytes) -> None:
    names = Names()
    name = names.learn(raw)
    name.encode("utf-8")
    if raw.upper() != b"INBOX" and not set(raw) & set(b"\r\n\0"):
        assert names.wire(name) == quoted(raw)


@pytest.mark.parametrize("bad", [b"a\r\nb LOGOUT", b"a\nb", b"a\0"])
def test_no_command_holds_a_line_break(bad: bytes) -> None:
    with pytest.raises(WireError):
        command(b"SELECT " + bad)
    with pytest.raises(WireError):
        quoted(bad)


def test_a_password_with_umlauts_travels_as_a_literal() -> None:
    assert login_command("a b", "pässwörd").parts == (b'LOGIN "a b" ', "pässwörd".encode(), b"")
    assert login_command("a", 'p"\\w') == Command((b'LOGIN "a" "p\\"\\\\w"',), secret=True)


def test_internal_dates_do_not_depend_on_the_locale() -> None:
    from datetime import datetime, timedelta, timezone

    zone = timezone(-timedelta(hours=3, minutes=30))
    assert internal_date(datetime(2026, 3, 5, 7, 8, 9, tzinfo=zone)) == b'"05-Mar-2026 07:08:09 -0330"'
    with pytest.raises(ValueError, match="zone"):
        internal_date(datetime(2026, 3, 5, 7, 8, 9))


# a VANISHED that cannot be


def test_a_vanished_that_leaves_fewer_uids_than_messages_is_not_believed() -> None:
    everything = UidSet(((1, 26183),))
    assert not believable(everything, uidnext=26184, exists=5393)
    assert believable(everything, uidnext=26184, exists=0)
    assert believable(UidSet(((1, 5),)), uidnext=11, exists=5)
    assert not believable(UidSet(((1, 6),)), uidnext=11, exists=5)
    assert not believable(UidSet(((1, 1),)), uidnext=None, exists=5)
    assert believable(UidSet(), uidnext=None, exists=5)


# round trips and fuzz


@pytest.mark.parametrize(
    "bad", [b"1:3,7,300:" + b"1" * 60 + b"NIL", b"1" * 100_000, b"1," * 50_000 + b"x", b"1:30:3", b"1 2"]
)
def test_what_is_no_set_is_refused_at_once(bad: bytes) -> None:
    """With two ways to read the same digits, sixty of them took a regular expression years."""
    with pytest.raises(WireError):
        UidSet.parse(bad)
    with pytest.raises(WireError):
        in_order(bad, limit=200_000)


@given(UIDS)
def test_a_set_written_and_read_again_is_the_same_set(uids: set[int]) -> None:
    made = UidSet.of(uids)
    assert UidSet.parse(str(made).encode()) == made
    assert made.members(limit=100) == sorted(uids)
    assert len(made) == len(uids)
    assert all(uid in made for uid in uids)


@given(UIDS, st.integers(1, LARGEST_UID))
def test_counting_below_a_limit_counts_members(uids: set[int], limit: int) -> None:
    assert UidSet.of(uids).count_below(limit) == sum(uid < limit for uid in uids)
    assert (limit in UidSet.of(uids)) == (limit in uids)


@given(st.sets(st.integers(1, 3000), max_size=900), st.integers(1, 50))
def test_chunks_hold_every_uid_once_and_stay_short(uids: set[int], count: int) -> None:
    pieces = list(chunks(uids, octets=200, count=count))
    assert sorted(uid for _, members in pieces for uid in members) == sorted(uids)
    assert all(len(text) <= 200 and len(members) <= count for text, members in pieces)
    assert all(UidSet.parse(text.encode()) == UidSet.of(members) for text, members in pieces)


def test_a_hundred_thousand_scattered_uids_make_lines_below_eight_thousand_octets() -> None:
    assert all(len(text) < 8_000 for text, _ in chunks(range(1, 200_000, 2)))
    assert [text for text, _ in chunks(range(1, 100_001))] == ["1:100000"]


@given(
    st.lists(
        st.tuples(
            st.integers(0, LARGEST_UID + 1),
            st.sets(st.sampled_from(["\\Seen", "\\Recent", "kw", "$Junk", "50%"])),
            st.none() | st.integers(1, (1 << 63) - 1),
            st.none() | st.binary(max_size=40),
            st.booleans(),
        ),
        max_size=6,
    ),
    st.integers(0, 80),
)
def test_fetches_read_in_bulk_are_those_read_one_by_one(
    rows: list[tuple[int, set[str], int | None, bytes | None, bool]], missing: int
) -> None:
    responses = []
    for uid, flags, modseq, block, first in rows:
        text = b"FLAGS (%s)" % b" ".join(flag.encode() for flag in sorted(flags))
        items = [b"UID %d" % uid, text] if first else [text, b"UID %d" % uid]
        if modseq:
            items.insert(1 if modseq % 2 else 2, b"MODSEQ (%d)" % modseq)
        head = b"* 7 FETCH (" + b" ".join(items)
        if block is None:
            responses.append([head + b")"])
        else:
            responses.append([head + b" BODY[HEADER.FIELDS (FROM X-A)] {%d}" % len(block), block, b")"])
    data = b"".join(
        parts[0] + b"\r\n" + b"".join(parts[1:]) + b"\r\n" * (len(parts) > 1) for parts in responses
    )
    whole, octets, cut = fetches(data)
    assert not cut
    assert whole == [parse(parts) for parts in responses[: len(whole)]]
    assert octets == len(data) or len(whole) < len(responses)
    there = max(0, len(data) - missing)
    some, taken, cut = fetches(data[:there])
    assert some == whole[: len(some)]
    assert taken <= there
    assert not cut or (taken < there and fetches(data[taken:])[1] > there - taken)


def test_the_usual_shapes_are_read_in_bulk() -> None:
    data = b"* 1 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (7))\r\n* 2 FETCH (FLAGS () UID 6)\r\n"
    literal = b"* 3 FETCH (UID 8 FLAGS () MODSEQ (9) BODY[HEADER.FIELDS (FROM TO)] {6}\r\na: b\r\n)\r\n"
    stored = b"* 4 FETCH (UID 9 MODSEQ (11) FLAGS (\\Seen))\r\n"
    found, octets, cut = fetches(data + literal + stored + b"v1 OK\r\n")
    assert not cut
    assert [(fetch.uid, fetch.modseq) for fetch in found] == [(5, 7), (6, None), (8, 9), (9, 11)]
    assert octets == len(data + literal + stored)
    assert found[2].sections == {"HEADER.FIELDS": b"a: b\r\n"}
    assert fetches(data + literal[:-1]) == (found[:2], len(data), True)


_ATOMS = st.from_regex(rb"[A-Za-z0-9$\\.*%+-]{1,12}", fullmatch=True).filter(lambda a: a.upper() != b"NIL")
_VALUES = st.recursive(
    st.one_of(st.none(), _ATOMS, st.binary(max_size=20)),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=20,
)


def _written(value: object, parts: list[bytes]) -> None:
    match value:
        case None:
            parts[-1] += b"NIL"
        case list():
            parts[-1] += b"("
            for index, item in enumerate(value):
                parts[-1] += b" " if index else b""
                _written(item, parts)
            parts[-1] += b")"
        case bytes() if value and value.isalnum() and value.upper() != b"NIL":
            parts[-1] += value
        case bytes() if not set(value) & set(b"\r\n\0"):
            parts[-1] += quoted(value)
        case bytes():
            parts[-1] += b"{%d}" % len(value)
            parts += [value, b""]


@given(st.lists(_VALUES, max_size=5))
def test_whatever_is_written_in_imap_is_read_back(values: list[object]) -> None:
    parts = [b""]
    for value in values:
        _written(value, parts)
        parts[-1] += b" "
    assert tokenize(parts) == values


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(noise: bytes) -> None:
    for line in (noise, b"* " + noise, b"* 1 FETCH " + noise, b"* LIST " + noise, b"* OK [" + noise):
        with suppress(WireError):
            Untagged().take(parse([line.replace(b"\n", b"")]))
        completion(line)
