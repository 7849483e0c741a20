"""The broker of scripts/kafka: it says when it cannot run, and never takes another's answers for its own."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from support.kafka import KafkaProcess

from traptor.common.errors import TraptorError


def test_a_port_that_is_taken_is_said_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        broker = KafkaProcess(tmp_path / "kafka", port)
        with pytest.raises(TraptorError, match=f"port {port} cannot be used: Address already in use"):
            broker.start()
        assert broker.exit_code is None
        assert not (tmp_path / "kafka").exists()
