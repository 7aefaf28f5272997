"""``compose/compose.yaml`` holds together: it parses, it pins, and what it mounts is there and valid."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from syncengine.cli.call import Exit
from syncengine.cli.parser import build
from syncengine.options.files import load

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "compose" / "compose.yaml"


def test_docker_compose_accepts_the_file():
    """Compose's own parser reads it and finds all services, the engine waiting for a healthy GreenMail."""
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is absent")
    done = subprocess.run(
        [program, "-f", str(COMPOSE), "config"], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "condition: service_healthy" in done.stdout
    assert {"greenmail:", "syncengine:", "prometheus:"} <= {line.strip() for line in done.stdout.splitlines()}


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


def test_the_key_can_be_made_beside_the_mounted_configuration():
    """The folder of the configuration is a volume; the index, which changes all the time, lies below it."""
    text = COMPOSE.read_text()
    config = re.search(r"SYNCENGINE_CONFIG: (\S+)", text)
    volumes = re.findall(r"^ +- (\w+):(/\S+)$", text, re.MULTILINE)

    assert config is not None
    folder = Path(config[1]).parent
    assert (f"      - ./syncengine.toml:{config[1]}:ro\n") in text
    assert [str(folder)] == [path for name, path in volumes if re.search(rf"^  {name}:$", text, re.MULTILINE)]
    assert f"VOLUME {folder}\n" in (COMPOSE.parent / "Dockerfile").read_text()
    assert load(ROOT / "compose" / "syncengine.toml").system.state_dir.parent == folder


def test_prometheus_asks_where_the_service_answers():
    """The address of the scrape is the one that the service's command gives, under its name in Compose."""
    command = re.search(r"command: (\[.*\])", COMPOSE.read_text())
    targets = re.search(r'targets: \["(\S+)"\]', (COMPOSE.parent / "prometheus.yml").read_text())

    assert command is not None
    assert targets is not None
    words = build().parse_args(json.loads(command[1]))
    assert words.command == "run"
    assert targets[1] == "syncengine:" + words.metrics.rpartition(":")[2]


def test_the_unit_starts_what_the_command_line_takes():
    """Every word of ExecStart is understood, and the exit codes that end it for good are the command's."""
    unit = (COMPOSE.parent / "syncengine.service").read_text()
    start = re.search(r"^ExecStart=(\S+) (.*)$", unit, re.MULTILINE)
    never = re.search(r"^RestartPreventExitStatus=(.*)$", unit, re.MULTILINE)

    assert start is not None
    assert never is not None
    assert start[1].endswith("/syncengine")
    assert build().parse_args(start[2].split()).command == "run"
    assert [int(code) for code in never[1].split()] == [Exit.USAGE, Exit.BUSY]


def test_systemd_accepts_the_unit(tmp_path: Path):
    """systemd's own check finds nothing wrong with it, where systemd is here."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is absent")
    unit = (COMPOSE.parent / "syncengine.service").read_text()
    (tmp_path / "syncengine.service").write_text(
        re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit, flags=re.MULTILINE)
    )
    done = subprocess.run(
        [program, "verify", "--man=no", str(tmp_path / "syncengine.service")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "syncengine.service" not in done.stderr, done.stderr


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
