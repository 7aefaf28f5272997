"""A caller's way through his mails: what is heard becomes heard, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from syncengine.errors import MailboxError, UsageError
from syncengine.speech.child import SpeechError, SpeechStopped
from syncengine.speech.mail import Sentence
from syncengine.speech.session import MailSession, Spoken
from tests.support.mails import Mails


class Tape:
    """A voice that writes down what it is to say; ``broken`` words cannot be said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.broken = ""
        self.stopped = self.closed = False

    def speak(self, text: str, language: str) -> bytes:
        if self.stopped:
            raise SpeechStopped("stopped")
        if self.broken and self.broken in text:
            raise SpeechError("text-to-speech: it cannot speak; see tts_command")
        self.said.append(text)
        return f"{language}:{text}".encode()

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.stopped = self.closed = True


@pytest.fixture
def mails() -> Mails:
    return Mails()


@pytest.fixture
def tape() -> Tape:
    return Tape()


@pytest.fixture
def session(mails: Mails, tape: Tape) -> Iterator[MailSession]:
    with MailSession(mails, tape, language="en", now=lambda: datetime.now(UTC)) as session:
        yield session


def rest(session: MailSession) -> list[str]:
    said = []
    while (spoken := session.next_sentence()) is not None:
        said.append(spoken.sentence.text)
    return said


def test_a_mail_is_announced_and_read_and_is_heard_at_its_end(session: MailSession, mails: Mails):
    session.open("b")
    said = rest(session)

    assert said[:3] == ["Message 2 of 3.", "From Sender b.", "Subject: About b."]
    assert said[4:] == ["First of b.", "Last of b."]
    assert mails.heard == {"b", "c"}
    assert [item.heard for item in session.items] == [False, True, True]


def test_each_sentence_comes_with_its_sound(session: MailSession):
    session.open("a")
    spoken = session.next_sentence()
    assert spoken is not None
    assert spoken.sound == b"en:Message 1 of 3."


def test_until_the_end_nothing_is_marked(session: MailSession, mails: Mails):
    session.open("a")
    for _ in range(6):  # the last sentence is being played, and the caller may hang up in it
        assert session.next_sentence() is not None
    assert mails.heard == {"c"}


@pytest.mark.parametrize("leave", ["skip", "keep", "restart", "delete", "hang_up", "close"])
def test_who_leaves_early_has_not_heard_it(session: MailSession, mails: Mails, leave: str):
    session.open("a")
    for _ in range(6):
        session.next_sentence()
    getattr(session, leave)()
    assert "a" not in mails.heard


def test_after_hanging_up_the_end_marks_nothing(session: MailSession, mails: Mails):
    session.open("a")
    for _ in range(6):
        session.next_sentence()
    session.hang_up()
    assert session.next_sentence() is None
    assert mails.heard == {"c"}


def test_hanging_up_stops_the_voice(session: MailSession, tape: Tape):
    session.open("a")
    session.hang_up()
    with pytest.raises(SpeechStopped):
        session.next_sentence()
    assert tape.stopped


def test_a_sentence_is_repeated_and_the_next_one_follows(session: MailSession):
    session.open("a")
    assert session.repeat() is None
    first = session.next_sentence()
    assert session.repeat() == first == session.repeat()
    assert session.next_sentence() != first
    last = rest(session)[-1]
    repeated = session.repeat()  # at the end, too
    assert repeated is not None
    assert repeated.sentence.text == last


def test_a_mail_begun_again_is_announced_again(session: MailSession, mails: Mails):
    session.open("a")
    whole = rest(session)
    session.restart()
    assert rest(session) == whole


def test_the_text_is_fetched_only_after_the_announcement(session: MailSession, mails: Mails):
    while session.skip():
        for _ in range(4):
            session.next_sentence()
    assert mails.opened == []


def test_skipping_goes_through_the_list_to_its_end(session: MailSession):
    assert session.current is None
    assert [item.id if (item := session.skip()) else None for _ in range(5)] == ["a", "b", "c", None, None]
    assert session.current is None
    assert session.next_sentence() is None
    assert session.repeat() is None
    assert session.restart() is None


