"""What `--plan` says of apps under v2."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from support.making_tweets import rule

from traptor.common.config.settings import load_settings
from traptor.common.rules.rule import GroupId, Rejected
from traptor.supervisor.apps.wanted.translated import Wording, translated
from traptor.supervisor.checks.appplan import AppPlan, app_plans, planned_apps
from traptor.supervisor.checks.appreport import as_json, caps_of, differences_of, load_of, print_apps
from traptor.supervisor.checks.xlook import XLook
from traptor.supervisor.filters.sync.standing import Refusal
from traptor.supervisor.money.caps import Caps
from traptor.supervisor.rules.snapshot import Snapshot
from traptor.supervisor.xapi.answers import ListedFilter


@pytest.fixture
def plans(tmp_path: Path) -> tuple[AppPlan, ...]:
    ini = tmp_path / "traptor.ini"
    ini.write_text(
        "[traptor]\napi = v2\noutput = jsonl:-\ngroups = follow:*, track:*\n"
        "[key:big]\nbearer_token = t\nmax_connections = 2\ngroups = follow:*\n"
        "[key:small]\nbearer_token = u\ngroups = track:*\n"
    )
    ini.chmod(0o600)
    return app_plans(load_settings(ini), {}, {})


def test_each_connection_of_an_app_has_a_row(plans: tuple[AppPlan, ...]) -> None:
    rows = [(row.name, row.key) for row in planned_apps(plans)]
    assert rows == [("v2:big", "big"), ("v2:big.2", "big"), ("v2:small", "small")]


def test_an_app_names_its_connections_for_programs(plans: tuple[AppPlan, ...]) -> None:
    named = [(as_json(plan)["connection"], as_json(plan)["connections"]) for plan in plans]
    assert named == [("v2:big", ["v2:big", "v2:big.2"]), ("v2:small", ["v2:small"])]


def test_two_connections_are_said_to_bring_one_output(plans: tuple[AppPlan, ...]) -> None:
    out = io.StringIO()
    print_apps(Console(file=out, width=200), plans)
    said = [line for line in out.getvalue().splitlines() if "one output" in line]
    assert said == ["v2:big: v2:big and v2:big.2 carry the same filters and bring one output."]


def test_what_caps_the_cost_is_said_and_that_nothing_does(plans: tuple[AppPlan, ...]) -> None:
    assert caps_of(plans[0]) == "no cap is set (daily_posts, daily_dollars, monthly_dollars)"
    some = replace(plans[0], caps=Caps(daily_posts=20_000, monthly_dollars=1_500.0))
    assert caps_of(some) == "at most 20,000 posts a day, $1,500.00 a month"
    assert caps_of(replace(some, caps=Caps(daily_dollars=5.0))) == "at most $5.00 a day"


def test_the_groups_of_an_app_are_whole_in_a_narrow_terminal(plans: tuple[AppPlan, ...]) -> None:
    group = translated(Snapshot.of(GroupId.parse("locations:0"), [], 0.0), Wording())
    out = io.StringIO()
    print_apps(Console(file=out, width=80), [replace(plans[0], groups=(group,))])
    assert "…" not in out.getvalue()


def test_what_x_refused_to_a_supervisor_lately_is_rejected_and_not_asked_for_again(tmp_path: Path) -> None:
    ini = tmp_path / "traptor.ini"
    ini.write_text("[traptor]\napi = v2\noutput = jsonl:-\n[key:one]\nbearer_token = t\n")
    ini.chmod(0o600)
    settings = load_settings(ini)
    rules = [rule("track:0", number, value) for number, value in enumerate(("storm", "the"))]
    snapshots = {rules[0].group: Snapshot.of(rules[0].group, rules, 0.0)}
    standing = (ListedFilter("1", "storm", "traptor/default/track:0/0"),)

    def planned(**refused: Refusal) -> AppPlan:
        [plan] = app_plans(settings, snapshots, {settings.keys[0].key_id: XLook(standing, refused=refused)})
        return plan

    assert planned().load.requests == 1
    plan = planned(the=Refusal("X does not take it", 100.0))
    assert [(one.key, one.reason) for one in plan.composed.refused] == [(rules[1].key, "X does not take it")]
    assert load_of(plan) == "its filters stand at X already"


def test_a_rule_that_x_refuses_is_not_among_those_that_find_less(plans: tuple[AppPlan, ...]) -> None:
    rules = [rule("track:0", number, f"storm {number}") for number in range(7)]
    group = translated(Snapshot.of(GroupId.parse("track:0"), rules, 0.0), Wording())
    refused = (Rejected(rules[0].key, rules[0].group, "X does not take it"),)
    plan = replace(plans[1], groups=(group,), composed=replace(plans[1].composed, refused=refused))
    keys = [rule.key for rule in rules[1:]]
    assert as_json(plan)["differing_rules"] == {"link_words": keys, "tag_words": keys}
    [_, line, _] = differences_of([plan])
    assert line == (
        "v2: lost for 6 rules of v2:small: words that stand only in the address behind a link are not found."
        f" By key: {', '.join(keys[:5])}, and 1 more (--plan --json names all)"
    )
