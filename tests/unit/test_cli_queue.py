"""The queue by commands: listed, tried again, given up; what is being sent is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncengine.index import Index, QueueState
from syncengine.model import token_of
from tests.support.commands import Run, delivered, installed
from tests.support.world import wav


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return installed(tmp_path / "here")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    file = tmp_path / "message.wav"
    file.write_bytes(wav())
    return file


def row(run: Run) -> dict[str, Any]:
    (found,) = run("queue", "list", "--json").json
    return found


def put(tmp_path: Path, message: str, state: QueueState, **how: Any) -> None:
    index = Index.open(tmp_path / "here" / "state")
    index.queue.settle("101", token_of(message), state, **how)
    index.close()


def test_the_queue_is_listed_with_exactly_these_keys(run, recording):
    message = delivered(run, recording)
    found = row(run)
    assert list(found) == ["id", "mailbox", "state", "attempts", "next_try", "last_reply"]
    assert (found["id"], found["state"]) == (message, "due")
    assert run("queue", "--json").json == run("queue", "101", "--json").json == [found]
    assert message in run("queue").out


def test_a_cancelled_message_is_not_sent_until_it_is_tried_again(run, recording):
    message = delivered(run, recording)
    assert run("queue", "cancel", message[:8], "--json").json[0]["state"] == "cancelled"
    assert run("messages", "101", "--json").json[0]["delivery"] == "not-sent"
    assert run("resync").code == 0
    assert run("queue", "retry", message, "--json").json[0]["state"] == "due"
    assert run("resync").code == 1


@pytest.mark.parametrize("state", ["undeliverable", "blocked", "cancelled", "due", "in-doubt", "not-sent"])
def test_retry_makes_due_now(run, recording, tmp_path, state):
    message = delivered(run, recording)
    put(tmp_path, message, QueueState(state), next_try=4e9, reply="550 5.1.1 no such user")
    found = run("queue", "retry", message, "--json").json[0]
    assert found["state"] == "due"
    assert found["next_try"] < "2090"


def test_retry_of_a_mailbox_leaves_alone_what_was_never_to_be_sent(run, recording, tmp_path):
    message = delivered(run, recording)
    put(tmp_path, message, QueueState.NOT_SENT)
    assert run("queue", "retry", "101", "--json").json == []


def test_retry_asks_again_only_those_who_refused(run, recording, tmp_path):
    message = delivered(run, recording)
    decided = {"a@example.com": "failure: 550 no", "copy@example.com": "success: 250 ok"}
    put(tmp_path, message, QueueState.UNDELIVERABLE, recipients=decided)
    run("queue", "retry", "101")
    index = Index.open(tmp_path / "here" / "state")
    queued = index.queue.get("101", token_of(message))
    index.close()
    assert queued is not None
    assert dict(queued.recipients) == {"copy@example.com": "success: 250 ok"}


def test_what_is_being_sent_is_neither_cancelled_nor_sent_twice(run, recording, tmp_path):
    message = delivered(run, recording)
    index = Index.open(tmp_path / "here" / "state")
    index.queue.claim("101", "another", 4e9, 60.0)
    index.close()
    assert run("queue", "cancel", message, "--json").json == []
    assert row(run)["state"] == "claimed"
    put(tmp_path, message, QueueState.SENT)
    assert run("queue", "retry", message).code == 2
