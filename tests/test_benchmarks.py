"""Each benchmark runs and yields figures; what they say is for scripts/bench on a quiet machine."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import ROOT
from support.waiting import DEADLINE_S

BENCHMARKS = (
    "path",
    "many_rules",
    "posts",
    "socket_to_sink",
    "counters",
    "loading",
    "restart",
    "refresh",
    "failover",
    "weight",
    "full_look",
    "many",
    "stop",
    "many_filters",
    "one_app",
    "answers",
)


def environ() -> dict[str, str]:
    """As scripts/bench sets it."""
    folders = [str(ROOT), str(ROOT / "tests"), str(ROOT / "scripts"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}


MADE_UP = """
import sys
import benchmarks.__main__ as command
from benchmarks.figures import Figure

LONG = "a figure whose name is much longer than eighty columns " * 2
figures = [Figure.of("path", LONG, "tweets/s", [1.0, 2.0, 3.0], at_least=1)]
figures.append(Figure.of("path", "no target", "s", [1.0]))
if "missed" in sys.argv:
    figures.append(Figure.of("path", "slow", "s", [3.0], at_most=1))
    sys.argv.remove("missed")
command._in_a_fresh_process = lambda name, effort: figures
command.main()
"""


def report(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What the command prints into a pipe of figures that nobody measured."""
    command = [sys.executable, "-c", MADE_UP, "--only", "path", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environ(), capture_output=True, text=True, timeout=DEADLINE_S
    )


def test_where_stdout_is_no_terminal_every_row_is_one_whole_line() -> None:
    done = report()
    assert done.returncode == 0, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if "much longer" in line]
    for cell in ("name is much longer than eighty columns a figure", "1..3", "tweets/s", ">= 1", "met"):
        assert cell in row


def test_several_are_named_with_commas_and_an_unknown_one_is_said() -> None:
    assert report("--only", "restart,many").stdout.count(" ...") == 3
    done = report("--only", "path,mani")
    assert done.returncode == 2
    assert "mani: not one of path, " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"), [(("missed",), 0), (("missed", "--strict"), 1), (("--strict",), 0)]
)
def test_a_missed_target_fails_only_where_that_is_asked_for(arguments: tuple[str, ...], code: int) -> None:
    done = report(*arguments)
    assert done.returncode == code, done.stderr
    assert ("1 target missed." in done.stdout) == ("missed" in arguments)


@pytest.mark.long
@pytest.mark.timeout(620)
def test_all_benchmarks_are_tried() -> None:
    command = [sys.executable, "-m", "benchmarks", "--only", "none-such"]
    done = subprocess.run(
        command, cwd=ROOT, env=environ(), capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert f"not one of {', '.join(BENCHMARKS)}" in " ".join(done.stderr.split())


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_runs_at_its_smallest_and_yields_figures(name: str, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--tiny", "--only", name, "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, env=environ(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_bytes())["figures"]
    assert figures
    for figure in figures:
        assert figure["benchmark"] == name
        assert math.isfinite(figure["median"])
        assert figure["least"] <= figure["median"] <= figure["most"]
        assert figure["name"] in done.stdout


def test_the_stores_that_were_compared_for_the_outbox_can_be_measured_again() -> None:
    page = (ROOT / "docs" / "decisions" / "0006-outbox-store.md").read_text()
    stores = re.findall(r"^\| \**([^|*]+?)\** \| [\d.]", page, re.MULTILINE)
    assert len(stores) == 9
    command = [sys.executable, "-m", "benchmarks.stores", "--messages", "60", "--rounds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    assert [store for store in stores if store not in done.stdout] == []
