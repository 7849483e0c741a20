"""Each benchmark runs and yields figures; what they say is for scripts/bench on a quiet machine."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BENCHMARKS = (
    "path",
    "many_rules",
    "socket_to_sink",
    "restart",
    "refresh",
    "failover",
    "weight",
    "full_look",
    "many",
)


@pytest.mark.long
@pytest.mark.timeout(620)
@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_runs_at_its_smallest_and_yields_figures(name: str, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--tiny", "--only", name, "--json", str(file)]
    path = os.pathsep.join(
        [str(ROOT), str(ROOT / "tests"), str(ROOT / "scripts"), os.environ.get("PYTHONPATH", "")]
    )
    env = {**os.environ, "PYTHONPATH": path, "COLUMNS": "250"}  # wide enough for every line of the table
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)
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
