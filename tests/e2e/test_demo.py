"""The story on the embedded server: every step is seen by a second client."""

from __future__ import annotations

import pytest

from syncengine.demo.stage import RealAccount, stage
from syncengine.errors import MailboxError


def test_every_step_of_the_story_is_seen_on_both_sides():
    pytest.importorskip("pymap")
    with stage(None) as story:
        shown = list(story.tell())

    assert [(step.title, step.true) for step in shown if not step.true] == []
    assert len(shown) == 8
    assert any("102" in step.title for step in shown)


def test_the_story_runs_on_a_real_account_and_cleans_up_after_itself(dovecot, raw_client):
    login = dovecot.new_user()
    account = RealAccount(dovecot.host, dovecot.imap_port, "none", login.user, login.password)
    with stage(account) as story:
        shown = list(story.tell())

    assert [step.title for step in shown if not step.true] == []
    mail = raw_client(dovecot, login)
    assert {name: mail.uids(name) for name in mail.folders() if mail.uids(name)} == {}


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_no_password_goes_to_a_server_that_is_not_trusted(dovecot, security):
    """The server's certificate is signed by nobody that this machine knows."""
    login = dovecot.new_user()
    port = dovecot.imaps_port if security == "tls" else dovecot.imap_port
    account = RealAccount(dovecot.host, port, security, login.user, login.password)
    with pytest.raises(MailboxError, match="the certificate is not trusted"), stage(account):
        pass


def test_a_wrong_password_is_said_in_one_line_without_it(dovecot):
    account = RealAccount(dovecot.host, dovecot.imap_port, "none", dovecot.new_user().user, "not-this-one")
    with pytest.raises(MailboxError, match="login refused") as refused, stage(account):
        pass
    assert "not-this-one" not in str(refused.value)
