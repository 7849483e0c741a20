"""The chaos in short, run as users run it, with a real Kafka and a real Redis."""

from __future__ import annotations

from pathlib import Path

import pytest
from appchaos_parts.troubles import USUAL
from support.kafka import need_kafka
from support.trialruns import figures_of


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_collection_in_which_everything_is_killed_accounts_for_every_tweet(tmp_path: Path) -> None:
    need_kafka()
    options = ["--minutes", "1.5", "--every", "2", "--rate", "200"]
    told = figures_of("chaos.py", tmp_path, *options, within_s=850)
    assert told["deliveries"]["lost"] == 0
    assert told["deliveries"]["due"] > 1000
    assert told["supervisors"] > 1
    assert told["disturbances"]["Kafka killed"] >= 1
    assert told["disturbances"]["Redis killed"] >= 1
    assert told["disturbances"]["disk of state_dir filled"] >= 1
    assert told["disturbances"]["disk of log_dir filled"] >= 1
    assert told["disturbances"]["disk of Kafka filled"] >= 1
    assert told["disturbances"]["Kafka rebuilt as another, empty cluster"] >= 1
    assert told["disturbances"]["topic deleted, and made anew with other partitions"] >= 1
    assert set(told["gap_seconds"]) == {"follow:0", "follow:0.2", "track:0", "track:1", "locations:0"}


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_collection_into_files_whose_disk_is_filled_accounts_for_every_tweet(tmp_path: Path) -> None:
    options = ["--to", "jsonl", "--minutes", "0.3", "--every", "1", "--rate", "200", "--seed", "2"]
    told = figures_of("chaos.py", tmp_path, *options, within_s=580)
    assert told["deliveries"]["lost"] == 0
    assert told["deliveries"]["due"] > 500
    assert told["supervisors"] > 1
    assert told["disturbances"]["disk of the output filled"] >= 1
    assert told["disturbances"]["disk of state_dir filled"] >= 1
    assert told["disturbances"]["disk of log_dir filled"] >= 1
    assert "Kafka killed" not in told["disturbances"]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_an_app_in_which_everything_is_disturbed_accounts_for_every_post(tmp_path: Path) -> None:
    options = ["--api", "v2", "--minutes", "0.85", "--every", "2", "--seed", "9"]  # one round, and TLS
    told = figures_of("chaos.py", tmp_path, *options, within_s=580)
    assert set(told["troubles"]) == USUAL
    assert "https://" in (tmp_path / "trial" / "traptor.ini").read_text()
    assert told["deliveries"]["lost"] == 0
    assert told["deliveries"]["due"] > 500
    assert told["supervisors"] > 1
    assert told["most_connects_in_15_min"] <= 50
    assert told["billed"] == told["bill"]["delivered"] + told["bill"]["unread"]
