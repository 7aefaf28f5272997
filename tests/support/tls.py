"""Certificates for the tests: good ones, and each kind of bad one, all made on the spot by trustme."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate chain and its key, both in PEM."""

    cert: Path
    key: Path


class Authority:
    """A certificate authority that nobody but the tests trusts; its files lie in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = trustme.CA()
        folder.mkdir(parents=True, exist_ok=True)
        self.ca_file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.ca_file)

    @cached_property
    def good(self) -> KeyPair:
        """For localhost and 127.0.0.1, valid."""
        return self._issue("good", "localhost", "127.0.0.1")

    @cached_property
    def expired(self) -> KeyPair:
        """For the right names, but it ran out a day ago."""
        return self._issue("expired", "localhost", "127.0.0.1", age=timedelta(days=-1))

    @cached_property
    def wrong_name(self) -> KeyPair:
        """Valid, but for another host."""
        return self._issue("wrong-name", "mail.example.org")

    @cached_property
    def self_signed(self) -> KeyPair:
        """For the right names, but vouched for by nobody but itself."""
        return Authority(self._folder / "itself").good

    def server_context(self, pair: KeyPair | None = None) -> ssl.SSLContext:
        """Return a context with which a server shows ``pair`` (the good one if left out)."""
        shown = pair or self.good
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown.cert, shown.key)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return a context with which a client trusts this authority and no other."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def _issue(self, label: str, *names: str, age: timedelta | None = None) -> KeyPair:
        ends = datetime.now(UTC) + age if age is not None else None
        issued = self._ca.issue_cert(*names, not_after=ends)
        pair = KeyPair(self._folder / f"{label}.pem", self._folder / f"{label}.key")
        pair.cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(pair.key)
        return pair
