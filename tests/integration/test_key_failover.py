"""A key that fails while another is free: its connection streams again at once, and nobody is asked twice.

The waits of the keys are as long as in real life, so that a stream within the tests' deadline shows a move.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from support.collection import Collection, Key
from support.pair import NONSENSE, gaps_of_ticks_aside, tell
from support.seen import attempts, open_now, states, watch
from support.waiting import wait_for

Make = Callable[..., Collection]

SETTLED_S = 1.5
REAL_WAITS = {"http_backoff": "60s", "rate_limit_backoff": "60s", "connects": 1000}
"""A close right after a 200 makes a key rest so long, too: in real life 5 s."""


def start(make: Make, *names: str, groups: int = 1, **twitter: object) -> Collection:
    """A collection of `track:0` and so on, with these keys; its waits are real ones."""
    collection = make(*(Key(name) for name in names))
    collection.options = {"twitter": {**REAL_WAITS, **twitter}}
    for number in range(groups):
        collection.add_rules(f"track:{number}", [f"storm{number}"])
    return collection


def answers(collection: Collection) -> list[tuple[str, int]]:
    return [(one["consumer_key"].removeprefix("ck-"), one["status"]) for one in attempts(collection)]


def key_of(collection: Collection, name: str = "track:0") -> str:
    return str((collection.connection(name).get("serving") or {}).get("key"))


def open_keys(collection: Collection) -> list[str]:
    return sorted(c["account"] for c in open_now(collection))


def wait_key(collection: Collection, key: str, name: str = "track:0") -> None:
    """Wait until the connection streams with this key, by the status and by the server's record."""
    wait_for(
        lambda: key_of(collection, name) == key and set(collection.streaming()) == {name},
        f"{name} streams with {key}",
    )
    assert open_keys(collection) == [key]


# ---- refused, limited, closed


@dataclass(frozen=True)
class Trouble:
    """What the server does to connects of one key, and what becomes of the key."""

    state: str
    rests_s: float  # at least
    fault: str = "status"
    members: Mapping[str, Any] = field(default_factory=dict)

    def strike(self, collection: Collection, account: str | None = None) -> None:
        collection.sandbox.fault(self.fault, account=account, **self.members)


def _reset_in(seconds: float) -> dict[str, Any]:
    """As X says when a limit ends: by its own clock, in Unix seconds."""
    return {"status": 429, "headers": {"x-rate-limit-reset": str(int(time.time() + seconds))}}


TROUBLES = {
    "401": Trouble("QUARANTINED", 600, members={"status": 401}),
    "403": Trouble("QUARANTINED", 600, members={"status": 403}),
    "420": Trouble("COOLING", 50, members={"status": 420}),
    "429": Trouble("COOLING", 50, members={"status": 429}),
    "420 with Retry-After": Trouble("COOLING", 300, members={"status": 420, "retry_after": 400}),
    "429 with Retry-After": Trouble("COOLING", 300, members={"status": 429, "retry_after": 400}),
    "429 with x-rate-limit-reset": Trouble("COOLING", 300, members=_reset_in(4000)),
    "closed after its 200": Trouble("COOLING", 50, "close_after", {"after": 0}),
}
troubles = pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(trouble, id=name, marks=() if name == "429" else pytest.mark.long)
        for name, trouble in TROUBLES.items()
    ],
)


@pytest.mark.parametrize("status", [401, 420])
def test_a_refusal_is_acted_on_before_its_text_is_there(make_collection: Make, status: int) -> None:
    """Its text would come long after the deadlines of the test."""
    collection = start(make_collection, "k1", "k2")
    collection.sandbox.fault("status", account="k1", status=status, after=600)
    collection.start()
    wait_key(collection, "k2")
    first, second = attempts(collection)
    assert (first["consumer_key"], second["consumer_key"]) == ("ck-k1", "ck-k2")


