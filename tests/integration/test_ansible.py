"""Ansible on three hosts, which are folders of this machine: install, change, add, take away, upgrade."""

from __future__ import annotations

import getpass
import grp
import json
import os
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.collection import QUICK, Collection, Key
from support.inventory import Hosts, build_wheel, make_environment, recap
from support.waiting import wait_for

THREE = ("server01", "server02", "server03")
GROUPS = {"server01": "follow:0", "server02": "follow:1", "server03": "track:0", "server04": "locations:0"}
POOL = [Key(f"k{number}") for number in range(1, 5)]


@pytest.fixture
def collection(make_collection: Callable[..., Collection]) -> Collection:
    """Redis with 5,500 follow and 352 track rules, and the sandbox; no supervisor of its own."""
    collection = make_collection(*POOL)
    collection.add_rules("follow:0", [str(1000 + number) for number in range(5000)])
    collection.add_rules("follow:1", [str(9000 + number) for number in range(500)])
    collection.add_rules("track:0", [f"word{number}" for number in range(352)])
    collection.add_rules("locations:0", {"box": "5.9,45.8,10.5,47.8"})
    return collection


@pytest.fixture
def hosts(collection: Collection, tmp_path: Path) -> Iterator[Hosts]:
    for host in GROUPS:
        make_environment(tmp_path / host / "opt" / "traptor")
    twitter = {**QUICK["twitter"], "stream_url": collection.sandbox.url}
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "traptor_become": False,
        "traptor_manage_user": False,
        "traptor_manage_packages": False,
        "traptor_user": getpass.getuser(),
        "traptor_group": grp.getgrgid(os.getegid()).gr_name,
        "traptor_prefix": f"{tmp_path}/{{{{ inventory_hostname }}}}",
        "traptor_service": "traptor-{{ inventory_hostname }}",
        "traptor_unit_dir": str(tmp_path / "units"),
        "traptor_wheel": str(build_wheel(tmp_path / "wheels", "0.1.1")),
        "traptor_pip_args": "--no-deps --no-index",
        "traptor_output": "jsonl:{{ traptor_prefix }}/output",
        "traptor_redis_url": collection.redis_url,
        "traptor_settings": {"supervisor": QUICK["supervisor"], "twitter": twitter},
        "apikeys": [key.account() for key in POOL[:3]],
    }
    groups = {
        "traptor-follow-nodes": ["server01", "server02"],
        "traptor-track-nodes": ["server03"],
        "traptor-location-nodes": [],
    }
    hosts = Hosts(tmp_path, groups, variables)
    yield hosts
    hosts.end()


def status(hosts: Hosts, host: str) -> dict[str, Any]:
    try:
        return json.loads((hosts.run_dir(host) / "status.json").read_bytes())
    except FileNotFoundError:
        return {"connections": [], "pid": None}


def wait_streaming(hosts: Hosts, *names: str) -> None:
    """Each host streams its own group, and no other."""

    def streaming() -> dict[str, list[str]]:
        return {
            host: [
                c["connection"]
                for c in status(hosts, host)["connections"]
                if c["serving"] and c["serving"]["state"] == "STREAMING"
            ]
            for host in names
        }

    wanted = {host: [GROUPS[host]] for host in names}
    wait_for(lambda: streaming() == wanted, f"{wanted}; now {[hosts.unit(host).pid for host in names]}")


def keys_of(hosts: Hosts, *names: str) -> dict[str, set[str]]:
    """The names of the keys in each host's file."""
    files = {host: hosts.prefix(host) / "etc" / "traptor" / "apikeys.yml" for host in names}
    assert {file.stat().st_mode & 0o777 for file in files.values()} == {0o600}
    return {
        host: {entry["name"] for entry in yaml.safe_load(file.read_text())["apikeys"]}
        for host, file in files.items()
    }


def assert_disjoint(keys: dict[str, set[str]], count: int) -> None:
    assert sum(map(len, keys.values())) == len(set().union(*keys.values())) == count, keys


def played(hosts: Hosts, playbook: str, *options: str) -> dict[str, dict[str, int]]:
    """Run a playbook that must succeed, and tell no secret; what it did on each host."""
    done = hosts.play(playbook, *options)
    assert done.returncode == 0, done.stdout
    assert "SECRET" not in done.stdout
    counts = recap(done.stdout)
    assert counts, done.stdout
    return counts


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_hosts_get_their_groups_and_keys_and_change_without_touching_what_stays(
    hosts: Hosts, collection: Collection
) -> None:
    check_changes_nothing(hosts)
    first_run_starts_three_streams(hosts, collection)
    second_run_changes_nothing(hosts)
    a_key_and_a_host_are_added(hosts)
    a_host_is_taken_away_and_a_setting_reloaded(hosts)
    code_is_restarted_one_host_after_the_other(hosts)
    too_few_keys_are_refused(hosts)
    no_key_was_used_on_two_hosts_at_once(collection)


def check_changes_nothing(hosts: Hosts) -> None:
    counts = played(hosts, "site", "--check", "--diff", "--limit", "server01")
    assert counts["server01"]["failed"] == 0 < counts["server01"]["changed"]
    assert not (hosts.prefix("server01") / "etc").exists()
    assert hosts.actions() == []


