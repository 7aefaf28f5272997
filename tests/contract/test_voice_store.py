"""Every voice store that there is does what is asked of one: the tests that others run against theirs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest

from syncengine import Kind, LocalMessage, State, VoiceStore
from syncengine.index import Index
from syncengine.testing import Call, VoiceStoreContract
from syncengine.voicemail.asterisk import AsteriskStore, How, LockMode
from syncengine.voicemail.builtin import BuiltinStore, Incoming
from tests.support.asterisk import FakeAsterisk, description

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "folder_store.py"


def mounted(place: Path, *, there: bool) -> None:
    """Take a folder away and leave an empty one as the mount point, or put it back."""
    away = place.with_name("away")
    if there:
        place.rmdir()
        away.rename(place)
    else:
        place.rename(away)
        place.mkdir()


class BuiltinServer:
    """A host that has no store of its own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._store = self.store()
        self._store.prepare()

    def store(self) -> BuiltinStore:
        index = Index.open(self._folder / "state")
        self._stack.callback(index.close)
        return BuiltinStore(self._folder / "voice", index.messages, index.passes)

    def leave(self, mailbox: str, call: Call) -> None:
        incoming = Incoming(
            mailbox,
            Kind.VOICE,
            "audio/wav",
            call.received,
            caller_number=call.number,
            caller_name=call.name,
            urgent=call.urgent,
        )
        self._store.take_in(incoming, call.recording)

    def hear(self, message: LocalMessage) -> None:
        assert self._store.change(message, State.HEARD)

    def delete(self, message: LocalMessage) -> None:
        assert self._store.change(message, State.DELETED)

    def unmount(self) -> None:
        mounted(self._folder / "voice", there=False)

    def mount(self) -> None:
        mounted(self._folder / "voice", there=True)


class AsteriskServer:
    """Asterisk, by its own algorithms."""

    def __init__(self, folder: Path, mode: LockMode) -> None:
        self._folder = folder
        self._mode = mode
        self._box("101").folder("INBOX")
        self._box("102").folder("INBOX")

    def store(self) -> AsteriskStore:
        how = How(lock_mode=self._mode, settle=0.01)
        return AsteriskStore(self._folder / "spool", self._folder / "state", b"k" * 32, how=how)

    def _box(self, mailbox: str) -> FakeAsterisk:
        return FakeAsterisk(self._folder / "spool" / "default" / mailbox, mode=self._mode)

    def leave(self, mailbox: str, call: Call) -> None:
        keys = {
            "callerid": f'"{call.name}" <{call.number}>',
            "origtime": str(int(call.received.timestamp())),
            "flag": "Urgent" if call.urgent else "",
        }
        folder = "Urgent" if call.urgent else "INBOX"
        text = description(int(call.number[-4:]), **keys)
        assert self._box(mailbox).put({"wav": call.recording, "txt": text}, folder)

    def hear(self, message: LocalMessage) -> None:
        box = self._box(message.mailbox)
        folder, number = self._find(message)
        call = box.login(folder)
        call.heard.add(number)
        box.hang_up(call)

    def delete(self, message: LocalMessage) -> None:
        box = self._box(message.mailbox)
        folder, number = self._find(message)
        call = box.login(folder)
        call.deleted.add(number)
        box.hang_up(call)

    def _find(self, message: LocalMessage) -> tuple[str, int]:
        for text in (self._folder / "spool" / "default" / message.mailbox).glob("[A-Z]*/msg*.txt"):
            if f"<{message.caller_number}>".encode() in text.read_bytes():
                return text.parent.name, int(text.name[3:7])
        raise LookupError(message)

    def unmount(self) -> None:
        mounted(self._folder / "spool", there=False)

    def mount(self) -> None:
        mounted(self._folder / "spool", there=True)


class ExampleServer:
    """The example of the library's page."""

    def __init__(self, folder: Path, module: ModuleType) -> None:
        self._place = folder / "answering"
        self._module = module
        self._store = self.store()
        self._store.prepare()

    def store(self) -> VoiceStore:
        store: VoiceStore = self._module.FolderStore(self._place)
        return store

    def leave(self, mailbox: str, call: Call) -> None:
        self._store.take_in(
            mailbox,
            call.recording,
            caller_number=call.number,
            caller_name=call.name,
            urgent=call.urgent,
            received=call.received.isoformat(),
        )

    def hear(self, message: LocalMessage) -> None:
        assert self._store.change(message, State.HEARD)

    def delete(self, message: LocalMessage) -> None:
        assert self._store.change(message, State.DELETED)

    def unmount(self) -> None:
        mounted(self._place, there=False)

    def mount(self) -> None:
        mounted(self._place, there=True)


class TestBuiltin(VoiceStoreContract):
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[BuiltinServer]:
        with ExitStack() as stack:
            yield BuiltinServer(tmp_path, stack)


class TestAsterisk(VoiceStoreContract):
    @pytest.fixture(params=list(LockMode))
    def server(self, tmp_path: Path, request: pytest.FixtureRequest) -> AsteriskServer:
        return AsteriskServer(tmp_path, request.param)


class TestExample(VoiceStoreContract):
    @pytest.fixture
    def server(self, tmp_path: Path) -> ExampleServer:
        return ExampleServer(tmp_path, example())


def example() -> ModuleType:
    """The example, imported from where it lies."""
    spec = importlib.util.spec_from_file_location(EXAMPLE.stem, EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[EXAMPLE.stem] = module
    spec.loader.exec_module(module)
    return module