@troubles
def test_a_key_that_fails_at_the_start_gives_its_connection_to_the_spare(
    make_collection: Make, trouble: Trouble
) -> None:
    collection = start(make_collection, "k1", "k2")
    trouble.strike(collection, "k1")
    collection.start()
    wait_key(collection, "k2")
    assert states(collection) == {"k1": trouble.state, "k2": "OK"}
    assert collection.key("k1")["not_before"] > collection.status()["at"] + trouble.rests_s
    watch(collection, SETTLED_S)
    assert [key for key, _ in answers(collection)] == ["k1", "k2"], "each is asked once"
    assert collection.connection("track:0")["restarts"] == 0


@troubles
def test_a_streaming_key_that_fails_when_it_connects_again_gives_its_connection_to_the_spare(
    make_collection: Make, trouble: Trouble
) -> None:
    """The end of so young a stream makes the key rest: half a second is waited out."""
    rests = {} if trouble.fault == "close_after" else {"http_backoff": "500ms"}
    collection = start(make_collection, "k1", "k2", **rests)
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    assert key_of(collection) == "k1"
    trouble.strike(collection, "k1")
    collection.sandbox.fault("close", account="k1")
    wait_key(collection, "k2")
    assert collection.streaming() == {"track:0": pid}
    assert states(collection) == {"k1": trouble.state, "k2": "OK"}
    asked = attempts(collection, "k1")
    watch(collection, SETTLED_S)
    assert attempts(collection, "k1") == asked, "a key that failed is not asked again"
    assert len(asked) <= 2


def test_a_key_whose_stream_breaks_twice_right_after_its_200_gives_its_connection_to_the_spare(
    make_collection: Make,
) -> None:
    """Once is the network's; a break that comes again may be the key's."""
    collection = start(make_collection, "k1", "k2")
    collection.sandbox.fault("reset", account="k1", on="connects", after=0.1, times=1000)
    collection.start()
    wait_key(collection, "k2")
    assert states(collection) == {"k1": "COOLING", "k2": "OK"}
    asked = attempts(collection, "k1")
    watch(collection, SETTLED_S)
    assert attempts(collection, "k1") == asked, "a key that failed is not asked again"
    assert len(asked) == 2


def test_a_key_without_budget_gives_its_connection_to_the_spare(make_collection: Make) -> None:
    collection = start(make_collection, "k1", "k2", connects=1, connects_window="10m")
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    assert key_of(collection) == "k1"
    os.kill(pid, signal.SIGKILL)
    wait_key(collection, "k2")
    collection.wait_log("moves to another key", "key=k1", "to=k2", "1 of 1 connects in 600 s are used")
    assert states(collection) == {"k1": "OK", "k2": "OK"}
    assert collection.key("k1")["not_before"] > collection.status()["at"] + 300
    assert answers(collection) == [("k1", 200), ("k2", 200)]


@pytest.mark.long
def test_a_key_that_rests_for_a_moment_only_is_waited_for(make_collection: Make) -> None:
    collection = start(make_collection, "k1", "k2", rate_limit_backoff="500ms")
    collection.sandbox.fault("status", status=429, account="k1", times=1)
    collection.start()
    wait_key(collection, "k1")
    assert answers(collection) == [("k1", 429), ("k1", 200)]


@pytest.mark.long
def test_when_no_key_is_free_the_connection_waits_for_its_own_and_takes_the_first_that_comes(
    make_collection: Make,
) -> None:
    collection = start(make_collection, "k1")
    collection.sandbox.fault("status", status=429, account="k1")
    collection.sandbox.set_accounts([Key("k1").account(), Key("k2").account()])
    collection.start()
    waiting = wait_for(lambda: (c := collection.connection("track:0")).get("waits_until") and c, "it waits")
    assert waiting["waits_for"] == "the key rests: the server answered 420 or 429"
    collection.keys.append(Key("k2"))
    collection.write_ini()
    wait_key(collection, "k2")
    assert answers(collection) == [("k1", 429), ("k2", 200)]


