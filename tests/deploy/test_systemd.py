"""The files for systemd and logrotate: the programs that read them find no fault."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.debian import Program, debian_program
from support.paths import DEPLOY
from support.rotation import rotation_of

from traptor.common.config.settings import load_settings

UNIT = DEPLOY / "systemd" / "traptor.service"
PROGRAM = "/opt/traptor/bin/traptor-supervisor"


@pytest.fixture(scope="module")
def analyze() -> Program:
    return debian_program("systemd-analyze", "systemd", "libsystemd-shared", "libseccomp2")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, for the program that is installed here."""
    here = tmp_path / "traptor.service"
    here.write_text(
        UNIT.read_text().replace(PROGRAM, str(Path(sys.executable).parent / "traptor-supervisor"))
    )
    return here


def test_systemd_finds_no_fault_with_the_unit(analyze: Program, unit: Path) -> None:
    assert PROGRAM in UNIT.read_text()
    done = analyze.run("verify", unit)
    assert (done.returncode, done.stdout) == (0, "")


def test_systemd_finds_no_fault_with_the_very_file_where_the_program_is_installed(analyze: Program) -> None:
    if os.geteuid() != 0:
        pytest.skip("a mount namespace with a folder of its own at /opt needs root")
    installed = Path(sys.executable).parent / "traptor-supervisor"
    steps = (
        "mount -t tmpfs none /opt && mkdir -p /opt/traptor/bin && ln -s $1 /opt/traptor/bin/ && $2 verify $3"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", steps, "sh", installed, analyze.path, UNIT],
        env={**os.environ, **analyze.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_systemd_finds_no_fault_with_the_credentials(analyze: Program, unit: Path) -> None:
    folder = Path(f"{unit}.d")
    folder.mkdir()
    (folder / "credentials.conf").write_text((DEPLOY / "systemd" / "credentials.conf").read_text())
    done = analyze.run("verify", unit)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_unit_is_confined(analyze: Program, unit: Path) -> None:
    done = analyze.run("security", "--offline=true", "--threshold=15", "--no-pager", unit)
    assert done.returncode == 0, done.stdout


def test_a_stop_may_take_as_long_as_the_default_drain_timeout(config_defaults: dict[str, float]) -> None:
    [stop_s] = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert int(stop_s) >= config_defaults["drain_timeout"] + 10


@pytest.fixture
def config_defaults(tmp_path: Path) -> dict[str, float]:
    (tmp_path / "traptor.ini").write_text("[traptor]\noutput = jsonl:out\n")
    return {"drain_timeout": load_settings(tmp_path / "traptor.ini").supervisor.drain_timeout}


# ---- logrotate


def test_logrotate_renames_the_logs_and_makes_new_ones_of_the_same_kind(tmp_path: Path) -> None:
    logrotate = debian_program("logrotate", "logrotate", "libpopt0")
    logs = tmp_path / "logs"
    logs.mkdir(mode=0o750)
    (logs / "track:0.log").write_text("first\n")
    (logs / "supervisor.log").write_text("")
    config = rotation_of(logs, tmp_path / "logrotate.conf")
    dry = logrotate.run("-d", "-s", tmp_path / "state", config)
    assert dry.returncode == 0, dry.stdout
    assert "error" not in dry.stdout
    assert [path.name for path in sorted(logs.iterdir())] == ["supervisor.log", "track:0.log"]
    done = logrotate.run("-f", "-s", tmp_path / "state", config)
    assert done.returncode == 0, done.stdout
    assert (logs / "track:0.log.1").read_text() == "first\n"
    assert ((logs / "track:0.log").read_text(), (logs / "track:0.log").stat().st_mode & 0o777) == ("", 0o640)
    assert not (logs / "supervisor.log.1").exists()
