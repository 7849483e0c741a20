"""Every command in docs/operations.md, docs/deploy.md and docs/api.md runs as it stands.

Two runs do it: one beside a running collection, one that installs and upgrades below another root. What is
run elsewhere, or cannot run here, is listed first.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.collection import Collection, Key
from support.debian import debian_program
from support.documented import Shell, Shown, shown
from support.inventory import copy_tree, link_packages
from support.paths import DEPLOY, ROOT
from support.systemctl import Unit
from support.waiting import wait_for

from traptor.supervisor.ctl.cli import main as ctl
from traptor.supervisor.ledger.answers.accounting import balances

Make = Callable[..., Collection]
BIN = Path(sys.executable).parent

ANSIBLE = (
    "tests/integration/test_ansible.py"
    "::test_hosts_get_their_groups_and_keys_and_change_without_touching_what_stays"
)
ELSEWHERE = {
    "ansible-playbook": ANSIBLE,
    "pip wheel": ANSIBLE,
    "systemd-analyze verify": "tests/deploy/test_systemd.py"
    "::test_systemd_finds_no_fault_with_the_very_file_where_the_program_is_installed",
    "systemd-analyze security": "tests/deploy/test_systemd.py::test_the_unit_is_confined",
    "compare ONE OTHER": "tests/integration/v2/test_trial.py"
    "::test_every_post_is_in_both_files_in_its_form_over_the_kill_of_a_worker",
    "compliance": "tests/integration/v2/test_compliance.py"
    "::test_the_posts_of_a_collection_that_are_gone_at_x_are_named",
}
"""Commands by their first words, and the test that runs them, with arguments of its own."""

NOT_HERE = {
    "docker": "no image can be built without a daemon and the internet; tests/integration/test_container.py"
    " runs the steps of the Dockerfile, tests/deploy/test_image.py reads the compose file",
    "export TRAPTOR_API_URL": "a variable of docker compose",
}
"""Commands by their first words, and why no test runs them."""


def left_out(command: Shown) -> bool:
    return any(command.text.startswith(words) for words in (*ELSEWHERE, *NOT_HERE))


def commands(document: str, heading: str = "") -> list[str]:
    """The commands that are to be run, in their order; those below a heading, or all."""
    found = [one for one in shown(document) if heading in ("", one.heading) and not left_out(one)]
    assert found, heading
    return [one.text for one in found]


def test_what_runs_elsewhere_runs_there_and_the_list_is_no_longer_than_it_must_be() -> None:
    everything = [one.text for name in ("operations.md", "deploy.md", "api.md") for one in shown(name)]
    for words in (*ELSEWHERE, *NOT_HERE):
        assert any(text.startswith(words) for text in everything), f"{words!r} is shown nowhere"
    for test in ELSEWHERE.values():
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text()


# ---- beside a running collection


def environ(folder: Path, redis_url: str) -> dict[str, str]:
    """Where the programs are; where no redis-cli is installed, one that knows the Redis of this test."""
    programs = [
        debian_program("curl", "curl"),
        debian_program("fuser", "psmisc"),
        debian_program("journalctl", "systemd", "libsystemd-shared"),
    ]
    cli = folder / "bin" / "redis-cli"
    cli.parent.mkdir()
    ask = f"redis.from_url({redis_url!r}, decode_responses=True).execute_command(*sys.argv[1:])"
    cli.write_text(f"#!{sys.executable}\nimport redis, sys\nprint(*{ask}, sep='\\n')\n")
    cli.chmod(0o755)
    places = [str(cli.parent), str(BIN), os.environ["PATH"], *(str(one.path.parent) for one in programs)]
    libraries = {name: value for one in programs for name, value in one.env.items()}
    return {"PATH": ":".join(places), **libraries}


def as_objects(text: str) -> list[dict[str, object]]:
    """The answer of the API: one JSON object, or one in each line; no refusal is among them."""
    found = [json.loads(line) for line in text.splitlines()]
    assert not any("detail" in one for one in found), text
    return found


def of_the_table(row: str) -> list[list[str]]:
    """A row of the table of traptorctl, without and with what is in brackets."""
    every = re.sub(r"[\[\]]", "", row).replace("CONNECTION", "track:0")
    return [one.split() for one in dict.fromkeys([re.sub(r" \[[^]]*\]", "", row), every])]


class Run:
    """The commands of docs/operations.md and docs/api.md with one collection, in their order."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.shell = Shell(collection.folder, environ(collection.folder, collection.redis_url))

    def start(self) -> None:
        check, plan, start, tail = commands("operations.md", "First run")
        self.shell.run(check)
        assert "track:0" in self.shell.run(plan)
        self.collection.process = self.shell.begin(start, self.collection.folder / "stderr.txt")  # type: ignore[assignment]
        self.collection.wait_streaming("track:0")
        self.shell.watch(tail, "stream connected")
        wait_for(lambda: self.collection.redis.llen("traptor:gaps:track:0"), "the first gap, in Redis")
        self.collection.sandbox.set_rules([("track", "flood")])

    def ask(self) -> None:
        for line in [*commands("operations.md", "The API"), *commands("api.md")]:
            assert as_objects(self.shell.run(line)) or "since=2026-11-23" in line
        look, watch, *_ = commands("operations.md", "traptorctl")
        assert "track:0" in self.shell.run(look)
        self.shell.watch(watch, "Ctrl-C ends")
        *asked, _, mirror = commands("operations.md", "The gap ledger")
        for line in asked:
            as_objects(self.shell.run(line))
        assert '"cause":"start"' in self.shell.run(mirror)
        plan, check = commands("operations.md", "Limits and capacity")
        assert "What the supervisor does" in self.shell.run(plan)
        assert "no errors" in self.shell.run(check)
        for line in commands("operations.md", "Troubleshooting"):
            if line not in self.shell.ran:
                self.shell.run(line)

    def order(self) -> None:
        """The table of traptorctl."""
        for row in [one for one in shown("operations.md") if one.kind == "table" and not left_out(one)]:
            for words in of_the_table(row.text):
                self._order(words)
            self.shell.ran.append(row.text)
        for one in shown("operations.md"):
            if one.text.startswith("traptorctl rules"):
                self._order(one.text.split()[1:])
                self.shell.ran.append(one.text)
        self.shell.ran.append("traptor-supervisor --check")  # what `check` is the same as

    def _order(self, words: list[str]) -> None:
        collection = self.collection
        if words in (["status", "--watch"], ["tail", "track:0"]):  # these go on
            self.shell.watch(f"traptorctl -c traptor.ini {' '.join(words)}", "track:0")
            return
        if "NAME" in words:
            words = [*words[:-1], wait_for(self._spare_key, "a key that is free")]
        if words == ["rules", "..."]:
            words = ["rules", "list", "track:0"]
        done = CliRunner().invoke(ctl, ["-c", str(collection.ini), *words])
        assert done.exit_code == 0 or words[0] in ("status", "health"), (words, done.output, done.exception)
        assert done.exit_code in (0, 1), done.output
        match words[0]:
            case "restart" | "start":
                collection.wait_streaming("track:0")
                wait_for(lambda: not collection.connection("track:0")["successor"], "no other worker comes")
            case "stop":
                collection.wait_state("track:0", "STOPPED")

    def _spare_key(self) -> str:
        return next((str(key["key"]) for key in self.collection.status()["keys"] if not key["lent"]), "")

    def save(self) -> Path:
        """The backup; the supervisor ends before its last command."""
        *copy, move = commands("operations.md", "Backup")
        for line in copy:
            self.shell.run(line)
        assert self.collection.stop() == 0
        self.shell.run(move)
        return self.collection.folder / "backup"

    def read_the_ledger(self) -> None:
        [script] = [one.text for one in shown("operations.md") if one.kind == "python"]
        file = self.collection.folder / "balances.py"
        file.write_text(script)
        assert "adds up" in self.shell.run("python balances.py")
        self.shell.ran.append(script)


