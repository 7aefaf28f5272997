"""Courier IMAP 5.0 in a Debian folder of its own: no MOVE, no CONDSTORE, all folders below ``INBOX.``.

It breaks connections whose command lines are longer than 16 kB, and makes up messages that are gone.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template

from tests.support import chroot
from tests.support.base import Found, Login, Server, declared, free_ports, greets, state_folder
from tests.support.tls import Authority

PASSWORD = "pw-courier"
"""The one password of all users: ``setup/courier.sh`` has Courier hash it once."""

USER_COUNT = 1000
VMAIL = 5000
"""The user id that owns all mail."""

BOOT = Template("""\
install -o courier -g courier -m 600 /srv/state/both.pem /etc/courier/test.pem
install -m 700 -d /run/courier
install -o courier -g courier -d /run/courier /run/courier/authdaemon
cat >>/etc/courier/imapd <<'CONF'
ADDRESS=127.0.0.1
PORT=$imap
MAXPERIP=400
MAXDAEMONS=400
IMAP_ENHANCEDIDLE=1
IMAP_EMPTYTRASH=
IMAP_CAPABILITY="IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA \
AUTH=CRAM-MD5 AUTH=CRAM-SHA1 AUTH=CRAM-SHA256 AUTH=PLAIN IDLE"
CONF
cat >>/etc/courier/imapd-ssl <<'CONF'
SSLADDRESS=127.0.0.1
SSLPORT=$imaps
TLS_CERTFILE=/etc/courier/test.pem
CONF
cat >>/etc/courier/pop3d <<'CONF'
ADDRESS=127.0.0.1
PORT=$pop3
MAXPERIP=100
CONF
cat >>/etc/courier/authdaemonrc <<'CONF'
authmodulelist="authuserdb"
CONF
mount --bind /srv/state/mail /srv/mail
words=""
for kind in md5 hmac-md5 hmac-sha1 hmac-sha256; do
  words+="|$${kind/#md5/system}pw=$$(cat /srv/userdbpw.$$kind)"
done
ids="uid=$vmail|gid=$vmail"
seq -f %04g 1 $users >names
sed "s:.*:u&\t$$ids|home=/srv/mail/u&|mail=/srv/mail/u&/Maildir$$words:" names >/etc/courier/userdb
chmod 600 /etc/courier/userdb
makeuserdb
for part in authdaemond imapd imapd-ssl pop3d; do /usr/sbin/$$part start; done
sleep infinity
""")


class Courier(Server):
    """A running Courier, which wants a Maildir made before its user first logs in."""

    def new_user(self) -> Login:
        """Return an account that no test has had before, with Drafts, Sent and Trash."""
        login = super().new_user()
        assert self.state is not None
        home = self.state / "mail" / login.user
        for folder in ("", ".Drafts", ".Sent", ".Trash"):
            for part in ("cur", "new", "tmp"):
                (home / "Maildir" / folder / part).mkdir(parents=True)
            if folder:
                (home / "Maildir" / folder / "maildirfolder").touch()
        names = [f"INBOX{folder}" for folder in (".Drafts", ".Sent", ".Trash")]
        (home / "Maildir" / "courierimapsubscribed").write_text("\n".join(names) + "\n")
        for path in [home, *home.rglob("*")]:
            shutil.chown(path, VMAIL, VMAIL)
        return login


def find() -> Found:
    """Return the Courier of this machine, or raise ``AbsentError``."""
    return chroot.find("courier")


@contextmanager
def start(authority: Authority) -> Iterator[Courier]:
    """Run a Courier."""
    ports = dict(zip(("imap", "imaps", "pop3"), free_ports(3), strict=True))
    with state_folder("courier") as state:
        _lay_out(state, authority)
        boot = BOOT.substitute(ports, users=USER_COUNT, vmail=VMAIL)
        with chroot.run("courier", state=state, boot=boot, ready=lambda: _ready(ports)):
            yield Courier(
                name="courier",
                imap_port=ports["imap"],
                imaps_port=ports["imaps"],
                pop3_port=ports["pop3"],
                ca_file=authority.ca_file,
                users=iter(declared(USER_COUNT, password=PASSWORD)),
                prefix="INBOX.",
                delimiter=".",
                state=state,
            )


def _lay_out(state: Path, authority: Authority) -> None:
    (state / "mail").mkdir()
    shutil.chown(state / "mail", VMAIL, VMAIL)
    both = authority.good.key.read_bytes() + authority.good.cert.read_bytes()
    (state / "both.pem").write_bytes(both)


def _ready(ports: dict[str, int]) -> bool:
    return greets(ports["imap"], b"* OK") and greets(ports["pop3"], b"+OK")
