"""The files that the pages are made of: the style, a few lines of script, htmx and its morphing swap.

Invariant: only what is listed here is handed out, and it comes out of the package.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from syncengine.web.site import Site

_SCRIPT, _STYLE = "text/javascript", "text/css"
FILES: Mapping[str, str] = MappingProxyType(
    {
        "style.css": _STYLE,
        "icon.svg": "image/svg+xml",
        "form.js": _SCRIPT,
        "live.js": _SCRIPT,
        "htmx-2.0.11.min.js": _SCRIPT,
        "idiomorph-ext-0.8.0.min.js": _SCRIPT,
    }
)


def show(_: Site, request: Request) -> Response:
    """Answer with a file; with nothing where the browser has this very one."""
    name = request.path_params["name"]
    kind = FILES.get(name)
    if kind is None:
        raise HTTPException(404, "There is no such file.")
    content, tag = _file(name)
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=kind, headers=headers)


@cache
def _file(name: str) -> tuple[bytes, str]:
    content = (resources.files("syncengine.web") / "static" / name).read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
