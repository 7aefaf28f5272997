"""Attempts to send, against a server that obeys a script: what became of them, and what was on the wire."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from syncengine.delivery.account import Authentication, SmtpSettings
from syncengine.delivery.smtp import Attempt, attempt
from syncengine.delivery.steps import smtp_steps
from syncengine.model import Security, Token, token_of
from syncengine.rules.replies import Phase, Result
from tests.support.scripted_smtp import Answer, Does, ScriptedSmtp, scripted
from tests.support.tls import Authority

TOKEN = token_of("0123456789abcdef" * 2)
MESSAGE = b"From: driver@sun.af.mil\nSubject: chariot\n\nI patched up the wheel.\n.\n..\nIt's as good as new."
ON_THE_WIRE = (
    b"From: driver@sun.af.mil\r\nSubject: chariot\r\n\r\nI patched up the wheel.\r\n..\r\n...\r\n"
    b"It's as good as new.\r\n"
)
GOD = "God@heaven.af.mil"
SECRET = "s3cret pässword"


def settings(to: ScriptedSmtp, /, **changed: object) -> SmtpSettings:
    usual = SmtpSettings(
        server="127.0.0.1",
        port=to.port,
        mail_from="driver@sun.af.mil",
        helo_name="sun.af.mil",
        security=Security.NONE,
        timeout=5,
        final_timeout=5,
    )
    return replace(usual, **changed)  # type: ignore[arg-type]


def send(
    given: SmtpSettings,
    *recipients: str,
    message: bytes = MESSAGE,
    smaller: Callable[[], bytes] | None = None,
    on_data: Callable[[tuple[str, ...]], None] = lambda _: None,
    on_progress: Callable[[], None] = lambda: None,
    token: Token = TOKEN,
) -> Attempt:
    return attempt(
        message, smaller, recipients or (GOD,), given, token=token, on_data=on_data, on_progress=on_progress
    )


def results(tried: Attempt) -> list[Result]:
    return [outcome.result for outcome in tried.recipients]


def test_the_manuals_example_goes_over_the_wire_as_printed() -> None:
    with scripted({"EHLO": "502 what", "MAIL": "250 ok"}) as server:
        tried = send(settings(server))
        session = server.session()
    assert session.commands == [
        "EHLO sun.af.mil",
        "HELO sun.af.mil",
        "MAIL FROM:<driver@sun.af.mil>",
        "RCPT TO:<God@heaven.af.mil>",
        "DATA",
        "QUIT",
    ]
    assert session.body == ON_THE_WIRE
    assert (tried.result, tried.phase) == (Result.SUCCESS, Phase.END)
    assert tried.last_reply == "250 ok 902549473 qp 24035"


@pytest.mark.parametrize(
    ("row", "script", "result"),
    [
        ("5", {"GREETING": "554 no"}, Result.DEFERRAL),
        ("4", {"GREETING": "450 no"}, Result.DEFERRAL),
        ("25", {"EHLO": "550 no"}, Result.DEFERRAL),
        ("25", {"EHLO": "500 no", "HELO": "550 no"}, Result.DEFERRAL),
        ("24", {"EHLO": "450 no"}, Result.DEFERRAL),
        ("225", {"MAIL": "550 no"}, Result.FAILURE),
        ("224", {"MAIL": "450 no"}, Result.DEFERRAL),
        ("2225", {"RCPT": "550 no"}, Result.FAILURE),
        ("2224", {"RCPT": "450 no"}, Result.DEFERRAL),
        ("22225", {"DATA": "554 no"}, Result.FAILURE),
        ("22224", {"DATA": "451 no"}, Result.DEFERRAL),
        ("222235", {"END": "554 no"}, Result.FAILURE),
        ("222234", {"END": "451 no"}, Result.DEFERRAL),
        ("222232", {}, Result.SUCCESS),
        ("amended", {"MAIL": "530 5.7.0 log in"}, Result.CONFIGURATION),
        ("amended", {"RCPT": "552 too many"}, Result.DEFERRAL),
        ("amended", {"RCPT": "251 will forward"}, Result.SUCCESS),
        ("amended", {"RCPT": "252 cannot verify"}, Result.SUCCESS),
        ("amended", {"END": "552 too big"}, Result.FAILURE),
        ("amended", {"DATA": "250 ok"}, Result.DEFERRAL),
    ],
)
def test_each_row_of_the_manuals_table_ends_as_printed_and_politely(
    row: str, script: Mapping[str, Answer], result: Result
) -> None:
    with scripted(script) as server:
        tried = send(settings(server))
        session = server.session()
    assert results(tried) == [result]
    assert session.verbs()[-1] == "QUIT"
    if result is not Result.SUCCESS:
        assert next(iter(script.values())) in (tried.last_reply, "500 no")


STEPS = ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "END"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "answer",
    [
        Does.CLOSE,
        Does.NOTHING,
        "421 closing",
        b"\x16\x03\x01\xff\n",
        b"250 ok",
        b"999 what\r\n",
        b"25\r\n",
        b"250-a\r\n451 b\r\n",
        b"250-" + b"x" * 9000 + b"\r\n250 ok\r\n",
        b"250-x\r\n" * 12000,
        b"150 wait\r\n",
    ],
    ids=[
        "eof",
        "timeout",
        "421",
        "garbage",
        "half",
        "999",
        "short",
        "two-codes",
        "long-line",
        "endless",
        "1xx",
    ],
)
def test_what_is_no_answer_defers_at_every_step_and_is_in_doubt_after_the_final_dot(
    step: str, answer: Answer
) -> None:
    with scripted({step: answer}) as server:
        tried = send(settings(server, timeout=0.3, final_timeout=0.3))
        session = server.session()
    in_doubt = step == "END" and answer != "421 closing"
    assert results(tried) == [Result.IN_DOUBT if in_doubt else Result.DEFERRAL]
    assert "QUIT" not in session.verbs()
    assert tried.last_reply
    assert "\n" not in tried.last_reply


def test_a_reply_of_several_lines_is_one_reply() -> None:
    with scripted(
        {"GREETING": "220-hello\r\n220-from\r\n220 here", "END": "250-taken\r\n250 as 4711"}
    ) as server:
        tried = send(settings(server))
    assert (tried.result, tried.last_reply) == (Result.SUCCESS, "250 taken as 4711")


@pytest.mark.parametrize(
    "answer", [b"250-" + b"x" * 9000 + b"\r\n250 ok\r\n", b"250-x\r\n" * 12000 + b"250 ok\r\n"]
)
def test_a_reply_that_is_too_long_is_no_reply_though_it_ends(answer: bytes) -> None:
    with scripted({"MAIL": answer}) as server:
        tried = send(settings(server))
    assert tried.result is Result.DEFERRAL
    assert tried.last_reply.endswith("the server's answer is too long")


def test_nobody_there_and_no_such_name_are_deferrals() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with scripted() as server:
        refused = send(settings(server, port=port))
        unknown = send(settings(server, server="no-such-host.invalid"))
        nonsense = send(settings(server, server="x" * 80 + ".example"))
        assert server.sessions == []
    assert [refused.result, unknown.result, nonsense.result] == [Result.DEFERRAL] * 3
    assert refused.last_reply.startswith(f"127.0.0.1:{port}: no connection")
    assert "no-such-host.invalid" in unknown.last_reply


def test_a_server_that_trickles_does_not_outlast_the_timeout() -> None:
    """An octet now and then keeps every single read alive; the reply as a whole has a deadline."""
    import threading

    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener, scripted() as server:

        def trickle() -> None:
            sock, _ = listener.accept()
            with sock:
                while not stop.wait(0.05):
                    try:
                        sock.sendall(b"2")
                    except OSError:
                        return

        thread = threading.Thread(target=trickle)
        thread.start()
        began = time.monotonic()
        tried = send(settings(server, port=listener.getsockname()[1], timeout=0.5))
        stop.set()
        thread.join()
    assert tried.result is Result.DEFERRAL
    assert time.monotonic() - began < 5


def test_three_recipients_have_three_outcomes_and_only_the_accepted_one_is_handed_over() -> None:
    with scripted({"RCPT": ["250 ok", "450 later", "550 never"]}) as server:
        tried = send(settings(server), "a@b.example", "c@d.example", "e@f.example")
        session = server.session()
    assert [(one.address, one.result, one.reply[:3]) for one in tried.recipients] == [
        ("a@b.example", Result.SUCCESS, "250"),
        ("c@d.example", Result.DEFERRAL, "450"),
        ("e@f.example", Result.FAILURE, "550"),
    ]
    assert tried.result is Result.DEFERRAL
    assert session.dotted


def test_a_recipient_that_was_refused_stays_refused_when_the_message_is_in_doubt() -> None:
    with scripted({"RCPT": ["250 ok", "550 never"], "END": Does.CLOSE}) as server:
        tried = send(settings(server), "a@b.example", "e@f.example")
    assert results(tried) == [Result.IN_DOUBT, Result.FAILURE]


def test_no_recipient_accepted_means_no_data() -> None:
    with scripted({"RCPT": ["450 later", "550 never"]}) as server:
        tried = send(settings(server), "a@b.example", "c@d.example", on_data=lambda _: pytest.fail("no DATA"))
        session = server.session()
    assert session.verbs() == ["EHLO", "MAIL", "RCPT", "RCPT", "QUIT"]
    assert results(tried) == [Result.DEFERRAL, Result.FAILURE]


def test_421_at_a_recipient_ends_the_session_for_all_that_are_not_refused() -> None:
    with scripted({"RCPT": ["250 ok", "550 never", "421 bye"]}) as server:
        tried = send(settings(server), "a@b.example", "c@d.example", "e@f.example", "g@h.example")
        session = server.session()
    assert session.verbs() == ["EHLO", "MAIL", "RCPT", "RCPT", "RCPT"]
    assert results(tried) == [Result.DEFERRAL, Result.FAILURE, Result.DEFERRAL, Result.DEFERRAL]


def test_the_same_recipient_twice_is_asked_once() -> None:
    with scripted() as server:
        tried = send(settings(server), GOD, GOD)
        assert server.session().verbs().count("RCPT") == 1
    assert len(tried.recipients) == 1


BIG = b"Subject: sound\r\n\r\n" + b"x" * 76 + b"\r\n" + (b"y" * 76 + b"\r\n") * 150_000


def test_a_stall_in_the_message_is_closed_with_neither_dot_nor_quit() -> None:
    with scripted({"BODY": Does.STOP_READING}) as server:
        tried = send(settings(server, timeout=0.3), message=BIG)
        server.released.set()
        session = server.session()
    assert (tried.result, tried.phase) == (Result.DEFERRAL, Phase.DATA)
    assert 0 < len(session.body) < len(BIG)
    assert BIG.startswith(session.body)
    assert not session.dotted
    assert b"QUIT" not in session.body.upper()
    assert session.verbs()[-1] == "DATA"


def test_a_fault_in_the_message_is_not_followed_by_quit_though_the_line_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """QUIT would be taken for a line of the message, and a dot for its end."""
    monkeypatch.setattr("syncengine.delivery.channel.PACE", 0.0001)

    def fail() -> None:
        if begun:
            raise OSError("out of reach")

    begun: list[int] = []
    with scripted() as server:
        tried = send(settings(server), message=BIG, on_data=lambda _: begun.append(1), on_progress=fail)
        session = server.session()
    assert (tried.result, tried.phase) == (Result.DEFERRAL, Phase.DATA)
    assert BIG.startswith(session.body)
    assert not session.dotted


def test_a_connection_lost_in_the_message_is_a_deferral() -> None:
    with scripted({"BODY": Does.CLOSE}) as server:
        tried = send(settings(server), message=BIG)
        session = server.session()
    assert (tried.result, tried.phase) == (Result.DEFERRAL, Phase.DATA)
    assert session.verbs()[-1] == "DATA"


@pytest.mark.parametrize("callback", ["on_data", "on_progress"])
def test_what_a_callback_raises_closes_with_neither_dot_nor_quit_and_passes_through(
    callback: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost lease or a full disk: the message must not be taken for whole."""
    monkeypatch.setattr("syncengine.delivery.channel.PACE", 0.0001)

    class LeaseLost(Exception):
        pass

    begun = []

    def fail(*_: object) -> None:
        if callback == "on_data" or begun:
            raise LeaseLost

    callbacks = {"on_data": lambda _: begun.append(1)} | {callback: fail}
    with scripted() as server:
        with pytest.raises(LeaseLost):
            send(settings(server), message=BIG, **callbacks)  # type: ignore[arg-type]
        session = server.session()
    assert not session.dotted
    assert session.verbs()[-1] == "DATA"
    assert b"QUIT" not in session.body.upper()
    assert len(session.body) <= (0 if callback == "on_data" else 40_000)


