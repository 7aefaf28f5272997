"""The reply table: every row of the manual's, every amendment, and the page that prints it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncengine.rules.replies import EVERY, TABLE, Fault, Phase, Result, gravest, verdict

PAGE = Path(__file__).parents[2] / "docs" / "sending.md"
C, H, M, R, D, E = Phase.CONNECT, Phase.HELO, Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.END


@pytest.mark.parametrize(
    ("phase", "replies", "result"),
    [
        (C, (500, 554, 521), Result.DEFERRAL),
        (C, (400, 421, 450), Result.DEFERRAL),
        (C, (220,), Result.SUCCESS),
        (H, (501, 550, 554), Result.DEFERRAL),
        (H, (421, 450), Result.DEFERRAL),
        (M, (501, 550, 553, 555), Result.FAILURE),
        (M, (421, 450, 451, 452), Result.DEFERRAL),
        (R, (500, 550, 551, 553, 554), Result.FAILURE),
        (R, (421, 450, 451, 452, 552), Result.DEFERRAL),
        (R, (250, 251, 252), Result.SUCCESS),
        (D, (500, 503, 554), Result.FAILURE),
        (D, (421, 451), Result.DEFERRAL),
        (D, (354,), Result.SUCCESS),
        (D, (250, 334), Result.DEFERRAL),
        (E, (500, 550, 554), Result.FAILURE),
        (E, (421, 450, 451, 452), Result.DEFERRAL),
        (E, (250, 251), Result.SUCCESS),
        (E, (354, 100, 0, 999), Result.IN_DOUBT),
        (Phase.AUTH, (535, 534, 538, 530, 500, 504, 503), Result.CONFIGURATION),
        (Phase.AUTH, (454, 421, 334), Result.DEFERRAL),
        (Phase.TLS, (454, 421), Result.DEFERRAL),
        (Phase.TLS, (500, 501, 502), Result.CONFIGURATION),
    ],
)
def test_a_reply_means_what_the_manual_and_its_amendments_say(
    phase: Phase, replies: tuple[int, ...], result: Result
) -> None:
    assert {code: verdict(phase, code) for code in replies} == dict.fromkeys(replies, result)


@pytest.mark.parametrize("phase", [H, M, R, D, E])
@pytest.mark.parametrize("code", [530, 534, 535, 538])
def test_a_server_that_wants_login_or_tls_is_a_matter_of_configuration(phase: Phase, code: int) -> None:
    assert verdict(phase, code) is Result.CONFIGURATION


@pytest.mark.parametrize("phase", [M, D, E])
@pytest.mark.parametrize("reply", [552, 523, Fault.OVERSIZE])
def test_too_large_is_told_apart_from_failure(phase: Phase, reply: int | Fault) -> None:
    assert verdict(phase, reply) is Result.TOO_LARGE


@pytest.mark.parametrize("phase", EVERY)
def test_silence_is_a_deferral_except_after_the_final_dot(phase: Phase) -> None:
    expected = Result.IN_DOUBT if phase is Phase.END else Result.DEFERRAL
    assert verdict(phase, Fault.SILENCE) is expected


@pytest.mark.parametrize("phase", EVERY)
def test_421_is_a_deferral_everywhere(phase: Phase) -> None:
    assert verdict(phase, 421) is Result.DEFERRAL


@pytest.mark.parametrize("phase", EVERY)
def test_every_answer_has_a_verdict_and_only_2xx_or_354_lets_the_session_go_on(phase: Phase) -> None:
    for code in (*range(-1, 1000), *Fault):
        if verdict(phase, code) is Result.SUCCESS:
            assert code == 354 if phase is D else code in range(200, 300)


def test_faults_of_tls_and_login_are_configuration() -> None:
    assert verdict(Phase.TLS, Fault.UNTRUSTED) is Result.CONFIGURATION
    assert verdict(Phase.TLS, Fault.NOT_OFFERED) is Result.CONFIGURATION
    assert verdict(Phase.AUTH, Fault.NOT_OFFERED) is Result.CONFIGURATION


def test_addresses_that_cannot_travel_fail_and_the_own_one_is_configuration() -> None:
    assert verdict(R, Fault.BAD_ADDRESS) is Result.FAILURE
    assert verdict(M, Fault.BAD_ADDRESS) is Result.CONFIGURATION
    assert verdict(R, Fault.NOT_OFFERED) is verdict(M, Fault.NOT_OFFERED) is Result.FAILURE


def test_every_row_of_the_table_decides_something() -> None:
    for number, row in enumerate(TABLE):
        earlier = TABLE[:number]
        shadowed = all(
            any(phase in other.phases and reply in other.replies for other in earlier)
            for phase in row.phases
            for reply in row.replies
        )
        assert not shadowed, row


def test_the_gravest_result_decides_what_is_done_next() -> None:
    assert gravest((Result.SUCCESS, Result.DEFERRAL, Result.FAILURE)) is Result.DEFERRAL
    assert gravest((Result.SUCCESS, Result.IN_DOUBT, Result.CONFIGURATION)) is Result.IN_DOUBT
    assert gravest((Result.SUCCESS, Result.FAILURE)) is Result.FAILURE
    assert gravest((Result.SUCCESS,)) is Result.SUCCESS
    assert gravest(()) is Result.FAILURE


def test_the_page_prints_the_same_table() -> None:
    """Row by row and in the same order: phases, replies, result, why."""
    expected = [
        (
            "any" if row.phases == EVERY else ", ".join(phase.value for phase in row.phases),
            ", ".join(row.replies),
            row.result.value,
            row.why,
        )
        for row in TABLE
    ]
    printed = re.findall(r"^\| (.+?) \| (.+?) \| \*\*(.+?)\*\* \| (.+?) \|$", PAGE.read_text(), re.MULTILINE)
    assert printed == expected
