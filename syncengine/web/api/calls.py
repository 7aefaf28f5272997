"""What /api answers: the same as the pages, as the objects of the commands' ``--json``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, cast

from starlette.exceptions import HTTPException
from starlette.responses import Response

from syncengine.cli.check import step_object
from syncengine.cli.messages import message_object
from syncengine.cli.queue import DONE, queue_object
from syncengine.cli.resync import report_object
from syncengine.cli.status import status_object
from syncengine.engine.overview import lines
from syncengine.model import id_of
from syncengine.web import mailbox, sound
from syncengine.web.api import models
from syncengine.web.api.operation import Asked, json
from syncengine.web.site import Site, changed, visit_of
from syncengine.web.status import arranged


def me(_: Site, asked: Asked) -> object:
    """Return who asks."""
    who = visit_of(asked.request).who
    if who is None:
        raise HTTPException(401, "Sign in, or give name and password.")
    return models.Me(who.name, who.role.value, who.mailbox, asked.request.scope["csrf"])


def statuses(site: Site, asked: Asked) -> Response:
    """Return the mailboxes that were asked for; how many there are is in X-Total-Count."""
    search = cast(models.Search, asked.query)
    found = arranged(lines(site.engine), search.q.strip(), search.state, search.sort)
    part = found[search.offset : search.offset + search.limit]
    answer = json([status_object(site.engine.status(line.mailbox)) for line in part])
    answer.headers["X-Total-Count"] = str(len(found))
    return answer


def status(site: Site, asked: Asked) -> object:
    """Return one mailbox."""
    return status_object(site.engine.status(site.known(asked.number)))


def messages(site: Site, asked: Asked) -> Response:
    """Return messages, the oldest first."""
    window = cast(models.Window, asked.query)
    found = site.engine.mailbox(site.known(asked.number)).messages()
    part = found[window.offset : window.offset + window.limit]
    answer = json([message_object(message) for message in part])
    answer.headers["X-Total-Count"] = str(len(found))
    return answer


def message(site: Site, asked: Asked) -> object:
    """Return one message."""
    number, wanted = mailbox.message_of(site, asked.request)
    return message_object(site.engine.mailbox(number).message(wanted))


def recording(site: Site, asked: Asked) -> Response:
    """Return the recording or the fax."""
    return sound.show(site, asked.request)


def change(site: Site, asked: Asked) -> object:
    """Mark, delete or restore a message."""
    mailbox.change_message(site, asked.request, cast(models.Change, asked.body).to)
    return message(site, asked)


def retry(site: Site, asked: Asked) -> object:
    """Send a message again."""
    mailbox.send_again(site, asked.request)
    return message(site, asked)


def queue(site: Site, asked: Asked) -> object:
    """Return what is to be sent."""
    rows = site.engine.index.queue.rows(site.known(asked.number))
    return [queue_object(row) for row in rows if row.state not in DONE]


def held(site: Site, asked: Asked) -> object:
    """Return the deletes that the brake holds."""
    found = mailbox.held_in(site, site.engine.picture(site.known(asked.number)))
    return [models.HeldDelete(id_of(one.token), datetime.fromtimestamp(one.since, UTC)) for one in found]


def resync(site: Site, asked: Asked) -> object:
    """Pass over a mailbox, or plan it, or let through what is held."""
    body = cast(models.Pass, asked.body)
    number = site.known(asked.number)
    accept = body.how == "accept-deletes"
    if accept:
        now = {id_of(one.token) for one in mailbox.held_in(site, site.engine.picture(number))}
        if now != set(body.held):
            raise HTTPException(
                409, "What is held is not what was named: nothing was let through. Look again."
            )
    changed(asked.request, {"how": body.how})
    report = site.engine.resync(number, dry_run=body.how == "dry-run", accept_deletes=accept)
    return report_object(report)


def test(site: Site, asked: Asked) -> Sequence[Any]:
    """Try the account as the options say."""
    number = site.known(asked.number)
    return [step_object(number, server, step) for server, step in site.trials.steps(site.engine, number)]


def record(site: Site, asked: Asked) -> object:
    """Return the record of changes, the newest first."""
    window = cast(models.Window, asked.query)
    return list(islice(site.audit.newest(), window.offset, window.offset + window.limit))
