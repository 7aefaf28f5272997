"""The recording of a message, to be played or kept.

Invariant: what it is said to be follows from its own first bytes, never from a name; what is no known
sound is only ever handed out to be kept.
"""

from __future__ import annotations

import re
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from syncengine.web.site import Site

_ID = re.compile(r"[0-9a-f]{32}")
_KINDS = (
    (re.compile(rb"RIFF....WAVE", re.DOTALL), "audio/wav", "wav"),
    (re.compile(rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]"), "audio/mpeg", "mp3"),
    (re.compile(rb"OggS"), "audio/ogg", "ogg"),
    (re.compile(rb"II\*\0|MM\0\*"), "image/tiff", "tif"),
    (re.compile(rb"%PDF-"), "application/pdf", "pdf"),
)


def show(site: Site, request: Request) -> Response:
    """Answer with a recording or a fax."""
    number, message = site.known(request.path_params["number"]), request.path_params["message"]
    if not _ID.fullmatch(message):
        raise HTTPException(404, "There is no such message.")
    path = site.engine.mailbox(number).content(message)
    try:
        kind, extension = kind_of(path)
        found = path.stat()
    except OSError:
        raise HTTPException(404, "Its recording is not there any more.") from None
    playable = kind.startswith("audio/")
    return FileResponse(
        path,
        media_type=kind,
        filename=f"{message}.{extension}",
        stat_result=found,
        content_disposition_type="inline" if playable else "attachment",
    )


def kind_of(path: Path) -> tuple[str, str]:
    """Return content type and extension of a file by its first bytes; raises ``OSError``."""
    with path.open("rb") as file:
        head = file.read(16)
    for pattern, kind, extension in _KINDS:
        if pattern.match(head):
            return kind, extension
    return "application/octet-stream", "bin"
