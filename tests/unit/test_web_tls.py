"""The pages by TLS of their own, and behind a proxy that has it."""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from syncengine.engine.engine import Engine
from syncengine.errors import UsageError
from syncengine.web.audit import Audit
from syncengine.web.door import Access
from syncengine.web.server import Tls, WebServer, tls_of
from tests.support.commands import installed, one_line, ran_here
from tests.support.tls import Authority


@pytest.fixture
def config(tmp_path: Path) -> Path:
    installed(tmp_path / "here")
    return tmp_path / "here" / "syncengine.toml"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    found = Authority(tmp_path / "tls")
    found.good.key.chmod(0o600)
    return found


@contextmanager
def served(config: Path, tls: Tls, password: str | None = None) -> Iterator[tuple[Engine, WebServer]]:
    with Engine.open(config) as engine:
        server = WebServer(engine, config, Access(password=password), host="127.0.0.1", port=0, tls=tls)
        try:
            yield engine, server
        finally:
            server.stop()


def get(connection: http.client.HTTPConnection, **headers: str) -> http.client.HTTPResponse:
    try:
        connection.request("GET", "/", headers={name.replace("_", "-"): v for name, v in headers.items()})
        response = connection.getresponse()
        response.read()
    finally:
        connection.close()
    return response


def test_with_tls_the_cookie_stays_on_it(config, authority):
    pair = authority.good
    with served(config, tls_of(str(pair.cert), str(pair.key), None)) as (_, server):
        where = urlsplit(server.url)
        assert where.scheme == "https"
        context = authority.client_context()
        answer = get(http.client.HTTPSConnection("127.0.0.1", where.port, context=context, timeout=20))
        assert answer.status == 200
        assert answer.headers["Set-Cookie"].endswith("; Secure")
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        with pytest.raises((http.client.HTTPException, OSError)):
            get(http.client.HTTPConnection("127.0.0.1", where.port, timeout=20))
        with pytest.deprecated_call():
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(OSError):
            get(http.client.HTTPSConnection("127.0.0.1", where.port, context=context, timeout=20))


@pytest.mark.parametrize("proxy", [None, "127.0.0.1"])
def test_a_proxy_is_believed_where_that_was_said_and_nowhere_else(config, proxy):
    with served(config, tls_of(None, None, proxy), "correct horse") as (engine, server):
        port = urlsplit(server.url).port

        def connection() -> http.client.HTTPConnection:
            return http.client.HTTPConnection("127.0.0.1", port, timeout=20)

        forwarded = {"X_Forwarded_Proto": "https", "X_Forwarded_For": "198.51.100.7, 203.0.113.9"}
        known = {"Authorization": "Basic " + base64.b64encode(b"olga:correct horse").decode()}
        answer = get(connection(), **forwarded, **known)
        assert answer.headers["Set-Cookie"].endswith("; Secure") is (proxy is not None)
        assert ("Strict-Transport-Security" in answer.headers) is (proxy is not None)
        asking = connection()
        body = '{"how": "dry-run"}'
        sent = {"Content-Type": "application/json", "X-Forwarded-For": forwarded["X_Forwarded_For"]} | known
        asking.request("POST", "/api/mailboxes/101/resync", body, sent)
        assert asking.getresponse().read()
        asking.close()
        (line,) = Audit(engine.state_dir).newest()
        # The last one is the proxy's own word; what stands before it anybody may have written.
        assert line["address"] == ("203.0.113.9" if proxy else "127.0.0.1")


def test_nobody_is_let_in_by_a_proxy_without_users(config):
    with Engine.open(config) as engine, pytest.raises(UsageError, match="by a proxy"):
        tls = tls_of(None, None, "127.0.0.1")
        WebServer(engine, config, Access(), host="127.0.0.1", port=0, tls=tls)


def test_a_name_without_users_is_warned_of(config, caplog):
    with Engine.open(config) as engine:
        WebServer(engine, config, Access(frozenset({"voice.example"})), host="127.0.0.1", port=0).stop()
    assert "whoever reaches the pages as voice.example may change everything" in caplog.text


def test_files_that_cannot_be_used_are_one_line(config, authority, tmp_path):
    pair, nothing = authority.good, tmp_path / "nothing"
    nothing.write_text("")
    nothing.chmod(0o600)
    for cert, key in ((pair.cert, None), (None, pair.key), (pair.cert, nothing), (nothing, pair.key)):
        with pytest.raises(UsageError, match="--tls"):
            tls_of(cert and str(cert), key and str(key), None)
    with pytest.raises(UsageError, match="--tls"):
        tls_of(str(tmp_path / "none"), str(pair.key), None)
    with pytest.raises(UsageError, match="--trusted-proxy"):
        tls_of(None, None, "*")
    ran = ran_here("--config", config, "web", "--tls-cert", pair.cert)
    assert ran.code == 2
    assert one_line(ran.err)
    pair.key.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        tls_of(str(pair.cert), str(pair.key), None)


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(authority, tmp_path):
    from cryptography.hazmat.primitives import serialization

    plain = serialization.load_pem_private_key(authority.good.key.read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"x"),
        )
    )
    locked.chmod(0o600)
    with pytest.raises(UsageError, match="encrypted"):
        tls_of(str(authority.good.cert), str(locked), None)
