"""``run``: the service, until it is told to end; signals, log, trace, figures, and the service manager.

SIGTERM and SIGINT end it, what is in flight finished; SIGHUP reads the options anew.
"""

from __future__ import annotations

import argparse
import logging
import resource
import signal
import time
from contextlib import ExitStack, suppress
from queue import Empty
from typing import TYPE_CHECKING

from syncengine.cli.call import Call, Exit
from syncengine.cli.servicelog import service_log
from syncengine.cli.signals import ENDING, Received, signals
from syncengine.cli.web import add_access, open_pages
from syncengine.cli.web import address as page_address
from syncengine.engine.engine import Engine
from syncengine.errors import EngineError, UsageError
from syncengine.service.health import HealthServer, alive
from syncengine.service.lender import Limits
from syncengine.service.notify import Notifier
from syncengine.service.service import Service, Threads
from syncengine.service.trace import FILE, TraceFile

if TYPE_CHECKING:
    from syncengine.service.metrics import Metrics

_log = logging.getLogger(__name__)

_SPARE = 512
"""Descriptors kept for the index, the log, passes that send, and whatever the host has open."""


def fill(parser: argparse.ArgumentParser, _: str) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("--log-format", choices=("text", "json"), default="text", help="lines for people, or JSON")
    add("--metrics", metavar="HOST:PORT", help="answer /metrics, /healthz and /readyz there")
    add("--metrics-per-mailbox", action="store_true", help="with the age of each mailbox's last good pass")
    add("--trace", metavar="NUMBER", action="append", default=[], help="trace a mailbox's connection")
    add("--connections", metavar="N", type=_count, help="connections open at a time (else what fits)")
    add("--per-server", metavar="N", type=_count, help="connections to one server at a time (else as many)")
    add("--workers", metavar="N", type=_count, default=16, help="passes at a time (16)")
    add("--web", metavar="HOST:PORT", nargs="?", const="127.0.0.1:8080", help="show the pages there")
    add_access(parser)
    parser.set_defaults(run=run)


def run(call: Call) -> Exit:
    """Run the service until a signal ends it."""
    args = call.args
    address = _address(args.metrics)
    web = page_address(args.web) if args.web else None
    with signals(*ENDING, signal.SIGHUP) as received, ExitStack() as stack:
        stack.enter_context(
            service_log(as_json=args.log_format == "json", verbose=args.verbose, quiet=args.quiet)
        )
        notifier = Notifier()
        engine = _opened(call, received)
        if engine is None:
            return Exit.DONE
        stack.enter_context(engine)
        trace = TraceFile(engine.state_dir / FILE, lambda: engine.settings.system, args.trace)
        stack.callback(trace.close)
        stack.enter_context(
            service_log(
                as_json=args.log_format == "json", verbose=args.verbose, quiet=args.quiet, further=[trace]
            )
        )
        metrics = _metrics(engine, per_mailbox=args.metrics_per_mailbox) if address else None
        service = Service(
            engine,
            limits=_limits(args.connections, args.per_server),
            threads=Threads(at_pace=args.workers, most=4 * args.workers, doubtful=4 * args.workers),
            told=metrics.count if metrics else lambda _: None,
            trace=trace.of,
        )
        engine.start_loops(service)
        if web is not None:
            pages = open_pages(engine, call.config(), args, host=web[0], port=web[1])
            stack.callback(pages.stop)
            _log.info("the pages are at %s", pages.url)
        notifier.say("READY=1", f"STATUS={len(engine.numbers())} mailboxes")
        _log.info("%s: running over %d mailboxes", engine.state_dir, len(engine.numbers()))
        _wait(_Running(engine, service, notifier, received, address, metrics))
        notifier.say("STOPPING=1")
        engine.stop()
        _log.info("%s: stopped", engine.state_dir)
    return Exit.DONE


class _Running:
    """What is looked after while the service runs."""

    def __init__(
        self,
        engine: Engine,
        service: Service,
        notifier: Notifier,
        received: Received,
        address: tuple[str, int] | None,
        metrics: Metrics | None,
    ) -> None:
        self.engine = engine
        self.service = service
        self.notifier = notifier
        self.received = received
        self.address = address
        self.metrics = metrics
        self.health: HealthServer | None = None
        self.next_listen = 0.0

    def listen(self) -> None:
        """Answer on the address, tried again every ``repeat_startup_period`` until it can be had."""
        now = time.monotonic()
        if self.health is not None or self.metrics is None or self.address is None or now < self.next_listen:
            return
        period = self.engine.settings.system.repeat_startup_period
        self.next_listen = now + period
        self.metrics.watch(self.service)
        host, port = self.address
        try:
            self.health = HealthServer(host, port, self.service.figures, self.metrics)
        except OSError as error:
            _log.error("--metrics %s:%d: %s; tried again in %.0f s", host, port, error.strerror, period)
        else:
            _log.info("answering on http://%s:%d/metrics", host, self.health.port)

    def pulse(self) -> float:
        """Tell the service manager that all is well; seconds until the next time."""
        if self.notifier.interval is None:
            return 1.0
        if alive(self.service.figures()):
            self.notifier.say("WATCHDOG=1")
        return min(1.0, self.notifier.interval)


def _wait(running: _Running) -> None:
    """Look after the service until a signal ends it."""
    try:
        while True:
            running.listen()
            try:
                received = running.received.get(timeout=running.pulse())
            except Empty:
                continue
            if received in ENDING:
                return
            _log.info("SIGHUP: the options are read anew")
            running.service.reload()
    finally:
        if running.health is not None:
            running.health.stop()


def _opened(call: Call, received: Received) -> Engine | None:
    """The engine, tried every ``repeat_startup_period`` until its state can be had; None if told to end."""
    settings = call.settings()
    while True:
        try:
            return Engine.open(settings)
        except EngineError as error:
            period = settings.system.repeat_startup_period
            _log.error("%s; tried again in %.0f s", error, period)
        with suppress(Empty):
            if received.get(timeout=period) in ENDING:
                return None
        settings = call.settings()


def _limits(total: int | None, per_server: int | None) -> Limits:
    """As many connections as descriptors allow; the process's own soft limit is raised for it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else 1 << 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    fits = max(16, most - _SPARE) if total is None else min(total, max(16, most - _SPARE))
    return Limits(total=fits, per_server=per_server or fits)


def _metrics(engine: Engine, *, per_mailbox: bool) -> Metrics:
    try:
        from syncengine.service.metrics import Metrics  # noqa: PLC0415 - an extra, only with --metrics
    except ImportError:
        raise UsageError(
            "--metrics needs prometheus-client: pip install 'voicemail-syncengine[metrics]'"
        ) from None
    return Metrics(engine, per_mailbox=per_mailbox)


def _address(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"--metrics {text}: give an address like 127.0.0.1:9464 or [::1]:9464")
    return host.strip("[]"), int(port)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 to 1000000")
    return int(text)
