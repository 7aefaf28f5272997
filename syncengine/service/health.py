"""A small HTTP listener for those who watch the service: /metrics, /healthz, /readyz.

It gives figures and takes nothing: only GET, no names of people, short timeouts, few connections.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from syncengine.service.service import Figures

if TYPE_CHECKING:
    from syncengine.service.metrics import Metrics

_SILENCE = 30.0
"""Seconds after which a loop that did not go round counts as dead."""
_MOST = 32

Answer = tuple[int, str, bytes]


class HealthServer:
    """Answers on one address until it is stopped. Raises ``OSError`` where it cannot listen."""

    def __init__(self, host: str, port: int, figures: Callable[[], Figures], metrics: Metrics) -> None:
        self._figures = figures
        self._metrics = metrics
        self._server = _Server((host, port), _handler(self.answer))
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="syncengine-health", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str) -> Answer:
        """Status, content type and body for a path."""
        match path.partition("?")[0]:
            case "/metrics":
                from syncengine.service.metrics import CONTENT_TYPE  # noqa: PLC0415 - asked for only here

                return 200, CONTENT_TYPE, self._metrics.text()
            case "/healthz":
                figures = self._figures()
                return _json(200 if alive(figures) else 503, {"alive": alive(figures)})
            case "/readyz":
                figures = self._figures()
                ready = alive(figures) and figures.options_error is None
                return _json(200 if ready else 503, {"ready": ready} | asdict(figures))
            case _:
                return 404, "text/plain; charset=utf-8", b"/metrics, /healthz, /readyz\n"


def alive(figures: Figures) -> bool:
    """Whether the service's loop goes round."""
    return figures.silence < _SILENCE


def _json(status: int, value: object) -> Answer:
    return status, "application/json", json.dumps(value).encode() + b"\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = _MOST

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever hung up does not need an answer."""


def _handler(answer: Callable[[str], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            status, kind, body = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def version_string(self) -> str:
            return "syncengine"

        def log_message(self, format: str, *args: object) -> None:
            """Scrapes are no news."""

    return Handler
