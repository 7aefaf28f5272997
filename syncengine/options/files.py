"""Where the options lie and how they are read: ``syncengine.toml`` and ``mailboxes.d/*.toml`` beside it.

What is returned is valid as a whole; with any problem nothing is.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from syncengine.options import plainfile
from syncengine.options.problems import InvalidOptions, OptionProblem, refuse
from syncengine.options.read import read_settings
from syncengine.options.reader import NUMBER, NUMBER_ALLOWED, Source
from syncengine.options.schema import Settings

CONFIG_NAME = "syncengine.toml"
DROP_INS = "mailboxes.d"
_MOST_BYTES = 64 * 2**20


def load(path: Path) -> Settings:
    """Read the options of ``path`` and its drop-ins. Raises :class:`InvalidOptions` with every problem."""
    settings, problems = examine(path)
    if problems:
        raise InvalidOptions(problems)
    return settings


def examine(
    path: Path, changed: Mapping[Path, str | None] | None = None
) -> tuple[Settings, list[OptionProblem]]:
    """Read the options as they would be with ``changed`` files (None = removed); problems are returned.

    Raises :class:`InvalidOptions` where the main file cannot be read at all.
    """
    path = Path(path).absolute()
    changed = changed or {}
    problems: list[OptionProblem] = []
    main = _source(path, changed, problems)
    if main is None:
        raise InvalidOptions(problems)
    drop_ins = [_source(file, changed, problems, number=file.stem) for file in drop_in_files(path, changed)]
    for source in drop_ins:
        if source and not NUMBER.fullmatch(source.number or ""):
            problems.append(OptionProblem(source.file, None, "", f"the file's name must be {NUMBER_ALLOWED}"))
    good = [s for s in drop_ins if s and NUMBER.fullmatch(s.number or "")]
    settings, found = read_settings(main, good, base=path.parent, path=path)
    return settings, problems + found + _readable_passwords(settings)


def examine_part(path: Path, number: str = "") -> Settings:
    """Read the main file and one mailbox's drop-in as they stand now, without those of all others.

    Raises :class:`InvalidOptions` where the main file cannot be read at all.
    """
    path = Path(path).absolute()
    problems: list[OptionProblem] = []
    main = _source(path, {}, problems)
    if main is None:
        raise InvalidOptions(problems)
    own = path.parent / DROP_INS / f"{number}.toml"
    there = NUMBER.fullmatch(number) and own.is_file()
    source = _source(own, {}, problems, number=number) if there else None
    return read_settings(main, [source] if source else [], base=path.parent, path=path)[0]


def drop_in_files(path: Path, changed: Mapping[Path, str | None] | None = None) -> list[Path]:
    """Return the drop-in files beside the main file, ordered by number."""
    folder = path.parent / DROP_INS
    try:
        files = {
            file for file in folder.iterdir() if file.suffix == ".toml" and not file.name.startswith(".")
        }
    except (FileNotFoundError, NotADirectoryError):
        files = set()
    except OSError as error:
        raise refuse(folder, f"cannot be read: {error.strerror}") from None
    for file, text in (changed or {}).items():
        if file.parent == folder:
            (files.discard if text is None else files.add)(file)
    return sorted(files, key=lambda file: _natural(file.stem))


def _natural(number: str) -> tuple[int, str]:
    return (int(number) if number.isdecimal() and len(number) < 100 else 10**100, number)


def _source(
    file: Path,
    changed: Mapping[Path, str | None],
    problems: list[OptionProblem],
    *,
    number: str | None = None,
) -> Source | None:
    try:
        text, mode = read_text(file) if file not in changed else (changed[file] or "", _mode_of(file))
    except InvalidOptions as error:
        problems.extend(error.problems)
        return None
    return Source(str(file), text, mode, number)


def read_text(file: Path) -> tuple[str, int]:
    """Return the text and the permission bits of one file of options."""
    try:
        content, mode = plainfile.read(file, _MOST_BYTES + 1)
    except OSError as error:
        raise refuse(file, f"cannot be read: {error.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise refuse(file, f"is longer than {_MOST_BYTES} bytes")
    try:
        return content.decode("utf-8-sig"), mode
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise refuse(file, "this is no UTF-8", line=line) from None


def _mode_of(file: Path) -> int:
    try:
        return stat.S_IMODE(file.stat().st_mode)
    except OSError:
        return 0o600


def _readable_passwords(settings: Settings) -> list[OptionProblem]:
    """Find password files that everybody can read; one that is not there yet is no problem yet."""
    found = {}
    for number, mailbox in settings.mailboxes.items():
        for name, section in (("smtp", mailbox.smtp), ("imap4", mailbox.imap4), ("pop3", mailbox.pop3)):
            file = section.password.path if section.password else None
            if file is not None and file not in found and _mode_of(file) & stat.S_IROTH:
                key = f"mailboxes.{number}.{name}.password_file"
                found[file] = OptionProblem(str(file), None, key, "readable by everybody: chmod 600 it")
    return list(found.values())


def find_config(explicit: Path | None, env: Mapping[str, str]) -> Path:
    """Return the main file: ``explicit``, else $SYNCENGINE_CONFIG, else the first of the usual places.

    Raises :class:`InvalidOptions` where there is none, naming the places.
    """
    named = explicit or (Path(env["SYNCENGINE_CONFIG"]) if env.get("SYNCENGINE_CONFIG") else None)
    if named is not None:
        return named.expanduser().absolute()
    from platformdirs import site_config_dir, user_config_dir  # noqa: PLC0415 - only without a named file

    places = [Path(CONFIG_NAME).absolute()] + [
        Path(folder) / CONFIG_NAME
        for folder in (user_config_dir("syncengine"), site_config_dir("syncengine"))
    ]
    places.append(Path("/etc/syncengine") / CONFIG_NAME)
    for place in places:
        if place.is_file():
            return place
    looked = ", ".join(str(place) for place in places)
    raise refuse(
        CONFIG_NAME, f"not found (looked for {looked}): name it with --config, or run syncengine init"
    )
