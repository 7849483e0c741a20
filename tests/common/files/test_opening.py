"""No file of ours is opened through a link, whichever it is, and no pipe in its place blocks anybody."""

from __future__ import annotations

import ast
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import lmdb
import pytest
from support.outgoing import tweet
from support.paths import ROOT

from traptor.common.errors import TraptorError
from traptor.common.files.counts import CountsFile
from traptor.common.files.disk import allocate
from traptor.common.files.mark import MARK, MarkFile
from traptor.common.files.opening import LINK, open_own, refuse_link, stream_behind
from traptor.common.files.outboxes import OUTBOX_LOCK, is_ownerless
from traptor.supervisor.ctl.collected.compliance import _results
from traptor.supervisor.ledger.disk.store import LedgerStore
from traptor.supervisor.state.locks import RecordLock, WorkersLock
from traptor.supervisor.state.reserve import Reserve
from traptor.supervisor.state.roster import write_atomically
from traptor.supervisor.state.store import StateStore
from traptor.worker.outbox.outbox import Outbox, OutboxError, OutboxInUse
from traptor.worker.seen.log import WordLog
from traptor.worker.sinks.linefile import LineFile

NEW = os.O_WRONLY | os.O_CREAT
PRECIOUS = b"precious"


def test_a_file_is_opened_where_its_folder_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "logs").symlink_to(tmp_path / "disk")
    os.close(open_own(tmp_path / "logs" / "x", NEW, 0o600))
    assert (tmp_path / "disk" / "x").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("target", ["precious", "missing", "."])
def test_a_link_in_its_place_is_an_error_and_nothing_is_made(tmp_path: Path, target: str) -> None:
    (tmp_path / "precious").write_bytes(PRECIOUS)
    (tmp_path / "x").symlink_to(target)
    for use in (lambda: open_own(tmp_path / "x", NEW | os.O_TRUNC), lambda: refuse_link(tmp_path / "x")):
        with pytest.raises(OSError, match="it is a link") as raised:
            use()
        assert (raised.value.errno, raised.value.strerror) == (errno.ELOOP, LINK)
    assert (tmp_path / "precious").read_bytes() == PRECIOUS
    assert not (tmp_path / "missing").exists()
    refuse_link(tmp_path / "precious")


def test_other_errors_are_those_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for name, number in (("missing/x", errno.ENOENT), ("loop/x", errno.ELOOP)):
        with pytest.raises(OSError, match=os.strerror(number)):
            open_own(tmp_path / name, NEW)


def test_a_pipe_in_its_place_blocks_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    with pytest.raises(OSError, match=os.strerror(errno.ENXIO)):
        open_own(tmp_path / "x", NEW)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/dev/stdout", "/dev/stdout"),
        ("/dev/fd/2", "/dev/fd/2"),
        ("/dev/fd/7", None),
        ("/proc/1/fd/1", None),
        ("/etc/passwd", None),
        ("../dev/stdout", None),
    ],
)
def test_only_links_to_our_own_streams_lead_to_them(tmp_path: Path, target: str, name: str | None) -> None:
    (tmp_path / "x").symlink_to(target)
    assert stream_behind(tmp_path / "x") == name
    assert stream_behind(tmp_path / "missing") is None
    assert stream_behind(tmp_path) is None


# ---- every kind of file


def adopt(folder: Path) -> None:
    """Open an outbox that a generation left."""
    Outbox.adopt(folder, synced=False, max_bytes=1 << 24).close()


def left_outbox(folder: Path) -> Path:
    Outbox.create(folder / "1", synced=False, max_bytes=1 << 24).close()
    return folder / "1"


def adopt_with_content(folder: Path) -> None:
    outbox = Outbox.adopt(folder, synced=False, max_bytes=1 << 24)
    try:
        outbox.after(0)
    finally:
        outbox.close()


def store_results(path: Path) -> None:
    with _results(path) as out:
        out.write(b"result")


def must(error: OSError | None) -> None:
    if error is not None:
        raise error


KINDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "mark": (MARK, lambda folder: MarkFile(folder)),
    "counts": ("k/1", lambda folder: must(CountsFile(folder / "k" / "1").write(b"1"))),
    "room": ("room", lambda folder: allocate(folder / "room", 0, 4096)),
    "reserve": ("reserve", lambda folder: Reserve(folder / "reserve").take_rest()),
    "seen posts": ("seen/words", lambda folder: WordLog(folder / "seen").open(1.0)),
    "lock of seen posts": ("seen/lock", lambda folder: WordLog(folder / "seen").open(1.0)),
    "output": ("x.jsonl", lambda folder: LineFile(folder / "x.jsonl").open()),
    "lock of the master": ("lock", lambda folder: RecordLock(folder / "lock").take()),
    "lock of the workers": ("workers.lock", lambda folder: WorkersLock(folder / "workers.lock")),
    "roster and status": (".s.json.new", lambda folder: write_atomically(folder / "s.json", b"{}")),
    "state": ("state.db", lambda folder: StateStore(folder / "state.db")),
    "ledger": ("ledger.db", lambda folder: LedgerStore(folder / "ledger.db")),
    "lock of an outbox": (f"1/{OUTBOX_LOCK}", lambda folder: adopt(folder / "1")),
    "outbox": ("1/data.mdb", lambda folder: adopt_with_content(folder / "1")),
    "results": (".found.part", lambda folder: store_results(folder / "found")),
}


