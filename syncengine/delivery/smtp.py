"""One attempt to hand one message to an SMTP server: the manual's sequence (pages 9-10), per recipient.

Invariant: the final dot is sent only after the whole message, and after a fault in the message the
connection is closed with neither dot nor QUIT; what each answer means is decided by
:mod:`syncengine.rules.replies` alone. Nothing here raises for what a server says or fails to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from syncengine.delivery.account import SmtpSettings
from syncengine.delivery.addresses import envelope_address, xtext
from syncengine.delivery.session import Session, Stop
from syncengine.delivery.wire import Reply, canonical, reply_of
from syncengine.model import Token
from syncengine.rules.replies import Fault, Phase, Result, gravest, verdict

_LATE_REPLY = 1.0
"""Seconds to wait for the reason of a server that stopped reading the message."""


@dataclass(frozen=True, slots=True)
class RecipientOutcome:
    """What became of one recipient; ``address`` as the caller gave it, ``reply`` one line without secrets."""

    address: str
    result: Result
    reply: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one attempt. ``recipients`` in the caller's order, each once."""

    recipients: tuple[RecipientOutcome, ...]
    phase: Phase
    """How far the session came."""
    without_sound: bool = False
    """Whether the smaller message was tried, because the server would not take the whole."""
    broken: bool = False
    """Whether the connection was lost or the server was closing it: the next message would fare no better."""

    @property
    def result(self) -> Result:
        """What the attempt asks to be done next: the gravest of its recipients' results."""
        return gravest(tuple(outcome.result for outcome in self.recipients))

    @property
    def last_reply(self) -> str:
        """What the server said that made ``result``, or what was wrong, as ``server:port: ...``."""
        return next((outcome.reply for outcome in self.recipients if outcome.result is self.result), "")


def attempt(
    message: bytes,
    without_sound: Callable[[], bytes] | None,
    recipients: Sequence[str],
    settings: SmtpSettings,
    *,
    token: Token,
    on_data: Callable[[tuple[str, ...]], None],
    on_progress: Callable[[], None],
) -> Attempt:
    """Try once to hand over ``message``; what the server finds too large once more as ``without_sound()``.

    ``on_data`` is called with the recipients that were accepted, right before the first octet of the
    message goes out; ``on_progress`` every few seconds while bytes flow or are waited for. What they
    raise closes the connection, without the final dot if that is not out yet, and passes through (an
    ``OSError`` of ``on_progress`` counts as a lost connection).
    """
    first = _Transaction(settings, token, on_data, on_progress).run(message, recipients)
    large = [outcome.address for outcome in first.recipients if outcome.result is Result.TOO_LARGE]
    if not large or without_sound is None:
        return _final(first)
    # A connection of its own, because some servers close theirs after 552.
    second = _Transaction(settings, token, on_data, on_progress).run(without_sound(), large)
    better = {outcome.address: outcome for outcome in second.recipients}
    merged = tuple(better.get(outcome.address, outcome) for outcome in first.recipients)
    return _final(replace(second, recipients=merged, without_sound=True))


def _final(tried: Attempt) -> Attempt:
    """Return the attempt with nothing smaller left to send: too large is a failure."""
    settled = tuple(
        replace(outcome, result=Result.FAILURE) if outcome.result is Result.TOO_LARGE else outcome
        for outcome in tried.recipients
    )
    return replace(tried, recipients=settled)


