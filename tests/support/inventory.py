"""Ansible on this machine: hosts are folders, with a prefix each, and a stand-in for systemctl."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from support.paths import DEPLOY, ROOT
from support.systemctl import Unit

ANSIBLE = DEPLOY / "ansible"
_RUN_S = 600
_FILES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")


@dataclass
class Hosts:
    """An inventory with the predecessor's groups, and what Ansible makes of it.

    `before` is put before each command: it may lead to another machine.
    """

    folder: Path
    groups: dict[str, list[str]]
    variables: dict[str, Any]
    host_lines: dict[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()

    def prefix(self, host: str) -> Path:
        return self.folder / host

    def run_dir(self, host: str) -> Path:
        return self.prefix(host) / "run" / "traptor"

    def unit(self, host: str) -> Unit:
        return Unit(self.folder / "units", f"traptor-{host}")

    def actions(self) -> list[str]:
        """What systemctl was asked to do since the last call."""
        path = self.folder / "units" / "actions"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def play(self, playbook: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run a playbook with the inventory as it is now."""
        self._write()
        return subprocess.run(
            [
                *self.before,
                Path(sys.executable).parent / "ansible-playbook",
                "-i",
                self.folder / "inventory",
                *options,
                ANSIBLE / "playbooks" / f"{playbook}.yml",
            ],
            cwd=ANSIBLE,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_RUN_S,
            check=False,
        )

    def end(self) -> None:
        """Stop whatever still runs."""
        for path in (self.folder / "units").glob("*.pid"):
            Unit(path.parent, path.stem).stop()

    def _write(self) -> None:
        inventory = self.folder / "inventory"
        (inventory / "group_vars").mkdir(parents=True, exist_ok=True)
        (self.folder / "units").mkdir(exist_ok=True)
        lines = []
        for group, hosts in self.groups.items():
            lines += [f"[{group}]", *(f"{host} {self.host_lines.get(host, '')}" for host in hosts), ""]
        lines += ["[traptor-nodes:children]", *self.groups, ""]
        (inventory / "hosts.ini").write_text("\n".join(lines))
        (inventory / "group_vars" / "traptor-nodes.yml").write_text(yaml.safe_dump(self.variables))

    def _environment(self) -> dict[str, str]:
        bin_ = self.folder / "bin"
        bin_.mkdir(exist_ok=True)
        systemctl = bin_ / "systemctl"
        stand_in = ROOT / "tests" / "support" / "systemctl.py"
        systemctl.write_text(f'#!/bin/sh\nexec {sys.executable} {stand_in} "$@"\n')
        systemctl.chmod(0o755)
        # Not measured: what Ansible starts is thousands of small programs, and code from a wheel.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
        return {
            **inherited,
            "PATH": f"{bin_}:{os.environ['PATH']}",
            "STAND_IN_SYSTEMD": str(self.folder / "units"),
            "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_NOCOLOR": "1",
        }


def recap(output: str) -> dict[str, dict[str, int]]:
    """The last lines of a play: what was counted for each host."""
    return {
        host: {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", counts)}
        for host, counts in re.findall(r"^(\w+) +: (ok=.*)$", output, re.MULTILINE)
    }


def package_folders() -> list[str]:
    """The folders of the repository that are packages."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["package_dir"].strip().splitlines()
    return [line.partition("=")[2].strip() for line in lines]


def copy_tree(tree: Path) -> Path:
    """A copy of what a package is built from."""
    tree.mkdir(parents=True)
    for name in package_folders():
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _FILES:
        shutil.copy(ROOT / name, tree / name)
    return tree


def build_wheel(folder: Path, version: str) -> Path:
    """The working tree as a wheel of this version, made without a network."""
    tree = copy_tree(folder / f"tree-{version}")
    init = tree / "common" / "__init__.py"
    init.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{version}"', init.read_text()))
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "."]
    subprocess.run([*pip, "--wheel-dir", folder], cwd=tree, check=True, capture_output=True, timeout=_RUN_S)
    [wheel] = folder.glob(f"*-{version}-*.whl")
    return wheel


def make_environment(place: Path) -> None:
    """A virtual environment with all that this one has but for the project itself, without a network."""
    venv.create(place, symlinks=True, with_pip=False)
    link_packages(place)
    pip = place / "bin" / "pip"
    script = "import sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"
    pip.write_text(f"#!{place}/bin/python\n{script}")
    pip.chmod(0o755)


def link_packages(place: Path) -> None:
    """Put what this environment has into another one, but for the project and what is there already."""
    [ours] = (Path(sys.executable).parent.parent / "lib").glob("python*/site-packages")
    [theirs] = place.glob("lib/python*/site-packages")
    for old in theirs.glob("setuptools*"):  # what a new environment may have is too old
        shutil.rmtree(old)
    for package in ours.iterdir():
        is_ours = "traptor" in package.name or package.name.startswith(("__", "_virtualenv"))
        if not is_ours and not (theirs / package.name).exists():
            (theirs / package.name).symlink_to(package)
