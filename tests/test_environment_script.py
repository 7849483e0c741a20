"""scripts/environment makes .venv when it must, and leaves it alone otherwise."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from support.paths import SCRIPTS
from support.waiting import DEADLINE_S

# Nothing is fetched: pip is only noted.
SCRIPT = """
source scripts/environment
quiet_pip() { echo "pip $*"; }
set_up "$1"
command -v python
"""
# An environment without pip is made in a tenth of the time.
QUICK_PYTHON = """#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then shift 2; exec {python} -m venv --without-pip "$@"; fi
exec {python} "$@"
"""
MADE = "Making the environment"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(SCRIPTS / "environment", folder / "scripts")
    for name in ("setup.cfg", "pyproject.toml"):
        (folder / name).touch()
    write_program(tmp_path / "bin" / "python3", QUICK_PYTHON.format(python=sys.executable))
    return folder


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def set_up(project: Path, extra: str = "sandbox", **environ: str) -> str:
    """What it prints; the Python that is used must be that of .venv."""
    path = environ.pop("PATH", "") + f"{project.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", SCRIPT, "bash", extra],
        cwd=project,
        env={"PATH": path, "HOME": str(project), **environ},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == str(project / ".venv/bin/python")
    return done.stderr + done.stdout


def active(folder: Path) -> dict[str, str]:
    """The environment of a shell in which another venv is active."""
    venv.create(folder, symlinks=True)
    write_program(folder / "bin" / "python3", QUICK_PYTHON.format(python=folder / "bin" / "python"))
    return {"VIRTUAL_ENV": str(folder), "PATH": f"{folder / 'bin'}{os.pathsep}"}


def test_it_is_made_once(project: Path) -> None:
    assert MADE in set_up(project)
    assert MADE not in set_up(project)


def test_another_active_venv_does_not_make_it_anew(project: Path, tmp_path: Path) -> None:
    set_up(project)
    said = set_up(project, **active(tmp_path / "other"))
    assert MADE not in said
    assert "pip --config-settings" in said  # what was added since is linked


def test_it_may_be_made_in_another_active_venv(project: Path, tmp_path: Path) -> None:
    assert MADE in set_up(project, **active(tmp_path / "other"))
    assert MADE not in set_up(project)


def test_it_may_be_the_active_one_itself(project: Path) -> None:
    set_up(project)
    folder = project / ".venv"
    activated = {"VIRTUAL_ENV": str(folder), "PATH": f"{folder / 'bin'}{os.pathsep}"}
    assert MADE not in set_up(project, **activated)
    (project / "setup.cfg").write_text("changed")
    assert MADE in set_up(project, **activated)
    assert MADE not in set_up(project, **activated)


@pytest.mark.parametrize("name", ["setup.cfg", "pyproject.toml"])
def test_other_requirements_make_it_anew(project: Path, name: str) -> None:
    set_up(project)
    (project / name).write_text("changed")
    assert MADE in set_up(project)


def test_the_one_for_tests_serves_for_everything(project: Path) -> None:
    assert MADE in set_up(project, "sandbox")
    assert MADE in set_up(project, "test")
    assert MADE not in set_up(project, "sandbox")
    (project / "setup.cfg").write_text("changed")
    assert MADE in set_up(project, "sandbox")
    assert MADE not in set_up(project, "test"), "it serves the tests as before"


def test_a_broken_one_is_made_anew(project: Path) -> None:
    set_up(project)
    python = project / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert MADE in set_up(project)


def test_a_python_that_is_asked_for_by_name_is_used(project: Path, tmp_path: Path) -> None:
    set_up(project)
    assert MADE not in set_up(project, PYTHON=sys.executable)
    other = tmp_path / "python-of-another-version"
    other.write_text(
        f'#!/bin/sh\ncase "$*" in *sys.version\\)*) echo 3.99;; *) exec {sys.executable} "$@";; esac\n'
    )
    other.chmod(0o755)
    assert MADE in set_up(project, PYTHON=str(other))