def test_the_intent_is_noted_after_354_and_before_the_first_octet_and_the_lease_is_renewed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("syncengine.delivery.channel.PACE", 0.0001)
    seen: list[str] = []
    with scripted() as server:
        send(
            settings(server),
            message=BIG[:500_000],
            on_data=lambda _: seen.append(
                f"data {server.sessions[0].verbs()[-1]} {len(server.sessions[0].body)}"
            ),
            on_progress=lambda: seen.append("progress"),
        )
    assert seen.count("data DATA 0") == 1
    assert seen[seen.index("data DATA 0") :].count("progress") >= 5


def test_the_lease_is_renewed_while_the_final_answer_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncengine.delivery.channel.PACE", 0.05)
    beats: list[float] = []
    with scripted({"END": Does.NOTHING}) as server:
        tried = send(settings(server, final_timeout=1), on_progress=lambda: beats.append(time.monotonic()))
    assert tried.result is Result.IN_DOUBT
    assert len(beats) >= 10


@pytest.mark.parametrize(
    "script",
    [
        {"END": ["552 5.3.4 too big", "250 ok"]},
        {"END": ["523 too big", "250 ok"]},
        {"MAIL": ["552 too big", "250 ok"]},
        {"DATA": ["552 too big", "354 go"]},
        {"EHLO": "250-hi\r\n250 SIZE 5000"},
        {"BODY": ["552 too big, stop", ""]},
    ],
    ids=["end-552", "end-523", "mail", "data", "announced", "in-the-message"],
)
def test_what_is_too_large_is_sent_once_more_without_the_sound(
    script: Mapping[str, Answer | list[Answer]],
) -> None:
    small = b"Subject: notice\r\n\r\nwithout the sound\r\n"
    with scripted(script) as server:
        tried = send(settings(server), message=BIG[:300_000], smaller=lambda: small)
        session = server.session(1)
        assert len(server.sessions) == 2
    assert (tried.result, tried.without_sound) == (Result.SUCCESS, True)
    assert session.body == small


