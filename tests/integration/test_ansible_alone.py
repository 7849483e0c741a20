"""Ansible on a machine with nothing on it: the user, the folders and the environment are made for real."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.collection import Key
from support.inventory import Hosts, build_wheel, recap
from support.twin import PYTHON, twin
from support.wheelhouse import wheels_for
from trial.ports import free_port

HOST = "server01"
FOLDERS = ("/etc/traptor", "/run/traptor", "/var/lib/traptor", "/var/log/traptor")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Hosts]:
    """A machine like this one, with the role's own folders and user, and no package index."""
    wheels = tmp_path / "wheels"
    wheels_for(wheels, "traptor-supervisor")
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "traptor_become": False,
        "traptor_manage_packages": False,
        "traptor_service_manager": "none",
        "traptor_python": str(PYTHON),
        "traptor_wheel": str(build_wheel(tmp_path / "built", "0.1.1")),
        "traptor_pip_args": f"--no-index --no-compile --find-links {wheels}",
        "traptor_output": "jsonl:/var/lib/traptor/tweets",
        "traptor_redis_url": f"redis://127.0.0.1:{free_port()}/0",
        "apikeys": [Key("k1").account()],
    }
    groups = {"traptor-follow-nodes": [], "traptor-track-nodes": [HOST], "traptor-location-nodes": []}
    with twin(tmp_path) as enter:
        # root's umask may be a strict one; the service's user must be able to run what root installs
        before = (*enter, "sh", "-c", 'umask 077; exec "$@"', "sh")
        yield Hosts(tmp_path, groups, variables, before=before)


def played(host: Hosts) -> dict[str, int]:
    done = host.play("site")
    assert done.returncode == 0, done.stdout
    return recap(done.stdout)[HOST]


def told(host: Hosts, *command: str) -> str:
    done = subprocess.run([*host.before, *command], capture_output=True, text=True, check=False)
    return done.stdout.strip() or f"exit code {done.returncode}: {done.stderr}"


@pytest.mark.long
def test_a_host_gets_its_user_its_folders_and_an_environment_that_its_user_can_run(host: Hosts) -> None:
    played(host)
    name, _, uid, gid, _, home, shell = told(host, "getent", "passwd", "traptor").split(":")
    assert (name, home, shell) == ("traptor", "/var/lib/traptor", "/usr/sbin/nologin")
    assert int(uid) < 1000, "a user of the system"
    assert told(host, "getent", "group", "traptor").split(":")[2] == gid
    for folder in FOLDERS:
        assert told(host, "stat", "-c", "%U:%G %a", folder) == "traptor:traptor 750", folder
    as_its_user = ("runuser", "-u", "traptor", "--", "/opt/traptor/bin/traptor-supervisor")
    assert told(host, *as_its_user, "--version").endswith("0.1.1")

    assert played(host)["changed"] == 0
