"""The control socket: who may use it, what it answers, and that no request can harm the supervisor."""

from __future__ import annotations

import json
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from support.collection import Collection, Key
from support.control import get, lines
from support.waiting import DEADLINE_S, wait_for

Make = Callable[..., Collection]

FIELDS = ["connection", "kind", "cause", "why", "from", "to", "from_unix", "to_unix", "seconds", "generation"]
FIELDS += ["rules", "rule_count", "limited", "open", "filled"]


def start(make: Make) -> tuple[Collection, Path]:
    """A collection of track:0, and its control socket."""
    collection = make(Key("k1"))
    collection.add_rules("track:0", {"r1": "storm"})
    collection.start()
    collection.wait_streaming("track:0")
    return collection, collection.run_dir / "control.sock"


def test_it_answers_what_it_is_asked_and_refuses_the_rest_with_a_sentence(make_collection: Make) -> None:
    collection, path = start(make_collection)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    status, body = get(path, "/api/status")
    assert status == 200
    assert json.loads(body).keys() == collection.status().keys()
    status, body = get(path, "/metrics")
    assert (status, b'traptor_stream_connected{connection="track:0"} 1.0' in body) == (200, True)
    assert json.loads(get(path, "/readyz")[1]) == {"ready": True, "health": "ok", "why": []}
    (first, last) = lines(path, "intervals", connection="track:0")
    assert list(first) == FIELDS
    assert (first["kind"], first["cause"], first["open"]) == ("gap", "start", False)
    assert (last["kind"], last["rule_count"], last["open"]) == ("streaming", 1, True)
    assert first["to"] == last["from"]
    assert lines(path, "gaps") == [first]
    assert lines(path, "gaps", since=first["to_unix"] + 1) == []
    (part,) = lines(path, "totals", since=first["from_unix"])
    assert part["adds_up"]
    for target, code, words in (
        ("/api/gaps?since=yesterday", 400, "since must be how long ago it is"),
        ("/api/gaps?rul=1", 400, "there is no parameter 'rul'"),
        ("/api/totals?connection=track:9", 404, "the ledger knows of no connection 'track:9'"),
        ("/api/intervals?rule=nobody", 404, "the ledger knows of no rule"),
        ("/nowhere", 404, "no such path; /api/openapi.yaml describes them all"),
    ):
        status, body = get(path, target)
        assert status == code, body
        assert words in json.loads(body)["detail"]


def test_nonsense_on_the_socket_harms_nobody(make_collection: Make) -> None:
    collection, path = start(make_collection)
    before = collection.streaming()
    for nonsense in (
        b"\0" * 5000,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /gaps HTTP/1.1\r\n" + b"x: y\r\n" * 5000,
        b"\r\n",
    ):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(nonsense)
    silent = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    for client in silent:
        client.connect(str(path))
        client.send(b"GET /intervals HTTP/1.1\r\nhost: x\r\n")  # and no more
    assert lines(path, "totals")
    at = collection.status()["at"]
    wait_for(lambda: collection.status()["at"] > at, "the supervisor goes on")
    assert collection.streaming() == before
    assert "Traceback" not in collection.log()
    assert collection.stop() == 0
    for client in silent:
        client.close()


def test_a_dead_supervisors_socket_is_replaced(make_collection: Make) -> None:
    collection, path = start(make_collection)
    pid = collection.pid("track:0") or 0
    collection.signal(signal.SIGKILL)
    assert collection.process is not None
    collection.process.wait()
    assert path.exists()
    collection.start()
    collection.wait_new_pid("track:0", pid)
    assert lines(path, "gaps")
    assert collection.stop() == 0
    assert not path.exists()


def test_a_path_too_long_for_a_socket_is_a_problem_of_the_configuration(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {"supervisor": {"run_dir": "r" * 100}}
    process = collection.start()
    assert process.wait(DEADLINE_S) == 78
    collection.program = ("-m", "traptor.supervisor", "--check")
    assert collection.start().wait(DEADLINE_S) == 78
    said, check_said = (collection.folder / "stderr.txt").read_text().split("\n", 1)
    assert "[supervisor] run_dir: the path of its control socket" in check_said
    assert "[supervisor] run_dir: the path of its control socket" in said
    assert "name a folder with a shorter path" in said


def test_something_else_in_the_sockets_place_is_said_and_left_alone(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    path = collection.run_dir / "control.sock"
    path.parent.mkdir()
    path.write_text("mine")
    process = collection.start()
    assert process.wait(DEADLINE_S) == 1
    assert "the control socket cannot be made" in (collection.folder / "stderr.txt").read_text()
    assert path.read_text() == "mine"
