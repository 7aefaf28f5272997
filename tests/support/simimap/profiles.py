"""What kind of server is played: capabilities, habits, and the lies that servers in the field tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum, auto


class Lie(StrEnum):
    """One wrong behaviour seen in the field; each can be switched on and off while the server runs."""

    VANISHED_ALL = auto()
    """``VANISHED (EARLIER) 1:<last>`` in answer to QRESYNC although messages are there (Apache James)."""
    VANISHED_LOST = auto()
    """No VANISHED when it is asked for with ``1:*`` (Cyrus)."""
    HEADER_SEARCH_EMPTY = auto()
    """SEARCH HEADER finds nothing (Yahoo)."""
    HEADER_SEARCH_REFUSED = auto()
    """SEARCH HEADER on a field of our own is answered NO (Stalwart)."""
    TEXT_SEARCH_EMPTY = auto()
    """SEARCH TEXT and BODY find nothing (an index that was never built)."""
    SEARCH_EVERYTHING = auto()
    """SEARCH HEADER finds every message (Gmail with an empty value)."""
    SEARCH_WHOLE_VALUE = auto()
    """SEARCH HEADER finds only what is the whole value of the field (Yandex)."""
    UIDVALIDITY_ZERO = auto()
    UIDVALIDITY_MISSING = auto()
    """No UIDVALIDITY in SELECT (Yahoo)."""
    UIDVALIDITY_CHANGING = auto()
    """Another UIDVALIDITY at every look."""
    MODSEQ_BACKWARDS = auto()
    """HIGHESTMODSEQ is lower than it was."""
    NOMODSEQ = auto()
    """SELECT says NOMODSEQ although CONDSTORE is offered (RFC 7162 section 3.1.2.2)."""
    MODSEQ_UNOFFERED = auto()
    """SELECT says HIGHESTMODSEQ although CONDSTORE is not offered (Yahoo)."""
    MODSEQ_LEFT_OUT = auto()
    """FETCH with CHANGEDSINCE says no MODSEQ unless it is asked for by name (SmarterMail)."""
    ENABLED_EMPTY = auto()
    """ENABLE is answered with an empty list (iCloud)."""
    COPYUID_DOUBLED = auto()
    """``[COPYUID v 1,1:3 1,1:3]`` (GreenMail)."""
    COPYUID_GARBLED = auto()
    """``[COPYUID v  ]`` whatever was copied (GreenMail)."""
    NO_COPYUID = auto()
    NO_APPENDUID = auto()
    FETCH_WITHOUT_UID = auto()
    """Unasked FETCH lines that carry a sequence number only, in the midst of answers (Dovecot)."""
    FETCH_DROPS_UID = auto()
    """Every third answer to UID FETCH lacks the UID (Exchange)."""
    FETCH_POISONED = auto()
    """A FETCH that reads the lowest UID of a folder is answered NO, after all the others were given."""
    EXPUNGE_REPEATED = auto()
    """What IDLE told is told again after DONE (GreenMail)."""
    NO_FOLDERS = auto()
    """LIST and LSUB answer OK with nothing."""
    PARTIAL_FETCH = auto()
    """A FETCH of several messages leaves out every third, then says OK."""
    MADE_UP = auto()
    """A FETCH of a message that is gone is answered with one made up (Courier)."""
    STORE_IGNORED = auto()
    """STORE is answered OK and nothing is stored."""
    CHANGEDSINCE_MISSES_NEW = auto()
    """CHANGEDSINCE tells of flags but not of new messages (hosteurope)."""
    OPEN_RANGE_BYE = auto()
    """``1:*`` ends the connection with BYE."""


class Examine(StrEnum):
    """What STORE in EXAMINE is answered."""

    REFUSED = auto()
    IGNORED = auto()
    """OK, and nothing is stored (Courier, Dovecot)."""


BASE = ("IMAP4rev1", "SASL-IR", "AUTH=PLAIN", "LITERAL+", "ID", "IDLE", "NAMESPACE", "UNSELECT", "CHILDREN")
UIDPLUS = ("UIDPLUS", "MOVE")
RICH = (
    "ENABLE",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "ESEARCH",
    "STATUS=SIZE",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of server."""

    name: str
    capabilities: tuple[str, ...]
    greets_with_capabilities: bool = True
    prefix: str = ""
    """Personal namespace."""
    delimiter: str = "/"
    folders: tuple[tuple[str, str], ...] = (
        ("Drafts", "\\Drafts"),
        ("Sent", "\\Sent"),
        ("Trash", "\\Trash"),
        ("Junk", "\\Junk"),
    )
    """What a new account has besides INBOX: names below the prefix, special use or ''."""
    labels: bool = False
    """A message is one under several folders (Gmail)."""
    word_search: bool = False
    """SEARCH finds whole words only, and header fields of its own choice (Gmail)."""
    lower_headers: bool = False
    """Header field names come back in lower case (Exchange)."""
    caseless_names: bool = False
    uidnext_in_select: bool = True
    examine: Examine = Examine.REFUSED
    unknown: str = "BAD"
    """The answer to a command that is not known."""
    reuses_uidvalidity: bool = False
    """A folder made again within the same second has the same UIDVALIDITY (GreenMail)."""
    rename_keeps_uidvalidity: bool = True
    past_the_end: bool = True
    """``999999:*`` is the last message (RFC 9051 section 9); Courier finds nothing."""
    idle_flags: bool = True
    """IDLE tells of flags."""
    uid_in_updates: bool = False
    """Unasked FETCH lines carry the UID even without QRESYNC."""
    modseq_unasked: bool = True
    """SELECT says HIGHESTMODSEQ before CONDSTORE is enabled (not Dovecot)."""
    suppresses_duplicates: bool = False
    """A second delivery with the same Message-ID is dropped silently (Gmail, Exchange, Cyrus)."""
    budget: tuple[int, float] | None = None
    """Commands per seconds before the server asks for a pause (Exchange)."""
    max_line: int = 65_536
    lies: frozenset[Lie] = frozenset()

    def offers(self, *names: str) -> bool:
        """Whether all of these are among the capabilities."""
        return set(names) <= set(self.capabilities)

    def lying(self, *lies: Lie) -> Profile:
        """The same server, telling these lies too."""
        return replace(self, lies=self.lies | set(lies))


