"""An app with two connections (Enterprise): either may die unseen, and nothing comes twice."""

from __future__ import annotations

import fcntl
import os
import signal
from collections import Counter
from collections.abc import Callable

import psutil
import pytest
from support.collection import Collection, Key
from support.v2 import SANDBOX, on_v2
from support.waiting import wait_for

Make = Callable[..., Collection]

WORDS = ["storm", "flood warning", "#hail"]
FIRST, SECOND = "v2:app", "v2:app.2"
BOTH = (FIRST, SECOND)


@pytest.mark.long
@pytest.mark.parametrize("lag_s", [0.0, 1.0])
def test_either_of_two_connections_may_be_killed_or_replaced_unseen(
    make_collection: Make, lag_s: float
) -> None:
    key = Key("app", max_connections=2)
    collection = make_collection(key, sandbox=(*SANDBOX, "--v2-rate", "0", "--v2-enterprise", "app"))
    collection.options["supervisor"] = {"refresh_min_interval": "3s"}
    on_v2(collection)
    collection.add_rules("track:0", WORDS)
    collection.start()
    pids = collection.wait_streaming(*BOTH)
    x = collection.sandbox.v2
    wait_for(lambda: all(one["in_effect_at"] for one in x.filters()), "the filters are in effect")
    if lag_s:
        x.fault("lag", app="app", lag_s=lag_s)  # whichever stream is the newest
    collection.sandbox.set_rules([("track", word) for word in WORDS])
    collection.sandbox.burst(100, WORDS)
    collection.sandbox.set_rate(60.0)

    for name, other in ((FIRST, SECOND), (SECOND, FIRST)):
        kill_outside_a_turn(collection, pids[name])
        collection.wait_new_pid(name, pids[name])
        pids = collection.wait_streaming(*BOTH)
        wait_bridged(collection, other, name, lag_s)

    collection.options["traptor"]["expand"] = "users"
    collection.write_ini()
    collection.signal(signal.SIGHUP)
    for name in BOTH:
        collection.wait_new_pid(name, pids[name])
    collection.wait_streaming(*BOTH)
    collection.sandbox.set_rate(0.0)
    collection.sandbox.burst(50, WORDS)
    x.clear_faults("app")

    wanted = Counter(match["id"] for match in x.matches())
    assert sum(wanted.values()) > 100
    wait_for(lambda: delivered(collection) >= wanted, "every post is delivered")
    wait_for(lambda: delivered(collection) == wanted, "none is delivered twice")
    assert {post["traptor"]["collection"]["connection"] for post in collection.messages(FIRST)} == {FIRST}
    assert not (collection.output / f"{SECOND}.jsonl").exists()
    streams = sorted((one["opened_mono"], one["closed_mono"] or float("inf")) for one in x.connections())
    covered = streams[0][1]
    for opened, closed in streams[1:]:
        assert opened <= covered, "one of them was always open"
        covered = max(covered, closed)
    assert [gap["cause"] for gap in collection.gaps(FIRST)] == ["start"]
    assert not collection.gaps(SECOND)
    # The last report of a killed worker may be of a moment at which a post was delivered and not yet counted.
    wait_for(lambda: living(collection, "received") == living(collection, "delivered"), "each counts once")
    wait_for(lambda: total(collection, "copies") > 0, "what both brought is counted as copies")
    wait_for(lambda: billed(collection) == read(collection), "our count is X's bill")
    matches = sum(len(post["traptor"]["collection_rules"]) for post in collection.messages(FIRST))
    wait_for(lambda: matches_in_redis(collection), "the counters are written")
    assert matches_in_redis(collection) <= matches, "a match is counted once"


def matches_in_redis(collection: Collection) -> int:
    counts = collection.redis.hgetall("traptor:totals:track:0")
    return sum(int(count) for name, count in counts.items() if name.startswith(b"track:0:"))


def wait_bridged(collection: Collection, old: str, new: str, lag_s: float) -> None:
    """Wait until the older stream has brought all that came before the newer one began."""
    since = collection.connection(new)["serving"]["streaming_since"]
    wait_for(
        lambda: collection.connection(old)["serving"]["last_byte"] > since + lag_s + 2.0,
        f"{old} has read what {new} has missed",
    )


def delivered(collection: Collection) -> Counter[str]:
    return Counter(str(post["data"]["id"]) for post in collection.messages(FIRST))


def total(collection: Collection, name: str) -> int:
    return sum(collection.connection(one)["total"][name] for one in BOTH)


def living(collection: Collection, name: str) -> int:
    return sum(collection.connection(one)["serving"]["counters"][name] for one in BOTH)


def kill_outside_a_turn(collection: Collection, pid: int) -> None:
    """Kill a worker at any moment but in the microseconds in which it keeps what it read.

    Posts that it has counted by then, and not kept, are counted again by the other one, which keeps them
    (docs/decisions/0032-killed-in-its-turn.md).
    """
    with (collection.folder / "state" / "seen" / FIRST / "lock").open("rb") as lock:
        wait_for(lambda: is_stopped_outside(pid, lock.fileno()), "it is between two turns")
        os.kill(pid, signal.SIGKILL)


def is_stopped_outside(pid: int, lock: int) -> bool:
    """Stop the worker, and take the lock that it has in a turn; or let it go on."""
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "it is stopped")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.kill(pid, signal.SIGCONT)
        return False
    return True


def billed(collection: Collection) -> int:
    return sum(day["posts"] + day["included_posts"] for day in collection.sandbox.v2.bill())


def read(collection: Collection) -> int:
    today = collection.status()["apps"][0]["today"]
    return int(today["posts"]) + int(today["included_posts"])


def test_one_of_two_that_is_away_is_no_gap_but_a_problem_without_a_reserve(make_collection: Make) -> None:
    """X gives the app one connection only, so that the second one is refused."""
    collection = on_v2(make_collection(Key("app", max_connections=2), sandbox=SANDBOX))
    collection.add_rules("track:0", ["storm"])
    collection.start()
    refused = wait_for(
        lambda: next((c for c in collection.status()["connections"] if waits_for_slot(c)), None),
        "one of the connections is refused",
    )
    assert refused["uncollected"] == 0
    (other,) = [name for name in BOTH if name != refused["connection"]]
    collection.wait_streaming(other)
    assert collection.key("app")["state"] == "OK", "the key does not rest for that"
    pid = collection.streaming()[other]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: (now := collection.streaming()) and pid not in now.values(), "one streams again at once")


def waits_for_slot(c: dict[str, object]) -> bool:
    wait = c["wait"]
    return isinstance(wait, dict) and wait["kind"] == "slot_held"