@pytest.mark.parametrize("content", [PRECIOUS, b"", None], ids=["file", "empty", "missing"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_file_is_written_through_a_link(tmp_path: Path, kind: str, content: bytes | None) -> None:
    name, write = KINDS[kind]
    left_outbox(tmp_path)
    precious = tmp_path / "precious"
    if content is not None:
        precious.write_bytes(content)
    place = tmp_path / name
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(precious)
    try:
        write(tmp_path)
    except (OSError, TraptorError, OutboxError, OutboxInUse, lmdb.Error) as error:
        assert "link" in str(error) or isinstance(error, OutboxInUse)
    assert (precious.read_bytes() if precious.exists() else None) == content


def test_an_outbox_whose_lock_is_a_link_is_nobodys_to_take(tmp_path: Path) -> None:
    folder = left_outbox(tmp_path)
    assert is_ownerless(folder)
    (folder / OUTBOX_LOCK).rename(tmp_path / "elsewhere")
    (folder / OUTBOX_LOCK).symlink_to(tmp_path / "elsewhere")
    assert not is_ownerless(folder)


def test_no_outbox_is_emptied_through_a_link(tmp_path: Path) -> None:
    folder = left_outbox(tmp_path)
    other = Outbox.create(tmp_path / "2", synced=False, max_bytes=1 << 24)
    other.put([tweet(1)])
    other.close()
    (folder / "data.mdb").symlink_to(tmp_path / "2" / "data.mdb")
    before = (tmp_path / "2" / "data.mdb").read_bytes()
    with pytest.raises(OutboxError, match="it is a link"):
        adopt_with_content(folder)
    assert (tmp_path / "2" / "data.mdb").read_bytes() == before


# What does not write, or to no file of ours under a name of our choice.
KNOWN = {
    "common/config/source/textfile.py": "reads the ini and what it names, which may be links",
    "common/files/opening.py": "is the place",
    "common/logs/files.py": "/dev/null, our own stdout, and a descriptor as a file object",
    "common/stdstream.py": "our own stdout",
    "rulekit/commands/reading.py": "a person names the file",
    "supervisor/host/inherited.py": "/dev/null",
    "worker/afterfork.py": "/proc/self",
}


def test_every_other_place_that_opens_a_file_to_write_is_known() -> None:
    found = {
        str(path.relative_to(ROOT))
        for package in ("common", "worker", "supervisor", "rulekit")
        for path in (ROOT / package).rglob("*.py")
        if any(opens_to_write(ast.parse(path.read_text())))
    }
    assert found == KNOWN.keys()


def opens_to_write(tree: ast.AST) -> Iterator[bool]:
    """Whether each call opens a file for more than reading, or by `os.open`, which does not say."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = ast.unparse(call.func)
        if name == "os.open" or name.endswith((".write_text", ".write_bytes", ".touch")):
            yield True
        elif name == "open" or (name.endswith(".open") and name not in ("lmdb.open", "os.open")):
            texts = [one.value for one in ast.walk(call) if isinstance(one, ast.Constant)]
            yield any(isinstance(text, str) and can_write(text) for text in texts)


def can_write(text: str) -> bool:
    """Whether it is a mode of `open` other than for reading."""
    letters = set(text)
    return len(letters) == len(text) and letters <= set("rwaxbt+") and bool(letters & set("wax+"))


@pytest.mark.parametrize(
    "call", ["open(path, {!r})", "path.open(mode={!r})", "io.open(p, {!r} if new else 'r')"]
)
def test_every_mode_that_can_write_is_found(call: str) -> None:
    for mode in (
        "w",
        "a",
        "x",
        "wb",
        "ab",
        "xb",
        "wt",
        "r+",
        "w+",
        "a+",
        "x+",
        "r+b",
        "rb+",
        "w+b",
        "+r",
        "bw",
    ):
        assert any(opens_to_write(ast.parse(call.format(mode)))), mode
    for mode in ("r", "rb", "rt", "br", "utf-8"):
        assert not any(opens_to_write(ast.parse(call.format(mode)))), mode
