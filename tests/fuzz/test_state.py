"""Whatever stands in the files of a predecessor, a master starts with it or without it, and harms nobody."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from support.fuzzing import JSON_VALUES, examples, paths, replaced
from support.keypools import make_key, make_pool
from support.planted import SECRET

from traptor.common.errors import TraptorError
from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.keys.conduct.failures import Failure, FailureKind
from traptor.supervisor.state.roster import Roster, end_process
from traptor.supervisor.state.store import StateStore

WALL = 1_790_000_000.0
KEYS = [make_key(name) for name in "ab"]
LONGEST_WAIT_S = 2 * 366 * 86_400.0  # no option takes more than half of it


def lived() -> dict[str, Any]:
    """What is kept of a pool that has seen a lot."""
    pool = make_pool(*KEYS)
    for number, key in enumerate(KEYS):
        pool.records.spend(key.key_id, 10.0)
        pool.records.failed(key.key_id, 11.0, Failure(FailureKind.RATE_LIMITED, 100.0))
        pool.records.failed(key.key_id, 12.0 + number, Failure(FailureKind.UNAUTHORIZED))
    return pool.dump(20.0, WALL)


DUMP = orjson.loads(orjson.dumps(lived()))
PATHS = list(paths(DUMP))


@st.composite
def dumps(draw: st.DrawFn) -> Any:
    """What was kept, with any other values in it that JSON can hold."""
    dump: Any = DUMP
    for path in draw(st.lists(st.sampled_from(PATHS), min_size=1, max_size=3)):
        with contextlib.suppress(KeyError, IndexError, TypeError):  # an earlier one took it away
            dump = replaced(dump, path, draw(st.one_of(JSON_VALUES, st.floats(), st.just(SECRET))))
    return dump


def loadable(value: Any) -> dict[str, Any]:
    """The value as it comes out of the file."""
    try:
        return orjson.loads(json.dumps(value, ensure_ascii=False).encode())
    except ValueError:
        reject()


HEADS = st.dictionaries(st.sampled_from(["saved_at", "keys"]), JSON_VALUES)


@examples(100)
@given(dump=st.one_of(dumps(), HEADS).map(loadable))
def test_any_dump_of_keys_is_taken_over_with_waits_that_end_or_refused(dump: dict[str, Any]) -> None:
    pool = make_pool(*KEYS)
    try:
        pool.load(dump, 100.0, WALL + 80.0)
    except TraptorError as error:
        assert len(str(error)) < 500
        assert SECRET not in str(error)
    for key in KEYS:
        for purpose in Purpose:
            wait_until = pool.may_connect(key.key_id, purpose, 100.0).not_before
            assert wait_until is None or 100.0 <= wait_until <= 100.0 + LONGEST_WAIT_S
    pool.next_change(100.0)
    for key in KEYS:
        pool.records.spend(key.key_id, 101.0)
        pool.records.failed(key.key_id, 102.0, Failure(FailureKind.RATE_LIMITED))
        pool.records.failed(key.key_id, 103.0, Failure(FailureKind.UNAUTHORIZED))
    again = orjson.loads(orjson.dumps(pool.dump(104.0, WALL + 84.0)))
    make_pool(*KEYS).load(again, 0.0, WALL + 90.0)


def test_a_word_that_no_key_can_have_is_not_repeated() -> None:
    path = next(path for path in PATHS if path[-2:] == ("backoff", "last"))
    with pytest.raises(
        TraptorError, match=r"a wrong value - at `\$\.keys\[\.\.\.\]\.backoff\.last`"
    ) as caught:
        make_pool(*KEYS).load(replaced(DUMP, path, SECRET), 100.0, WALL + 80.0)
    assert SECRET not in str(caught.value)


# ---- state.db


@pytest.fixture(scope="module")
def good_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "state.db"
    with StateStore(path) as store:
        store.save_keys(DUMP)
        store.save_keys({**DUMP, "keys": {key_id: {**record} for key_id, record in DUMP["keys"].items()}})
        store.next_generation("track:0")
    return path


CELLS = st.one_of(
    st.none(), st.text(max_size=8), st.binary(max_size=8), st.integers(-(2**63), 2**63 - 1), st.floats(),
    JSON_VALUES.map(lambda value: json.dumps(value)),
)  # fmt: skip


def use(path: Path) -> None:
    """All that a master does with it."""
    try:
        with StateStore(path) as store:
            for _ in range(2):
                assert store.next_generation("track:0") >= 1
            dump = store.load_keys()
            assert dump is None or isinstance(dump, dict)
            store.save_keys(DUMP)
            assert store.load_keys() == DUMP
    except TraptorError as error:
        assert "state.db" in str(error)
        assert len(str(error)) < 600


@examples(20)
@given(
    edits=st.lists(st.tuples(st.integers(0, 20_000), st.binary(max_size=6)), max_size=6),
    end=st.integers(0, 20_000),
)
def test_a_state_file_of_any_bytes_is_used_or_named_in_the_error(
    good_db: Path, tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, bytes]], end: int
) -> None:
    content = bytearray(good_db.read_bytes())
    for position, piece in edits:
        content[position : position + len(piece)] = piece
    path = tmp_path_factory.mktemp("any") / "state.db"
    path.write_bytes(content[:end])
    use(path)


@examples(20)
@given(last=CELLS, dump=CELLS, version=st.one_of(CELLS, st.just(1)))
def test_a_state_file_with_any_values_is_used_or_named_in_the_error(
    good_db: Path, tmp_path_factory: pytest.TempPathFactory, last: Any, dump: Any, version: Any
) -> None:
    path = tmp_path_factory.mktemp("any") / "state.db"
    path.write_bytes(good_db.read_bytes())
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement, value in (
            ("UPDATE generations SET last = ?", last),
            ("UPDATE keys SET dump = ?", dump),
            ("UPDATE schema_version SET version = ?", version),
        ):
            with contextlib.suppress(sqlite3.IntegrityError, UnicodeEncodeError):
                db.execute(statement, (value,))
    use(path)


# ---- workers.json


@pytest.fixture(scope="module")
def bystander() -> Iterator[psutil.Process]:
    """A process that no roster may end unless it names it with the time of its creation."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield psutil.Process(process.pid)
    process.kill()
    process.communicate()


ENTRIES = st.dictionaries(
    st.sampled_from(["pid", "create_time", "connection", "generation", "extra"]), JSON_VALUES
)


@examples(80)
@given(data=st.data())
def test_no_roster_ends_a_process_that_it_does_not_name(
    bystander: psutil.Process, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    pids = st.one_of(st.sampled_from([bystander.pid, float(bystander.pid), str(bystander.pid)]), JSON_VALUES)
    times = st.one_of(st.floats(max_value=1e9), st.just(float("nan")), JSON_VALUES)
    ours = st.fixed_dictionaries(
        {"pid": pids, "create_time": times, "connection": st.just("track:0"), "generation": st.just(1)}
    )
    whole = st.one_of(st.lists(st.one_of(ours, ENTRIES), max_size=3), JSON_VALUES)
    content = data.draw(st.one_of(whole.map(lambda value: json.dumps(value).encode()), DEEP, st.binary()))
    path = tmp_path_factory.mktemp("run") / "workers.json"
    path.write_bytes(content)
    for entry in Roster(path).read():
        assert not end_process(entry)
    assert bystander.is_running()
    assert bystander.status() != psutil.STATUS_ZOMBIE


DEEP = st.sampled_from([b"[" * 100_000, b'[{"pid":' * 50_000, b"[" * 100_000 + b"]" * 100_000])
