"""What is done in the master before a fork."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from support.births import worker_settings
from support.leftovers import Leftovers
from support.making_posts import post_fields, post_line
from support.making_tweets import rule

from traptor.common.birth import KafkaSettings
from traptor.worker.entry import matching, warm_up


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


def test_matching_leaves_out_what_goes_too_deep() -> None:
    matches = matching([rule("track:0", "1", "storm")])
    for depth in range(900, 1010):  # where Python's parser gives up depends on who calls it
        line = post_line(post_fields("a storm", id="7", entities={"urls": ["?"]}), "12")
        assert matches(line.replace(b'"?"', b"[" * depth + b"]" * depth)) in ([0], None)
