"""Whatever breaks, the first line of `traptorctl status` names it, and its exit code is 1 or 2."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.collection import Collection, Key
from support.control import get
from support.waiting import wait_for
from trial.ports import free_port

Make = Callable[..., Collection]
Break = Callable[[Collection], None]

DEGRADED, DOWN = 1, 2


def first(collection: Collection) -> str:
    """The sentence of the worst problem; empty when all is well."""
    status, body = get(collection.run_dir / "control.sock", "/api/problems")
    assert status == 200
    problems = json.loads(body)
    return problems[0]["sentence"] if problems else ""


def check(collection: Collection, code: int, *parts: str) -> None:
    """The first line has these parts, in this order, and the exit code is this one."""
    wait_for(lambda: all(part in first(collection) for part in parts), str(parts))
    seen = wait_for(lambda: (one := collection.ctl("status")).returncode == code and one, f"code {code}")
    line = seen.stdout.splitlines()[0]
    at = [line.find(part) for part in parts]
    assert -1 not in at, line
    assert at == sorted(at), line
    assert "SECRET" not in seen.stdout


# ---- broken from the start: one connection, track:0, whose only key is k1


def with_fault(**fault: object) -> Break:
    return lambda collection: collection.sandbox.fault("status", times=1000, **fault) and None


def wrong_secrets(collection: Collection) -> None:
    collection.sandbox.set_accounts([Key("another").account()])


def closed_soon(collection: Collection) -> None:
    collection.sandbox.fault("close", on="connects", times=1000)


def spent(collection: Collection) -> None:
    collection.options = {"twitter": {"connects": 1, "connects_window": "1h"}}
    collection.sandbox.fault("status", status=503, times=1)


def no_server(collection: Collection) -> None:
    collection.options = {"twitter": {"stream_url": f"http://127.0.0.1:{free_port()}"}}


def no_redis(collection: Collection) -> None:
    collection.redis_url = f"redis://127.0.0.1:{free_port()}/0"


def no_address(collection: Collection) -> None:
    collection.keys = [Key("k1", source_address="192.0.2.1")]


def no_key(collection: Collection) -> None:
    collection.keys = []


NOTHING = "NOTHING STREAMS: 1 connection, 1 rule since "


@pytest.mark.long
@pytest.mark.parametrize(
    ("breakage", "parts"),
    [
        (
            wrong_secrets,
            (NOTHING, "keys are quarantined", "k1: HTTP 401", "until ", "check the key's secrets"),
        ),
        (
            with_fault(status=420),
            (NOTHING, "420 or 429 (HTTP 420)", "until ", "find out who else uses the key"),
        ),
        (with_fault(status=406), (NOTHING, "the server refuses its rules (HTTP 406)", "until ")),
        (with_fault(status=503), (NOTHING, "the server answered with an error (HTTP 503)", "until ")),
        (closed_soon, (NOTHING, "closed soon after the 200", "until ")),
        (spent, (NOTHING, "1 of 1 connects in 3600 s are used", "until ")),
        (no_server, (NOTHING, "the network failed", "refused", "until ")),
        (
            no_redis,
            (
                "NOTHING IS COLLECTED since ",
                "no rules are known yet",
                "Connection refused",
                "; bring it back",
            ),
        ),
        (
            no_address,
            (NOTHING, "no key is free", "not on this host (k1)", "correct the key's source_address"),
        ),
        (no_key, (NOTHING, "no key is configured", "add a key")),
    ],
)
def test_what_is_broken_from_the_start_is_the_first_line(
    make_collection: Make, breakage: Break, parts: tuple[str, ...]
) -> None:
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", {"r1": "storm"})
    breakage(collection)
    collection.start()
    wait_for(lambda: (collection.run_dir / "status.json").exists(), "it runs")
    check(collection, DOWN, *parts)


# ---- broken while it runs


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the ledger's file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def well(collection: Collection) -> None:
    wait_for(lambda: not first(collection), "all is well")


@pytest.mark.long
def test_what_breaks_while_others_stream_is_the_first_line_until_it_is_mended(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"), Key("k3"), sandbox=("--rate", "50"))
    collection.options = {"supervisor": {"restart_backoff": "30s", "restart_backoff_max": "30s"}}
    collection.add_rules("track:0", {"r1": "storm"})
    collection.add_rules("follow:0", {"f1": "12"})
    collection.sandbox.set_rules([("track", "storm")])
    collection.start()
    collection.wait_streaming("track:0", "follow:0")
    well(collection)

    # a configuration that cannot be used
    good = collection.ini.read_text()
    collection.ini.write_text(good + "\n[supervisors]\n")
    check(collection, DEGRADED, "reload REFUSED since ", "traptor.ini", "correct the file")
    collection.write_ini()
    well(collection)

    # a rule that cannot be streamed
    collection.add_rules("track:0", {"bad": "x" * 61})
    check(
        collection, DEGRADED, "track:0 REJECTED 1 rule since ", "traptor-track:0:bad: ", "correct the rules"
    )
    collection.remove_rules("track:0", ["bad"])
    before = collection.pid("track:0")
    assert before is not None
    collection.hint("track:0")
    well(collection)
    collection.wait_new_pid("track:0", before)  # a worker that starts makes the folder of the output
    wait_for(lambda: not collection.connection("track:0")["leaving"], "the old worker is gone")

    # an output that cannot be written
    away = collection.output.with_name("away")
    collection.output.rename(away)
    check(
        collection,
        DEGRADED,
        "output jsonl FAILING since ",
        "its folder is gone: make it again",
        "look at the output",
    )
    away.rename(collection.output)
    well(collection)

    # a ledger that cannot be written
    with locked(collection.folder / "state" / "ledger.db"):
        check(
            collection,
            DEGRADED,
            "gap ledger NOT WRITTEN since ",
            "it is kept in memory",
            "another program holds it",
        )
    well(collection)

    # a worker that ends again and again
    for _ in range(2):
        pid = wait_for(lambda: collection.pid("follow:0"), "a worker")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda pid=pid: collection.pid("follow:0") != pid, "it is gone")
    check(
        collection,
        DEGRADED,
        "follow:0 NOT COLLECTING 1 rule since ",
        "its worker crashed (SIGKILL)",
        "until ",
    )
    assert set(collection.streaming()) == {"track:0"}

    # rules that vanished
    status, _ = get(collection.run_dir / "control.sock", "/api/status")
    assert status == 200
    collection.remove_rules("track:0", ["r1"])
    wait_for(lambda: "track:0 RULES SUSPECT" in str(collection.status()["problems"]), "noticed")
