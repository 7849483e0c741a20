"""`rules list`, `show`, `export`, `remove`, `move`, `history` and `undo` on a real Redis."""

from __future__ import annotations

import csv
import io
import json
import re

from support.rulekit_desk import Desk


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
    desk.run("add", "track", "other", "--id", "1")
    said = desk.error("undo", "track:0")
    assert "track:1 was changed since: undo track:1 first" in said
    desk.run("undo", "track:1")
    assert "traptor-track:1:a" in desk.names()


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
