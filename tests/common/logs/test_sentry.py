"""With a DSN, errors of master and workers reach Sentry, and no secret does."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk

from traptor.common.config.kinds.kinds import _sentry_dsn
from traptor.common.logs.event import fields
from traptor.common.logs.master import configure_master_logging, replace_handlers
from traptor.common.logs.worker import into_master_log

SECRET = "SECRET-0123456789"
log = logging.getLogger("traptor.test")


@pytest.fixture
def sentry() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The DSN of a Sentry that keeps the events that it is sent."""
    events: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            lines = body.split(b"\n")
            for head, content in zip(lines[1::2], lines[2::2], strict=False):
                if json.loads(head).get("type") == "event":
                    events.append(json.loads(content))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    handlers = list(logging.getLogger().handlers)
    yield f"http://abc@127.0.0.1:{server.server_port}/1", events
    replace_handlers(handlers)
    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.get_global_scope().set_client(None)
    server.shutdown()
    thread.join()
    server.server_close()


def test_errors_of_the_master_and_of_workers_are_sent_with_secrets_masked(
    sentry: tuple[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    dsn, events = sentry
    logs = configure_master_logging("INFO", "text", tmp_path, [SECRET])
    logs.report_to(dsn)
    log.warning("not sent", extra=fields(why="only a warning"))
    log.error("key failed", extra=fields(key="k1", why=f"with {SECRET}"))
    try:
        secret_in_a_variable = SECRET
        raise RuntimeError(f"broken by {secret_in_a_variable}")
    except RuntimeError:
        log.exception("a job of the master failed, it is restarted")
    worker = {"name": "traptor.worker", "levelno": logging.ERROR, "levelname": "ERROR", "worker": "track:0"}
    received = logging.makeLogRecord({**worker, "msg": "the worker failed", "fields": {"why": SECRET}})
    into_master_log(received)
    logs.close()
    assert [event["logentry"]["message"] for event in events] == [
        "key failed", "a job of the master failed, it is restarted", "the worker failed",
    ]  # fmt: skip
    assert events[0]["extra"]["fields"]["why"] == "with ***"
    assert events[1]["exception"]["values"][0]["value"] == "broken by ***"
    assert events[2]["extra"]["worker"] == "track:0"
    assert SECRET not in json.dumps(events)
    frames = events[1]["exception"]["values"][0]["stacktrace"]["frames"]
    assert all("vars" not in frame for frame in frames)


@pytest.mark.parametrize("text", ["sentry", "https://sentry.example/1", "ftp://a@b/1", "https://a@b/x"])
def test_what_is_no_dsn_is_a_problem_of_the_configuration(text: str) -> None:
    with pytest.raises(ValueError, match="must be the DSN"):
        _sentry_dsn(text)


def test_a_dsn_without_the_sdk_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traptor.common.config.kinds.kinds.find_spec", lambda _name: None)
    with pytest.raises(ValueError, match=r"pip install 'traptor-supervisor\[sentry\]'"):
        _sentry_dsn("https://abc@sentry.example/1")
    assert _sentry_dsn("") == ""
