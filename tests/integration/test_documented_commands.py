"""The commands in docs/deploy.md and docs/operations.md that install, upgrade and save, run as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.collection import Collection, Key
from support.debian import debian_program
from support.inventory import copy_tree, link_packages
from support.paths import DEPLOY, ROOT
from support.systemctl import Unit
from support.waiting import wait_for

from traptor.supervisor.ledger.accounting import balances

Make = Callable[..., Collection]
BIN = Path(sys.executable).parent


def commands(document: str, heading: str) -> list[str]:
    """The lines of the shell blocks below a heading."""
    text = (ROOT / "docs" / document).read_text()
    section = re.search(rf"^## {heading}\n(.*?)(?=^##? |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, heading
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", section[1], re.MULTILINE | re.DOTALL)
    found = [line.strip() for block in blocks for line in block.splitlines() if line.strip()]
    assert found
    return found


def run(line: str, folder: Path, **environ: str) -> None:
    path = f"{BIN}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env={**os.environ, "PATH": path, **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"


def test_a_backup_made_while_it_runs_can_be_restored(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", ["flood"])
    collection.start()
    collection.wait_streaming("track:0")
    wait_for(lambda: (collection.folder / "state" / "ledger.db").exists(), "a ledger")
    copy, move = commands("operations.md", "Backup")[:3], commands("operations.md", "Backup")[3:]
    for line in copy:
        run(line, collection.folder)
    assert collection.stop() == 0
    for line in move:
        run(line, collection.folder)
    backup = collection.folder / "backup"
    assert not any(balance.problems for balance in balances(backup / "ledger.db"))

    shutil.rmtree(collection.folder / "state")
    (collection.folder / "state").mkdir(mode=0o750)
    for name in ("ledger.db", "state.db"):
        shutil.copy(backup / name, collection.folder / "state" / name)
    collection.start()
    collection.wait_streaming("track:0")
    assert collection.connection("track:0")["serving"]["generation"] > 1, "the numbers go on"
    assert collection.stop() == 0

    run("tar -xzf backup/state.tgz -C backup", collection.folder)
    [balance] = balances(backup / "state" / "ledger.db")
    assert balance.connection == "track:0"
    assert not balance.problems


# ---- an installation, below another root


class Root:
    """A folder that stands for `/`, in which the documents' commands work."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "root"
        self.tree = copy_tree(folder / "tree")
        shutil.copytree(DEPLOY, self.tree / "deploy")
        shutil.copy(ROOT / "traptor.ini", self.tree)
        bin_ = folder / "bin"
        bin_.mkdir()
        stand_in = bin_ / "systemctl"
        stand_in.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/support/systemctl.py "$@"\n')
        stand_in.chmod(0o755)
        self.units = self.path / "etc" / "systemd" / "system"
        self.environ = {
            "PATH": f"{bin_}:{BIN}:{os.environ['PATH']}",
            "STAND_IN_SYSTEMD": str(self.units),
            # nothing is fetched: what is needed is linked into the environment
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
        }

    def moved(self, text: str) -> str:
        """A text with its absolute paths below this root."""
        text = re.sub(
            r"(?<![\w.])/(opt|etc|usr/lib|run|var/lib|var/log)/(?=traptor|systemd|logrotate|sysusers|tmp)",
            rf"{self.path}/\1/",
            text,
        )
        return re.sub(r"^(systemd-(?:sysusers|tmpfiles)) ", rf"\1 --root={self.path} ", text)

    def run(self, line: str) -> None:
        run(self.moved(line), self.tree, **self.environ)
        if " -m venv " in line:
            link_packages(Path(self.moved(line.split()[-1])))


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    if os.geteuid() != 0:
        pytest.skip("an installation makes files of root: run it as root")
    for name in ("systemd-sysusers", "systemd-tmpfiles"):
        debian_program(name, "systemd", "libsystemd-shared")
    root = Root(tmp_path)
    yield root
    Unit(root.units, "traptor").stop()


@pytest.mark.long
def test_an_installation_by_systemd_and_its_upgrade(root: Root, make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", ["flood"])
    lines = commands("deploy.md", "One host with systemd")
    start = lines.index("systemctl daemon-reload")
    for line in lines[:start]:
        root.run(line)
    root.run(commands("operations.md", "Install")[-1])
    etc = root.path / "etc"
    assert "traptor:" in (etc / "passwd").read_text()
    assert (etc / "traptor").stat().st_mode & 0o777 == 0o750
    assert (etc / "traptor" / "traptor.ini").stat().st_mode & 0o777 == 0o600

    unit = root.units / "traptor.service"
    unit.write_text(root.moved(unit.read_text()))
    for name in ("run", "var/lib/traptor", "var/log"):
        (root.path / name).mkdir(parents=True)
    collection.options = {
        "supervisor": {
            "run_dir": f"{root.path}/run/traptor",
            "state_dir": f"{root.path}/var/lib/traptor/state",
            "log_dir": f"{root.path}/var/log/traptor",
        }
    }
    collection.write_ini()
    shutil.copy(collection.ini, etc / "traptor" / "traptor.ini")
    (etc / "traptor" / "traptor.ini").chmod(0o600)
    for line in lines[start:]:
        root.run(line)
    status = root.path / "run" / "traptor" / "status.json"
    streams = '"state":"STREAMING"'
    wait_for(lambda: status.exists() and streams in status.read_text(), "the service streams")
    assert (root.units / "traptor.enabled").exists()

    first = Unit(root.units, "traptor").pid
    for line in commands("deploy.md", "Upgrade")[:3]:
        root.run(line)
    assert Unit(root.units, "traptor").pid not in (None, first)
    wait_for(lambda: status.exists() and streams in status.read_text(), "the new version streams")
