"""The API is what its document says: asked by schemathesis what the document allows, and what it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncengine.engine.engine import Engine
from syncengine.web import door
from syncengine.web.users import Users
from syncengine.web.who import Role
from tests.support.commands import installed
from tests.support.pages import pages
from tests.support.world import wav

PASSWORD = "correct horse"
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "2")
# What holds for the document may still not hold for the options: that is said with 422.
SETTINGS = """
[parameters]
"path.number" = "101"
"path.message" = "{message}"
"path.name" = "g_bUseTTS"

[phases.coverage]
unexpected-methods = ["DELETE", "POST"]

[checks]
positive_data_acceptance.expected-statuses = ["2xx", 404, 409, 422]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 411, 413, 415, 422]
"""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """The pages with an operator, and a message; wrong passwords may be tried as often as the checks do."""
    monkeypatch.setattr(door, "_OF_ADDRESS", (10_000, 60.0))
    monkeypatch.setattr(door, "_OF_USER", (10_000, 60.0))
    installed(tmp_path / "here")
    config = tmp_path / "here" / "syncengine.toml"
    with Engine.open(config) as engine:
        Users(engine.state_dir).add("olga", Role.OPERATOR, PASSWORD, None)
    with pages(config) as (engine, browser):
        yield f"http://{browser.host}", engine.mailbox("101").deliver(wav(), caller_name="Peter Adams").id


@pytest.mark.timeout(300)
def test_every_answer_is_one_that_the_document_names(served, tmp_path):
    address, message = served
    (tmp_path / "schemathesis.toml").write_text(SETTINGS.format(message=message))
    words = [
        "run", f"{address}/api/openapi.json", "--auth", f"olga:{PASSWORD}", "--max-examples", EXAMPLES,
        "--phases", "coverage,fuzzing", "--no-color", "--seed", "1",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Tested: 18" in done.stdout
