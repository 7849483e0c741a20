"""`rules plan` and `validate`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

from click.testing import CliRunner, Result
from support.rulekit_desk import Desk

from traptor.supervisor.ctl.cli import main as ctl


def some(*names: str) -> list[dict[str, str]]:
    return [{"rule_id": name, "value": f"word {name}", "tag": "t"} for name in names]


def acts(desk: Desk, *words: str) -> dict[str, str]:
    return {one["connection"]: one["act"] for one in desk.json("plan", *words)["connections"]}


def test_a_plan_tells_what_starts_stops_and_is_refreshed_and_changes_nothing(desk: Desk) -> None:
    words = (desk.jsonl("r.jsonl", *some(*"abcd")), "--type", "track")
    assert acts(desk, *words) == {"track:0": "start", "track:1": "start"}
    told = desk.run("plan", *words).stdout
    assert "0 connections now, 2 then, of all groups; each needs a key, and the pool has 1:" in told
    assert "1 connection would wait" in told
    assert desk.names() == []
    desk.run("load", *words)
    assert acts(desk, *words) == {}
    assert "nothing changes" in desk.run("plan", *words).stdout
    tagged = desk.jsonl("n.jsonl", {"rule_id": "a", "value": "word a", "tag": "new"})
    assert acts(desk, tagged, "--type", "track") == {"track:0": "refresh"}
    assert acts(desk, tagged, "--type", "track", "--replace") == {"track:0": "refresh", "track:1": "stop"}


def test_the_connections_of_all_groups_that_this_host_serves_are_counted(desk: Desk) -> None:
    desk.run("add", "follow", "12")
    desk.run("load", desk.jsonl("r.jsonl", *some(*"abcd")), "--type", "track")
    words = (desk.jsonl("more.jsonl", *some(*"efg")), "--type", "track")
    told = desk.json("plan", *words)
    assert (told["connections_before"], told["connections_after"], told["keys"]) == (3, 4, 1)
    assert {one["connection"] for one in told["connections"]} == {"track:1", "track:2"}
    desk.ini.write_text(desk.ini.read_text().replace("[redis]", "groups = track:0, track:1\n[redis]", 1))
    told = desk.json("plan", *words)
    assert (told["connections_before"], told["connections_after"]) == (2, 2)
    assert {one["connection"] for one in told["connections"]} == {"track:1"}


def test_a_group_beyond_the_limit_is_planned_in_parts(desk: Desk) -> None:
    words = (desk.jsonl("r.jsonl", *some(*"abcd")), "--type", "track", "--id", "all")
    assert acts(desk, *words) == {"track:all": "start", "track:all.2": "start"}


def test_with_v2_traptorctl_tells_of_the_apps_filters(desk: Desk) -> None:
    desk.ini.write_text(desk.ini.read_text().replace("[redis]", "api = v2\n[redis]", 1))
    file = desk.jsonl("r.jsonl", *some("a", "b"), {"value": "x y", "tag": "c"})
    result = CliRunner().invoke(ctl, ["-c", str(desk.ini), "rules", "plan", file, "--type", "track"])
    assert result.exit_code == 0, result.output
    assert "app first: 3 filters added, 0 deleted, 0 -> 3 of 1000; 1 request" in result.output
    assert "1,000 posts cost $5.00" in result.output
    desk.run("load", file, "--type", "track")
    desk.run("add", "follow", "12")
    hour = int(time.time()) // 3600
    for group, rule, count in (("track:0", "a", 700), ("track:0", "b", 200), ("follow:0", "12", 100)):
        desk.redis.hset(f"traptor:totals:{group}", f"{group}:{rule}", count)
        desk.redis.hset(f"traptor:totals:{group}:hour:{hour}", f"{group}:{rule}", count)
    changed = desk.jsonl("n.jsonl", {"rule_id": "a", "value": "other"})
    command = ["-c", str(desk.ini), "rules", "plan", changed, "--type", "track"]
    result = CliRunner().invoke(ctl, command)
    assert "app first: 1 filter added, 1 deleted, 4 -> 4 of 1000" in result.output, "of all its groups"
    assert (
        "matched 1,000 posts in the last day, up to $5.00; those that stay as they are 300, up to $1.50"
        in (result.output)
    )
    told = json.loads(CliRunner().invoke(ctl, [*command, "--json"]).stdout)
    [app] = told["connections"]
    assert (app["connection"], app["act"], app["before"], app["after"]) == ("v2:first", "sync", 4, 4)
    assert told["cost"] == {"matches": 1000, "leaving": 700, "unknown": 1}
    assert told["apps"][0]["filters"] == [4, 4]


def test_a_budget_that_other_groups_use_up_makes_the_new_rules_wait(desk: Desk) -> None:
    text = desk.ini.read_text().replace("[redis]", "api = v2\n[redis]", 1)
    desk.ini.write_text(text.replace("[twitter]", "[twitter]\nrules_per_app = 15"))
    desk.run("load", desk.jsonl("b.jsonl", *some(*"abc")), "--type", "track", "--id", "other")
    long = [{"rule_id": f"r{number}", "value": f"{'long' * 12} {number}"} for number in range(400)]
    file = desk.jsonl("n.jsonl", *long)
    command = ["-c", str(desk.ini), "rules", "plan", file, "--type", "track", "--json"]
    [app] = json.loads(CliRunner().invoke(ctl, command).stdout)["apps"]
    assert app["waiting"][0] == 0 < app["waiting"][1]


def test_a_file_is_validated_without_redis(desk: Desk) -> None:
    desk.ini.write_text(desk.ini.read_text().replace("url = ", "url = redis://127.0.0.1:1/0\n# "))
    file = desk.write("r.txt", "flood\n" + "x" * 61 + "\nstorm\n")
    result = desk.run("validate", file, "--type", "track", exit_code=1)
    assert "2 valid rules, 1 bad row" in result.stdout
    assert "row 2: the phrase" in result.stderr
    assert desk.json("validate", file, "--type", "track", exit_code=1)["bad"][0]["row"] == 2
    desk.run("validate", file, "--type", "track", "--skip-bad")
    assert "--type says" in desk.error("validate", file, exit_code=2)


def test_rules_that_come_twice_are_told_as_load_would(desk: Desk) -> None:
    file = desk.jsonl("r.jsonl", *some("a", "b", "a"), {"rule_id": "b", "value": "other"})
    told = desk.json("validate", file, "--type", "track", exit_code=1)
    assert (told["valid"], told["repeated"], told["invalid"]) == (2, 1, 1)
    [bad] = told["bad"]
    assert bad == {"row": 4, "reason": "has the rule_id 'b' of row 2, with other content"}
    assert f"row 4: {bad['reason']}" in desk.error("load", file, "--type", "track")


def test_a_file_of_any_size_is_validated_in_bounded_memory(desk: Desk) -> None:
    """The memory of a million rules' ids is the most that it takes; here, of one that is read in full."""
    file = desk.folder / "many.txt"
    with file.open("w") as made:
        made.writelines(f"{number % 20_000}\n" for number in range(200_000))
    code = (
        "import resource, sys; from traptor.rulekit.commands.group import rules\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "rules(sys.argv[1:], standalone_mode=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    words = ("-c", str(desk.ini), "validate", str(file), "--type", "follow")
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    said, kib = done.stdout.splitlines()
    assert said == "19,999 valid rules, 179,991 repeated, 10 bad rows"
    assert int(kib) < 30 * 1024


def test_one_value_is_judged(desk: Desk) -> None:
    verdict = desk.json("validate", "--value", "Flood", "--kind", "hashtag")
    assert (verdict["valid"], verdict["values"], verdict["limit"]["per_connection"]) == (True, ["#flood"], 3)
    assert re.search(r"^valid +yes", desk.run("validate", "--value", "x", "--kind", "keyword").stdout, re.M)
    assert "61 bytes" in desk.run("validate", "--value", "x" * 61, exit_code=1).stdout
    assert "is not a kind of value" in desk.error("validate", "--value", "x", "--kind", "y", exit_code=2)


def with_v2(desk: Desk, *words: str, exit_code: int = 0) -> Result:
    """What traptorctl says, which knows X's language; no supervisor runs."""
    result = CliRunner().invoke(ctl, ["-c", str(desk.ini), "rules", *words])
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result


def as_v2(desk: Desk) -> None:
    desk.ini.write_text(desk.ini.read_text().replace("[redis]", "api = v2\n[redis]", 1))


def test_with_v2_no_rule_without_a_filter_is_called_valid(desk: Desk) -> None:
    world, bad = "-180,-90,180,90", "#\N{WATER WAVE}"
    desk.run("add", "track", bad, "--rule-id", "wave")
    desk.run("add", "track", "storm", "--rule-id", "storm")
    desk.run("add", "--rule-id", "world", "locations", "--", world)
    assert with_v2(desk, "list", "track:0").stdout.count(" valid") == 2, "v1.1 takes it"
    as_v2(desk)
    rows = json.loads(with_v2(desk, "list", "track:0", "--json").stdout)
    states = {row["rule_id"]: row["state"] for row in rows}
    assert states["storm"] == "valid"
    assert states["wave"].startswith("no filter at X: ")
    assert "is no hashtag" in states["wave"]
    [shown] = json.loads(with_v2(desk, "show", "locations:0", "world", "--json").stdout)
    assert shown["state"].startswith("no filter at X: the box takes about 1,300,000 tiles")
    said = "".join(with_v2(desk, "show", "locations:0", "world").stdout.split())
    assert "suffixplace_country:XX" in said, "with the way out"
    told = json.loads(with_v2(desk, "list", "--json").stdout)
    assert {one["group"]: (one["rules"], one["no_filter"]) for one in told} == {
        "track:0": (2, 1),
        "locations:0": (1, 1),
    }
    table = with_v2(desk, "list").stdout
    assert "no filter" in table
    assert "connections" not in table, "a limit of v1.1"


def test_with_v2_a_value_or_a_file_for_which_x_has_no_filter_does_not_pass(desk: Desk) -> None:
    as_v2(desk)
    words = ("validate", "--value", "-180,-90,180,90", "--type", "locations")
    told = with_v2(desk, *words, exit_code=1).stdout
    assert re.search(r"^valid +yes, but no filter at X", told, re.M)
    assert "of a connection" not in told
    assert "place_country:XX" in told
    verdict = json.loads(with_v2(desk, *words, "--json", exit_code=1).stdout)
    assert verdict["no_filter"].startswith("the box takes about 1,300,000 tiles")
    assert "no_filter" not in json.loads(with_v2(desk, "validate", "--value", "storm", "--json").stdout)
    file = desk.jsonl("r.jsonl", {"value": "storm"}, {"value": "#\N{WATER WAVE}"})
    result = with_v2(desk, "validate", file, "--type", "track", exit_code=1)
    assert "2 valid rules, 1 of them without a filter at X, 0 bad rows" in result.stdout
    assert "row 2: no filter at X: " in result.stderr
    told = json.loads(with_v2(desk, "validate", file, "--type", "track", "--json", exit_code=1).stdout)
    assert (told["no_filter"], told["without_filter"][0]["row"]) == (1, 2)
    with_v2(desk, "validate", file, "--type", "track", "--skip-bad")


def test_the_type_decides_what_one_value_must_be(desk: Desk) -> None:
    for rule_type, bad, good, kind in (
        ("locations", "hello", "10,59,11,60", "geo"),
        ("location", "hello", "10,59,11,60", "geo"),
        ("follow", "ann", "12", "userid"),
        ("track", "x" * 61, "ann", "keyword"),
    ):
        told = desk.json("validate", "--type", rule_type, "--value", bad, exit_code=1)
        assert (told["kind"], told["valid"]) == (kind, False)
        assert desk.json("validate", "--type", rule_type, "--value", good)["kind"] == kind
    told = desk.json("validate", "--type", "follow", "--kind", "username", "--value", "ann")
    assert (told["type"], told["username"]) == ("follow", "ann")


def test_options_that_contradict_each_other_are_refused_and_none_is_ignored(desk: Desk) -> None:
    file = desk.jsonl("r.jsonl", {"value": "x"})
    words = ("--value", "x", "--type", "locations", "--kind", "keyword")
    told = desk.error("validate", *words, exit_code=2)
    assert "--kind keyword is of track rules, and --type says locations" in told
    assert "not both" in desk.error("validate", file, "--value", "x", exit_code=2)
    assert "not both" in desk.error("price", file, "--value", "x", "--type", "track", exit_code=2)
    told = desk.error("validate", file, "--type", "track", "--kind", "hashtag", exit_code=2)
    assert "--kind is for --value" in told