@pytest.mark.long
def test_every_command_of_an_operator_runs_as_it_stands(make_collection: Make) -> None:
    """And the backup that is made on the way can be restored."""
    collection = make_collection(Key("k1"), Key("k2"), sandbox=("--rate", "50"))
    collection.add_rules("track:0", {"17": "flood"})
    collection.write_ini()
    collection.output.mkdir()
    run = Run(collection)
    run.start()
    run.ask()
    run.order()
    backup = run.save()
    run.read_the_ledger()
    wanted = {*commands("operations.md"), *commands("api.md")} - {*commands("operations.md", "Install")}
    assert wanted <= {*run.shell.ran}, wanted - {*run.shell.ran}

    assert not any(balance.problems for balance in balances(backup / "ledger.db"))
    shutil.rmtree(collection.folder / "state")
    (collection.folder / "state").mkdir(mode=0o750)
    for name in ("ledger.db", "state.db"):
        shutil.copy(backup / name, collection.folder / "state" / name)
    collection.start()
    collection.wait_streaming("track:0")
    assert collection.connection("track:0")["serving"]["generation"] > 1, "the numbers go on"
    assert collection.stop() == 0

    run.shell.run("tar -xzf backup/state.tgz -C backup")
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
        environ = {
            "PATH": f"{bin_}:{BIN}:{os.environ['PATH']}",
            "STAND_IN_SYSTEMD": str(self.units),
            # nothing is fetched: what is needed is linked into the environment
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
        }
        self.shell = Shell(self.tree, environ)

    def moved(self, text: str) -> str:
        """A text with its absolute paths below this root."""
        text = re.sub(
            r"(?<![\w.])/(opt|etc|usr/lib|run|var/lib|var/log)/(?=traptor|systemd|logrotate|sysusers|tmp)",
            rf"{self.path}/\1/",
            text,
        )
        return re.sub(r"^(systemd-(?:sysusers|tmpfiles)) ", rf"\1 --root={self.path} ", text)

    def run(self, line: str, codes: tuple[int, ...] = (0,)) -> str:
        said = self.shell.run(self.moved(line), codes)
        if " -m venv " in line:
            link_packages(Path(self.moved(line.split()[-1])))
        return said

    def wait_streaming(self, name: str) -> None:
        status = self.path / "run" / name / "status.json"
        wait_for(lambda: status.exists() and '"state":"STREAMING"' in status.read_text(), f"{name} streams")


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
@pytest.mark.timeout(900)  # a wheel is built, and environments are made
def test_an_installation_by_systemd_and_its_upgrades(root: Root, make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"))
    collection.add_rules("track:0", ["flood"])
    lines = commands("deploy.md", "One host with systemd")
    start = lines.index("systemctl daemon-reload")
    for line in lines[:start]:
        root.run(line)
    for line in commands("deploy.md", "Keys as credentials"):
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
    spare = collection.keys.pop()
    write_ini(collection, root, "traptor")
    for line in lines[start:]:
        root.run(line)
        if "enable" in line:
            root.wait_streaming("traptor")
    assert (root.units / "traptor.enabled").exists()

    first = Unit(root.units, "traptor").pid
    in_place, beside = commands("deploy.md", "Upgrade")[:3], commands("deploy.md", "Upgrade")[3:]
    for line in in_place:
        root.run(line)
    assert Unit(root.units, "traptor").pid not in (None, first)
    root.wait_streaming("traptor")

    collection.keys = [spare]
    write_ini(collection, root, "new")
    look, stop = beside[-2:]
    for line in beside[:-3]:
        root.run(line)
    new = root.shell.begin(root.moved(beside[-3]), root.path / "new.txt")
    try:
        root.wait_streaming("new")
        root.run(look, (0, 1))  # each of the two warns of the other's heartbeats
        root.run(stop)
        assert Unit(root.units, "traptor").pid is None
        root.wait_streaming("new")
    finally:
        new.terminate()
        assert new.wait(60) == 0
    wanted = {root.moved(text) for text in commands("deploy.md")}
    assert wanted <= {*root.shell.ran}, wanted - {*root.shell.ran}


def write_ini(collection: Collection, root: Root, name: str) -> None:
    """The ini that an operator writes, in /etc/traptor, with folders of its own."""
    collection.options = {
        "supervisor": {
            "run_dir": f"{root.path}/run/{name}",
            "state_dir": f"{root.path}/var/lib/{name}/state",
            "log_dir": f"{root.path}/var/log/{name}",
        }
    }
    (root.path / "var" / "lib" / name).mkdir(exist_ok=True)
    collection.write_ini()
    shutil.copy(collection.ini, root.path / "etc" / "traptor" / f"{name}.ini")
    (root.path / "etc" / "traptor" / f"{name}.ini").chmod(0o600)
