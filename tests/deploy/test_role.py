"""The Ansible role: its linter, the predecessor's inventory, and its templates with the defaults."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from support.paths import DEPLOY

ANSIBLE = DEPLOY / "ansible"
ROLE = ANSIBLE / "roles" / "traptor"


def run(tmp_path: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / command[0]
    return subprocess.run(
        [program, *command[1:]],
        cwd=ANSIBLE,
        env={
            **os.environ,
            "ANSIBLE_HOME": str(tmp_path),
            "NO_COLOR": "1",
            "PATH": f"{program.parent}:{os.environ['PATH']}",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.long
def test_the_linter_passes_role_and_playbooks_for_production(tmp_path: Path) -> None:
    done = run(tmp_path, "ansible-lint", "--offline", "--strict", "--profile", "production", "-q")
    assert done.returncode == 0, done.stdout


def test_the_inventory_is_the_predecessors(tmp_path: Path) -> None:
    """Its groups, and in the variables of traptor-nodes its names: traptor_kafka_topic and apikeys."""
    done = run(tmp_path, "ansible-inventory", "-i", "inventory", "--list", "--yaml")
    assert done.returncode == 0, done.stdout
    nodes = yaml.safe_load(done.stdout)["all"]["children"]["traptor-nodes"]
    assert {group: list(part["hosts"]) for group, part in nodes["children"].items()} == {
        "traptor-follow-nodes": ["server01", "server02"],
        "traptor-track-nodes": ["server03"],
        "traptor-location-nodes": ["server04", "server05"],
    }
    variables = nodes["children"]["traptor-track-nodes"]["hosts"]["server03"]
    assert variables["traptor_kafka_topic"] == "my_traptor"
    parts = {"consumer_key", "consumer_secret", "access_token", "access_token_secret"}
    assert [set(key) for key in variables["apikeys"]] == [parts] * 5


@pytest.mark.parametrize("playbook", ["site", "remove"])
def test_the_playbooks_are_well_formed(playbook: str, tmp_path: Path) -> None:
    done = run(tmp_path, "ansible-playbook", "-i", "inventory", "--syntax-check", f"playbooks/{playbook}.yml")
    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout


def rendered(name: str, **variables: Any) -> str:
    """A template of the role with the role's defaults, as Ansible renders it."""
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    known = {**defaults, "traptor_ini": "{{ traptor_config_dir }}/traptor.ini", **variables}
    made = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    text = (ROLE / "templates" / name).read_text()
    while "{{" in text or "{%" in text:
        text = made.from_string(text).render(known)
    return text


@pytest.mark.parametrize(
    ("template", "shipped"),
    [("traptor.service.j2", "systemd/traptor.service"), ("logrotate.j2", "logrotate/traptor")],
)
def test_the_role_writes_what_is_shipped(template: str, shipped: str) -> None:
    assert rendered(template, traptor_has_default_folders=True) == (DEPLOY / shipped).read_text()


def test_other_folders_may_be_written_to() -> None:
    unit = rendered(
        "traptor.service.j2",
        traptor_has_default_folders=False,
        traptor_run_dir="/data/run",
        traptor_writable=["/data/tweets"],
    )
    writable = re.findall(r"^ReadWritePaths=(.*)$", unit, re.MULTILINE)
    assert writable == ["/data/run /var/lib/traptor /var/log/traptor", "/data/tweets"]
    assert "RuntimeDirectory" not in unit


def test_every_variable_of_the_role_has_a_default_and_is_checked() -> None:
    checked = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"][
        "options"
    ]
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    assert set(checked) == {*defaults, "apikeys"}
