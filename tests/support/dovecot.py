"""Dovecot 2.3 from Debian's packages: the main server of the tests, with every extension the engine uses.

Runs as root or as any user. Failure delays are off, because tests log in wrongly on purpose.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import pwd
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template

from tests.support.base import (
    AbsentError,
    Found,
    Server,
    declared,
    free_ports,
    greets,
    output,
    process,
    state_folder,
)
from tests.support.tls import Authority

SECRET = b"a secret that only these tests know, 0123456789"
CONF = Template((Path(__file__).parent / "dovecot.conf").read_text())
OAUTH2 = """\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={folder}/keys/
username_attribute = sub
username_format = %n
"""


class Dovecot(Server):
    """A running Dovecot. Its users' mail lies under ``state / "mail" / user``."""

    def token(self, user: str, *, lifetime: int = 3600, secret: bytes = SECRET) -> str:
        """Return a JSON Web Token (HS256) for XOAUTH2 or OAUTHBEARER; a negative lifetime is expired."""
        now = int(time.time())
        claims = {"sub": user, "iat": now - 7200, "nbf": now - 7200, "exp": now + lifetime}
        signed = b".".join([_part({"alg": "HS256", "typ": "JWT"}), _part(claims)])
        seal = hmac.new(secret, signed, hashlib.sha256).digest()
        return b".".join([signed, _base64url(seal)]).decode()


def find() -> Found:
    """Return the Dovecot of this machine, or raise ``AbsentError``."""
    program = _program()
    parts = [name for name in ("imap", "pop3", "lmtp") if not Path(f"/usr/lib/dovecot/{name}").exists()]
    if program is None or parts:
        raise AbsentError("dovecot-imapd, dovecot-pop3d and dovecot-lmtpd are not installed")
    return Found(output(program, "--version").split(" ")[0], "package")


@contextmanager
def start(authority: Authority, *, layout: str = "maildir", extra: str = "") -> Iterator[Dovecot]:
    """Run a Dovecot that stores as ``layout`` (maildir, mdbox, sdbox), ``extra`` added to its settings."""
    find()
    program = _program()
    users = declared(2000)
    with state_folder("dovecot") as folder:
        ports = dict(zip(("imap", "imaps", "pop3", "pop3s", "lmtp"), free_ports(5), strict=True))
        _lay_out(folder, users=[(login.user, login.password) for login in users])
        location = "maildir:~/Maildir" if layout == "maildir" else f"{layout}:~/{layout}"
        names = {f"{name}_port": port for name, port in ports.items()} | _identity()
        conf = CONF.substitute(
            names,
            folder=folder,
            location=location,
            cert=authority.good.cert,
            key=authority.good.key,
            extra=extra,
        )
        (folder / "dovecot.conf").write_text(conf)
        argv = [str(program), "-F", "-c", str(folder / "dovecot.conf")]
        with process(argv, log=folder / "dovecot.log", ready=lambda: greets(ports["imap"], b"* OK")):
            yield Dovecot(
                name="dovecot" if layout == "maildir" else f"dovecot-{layout}",
                imap_port=ports["imap"],
                imaps_port=ports["imaps"],
                pop3_port=ports["pop3"],
                pop3s_port=ports["pop3s"],
                lmtp_port=ports["lmtp"],
                ca_file=authority.ca_file,
                users=iter(users),
                state=folder,
            )


def _program() -> str | None:
    return shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin")


def _lay_out(folder: Path, *, users: list[tuple[str, str]]) -> None:
    for name in ("run", "mail", "keys/default/HS256"):
        (folder / name).mkdir(parents=True)
    (folder / "keys/default/HS256/default").write_bytes(base64.b64encode(SECRET))
    (folder / "oauth2.conf.ext").write_text(OAUTH2.format(folder=folder))
    (folder / "users").write_text("".join(f"{user}:{{PLAIN}}{password}::::::\n" for user, password in users))
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder / "mail", nobody.pw_uid, nobody.pw_gid)


def _identity() -> dict[str, object]:
    """Who runs what: Debian's own users when started as root, else the one who starts it."""
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        return {
            "internal_user": "dovecot",
            "login_user": "dovenull",
            "uid": nobody.pw_uid,
            "gid": nobody.pw_gid,
        }
    me = pwd.getpwuid(os.getuid())
    return {"internal_user": me.pw_name, "login_user": me.pw_name, "uid": me.pw_uid, "gid": me.pw_gid}


def _part(value: object) -> bytes:
    return _base64url(json.dumps(value).encode())


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
