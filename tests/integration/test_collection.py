"""The main job: rules in Redis, several workers with real streams, matched and enriched tweets out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import psutil
from support.collection import Collection, Key
from support.waiting import DEADLINE_S, wait_for

Make = Callable[..., Collection]


def test_tweets_arrive_with_their_rules(make_collection: Make) -> None:
    """Each delivered tweet names the rules that it was made for, and nothing else of it is changed."""
    collection = make_collection(Key("k1"), Key("k2"))
    collection.add_rules("track:0", ["flood warning", "storm"], description="d", appid="a1")
    collection.add_rules("follow:7", {"u42": "42"})
    collection.start()
    collection.wait_streaming("track:0", "follow:7")
    collection.sandbox.set_rules([("track", "flood warning"), ("track", "storm"), ("follow", "42")])
    wait_for(lambda: len(collection.tweets("track:0")) > 20, "tweets of track:0")
    wait_for(lambda: len(collection.tweets("follow:7")) > 10, "tweets of follow:7")
    wait_for(lambda: collection.connection("track:0")["tweets_per_second"], "a rate of tweets")
    assert collection.stop() == 0
    made_for = {tweet["id"]: set(tweet["for"]) for tweet in collection.sandbox.tweets()}
    for name, own in (("track:0", {"flood warning", "storm"}), ("follow:7", {"42"})):
        for tweet in collection.tweets(name):
            added = tweet["traptor"]
            found = {rule["rule_value"] for rule in added["collection_rules"] if "inferred" not in rule}
            assert found == made_for[tweet["id_str"]] & own, tweet["text"]
            assert added["collection"]["connection"] == name
            assert added["id_str"] == int(name.partition(":")[2])
    rule = collection.tweets("track:0")[0]["traptor"]["collection_rules"][0]
    assert (rule["description"], rule["appid"]) == ("d", "a1")


def test_a_group_beyond_the_limit_takes_more_keys_and_the_rest_waits(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"))
    collection.options = {"twitter": {"track_limit": 10}}
    collection.add_rules("track:0", [f"word{number}" for number in range(25)])
    collection.start()
    collection.wait_streaming("track:0", "track:0.2")
    waiting = collection.wait_state("track:0.3", "WAITING_FOR_KEY")
    assert waiting["rules"] == 5
    assert waiting["waits_for"] == "no key is free"
    collection.keys.append(Key("k3"))
    collection.set_accounts()
    collection.write_ini()
    collection.wait_streaming("track:0", "track:0.2", "track:0.3")
    open_now = [c for c in collection.sandbox.connections() if c["closed_at"] is None]
    values = [value for connection in open_now for value in connection["values"]["track"]]
    assert sorted(values) == sorted(f"word{number}" for number in range(25))
    assert {c["account"] for c in open_now} == {"k1", "k2", "k3"}


def test_rules_that_come_later_start_a_named_group(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {"traptor": {"groups": "track:0"}}
    collection.start()
    assert collection.wait_state("track:0", "QUIET")["serving"] is None
    wait_for(lambda: collection.redis.ttl("track:0:heartbeat") > -1, "a heartbeat of the empty group")
    collection.add_rules("track:0", ["storm"])
    collection.hint("track:0")
    collection.wait_streaming("track:0")


def test_term_stops_everything_in_order(make_collection: Make) -> None:
    """Exit 0, no process left, no lock held, the streams closed by us, and nothing said to be an error."""
    collection = make_collection(Key("k1"), Key("k2"))
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("follow:0", ["42"])
    collection.start()
    collection.wait_streaming("track:0", "follow:0")
    children = collection.children()
    assert len(collection.workers()) == 2
    assert collection.stop() == 0
    assert not any(child.is_running() for child in children)
    assert not (collection.run_dir / "status.json").exists()
    assert {c["closed_by"] for c in collection.sandbox.connections()} == {"client"}
    assert " ERROR " not in collection.log()
    collection.start()
    collection.wait_streaming("track:0", "follow:0")
    assert collection.connection("track:0")["serving"]["generation"] == 2


def test_two_supervisors_on_one_run_dir_do_not_run(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", ["storm"])
    first = collection.start()
    collection.wait_streaming("track:0")
    second = collection.start()
    assert second.wait(DEADLINE_S) == 75
    assert f"pid {first.pid}" in (collection.folder / "stderr.txt").read_text()
    collection.process = first
    collection.wait_streaming("track:0")


def test_no_secret_is_in_any_log_or_process_title(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("bad", consumer_secret="SECRET-wrong"))
    collection.sandbox.set_accounts([Key("k1").account(), Key("bad").account()])
    collection.options = {"logging": {"level": "DEBUG"}}
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("follow:0", ["42"])
    collection.start()
    collection.wait_log("connect failed")
    titles = wait_for(lambda: (found := _titles(collection)) and "traptor: " in found and found, "titles")
    collection.stop()
    everything = titles + (collection.folder / "stderr.txt").read_text()
    everything += "".join(path.read_text() for path in collection.logs.iterdir())
    everything += (collection.run_dir / "workers.json").read_text()
    assert "SECRET" not in everything
    assert "ck-k1" not in everything


def _titles(collection: Collection) -> str:
    """What `ps` shows of the workers; one that ends meanwhile shows nothing."""
    titles = []
    for child in collection.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            titles += child.cmdline()
    return " ".join(titles)