class _Transaction:
    """One connection with one message."""

    def __init__(
        self,
        settings: SmtpSettings,
        token: Token,
        on_data: Callable[[tuple[str, ...]], None],
        on_progress: Callable[[], None],
    ) -> None:
        self._session = Session(settings, on_progress)
        self._wire = self._session.wire
        self._token = token
        self._on_data = on_data
        self._settled: dict[str, RecipientOutcome] = {}

    def run(self, message: bytes, recipients: Iterable[str]) -> Attempt:
        """Go through the whole sequence and return what became of each recipient."""
        session, wanted = self._session, tuple(dict.fromkeys(recipients))
        with closing(self._wire):
            try:
                self._converse(canonical(message), wanted)
                polite = True
            except Stop as stop:
                self._settle(wanted, stop.phase, stop.reply)
                polite = stop.polite
            if polite:
                session.quit()
        settled = tuple(self._settled[address] for address in wanted)
        return Attempt(settled, session.phase, broken=not polite)

    def _converse(self, message: bytes, recipients: Sequence[str]) -> None:
        sender, paths = self._addresses(recipients)
        if not paths:
            return
        self._session.open()
        self._mail(sender, len(message), utf8=not all(path.isascii() for path in paths.values()))
        accepted = [address for address, path in paths.items() if self._rcpt(address, path)]
        if accepted:
            self._hand_over(message, tuple(accepted))
            self._settle(accepted, Phase.END, self._session.last)

    def _addresses(self, recipients: Sequence[str]) -> tuple[str, dict[str, str]]:
        """Return the sender and the recipients as the envelope has them; refuse what cannot stand there."""
        try:
            sender = envelope_address(self._session.settings.mail_from)
        except ValueError as error:
            self._session.stop(Phase.MAIL, Fault.BAD_ADDRESS, f"the sender's address is refused: {error}")
        paths = {}
        for address in recipients:
            try:
                paths[address] = envelope_address(address)
            except ValueError as error:
                refused = Reply(Fault.BAD_ADDRESS, f"the recipient's address is refused: {error}")
                self._settle([address], Phase.RCPT, refused)
        return sender, paths

    def _mail(self, sender: str, size: int, *, utf8: bool) -> None:
        """Give the sender; ``utf8``: a recipient's address is not ASCII (RFC 6531 section 3.4)."""
        wire, session = self._wire, self._session
        limit = _number(wire.esmtp_features.get("size", ""))
        if limit and size > limit:
            text = f"the message has {size} octets, the server takes {limit}"
            session.stop(Phase.MAIL, Fault.OVERSIZE, text)
        if not sender.isascii() and not wire.has_extn("smtputf8"):
            session.stop(Phase.MAIL, Fault.NOT_OFFERED, "the sender's address needs SMTPUTF8")
        options = [f" SIZE={size}"] if wire.has_extn("size") else []
        if wire.has_extn("dsn"):
            options.append(f" RET=HDRS ENVID={xtext(self._token)}")
        if wire.has_extn("smtputf8") and (utf8 or not sender.isascii()):
            options.append(" SMTPUTF8")
        with session.within(Phase.MAIL):
            session.expect(wire.ask(f"MAIL FROM:<{sender}>{''.join(options)}"))

    def _rcpt(self, address: str, path: str) -> bool:
        """Ask for one recipient; settle it unless it was accepted."""
        wire, session = self._wire, self._session
        if not path.isascii() and not wire.has_extn("smtputf8"):
            refused = Reply(Fault.NOT_OFFERED, "the recipient's address needs SMTPUTF8, the server has none")
            self._settle([address], Phase.RCPT, refused)
            return False
        options = ""
        if wire.has_extn("dsn"):
            options = " NOTIFY=FAILURE,DELAY"
            options += f" ORCPT=rfc822;{xtext(path)}" if path.isascii() else ""
        with session.within(Phase.RCPT):
            session.last = reply = wire.ask(f"RCPT TO:<{path}>{options}")
        if reply.code == 421:
            raise Stop(Phase.RCPT, reply)
        if verdict(Phase.RCPT, reply.code) is Result.SUCCESS:
            return True
        self._settle([address], Phase.RCPT, reply)
        return False

    def _hand_over(self, message: bytes, accepted: tuple[str, ...]) -> None:
        wire, session = self._wire, self._session
        with session.within(Phase.DATA):
            session.expect(wire.ask("DATA"))
        self._on_data(accepted)
        try:
            wire.send_body(message)
        except OSError as error:
            raise self._interrupted(error) from error
        with session.within(Phase.END):
            session.expect(wire.end_message())

    def _interrupted(self, error: OSError) -> Stop:
        """Return why the message could not be sent: the server's refusal, if it left one, else the fault.

        Either way nothing more is sent: no dot, no QUIT (manual page 9).
        """
        session = self._session
        try:
            reply = reply_of(self._wire.reply_within(_LATE_REPLY))
        except OSError:
            reply = Reply(Fault.SILENCE, f"the connection broke while the message was sent ({error})")
        refused = isinstance(reply.code, int) and reply.code >= 400
        session.last = reply
        return Stop(Phase.END if refused else Phase.DATA, reply, polite=False)

    def _settle(self, addresses: Iterable[str], phase: Phase, reply: Reply) -> None:
        """Note what ``reply`` means for those of ``addresses`` that nothing was noted for."""
        result = verdict(phase, reply.code)
        for address in addresses:
            self._settled.setdefault(address, RecipientOutcome(address, result, str(reply)))


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 20 else 0
