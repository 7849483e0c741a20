"""What the service manager hears, on a real datagram socket."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.manager import Manager

from traptor.supervisor.host.notify import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@traptor-test-{os.getpid()}"
    manager = Manager(name)
    yield manager
    manager.close()


def service(manager: Manager, **environ: str) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": manager.address, **environ})


def test_ready_is_told_once(manager: Manager) -> None:
    told = service(manager)
    told.ready()
    told.ready()
    assert manager.heard() == ["READY=1"]


def test_a_reload_is_one_message_with_its_time_and_ends_with_ready(manager: Manager) -> None:
    told = service(manager)
    told.ready()
    before = time.monotonic_ns() // 1000
    told.reloading()
    told.reloaded()
    _, reloading, ready = manager.heard()
    found = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", reloading)
    assert found
    assert before <= int(found[1]) <= time.monotonic_ns() // 1000
    assert ready == "READY=1"


def test_a_reload_during_the_start_makes_nothing_ready(manager: Manager) -> None:
    told = service(manager)
    told.reloading()
    told.reloaded()
    assert "READY=1" not in manager.heard()


def test_a_stop_asks_for_its_time(manager: Manager) -> None:
    service(manager).stopping(30.0)
    [message] = manager.heard()
    assert message.splitlines() == ["STOPPING=1", "STATUS=stopping", "EXTEND_TIMEOUT_USEC=40000000"]


def test_the_status_is_one_short_line_and_told_when_it_changes(manager: Manager) -> None:
    told = service(manager)
    for text in ("a\nREADY=1", "a\nREADY=1", "b" * 1000):
        told.status(text)
    first, second = manager.heard()
    assert first == "STATUS=a\\nREADY=1"
    assert second == "STATUS=" + "b" * 500


def test_the_watchdog_is_fed_at_half_its_time(manager: Manager) -> None:
    told = service(manager, WATCHDOG_USEC="30000000", WATCHDOG_PID=str(os.getpid()))
    assert [told.feed_watchdog(now) for now in (100.0, 114.9, 115.0)] == [115.0, 115.0, 130.0]
    assert manager.heard() == ["WATCHDOG=1", "WATCHDOG=1"]


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}],
    ids=str,
)
def test_without_a_watchdog_of_its_own_nothing_is_fed(manager: Manager, environ: dict[str, str]) -> None:
    assert service(manager, **environ).feed_watchdog(100.0) is None
    assert manager.heard() == []


def test_without_a_manager_nothing_happens() -> None:
    told = ServiceManager({"WATCHDOG_USEC": "1000"})
    told.ready()
    told.reloading()
    told.reloaded()
    told.status("fine")
    told.stopping(1.0)
    assert told.feed_watchdog(1.0) is None


def test_a_socket_of_another_kind_is_left_alone() -> None:
    ServiceManager({"NOTIFY_SOCKET": "vsock:2:1234"}).ready()


def test_what_a_manager_does_not_take_is_said_once_and_told_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address = str(tmp_path / "notify")
    told = ServiceManager({"NOTIFY_SOCKET": address})
    for _ in range(2):
        told.ready()
        told.status("fine")
    assert [record.getMessage() for record in caplog.records] == ["the service manager cannot be told"]
    manager = Manager(address)
    try:
        told.ready()
        told.status("fine")
        assert manager.heard() == ["READY=1", "STATUS=fine"]
    finally:
        manager.close()
