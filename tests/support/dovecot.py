"""Dovecot 2.3: the main server of the tests, with every extension that the engine uses.

It is the machine's own, as root or as any user; where that is of another version, it runs in a Debian folder
of its own, since the language of its settings changed with 2.4. Failure delays are off, because tests log in
wrongly on purpose.
"""

from __future__ import annotations

import base64
import grp
import hashlib
import hmac
import json
import os
import pwd
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from string import Template

from tests.support import chroot
from tests.support.base import (
    AbsentError,
    Found,
    Login,
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
PROGRAM = shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin") or "/usr/sbin/dovecot"
PARTS = Path("/usr/lib/dovecot")
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
    version = output(PROGRAM, "--version").split(" ")[0]
    if version.startswith("2.3.") and all((PARTS / name).exists() for name in ("imap", "pop3", "lmtp")):
        return Found(version, "package")
    try:
        return chroot.find("dovecot")
    except AbsentError as error:
        raise AbsentError(f"Dovecot 2.3 with pop3d and lmtpd is not installed, and {error}") from None


def has_sieve() -> bool:
    """Whether this Dovecot runs its users' rules (RFC 5228), by Pigeonhole."""
    plugin = (PARTS / "modules" / "lib90_sieve_plugin.so").relative_to("/")
    root = chroot.root("dovecot") if find().way == "chroot" else Path("/")
    return (root / plugin).exists()


@contextmanager
def start(authority: Authority, *, layout: str = "maildir", extra: str = "") -> Iterator[Dovecot]:
    """Run a Dovecot that stores as ``layout`` (maildir, mdbox, sdbox), ``extra`` added to its settings."""
    users = declared(2000)
    ports = dict(zip(("imap", "imaps", "pop3", "pop3s", "lmtp"), free_ports(5), strict=True))
    with state_folder("dovecot") as state:
        inside = Path("/srv/state") if find().way == "chroot" else state
        _lay_out(state, inside, authority, users)
        location = "maildir:~/Maildir" if layout == "maildir" else f"{layout}:~/{layout}"
        listeners = {f"{name}_port": port for name, port in ports.items()}
        conf = CONF.substitute(listeners | _identity(), folder=inside, location=location, extra=extra)
        (state / "dovecot.conf").write_text(conf)
        with _running(state, inside, ready=lambda: greets(ports["imap"], b"* OK")):
            yield Dovecot(
                name="dovecot" if layout == "maildir" else f"dovecot-{layout}",
                imap_port=ports["imap"],
                imaps_port=ports["imaps"],
                pop3_port=ports["pop3"],
                pop3s_port=ports["pop3s"],
                lmtp_port=ports["lmtp"],
                ca_file=authority.ca_file,
                users=iter(users),
                state=state,
            )


def _running(state: Path, inside: Path, *, ready: Callable[[], bool]) -> AbstractContextManager[object]:
    command = [PROGRAM, "-F", "-c", str(inside / "dovecot.conf")]
    if inside == state:
        return process(command, log=state / "dovecot.log", ready=ready)
    return chroot.run("dovecot", state=state, boot=" ".join(command) + "\n", ready=ready)


def _lay_out(state: Path, inside: Path, authority: Authority, users: list[Login]) -> None:
    for name in ("run", "mail", "keys/default/HS256"):
        (state / name).mkdir(parents=True)
    shutil.copy(authority.good.cert, state / "cert.pem")
    shutil.copy(authority.good.key, state / "key.pem")
    (state / "keys/default/HS256/default").write_bytes(base64.b64encode(SECRET))
    (state / "oauth2.conf.ext").write_text(OAUTH2.format(folder=inside))
    (state / "users").write_text(
        "".join(f"{login.user}:{{PLAIN}}{login.password}::::::\n" for login in users)
    )
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(state / "mail", nobody.pw_uid, nobody.pw_gid)


def _identity() -> dict[str, object]:
    """Who runs what: Debian's own users when started as root, else the one who starts it."""
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        inner, outer, uid, gid = "dovecot", "dovenull", nobody.pw_uid, nobody.pw_gid
        group = inner
    else:
        uid, gid = os.getuid(), os.getgid()
        inner = outer = pwd.getpwuid(uid).pw_name
        group = grp.getgrgid(gid).gr_name
    return {"internal_user": inner, "internal_group": group, "login_user": outer, "uid": uid, "gid": gid}


def _part(value: object) -> bytes:
    return _base64url(json.dumps(value).encode())


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
