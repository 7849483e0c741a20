"""The chaos in short, run as users run it, with a real Kafka and a real Redis."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from support.kafka import need_kafka
from support.paths import SCRIPTS


@pytest.mark.long
@pytest.mark.timeout(420)
def test_a_collection_in_which_everything_is_killed_accounts_for_every_tweet(tmp_path: Path) -> None:
    need_kafka()
    figures = tmp_path / "figures.json"
    options = ["--minutes", "1.5", "--every", "2", "--rate", "200"]
    places = ["--output", str(tmp_path / "chaos"), "--json", str(figures)]
    ended = subprocess.run(
        [sys.executable, str(SCRIPTS / "chaos.py"), *options, *places],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert figures.exists(), ended.stdout + ended.stderr
    told = orjson.loads(figures.read_bytes())
    assert told["breaches"] == [], ended.stdout + ended.stderr
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert told["deliveries"]["lost"] == 0
    assert told["deliveries"]["due"] > 1000
    assert told["supervisors"] > 1
    assert told["disturbances"]["Kafka killed"] >= 1
    assert told["disturbances"]["Redis killed"] >= 1
    assert told["disturbances"]["disk of state_dir filled"] >= 1, ended.stdout
    assert told["disturbances"]["disk of log_dir filled"] >= 1, ended.stdout
    assert told["disturbances"]["disk of Kafka filled"] >= 1, ended.stdout
    assert told["disturbances"]["Kafka rebuilt as another, empty cluster"] >= 1
    assert set(told["gap_seconds"]) == {"follow:0", "follow:0.2", "track:0", "track:1", "locations:0"}


@pytest.mark.long
@pytest.mark.timeout(600)
def test_an_app_in_which_everything_is_disturbed_accounts_for_every_post(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    options = ["--api", "v2", "--minutes", "0.7", "--every", "1.8", "--rate", "100"]
    places = ["--output", str(tmp_path / "chaos"), "--json", str(figures)]
    ended = subprocess.run(
        [sys.executable, str(SCRIPTS / "chaos.py"), *options, *places],
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert figures.exists(), ended.stdout + ended.stderr
    told = orjson.loads(figures.read_bytes())
    assert told["breaches"] == [], ended.stdout + ended.stderr
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert told["deliveries"]["lost"] == 0
    assert told["deliveries"]["due"] > 500
    assert told["supervisors"] > 1
    assert told["most_connects_in_15_min"] <= 50
    assert told["troubles"]["worker killed"] >= 1
