"""What a new installation needs: a sample configuration, its folders, and the installation's key.

The key proves which messages are this installation's own; whoever loses it loses the pairing of a lost
index, so it is never written anew over one that is there.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from syncengine.options import atomic
from syncengine.options.files import DROP_INS, read_text
from syncengine.options.keys import Key, keys_of
from syncengine.options.problems import refuse
from syncengine.options.schema import Sync, System


@dataclass(frozen=True, slots=True)
class InstallationKey:
    """Who this installation is: X-VM-System, and the secret of X-VM-Auth and of derived tokens."""

    system_id: str
    secret: bytes = field(repr=False)


def key_file(config: Path) -> Path:
    """Return where the key lies: beside the configuration."""
    return Path(config).absolute().with_suffix(".key")


def installation_key(config: Path, *, create: bool = True) -> InstallationKey:
    """Return the installation's key, made at the first need. Raises ``OptionsError`` where that cannot be.

    Without ``create`` a missing key is an error and nothing is written.
    """
    file = key_file(config)
    if create and not file.exists():
        _create_key(file)
    text, mode = read_text(file)
    if mode & stat.S_IROTH:
        raise refuse(file, "is readable by everybody: chmod 600 it")
    try:
        data = tomllib.loads(text)
        system_id, secret = str(data["system_id"]), bytes.fromhex(data["secret"])
    except (ValueError, LookupError, TypeError, RecursionError):
        system_id, secret = "", b""
    if len(secret) < 16 or not system_id.isalnum() or not system_id.isascii() or len(system_id) > 64:
        raise refuse(file, "holds no key: put back the file from a backup")
    return InstallationKey(system_id, secret)


def _create_key(file: Path) -> None:
    text = (
        "# Proves which messages in the accounts are this installation's own. Keep it, and a backup of it.\n"
        f'system_id = "{secrets.token_hex(8)}"\nsecret = "{secrets.token_hex(32)}"\n'
    )
    # Linked into place whole, and only where nothing is: of two processes one key wins for both.
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8") as stream:  # noqa: PTH123 - the descriptor's mode is 0600
                stream.write(text)
                stream.flush()
                os.fsync(descriptor)
            file.hardlink_to(temporary)
        except FileExistsError:
            return
        finally:
            temporary.unlink(missing_ok=True)
        atomic.sync_folder(file.parent)
    except OSError as error:
        raise refuse(file, f"the installation's key cannot be written: {error.strerror}") from None


def init(config: Path, state_dir: Path) -> tuple[Path, ...]:
    """Write the sample configuration, the key and the folders; return what was made.

    Raises ``OptionsError`` where the configuration is there already; nothing is changed then.
    """
    config, state_dir = Path(config).absolute(), Path(state_dir).absolute()
    if not f"{config}{state_dir}".isprintable():
        raise refuse(repr(str(config)), "a path must not hold control characters or bytes that are no UTF-8")
    if config.exists():
        raise refuse(config, "is there already; nothing was changed")
    made = []
    try:
        config.parent.mkdir(parents=True, exist_ok=True)
        for folder in (config.parent / DROP_INS, state_dir):
            if not folder.is_dir():
                folder.mkdir(mode=0o700, parents=True)
                made.append(folder)
    except OSError as error:
        raise refuse(error.filename or config, f"cannot be made: {error.strerror}") from None
    if not key_file(config).exists():
        made.append(key_file(config))
    installation_key(config)
    atomic.write(config, sample(state_dir))
    return (config, *made)


def sample(state_dir: Path) -> str:
    """Return the sample configuration: every key with its meaning, the defaults commented out."""
    lines = [
        "# The options of syncengine. A line that begins with #: shows a key with its default.",
        "",
        "[system]",
    ]
    # A JSON text is a TOML basic string (TOML 1.0, String).
    lines += [f"state_dir = {json.dumps(str(state_dir), ensure_ascii=False)}"]
    lines += _commented(keys_of(System), skip="state_dir")
    lines += ["", "[sync]", *_commented(keys_of(Sync)), "", *_MAILBOX.splitlines()]
    return "\n".join(lines) + "\n"


_MAILBOX = """\
# A mailbox stands here, or in mailboxes.d/NUMBER.toml (there without the prefix mailboxes.NUMBER).
# Every key of [sync] may stand in it too; all its keys are on the page of options.
#: [mailboxes.101]
#: email_integration = true
#: send_mode = "voice+fax"
#: sync_mode = "all-folders"
#: email_name = "petera@example.com"
#: [mailboxes.101.smtp]
#: server = "mail.example.com"
#: security = "tls"
#: authentication = "plain"
#: account = "petera@example.com"
#: password_command = "pass mail/petera"
#: [mailboxes.101.imap4]
#: server = "mail.example.com"
#: security = "tls"
#: account = "petera@example.com"
#: password_command = "pass mail/petera"
"""


def _commented(keys: Mapping[str, Key], *, skip: str = "") -> list[str]:
    lines = []
    for name, key in keys.items():
        if name == skip:
            continue
        lines.append(f"# {key.about.doc}")
        lines.append(f"#: {name} = {key.default_text}")
    return lines
