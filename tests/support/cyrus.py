"""Cyrus IMAP 3.6 in a Debian folder of its own: QRESYNC, strict in what it stores, ``\\sent`` in lower case.

The limits on identical messages and the munging of 8-bit headers are off, as large sites have them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template

from tests.support import chroot
from tests.support.base import Found, Server, declared, free_ports, greets, state_folder
from tests.support.tls import Authority

IMAPD_CONF = """\
servername: cyrus.test
configdirectory: /var/lib/cyrus
proc_path: /run/cyrus/proc
mboxname_lockpath: /run/cyrus/lock
defaultpartition: default
partition-default: /var/spool/cyrus/mail
altnamespace: yes
unixhierarchysep: yes
virtdomains: off
lmtp_downcase_rcpt: yes
admins: cyrus
allowplaintext: yes
failedloginpause: 0
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: /srv/test/sasldb2
sasl_mech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256
tls_server_cert: /etc/cyrus-cert.pem
tls_server_key: /etc/cyrus-key.pem
idlesocket: /run/cyrus/socket/idle
imapidlepoll: 2
autocreate_quota: 1048576
autocreate_inbox_folders: Drafts | Sent | Trash | Junk
autocreate_subscribe_folders: Drafts | Sent | Trash | Junk
xlist-drafts: Drafts
xlist-sent: Sent
xlist-trash: Trash
xlist-junk: Junk
expunge_mode: delayed
delete_mode: immediate
conversations: 1
duplicatesuppression: no
conversations_max_guidexists: 100000
conversations_max_guidinfolder: 100000
munge8bit: no
"""

CYRUS_CONF = Template("""\
START {
  recover cmd="/usr/sbin/cyrus ctl_cyrusdb -r"
  idled   cmd="idled"
}
SERVICES {
  imap  cmd="imapd -U 30"    listen="127.0.0.1:$imap" prefork=1 maxchild=200
  imaps cmd="imapd -s -U 30" listen="127.0.0.1:$imaps" prefork=0 maxchild=200
  pop3  cmd="pop3d -U 30"    listen="127.0.0.1:$pop3" prefork=0 maxchild=50
  lmtp  cmd="lmtpd -a"       listen="127.0.0.1:$lmtp" prefork=0 maxchild=20
}
EVENTS {
}
""")

BOOT = """\
cp /srv/state/imapd.conf /srv/state/cyrus.conf /etc/
install -o cyrus -g mail -m 600 /srv/state/cert.pem /etc/cyrus-cert.pem
install -o cyrus -g mail -m 600 /srv/state/key.pem /etc/cyrus-key.pem
mkdir -p /run/cyrus/proc /run/cyrus/lock /run/cyrus/socket /var/lib/cyrus /var/spool/cyrus/mail
chown -R cyrus:mail /run/cyrus /var/lib/cyrus /var/spool/cyrus
/usr/sbin/cyrmaster
"""


def find() -> Found:
    """Return the Cyrus of this machine, or raise ``AbsentError``."""
    return chroot.find("cyrus")


@contextmanager
def start(authority: Authority) -> Iterator[Server]:
    """Run a Cyrus."""
    ports = dict(zip(("imap", "imaps", "pop3", "lmtp"), free_ports(4), strict=True))
    with state_folder("cyrus") as state:
        _lay_out(state, authority, ports)
        with chroot.run("cyrus", state=state, boot=BOOT, ready=lambda: greets(ports["imap"], b"* OK")):
            yield Server(
                name="cyrus",
                imap_port=ports["imap"],
                imaps_port=ports["imaps"],
                pop3_port=ports["pop3"],
                lmtp_port=ports["lmtp"],
                ca_file=authority.ca_file,
                users=iter(declared(300)),
                state=state,
            )


def _lay_out(state: Path, authority: Authority, ports: dict[str, int]) -> None:
    (state / "imapd.conf").write_text(IMAPD_CONF)
    (state / "cyrus.conf").write_text(CYRUS_CONF.substitute(ports))
    shutil.copy(authority.good.cert, state / "cert.pem")
    shutil.copy(authority.good.key, state / "key.pem")