def test_what_is_too_large_even_without_the_sound_is_a_failure_and_not_tried_a_third_time() -> None:
    with scripted({"EHLO": "250-hi\r\n250 SIZE 10"}) as server:
        tried = send(settings(server), smaller=lambda: MESSAGE)
        server.session(1)
        assert [session.verbs() for session in server.sessions] == [["EHLO", "QUIT"]] * 2
    assert tried.result is Result.FAILURE
    assert "octets" in tried.last_reply


def test_only_the_recipients_that_found_it_too_large_get_the_smaller_message() -> None:
    with scripted({"RCPT": ["250 ok", "550 never", "250 ok"], "END": ["552 too big", "250 ok"]}) as server:
        tried = send(settings(server), "a@b.example", "c@d.example", smaller=lambda: b"small")
        assert server.session(1).commands[2] == "RCPT TO:<a@b.example>"
        assert server.session(1).verbs().count("RCPT") == 1
    assert results(tried) == [Result.SUCCESS, Result.FAILURE]


def test_size_and_delivery_notification_are_asked_for_where_offered() -> None:
    with scripted({"EHLO": "250-hi\r\n250-SIZE 1000000\r\n250 DSN"}) as server:
        send(settings(server), "a+b@c.example")
        commands = server.session().commands
    assert commands[1] == f"MAIL FROM:<driver@sun.af.mil> SIZE={len(ON_THE_WIRE) - 2} RET=HDRS ENVID={TOKEN}"
    assert commands[2] == "RCPT TO:<a+b@c.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb@c.example"


