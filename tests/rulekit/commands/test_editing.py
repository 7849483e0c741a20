"""`rules list`, `show`, `export`, `remove`, `move`, `history` and `undo` on a real Redis."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import redis
from support.rulekit_desk import Desk

from traptor.rulekit.keeping.history import MOST_ENTRIES
from traptor.rulekit.keeping.writing import GroupWriter


def load(desk: Desk, *names: str, command: tuple[str, ...] = ()) -> None:
    rules = [{"rule_id": name, "value": f"word {name}", "tag": "t"} for name in names]
    desk.run("load", desk.jsonl("r.jsonl", *rules), "--type", "track", *command)


def test_groups_and_rules_are_listed_with_what_becomes_of_them(desk: Desk) -> None:
    load(desk, *"abcd")
    desk.redis.hset("traptor-track:0:b", "status", "paused")
    desk.redis.hset("traptor-track:0:c", "value", "x" * 61)
    desk.redis.set("traptor-track:0:odd", "x")
    groups = {row["group"]: row for row in desk.json("list")}
    assert groups["track:0"] == {
        "group": "track:0",
        "rules": 3,
        "values": 1,
        "limit": 3,
        "connections": 1,
        "inactive": 1,
        "invalid": 1,
    }
    states = {row["key"][-1]: row["state"] for row in desk.json("list", "track:0")}
    assert states["a"] == "valid"
    assert states["b"] == "inactive: status paused"
    assert states["c"].startswith("invalid: the phrase")
    assert states["d"] == "no rule: not a hash"
    result = desk.run("list", "track")
    assert "traptor-track:0:odd: not a hash" in result.stderr
    assert "track:1" in result.stdout
    table = desk.run("list", "track:0").stdout
    assert "word a" in table
    assert re.search(r"^traptor-track:0:odd +no rule: not a hash", table, re.M)


def test_a_rule_is_shown_by_its_id_or_key(desk: Desk) -> None:
    load(desk, "a")
    [shown] = desk.json("show", "track", "a")
    assert (shown["values"], shown["fields"]["tag"]) == (["word a"], "t")
    assert "word a" in desk.run("show", "track:0", "traptor-track:0:a").stdout
    assert "no track rule has the id z" in desk.error("show", "track", "z")


STEERING = "a\x1b[31m\nb \x9b \u202e 日本 ünï"


def an_odd_rule(desk: Desk) -> None:
    """In a group with a name that is no rule's."""
    desk.redis.hset("traptor-track:0:1", mapping={"value": "snow", "tag": STEERING})
    desk.redis.set(f"traptor-track:0:{STEERING}", "no rule")


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("list", "track"),
        ("list", "track:0"),
        ("list", "track:0", "--json"),
        ("show", "track:0", "1"),
        ("show", "track:0", "1", "--json"),
        ("export", "track:0"),
    ],
    ids=" ".join,
)
def test_nothing_of_a_rule_steers_the_terminal(desk: Desk, words: tuple[str, ...]) -> None:
    an_odd_rule(desk)
    result = desk.run(*words)
    assert "日本" in result.output
    assert not set(result.output) & set("\x1b\x9b\u202e")
    assert "\nb " not in result.output


