"""The status as log lines."""

from __future__ import annotations

from typing import Any

import pytest

from traptor.supervisor.status import log as statuslog
from traptor.supervisor.status.log import log_status


def connection(name: str, serving: dict[str, Any] | None = None, **others: Any) -> dict[str, Any]:
    return {
        "connection": name,
        "state": "UP",
        "rules": 3,
        "serving": serving,
        "total": {"received": 10, "delivered": 9},
        "outbox": {"messages": 0},
        "restarts": 0,
        "waits_for": None,
        **others,
    }


STATUS = {
    "version": "1",
    "redis": "ok",
    "groups": [{}],
    "connections": [
        connection("track:0", {"state": "STREAMING", "pid": 7, "key": "k1"}),
        connection("track:1", state="WAITING_FOR_KEY", waits_for="no key is free"),
    ],
    "keys": [{"key": "k1", "state": "OK", "lent": 1, "max_connections": 1, "budget_left": 4, "key_id": "x"}],
    "jobs": [{"job": "rules", "error": "OSError"}, {"job": "hints", "error": None}],
    "log_lost": 0,
}


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, object]]]:
    return [(record.message, record.__dict__["fields"]) for record in caplog.records]


def test_there_is_a_line_for_the_supervisor_and_each_connection_and_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    log_status(STATUS)
    (_, whole), (_, streams), (_, waits), (event, key) = said(caplog)
    assert (whole["connections"], whole["streaming"], whole["failing_jobs"]) == (2, 1, "rules")
    assert (streams["state"], streams["pid"], streams["key"]) == ("STREAMING", 7, "k1")
    assert (waits["state"], waits["waits_for"]) == ("WAITING_FOR_KEY", "no key is free")
    assert (event, key["key"], key["budget_left"]) == ("status of a key", "k1", 4)


def test_of_very_many_lines_the_rest_is_left_to_the_file(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(statuslog, "MOST_LINES", 1)
    log_status(STATUS)
    assert [event for event, _ in said(caplog)] == [
        "status",
        "status of a connection",
        "status of a key",
        "the status is cut short in the log",
    ]
