"""What state_dir keeps over restarts of the master."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.keypools import make_key, make_pool

from traptor.common.errors import TraptorError
from traptor.supervisor.keys.conduct.failures import Failure, FailureKind
from traptor.supervisor.state.store import StateStore, kept_keys

COUNTER = """
import sys
from pathlib import Path
from traptor.supervisor.state.store import StateStore, kept_keys

store = StateStore(Path(sys.argv[1]))
while True:
    print(store.next_generation("track:0"), flush=True)
"""


def test_generations_count_up_from_one_per_connection(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.db") as store:
        assert [store.next_generation("track:0") for _ in range(3)] == [1, 2, 3]
        assert store.next_generation("follow:0.2") == 1


def test_generations_go_on_after_a_restart(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.db") as store:
        store.next_generation("track:0")
    with StateStore(tmp_path / "state.db") as store:
        assert store.next_generation("track:0") == 2


def test_a_number_that_was_given_is_never_given_again_though_the_master_is_killed(tmp_path: Path) -> None:
    path, given = tmp_path / "state.db", 0
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", COUNTER, str(path)], stdout=subprocess.PIPE, text=True
        ) as master:
            assert master.stdout is not None
            first = int(master.stdout.readline())
            assert first > given
            os.kill(master.pid, signal.SIGKILL)
            numbers = [first, *(int(line) for line in master.stdout.read().split("\n")[:-1])]
            assert numbers == list(range(first, first + len(numbers)))
            given = numbers[-1]
    with StateStore(path) as store:
        assert store.next_generation("track:0") > given


def test_a_given_number_is_on_the_disk_before_it_is_returned(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.db") as store:
        given = store.next_generation("track:0")
        other = sqlite3.connect(tmp_path / "state.db")
        ((last,),) = other.execute("SELECT last FROM generations").fetchall()
        assert last >= given
        other.close()
        assert store._file.rows("PRAGMA synchronous") == [(2,)], "FULL: a power cut undoes nothing"


def test_numbers_go_on_without_a_hole_over_restarts_in_order(tmp_path: Path) -> None:
    """More of them than are reserved at once, however many each run takes of those."""
    given = []
    for count in (1, 7, 9, 8, 20):
        with StateStore(tmp_path / "state.db") as store:
            given += [store.next_generation("track:0") for _ in range(count)]
    assert given == list(range(1, len(given) + 1))


def test_numbers_for_connections_that_start_soon_are_reserved_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StateStore(tmp_path / "state.db") as store:
        names = [f"track:{number}" for number in range(20)]
        assert store.next_generation("follow:0", soon=names) == 1
        monkeypatch.setattr(store._file, "write", None)
        assert [store.next_generation(name) for name in names] == [1] * 20
        assert store.next_generation("follow:0") == 2
        monkeypatch.undo()
    with StateStore(tmp_path / "state.db") as store:
        assert store.next_generation("track:7", soon=["track:8", "track:7", "track:new"]) == 2
        assert store.next_generation("track:8") == 2
        assert store.next_generation("track:new") == 1


def test_the_key_states_kept_last_are_found(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.db") as store:
        assert store.load_keys() is None
        store.save_keys({"saved_at": 1.0, "keys": {}})
        store.save_keys({"saved_at": 1_790_000_000.125, "keys": {"0a1b2c3d": {"connects": [1.5]}}})
    with StateStore(tmp_path / "state.db") as store:
        assert store.load_keys() == {
            "saved_at": 1_790_000_000.125,
            "keys": {"0a1b2c3d": {"connects": [1.5]}},
        }


def keys_of(saved_at: float, **connects: float) -> dict[str, Any]:
    return {"saved_at": saved_at, "keys": {name: {"connects": [at]} for name, at in connects.items()}}


def test_only_the_key_states_that_changed_are_written(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    first = keys_of(1.0, a=1.0, b=1.0, c=1.0)
    with StateStore(path) as store:
        store.save_keys(first)
        changes = store._file._db.total_changes
        second = {"saved_at": 2.0, "keys": {**first["keys"], "b": {"connects": [2.0]}}}
        store.save_keys(second)
        assert store._file._db.total_changes == changes + 1
        assert store.load_keys() == second
        third = {"saved_at": 3.0, "keys": {**second["keys"], "b": {"connects": [3.0]}, "d": {"connects": []}}}
        store.save_keys(third)
        assert kept_keys(path) == third
    with StateStore(path) as store:
        assert store.load_keys() == third
        fourth = keys_of(4.0, a=4.0)
        store.save_keys(fourth)
        assert store.load_keys() == fourth


def test_a_key_state_that_is_gone_is_not_kept(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.db") as store:
        first = keys_of(1.0, a=1.0, b=1.0)
        store.save_keys(first)
        store.save_keys({"saved_at": 2.0, "keys": {**first["keys"], "b": {"connects": [2.0]}}})
        store.save_keys({"saved_at": 3.0, "keys": {"a": first["keys"]["a"]}})
        assert store.load_keys() == keys_of(3.0, a=1.0)


def test_a_restart_after_the_clock_was_set_back_forgets_nothing_of_the_keys(tmp_path: Path) -> None:
    keys = a, b, c = make_key("a"), make_key("b"), make_key("c")
    old, new, wall = make_pool(*keys), make_pool(*keys), 1_790_000_000.0
    old.records.failed(c.key_id, 990.0, Failure(FailureKind.RATE_LIMITED, asked_s=800.0))
    with StateStore(tmp_path / "state.db") as store:
        store.save_keys(old.dump(1000.0, wall))
        old.records.spend(a.key_id, 1100.0)
        old.records.failed(b.key_id, 1100.0, Failure(FailureKind.UNAUTHORIZED))
        store.save_keys(old.dump(1100.0, wall - 5000.0))
    with StateStore(tmp_path / "state.db") as store:
        dump = store.load_keys()
    assert dump is not None
    new.load(dump, 0.0, wall - 4990.0)
    for before, after in zip(old.statuses(1110.0), new.statuses(0.0), strict=True):
        assert (after.state, after.budget_left) == (before.state, before.budget_left)
        expected = None if before.not_before is None else before.not_before - 1110.0
        assert after.not_before == pytest.approx(expected, abs=1e-3)


def test_key_states_of_an_older_version_are_read_and_go_on(tmp_path: Path) -> None:
    path, old = tmp_path / "state.db", keys_of(1.0, a=1.0)
    with StateStore(path) as store:
        store.save_keys(old)
    database = sqlite3.connect(path)
    database.execute("DROP TABLE changed_keys")
    database.execute("DELETE FROM schema_version WHERE version = 6")
    database.commit()
    database.close()
    assert kept_keys(path) == old
    with StateStore(path) as store:
        assert store.load_keys() == old


def test_others_may_read_while_the_master_writes(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with StateStore(path) as store:
        store.save_keys(keys_of(1.0))
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        assert reader.execute("SELECT dump FROM keys").fetchone() == ('{"saved_at":1.0,"keys":{}}',)
        store.save_keys(keys_of(2.0, a=2.0))
        reader.close()


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"\0" * 5000, b"SQLite format 3\0broken"])
def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    with pytest.raises(TraptorError, match=r"state\.db: the state file cannot be used"):
        StateStore(path)
    assert path.read_bytes() == content, "nothing is repaired by guessing"


def test_a_missing_folder_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(TraptorError, match="check that state_dir exists"):
        StateStore(tmp_path / "nowhere" / "state.db")


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    StateStore(path).close()
    database = sqlite3.connect(path)
    database.execute("INSERT INTO schema_version VALUES (99)")
    database.commit()
    database.close()
    with pytest.raises(TraptorError, match="newer version of Traptor"):
        StateStore(path)


@pytest.mark.parametrize("dump", ["not json", "[1]", "7"])
def test_damaged_key_states_are_an_error(tmp_path: Path, dump: str) -> None:
    with StateStore(tmp_path / "state.db") as store:
        store._file.write("INSERT INTO keys (id, dump) VALUES (1, ?)", (dump,))
        with pytest.raises(TraptorError, match=r"the key states in it are not (a )?JSON"):
            store.load_keys()


def test_a_locked_file_is_an_error_and_works_again_afterwards(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.db") as store:
        shell = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
        shell.execute("BEGIN IMMEDIATE")
        with pytest.raises(TraptorError, match=r"locked; another program holds it"):
            store.next_generation("track:0")
        shell.execute("ROLLBACK")
        shell.close()
        assert store.next_generation("track:0") == 1


def test_a_schema_change_that_fails_is_undone_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE keys (something_else)")
    database.commit()
    database.close()
    with pytest.raises(TraptorError, match="already exists"):
        StateStore(path)
    database = sqlite3.connect(path)
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    database.close()
    assert tables == {"keys", "schema_version"}


def test_an_interrupted_first_start_is_made_good(tmp_path: Path) -> None:
    """A master killed before the first tables stood leaves a file that the next one completes."""
    path = tmp_path / "state.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
    database.commit()
    database.close()
    with StateStore(path) as store:
        assert store.next_generation("track:0") == 1


def test_what_is_kept_of_keys_is_read_beside_a_running_supervisor_and_after_it(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    assert kept_keys(path) is None
    assert not path.exists(), "nothing is made"
    with StateStore(path) as store:
        assert kept_keys(path) is None
        store.save_keys(keys_of(1.0, a=1.0))
        assert kept_keys(path) == keys_of(1.0, a=1.0)
    assert kept_keys(path) == keys_of(1.0, a=1.0)


def test_a_state_file_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(TraptorError, match="the state file cannot be used"):
        kept_keys(path)


def test_no_database_is_opened_through_a_link(tmp_path: Path) -> None:
    StateStore(tmp_path / "real.db").close()
    (tmp_path / "state.db").symlink_to(tmp_path / "real.db")
    with pytest.raises(TraptorError, match="link"):
        StateStore(tmp_path / "state.db")


def test_facts_on_apps_are_kept_by_app_and_kind(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.db") as store:
        store.save_app("k1", "sync", {"a": 1})
        store.save_app("k1", "account", {"b": 2})
        store.save_app("k2", "sync", {"c": 3})
        store.save_app("k1", "sync", {"a": 4})
    with StateStore(tmp_path / "state.db") as store:
        assert store.load_app("k1", "sync") == {"a": 4}
        assert store.load_app("k1", "account") == {"b": 2}
        assert store.load_app("k2", "account") is None


@pytest.mark.parametrize("text", ["{", "[]"])
def test_facts_on_an_app_that_cannot_be_read_are_an_error(tmp_path: Path, text: str) -> None:
    with StateStore(tmp_path / "state.db") as store:
        store.save_app("k1", "sync", {})
    with sqlite3.connect(tmp_path / "state.db") as database:
        database.execute("UPDATE apps SET dump = ?", (text,))
    database.close()
    with StateStore(tmp_path / "state.db") as store, pytest.raises(TraptorError, match=r"app k1 in it are"):
        store.load_app("k1", "sync")


def test_pieces_are_kept_by_name_and_a_change_touches_no_other(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.db") as store:
        assert store.load_pieces("k1", "standing") == {}
        store.save_pieces("k1", "standing", {'a/"1"': 1.5, "b": {"c": [True]}, "d": "e"})
        store.save_pieces("k2", "standing", {"b": 2})
        store.save_pieces("k1", "standing", {"b": 3, "d": None, "nobody": None})
    with StateStore(tmp_path / "state.db") as store:
        assert store.load_pieces("k1", "standing") == {'a/"1"': 1.5, "b": 3}
        assert store.load_pieces("k2", "standing") == {"b": 2}


def test_pieces_are_saved_together_or_not_at_all(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.db") as store:
        store.save_pieces("k1", "standing", {"a": 1})
        with sqlite3.connect(tmp_path / "state.db") as database:
            fault = "SELECT raise(ABORT, 'as a full disk')"
            database.execute(f"CREATE TRIGGER bad BEFORE DELETE ON app_pieces BEGIN {fault}; END")
        database.close()
        with pytest.raises(TraptorError, match="as a full disk"):
            store.save_pieces("k1", "standing", {"a": None, "b": 2})
        assert store.load_pieces("k1", "standing") == {"a": 1}
        store.save_pieces("k1", "standing", {"b": 2})


def test_a_piece_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.db") as store:
        store.save_pieces("k1", "standing", {"a": 1})
        with sqlite3.connect(tmp_path / "state.db") as database:
            database.execute("UPDATE app_pieces SET piece = '{'")
        database.close()
        with pytest.raises(TraptorError, match=r"app k1 in it are"):
            store.load_pieces("k1", "standing")
        store.forget_pieces("k1", "standing")
        assert store.load_pieces("k1", "standing") == {}
