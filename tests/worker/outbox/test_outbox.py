"""The outbox on disk: what was put in is there until it is taken out, whoever dies in between."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import lmdb
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.paths import DATA

from traptor.common.files.mark import Mark, read_mark
from traptor.common.files.outboxes import Left, is_ownerless, outboxes, ownerless, trial_folder
from traptor.worker.outbox.message import Outgoing
from traptor.worker.outbox.outbox import Batch, Outbox, OutboxError, OutboxInUse

MAX_BYTES = 1 << 20


def message(number: int, body: bytes = b"{}") -> Outgoing:
    return Outgoing(body=body, tweet_id=str(number), rule_ids=("r1",), created_at_ms=number)


def create(folder: Path, generation: int = 1, *, synced: bool = False) -> Outbox:
    return Outbox.create(folder / str(generation), synced=synced, max_bytes=MAX_BYTES)


def adopt(folder: Path, generation: int = 1) -> Outbox:
    return Outbox.adopt(folder / str(generation), synced=False, max_bytes=MAX_BYTES)


def content(outbox: Outbox) -> list[Outgoing]:
    found: list[Outgoing] = []
    number = 0
    while (batch := outbox.after(number)) is not None:
        found += outbox.read(batch)
        number = batch.number
    return found


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = create(tmp_path)
    yield made
    made.close()


messages = st.builds(
    Outgoing,
    body=st.binary(max_size=6_000),
    tweet_id=st.none() | st.text(max_size=20),
    rule_ids=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    created_at_ms=st.none() | st.integers(0, 2**53),
)


class OutboxMachine(RuleBasedStateMachine):
    """Whatever is put, taken out, and opened anew: it holds what is in it, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.outbox = create(self.folder)
        self.known: dict[Batch, tuple[Outgoing, ...]] = {}

    def teardown(self) -> None:
        self.outbox.close()
        shutil.rmtree(self.folder)

    @rule(batch=st.lists(messages, min_size=1, max_size=5), leaving=st.sets(st.integers(0, 5)))
    def put(self, batch: list[Outgoing], leaving: set[int]) -> None:
        gone = [one for place, one in enumerate(self.known) if place in leaving]
        put = self.outbox.put(batch, gone)
        for one in gone:
            del self.known[one]
        self.known[put] = tuple(batch)

    @precondition(lambda self: self.known)
    @rule(place=st.integers(0, 5))
    def remove(self, place: int) -> None:
        gone = list(self.known)[place % len(self.known)]
        self.outbox.remove([gone])
        del self.known[gone]

    @rule()
    def open_anew(self) -> None:
        self.outbox.close()
        self.outbox = adopt(self.folder)

    @invariant()
    def it_holds_what_is_in_it(self) -> None:
        assert content(self.outbox) == [one for batch in self.known.values() for one in batch]
        assert self.outbox.messages == sum(map(len, self.known.values()))
        assert self.outbox.bytes == sum(batch.bytes for batch in self.known)


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


def test_what_was_put_in_survives_the_kill_of_its_writer(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        outbox = create(tmp_path)
        first = outbox.put([message(1)])
        outbox.put([message(2), message(3, b"x" * 5_000)], [first])
        outbox.mark(Mark(safe_until_wall=5.0, safe_until=6.0, since=2.0))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    outbox = adopt(tmp_path)
    assert content(outbox) == [message(2), message(3, b"x" * 5_000)]
    assert (outbox.messages, outbox.generation) == (2, 1)
    assert read_mark(outbox.folder) == Mark(5.0, 6.0, 2.0)
    outbox.close()


def test_a_writer_killed_at_any_moment_leaves_whole_batches(tmp_path: Path) -> None:
    """Killed in the middle of puts and removes, many times: what is found is a run of whole batches."""
    for generation in range(1, 21):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            outbox, before = create(tmp_path, generation), None
            for number in range(10_000_000):
                batch = outbox.put([message(number, b"x" * 3_000)] * 5, [before] if before else [])
                before = batch
                os.write(writing, b".")
        os.close(writing)
        os.read(reading, 1)  # it has put something
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reading)
        outbox = adopt(tmp_path, generation)
        found = content(outbox)
        assert len(found) == outbox.messages == 5
        assert len({one.tweet_id for one in found}) == 1
        outbox.delete()


def test_no_other_can_have_it_while_its_owner_lives(tmp_path: Path, outbox: Outbox) -> None:
    outbox.put([message(1)])
    with pytest.raises(OutboxInUse):
        adopt(tmp_path)
    assert not is_ownerless(outbox.folder)
    outbox.close()
    assert is_ownerless(outbox.folder)
    heir = adopt(tmp_path)
    assert content(heir) == [message(1)]
    heir.close()


def test_a_deleted_one_is_gone_and_cannot_be_adopted(tmp_path: Path, outbox: Outbox) -> None:
    outbox.put([message(1)])
    outbox.delete()
    assert not outbox.folder.exists()
    with pytest.raises(OutboxInUse):
        adopt(tmp_path)


def test_one_that_nothing_was_put_into_makes_no_file_and_is_adopted_empty(
    tmp_path: Path, outbox: Outbox
) -> None:
    assert sorted(path.name for path in outbox.folder.iterdir()) == ["lock", "mark"]
    outbox.close()
    heir = adopt(tmp_path)
    assert heir.messages == 0
    heir.delete()