@pytest.mark.parametrize("address", ["a@b.example>\r\nRCPT TO:<x@y.example", "a\0@b.example", "no address"])
def test_an_address_that_could_inject_a_command_is_refused_without_a_connection(address: str) -> None:
    with scripted() as server:
        assert results(send(settings(server), address)) == [Result.FAILURE]
        as_sender = send(settings(server, mail_from=address))
        assert server.sessions == []
    assert as_sender.result is Result.CONFIGURATION
    assert "refused" in as_sender.last_reply


def test_an_ehlo_name_cannot_inject_a_command() -> None:
    with scripted() as server:
        send(settings(server, helo_name="a\r\nMAIL FROM:<x@y.example>"))
        assert server.session().commands[0] == "EHLO [127.0.0.1]"


def test_an_international_address_needs_smtputf8_and_the_others_go_on_without_it() -> None:
    with scripted() as server:
        tried = send(settings(server), "jörg@b.example", "a@b.example")
    assert results(tried) == [Result.FAILURE, Result.SUCCESS]
    assert "SMTPUTF8" in tried.recipients[0].reply
    with scripted({"EHLO": "250-hi\r\n250 SMTPUTF8"}) as server:
        tried = send(settings(server), "jörg@bücher.example")
        commands = server.session().commands
    assert tried.result is Result.SUCCESS
    assert commands[1:3] == ["MAIL FROM:<driver@sun.af.mil> SMTPUTF8", "RCPT TO:<jörg@xn--bcher-kva.example>"]


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


