"""What a pass needs to know of one mailbox: its options turned into the values the parts take."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from socket import socket
from typing import TYPE_CHECKING

from syncengine.engine.media import media_of
from syncengine.engine.post import MailboxPost
from syncengine.errors import ConnectionLost
from syncengine.imap.scope import roles, voice_folder
from syncengine.imap.settings import AccountSettings, Authentication
from syncengine.index import DELETED_FIRST, AccountRow, Index, QueueState
from syncengine.model import (
    Folder,
    HeaderFields,
    Kind,
    LocalMessage,
    Role,
    State,
    Token,
)
from syncengine.options.install import InstallationKey
from syncengine.options.schema import (
    Backlog,
    DeliveryBy,
    FoldersMode,
    Imap4,
    Mailbox,
    OutOfScope,
    PendingExpiry,
    Protocol,
    SendMode,
    Settings,
    SyncMode,
)
from syncengine.replica import VoiceStore
from syncengine.rules.guard import Limits
from syncengine.rules.identity import recognise
from syncengine.rules.plan import Policy

if TYPE_CHECKING:
    from syncengine.imap.channel import Trace
    from syncengine.imap.replica import ImapAccount

_NOTHING = HeaderFields()
_MUCH = 100
"""Changes that bring some 50 kB: more than a connection's first three flights carry (RFC 6928)."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One mailbox, its options, and the store and clock that belong to it."""

    settings: Settings
    mailbox: Mailbox
    key: InstallationKey
    store: VoiceStore
    clock: Callable[[], float]
    mask: frozenset[str] = frozenset()
    """Capabilities of servers that are not used; for tests and for servers that lie."""

    @property
    def number(self) -> str:
        """The mailbox's number."""
        return self.mailbox.number

    @property
    def reads_aloud(self) -> bool:
        """Whether the account's e-mails are listed, to be read aloud."""
        return self.settings.system.text_to_speech and self.mailbox.synchronises

    @property
    def reads_pop3(self) -> bool:
        """The same over POP3, where nothing but this index is marked."""
        pop3 = self.mailbox.protocol is Protocol.POP3 and bool(self.mailbox.pop3.server)
        return self.settings.system.text_to_speech and pop3

    @property
    def post(self) -> MailboxPost:
        """How its messages are written and sent."""
        return MailboxPost(self.settings, self.mailbox, self.key.system_id, self.key.secret)

    @property
    def limits(self) -> Limits:
        """When the brake holds."""
        return Limits(self.mailbox.sync.max_delete_count, self.mailbox.sync.max_delete_fraction)

    @property
    def policy(self) -> Policy:
        """What the operator asked for beyond the table."""
        sync = self.mailbox.sync
        return Policy(
            erase_out_of_scope=sync.out_of_scope is OutOfScope.ERASE,
            erase_expired=sync.pending_expiry is PendingExpiry.ERASE,
        )

    @property
    def pending_timer(self) -> float:
        """Seconds until what is pending is not expected any more; 0 = never."""
        return self.settings.system.sync_pending_timer or 0.0

    def recognise(self, header: HeaderFields) -> Token | None:
        """Whose message a header is; by the hundred thousand they are other people's, and say nothing."""
        if header == _NOTHING:
            return None
        post = self.post
        return recognise(header, domain=post.domain, mailbox=self.number, own_addresses=post.own_addresses())

    @property
    def account_key(self) -> tuple[str, str]:
        """Host and login that bases belong to; a mailbox that only sends has one of its own."""
        return account_key(self.mailbox)

    def account(self, index: Index) -> AccountRow:
        """The account's row, made when it is first passed over."""
        return index.views.account(self.number, *self.account_key)

    def known_account(self, index: Index) -> AccountRow | None:
        """The account's row, None before its first pass."""
        return index.views.find_account(self.number, *self.account_key)

    def media_type(self, content: bytes, kind: Kind) -> str:
        """Content type of a recording or fax; raises ``SyncError`` if it does not decode."""
        return media_of(content, "", kind).media_type

    def open_account(
        self,
        index: Index,
        *,
        trace: Trace | None = None,
        on_socket: Callable[[socket], None] | None = None,
        compress: bool = False,
    ) -> ImapAccount:
        """The account, connected when first used; whoever opens it closes it."""
        from syncengine.imap.replica import ImapAccount  # noqa: PLC0415 - most calls need no account

        imap = self.mailbox.imap4
        secret = imap.password
        settings = AccountSettings(
            host=imap.server,
            port=imap.port,
            account=imap.account,
            secret=secret.read if secret is not None else str,
            security=imap.security,
            authentication=Authentication(imap.authentication),
            search_mode=imap.search_mode,
            timeout=self.mailbox.sync.command_timeout,
            ca_file=str(imap.ca_file) if imap.ca_file else None,
            own_addresses=self.post.own_addresses(),
            mask=self.mask,
            known_capabilities=index.views.capabilities(_server(imap)),
            on_socket=on_socket,
            compress=compress,
        )
        return ImapAccount(settings, recognise=self.recognise, memory=index.views, trace=trace)

    @contextmanager
    def connect(self, index: Index) -> Iterator[ImapAccount]:
        """The account for one pass, connected when first used, closed at the end."""
        remote = self.open_account(index, compress=self._much_waits(index))
        try:
            yield remote
            self.note_server(index, remote)
        except ConnectionLost:
            if remote.traffic.round_trips == 1:
                # Lost in the login: it may be one that loses what travels behind LOGIN.
                index.views.distrust_capabilities(_server(self.mailbox.imap4))
            raise
        finally:
            remote.close()

    def _much_waits(self, index: Index) -> bool:
        """Whether the phone has changed so many e-mails that carrying it over is worth compressing."""
        account = self.known_account(index) if self.reads_aloud else None
        return account is not None and index.emails.waiting(account.id) >= _MUCH

    def note_server(self, index: Index, remote: ImapAccount) -> None:
        """Remember what the server offered, for the next connection to it."""
        index.views.note_capabilities(_server(self.mailbox.imap4), remote.capabilities)

    # Folders

    def roles(self, folders: Collection[Folder], kept: Collection[str] = ()) -> Mapping[str, Role]:
        """What each folder means, by the sync mode; ``kept`` hold our messages under a new name."""
        return roles(
            folders,
            mode=self.mailbox.sync_mode.value,
            listed_only_subscribed=self.mailbox.sync.folders is FoldersMode.SUBSCRIBED,
            kept=kept,
        )

    @property
    def filed_by_rule(self) -> bool:
        """Whether what arrives in INBOX is to be filed into Voice Mail Messages by somebody else."""
        return self.mailbox.sync_mode is SyncMode.VOICE_MAIL_FOLDER

    def missing_voice_folder(self, folders: Collection[Folder]) -> bool:
        """Whether the sync mode uses Voice Mail Messages and it is not there."""
        uses = self.mailbox.sync_mode in (SyncMode.ALL_FOLDERS, SyncMode.VOICE_MAIL_FOLDER)
        return uses and voice_folder(folders) is None

    def target(self, folders: Collection[Folder]) -> str:
        """The folder where messages are put: Voice Mail Messages, or INBOX in mode inbox."""
        if self.mailbox.sync_mode is SyncMode.INBOX:
            return "INBOX"
        found = voice_folder(folders)
        return found.name if found else "INBOX"

    # Sending

    def enqueue(self, index: Index, messages: Collection[LocalMessage], now: float) -> None:
        """Enter what the queue does not know yet; what was there at first switching on by ``backlog``."""
        mark = f"integrated {self.number}"
        first = index.passes.meta(mark) is None
        rows = {row.token: row for row in index.queue.rows(self.number)}
        there = [m for m in messages if m.state is not State.DELETED]
        unknown = [m for m in there if m.token not in rows]
        restored = [
            m
            for m in there
            if m.token in rows
            and rows[m.token].last_reply == DELETED_FIRST
            and rows[m.token].state is QueueState.CANCELLED
        ]
        if not (first or unknown or restored):
            return
        with index.database.write():
            for message in unknown:
                index.queue.put(self.number, message.token, self._state(message, first=first), now)
            for message in restored:
                index.queue.again(self.number, message.token, now, resend=False)
            index.passes.set_meta(mark, "yes")

    def _state(self, message: LocalMessage, *, first: bool) -> QueueState:
        backlog = self.mailbox.sync.backlog
        if not self.sends(message.kind):
            return QueueState.NOT_SENT
        if first and (backlog is Backlog.NONE or (backlog is Backlog.NEW and message.state is not State.NEW)):
            return QueueState.NOT_SENT
        return QueueState.DUE

    def sends(self, kind: Kind) -> bool:
        """Whether the send mode takes messages of this kind."""
        mode = self.mailbox.send_mode
        return mode is SendMode.VOICE_AND_FAX or mode.value == kind.value

    @property
    def by_append(self) -> bool:
        """Whether messages are put there by APPEND instead of being sent."""
        return self.mailbox.delivery is DeliveryBy.APPEND


def account_key(mailbox: Mailbox) -> tuple[str, str]:
    """Host and login that a mailbox's bases belong to; blank for one that only sends."""
    return (mailbox.imap4.server, mailbox.imap4.account) if mailbox.synchronises else ("", "")


def _server(imap: Imap4) -> str:
    """What a server is remembered under: two ports of one host may be two servers."""
    return f"{imap.server}:{imap.port}"
