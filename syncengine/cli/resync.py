"""``resync``: a pass over mailboxes now, several at a time, and the report of each."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from syncengine.cli.call import Call, Exit, worst
from syncengine.cli.output import Output, Progress
from syncengine.engine.engine import Engine
from syncengine.engine.events import Event, Reading
from syncengine.errors import Busy
from syncengine.model import Problem, Report, ReportedAction

_log = logging.getLogger(__name__)

_AT_ONCE = 8
"""Passes wait for servers most of the time."""


def fill(parser: argparse.ArgumentParser, _: str) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("numbers", metavar="NUMBER", nargs="*", help="mailboxes (default: all)")
    add("--all", action="store_true", help="all mailboxes")
    add("--full", action="store_true", help="read every folder from the start")
    add("--dry-run", action="store_true", help="print the plan; change nothing anywhere")
    add("--accept-deletes", action="store_true", help="let through exactly the deletes shown as held")
    parser.set_defaults(run=run)


@dataclass(frozen=True, slots=True)
class _Pass:
    """How a pass over one mailbox ended; ``off`` is why there was none."""

    report: Report
    busy: bool = False
    off: str | None = None

    @property
    def exit(self) -> Exit:
        if self.busy:
            return Exit.BUSY
        found = () if self.report.ok else (Exit.FAILED,)
        return worst((*found, Exit.HELD) if self.report.held else found)


def run(call: Call) -> Exit:
    """Pass over the mailboxes, print a report of each, and say how the worst of them ended."""
    with call.engine() as engine:
        numbers = _numbers(call, engine)
        passes = _passes(call, engine, numbers)
    if call.out.json:
        call.out.document([report_object(one.report) for one in passes])
    for one in passes:
        _tell(one, call.out)
    if not numbers:
        call.out.say("there is no mailbox yet; syncengine mailbox add NUMBER makes one")
    return worst(one.exit for one in passes)


def _numbers(call: Call, engine: Engine) -> Sequence[str]:
    numbers = [] if call.args.all else list(dict.fromkeys(call.args.numbers))
    for number in numbers:
        engine.binding(number)  # an unknown one ends it before anything is done
    return numbers or engine.numbers()


def _passes(call: Call, engine: Engine, numbers: Sequence[str]) -> Sequence[_Pass]:
    done: dict[str, _Pass] = {}
    pool = ThreadPoolExecutor(max_workers=max(1, min(_AT_ONCE, len(numbers))))
    with call.out.progress("resync", len(numbers)) as progress:
        engine.subscribe(lambda event: _move(progress, event))
        try:
            running: dict[Future[_Pass], str] = {
                pool.submit(_pass, call.args, engine, number): number for number in numbers
            }
            for future in as_completed(running):
                done[running[future]] = future.result()
                progress.advance(running[future])
        finally:
            pool.shutdown(cancel_futures=True)
    return [done[number] for number in numbers]


def _move(progress: Progress, event: Event) -> None:
    if isinstance(event, Reading):
        progress.part(event.mailbox, f"{event.mailbox} {event.folder}", event.done, event.total)


def _pass(args: argparse.Namespace, engine: Engine, number: str) -> _Pass:
    try:
        report = engine.resync(
            number, full=args.full, dry_run=args.dry_run, accept_deletes=args.accept_deletes
        )
    except Busy as busy:
        return _Pass(_not_passed(args, number, str(busy).removeprefix(f"mailbox {number}: ")), busy=True)
    except Exception as fault:  # noqa: BLE001 - the other mailboxes' reports must not be lost with it
        _log.debug("mailbox %s", number, exc_info=True)
        what = f"a fault of syncengine: {type(fault).__name__}: {fault}; -vv shows where"
        return _Pass(_not_passed(args, number, what))
    return _Pass(report, off=engine.off(number))


def _not_passed(args: argparse.Namespace, number: str, what: str) -> Report:
    return Report(number, ok=False, dry_run=args.dry_run, errors=(Problem(f"mailbox {number}", what),))


def report_object(report: Report) -> dict[str, Any]:
    """Return a report as ``resync --json`` shows it."""
    return {
        "mailbox": report.mailbox,
        "ok": report.ok,
        "held": report.held,
        "dry_run": report.dry_run,
        "actions": [
            {"side": a.side, "action": a.verb, "message": a.message, "count": a.count} for a in report.actions
        ],
        "errors": [{"where": problem.where, "what": problem.what} for problem in report.errors],
        "round_trips": report.traffic.round_trips,
        "bytes_in": report.traffic.bytes_in,
        "bytes_out": report.traffic.bytes_out,
        "seconds": round(report.seconds, 3),
    }


def _tell(one: _Pass, out: Output) -> None:
    report = one.report
    number = report.mailbox
    if one.off is not None:
        out.say(f"{number}: off: {one.off}")
        return
    for problem in report.errors:
        here = problem.where == f"mailbox {number}"
        what = problem.what.removeprefix(f"mailbox {number}: ")
        out.error(f"mailbox {number}: {what}" if here else f"mailbox {number}: {problem.where}: {what}")
    if not one.busy:
        out.say(f"{number}: {_outcome(report)}")
    for action in report.actions:
        out.say(f"  {_action(action)}")
    if report.held and report.dry_run:
        out.error(f"mailbox {number}: the brake would hold deletes; they are not in this plan")
    elif report.held:
        out.error(
            f"mailbox {number}: deletes are held by the brake; syncengine status {number} shows them,"
            f" syncengine resync {number} --accept-deletes lets them through"
        )


def _outcome(report: Report) -> str:
    count = sum(action.count for action in report.actions)
    actions = f"{count} action{'s' if count != 1 else ''}"
    traffic = f"{report.traffic.round_trips} round trips, {report.seconds:.1f} s"
    if not report.ok:
        return f"failed after {actions} ({traffic}); it will be tried again"
    if not count:
        return f"nothing to do{' but what is held' if report.held else ''} ({traffic})"
    return f"{'would do ' if report.dry_run else ''}{actions} ({traffic})"


def _action(action: ReportedAction) -> str:
    what = action.message or (f"{action.count} times" if action.count != 1 else "")
    return f"{action.side} {action.verb} {what}".rstrip()