KINDS = [
    (
        Authentication.PLAIN,
        "PLAIN",
        ["235 ok"],
        [f"AUTH PLAIN {b64(f'{chr(0)}driver@sun.af.mil{chr(0)}{SECRET}')}"],
    ),
    (
        Authentication.LOGIN,
        "LOGIN",
        ["334 VXNlcm5hbWU6", "334 not base64!", "235 ok"],
        ["AUTH LOGIN", b64("driver@sun.af.mil"), b64(SECRET)],
    ),
    (
        Authentication.PLAIN,
        "LOGIN",
        ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 ok"],
        ["AUTH LOGIN", b64("driver@sun.af.mil"), b64(SECRET)],
    ),
    (
        Authentication.XOAUTH2,
        "XOAUTH2",
        ["235 ok"],
        [f"AUTH XOAUTH2 {b64(f'user=driver@sun.af.mil{chr(1)}auth=Bearer {SECRET}{chr(1)}{chr(1)}')}"],
    ),
]


@pytest.mark.parametrize(("kind", "offered", "answers", "said"), KINDS)
def test_each_kind_of_login_says_what_its_standard_says(
    kind: Authentication, offered: str, answers: list[Answer], said: list[str]
) -> None:
    script: dict[str, Answer | list[Answer]] = {"EHLO": f"250-hi\r\n250 AUTH {offered}", "AUTH": answers}
    with scripted(script) as server:
        tried = send(settings(server, authentication=kind, account="driver@sun.af.mil", password=SECRET))
        commands = server.session().commands
    assert tried.result is Result.SUCCESS
    assert commands[1 : 1 + len(said)] == said


def test_cram_md5_answers_the_challenge_of_rfc_2195() -> None:
    challenge = b64("<1896.697170952@postoffice.reston.mci.net>")
    script: dict[str, Answer | list[Answer]] = {
        "EHLO": "250-hi\r\n250 AUTH CRAM-MD5",
        "AUTH": [f"334 {challenge}", "235 ok"],
    }
    with scripted(script) as server:
        wanted = settings(
            server, authentication=Authentication.CRAM_MD5, account="tim", password="tanstaaftanstaaf"
        )
        tried = send(wanted)
        commands = server.session().commands
    assert tried.result is Result.SUCCESS
    assert base64.b64decode(commands[2]) == b"tim b913a602c7eda7a495b4e6e7334d3890"


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ("535 5.7.8 wrong", Result.CONFIGURATION),
        ("534 mechanism too weak", Result.CONFIGURATION),
        ("538 encrypt first", Result.CONFIGURATION),
        ("504 what", Result.CONFIGURATION),
        ("454 4.7.0 later", Result.DEFERRAL),
        ("421 bye", Result.DEFERRAL),
        ("334 more", Result.DEFERRAL),
        (Does.CLOSE, Result.DEFERRAL),
    ],
)
@pytest.mark.parametrize("kind", [kind for kind in Authentication if kind is not Authentication.NONE])
def test_a_refused_login_holds_the_queue_and_a_postponed_one_is_tried_again(
    kind: Authentication, answer: Answer, result: Result
) -> None:
    with scripted({"EHLO": "250-hi\r\n250 AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2", "AUTH": answer}) as server:
        tried = send(settings(server, authentication=kind, account="a", password=SECRET))
        session = server.session()
    assert (tried.result, tried.phase) == (result, Phase.AUTH)
    assert "MAIL" not in session.verbs()