QRESYNC = Profile(name="qresync", capabilities=(*BASE, *UIDPLUS, *RICH, "CONDSTORE", "QRESYNC"))
CONDSTORE = Profile(name="condstore", capabilities=(*BASE, *UIDPLUS, *RICH, "CONDSTORE"))
BARE = Profile(name="bare", capabilities=("IMAP4rev1", "UIDPLUS"))
NO_UIDPLUS = Profile(
    name="nouidplus", capabilities=("IMAP4rev1", "IDLE", "LITERAL+"), greets_with_capabilities=False
)
GREENMAIL = Profile(
    name="greenmail",
    capabilities=("IMAP4rev1", "LITERAL+", "UIDPLUS", "SORT", "IDLE", "MOVE", "SASL-IR", "QUOTA"),
    greets_with_capabilities=False,
    delimiter=".",
    folders=(),
    caseless_names=True,
    reuses_uidvalidity=True,
    idle_flags=False,
    lies=frozenset({Lie.COPYUID_DOUBLED, Lie.EXPUNGE_REPEATED}),
)
GMAIL = Profile(
    name="gmail",
    capabilities=(
        *("IMAP4rev1", "UNSELECT", "IDLE", "NAMESPACE", "ID", "CHILDREN", "X-GM-EXT-1", "SASL-IR"),
        *("AUTH=PLAIN", "UIDPLUS", "ENABLE", "MOVE", "CONDSTORE", "ESEARCH", "SPECIAL-USE", "LIST-EXTENDED"),
        *("LIST-STATUS", "LITERAL-"),
    ),
    folders=(
        ("[Gmail]/All Mail", "\\All"),
        ("[Gmail]/Drafts", "\\Drafts"),
        ("[Gmail]/Sent Mail", "\\Sent"),
        ("[Gmail]/Spam", "\\Junk"),
        ("[Gmail]/Trash", "\\Trash"),
    ),
    labels=True,
    word_search=True,
    suppresses_duplicates=True,
)
EXCHANGE = Profile(
    name="exchange",
    capabilities=(
        *("IMAP4rev1", "AUTH=PLAIN", "SASL-IR", "UIDPLUS", "MOVE", "ID", "UNSELECT", "CHILDREN", "IDLE"),
        *("NAMESPACE", "LITERAL+"),
    ),
    folders=(("Deleted Items", ""), ("Drafts", ""), ("Junk Email", ""), ("Sent Items", "")),
    lower_headers=True,
    suppresses_duplicates=True,
    budget=(400, 60.0),
)
COURIER = Profile(
    name="courier",
    capabilities=("IMAP4rev1", "UIDPLUS", "CHILDREN", "NAMESPACE", "IDLE"),
    prefix="INBOX.",
    delimiter=".",
    folders=(("Trash", ""), ("Sent", "")),
    uidnext_in_select=False,
    examine=Examine.IGNORED,
    unknown="NO",
    rename_keeps_uidvalidity=False,
    past_the_end=False,
    max_line=16_384,
    lies=frozenset({Lie.MADE_UP}),
)

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (QRESYNC, CONDSTORE, BARE, NO_UIDPLUS, GREENMAIL, GMAIL, EXCHANGE, COURIER)
}
"""Every profile by its name."""