@pytest.mark.parametrize(
    "words",
    [
        ("list", "track:0", "--json"),
        ("show", "track:0", "1", "--json"),
        ("export", "track:0"),
        ("export", "track:0", "--to", "csv"),
    ],
    ids=" ".join,
)
def test_data_is_written_in_utf_8_whatever_the_locale(desk: Desk, words: tuple[str, ...]) -> None:
    an_odd_rule(desk)
    program = "from traptor.rulekit.commands.group import rules; rules()"
    outcome = subprocess.run(
        [sys.executable, "-c", program, "-c", str(desk.ini), *words],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr.decode()
    assert "日本 ünï" in outcome.stdout.decode()


def test_what_is_exported_can_be_loaded_again(desk: Desk) -> None:
    load(desk, *"abcd")
    lines = desk.run("export", "track").stdout
    assert [json.loads(line)["rule_id"] for line in lines.splitlines()] == list("abcd")
    table = desk.run("export", "track", "--to", "csv").stdout
    assert next(csv.DictReader(io.StringIO(table)))["value"] == "word a"
    desk.run("export", "track", "-o", str(desk.folder / "x.jsonl"))
    again = desk.json("load", str(desk.folder / "x.jsonl"), "--type", "track", "--replace")
    assert (again["unchanged"], again["groups"]) == (4, [])


def test_rules_are_removed_by_id_or_all_of_a_group(desk: Desk) -> None:
    load(desk, *"abcd")
    assert desk.json("remove", "track", "a", "d")["removed"] == 2
    assert desk.names() == ["traptor-track:0:b", "traptor-track:0:c"]
    assert "no track rule has the id x" in desk.error("remove", "track", "b", "x")
    assert desk.json("remove", "track:0", "--all", "--dry-run")["removed"] == 2
    assert len(desk.names()) == 2
    desk.run("remove", "track:0", "--all")
    assert desk.names() == []
    assert "name the rules" in desk.error("remove", "track:0", exit_code=2)
    assert "--all takes a group" in desk.error("remove", "track", "--all", exit_code=2)


def test_rules_move_to_another_id_and_back(desk: Desk) -> None:
    load(desk, *"abc")
    moved = desk.json("move", "track", "a", "b", "--to", "press")
    assert [one["group"] for one in moved["groups"]] == ["track:0", "track:press"]
    assert desk.names() == ["traptor-track:0:c", "traptor-track:press:a", "traptor-track:press:b"]
    desk.run("undo", "track:press")
    assert desk.names() == ["traptor-track:0:a", "traptor-track:0:b", "traptor-track:0:c"]
    desk.redis.hset("traptor-track:press:a", "value", "x")
    assert "track:press has a rule a already" in desk.error("move", "track:0", "a", "--to", "press")


def test_the_history_tells_who_changed_what_and_the_last_change_is_taken_back(desk: Desk) -> None:
    load(desk, *"ab")
    load(desk, *"bc", command=("--replace",))
    assert desk.names() == ["traptor-track:0:b", "traptor-track:0:c"]
    newest, oldest = desk.json("history", "track:0")
    assert (oldest["what"], oldest["added"]) == ("load r.jsonl", 2)
    assert (newest["added"], newest["removed"]) == (1, 1)
    assert newest["by"]
    assert "load r.jsonl" in desk.run("history", "track").stdout
    desk.run("undo", "track:0", "--dry-run")
    desk.run("undo", "track:0")
    assert desk.names() == ["traptor-track:0:a", "traptor-track:0:b"]
    assert desk.fields("traptor-track:0:a")["tag"] == "t"
    desk.run("undo", "track:0")
    assert desk.names() == ["traptor-track:0:b", "traptor-track:0:c"]


def test_a_rule_that_was_changed_since_is_not_taken_back_unasked(desk: Desk) -> None:
    load(desk, *"ab")
    desk.redis.hset("traptor-track:0:a", "tag", "by hand")
    said = desk.error("undo", "track:0")
    assert "1 rule of track:0 changed again since, such as traptor-track:0:a" in said
    assert len(desk.names()) == 2
    desk.run("undo", "track:0", "--force")
    assert desk.names() == []
    assert "track:7 has no history" in desk.error("undo", "track:7")


def test_a_change_over_two_groups_is_taken_back_in_both_or_not_at_all(desk: Desk) -> None:
    load(desk, *"abc")
    desk.run("move", "track", "a", "--to", "1")
    desk.run("add", "track", "other", "--id", "1", "--rule-id", "o")
    desk.redis.hset("traptor-track:1:a", "tag", "by hand")
    said = desk.error("undo", "track:0")
    assert "1 rule of track:1 changed again since, such as traptor-track:1:a" in said
    assert "traptor-track:1:a" in desk.names()
    desk.run("undo", "track:0", "--force")
    assert desk.names() == [*(f"traptor-track:0:{name}" for name in "abc"), "traptor-track:1:o"]


def test_a_load_over_several_groups_is_taken_back_in_all_of_them_and_redone(desk: Desk) -> None:
    load(desk, *"ab")
    load(desk, *"bcdefgh", command=("--replace",))
    loaded = desk.names()
    assert {name.split(":")[1] for name in loaded} == {"0", "1", "2"}
    told = desk.json("undo", "track:1")
    assert [one["group"] for one in told["groups"]] == ["track:0", "track:1", "track:2"]
    assert desk.names() == ["traptor-track:0:a", "traptor-track:0:b"]
    desk.run("undo", "track:2")
    assert desk.names() == loaded
    changes = {entry["change"] for entry in desk.json("history", "track") if entry["what"] == "undo track:1"}
    assert len(changes) == 1, "the undo was one change of three groups"


def test_what_changed_since_in_other_groups_of_a_load_stays(desk: Desk) -> None:
    load(desk, *"abcdef")
    desk.run("add", "track", "other", "--id", "1", "--rule-id", "o")
    desk.run("undo", "track:0")
    assert desk.names() == ["traptor-track:1:o"]


def test_groups_that_an_interrupted_load_did_not_come_to_are_left_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(monkeypatch, desk, after=1, command=lambda: load_in_vain(desk, "abcdef"))
    desk.run("add", "track", "other", "--id", "1", "--rule-id", "o")
    desk.run("undo", "track:0")
    assert desk.names() == ["traptor-track:1:o"]


def test_an_interrupted_undo_goes_on_with_the_same_command(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(desk, *"abcdefgh")
    interrupt(monkeypatch, desk, after=1, command=lambda: desk.error("undo", "track:0"))
    assert 0 < len(desk.names()) < 8
    desk.run("undo", "track:0")
    assert desk.names() == []


def test_what_has_left_a_history_is_taken_back_in_part_only_if_that_is_said(desk: Desk) -> None:
    load(desk, *"abcdef")
    names = {name.split(":")[1] for name in desk.names()}
    assert names == {"0", "1"}
    for number in range(3 * MOST_ENTRIES):
        desk.redis.xadd("traptor:history:track:1", {"x": str(number)}, maxlen=MOST_ENTRIES, approximate=False)
    said = desk.error("undo", "track:0")
    assert "has left the history of track:1" in said
    desk.run("undo", "track:0", "--force")
    assert {name.split(":")[1] for name in desk.names()} == {"1"}


def test_a_move_that_an_older_version_wrote_is_taken_back_in_both_groups(desk: Desk) -> None:
    load(desk, *"abc")
    desk.run("move", "track", "a", "--to", "1")
    for key in ("traptor:history:track:0", "traptor:history:track:1"):
        entries = desk.redis.execute_command("XRANGE", key, "-", "+")
        desk.redis.delete(key)
        for _, fields in entries:
            desk.redis.xadd(
                key, {name: fields[name] for name in fields if name not in (b"change", b"groups")}
            )
    desk.run("undo", "track:1")
    assert desk.names() == [f"traptor-track:0:{name}" for name in "abc"]


def load_in_vain(desk: Desk, names: str) -> None:
    rules = [{"rule_id": name, "value": f"word {name}", "tag": "t"} for name in names]
    desk.error("load", desk.jsonl("r.jsonl", *rules), "--type", "track")


def interrupt(monkeypatch: pytest.MonkeyPatch, desk: Desk, after: int, command: Callable[[], object]) -> None:
    """Have Redis go away in the middle of a command, after so many steps."""
    write, written = GroupWriter._write, []

    def write_or_fail(self: GroupWriter, *about: Any) -> None:
        if len(written) == after:
            raise redis.exceptions.ConnectionError("gone")
        write(self, *about)
        written.append(about)

    with monkeypatch.context() as patch:
        patch.setattr(GroupWriter, "_write", write_or_fail)
        command()
    assert len(written) == after


def test_a_group_that_was_emptied_is_loaded_again_and_a_move_is_undone_and_redone(desk: Desk) -> None:
    load(desk, *"ab")
    desk.run("remove", "track:0", "--all")
    load(desk, *"ab")
    assert desk.names() == ["traptor-track:0:a", "traptor-track:0:b"]
    desk.run("move", "track", "a", "b", "--to", "7")
    moved = desk.names()
    for group in ("track:7", "track:0", "track:7"):
        desk.run("undo", group)
    assert desk.names() == ["traptor-track:0:a", "traptor-track:0:b"]
    desk.run("undo", "track:0")
    assert desk.names() == moved
