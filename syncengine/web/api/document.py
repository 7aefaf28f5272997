"""What there is under /api: the OpenAPI document, made from the operations, and a page that shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from syncengine.options.reader import NUMBER
from syncengine.web.api.models import Fault
from syncengine.web.api.operation import Operation, json
from syncengine.web.api.operations import OPERATIONS
from syncengine.web.site import Site
from syncengine.web.who import Need

_REF = "#/components/schemas/{name}"
_PARTS: Mapping[str, Mapping[str, Any]] = {
    "number": {"type": "string", "pattern": f"^{NUMBER.pattern}$", "description": "A mailbox's number."},
    "message": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "A message's id."},
    "name": {"type": "string", "minLength": 1, "description": "The name of the row."},
}
_WHO = {
    Need.ANYBODY: "Whoever is signed in.",
    Need.OWN: "The mailbox's subscriber, read-only users, operators.",
    Need.OWN_CHANGE: "The mailbox's subscriber, operators.",
    Need.SEE: "Read-only users, operators.",
    Need.OPERATE: "Operators.",
}
_FAULTS = {
    400: "This is no such question.",
    401: "Nobody is signed in, or the password is wrong.",
    403: "Not for this user, or the session's token is missing.",
    404: "There is no such thing.",
    409: "Something is not what it was when it was looked at, or is so already.",
    411: "The length is missing.",
    413: "The body is too long.",
    415: "The body is no JSON.",
    422: "What is said in it does not hold.",
    429: "Too many wrong passwords.",
    503: "It cannot be done now.",
}
_OF_CHANGES = {409, 411, 413, 415, 422}


def show(_: Site, __: Request) -> Response:
    """Answer with the document."""
    return json(document())


def page(site: Site, request: Request) -> Response:
    """Show what there is."""
    return site.page(request, "api.html", document=document(), operations=OPERATIONS)


@cache
def document() -> Mapping[str, Any]:
    """Return the OpenAPI document."""
    kinds = [Fault, *(kind for one in OPERATIONS for kind in _kinds(one))]
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "syncengine",
            "version": version("voicemail-syncengine"),
            "description": "What the pages show and do, as JSON.",
        },
        "servers": [{"url": "/"}],
        "security": [{"password": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "password": {"type": "http", "scheme": "basic"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "syncengine_web",
                    "description": "Changes take the field X-CSRF-Token too; /api/me says it.",
                },
            },
        },
    }


def _kinds(operation: Operation) -> list[Any]:
    answer = [] if isinstance(operation.answer, tuple) else [operation.answer]
    return [*answer, operation.body]


def _operation(operation: Operation) -> Mapping[str, Any]:
    found: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "-", f"{operation.method.lower()}{operation.path}").strip("-"),
        "summary": operation.about,
        "description": f"For: {_WHO[operation.need]}",
        "parameters": [*_parts(operation.path), *_query(operation)],
        "responses": {str(operation.code): _answer(operation)} | _faults(operation),
    }
    if operation.method != "GET":
        body = {"application/json": {"schema": _schema(operation.body)}}
        needed = bool(msgspec.structs.fields(operation.body))
        found["requestBody"] = {"required": needed, "content": body}
    return found


def _parts(path: str) -> list[Mapping[str, Any]]:
    names = re.findall(r"{(\w+)}", path)
    return [{"name": name, "in": "path", "required": True, "schema": _PARTS[name]} for name in names]


def _query(operation: Operation) -> list[Mapping[str, Any]]:
    ((schema, *_), components) = msgspec.json.schema_components([operation.query], ref_template=_REF)
    own = components[schema["$ref"].rpartition("/")[2]]
    return [
        {"name": name, "in": "query", "required": False, "schema": one}
        for name, one in own["properties"].items()
    ]


def _answer(operation: Operation) -> Mapping[str, Any]:
    found: dict[str, Any] = {"description": operation.about}
    if isinstance(operation.answer, tuple):
        found["content"] = {kind: {"schema": {}} for kind in operation.answer}
        return found
    found["content"] = {"application/json": {"schema": _schema(operation.answer)}}
    if "offset" in {field.name for field in msgspec.structs.fields(operation.query)}:
        about = {"description": "How many there are altogether.", "schema": {"type": "integer"}}
        found["headers"] = {"X-Total-Count": about}
    return found


def _faults(operation: Operation) -> dict[str, Mapping[str, Any]]:
    codes = [code for code in _FAULTS if operation.method != "GET" or code not in _OF_CHANGES]
    content = {"application/json": {"schema": _schema(Fault)}}
    return {str(code): {"description": _FAULTS[code], "content": content} for code in codes}


def _schema(kind: Any) -> Mapping[str, Any]:  # noqa: ANN401 - whatever msgspec makes a schema of
    ((schema, *_), _) = msgspec.json.schema_components([kind], ref_template=_REF)
    found: Mapping[str, Any] = schema
    return found
