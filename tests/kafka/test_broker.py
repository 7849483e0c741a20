"""The broker of scripts/kafka: it says when it cannot run, and never takes another's answers for its own."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.kafka import KafkaProcess
from support.paths import SCRIPTS
from support.waiting import DEADLINE_S

from traptor.common.errors import TraptorError


def test_a_port_that_is_taken_is_said_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        broker = KafkaProcess(tmp_path / "kafka", port)
        with pytest.raises(TraptorError, match=f"port {port} cannot be used: Address already in use"):
            broker.start()
        assert broker.exit_code is None
        assert not (tmp_path / "kafka").exists()


def test_the_command_says_so_too_and_never_that_it_runs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, str(SCRIPTS / "kafka.py"), "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == (
        f"error: port {port} cannot be used: Address already in use; name another one"
    )
    assert " runs" not in done.stderr