def test_no_secret_shows_even_where_the_server_echoes_it() -> None:
    shown = f"535 bad password {SECRET} / {b64(SECRET)} / {b64(f'{chr(0)}a{chr(0)}{SECRET}')}"
    with scripted({"EHLO": "250-hi\r\n250 AUTH PLAIN", "AUTH": shown}) as server:
        given = settings(server, authentication=Authentication.PLAIN, account="a", password=SECRET)
        tried = send(given)
    assert tried.last_reply == "535 bad password ... / ... / ..."
    assert SECRET not in repr(given)


def test_a_mechanism_that_is_not_offered_is_configuration_and_no_password_is_sent() -> None:
    with scripted({"EHLO": "250-hi\r\n250 AUTH PLAIN"}) as server:
        tried = send(settings(server, authentication=Authentication.CRAM_MD5, password=SECRET))
        session = server.session()
    assert tried.result is Result.CONFIGURATION
    assert "PLAIN" in tried.last_reply
    assert session.verbs() == ["EHLO", "QUIT"]


def test_a_login_in_the_clear_is_refused_off_loopback_before_anything_is_sent() -> None:
    with scripted() as server:
        away = settings(
            server, server="localhost.localdomain", authentication=Authentication.PLAIN, password=SECRET
        )
        assert send(away).result is Result.CONFIGURATION
        assert server.sessions == []
    assert not replace(away, allow_plaintext=True).plaintext_login
    assert not replace(away, server="127.0.0.9").plaintext_login
    assert not replace(away, security=Security.STARTTLS).plaintext_login
    assert not replace(away, authentication=Authentication.NONE).plaintext_login


@pytest.mark.parametrize("at_once", [True, False], ids=["tls", "starttls"])
def test_the_message_goes_under_tls_that_is_verified(authority: Authority, *, at_once: bool) -> None:
    security = Security.TLS if at_once else Security.STARTTLS
    script = {"EHLO": ["250-hi\r\n250 STARTTLS", "250 hi"]} if not at_once else None
    with scripted(script, tls=authority.server_context(), at_once=at_once) as server:
        trusted = send(settings(server, security=security, ca_file=authority.ca_file))
        session = server.session()
        untrusted = send(settings(server, security=security))
    assert trusted.result is Result.SUCCESS
    assert session.encrypted
    assert session.body == ON_THE_WIRE
    assert (untrusted.result, untrusted.phase) == (Result.CONFIGURATION, Phase.TLS)
    assert "certificate" in untrusted.last_reply or "STARTTLS" in untrusted.last_reply


@pytest.mark.parametrize("which", ["expired", "wrong_name"])
def test_a_bad_certificate_is_configuration(authority: Authority, which: str) -> None:
    context = authority.server_context(getattr(authority, which))
    with scripted(tls=context, at_once=True) as server:
        tried = send(settings(server, security=Security.TLS, ca_file=authority.ca_file))
    assert tried.result is Result.CONFIGURATION
    assert "certificate is not trusted" in tried.last_reply


def test_certificates_that_cannot_be_read_are_configuration(tmp_path: Path) -> None:
    with scripted({"GREETING": Does.NOTHING}) as server:
        for name in ("missing.pem", "empty.pem"):
            (tmp_path / "empty.pem").touch()
            tried = send(settings(server, security=Security.TLS, ca_file=tmp_path / name))
            assert (tried.result, name in tried.last_reply) == (Result.CONFIGURATION, True)


