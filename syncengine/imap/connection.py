"""One connection to one server: opened, logged in, commands in, values out.

Every failure of the line (timeout, end of stream, BYE, bytes that cannot be read) raises
``ConnectionLost`` or ``Throttled`` and leaves the object dead. No error or trace holds a secret.
"""

from __future__ import annotations

import base64
import imaplib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

from syncengine.errors import AuthenticationFailed, ConnectionLost, Throttled
from syncengine.imap.channel import Channel, Trace
from syncengine.imap.commands import COMPRESS, Command, Reply, Untagged, command, login_command
from syncengine.imap.errors import WireError
from syncengine.imap.failures import lost, pause, scrubbed
from syncengine.imap.login import Proof, challenge, login_words, proof
from syncengine.imap.responses import Condition, ServerBye
from syncengine.imap.settings import AccountSettings, Authentication
from syncengine.imap.transport import Client, tls_context
from syncengine.imap.wire import capability_words, completion, parse
from syncengine.model import Security, Traffic

First = Callable[[frozenset[str]], Sequence[Command]]
"""The first commands, given the server's capabilities."""


class Connection:
    """A logged-in connection, used by one thread at a time."""

    def __init__(self, settings: AccountSettings, *, trace: Trace | None = None) -> None:
        self.settings = settings
        self.capabilities: frozenset[str] = frozenset()
        """What may be used: offered and not masked."""
        self.offered: frozenset[str] = frozenset()
        """What the server offered: worth knowing next time (``known_capabilities``)."""
        self.qresync = False
        """Whether QRESYNC is enabled."""
        self._trace = trace
        self._channel: Channel | None = None
        self._traffic = Traffic()
        self._exists: int | None = None
        self._idle_tag = b""
        self._secrets: tuple[str, ...] = ()

    def open(self, first: First) -> Reply:
        """Connect, log in, ENABLE QRESYNC where offered.

        What ``first`` gives for the capabilities travels together with ENABLE, and with the login too
        where the server is known from before; its reply is returned. Raises
        ``AuthenticationFailed``, ``Throttled``, ``ConnectionLost``.
        """
        with self._guarded("cannot be reached or used"):
            channel = self._connect()
            if not self.offered:
                self._offer(self.settings.known_capabilities or self._ask_capabilities(channel))
        return self._heeded(self._log_in(channel, first))

    def run(self, commands: Sequence[Command]) -> Reply:
        """Send ``commands`` together and wait for all of them.

        Refusals are results; a request to come back later raises ``Throttled``, whatever breaks the
        stream ``ConnectionLost``.
        """
        with self._guarded("connection lost"):
            channel = self._alive()
            if self._idle_tag:
                raise WireError("a command during IDLE")
            enabling = self._enabling()
            untagged = Untagged(exists=self._exists)
            reply = self._after(channel.exchange([*enabling, *commands], untagged), len(commands))
        return self._heeded(reply)

    def run_ahead(self, item: Command, then: Command | None) -> Reply:
        """As :meth:`run` with ``item`` alone, but ``then``, which is to be run next, is sent already."""
        with self._guarded("connection lost"):
            channel = self._alive()
            if self._idle_tag or self._enabling():
                raise WireError("a command where none can be sent ahead")
            reply = channel.answer(item, then, Untagged(exists=self._exists))
            self._exists = reply.untagged.exists
        return self._heeded(reply)

    def compressing(self) -> list[Command]:
        """COMPRESS where it is offered and not in force, to go last with other commands."""
        line = self._alive().transport
        return [] if line.deflated or "COMPRESS=DEFLATE" not in self.capabilities else [COMPRESS]

    def without(self, *words: str) -> None:
        """Stop using capabilities that turned out not to work."""
        self.capabilities -= frozenset(words)

    @property
    def traffic(self) -> Traffic:
        """What went over the line so far."""
        if self._channel is not None:
            line = self._channel.transport
            self._traffic = Traffic(line.round_trips, line.bytes_in, line.bytes_out)
        return self._traffic

    @property
    def alive(self) -> bool:
        """Whether commands can be run."""
        return self._channel is not None

    @property
    def exists(self) -> int | None:
        """How many messages the open folder holds, as told last."""
        return self._exists

    def close(self) -> None:
        """Log out, waiting two seconds at most; never raises."""
        if self._channel is None:
            return
        try:
            line = self._channel.transport
            line.sock.settimeout(min(2.0, self.settings.timeout))
            if self._idle_tag:
                line.send(b"DONE\r\n")
            tag = self._channel.next_tag()
            line.send(tag + b" LOGOUT\r\n")
            while not line.readline().upper().startswith((b"* BYE", tag.upper() + b" ")):
                pass
        except (OSError, imaplib.IMAP4.error):
            pass
        finally:
            self.drop()

    def drop(self) -> None:
        """Give the connection up without a word."""
        if self._channel is not None:
            _ = self.traffic
            self._channel.transport.shutdown()
            self._channel = None

    # IDLE (RFC 2177)

    def idle_start(self) -> None:
        """Let the server tell of changes in the open folder; until ``idle_done`` no command can run."""
        with self._guarded("connection lost"):
            channel = self._alive()
            tag = channel.next_tag()
            channel.write(tag + b" IDLE\r\n")
            untagged = Untagged(exists=self._exists)
            while (parts := channel.response())[0][:1] != b"+":
                if done := completion(parts[0]):
                    raise WireError(f"IDLE refused: {done.text}")
                channel.take(parts, untagged)
            self._idle_tag = tag

    def idle_lines(self, timeout: float = 0.0) -> tuple[bytes, ...]:
        """What the server has told, waiting at most ``timeout`` seconds for the first of it.

        Whole responses only (their first line); ``* OK Still here`` is nothing told.
        """
        told: list[bytes] = []
        with self._guarded("connection lost"):
            channel = self._alive()
            channel.transport.wait(timeout)
            while channel.transport.has_line():
                self._told(channel, channel.response(), told)
        return tuple(told)

    def idle_done(self) -> tuple[bytes, ...]:
        """End IDLE; returns what was told meanwhile."""
        told: list[bytes] = []
        with self._guarded("connection lost"):
            channel = self._alive()
            channel.write(b"DONE\r\n")
            while True:
                parts = channel.response()
                done = completion(parts[0])
                if done and done.tag == self._idle_tag:
                    self._idle_tag = b""
                    return tuple(told)
                self._told(channel, parts, told)

    def within_idle(self, commands: Sequence[Command]) -> tuple[Reply, bool]:
        """End IDLE, run ``commands`` and begin it anew, all in one write; and whether a change was told.

        For servers that take commands together; none of ``commands`` may have literals.
        """
        with self._guarded("connection lost"):
            channel = self._alive()
            reply, begun, told = channel.within(self._idle_tag, commands, Untagged(exists=self._exists))
            self._idle_tag = begun
            told |= reply.untagged.exists != self._exists
            self._exists = reply.untagged.exists
        return self._heeded(reply), told

    @property
    def idling(self) -> bool:
        """Whether IDLE is under way."""
        return bool(self._idle_tag)

    def fileno(self) -> int:
        """For a selector; ask ``has_buffered`` before every wait."""
        return self._alive().transport.sock.fileno()

    def has_buffered(self) -> bool:
        """Whether something waits to be read that a selector cannot see."""
        return self._channel is not None and self._channel.transport.has_buffered()

    # inside

    def _log_in(self, channel: Channel, first: First) -> Reply:
        secret = self.settings.secret()
        self._secrets = (secret, base64.b64encode(secret.encode()).decode())
        with self._guarded("login failed"):
            if self._known_before(secret):
                return self._login_together(channel, secret, first)
            conversation = self._conversation(secret)
            untagged = Untagged()
            self._logged_in(self._authenticate(channel, conversation, secret, untagged), untagged)
            commands = first(self.capabilities)
            return self._after(self._begin(channel, [], commands), len(commands))

    def _connect(self) -> Channel:
        host, port = self.settings.endpoint
        security = self.settings.security
        context = None if security is Security.NONE else tls_context(self.settings.ca_file)
        at_once = context if security is Security.TLS else None
        transport = Client(
            host, port, timeout=self.settings.timeout, context=at_once, told=self.settings.on_socket
        ).transport
        self._channel = channel = Channel(transport, self._trace)
        if transport.state != "NONAUTH":
            raise WireError("the server greeted with PREAUTH, as somebody else")
        if self._trace:
            self._trace("S", transport.welcome or b"")
        if context is not None and security is Security.STARTTLS:
            # What was said before TLS counts for nothing afterwards (RFC 9051 section 6.2.1).
            if not channel.exchange([command(b"STARTTLS")], Untagged()).ok:
                raise WireError("the server refuses STARTTLS; set security to tls")
            transport.start_tls(context)
            return channel
        self._offer(capability_words(transport.greeted))
        return channel

    def _ask_capabilities(self, channel: Channel) -> frozenset[str]:
        untagged = channel.exchange([command(b"CAPABILITY")], Untagged()).untagged
        return untagged.words.get("CAPABILITY", frozenset())

    def _offer(self, words: frozenset[str]) -> None:
        self.offered = _shared(self.offered | words)
        self.capabilities = _shared(words - self.settings.mask)
        if self._channel:
            largest = {"LITERAL+": 1 << 62, "LITERAL-": 4096}
            self._channel.literals = max((largest.get(word, 0) for word in self.capabilities), default=0)

    def _begin(self, channel: Channel, login: Sequence[Command], commands: Sequence[Command]) -> Reply:
        """``login``, ENABLE and ``commands`` in one write; COMPRESS last, where wanted: it costs no trip."""
        compressing = self.compressing() if self.settings.compress else []
        sent = [*login, *self._enabling(), *commands, *compressing]
        reply = channel.exchange(sent, Untagged(), gate=bool(login))
        if not compressing or len(reply.results) < len(sent):
            return reply
        return Reply(reply.results[:-1], reply.untagged, reply.tags[:-1])

    def _known_before(self, secret: str) -> bool:
        """Whether login and first commands may travel together: only behind a plain LOGIN command.

        Nothing may follow AUTHENTICATE before its end (Cyrus then reads the rest as another login), and
        Courier loses what follows LOGIN; servers with LIST-STATUS, where it pays most, take it.
        """
        settings = self.settings
        return (
            "LIST-STATUS" in settings.known_capabilities
            and settings.authentication in (Authentication.PLAIN, Authentication.LOGIN)
            and "LOGINDISABLED" not in self.capabilities
            and (settings.account + secret).isascii()
        )

    def _conversation(self, secret: str) -> Proof | None:
        """How to log in; None for the LOGIN command."""
        (host, port), account = self.settings.endpoint, self.settings.account
        wanted = self.settings.authentication
        if "\0" in account + secret:
            raise AuthenticationFailed(f"{host}: a NUL in account or password")
        if wanted not in (Authentication.PLAIN, Authentication.LOGIN):
            return proof(wanted, account=account, secret=secret, host=host, port=port)
        if wanted is Authentication.PLAIN and "AUTH=PLAIN" in self.capabilities:
            return proof(wanted, account=account, secret=secret, host=host, port=port)
        if "LOGINDISABLED" not in self.capabilities:
            return None
        if "AUTH=LOGIN" in self.capabilities:
            return login_words(account, secret)
        raise AuthenticationFailed(
            f"{host}: the server takes no password here; set security to tls or starttls"
        )

    def _login_together(self, channel: Channel, secret: str, first: First) -> Reply:
        """Login, ENABLE and ``first`` in one write, trusting what the server offered last time."""
        start = login_command(self.settings.account, secret)
        self._offer(self.settings.known_capabilities)
        commands = first(self.capabilities)
        reply = self._begin(channel, [start], commands)
        self._logged_in(reply.results[0], reply.untagged)
        return self._after(Reply(reply.results[1:], reply.untagged, reply.tags[1:]), len(commands))

    def _authenticate(
        self, channel: Channel, conversation: Proof | None, secret: str, untagged: Untagged
    ) -> Condition:
        if conversation is None:
            return channel.exchange([login_command(self.settings.account, secret)], untagged).results[0]
        tag = channel.next_tag()
        line = tag + b" AUTHENTICATE " + conversation.mechanism.encode()
        initial = b""
        if conversation.initial is not None and "SASL-IR" in self.capabilities:
            initial = b" " + (base64.b64encode(conversation.initial) or b"=")
        channel.write(line + initial + b"\r\n", shown=line + (b" ***" if initial else b""))
        while True:
            parts = channel.response(secret=True)
            done = completion(parts[0])
            if parts[0][:1] == b"+":
                answer = conversation.answer(challenge(parts[0]))
                channel.write(base64.b64encode(answer) + b"\r\n", shown=b"***")
            elif done is None:
                channel.take(parts, untagged)
            elif done.tag == tag:
                return done
            else:
                raise WireError("an answer to something else than the login")

    def _logged_in(self, result: Condition, untagged: Untagged) -> None:
        if not result.ok:
            seconds = pause(result)
            text = (
                f"{self.settings.host}: login refused: {self._safe(result.text).rstrip('.') or result.status}"
            )
            if seconds is not None:
                raise Throttled(text, seconds)
            raise AuthenticationFailed(f"{text}; check account, password and authentication")
        told = untagged.words.get("CAPABILITY", frozenset())
        if result.code == "CAPABILITY":
            told = capability_words(result.arguments)
        elif "CAPABILITY" in untagged.codes and not told:
            told = capability_words(untagged.codes["CAPABILITY"])
        self._offer(told or self._ask_capabilities(self._alive()))

    def _enabling(self) -> list[Command]:
        """ENABLE QRESYNC, once, before the first SELECT (RFC 7162 section 3.2.3)."""
        if self.qresync or not {"ENABLE", "QRESYNC"} <= self.capabilities:
            return []
        return [command(b"ENABLE QRESYNC")]

    def _after(self, reply: Reply, keep: int) -> Reply:
        """Note what was enabled, and drop the completions of what was not asked for by the caller."""
        if "QRESYNC" in reply.untagged.words.get("ENABLED", frozenset()):
            self.qresync = True
            self._alive().forget_on_select = False
        elif len(reply.results) > keep and "QRESYNC" in self.capabilities:
            # Offered and not given: iCloud answers ENABLE with an empty list.
            self.capabilities -= {"QRESYNC"}
        self._exists = reply.untagged.exists
        skip = len(reply.results) - keep
        return Reply(reply.results[skip:], reply.untagged, reply.tags[skip:])

    def _heeded(self, reply: Reply) -> Reply:
        """``reply``, unless the server asked to come back later."""
        for result in reply.results:
            seconds = None if result.ok else pause(result)
            if seconds is not None:
                raise Throttled(f"{self.settings.host}: {self._safe(result.text)}", seconds)
        return reply

    def _told(self, channel: Channel, parts: list[bytes], told: list[bytes]) -> None:
        response = parse(parts)
        if isinstance(response, Condition):
            channel.take(parts, Untagged())
        else:
            told.append(parts[0])

    def _alive(self) -> Channel:
        if self._channel is None:
            raise ConnectionLost(f"{self.settings.host}: not connected")
        return self._channel

    @contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        """Map every failure of the line; whatever is raised, nothing half-read is used again."""
        host, port = self.settings.endpoint
        try:
            yield
        except (OSError, imaplib.IMAP4.error, WireError, ServerBye) as error:
            self.drop()
            raise lost(error, f"{host}:{port}", what, self._secrets) from error
        except BaseException:
            self.drop()
            raise

    def _safe(self, text: str) -> str:
        return scrubbed(text, self._secrets)


@lru_cache(maxsize=64)
def _shared(words: frozenset[str]) -> frozenset[str]:
    """The same object for the same capabilities: thousands of kept connections have few kinds of servers."""
    return words