# ---- when every key fares alike


@pytest.mark.parametrize(
    ("trouble", "most"),
    [
        pytest.param(TROUBLES["429"], 3, id="429"),
        pytest.param(TROUBLES["closed after its 200"], 3, id="closed", marks=pytest.mark.long),
        pytest.param(Trouble("COOLING", 50, members={"status": 503}), 2, id="503", marks=pytest.mark.long),
    ],
)
def test_a_server_that_fails_every_key_is_asked_with_one_spare_at_most(
    make_collection: Make, trouble: Trouble, most: int
) -> None:
    """Two connections, four spares: a limit on the address, or a server in trouble, is not walked around."""
    collection = start(make_collection, *(f"k{number}" for number in range(6)), groups=2)
    trouble.strike(collection)
    collection.start()
    wait_for(lambda: len(attempts(collection)) >= most, f"{most} connects")
    watch(collection, 4.0)
    assert len(attempts(collection)) == most
    assert len({key for key, _ in answers(collection)}) == most, "none is asked twice"
    assert list(states(collection).values()).count("OK") == 6 - most


@pytest.mark.long
def test_a_server_that_is_away_costs_no_connection_its_key(make_collection: Make) -> None:
    collection = start(make_collection, "k1", "k2", "k3")
    port = int(collection.sandbox.url.rpartition(":")[2])
    collection.options["twitter"]["stream_url"] = f"http://127.0.0.9:{port}"  # nobody listens there
    collection.start()
    tries = wait_for(
        lambda: (n := collection.log("track:0").count("connect failed")) >= 5 and n, "five tries"
    )
    assert tries < 60
    assert collection.log("track:0").count("key=k1") >= 5
    assert "key=k2" not in collection.log("track:0") + collection.log()


@pytest.mark.long
def test_keys_that_are_limited_on_their_own_are_all_left(make_collection: Make) -> None:
    """The first move shows that other keys fare better: the second connection follows."""
    collection = start(make_collection, "k1", "k2", "k3", "k4", groups=2)
    for account in ("k1", "k2"):
        collection.sandbox.fault("status", status=420, account=account)
    collection.start()
    collection.wait_streaming("track:0", "track:1")
    assert open_keys(collection) == ["k3", "k4"]
    assert states(collection) == {"k1": "COOLING", "k2": "COOLING", "k3": "OK", "k4": "OK"}
    assert sorted(answers(collection)) == [("k1", 420), ("k2", 420), ("k3", 200), ("k4", 200)]


# ---- in a refresh


@pytest.mark.parametrize("status", [pytest.param(401, marks=pytest.mark.long), 403])
@pytest.mark.parametrize("way", ["slot", pytest.param("overlap", marks=pytest.mark.long)])
def test_an_extra_connect_that_is_refused_makes_the_key_suspect_and_the_old_stream_stays(
    make_collection: Make, way: str, status: int
) -> None:
    """It is asked no more; when its stream ends it is quarantined, and the connection moves to the spare."""
    collection = start(make_collection)
    collection.keys = [Key("k1", max_connections=2 if way == "slot" else 1)]
    collection.set_accounts()
    collection.options["supervisor"] = {"handover": way}
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    collection.sandbox.fault("status", status=status)
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    wait_for(lambda: states(collection) == {"k1": "SUSPECT"}, "the key is suspect")
    collection.wait_log(" WARNING ", "key cannot be used", "key=k1 ", "while the key streams")
    collection.wait_log(" WARNING ", "rules are not collected", "connection=track:0 key=k1 rules=1 ")
    collection.hint("track:0")
    watch(collection, SETTLED_S)
    assert collection.streaming() == {"track:0": pid}
    assert answers(collection) == [("k1", 200), ("k1", status)]
    waiting = collection.connection("track:0")["waits_for"]
    assert waiting == "refresh waits: an extra connect was refused (401/403) while the key streams"
    collection.sandbox.clear_faults()
    collection.keys.append(Key("k2"))
    collection.set_accounts()
    collection.write_ini()
    wait_for(lambda: collection.key("k2"), "the spare is known")
    collection.sandbox.fault("close", account="k1")
    wait_key(collection, "k2")
    assert states(collection) == {"k1": "QUARANTINED", "k2": "OK"}
    assert len(attempts(collection, "k1")) == 2


