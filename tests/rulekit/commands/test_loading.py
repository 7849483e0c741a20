"""`rules load`, `diff` and `add` on a real Redis."""

from __future__ import annotations

import json
import sqlite3

import pytest
from support.rulekit_desk import Desk
from support.waiting import DEADLINE_S


def some(*names: str) -> list[dict[str, str]]:
    return [{"rule_id": name, "value": f"word {name}", "tag": "t"} for name in names]


def test_a_file_is_loaded_and_loading_it_again_changes_and_publishes_nothing(desk: Desk) -> None:
    file = desk.jsonl("r.jsonl", *some(*"abcd"))
    hints = desk.redis.pubsub()
    hints.subscribe("traptor-notify")
    first = desk.json("load", file, "--type", "track")
    assert (first["added"], [one["group"] for one in first["groups"]]) == (4, ["track:0", "track:1"])
    assert desk.fields("traptor-track:0:a") == {
        "rule_id": "a",
        "rule_type": "track",
        "value": "word a",
        "tag": "t",
    }
    again = desk.json("load", file, "--type", "track")
    assert (again["unchanged"], again["groups"]) == (4, [])
    assert "nothing is published" in desk.run("load", file, "--type", "track").stdout
    said = [message["data"] for _ in range(3) if (message := hints.get_message(timeout=DEADLINE_S))]
    assert said[1:] == [b"track:0", b"track:1"]
    assert hints.get_message(timeout=0.2) is None
    hints.close()


def test_only_groups_that_change_are_published(desk: Desk) -> None:
    desk.run("load", desk.jsonl("r.jsonl", *some(*"abcd")), "--type", "track")
    revisions = desk.redis.mget("traptor:rev:track:0", "traptor:rev:track:1")
    changed = [*some(*"abc"), {"rule_id": "d", "value": "new"}]
    assert desk.json("load", desk.jsonl("r.jsonl", *changed), "--type", "track")["changed"] == 1
    assert desk.redis.mget("traptor:rev:track:0", "traptor:rev:track:1") == [revisions[0], b"2"]


def test_an_empty_source_replaces_nothing_unless_it_is_meant(desk: Desk) -> None:
    """A truncated export of a nightly job must not end the collection."""
    desk.run("load", desk.jsonl("r.jsonl", *some("a", "b")), "--type", "track")
    before, empty = desk.names(), desk.write("empty.jsonl", "")
    said = desk.error("load", empty, "--type", "track", "--replace")
    assert "empty.jsonl has no rule" in said
    assert "--allow-empty" in said
    assert desk.names() == before
    assert desk.json("load", empty, "--type", "track", "--replace", "--allow-empty")["removed"] == 2


def test_a_dry_run_and_a_diff_change_nothing(desk: Desk) -> None:
    desk.run("load", desk.jsonl("r.jsonl", *some("a", "b")), "--type", "track")
    before = {key: desk.redis.dump(key) for key in desk.names("*")}
    new = desk.jsonl("n.jsonl", {"rule_id": "a", "value": "new"}, *some("c"))
    assert desk.json("load", new, "--type", "track", "--replace", "--dry-run")["removed"] == 1
    lines = desk.run("diff", new, "--type", "track", "--replace").stdout.splitlines()
    assert lines[:3] == [
        "~ traptor-track:0:a  value: word a -> new",
        "- traptor-track:0:b  word b",
        "+ traptor-track:0:c  word c",
    ]
    [first, *_] = desk.json("diff", new, "--type", "track")["rules"]
    assert (first["before"]["value"], first["after"]["value"]) == ("word a", "new")
    assert {key: desk.redis.dump(key) for key in desk.names("*")} == before


def test_a_bad_row_stops_everything_or_is_skipped_by_choice(desk: Desk) -> None:
    file = desk.write(
        "r.jsonl", '{"value": "good"}\n{"value": ""}\nnonsense\n{"value": "' + "x" * 61 + '"}\n'
    )
    said = desk.error("load", file, "--type", "track")
    assert "row 2: the field value is missing or empty" in said
    assert "row 3: not JSON" in said
    assert "row 4: the phrase" in said
    assert "3 bad rows; nothing was changed" in said
    assert desk.names() == []
    loaded = desk.json("load", file, "--type", "track", "--skip-bad")
    assert (loaded["added"], [bad["row"] for bad in loaded["bad"]]) == (1, [2, 3, 4])


