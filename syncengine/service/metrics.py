"""What the service counts, for Prometheus; nothing here names a mailbox unless that was asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from syncengine.engine.engine import Engine
from syncengine.index.totals import totals
from syncengine.service.jobs import Done

if TYPE_CHECKING:
    from syncengine.service.service import Service

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


class Metrics:
    """Counts passes as they are told, and looks at service and index when it is asked."""

    def __init__(self, engine: Engine, *, per_mailbox: bool = False) -> None:
        self._engine = engine
        self._per_mailbox = per_mailbox
        self._service: Service | None = None
        self._registry = registry = CollectorRegistry()
        self._passes = Counter("syncengine_passes", "Passes over mailboxes.", ["result"], registry=registry)
        self._actions = Counter(
            "syncengine_actions", "What passes did.", ["side", "action"], registry=registry
        )
        self._trips = Counter("syncengine_round_trips", "Waits for an answer of a server.", registry=registry)
        self._bytes = Counter(
            "syncengine_bytes", "Octets of IMAP, before TLS.", ["direction"], registry=registry
        )
        self._seconds = Histogram(
            "syncengine_pass_seconds", "How long passes took.", buckets=_SECONDS, registry=registry
        )
        registry.register(self)

    def watch(self, service: Service) -> None:
        """Show this service's figures too."""
        self._service = service

    def count(self, done: Done) -> None:
        """Count a pass."""
        report = done.report
        result = done.failure.value if done.failure else "ok" if report and report.ok else "trouble"
        result = "unchanged" if done.unchanged else result
        if report is None and done.failure is None:
            return
        self._passes.labels(result).inc()
        if report is None:
            return
        self._seconds.observe(report.seconds)
        self._trips.inc(report.traffic.round_trips)
        self._bytes.labels("in").inc(report.traffic.bytes_in)
        self._bytes.labels("out").inc(report.traffic.bytes_out)
        for action in report.actions:
            self._actions.labels(action.side.value, action.verb.value).inc(action.count)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing to be asked before it is wanted."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The figures of this moment."""
        if self._service is not None:
            figures = self._service.figures()
            for name, text, value in (
                ("mailboxes", "Mailboxes that are kept in step.", figures.mailboxes),
                ("mailboxes_planned", "Mailboxes with a pass planned.", figures.planned),
                ("mailboxes_stopped", "Mailboxes not tried any more: logins refused.", figures.stopped),
                ("mailboxes_first_round", "Mailboxes not passed over since the start.", figures.first_round),
                ("jobs", "Jobs that run or wait for a thread.", figures.busy),
                ("connections", "Open connections to servers.", figures.connections),
                ("connections_watching", "Connections that are told of changes.", figures.watching),
                ("loop_silence_seconds", "Since the service's loop went round.", figures.silence),
                ("options_refused", "1 while changed options are refused.", bool(figures.options_error)),
            ):
                yield _gauge(name, text, float(value))
        yield from self._from_index()

    def _from_index(self) -> Iterator[GaugeMetricFamily]:
        sums = totals(self._engine.index.database)
        yield _gauge("pending", "Changes not confirmed by the other side yet.", sums.pending)
        yield _gauge("unconfirmed", "Changes not expected to be confirmed any more.", sums.unconfirmed)
        yield _gauge("held_deletes", "Inferred deletes that the brake holds.", sums.held)
        yield _gauge("mailboxes_failing", "Mailboxes whose last pass failed.", sums.failing)
        queue = GaugeMetricFamily(
            "syncengine_queue", "Messages by the state of their sending.", labels=["state"]
        )
        for state, count in sorted(sums.queue.items()):
            queue.add_metric([state], count)
        yield queue
        if self._per_mailbox:
            ages = GaugeMetricFamily(
                "syncengine_last_success_age_seconds", "Since a mailbox's last good pass.", labels=["mailbox"]
            )
            for mailbox, when in sorted(sums.last_success.items()):
                ages.add_metric([mailbox], max(0.0, time.time() - when))
            yield ages


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"syncengine_{name}", text, value=value)