@pytest.mark.long
@pytest.mark.parametrize(
    "trouble",
    [pytest.param(TROUBLES[name], id=name) for name in ("401", "403", "420", "429 with Retry-After")],
)
def test_a_spare_that_fails_in_a_refresh_costs_nothing_and_the_next_way_is_taken(
    make_collection: Make, trouble: Trouble
) -> None:
    collection = start(make_collection, "k1", "k2")
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    assert key_of(collection) == "k1"
    trouble.strike(collection, "k2")
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    collection.wait_new_pid("track:0", pid)
    assert states(collection) == {"k1": "OK", "k2": trouble.state}
    assert [key for key, _ in answers(collection)] == ["k1", "k2", "k1"]
    assert [gap["cause"] for gap in gaps_of_ticks_aside(collection, "track:0")] == ["start"]
    first, second = collection.sandbox.connections()
    assert (first["closed_by"], second["account"]) == ("replaced", "k1")


# ---- in the key file


@pytest.mark.long
def test_a_key_that_returns_is_a_spare_again_and_nobody_moves_back(make_collection: Make) -> None:
    """What Twitter holds against it is remembered meanwhile."""
    collection = start(make_collection, "k1", "k2", connects=5, connects_window="10m")
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    assert key_of(collection) == "k1"
    collection.keys = [Key("k2")]
    collection.write_ini()
    moved = collection.wait_new_pid("track:0", pid)
    wait_for(lambda: not collection.key("k1"), "k1 is gone")
    collection.keys = [Key("k1"), Key("k2")]
    collection.write_ini()
    wait_for(lambda: collection.key("k1"), "k1 is back")
    assert collection.key("k1")["budget_left"] == 4
    watch(collection, SETTLED_S)
    assert collection.streaming() == {"track:0": moved}
    collection.sandbox.fault("close", account="k2")  # so young a stream makes it rest
    wait_key(collection, "k1")
    assert states(collection) == {"k1": "OK", "k2": "COOLING"}


@pytest.mark.long
def test_a_refused_key_that_goes_and_returns_unchanged_is_not_asked_again(make_collection: Make) -> None:
    collection = start(make_collection, "k1", "k2")
    collection.sandbox.fault("status", status=401, account="k1")
    collection.start()
    wait_key(collection, "k2")
    for keys in ([Key("k2")], [Key("k1"), Key("k2")]):
        collection.keys = keys
        collection.write_ini()
        wait_for(lambda keys=keys: len(states(collection)) == len(keys), "the keys are taken over")
    assert states(collection) == {"k1": "QUARANTINED", "k2": "OK"}
    collection.add_rules("track:1", ["flood"])
    collection.hint("track:1")
    collection.wait_state("track:1", "WAITING_FOR_KEY")
    assert len(attempts(collection, "k1")) == 1


# ---- source addresses

HOME = {"k1": "127.0.0.2", "k2": "127.0.0.3"}


def peers(collection: Collection) -> list[tuple[str, str]]:
    """Key and address of every connect, by the server's record."""
    return [(one["consumer_key"].removeprefix("ck-"), one["peer_ip"]) for one in attempts(collection)]


