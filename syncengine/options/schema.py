"""Every option with its kind, default and meaning, as frozen values.

A key exists when it stands here (or, for the server sections, in ``servers``) and nowhere else: reading,
the Email tab and ``docs/options.md`` follow it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from syncengine.options.secret import Secret
from syncengine.options.servers import Imap4, Pop3, Smtp
from syncengine.options.values import (
    About,
    Address,
    Addresses,
    Argv,
    AttachFormat,
    Authentication,
    Backlog,
    Context,
    DeleteTo,
    DeliveryBy,
    Domain,
    Duration,
    FilePath,
    FoldersMode,
    Fraction,
    Host,
    Interval,
    Language,
    Line,
    Natural,
    OutOfScope,
    PendingExpiry,
    Port,
    Positive,
    Protocol,
    Seconds,
    SendMode,
    SpoolLock,
    SyncMode,
    VoiceMailServer,
)

__all__ = [
    "AttachFormat",
    "Authentication",
    "Backlog",
    "DeleteTo",
    "DeliveryBy",
    "FoldersMode",
    "Imap4",
    "Mailbox",
    "OutOfScope",
    "PendingExpiry",
    "Pop3",
    "Protocol",
    "Secret",
    "SendMode",
    "Settings",
    "Smtp",
    "SpoolLock",
    "Sync",
    "SyncMode",
    "System",
    "VmRow",
    "VoiceMailServer",
]

SYSTEMS = "the system's"
"""Shown as the default of a mailbox's key that is taken from ``[system]``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The table ``[system]``."""

    state_dir: Annotated[
        Path, FilePath(), About("Where the index and the messages of the built-in store lie.")
    ] = Path("state")
    domain: Annotated[Domain, About("Domain of Message-IDs and of EHLO; blank is the host's name.")] = ""
    email_integration: Annotated[
        bool,
        About(
            "The whole e-mail integration. Off: no login and no sending, queue and bases are kept.",
            label="g_bUseEmailIntegration",
        ),
    ] = True
    protocol: Annotated[
        Protocol,
        About("How accounts are reached, unless the mailbox says otherwise.", label="g_szEmailDllPath"),
    ] = Protocol.IMAP4
    text_to_speech: Annotated[bool, About("E-mails are listed and read aloud too.", label="g_bUseTTS")] = (
        False
    )
    send_as_attachment: Annotated[
        bool,
        About(
            "The sound or fax is attached; off, only the notice is sent.",
            label="g_bEnableSendMsgAsAttachment",
        ),
    ] = True
    sync_pending_timer: Annotated[
        float | None,
        Duration(never="0", bare_minutes=True),
        About(
            "How long a message may stay unseen or a change unconfirmed, before it is called so.",
            label="g_bImap4SyncPendingTimer",
        ),
    ] = 20 * 60.0
    repeat_startup_period: Annotated[
        Interval,
        About("How soon a part that could not start is tried again.", label="g_nRepeatStartUpPeriod"),
    ] = 5 * 60.0
    max_trace_file_size: Annotated[
        Positive, About("Bytes at which the trace file is turned over.", label="MaxTraceFileSize")
    ] = 100000
    trace_level_override: Annotated[
        bool, About("The trace holds everything, whatever the log level.", label="TraceLevelOverride")
    ] = False
    seats: Annotated[
        Natural,
        About("Mailboxes that may have e-mail integration; free seats go in file order, the rest is off."),
    ] = 10
    lamp_command: Annotated[
        Argv,
        About(
            "Run when the lamp changes, with context, number, new, heard, urgent added; empty runs nothing."
        ),
    ] = ()
    allow_plaintext: Annotated[bool, About("Logins without TLS are allowed off this host.")] = False
    language: Annotated[Language, About("Language of what is sent and spoken.")] = "en"
    timezone: Annotated[
        Line, About("Time zone of dates in what is sent, like Europe/Vienna; blank is the host's.")
    ] = ""
    context: Annotated[Context, About("Voice-mail context, for the lamp command and the Asterisk spool.")] = (
        "default"
    )
    tts_command: Annotated[
        Argv,
        About(
            "Speaks in the place of espeak-ng: text on its input, a WAV on its output; {language} is put in."
        ),
    ] = ()
    voice_mail_server: Annotated[
        VoiceMailServer, About("Where the voice messages are: in the built-in store, or in Asterisk's spool.")
    ] = VoiceMailServer.BUILTIN
    spool: Annotated[Path, FilePath(), About("Asterisk's spool (astspooldir with /voicemail).")] = Path(
        "/var/spool/asterisk/voicemail"
    )
    spool_lock: Annotated[SpoolLock, About("lockmode of asterisk.conf; the two do not see each other.")] = (
        SpoolLock.LOCKFILE
    )
    maxmsg: Annotated[
        Natural, About("Messages that a folder of Asterisk's takes, where voicemail_conf does not say.")
    ] = 100
    voicemail_conf: Annotated[
        Path | None,
        FilePath(optional=True),
        About("Asterisk's voicemail.conf, from which each mailbox's maxmsg is taken as it is now."),
    ] = None
    ami_server: Annotated[
        Host, About("Asterisk's manager interface; blank is not to use it and to work on the files.")
    ] = ""
    ami_port: Annotated[Port, About("Its port.")] = 5038
    ami_user: Annotated[Line, About("Its user.")] = ""
    ami_secret_file: Annotated[
        Path | None, FilePath(optional=True), About("A file whose first line is that user's secret.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """The table ``[sync]``; every key may stand under a mailbox too."""

    poll_interval: Annotated[
        Interval, About("How often the account is looked at while something is new or pending.")
    ] = 30.0
    idle_poll_interval: Annotated[Interval, About("How often the account is looked at otherwise.")] = 5 * 60.0
    idle: Annotated[bool, About("Pushes (IDLE, RFC 2177) shorten the wait.")] = True
    undo_window: Annotated[
        Seconds, About("How long a message deleted at the phone's side can be restored.")
    ] = 24 * 3600.0
    out_of_scope: Annotated[
        OutOfScope, About("What becomes of a message that was filed outside the sync mode's folders.")
    ] = OutOfScope.KEEP
    delete_to: Annotated[DeleteTo, About("How a message is deleted in the account.")] = DeleteTo.TRASH
    max_delete_fraction: Annotated[
        Fraction,
        About("The brake: the share of a mailbox's messages that may be inferred deleted within 24 hours."),
    ] = 0.2
    max_delete_count: Annotated[Natural, About("The brake: this many inferred deletes always pass.")] = 5
    brake_release: Annotated[
        float | None,
        Duration(never="never"),
        About("How long held deletes must be confirmed by every look before they go through by themselves."),
    ] = 24 * 3600.0
    command_timeout: Annotated[Interval, About("How long a server may take to answer.")] = 60.0
    backlog: Annotated[Backlog, About("What is sent when integration is first switched on.")] = Backlog.NEW
    pending_expiry: Annotated[
        PendingExpiry, About("What becomes of a message that stays unseen past the pending timer.")
    ] = PendingExpiry.KEEP
    delivery_expiry: Annotated[Seconds, About("How long a deferred message is tried again.")] = 3 * 86400.0
    folders: Annotated[FoldersMode, About("Which folders the sync mode all-folders means.")] = (
        FoldersMode.SUBSCRIBED
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """The table ``[mailboxes.NUMBER]`` or the file ``mailboxes.d/NUMBER.toml``, everything resolved."""

    number: str
    email_integration: Annotated[
        bool, About("Voice and fax messages of this mailbox go to the account.", label="Email Integration")
    ] = False
    send_mode: Annotated[SendMode, About("Which messages are sent.", label="Email Integration Send Mode")] = (
        SendMode.VOICE_AND_FAX
    )
    sync_mode: Annotated[
        SyncMode,
        About(
            "Where messages are looked for in the account; none only sends.",
            label="Email Integration Sync Mode",
        ),
    ] = SyncMode.ALL_FOLDERS
    email_name: Annotated[Address, About("The address where voice mail is received.", label="Email Name")] = (
        ""
    )
    protocol: Annotated[Protocol, About("How the account is reached.", shown=SYSTEMS)] = Protocol.IMAP4
    delivery: Annotated[
        DeliveryBy, About("How a message gets there: sent, or put straight into the folder (APPEND).")
    ] = DeliveryBy.SMTP
    copies: Annotated[
        Addresses, About("Further addresses that get every message, by SMTP; they are not synchronised.")
    ] = ()
    file_into_folder: Annotated[bool, About('What arrives in INBOX is moved to "Voice Mail Messages".')] = (
        False
    )
    attach_format: Annotated[AttachFormat, About("What the sound is attached as.")] = AttachFormat.ULAW_WAV
    timezone: Annotated[
        Line, About("Time zone of dates in what is sent, like Europe/Vienna.", shown=SYSTEMS)
    ] = ""
    language: Annotated[Language, About("Language of what is sent and spoken.", shown=SYSTEMS)] = "en"
    lamp_command: Annotated[Argv, About("Run when this mailbox's lamp changes.", shown=SYSTEMS)] = ()
    context: Annotated[Context, About("Voice-mail context of this mailbox.", shown=SYSTEMS)] = "default"
    maxmsg: Annotated[
        Natural,
        About(
            "Messages that a folder of Asterisk's takes, where voicemail_conf does not say.",
            shown=SYSTEMS,
        ),
    ] = 100
    send_as_attachment: Annotated[
        bool, About("The sound or fax is attached; off, only the notice is sent.", shown=SYSTEMS)
    ] = True
    smtp: Smtp = field(default_factory=Smtp)
    imap4: Imap4 = field(default_factory=Imap4)
    pop3: Pop3 = field(default_factory=Pop3)
    sync: Sync = field(default_factory=Sync)
    """What is in force for this mailbox: ``[sync]`` with the mailbox's own keys laid over it."""

    @property
    def synchronises(self) -> bool:
        """Whether anything can be looked up in the account; if not, ``sent`` is the final state."""
        return (
            self.protocol is Protocol.IMAP4
            and self.sync_mode is not SyncMode.NONE
            and bool(self.imap4.server)
        )

    @property
    def uses_smtp(self) -> bool:
        """Whether anything is sent by SMTP: every message, or with ``append`` the copies alone."""
        return self.delivery is DeliveryBy.SMTP or bool(self.copies)


@dataclass(frozen=True, slots=True)
class VmRow:
    """One row of the manual's Misc Setup table (page 7); ``ignore`` 1 = the built-in default is in force."""

    value: bool | int | str
    ignore: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All options, valid as a whole; mailboxes in file order, the drop-ins after the main file."""

    system: System = field(default_factory=System)
    sync: Sync = field(default_factory=Sync)
    mailboxes: Mapping[str, Mailbox] = field(default_factory=lambda: MappingProxyType({}))
    vmconfig: Mapping[str, VmRow] = field(default_factory=lambda: MappingProxyType({}))
    path: Path | None = None
    """The main file; None for options that were not read from files."""
