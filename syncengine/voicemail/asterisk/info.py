"""The description ``msgNNNN.txt`` that Asterisk keeps beside a recording. Pure.

It is an Asterisk configuration file (``[message]``, ``key=value``, ``;`` comments), written by
Asterisk, by FreePBX, or by hand: any key may be missing, repeated or nonsense, and nothing in it is
believed beyond its bounds. Nothing here raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

MAX_OCTETS = 64 * 1024
"""Octets of a description that are looked at."""

MARK = "syncengine_token"
"""Key of our own: the token of a message that was taken in again, and the reference it belongs to."""

_MAX_VALUE = 1024
_MSG_ID = re.compile(r"[!-~]{1,128}")
_CALLER = re.compile(r"\s*(?P<name>.*?)\s*<(?P<number>[^<>]*)>\s*", re.DOTALL)
_NUMBER = re.compile(r"[0-9+*#().\- ]{2,64}")
_NOBODY = frozenset({"", "unknown", "anonymous", "asterisk"})
_LAST_SECOND = 253402300799  # the year 9999, where datetime ends


@dataclass(frozen=True, slots=True)
class MessageInfo:
    """What a description says; texts as they stand there, '' where the key is missing."""

    msg_id: str = ""
    """``<epoch>-<counter>``; not unique in practice: a forward copies it verbatim."""
    origtime: str = ""
    callerid: str = ""
    duration: str = ""
    flag: str = ""
    mark: str = ""
    """The value of :data:`MARK`."""

    @property
    def urgent(self) -> bool:
        """Whether the caller called it urgent."""
        return self.flag.lower() == "urgent"

    @property
    def seconds(self) -> float | None:
        """Seconds of sound, None where it does not say."""
        return float(self.duration) if self.duration.isdecimal() and len(self.duration) < 7 else None

    @property
    def received(self) -> datetime | None:
        """When the recording started, None where it does not say."""
        if not (self.origtime.isascii() and self.origtime.isdecimal() and len(self.origtime) < 13):
            return None
        second = int(self.origtime)
        return datetime.fromtimestamp(second, UTC) if 0 < second <= _LAST_SECOND else None

    @property
    def caller(self) -> tuple[str, str]:
        """The caller's number and name, '' for what is not known."""
        match = _CALLER.fullmatch(self.callerid)
        if match:
            return _known(match["number"].strip()), _known(_unquoted(match["name"]))
        text = self.callerid.strip()
        return (text, "") if _NUMBER.fullmatch(text) else ("", _known(_unquoted(text)))


def parse_info(data: bytes) -> MessageInfo:
    """Read a description: the first value of a key counts, in ``[message]`` if that section is there."""
    text = _decoded(data[:MAX_OCTETS])
    sections: dict[str, dict[str, str]] = {"": {}}
    values = sections[""]
    for line in text.splitlines():
        content = _without_comment(line).strip()
        if content.startswith("[") and "]" in content:
            values = sections.setdefault(content[1 : content.index("]")].strip().lower(), {})
            continue
        key, equals, value = content.partition("=")
        if equals:
            values.setdefault(key.strip().lower(), _printable(value.removeprefix(">").strip()))
    chosen = sections.get("message", sections[""])
    msg_id = chosen.get("msg_id", "")
    return MessageInfo(
        msg_id=msg_id if _MSG_ID.fullmatch(msg_id) else "",
        origtime=chosen.get("origtime", ""),
        callerid=chosen.get("callerid", ""),
        duration=chosen.get("duration", ""),
        flag=chosen.get("flag", ""),
        mark=chosen.get(MARK, ""),
    )


def render_info(info: MessageInfo, mailbox: str) -> bytes:
    """Write a description in Asterisk's order of keys; no value can add a line."""
    received = info.received
    lines = [
        ";",
        "; Message Information file",
        ";",
        "[message]",
        f"origmailbox={mailbox}",
        "context=",
        "exten=",
        "rdnis=unknown",
        "priority=1",
        "callerchan=",
        f"callerid={_one_line(info.callerid)}",
        f"origdate={received.strftime('%a %b %e %I:%M:%S %p UTC %Y') if received else ''}",
        f"origtime={_one_line(info.origtime)}",
        "category=",
        f"msg_id={_one_line(info.msg_id)}",
        f"flag={'Urgent' if info.urgent else ''}",
        f"duration={_one_line(info.duration)}",
        f"{MARK}={_one_line(info.mark)}",
    ]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def caller_text(number: str, name: str) -> str:
    """Return number and name as Asterisk writes them: ``"Name" <number>``."""
    if not name:
        return number or "Unknown"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{number}>' if number else f'"{quoted}"'


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:  # Asterisk writes what the trunk sent, which is often ISO 8859-1
        return data.decode("latin-1")


def _without_comment(line: str) -> str:
    """Cut at the first ``;`` that no backslash escapes, as Asterisk's own parser does."""
    position = line.find(";")
    while position > 0 and line[position - 1] == "\\":
        line = line[: position - 1] + line[position:]
        position = line.find(";", position)
    return line if position < 0 else line[:position]


def _printable(value: str) -> str:
    value = value[:_MAX_VALUE]
    return value if value.isprintable() else "".join(c if c.isprintable() else " " for c in value).strip()


def _one_line(value: str) -> str:
    return _printable(value).replace(";", "\\;")


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return re.sub(r"\\(.)", r"\1", text).strip()


def _known(text: str) -> str:
    return "" if text.lower() in _NOBODY else text