@pytest.mark.parametrize("way", ["overlap", pytest.param("spare", marks=pytest.mark.long)])
def test_every_connect_of_a_key_comes_from_its_own_address(make_collection: Make, way: str) -> None:
    """At the start, in a refresh, and when a connection moves to another key."""
    collection = start(make_collection)
    collection.keys = [Key(name, source_address=address) for name, address in HOME.items()]
    collection.set_accounts()
    collection.options["supervisor"] = {"handover": way}
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    collection.wait_new_pid("track:0", pid)
    now = key_of(collection)
    other = {"k1": "k2", "k2": "k1"}[now]
    collection.sandbox.fault("status", status=401, account=now)
    collection.sandbox.fault("close", account=now)
    wait_key(collection, other)
    assert all(HOME[key] == address for key, address in peers(collection))
    assert {key for key, _ in peers(collection)} == {"k1", "k2"}
    assert collection.connection("track:0")["serving"]["source_address"] == HOME[other]
    shown = {key["key"]: key["source_address"] for key in collection.status()["keys"]}
    assert shown == HOME


@pytest.mark.long
def test_two_connections_keep_to_their_own_addresses_over_a_killed_worker(make_collection: Make) -> None:
    collection = start(make_collection, groups=2)
    collection.keys = [Key(name, source_address=address) for name, address in HOME.items()]
    collection.set_accounts()
    collection.start()
    before = collection.wait_streaming("track:0", "track:1")
    os.kill(before["track:0"], signal.SIGKILL)
    collection.wait_new_pid("track:0", before["track:0"])
    collection.wait_streaming("track:0", "track:1")
    assert sorted(open_keys(collection)) == ["k1", "k2"]
    assert all(HOME[key] == address for key, address in peers(collection))
    assert len(peers(collection)) == 3


@pytest.mark.long
def test_a_key_whose_address_is_gone_is_not_asked_and_waits_are_said(make_collection: Make) -> None:
    """Without a spare its stream is given up; with its address back it streams again."""
    collection = start(make_collection)
    collection.keys = [Key("k1", source_address="127.0.0.2")]
    collection.set_accounts()
    collection.start()
    collection.wait_streaming("track:0")
    collection.keys = [Key("k1", source_address="192.0.2.7")]
    collection.write_ini()
    collection.wait_log(" WARNING ", "source address is not on this host", "keys=k1")
    waits_for = collection.wait_state("track:0", "WAITING_FOR_KEY")["waits_for"]
    assert waits_for == "no key is free: keys have a source address that is not on this host (k1)"
    assert states(collection) == {"k1": "UNUSABLE"}
    assert open_keys(collection) == []
    watch(collection, SETTLED_S)
    assert peers(collection) == [("k1", "127.0.0.2")]
    collection.keys = [Key("k1", source_address="127.0.0.3")]
    collection.write_ini()
    wait_key(collection, "k1")
    assert peers(collection) == [("k1", "127.0.0.2"), ("k1", "127.0.0.3")]


@pytest.mark.long
def test_a_key_whose_address_goes_while_it_streams_is_left_without_a_gap_until_it_is_back(
    make_collection: Make,
) -> None:
    """Nobody reloads: the supervisor looks for itself."""
    collection = start(make_collection)
    collection.program = NONSENSE
    collection.keys = [Key(name, source_address=address) for name, address in HOME.items()]
    collection.set_accounts()
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    gone = key_of(collection)
    other = {"k1": "k2", "k2": "k1"}[gone]
    file = tell(collection, "address-gone", HOME[gone])
    collection.wait_log(" WARNING ", "source address is not on this host", f"keys={gone}")
    collection.wait_new_pid("track:0", pid)
    wait_for(lambda: open_keys(collection) == [other], "the old stream is closed")
    assert states(collection) == {gone: "UNUSABLE", other: "OK"}
    assert [gap["cause"] for gap in collection.gaps("track:0")] == ["start"]
    file.unlink()
    collection.wait_log("source address is on this host again", f"keys={gone}")
    wait_for(lambda: states(collection) == {gone: "OK", other: "OK"}, "it is a spare again")
    assert open_keys(collection) == [other]
