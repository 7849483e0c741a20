"""What is done in the master before a fork."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from support.births import worker_settings
from support.leftovers import Leftovers

from traptor.common.birth import KafkaSettings
from traptor.worker.entry import warm_up


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
