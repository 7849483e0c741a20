"""What is done in the master before a fork."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from support.births import worker_settings
from support.leftovers import Leftovers
from support.making_posts import head_of, post_fields, post_line, single
from support.making_tweets import rule

from traptor.common.birth import API_V2, Birth, KafkaSettings
from traptor.worker.entry import prepare, warm_up


@pytest.mark.parametrize("output", ["jsonl", "kafka"])
def test_the_warm_up_reaches_nobody_and_leaves_neither_thread_nor_descriptor(
    output: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        address = f"127.0.0.1:{broker.getsockname()[1]}"
        kafka = KafkaSettings(address, "tweets", True, (), (), tmp_path) if output == "kafka" else None
        settings = replace(worker_settings(tmp_path), output=output, kafka=kafka)
        left = Leftovers()
        warm_up(settings)
        left.wait_gone()
        broker.setblocking(False)
        with pytest.raises(BlockingIOError):
            broker.accept()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("api", "drains", "expected"), [(API_V2, False, True), ("v1.1", False, False), (API_V2, True, False)]
)
def test_the_worker_of_an_app_is_forked_with_what_it_matches_by(
    api: str, drains: bool, expected: bool, tmp_path: Path
) -> None:
    settings = worker_settings(tmp_path, api=api)
    meanings = (single("1", "track:0", "storm"),)
    prepared = prepare(Birth("v2:one", 1, None, (rule("track:0", "r", "storm"),), settings, drains, meanings))
    assert (prepared is not None) is expected
    if prepared is not None:
        line = post_line(post_fields(""), "1")
        assert prepared.now.attribute(head_of(line), line).rules == (0,)
