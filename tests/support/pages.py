"""The pages as a browser sees them: a real server on loopback, a client that keeps its cookie and token."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from syncengine.engine.engine import Engine
from syncengine.web.door import Access
from syncengine.web.server import WebServer


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def words(self) -> str:
        """What is read on the page, without its markup."""
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.text)).split())


@dataclass
class Browser:
    """A browser with one visitor's cookie."""

    host: str
    cookie: str = ""
    token: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request; underscores in names of fields stand for dashes."""
        where = urlsplit(f"//{self.host}")
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=20)
        sent = self.extra | {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie:
            sent.setdefault("Cookie", self.cookie)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        if answer.headers["Set-Cookie"]:
            self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        if found := re.search(r'name="csrf" value="([0-9a-f]{64})"', answer.body.decode("latin-1")):
            self.token = found[1]
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        """Look at a page."""
        return self.ask("GET", path, None, **headers)

    def post(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """Send a form as a browser does from these pages."""
        fields = {"csrf": self.token} | dict(form or {})
        own = {"Origin": f"http://{self.host}", "Content-Type": "application/x-www-form-urlencoded"}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", path, urlencode(fields).encode(), **(own | given))


def form_of(answer: Answer) -> dict[str, str]:
    """The first form of a page's contents as a browser would send it untouched."""
    text = answer.text.partition("<main")[2].partition("<form")[2].partition("</form>")[0]
    fields = {}
    for tag in re.findall(r"<input [^>]*>", text):
        found = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if found.get("type") != "checkbox":
            fields[found["name"]] = unescape(found.get("value", ""))
    for name, inside in re.findall(r'<select [^>]*?name="([^"]+)"[^>]*>(.*?)</select>', text, re.DOTALL):
        chosen = re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)', inside)
        assert chosen, name
        fields[name] = unescape(chosen[1] or chosen[2])
    return fields


@contextmanager
def pages(config: Path, access: Access | None = None) -> Iterator[tuple[Engine, Browser]]:
    """The pages over an installation, and a browser before them."""
    with Engine.open(config) as engine:
        server = WebServer(engine, config, access or Access(), host="127.0.0.1", port=0)
        try:
            yield engine, Browser(urlsplit(server.url).netloc)
        finally:
            server.stop()