def test_rules_from_stdin_text_csv_and_a_database(desk: Desk) -> None:
    desk.run("load", "-", "--type", "track", "--from", "text", stdin="flood\nstorm\n")
    excel = "rule_id;value;tag\r\n7;überflutung;Köln\r\n"
    (desk.folder / "e.csv").write_bytes(excel.encode("utf-8-sig"))
    desk.run("load", str(desk.folder / "e.csv"), "--type", "track")
    with sqlite3.connect(desk.folder / "r.db") as db:
        db.execute("CREATE TABLE r (id, name)")
        db.execute("INSERT INTO r VALUES (8, 'from sql')")
    db.close()
    query = "SELECT id AS rule_id, name AS value FROM r"
    desk.run("load", "--sql", f"sqlite:///{desk.folder}/r.db", "--query", query, "--type", "track")
    values = {rule["fields"]["value"] for rule in json.loads(desk.run("list", "track:0", "--json").stdout)}
    assert values == {"flood", "storm", "überflutung"}
    assert desk.fields("traptor-track:1:8")["value"] == "from sql"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--type", "track"], "name a FILE"),
        (["--type", "track", "--sql", "sqlite://"], "--sql needs --query"),
        (["nowhere.jsonl", "--type", "tracks"], "'tracks' is not a type of rule"),
        (["x.jsonl", "--type", "track", "--id", "a b"], "not a group"),
    ],
)
def test_a_wrong_use_is_said(desk: Desk, words: list[str], says: str) -> None:
    desk.write("x.jsonl", "")
    words = [str(desk.folder / word) if word == "x.jsonl" else word for word in words]
    assert says in desk.error("load", *words, exit_code=2)


def test_a_missing_file_a_broken_ini_and_a_redis_that_is_away_are_one_line(desk: Desk) -> None:
    assert "cannot be read" in desk.error("load", "nowhere.jsonl", "--type", "track")
    text = desk.ini.read_text()
    desk.ini.write_text(text.replace("url = ", "url = redis://127.0.0.1:1/0\n# "))
    said = desk.error("load", desk.jsonl("r.jsonl", *some("a")), "--type", "track")
    assert "Redis at 127.0.0.1:1" in said
    assert "Traceback" not in said
    desk.ini.write_text(text.replace("url = redis:", "url = nonsense:"))
    assert "[redis] url" in desk.error("list", exit_code=78)


def test_whoever_changes_rules_needs_no_key(desk: Desk) -> None:
    desk.ini.write_text(f"{desk.ini.read_text()}[keys]\nfile = nowhere.yaml\n")
    file = desk.jsonl("r.jsonl", *some("a"))
    assert "each needs a key. With API v1.1" in desk.run("plan", file, "--type", "track").stdout
    desk.run("load", file, "--type", "track")
    assert desk.json("list")[0]["rules"] == 1
    assert "nowhere.yaml" in desk.error("add", "follow", "ann", "--yes", exit_code=78)


def test_a_load_while_another_runs_fails_clearly(desk: Desk) -> None:
    desk.redis.set("traptor:lock:track", "ann, pid 7 on host [x]", px=30_000)
    file = desk.jsonl("r.jsonl", *some("a"))
    said = desk.error("load", file, "--type", "track", "--wait", "0.3")
    assert "waiting for ann, pid 7 on host" in said
    assert "ann, pid 7 on host is changing track rules; nothing was changed: try again" in said
    assert desk.names() == []


def test_one_rule_is_added_changed_and_refused(desk: Desk) -> None:
    added = desk.json("add", "track", "Flood Warning", "--tag", "floods", "--field", "appid=me")
    assert added["added"] == 1
    [key] = desk.names()
    assert desk.fields(key)["appid"] == "me"
    desk.run("add", "track", "flood  warning", "--tag", "other")
    assert desk.fields(key)["tag"] == "other"
    assert "61 bytes" in desk.error("add", "track", "x" * 61)
    desk.run("add", "track", "x", "--rule-id", "r", "--id", "press")
    assert "traptor-track:press:r" in desk.names()


@pytest.mark.long
def test_a_hundred_thousand_rules_are_20_ids(desk: Desk) -> None:
    with (desk.folder / "r.jsonl").open("w") as file:
        file.writelines(f'{{"rule_id": "{n}", "value": "{n + 1}", "tag": "t"}}\n' for n in range(100_000))
    words = ("load", str(desk.folder / "r.jsonl"), "--type", "follow")
    assert len(desk.json(*words)["groups"]) == 20
    assert desk.json(*words)["groups"] == []
