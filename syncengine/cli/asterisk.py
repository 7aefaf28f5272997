"""``asterisk``: mailboxes made from the entries of a ``voicemail.conf``, and a look at the spool."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncengine.cli.call import Call, Exit
from syncengine.errors import UsageError
from syncengine.options.check import is_timezone
from syncengine.options.problems import InvalidOptions
from syncengine.options.schema import VoiceMailServer

if TYPE_CHECKING:
    from syncengine.options.schema import System
    from syncengine.voicemail.asterisk import ConfMailbox


def fill(parser: argparse.ArgumentParser, _: str) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    take = actions.add_parser("import", help="make mailboxes from a voicemail.conf")
    take.add_argument("file", metavar="FILE", help="voicemail.conf")
    take.add_argument("--context", default="", help="only this context (default: all)")
    actions.add_parser("check", help="look whether the spool can be worked on")
    parser.set_defaults(run=run)


def run(call: Call) -> Exit:
    """Look at the spool, or make mailboxes."""
    return _check(call) if call.args.action == "check" else _import(call)


def _check(call: Call) -> Exit:
    """Look at everything that has to be right for the engine to work in Asterisk's spool."""
    from syncengine.engine.stores import manager_interface  # noqa: PLC0415
    from syncengine.voicemail.asterisk import Checkup, LockMode, load_conf  # noqa: PLC0415

    settings = call.settings()
    system = settings.system
    if system.voice_mail_server is not VoiceMailServer.ASTERISK:
        raise UsageError(
            'the voice messages are not in Asterisk\'s spool: system.voice_mail_server is "builtin"'
        )
    try:
        conf = load_conf(system.voicemail_conf)[0] if system.voicemail_conf else None
    except OSError as error:
        raise UsageError(f"system.voicemail_conf: {system.voicemail_conf}: {error.strerror}") from None
    boxes = [(mailbox.context, number) for number, mailbox in settings.mailboxes.items()]
    checkup = Checkup(system.spool, boxes, LockMode(system.spool_lock), conf, manager_interface(system))
    findings = []
    for finding in checkup.findings():
        findings.append(finding)
        if finding.ok:
            call.out.say(f"{finding.where}: ok" + (f": {finding.detail}" if finding.detail else ""))
        else:
            call.out.error(f"{finding.where}: {finding.detail}")
    if call.out.json:
        call.out.document([asdict(finding) for finding in findings])
    return Exit.DONE if all(finding.ok for finding in findings) else Exit.FAILED


def _import(call: Call) -> Exit:
    """Make a mailbox of every entry that has none yet; switched off, until its servers are told."""
    from syncengine.options.edit import add_mailbox  # noqa: PLC0415
    from syncengine.voicemail.asterisk import load_conf  # noqa: PLC0415

    config, settings = call.config(), call.settings()
    known = set(settings.mailboxes)
    try:
        conf, unread = load_conf(Path(call.args.file))
    except OSError as error:
        raise UsageError(f"{call.args.file}: it cannot be read: {error.strerror}") from None
    made: list[ConfMailbox] = []
    skipped: list[str] = []
    refused: list[str] = []
    for entry in conf.mailboxes:
        if call.args.context and entry.context != call.args.context:
            continue
        if entry.number in known:
            skipped.append(entry.number)
            continue
        try:
            add_mailbox(config, entry.number, _options(entry, settings.system))
        except InvalidOptions as error:
            refused += map(str, error.problems)
            continue
        known.add(entry.number)
        made.append(entry)
    warnings = [text for entry in made for text in _warnings(entry)]
    if call.out.json:
        call.out.document(
            {"made": [e.number for e in made], "skipped": skipped, "warnings": warnings, "unread": unread}
        )
    for entry in made:
        call.out.say(f"made mailbox {entry.number}" + (f" ({entry.emails[0]})" if entry.emails else ""))
    for number in skipped:
        call.out.say(f"mailbox {number} is there already, left as it is")
    for line in [*warnings, *(f"cannot be read: #include {name}" for name in unread)]:
        call.out.say(line)
    for line in refused:
        call.out.error(f"not made: {line}")
    if made:
        call.out.say("each is off until its servers are set: syncengine mailbox set NUMBER ...")
    return Exit.FAILED if refused else Exit.DONE


def _options(entry: ConfMailbox, system: System) -> dict[str, Any]:
    options: dict[str, Any] = {"context": entry.context}
    if entry.attach != system.send_as_attachment:
        options["send_as_attachment"] = entry.attach
    if entry.maxmsg != system.maxmsg:
        options["maxmsg"] = entry.maxmsg
    if entry.emails:
        options["email_name"] = entry.emails[0]
    if len(entry.emails) > 1:
        options["copies"] = list(entry.emails[1:])
    if entry.tz and is_timezone(entry.tz):
        options["timezone"] = entry.tz
    return options


def _warnings(entry: ConfMailbox) -> list[str]:
    """What has to be switched off in Asterisk, so that nothing is mailed twice or lost."""
    from syncengine.voicemail.asterisk import in_the_way  # noqa: PLC0415

    found = []
    if entry.tz and not is_timezone(entry.tz):
        found.append(f"mailbox {entry.number}: tz={entry.tz} names no time zone, here or in [zonemessages]")
    found += [f"mailbox {entry.number}: {text}" for text in in_the_way(entry)]
    return found
