"""The figures for Prometheus: what is counted, and that the page of operations explains every one of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncengine.engine.engine import Engine
from syncengine.model import Report, ReportedAction, Side, Traffic, Verb
from syncengine.options.schema import Settings, System
from syncengine.service.jobs import Done
from syncengine.service.metrics import Metrics
from syncengine.service.scheduler import Failure
from syncengine.service.service import Service

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


@pytest.fixture
def metrics(tmp_path):
    with Engine.open(Settings(system=System(state_dir=tmp_path))) as engine:
        yield Metrics(engine, per_mailbox=True)


def test_passes_are_counted_by_their_result(metrics: Metrics):
    actions = (ReportedAction(Side.REMOTE, Verb.SEND, "id"), ReportedAction(Side.REMOTE, Verb.MOVE, None, 3))
    good = Report("101", ok=True, actions=actions, traffic=Traffic(5, 600, 70))
    metrics.count(Done(mailbox="101", report=good))
    metrics.count(Done(mailbox="101", report=Report("101", ok=False)))
    metrics.count(Done(mailbox="101", failure=Failure.AUTHENTICATION, report=Report("101", ok=False)))
    metrics.count(Done(mailbox="101", failure=Failure.BUSY))
    metrics.count(Done(mailbox="101"))
    metrics.count(Done(mailbox="101", report=Report("101", ok=True), unchanged=True))
    text = metrics.text().decode()

    assert 'syncengine_passes_total{result="ok"} 1.0' in text
    assert 'syncengine_passes_total{result="trouble"} 1.0' in text
    assert 'syncengine_passes_total{result="authentication"} 1.0' in text
    assert 'syncengine_passes_total{result="busy"} 1.0' in text
    assert 'syncengine_passes_total{result="unchanged"} 1.0' in text
    assert 'syncengine_actions_total{action="move",side="remote"} 3.0' in text
    assert "syncengine_round_trips_total 5.0" in text
    assert 'syncengine_bytes_total{direction="in"} 600.0' in text
    assert "syncengine_pass_seconds_count 4.0" in text


def test_the_page_explains_every_figure_and_no_other(metrics: Metrics):
    metrics.watch(_Still())
    text = metrics.text().decode()
    shown = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    shown = {name for name in shown if not name.endswith("_created")}
    told = set(re.findall(r"^\| (.*?) \|", PAGE, re.MULTILINE))
    told = {name for cell in told for name in re.findall(r"`(syncengine_\w+)", cell)}

    assert told == shown


class _Still(Service):
    """A service that was never started, with its figures."""

    def __init__(self) -> None:
        pass

    def figures(self):
        from syncengine.service.service import Figures

        return Figures()
