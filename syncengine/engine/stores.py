"""The voice store that the options ask for: the built-in one, or Asterisk's spool."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from syncengine.errors import OptionsError
from syncengine.index import Index
from syncengine.options.install import InstallationKey
from syncengine.options.schema import Mailbox, System, VoiceMailServer
from syncengine.replica import VoiceStore
from syncengine.voicemail.builtin import BuiltinStore

if TYPE_CHECKING:
    from syncengine.voicemail.asterisk import Ami


def open_store(
    system: System,
    key: InstallationKey,
    index: Index,
    clock: Callable[[], float],
    mailbox_of: Callable[[str], Mailbox | None],
) -> VoiceStore:
    """Make the store; it is not prepared yet. Raises ``OptionsError`` for a secret that cannot be read."""
    match system.voice_mail_server:
        case VoiceMailServer.BUILTIN:
            return BuiltinStore(system.state_dir / "voice", index.messages, index.passes, clock)
        case VoiceMailServer.ASTERISK:
            return _asterisk(system, key, clock, mailbox_of)


def _asterisk(
    system: System,
    key: InstallationKey,
    clock: Callable[[], float],
    mailbox_of: Callable[[str], Mailbox | None],
) -> VoiceStore:
    # Only where it is the store that is asked for.
    from syncengine.voicemail.asterisk import AsteriskStore, ConfLimits, How, LockMode  # noqa: PLC0415

    def context_of(number: str) -> str:
        mailbox = mailbox_of(number)
        return system.context if mailbox is None else mailbox.context

    def limit(context: str, number: str) -> int | None:
        known = conf(context, number) if conf else None
        mailbox = mailbox_of(number)
        return mailbox.maxmsg if known is None and mailbox is not None else known

    conf = ConfLimits(system.voicemail_conf) if system.voicemail_conf else None

    return AsteriskStore(
        system.spool,
        system.state_dir / "asterisk",
        key.secret,
        context_of=context_of,
        how=How(lock_mode=LockMode(system.spool_lock), maxmsg=system.maxmsg, limit=limit),
        ami=manager_interface(system),
        clock=clock,
    )


def manager_interface(system: System) -> Ami | None:
    """Asterisk's manager interface, if it is to be used; raises ``OptionsError`` for its secret."""
    from syncengine.voicemail.asterisk import Ami  # noqa: PLC0415 - if asked for

    if not system.ami_server:
        return None
    return Ami(host=system.ami_server, port=system.ami_port, user=system.ami_user, secret=_secret(system))


def _secret(system: System) -> str:
    if system.ami_secret_file is None:
        return ""
    try:
        lines = system.ami_secret_file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise OptionsError(f"system.ami_secret_file: {system.ami_secret_file}: {reason}") from None
    return lines[0] if lines else ""