def test_a_deleted_mail_is_gone_and_the_numbers_stay(session: MailSession, mails: Mails):
    session.open("a")
    following = session.delete()

    assert following is not None
    assert following.id == "b"
    assert list(mails.mails) == ["b", "c"]
    assert rest(session)[0] == "Message 2 of 3."
    assert [item.id for item in session.items] == ["b", "c"]
    with pytest.raises(UsageError):
        session.open("a")


def test_deleting_the_last_ends_the_list(session: MailSession):
    session.open("c")
    assert session.delete() is None
    with pytest.raises(UsageError, match="no e-mail is open"):
        session.delete()


def test_an_unknown_mail_is_refused(session: MailSession):
    with pytest.raises(UsageError, match="no such e-mail"):
        session.open("../x")


def test_a_mail_with_an_unspoken_sentence_does_not_become_heard(
    session: MailSession, mails: Mails, tape: Tape
):
    tape.broken = "First"
    session.open("a")
    for _ in range(4):
        session.next_sentence()
    with pytest.raises(SpeechError):
        session.next_sentence()
    assert rest(session) == ["Last of a."]
    assert "a" not in mails.heard


def test_a_mail_that_could_not_be_fetched_does_not_become_heard(session: MailSession, mails: Mails):
    mails.unreachable = True
    session.open("a")
    for _ in range(4):
        session.next_sentence()
    with pytest.raises(MailboxError):
        session.next_sentence()
    assert session.next_sentence() is None
    assert "a" not in mails.heard

    mails.unreachable = False
    session.restart()
    assert rest(session)[-1] == "Last of a."
    assert "a" in mails.heard


def test_what_was_heard_is_marked_once(session: MailSession, mails: Mails):
    marked: list[str] = []
    mails.mark_heard = marked.append  # type: ignore[method-assign]
    for name in ("a", "c", "a"):
        session.open(name)
        rest(session)
        session.next_sentence()
    assert marked == ["a"]


def test_the_session_closes_its_voice(mails: Mails, tape: Tape):
    with MailSession(mails, tape, language="en", now=lambda: datetime.now(UTC)):
        pass
    assert tape.closed


def test_the_caller_may_count_a_mail_as_heard_before_its_end(session: MailSession, mails: Mails):
    session.open("a")
    session.mark_heard()
    assert mails.heard == {"a", "c"}
    assert session.items[0].heard


def test_a_mail_kept_as_new_stays_new_at_its_end(session: MailSession, mails: Mails):
    session.open("a")
    rest(session)
    session.mark_new()
    assert mails.heard == {"c"}
    assert rest(session) == []
    session.open("b")
    session.mark_new()
    rest(session)
    assert mails.heard == {"c"}


def test_without_an_open_mail_there_is_nothing_to_mark(session: MailSession):
    for mark in (session.mark_heard, session.mark_new):
        with pytest.raises(UsageError, match="open one first"):
            mark()


def test_how_many_there_are_is_said_of_what_is_left(session: MailSession):
    assert session.say_overview().sentence.text == "You have 3 e-mails, 2 of them new."
    session.open("a")
    session.delete()
    session.open("b")
    session.delete()
    assert session.say_overview().sentence.text == "You have one e-mail."
    assert session.say_no_more().sentence.text == "There are no more e-mails."


def test_the_sound_is_there_as_mu_law_too(mails: Mails):
    samples = (20000 * np.sin(np.arange(8000) / 3)).astype("<i2")
    ulaw = Spoken(Sentence("x", "en"), samples.tobytes()).ulaw
    magnitude = ~np.frombuffer(ulaw, np.uint8)
    exponent, mantissa = (magnitude >> 4) & 7, magnitude & 15  # ITU-T G.711 table 2a
    level = (((mantissa.astype(int) << 3) + 0x84) << exponent) - 0x84
    decoded = np.where(magnitude & 0x80, -level, level)
    assert len(ulaw) == len(samples)
    assert abs(decoded - samples).max() <= 1024
