"""E-mails by commands on a real server: listed, spoken into a file, marked; and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from tests.contract.test_emails import letter, uid
from tests.support.dovecot import Dovecot
from tests.support.shell import Shell, shell_on
from tests.support.world import NUMBER


@pytest.fixture
def shell(dovecot: Dovecot, tmp_path: Path) -> Iterator[Shell]:
    with shell_on(dovecot, tmp_path) as one:
        one.system = {"text_to_speech": True}
        one.write()
        yield one


def test_an_email_is_spoken_marked_deleted_and_restored_by_its_id(shell: Shell):
    shell.mail.append(letter("Lunch", text="Shall we meet at one?\r\n\r\nI will be there."))
    report = shell.did("resync", "--json").json[0]
    assert {"side": "local", "action": "index", "message": None, "count": 1} in report["actions"]
    mail = shell.first()
    assert (mail["kind"], mail["subject"], mail["sender"]) == ("email", "Lunch", "Anna Berg")

    file = shell.folder / "lunch.wav"
    shell.apart = True
    assert str(file) in shell.did("speak", NUMBER, mail["id"][:8], "-o", file).out
    shell.apart = False
    sound = soundfile.info(str(file))
    assert (sound.samplerate, sound.channels, sound.subtype) == (8000, 1, "ULAW")
    assert 4 < sound.duration < 30
    samples, _ = soundfile.read(str(file))
    assert abs(samples).max() > 0.1, "it is not silent"
    shell.did("resync")
    assert shell.mail.flags(uid(shell, "Lunch")) == set(), "a file is not a caller"

    assert shell.did("mark", NUMBER, mail["id"][:8], "heard", "--json").json["heard"] is True
    shell.did("resync")
    assert shell.mail.flags(uid(shell, "Lunch")) == {"\\Seen"}
    shell.did("delete", NUMBER, mail["id"])
    shell.did("resync")
    assert uid(shell, "Lunch", "Trash")
    assert "deleted" in shell.ran("speak", NUMBER, mail["id"], "-o", file).err
    shell.did("restore", NUMBER, mail["id"])
    shell.did("resync")
    assert uid(shell, "Lunch")
    assert shell.first()["id"] == mail["id"]


def test_the_list_is_spoken_without_a_pass_before(shell: Shell):
    for subject in ("One", "Two", "Three"):
        shell.mail.append(letter(subject))
    file = shell.folder / "list.wav"
    spoken = shell.did("speak", NUMBER, "--list", "-o", file, "--json").json

    assert spoken["file"] == str(file)
    assert abs(spoken["seconds"] - soundfile.info(str(file)).duration) < 0.01
    assert spoken["seconds"] > 6
    shell.did("speak", NUMBER, "--list", "-o", file, "--coding", "pcm")
    assert (soundfile.info(str(file)).samplerate, soundfile.info(str(file)).subtype) == (8000, "PCM_16")
    assert [p.name for p in shell.folder.glob("*list.wav*")] == ["list.wav"]


def test_a_voice_message_and_an_unknown_id_are_no_emails(shell: Shell):
    message = shell.sent()
    shell.did("resync")
    for wanted in (message, "0123456789"):
        ran = shell.ran("speak", NUMBER, wanted, "-o", shell.folder / "x.wav")
        assert (ran.code, "no e-mail of mailbox 101" in ran.err) == (2, True), ran
    assert not list(shell.folder.glob("*x.wav*"))


@pytest.mark.parametrize(
    ("system", "options", "why"),
    [
        ({"text_to_speech": False}, {}, "text_to_speech is false; set it to true"),
        ({}, {"sync_mode": "none", "delivery": "smtp"}, "its sync mode is none"),
        ({}, {"protocol": "pop3", "delivery": "smtp"}, "no POP3 server"),
    ],
)
def test_what_cannot_be_read_aloud_is_refused_with_its_reason(shell: Shell, system, options, why):
    shell.smtp = {"server": "127.0.0.1", "port": 9, "security": "none"}
    shell.system |= system
    shell.options = options
    shell.write()
    ran = shell.ran("speak", NUMBER, "--list", "-o", shell.folder / "x.wav")

    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert why in ran.err
    assert not (shell.folder / "x.wav").exists()


def test_with_the_voice_folder_alone_it_says_that_there_is_no_ordinary_mail(shell: Shell):
    shell.mail.append(letter("Lunch"))
    shell.options = {"sync_mode": "voice-mail-folder"}
    shell.write()

    assert "holds no ordinary mail" in shell.did("speak", NUMBER, "--list", "-o", shell.folder / "x.wav").out
