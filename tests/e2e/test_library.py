"""The library's page is true: its example runs as it stands there, against a real server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncengine import Engine, State
from tests.contract.test_voice_store import example
from tests.support.waiting import eventually
from tests.support.world import wav, world

PAGE = Path(__file__).parents[2] / "docs" / "library.md"


@pytest.mark.server("dovecot")
def test_the_example_of_the_page_runs_as_it_stands(imap_server, tmp_path, monkeypatch, capsys):
    with world(tmp_path, imap_server) as there:
        there.engine.close()
        (tmp_path / "msg.wav").write_bytes(wav())
        monkeypatch.chdir(tmp_path)
        (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        exec(compile(code, str(PAGE), "exec"), {})
        there.open()

        assert "lamp of 101: 1 new (1 urgent), 0 heard" in capsys.readouterr().out
        there.sync_ok()
        there.quiet()


@pytest.mark.server("dovecot")
def test_a_store_of_ones_own_is_kept_in_step(imap_server, tmp_path):
    with world(tmp_path, imap_server) as there:
        there.engine.close()
        store = example().FolderStore(tmp_path / "answering")
        there.engine = Engine.open(there.config, store=store)
        there.sync_ok()
        there.engine.start()
        message = store.take_in("101", wav(), caller_number="+12035550117")
        there.engine.changed("101")
        eventually(lambda: there.message(message).delivery == "confirmed")

        there.flag(message, "\\Seen")
        eventually(lambda: store.listing("101").messages[0].state is State.HEARD)
        there.move(message, "Trash")
        eventually(lambda: store.listing("101").messages[0].state is State.DELETED)
        there.box.restore(message)
        eventually(lambda: [there.path(at) for at, _ in there.places(message)] == ["Voice Mail Messages"])
