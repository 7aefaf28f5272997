"""The library's page is true: its example runs as it stands there, against a real server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