def test_a_port_that_speaks_no_tls_is_configuration_and_one_that_hangs_up_is_a_deferral() -> None:
    with scripted() as server:
        plain = send(settings(server, security=Security.TLS))
    with scripted({"GREETING": Does.CLOSE}) as server:
        gone = send(settings(server, security=Security.TLS))
    with scripted({"GREETING": Does.NOTHING}) as server:
        silent = send(settings(server, security=Security.TLS, timeout=0.3))
    assert (plain.result, plain.phase) == (Result.CONFIGURATION, Phase.TLS)
    assert (gone.result, silent.result) == (Result.DEFERRAL, Result.DEFERRAL)


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ({}, Result.CONFIGURATION),
        ({"EHLO": "500 what"}, Result.CONFIGURATION),
        ({"EHLO": "250-hi\r\n250 STARTTLS", "STARTTLS": "502 no"}, Result.CONFIGURATION),
        ({"EHLO": "250-hi\r\n250 STARTTLS", "STARTTLS": "454 later"}, Result.DEFERRAL),
        ({"EHLO": "250-hi\r\n250 STARTTLS", "STARTTLS": Does.CLOSE}, Result.DEFERRAL),
        ({"EHLO": "250-hi\r\n250 STARTTLS", "STARTTLS": b"220 go\r\n250 injected\r\n"}, Result.CONFIGURATION),
    ],
    ids=["stripped", "helo-only", "refused", "later", "eof", "injected"],
)
def test_starttls_fails_closed(authority: Authority, script: Mapping[str, Answer], result: Result) -> None:
    with scripted(script, tls=authority.server_context()) as server:
        tried = send(
            settings(
                server,
                security=Security.STARTTLS,
                ca_file=authority.ca_file,
                authentication=Authentication.PLAIN,
                password=SECRET,
            )
        )
        session = server.session()
    assert (tried.result, tried.phase) == (result, Phase.TLS)
    assert not {"AUTH", "MAIL"} & set(session.verbs())


def test_what_the_server_offered_before_starttls_does_not_hold_after_it(authority: Authority) -> None:
    """Whoever sits in between could have said it (RFC 3207 section 4.2)."""
    script: dict[str, Answer | list[Answer]] = {
        "EHLO": ["250-hi\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250-SIZE 10\r\n250 DSN", "250 hi"]
    }
    with scripted(script, tls=authority.server_context()) as server:
        tried = send(settings(server, security=Security.STARTTLS, ca_file=authority.ca_file))
        commands = server.session().commands
    assert tried.result is Result.SUCCESS
    assert commands[3] == "MAIL FROM:<driver@sun.af.mil>"


def test_a_tls_connection_cut_after_the_final_dot_is_in_doubt(authority: Authority) -> None:
    with scripted({"END": Does.CLOSE}, tls=authority.server_context(), at_once=True) as server:
        tried = send(settings(server, security=Security.TLS, ca_file=authority.ca_file))
    assert tried.result is Result.IN_DOUBT


def test_check_goes_step_by_step_sends_nothing_and_stops_at_the_first_that_fails(
    authority: Authority,
) -> None:
    script: dict[str, Answer | list[Answer]] = {
        "EHLO": ["250-hi\r\n250 STARTTLS", "250-hi\r\n250-AUTH PLAIN\r\n250-SIZE 1000\r\n250 DSN"]
    }
    with scripted(script, tls=authority.server_context()) as server:
        given = settings(
            server,
            security=Security.STARTTLS,
            ca_file=authority.ca_file,
            authentication=Authentication.PLAIN,
            password=SECRET,
        )
        steps = list(smtp_steps(given))
        session = server.session()
    assert [(step.name, step.ok) for step in steps] == [
        (name, True) for name in ("name", "tcp", "ehlo", "starttls", "login", "offers")
    ]
    assert "SIZE 1000" in steps[-1].detail
    assert "DSN" in steps[-1].detail
    assert session.verbs() == ["EHLO", "STARTTLS", "EHLO", "AUTH", "QUIT"]
    with scripted({"EHLO": "250-hi\r\n250 AUTH PLAIN", "AUTH": f"535 not {SECRET}"}) as server:
        steps = list(smtp_steps(settings(server, authentication=Authentication.PLAIN, password=SECRET)))
    assert (steps[-1].name, steps[-1].ok, steps[-1].detail) == ("login", False, "535 not ...")


def test_check_names_the_step_that_fails() -> None:
    with scripted({"GREETING": "554 no"}) as server:
        assert [step.name for step in smtp_steps(settings(server))] == ["name", "tcp", "ehlo"]
        under_tls = list(smtp_steps(settings(server, security=Security.TLS)))
        unknown = list(smtp_steps(settings(server, server="no-such-host.invalid")))
    assert [(step.name, step.ok) for step in under_tls] == [("name", True), ("tcp", True), ("tls", False)]
    assert [(step.name, step.ok) for step in unknown] == [("name", False)]
