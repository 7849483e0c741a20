"""The alerts and the dashboard for Prometheus: valid, tested, and only of metrics that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.debian import Program, debian_program
from support.paths import ROOT
from support.statuses import group, status_of
from support.stepping import A, SteppedWorld

from traptor.common.rules.rule import Rejected
from traptor.supervisor.metrics.exposition import Exposition
from traptor.supervisor.metrics.families import families

ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
TESTS = ROOT / "deploy" / "prometheus" / "alerts_test.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "traptor.json"


@pytest.fixture(scope="module")
def promtool() -> Program:
    return debian_program("promtool", "prometheus")


@pytest.fixture
def status(tmp_path: Path) -> dict[str, Any]:
    world = SteppedWorld(tmp_path, A)
    world.stream(world.connection("track:0", "storm"))
    rejected = (Rejected("traptor-track:0:1", None, "no"),)
    return {"problems": [], **status_of(world, groups=[group("track:0", rejected=rejected)])}


def test_the_alerts_are_valid_and_do_what_their_tests_say(promtool: Program) -> None:
    for arguments in (("check", "rules", ALERTS), ("test", "rules", TESTS)):
        done = promtool.run(*arguments)
        assert done.returncode == 0, done.stdout


def test_the_metrics_pass_promtools_check(promtool: Program, status: dict[str, Any], tmp_path: Path) -> None:
    text = tmp_path / "metrics"
    text.write_bytes(Exposition().text(status))
    done = promtool.run("check", "metrics", stdin=text)
    assert done.returncode == 0, done.stdout


def used(expressions: list[str]) -> set[str]:
    return set(re.findall(r"\b(?:traptor|process)_\w+", " ".join(expressions)))


def expressions_of_alerts() -> list[str]:
    content = yaml.safe_load(ALERTS.read_text())
    return [rule["expr"] for one in content["groups"] for rule in one["rules"]]


def expressions_of_the_dashboard() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.mark.parametrize("expressions", [expressions_of_alerts(), expressions_of_the_dashboard()])
def test_every_metric_that_is_used_exists(expressions: list[str], status: dict[str, Any]) -> None:
    shown = {series.name for one in families(status) for series in one.series}
    ours = {name for name in used(expressions) if name.startswith("traptor_")}
    assert ours
    assert not ours - shown


def test_every_alert_that_pages_is_tested_or_plain() -> None:
    content = yaml.safe_load(ALERTS.read_text())
    for rule in content["groups"][0]["rules"]:
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert rule["annotations"].keys() == {"summary", "description"}, rule["alert"]
