"""SEARCH and UID SEARCH, with ESEARCH results, and Gmail's own search in whole words."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import TypeAlias

from tests.support.simimap import mime
from tests.support.simimap.commands.fetch import view_of
from tests.support.simimap.folder import Entry, View
from tests.support.simimap.grammar import (
    Bad,
    No,
    Value,
    compact,
    is_set,
    list_of,
    members,
    number_of,
    text_of,
    word,
)
from tests.support.simimap.profiles import Lie
from tests.support.simimap.session import Done, Session

Test: TypeAlias = Callable[[Entry], bool]

FLAG_KEYS = {key.upper(): f"\\{key}" for key in ("Answered", "Deleted", "Draft", "Flagged", "Seen")}
FIELD_KEYS = {"FROM", "TO", "CC", "BCC", "SUBJECT"}
INDEXED = {"FROM", "TO", "CC", "BCC", "SUBJECT", "MESSAGE-ID", "LIST-ID"}
"""The header fields that a word search knows."""
KNOWN_FIELDS = INDEXED | {"DATE", "SENDER", "REPLY-TO", "REFERENCES", "IN-REPLY-TO", "RECEIVED"}
_WORD = re.compile(r"[a-z0-9]+")


def search(session: Session, arguments: list[Value]) -> Done:
    """SEARCH: answers in sequence numbers."""
    return _search(session, list(arguments), by_uid=False)


def uid_search(session: Session, arguments: list[Value]) -> Done:
    """UID SEARCH."""
    return _search(session, list(arguments), by_uid=True)


def _search(session: Session, arguments: list[Value], *, by_uid: bool) -> Done:
    view = view_of(session)
    returned: list[str] | None = None
    if _is_word(arguments[0], "RETURN") and session.profile.offers("ESEARCH"):
        returned = [word(value) for value in list_of(arguments[1])] or ["ALL"]
        arguments = arguments[2:]
    if _is_word(arguments[0], "CHARSET"):
        if word(arguments[1]) not in ("UTF-8", "US-ASCII"):
            raise No("Unknown charset", code="BADCHARSET (UTF-8 US-ASCII)")
        arguments = arguments[2:]
    reader = _Reader(session, view, arguments)
    test = reader.all()
    found = [entry for uid in view.uids if (entry := view.entry(uid)) and test(entry)]
    numbers = [entry.uid if by_uid else view.number(entry.uid) for entry in found]
    modseq = max((entry.modseq for entry in found), default=0) if reader.about_modseq else 0
    if returned is None:
        told = [b"SEARCH", *(b"%d" % number for number in numbers)]
        session.say(b" ".join(told + ([b"(MODSEQ %d)" % modseq] if modseq else [])))
    else:
        told = [_esearch(session, numbers, returned, by_uid=by_uid)]
        session.say(b" ".join(told + ([b"MODSEQ %d" % modseq] if modseq else [])))
    return Done("Search completed.")


def _is_word(value: Value, expected: str) -> bool:
    return not isinstance(value, list) and word(value) == expected


def _esearch(session: Session, numbers: list[int], returned: list[str], *, by_uid: bool) -> bytes:
    """RFC 4731 section 3.1: nothing but COUNT is said of an empty result."""
    shown = {
        "MIN": b"MIN %d" % numbers[0] if numbers else b"",
        "MAX": b"MAX %d" % numbers[-1] if numbers else b"",
        "ALL": b"ALL " + compact(numbers) if numbers else b"",
        "COUNT": b"COUNT %d" % len(numbers),
    }
    parts = [b'ESEARCH (TAG "%s")' % session.tag, b"UID" if by_uid else b""]
    parts += [shown[item] for item in ("MIN", "MAX", "ALL", "COUNT") if item in returned]
    return b" ".join(part for part in parts if part)


class _Reader:
    """Turns search keys into one test."""

    def __init__(self, session: Session, view: View, arguments: list[Value]) -> None:
        self.session = session
        self.view = view
        self.rest = arguments
        self.about_modseq = False
        """Whether MODSEQ was asked for: then the answer carries the highest (RFC 7162 section 3.1.5)."""

    def all(self) -> Test:
        """All keys that are left, together."""
        tests = []
        while self.rest:
            tests.append(self.one())
        if not tests:
            raise Bad("SEARCH without a key")
        return lambda entry: all(test(entry) for test in tests)

    def one(self) -> Test:
        """The next key."""
        value = self.rest.pop(0)
        if isinstance(value, list):
            return _Reader(self.session, self.view, list(value)).all()
        if is_set(value):
            numbers = members(value, list(range(1, len(self.view.uids) + 1)))
            named = {self.view.uids[number - 1] for number in numbers}
            return lambda entry: entry.uid in named
        key = word(value)
        match key:
            case "ALL" | "OLD":
                return lambda entry: True
            case "RECENT" | "NEW":
                return lambda entry: False
            case "NOT":
                inner = self.one()
                return lambda entry: not inner(entry)
            case "OR":
                left, right = self.one(), self.one()
                return lambda entry: left(entry) or right(entry)
            case "UID":
                uids = set(members(self.rest.pop(0), self.view.uids))
                return lambda entry: entry.uid in uids
            case _:
                return self._flags(key) or self._numbers(key) or self._texts(key)

    def _flags(self, key: str) -> Test | None:
        if key in FLAG_KEYS:
            return lambda entry: FLAG_KEYS[key] in entry.flags
        if key.startswith("UN") and key[2:] in FLAG_KEYS:
            return lambda entry: FLAG_KEYS[key[2:]] not in entry.flags
        if key in ("KEYWORD", "UNKEYWORD"):
            flag = word(self.rest.pop(0))
            wanted = key == "KEYWORD"
            return lambda entry: (flag in {each.upper() for each in entry.flags}) is wanted
        return None

    def _numbers(self, key: str) -> Test | None:
        match key:
            case "LARGER" | "SMALLER":
                size, sign = number_of(self.rest.pop(0)), 1 if key == "LARGER" else -1
                return lambda entry: sign * len(entry.mail.raw) > sign * size
            case "MODSEQ" if self.session.profile.offers("CONDSTORE"):
                self.session.condstore = self.about_modseq = True
                modseq = number_of(self.rest.pop(0))
                return lambda entry: entry.modseq >= modseq
            case "BEFORE" | "ON" | "SINCE" | "SENTBEFORE" | "SENTON" | "SENTSINCE":
                day = datetime.strptime(text_of(self.rest.pop(0)), "%d-%b-%Y").date()
                return lambda entry: _dated(entry, key, day)
            case _:
                return None

    def _texts(self, key: str) -> Test:
        if key == "HEADER":
            return self._header(text_of(self.rest.pop(0)).upper(), text_of(self.rest.pop(0)))
        if key in FIELD_KEYS:
            return self._header(key, text_of(self.rest.pop(0)))
        if key in ("TEXT", "BODY"):
            return self._text(text_of(self.rest.pop(0)), headers=key == "TEXT")
        if key == "X-GM-RAW" and self.session.profile.offers("X-GM-EXT-1"):
            return _gmail(text_of(self.rest.pop(0)))
        raise Bad(f"Unknown search key {key[:30]}")

    def _header(self, name: str, wanted: str) -> Test:
        lies = self.session.lies
        if lies(Lie.HEADER_SEARCH_REFUSED) and name not in KNOWN_FIELDS:
            raise No(f"Querying header '{name}' is not supported")
        if lies(Lie.HEADER_SEARCH_EMPTY):
            return lambda entry: False
        if lies(Lie.SEARCH_EVERYTHING):
            return lambda entry: True
        if self.session.profile.word_search:
            return lambda entry: name in INDEXED and _words_in(wanted, _field(entry, name))
        lowered = wanted.lower()
        if lies(Lie.SEARCH_WHOLE_VALUE):
            return lambda entry: any(lowered == value.strip().lower() for value in _field(entry, name))
        return lambda entry: any(lowered in value.lower() for value in _field(entry, name))

    def _text(self, wanted: str, *, headers: bool) -> Test:
        if self.session.lies(Lie.TEXT_SEARCH_EMPTY):
            return lambda entry: False
        if self.session.profile.word_search:
            return lambda entry: _words_in(wanted, _gmail_texts(entry, headers=headers))
        lowered = wanted.lower()
        return lambda entry: any(lowered in text.lower() for text in _texts(entry, headers=headers))


def _field(entry: Entry, name: str) -> list[str]:
    return [v for key, v in mime.fields(mime.parsed(entry.mail.raw).header) if key.upper() == name]


def _texts(entry: Entry, *, headers: bool) -> list[str]:
    return mime.texts(mime.parsed(entry.mail.raw), headers=headers)


def _gmail_texts(entry: Entry, *, headers: bool) -> list[str]:
    """Bodies, and of the header only what is indexed."""
    found = _texts(entry, headers=False)
    return found + [value for name in INDEXED for value in _field(entry, name)] if headers else found


def _words_in(wanted: str, texts: list[str]) -> bool:
    """Whether the words of ``wanted`` stand side by side in one of the texts."""
    phrase = " ".join(_WORD.findall(wanted.lower()))
    return any(f" {phrase} " in f" {' '.join(_WORD.findall(text.lower()))} " for text in texts)


def _gmail(query: str) -> Test:
    """``rfc822msgid:<...>`` joined by OR, else words."""
    tests = [_gmail_one(part) for part in re.split(r"\s+OR\s+", query.strip().strip("{}"))]
    return lambda entry: any(test(entry) for test in tests)


def _gmail_one(part: str) -> Test:
    if part.lower().startswith("rfc822msgid:"):
        wanted = part[12:].strip().strip("<>")
        return lambda entry: any(value.strip("<> ") == wanted for value in _field(entry, "MESSAGE-ID"))
    return lambda entry: _words_in(part, _gmail_texts(entry, headers=True))


def _dated(entry: Entry, key: str, day: date) -> bool:
    if key.startswith("SENT"):
        sent = email.utils.parsedate_to_datetime(
            (_field(entry, "DATE") or ["Thu, 1 Jan 1970 00:00:00 +0000"])[0]
        )
        return _compare(key[4:], sent.date(), day)
    return _compare(key, entry.mail.received.date(), day)


def _compare(key: str, found: date, day: date) -> bool:
    return {"BEFORE": found < day, "ON": found == day, "SINCE": found >= day}[key]
