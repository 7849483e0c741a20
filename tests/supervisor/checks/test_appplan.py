"""What `--plan` says of apps under v2."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from traptor.common.config.settings import load_settings
from traptor.supervisor.checks.appplan import AppPlan, app_plans, planned_apps
from traptor.supervisor.checks.appreport import as_json, print_apps


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
