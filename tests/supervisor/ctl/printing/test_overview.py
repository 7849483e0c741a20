"""What `traptorctl status` prints."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console
from support.shown import a_connection, a_problem, a_status, an_app, silent

from traptor.supervisor.ctl.printing.overview import Overview


def printed(width: int, last_gaps: dict[str, object] | None = None, **changes: object) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, markup=False, emoji=False, highlight=False)
    console.print(Overview(a_status(**changes), last_gaps or {}))  # type: ignore[arg-type] # any JSON
    return out.getvalue()


def test_problems_come_first_then_each_connection() -> None:
    text = printed(
        250,
        problems=[a_problem()],
        connections=[silent(), a_connection()],
    )
    first, head, _, titles, *rows = text.splitlines()
    assert head.startswith(
        "traptor-supervisor 0.9, pid 4700: 1 of 2 connections collecting, 12.3 tweets/s, 1 key"
    )
    assert first.startswith("! follow:0 NOT COLLECTING 400 rules since ")
    assert first.endswith("(12 min): k1 and k2 are refused (401); mend keys.yml")
    assert titles.split()[:3] == ["CONNECTION", "GROUPS", "STATE"]
    assert "NOT COLLECTING (waiting for key)" in rows[0]
    for part in ("track:0", "collecting", "12 min", "352", "12.3", "95%", "1,990", "k1", "4711", "20 MiB"):
        assert part in rows[1], part


def test_before_there_is_a_rate_none_is_told() -> None:
    new = a_connection(tweets_per_second=None)
    assert "1 of 1 connection collecting, 1 key" in printed(250, connections=[new])
    assert "collecting, 12.3 tweets/s" in printed(250, connections=[new, a_connection("track:1")])


def test_what_has_the_same_cause_is_counted_beneath_it() -> None:
    others = [a_problem(f"track:{number}", beneath=0) for number in range(7)]
    lines = printed(250, problems=[a_problem(), *others, a_problem("follow:9")]).splitlines()
    assert [line[:12] for line in lines[:3]] == ["! follow:0 N", "  of the sam", "! follow:9 N"]
    assert lines[1].startswith("  of the same cause: track:0 NOT COLLECTING 400 rules; track:1 NOT")
    assert lines[1].endswith("track:4 NOT COLLECTING 400 rules; 2 more")


def test_an_app_shows_its_filters_and_its_dollars() -> None:
    text = printed(250, apps=[an_app(), an_app("other", hold="capped", hold_why="$20 of $20 today")])
    first, second = text.splitlines()[-2:]
    for part in ("app", "all rules in effect", "852 of 1,000 (500 packed)", "3", "$5.00", "$1,234.50"):
        assert part in first, part
    assert "capped: $20 of $20 today" in second
    of_before = printed(250, apps=[an_app(rules_in_effect=5843)])
    assert "5,843 of 5,852 rules in effect, 9 not yet" in of_before
    some = an_app(rules=44, rules_in_effect=34, pending=5, rejected=3, waiting=2)
    assert "34 of 44 rules in effect, 5 not yet, 3 rejected, 2 without room" in printed(250, apps=[some])


def test_a_connection_that_collects_some_of_its_rules_shows_of_how_many() -> None:
    some = a_connection("v2:app", rules=3, uncollected=2)
    assert "1 of 3" in printed(250, connections=[some]).splitlines()[-1]
    assert "1 of 3" not in printed(250, connections=[{**some, "collecting": False}])


def test_an_app_shows_what_it_costs_in_a_narrow_terminal_too() -> None:
    held = an_app("other", hold="capped", hold_why="daily_dollars is reached: 20.005 of 20")
    text = printed(60, apps=[an_app(), held])
    assert "…" not in text
    titles = next(line for line in text.splitlines() if "APP" in line)
    assert titles.split() == ["APP", "STATE", "TODAY", "MONTH"]
    assert "$1,234.50" in text
    assert "20.005 of 20" in " ".join(text.split())


def test_a_trial_shows_what_became_of_its_posts() -> None:
    trial = {"name": "old", "state": "behind", "messages": 4, "oldest": time.time() - 90}
    counts = {"accepted": 5_009, "delivered": 5_000, "redelivered": 5, "dropped": 2, "dead_letters": 0}
    first, second = a_connection(), a_connection("follow:0")
    first["total"]["trial"], second["total"]["trial"] = counts, {"delivered": 10, "dead_letters": 3}
    last = printed(250, connections=[first, second], trial=trial).splitlines()[-1]
    assert last == (
        "trial old behind: 5,015 delivered, 2 dropped, 3 rejected, 4 waiting (the oldest for 1 min)"
    )
    assert "trial" not in printed(250)


def test_an_apps_two_connections_are_shown_beside_each_other() -> None:
    both = [a_connection("v2:app", covered=True), a_connection("v2:app.2", covered=True)]
    first, second = printed(250, connections=both).splitlines()[-2:]
    assert "collecting, with v2:app.2 " in first
    assert "collecting, with v2:app " in second
    wait = {"kind": "network", "why": "", "until": None, "key": None}
    away = silent("v2:app.2", covered=True, wait=wait)
    text = printed(250, connections=[a_connection("v2:app", covered=False), away])
    assert "away, v2:app streams alone" in text
    assert "NOT COLLECTING" not in text
    useless = silent("v2:app.2", covered=True, wait={**wait, "kind": "effect"}, state="UP")
    assert "NOT COLLECTING" in printed(250, connections=[useless])
    assert "stopped" in printed(250, connections=[{**away, "state": "STOPPED"}])


def test_what_is_not_collected_has_no_rate_however_fast_it_was_a_minute_ago() -> None:
    lost = silent(tweets_per_second=22.6)
    text = printed(250, connections=[lost, a_connection()])
    assert "1 of 2 connections collecting, 12.3 tweets/s" in text
    assert "22.6" not in text


def test_the_last_gap_is_shown_with_its_cause() -> None:
    gap = {"open": False, "to_unix": time.time() - 3605, "seconds": 12.0, "cause": "crash"}
    assert "1 h ago, 12 s: crash" in printed(250, {"track:0": gap})


@pytest.mark.parametrize("width", [80, 100, 140])
def test_a_narrow_terminal_gets_fewer_columns_and_no_torn_ones(width: int) -> None:
    lines = printed(width, connections=[silent(), a_connection()]).splitlines()
    assert all(len(line) <= width for line in lines)
    table = [line for line in lines if line.startswith(("CONNECTION", "follow:0", "track:0"))]
    assert len(table) == 3, "every row takes one line"
    assert "…" not in "".join(table)
    for needed in ("STATE", "SINCE", "RULES", "TWEETS/S"):
        assert needed in table[0]
