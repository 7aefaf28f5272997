"""GreenMail: plain IMAP4rev1 without CONDSTORE, SPECIAL-USE or namespaces, with odd answers of its own.

It comes from the environment (``GREENMAIL_HOST`` and ``GREENMAIL_{IMAP,IMAPS,POP3,SMTP,API}_PORT`` point at
one that runs already), else from ``compose/compose.yaml`` where a docker engine has the image, else from its
jar. Users are made through its REST interface, so several workers may share one.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.base import (
    HOST,
    ROOT,
    AbsentError,
    Found,
    Login,
    Server,
    free_ports,
    output,
    process,
    state_folder,
)

COMPOSE = ROOT / "compose" / "compose.yaml"
IMAGE = "greenmail/standalone"
JARS = ROOT / ".cache" / "greenmail"
PROTOCOLS = {"imap": 3143, "imaps": 3993, "pop3": 3110, "smtp": 3025, "api": 8080}
"""The ports on which GreenMail's image listens."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a GreenMail answers: its host, and a port for each of ``PROTOCOLS``."""

    host: str
    ports: dict[str, int]


def find() -> Found:
    """Return the GreenMail that this machine can offer, or raise ``AbsentError``."""
    host = os.environ.get("GREENMAIL_HOST")
    if host:
        return Found(f"at {host}", "environment")
    tag = _image_tag()
    if _compose() and output("docker", "image", "inspect", f"{IMAGE}:{tag}"):
        return Found(tag, "docker")
    jars = sorted(JARS.glob("greenmail-standalone-*.jar"))
    if jars and shutil.which("java"):
        return Found(jars[-1].stem.removeprefix("greenmail-standalone-"), "jar")
    missing = "java is not installed" if jars else "neither a docker engine nor the jar is there"
    raise AbsentError(missing)


@contextmanager
def start() -> Iterator[Server]:
    """Run, or reach, a GreenMail."""
    ways = {"environment": _from_environment, "docker": _from_docker, "jar": _from_jar}
    with ways[find().way]() as place:
        ports = place.ports
        yield Server(
            name="greenmail",
            host=place.host,
            imap_port=ports["imap"],
            imaps_port=ports["imaps"],
            pop3_port=ports["pop3"],
            smtp_port=ports["smtp"],
            users=_users(place),
            delimiter=".",
        )


@contextmanager
def _from_environment() -> Iterator[Place]:
    ports = {
        name: int(os.environ.get(f"GREENMAIL_{name.upper()}_PORT", port)) for name, port in PROTOCOLS.items()
    }
    yield Place(os.environ["GREENMAIL_HOST"], ports)


@contextmanager
def _from_jar() -> Iterator[Place]:
    jar = max(JARS.glob("greenmail-standalone-*.jar"))
    ports = dict(zip(PROTOCOLS, free_ports(len(PROTOCOLS)), strict=True))
    options = [f"-Dgreenmail.{name}.port={port}" for name, port in ports.items()]
    hosts = [f"-Dgreenmail.{name}.hostname={HOST}" for name in ports]
    lean = ["-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    lean += ["-Dgreenmail.startup.timeout=60000"]  # its own two seconds a port are short on a busy machine
    with state_folder("greenmail") as folder:
        argv = ["java", *lean, f"-Djava.io.tmpdir={folder}", *options, *hosts, "-jar", str(jar)]
        place = Place(HOST, ports)
        with process(argv, log=folder / "greenmail.log", ready=lambda: _ready(place)):
            yield place


@contextmanager
def _from_docker() -> Iterator[Place]:
    project = f"syncengine-tests-{os.getpid()}"
    compose = [*_compose(), "-p", project, "-f", str(COMPOSE)]
    ports = dict(zip(PROTOCOLS, free_ports(len(PROTOCOLS)), strict=True))
    published = {f"GREENMAIL_{name.upper()}_PORT": str(port) for name, port in ports.items()}
    with state_folder("greenmail") as folder:
        argv = ["env", *(f"{name}={value}" for name, value in published.items())]
        argv += [*compose, "up", "--no-deps", "greenmail"]
        place = Place(HOST, ports)
        try:
            with process(argv, log=folder / "greenmail.log", ready=lambda: _ready(place), timeout=180):
                yield place
        finally:
            output(*compose, "down", "--volumes")


def _compose() -> list[str]:
    """Return the compose command of a docker engine that answers, else nothing."""
    if not shutil.which("docker") or not output("docker", "version", "--format", "{{.Server.Version}}"):
        return []
    if output("docker", "compose", "version"):
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else []


def _image_tag() -> str:
    return COMPOSE.read_text().split(f"{IMAGE}:", 1)[1].split(None, 1)[0]


def _users(place: Place) -> Iterator[Login]:
    while True:
        user = f"u{secrets.token_hex(5)}"
        login = Login(user, f"pw-{user}", f"{user}@localhost")
        account = {"email": login.address, "login": login.user, "password": login.password}
        _call(place, "/api/user", json.dumps(account).encode())
        yield login


def _ready(place: Place) -> bool:
    try:
        return _call(place, "/api/service/readiness") == 200
    except OSError:
        return False


def _call(place: Place, path: str, body: bytes | None = None) -> int:
    request = urllib.request.Request(
        f"http://{place.host}:{place.ports['api']}{path}",
        data=body,
        headers={"Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        return int(answer.status)