def test_a_synced_one_holds_the_same(tmp_path: Path) -> None:
    outbox = create(tmp_path, synced=True)
    outbox.put([message(1)])
    outbox.close()
    heir = adopt(tmp_path)
    assert content(heir) == [message(1)]
    heir.close()


def test_a_disk_without_room_is_an_error_that_changes_nothing(tmp_path: Path) -> None:
    """A file size limit stands for the full disk: the kernel refuses the write in the same place."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        outbox = create(tmp_path)
        kept = outbox.put([message(1, b"x" * 100_000)])
        size = (outbox.folder / "data.mdb").stat().st_size
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            outbox.put([message(2, b"x" * 5_000_000)])
        except OutboxError:
            refused = (outbox.messages, outbox.last) == (1, kept.number)
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            outbox.put([message(2, b"x" * 5_000_000)])
            os._exit(0 if refused else 1)
        os._exit(2)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    outbox = adopt(tmp_path)
    assert [one.tweet_id for one in content(outbox)] == ["1", "2"]
    outbox.close()


def test_one_of_another_format_is_left_alone_with_a_sentence(tmp_path: Path, outbox: Outbox) -> None:
    outbox.put([message(1)])
    outbox.close()
    with lmdb.open(str(outbox.folder), lock=False) as env, env.begin(write=True) as transaction:
        transaction.put(bytes(12), b"2")
    with pytest.raises(OutboxError, match="another version of Traptor"):
        adopt(tmp_path)
    assert is_ownerless(outbox.folder)  # nobody holds what nobody can read


def test_one_of_format_1_can_be_read(tmp_path: Path) -> None:
    """tests/data/outbox-1 was written by the first version that had an outbox."""
    shutil.copytree(DATA / "outbox-1", tmp_path / "7")
    (tmp_path / "7" / "lock").touch()
    outbox = adopt(tmp_path, 7)
    assert content(outbox) == [
        Outgoing(
            body=b'{"id_str":"1"}', tweet_id="1", rule_ids=("r1", "r2"), created_at_ms=1_600_000_000_000
        ),
        Outgoing(body=b'{"delete":{}}', tweet_id=None, rule_ids=()),
        Outgoing(body='{"id_str":"2","text":"ü"}'.encode(), tweet_id="2", rule_ids=(), created_at_ms=None),
    ]
    outbox.close()


@pytest.mark.parametrize("nonsense", [b"", b"nonsense", bytes(8192), os.urandom(16_384)])
def test_a_broken_file_is_an_error_and_no_crash(tmp_path: Path, outbox: Outbox, nonsense: bytes) -> None:
    outbox.put([message(1)])
    outbox.close()
    (outbox.folder / "data.mdb").write_bytes(nonsense)
    try:
        heir = adopt(tmp_path)
    except OutboxError as error:
        assert str(outbox.folder) in str(error)
    else:  # LMDB begins a file with two pages: there was never a message in this one
        assert len(nonsense) < 8192
        assert heir.messages == 0
        heir.close()


def test_a_folder_that_cannot_be_made_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError) as raised:
        create(tmp_path / "file")
    assert raised.value.errno == errno.ENOTDIR


def test_outboxes_that_no_process_has_are_found(tmp_path: Path) -> None:
    owned = create(tmp_path / "outbox" / "track:0", 2)
    left = create(tmp_path / "outbox" / "follow:0.2", 11)
    gone = left.put([message(1), message(2)])
    left.put([message(3)], [gone])
    older = create(tmp_path / "outbox" / "follow:0.2", 9)
    older.put([message(4), message(5)])
    waiting_bytes = left.bytes + older.bytes
    left.close()
    older.close()
    (tmp_path / "outbox" / "empty").mkdir()
    (tmp_path / "undelivered").mkdir()
    (tmp_path / "undelivered" / "track:7-3.jsonl").write_text("{...}\n")
    assert ownerless(tmp_path) == {"follow:0.2": Left(2, 3, waiting_bytes), "track:7": Left(1, 0, 6)}
    assert [path.name for path in outboxes(tmp_path, "follow:0.2")] == ["9", "11"]
    assert ownerless(tmp_path / "nowhere") == {}
    owned.close()


def test_what_waits_for_a_trial_is_told_apart(tmp_path: Path) -> None:
    left = create(trial_folder(tmp_path, "v2:app"), 3)
    left.put([message(1), message(2)])
    assert ownerless(tmp_path) == {}
    left.close()
    assert ownerless(tmp_path) == {"v2:app": Left(trial=2)}
    assert outboxes(tmp_path, "v2:app") == []


def test_what_waits_in_an_outbox_of_a_version_that_noted_no_count_is_told_by_its_size(tmp_path: Path) -> None:
    folder = tmp_path / "outbox" / "track:0" / "1"
    folder.parent.mkdir(parents=True)
    shutil.copytree(DATA / "outbox-1", folder)
    (folder / "lock").touch()
    assert ownerless(tmp_path) == {"track:0": Left(1, 0, (folder / "data.mdb").stat().st_size)}
    adopt(folder.parent).close()
    assert ownerless(tmp_path)["track:0"].messages == 3