def first_run_starts_three_streams(hosts: Hosts, collection: Collection) -> None:
    played(hosts, "site")
    wait_streaming(hosts, *THREE)
    assert_disjoint(keys_of(hosts, *THREE), 3)
    assert hosts.actions() == [f"{verb} traptor-{host}" for host in THREE for verb in ("enable", "start")]
    now = [c for c in collection.sandbox.connections() if c["closed_at"] is None]
    assert sorted(sum(c["counts"].values()) for c in now) == [352, 500, 5000]
    assert {c["account"] for c in now} == {key.name for key in POOL[:3]}


def second_run_changes_nothing(hosts: Hosts) -> None:
    pids = {host: hosts.unit(host).pid for host in THREE}
    counts = played(hosts, "site")
    assert {host: counts[host]["changed"] for host in counts} == dict.fromkeys(THREE, 0)
    assert hosts.actions() == []
    assert {host: hosts.unit(host).pid for host in THREE} == pids


def a_key_and_a_host_are_added(hosts: Hosts) -> None:
    before, pids = keys_of(hosts, *THREE), {host: hosts.unit(host).pid for host in THREE}
    hosts.groups["traptor-location-nodes"].append("server04")
    hosts.host_lines["server04"] = "traptor_ids=[0]"
    hosts.variables["apikeys"].append(POOL[3].account())
    played(hosts, "site")
    wait_streaming(hosts, *GROUPS)
    after = keys_of(hosts, *GROUPS)
    assert_disjoint(after, 4)
    changed = [host for host in THREE if after[host] != before[host]]
    assert 0 < len(changed) < 3, (before, after)
    reloads = [action for action in hosts.actions() if "server04" not in action]
    assert sorted(reloads) == [f"reload traptor-{host}" for host in changed]
    assert {host: hosts.unit(host).pid for host in THREE} == pids


def a_host_is_taken_away_and_a_setting_reloaded(hosts: Hosts) -> None:
    pids = {host: hosts.unit(host).pid for host in THREE}
    done = hosts.play("remove")
    assert done.returncode != 0
    assert "name the hosts to take away" in done.stdout
    played(hosts, "remove", "--limit", "server04")
    assert hosts.unit("server04").pid is None
    assert not (hosts.prefix("server04") / "etc" / "traptor" / "apikeys.yml").exists()
    hosts.groups["traptor-location-nodes"].clear()
    hosts.variables["traptor_settings"]["supervisor"] = {**QUICK["supervisor"], "start_parallel": 3}
    hosts.actions()
    played(hosts, "site")
    wait_streaming(hosts, *THREE)
    assert_disjoint(keys_of(hosts, *THREE), 4)
    # in the first round those that give up a key, then all in turn
    assert hosts.actions()[-3:] == [f"reload traptor-{host}" for host in THREE]
    assert {host: hosts.unit(host).pid for host in THREE} == pids


def code_is_restarted_one_host_after_the_other(hosts: Hosts) -> None:
    """Also on a host whose run ended in between, on a setting that is wrong."""
    pids = {host: hosts.unit(host).pid for host in THREE}
    hosts.variables["traptor_wheel"] = str(build_wheel(hosts.folder / "wheels", "0.1.2"))
    supervisor = hosts.variables["traptor_settings"]["supervisor"]
    hosts.variables["traptor_settings"]["supervisor"] = {**supervisor, "hang_timeout": "never"}
    done = hosts.play("site", "--limit", "server01")
    assert done.returncode != 0
    assert "hang_timeout" in done.stdout
    assert hosts.actions() == []
    assert hosts.unit("server01").pid == pids["server01"], "it runs on, with the settings that it had"

    hosts.variables["traptor_settings"]["supervisor"] = supervisor
    played(hosts, "site", "--limit", "server01,server02")
    assert hosts.actions() == ["restart traptor-server01", "restart traptor-server02"]
    wanted = ["0.1.2", "0.1.2", "0.1.1"]
    wait_for(lambda: [status(hosts, host).get("version") for host in THREE] == wanted, "the new code runs")
    wait_streaming(hosts, *THREE)


def too_few_keys_are_refused(hosts: Hosts) -> None:
    before = keys_of(hosts, *THREE)
    del hosts.variables["apikeys"][2:]
    done = hosts.play("site")
    assert done.returncode != 0
    assert "apikeys has 2 keys, and the hosts need 3: too few for server0" in done.stdout
    assert "SECRET" not in done.stdout
    assert keys_of(hosts, *THREE) == before
    assert hosts.actions() == []


def no_key_was_used_on_two_hosts_at_once(collection: Collection) -> None:
    """By the server's record: two streams of a key that were open together had the same rules."""
    for one, other in combinations(collection.sandbox.connections(), 2):
        if one["account"] == other["account"] and one["counts"] != other["counts"]:
            first, second = sorted((one, other), key=lambda c: c["opened_at"])
            assert first["closed_at"] is not None
            assert first["closed_at"] <= second["opened_at"], (first["account"], first, second)
