"""``compose/compose.yaml`` holds together: it parses, it pins, and what it mounts is there and valid."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from syncengine.options.files import load

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "compose" / "compose.yaml"


def test_docker_compose_accepts_the_file():
    """Compose's own parser reads it and finds both services, the engine waiting for a healthy GreenMail."""
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is absent")
    done = subprocess.run(
        [program, "-f", str(COMPOSE), "config"], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "condition: service_healthy" in done.stdout
    assert {"greenmail:", "syncengine:"} <= {line.strip() for line in done.stdout.splitlines()}


def test_greenmail_is_the_same_everywhere():
    """The image of compose and the jar of the tests' set-up are one version, pinned."""
    image = re.search(r"image: greenmail/standalone:(\S+)", COMPOSE.read_text())
    jar = re.search(r"^greenmail=(\S+)", (ROOT / "tests/support/setup/servers.sh").read_text(), re.MULTILINE)

    assert image is not None
    assert jar is not None
    assert re.fullmatch(r"\d+\.\d+\.\d+", image[1])
    assert image[1] == jar[1]


def test_the_mounted_configuration_is_valid():
    """The engine in its container finds one complete mailbox."""
    settings = load(ROOT / "compose" / "syncengine.toml")

    assert list(settings.mailboxes) == ["101"]


def test_the_image_is_made_of_files_that_exist():
    """Every COPY of the Dockerfile finds its source and is let through by the ignore file."""
    dockerfile = (ROOT / "compose" / "Dockerfile").read_text()
    let_through = (ROOT / "compose" / "Dockerfile.dockerignore").read_text().splitlines()
    sources = [
        name for line in re.findall(r"^COPY (.+)$", dockerfile, re.MULTILINE) for name in line.split()[:-1]
    ]

    assert sources
    for name in sources:
        assert (ROOT / name).exists(), name
        assert f"!{name}" in let_through
