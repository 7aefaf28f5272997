"""Reading ``voicemail.conf``: which mailboxes there are, and what is set for them. Pure.

Passwords stand in that file in plain text: they are skipped, never returned. A line that is no entry
is passed by, so a file of any release is read as far as it goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

MAX_CHARACTERS = 8 * 1024 * 1024
"""Characters of a file that are looked at."""

_SECTION = re.compile(r"\[([^\]]{1,80})\]\s*(?:\(.*\))?")
_INCLUDE = re.compile(r"#(try)?include\s+[\"<]?([^\">]+?)[\">]?\s*")
_NUMBER = re.compile(r"(?!\.)[A-Za-z0-9_.+-]{1,80}")
_TRUE = frozenset({"yes", "true", "y", "t", "1", "on"})
_NO_CONTEXTS = frozenset({"general", "zonemessages"})
_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ConfMailbox:
    """One entry: ``number => password,name,email,pager,options``."""

    context: str
    number: str
    name: str = ""
    emails: tuple[str, ...] = ()
    """The first is the synchronised address; the others are copies."""
    options: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """What is in force: ``[general]`` with the entry's own options laid over it; names in lower case."""

    @property
    def attach(self) -> bool:
        """Whether Asterisk attaches the recording to its mail (default yes)."""
        return _true(self.options.get("attach", "yes"))

    @property
    def delete(self) -> bool:
        """Whether Asterisk deletes the message once it has mailed it: to be switched off."""
        return _true(self.options.get("delete", self.options.get("deletevoicemail", "no")))

    @property
    def moveheard(self) -> bool:
        """Whether a heard message is moved to Old (default yes); without, nobody sees that it was heard."""
        return _true(self.options.get("moveheard", "yes"))

    @property
    def maxmsg(self) -> int:
        """How many messages a folder holds."""
        return _maxmsg(self.options)

    @property
    def tz(self) -> str:
        """The time zone (tz database name), '' where none is set."""
        return self.options.get("tz", "")


@dataclass(frozen=True, slots=True)
class VoicemailConf:
    """What a file holds."""

    general: Mapping[str, str]
    mailboxes: tuple[ConfMailbox, ...]

    @property
    def maxmsg(self) -> int:
        """How many messages a folder of a mailbox without an entry of its own holds."""
        return _maxmsg(self.general)


@dataclass(frozen=True, slots=True)
class Include:
    """A line that takes in another file; ``optional`` says nothing if there is none."""

    name: str
    optional: bool


def read_conf(text: str) -> VoicemailConf:
    """Read a ``voicemail.conf``; of a repeated mailbox the first entry counts, of a setting the last."""
    sections: dict[str, list[tuple[str, str]]] = {}
    section = ""
    for line in _lines(text[:MAX_CHARACTERS]):
        if match := _SECTION.fullmatch(line):
            section = match[1].strip()
        else:
            key, equals, value = line.partition("=")
            if equals:
                sections.setdefault(section, []).append((key.strip(), value.removeprefix(">").strip()))
    general = {k.lower(): v for name, rows in sections.items() if name.lower() == "general" for k, v in rows}
    zones = {k: v.split("|")[0].split(",")[0].strip() for k, v in sections.get("zonemessages", [])}
    skipped = _NO_CONTEXTS | {general.get("aliasescontext", "").lower(), ""}
    found: dict[tuple[str, str], ConfMailbox] = {}
    for context, rows in sections.items():
        if context.lower() not in skipped:
            for number, value in rows:
                if _NUMBER.fullmatch(number) and (context, number) not in found:
                    found[context, number] = _entry(context, number, value, general, zones)
    return VoicemailConf(MappingProxyType(general), tuple(found.values()))


def includes_of(text: str) -> Iterator[str | Include]:
    """The text in pieces: what stands between the includes, and these."""
    kept: list[str] = []
    for line in text.splitlines():
        if match := _INCLUDE.fullmatch(re.sub(r"(?<!\\\\);.*", "", line).strip()):
            yield "\n".join(kept)
            kept = []
            yield Include(match[2], optional=match[1] is not None)
        else:
            kept.append(line)
    yield "\n".join(kept)


def _maxmsg(options: Mapping[str, str]) -> int:
    """By Asterisk's rules: 100 where it is missing or nonsense, 9999 at most."""
    text = options.get("maxmsg", "100")
    return min(int(text), 9999) if text.isdecimal() and len(text) < 7 else 100


def _entry(
    context: str, number: str, value: str, general: Mapping[str, str], zones: Mapping[str, str]
) -> ConfMailbox:
    fields = [part.strip() for part in value.split(",", 4)] + [""] * 5
    options = dict(general)
    for part in fields[4].split("|"):
        key, equals, setting = part.partition("=")
        if equals:
            options[key.strip().lower()] = setting.strip()
    if "tz" in options:
        options["tz"] = zones.get(options["tz"], options["tz"])
    emails = tuple(address.strip() for address in fields[2].split("|") if address.strip())
    return ConfMailbox(context, number, fields[1], emails, MappingProxyType(options))


def _lines(text: str) -> Iterator[str]:
    """The lines without comments: ``;`` to the end unless escaped, ``;--`` to ``--;``."""
    text = re.sub(r"(?<!\\);--(?!-).*?--;", "", text, flags=re.DOTALL)
    for line in text.splitlines():
        content = re.sub(r"(?<!\\);.*", "", line).replace("\\;", ";").strip()
        if content:
            yield content


def _true(value: str) -> bool:
    return value.lower() in _TRUE
