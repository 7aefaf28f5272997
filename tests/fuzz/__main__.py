"""Let atheris look for octets that break a reader: `python -m tests.fuzz [seconds] [target ...]`.

Each target runs in a process of its own, with a bound on its memory and on the time of one input; the
figures are printed at the end. What breaks one is printed as Python octets, to become a test.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

LIMITS = ("-rss_limit_mb=1024", "-malloc_limit_mb=512", "-timeout=20", "-max_len=8192")
NAMES = re.compile(r'(?m)^    "([a-z0-9-]+)": Target\(')


def main(arguments: list[str]) -> int:
    """Run all targets, or those named, each for so many seconds; 1 if one was broken."""
    if arguments[:1] == ["--one"]:
        _one(arguments[1], arguments[2:])
    seconds = arguments[0] if arguments else "60"
    names = arguments[1:] or NAMES.findall((Path(__file__).parent / "targets.py").read_text())
    broken = [name for name in names if not _ran(name, seconds)]
    print(f"broken: {', '.join(broken)}" if broken else "none is broken")
    return bool(broken)


def _ran(name: str, seconds: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        limits = [
            *LIMITS,
            f"-max_total_time={seconds}",
            f"-artifact_prefix={folder}/",
            "-print_final_stats=1",
        ]
        command = [sys.executable, "-m", "tests.fuzz", "--one", name, folder, *limits]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        units = re.search(r"number_of_executed_units: *(\d+)", done.stderr)
        edges = re.findall(r"\bcov: (\d+)", done.stderr)
        print(
            f"{name}: {int(units[1]) if units else 0:,} inputs, {edges[-1] if edges else 0} edges", flush=True
        )
        if done.returncode == 0 and units:
            return True
        print(done.stdout[-3000:], done.stderr[-1500:], sep="\n")
        for kind in ("crash", "oom", "timeout", "leak"):
            for path in Path(folder).glob(f"{kind}-*"):
                print(f"{name}: {path.read_bytes()!r}")
        return False


def _one(name: str, arguments: list[str]) -> None:
    with atheris.instrument_imports(include=["syncengine"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    for number, seed in enumerate(target.seeds):
        (Path(arguments[0]) / f"seed{number}").write_bytes(seed)

    def test(octets: bytes) -> None:
        target.check(octets)

    atheris.Setup([sys.argv[0], *arguments], test)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
