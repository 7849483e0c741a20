"""Groups that grow, shrink, go and come: exactly what changed is replaced, and no rule is ever unserved."""

from __future__ import annotations

import itertools
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime

import pytest
from support.collection import Collection, Json, Key
from support.pair import gaps_of_ticks_aside
from support.waiting import wait_for

Make = Callable[..., Collection]


def open_now(collection: Collection) -> list[Json]:
    return [c for c in collection.sandbox.connections() if c["closed_at"] is None]


def open_values(collection: Collection, rule_type: str = "track") -> list[str]:
    """What is in the filters of open connections, sorted, doubled where two have it."""
    return sorted(value for c in open_now(collection) for value in c["values"].get(rule_type, ()))


def group_status(collection: Collection, name: str) -> Json:
    return next((group for group in collection.status()["groups"] if group["group"] == name), {})


def lines_with(collection: Collection, *texts: str) -> list[str]:
    return [line for line in collection.log().splitlines() if all(text in line for text in texts)]


class Served:
    """Changes rules, and judges by the sandbox's record whether one was without an open connection.

    A rule is called like its value. From the first connection that opens with it after it was added, until
    it is removed, some open connection must have it at every moment; one that was closed before the master
    knew that it was open does not count as the first.
    """

    def __init__(self, collection: Collection, group: str) -> None:
        self._collection = collection
        self._group = group
        self._there: dict[str, list[tuple[float, float]]] = {}  # when a value was a rule

    def add(self, values: Iterable[str]) -> None:
        values = list(values)
        self._collection.add_rules(self._group, values)
        for value in values:
            self._there.setdefault(value, []).append((time.time(), math.inf))

    def remove(self, values: Iterable[str]) -> None:
        values = list(values)
        for value in values:
            self._there[value][-1] = (self._there[value][-1][0], time.time())
        if values:
            self._collection.remove_rules(self._group, values)

    def holes(self) -> list[tuple[str, float, float]]:
        """Value, from, to: when a rule was in no open connection."""
        connections, now = self._collection.sandbox.connections(), time.time()
        rule_type = self._group.partition(":")[0]
        told = self._told()
        found = []
        for value, times in self._there.items():
            spans = sorted(
                (c["opened_at"], c["closed_at"] or now, c["account"])
                for c in connections
                if value in c["values"].get(rule_type, ())
            )
            known = [span for span in spans if any(span[0] <= at <= span[1] for at in told[span[2]])]
            for added, removed in times:
                until = min(removed, now)
                covered_from = next((opened for opened, *_ in known if opened > added), until)
                found += [(value, *hole) for hole in _holes(spans, covered_from, until)]
        return found

    def _told(self) -> dict[str, list[float]]:
        """When the master learnt of streams, by key."""
        told = defaultdict(list)
        for line in lines_with(self._collection, " stream connected "):
            told[line.rpartition("key=")[2]].append(datetime.fromisoformat(line.split()[0]).timestamp() + _MS)
        return told


_MS = 0.001  # logs cut times to it


def _holes(
    spans: list[tuple[float, float, str]], covered_to: float, until: float
) -> list[tuple[float, float]]:
    holes = []
    for opened, closed, _ in [*spans, (until, until, "")]:
        if covered_to < opened <= until:
            holes.append((covered_to, opened))
        covered_to = max(covered_to, closed)
    return holes


def words(first: int, last: int) -> list[str]:
    return [f"word{number:03}" for number in range(first, last)]


# ---- deleted


def test_a_deleted_group_is_drained_and_forgotten_without_a_gap(make_collection: Make) -> None:
    """Its key goes to a connection that waits; other workers stay."""
    collection = make_collection(Key("k1"), Key("k2"))
    collection.add_rules("track:0", ["storm", "flood"])
    collection.add_rules("track:1", ["hail", "ice"])
    collection.start()
    before = collection.wait_streaming("track:0", "track:1")
    collection.add_rules("track:2", ["snow"])
    collection.hint("track:2")
    collection.wait_state("track:2", "WAITING_FOR_KEY")
    collection.remove_rules("track:0", ["storm", "flood"])
    collection.hint("track:0")
    after = collection.wait_streaming("track:1", "track:2")
    assert after["track:1"] == before["track:1"]
    wait_for(lambda: not collection.connection("track:0"), "the connection is forgotten")
    assert [group["group"] for group in collection.status()["groups"]] == ["track:1", "track:2"]
    collection.redis.delete("track:0:heartbeat")
    wait_for(lambda: collection.redis.get("track:0:heartbeat"), "it beats on, for rules to come")
    collection.options = {"supervisor": {"heartbeat_empty": "100ms"}}
    collection.write_ini()
    wait_for(lambda: collection.redis.get("track:0:heartbeat") is None, "the heartbeat expires")
    assert [gap["cause"] for gap in collection.gaps("track:0")] == ["start"]
    collection.wait_log("worker ended", "connection=track:0", "why=drained")
    closed = [c for c in collection.sandbox.connections() if c["closed_at"]]
    assert [c["closed_by"] for c in closed] == ["client"]
    assert collection.connection("track:1")["restarts"] == 0


@pytest.mark.long
def test_a_group_that_comes_back_streams_again_with_a_higher_generation(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("track:0")
    collection.remove_rules("track:0", ["storm"])
    collection.hint("track:0")
    wait_for(lambda: not collection.connection("track:0"), "the connection is forgotten")
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    collection.wait_streaming("track:0")
    assert collection.connection("track:0")["serving"]["generation"] == 2
    assert open_values(collection) == ["flood"]


# ---- more and fewer rules than a connection carries


def test_a_group_crosses_its_limit_up_and_down_and_no_rule_is_ever_unserved(make_collection: Make) -> None:
    """The names are track:0, track:0.2, track:0.3; parts that nothing changed for keep their workers."""
    collection = make_collection(Key("k1"), Key("k2"), Key("k3"))
    collection.options = {"twitter": {"track_limit": 10}}
    served = Served(collection, "track:0")
    served.add(words(0, 8))
    collection.start()
    collection.wait_streaming("track:0")
    served.add(words(8, 15))
    collection.hint("track:0")
    collection.wait_streaming("track:0", "track:0.2")
    wait_for(lambda: open_values(collection) == words(0, 15), "15 rules stream, each once")
    served.add(words(15, 28))
    collection.hint("track:0")
    collection.wait_streaming("track:0", "track:0.2", "track:0.3")
    wait_for(lambda: open_values(collection) == words(0, 28), "28 rules stream, each once")
    assert all(len(c["values"]["track"]) <= 10 for c in collection.sandbox.connections())
    served.remove(words(4, 24))
    collection.hint("track:0")
    collection.wait_streaming("track:0")
    wait_for(lambda: open_values(collection) == words(0, 4) + words(24, 28), "the 8 that are left")
    assert served.holes() == []
    names = ("track:0", "track:0.2", "track:0.3")
    assert {gap["cause"] for name in names for gap in gaps_of_ticks_aside(collection, name)} == {"start"}
    assert [one["status"] for one in collection.sandbox.attempts() if one["status"] != 200] == []


@pytest.mark.long
def test_many_changes_around_the_limit_leave_no_rule_unserved(make_collection: Make) -> None:
    """Rules come and go in all sizes, faster than the refreshes that they make."""
    collection = make_collection(*(Key(f"k{number}") for number in range(4)))
    collection.options = {"twitter": {"follow_limit": 20}, "supervisor": {"refresh_min_interval": "100ms"}}
    served = Served(collection, "follow:0")
    fresh = map(str, itertools.count(1000))  # one that comes back at once may still be carried out as gone
    there = {place: next(fresh) for place in range(10)}
    served.add(there.values())
    collection.start()
    collection.wait_streaming("follow:0")
    for first, last in ((0, 25), (10, 60), (0, 18), (0, 45), (30, 40), (5, 60), (0, 20), (12, 35)):
        before, wanted = len(collection.sandbox.attempts()), range(first, last)
        came = {place: next(fresh) for place in wanted if place not in there}
        served.add(came.values())
        served.remove(value for place, value in there.items() if place not in wanted)
        collection.hint("follow:0")
        wait_for(lambda before=before: len(collection.sandbox.attempts()) > before, "it has begun to move")
        there = {place: value for place, value in (there | came).items() if place in wanted}
    wait_for(lambda: open_values(collection, "follow") == sorted(there.values()), "each streams, once")
    # Which two depends on which rules went at once: a part whose rules are all gone goes.
    wait_for(lambda: len(collection.streaming()) == 2, "two parts are enough")
    assert served.holes() == []
    assert all(len(c["values"]["follow"]) <= 20 for c in collection.sandbox.connections())


@pytest.mark.long
def test_one_new_rule_replaces_one_part(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"), Key("k3"), Key("k4"))
    collection.options = {"twitter": {"track_limit": 10}}
    collection.add_rules("track:0", words(0, 25))
    collection.start()
    before = collection.wait_streaming("track:0", "track:0.2", "track:0.3")
    collection.add_rules("track:0", ["storm"])
    collection.hint("track:0")
    wait_for(lambda: "storm" in open_values(collection), "the new rule streams")
    after = wait_for(lambda: (now := collection.streaming()) != before and len(now) == 3 and now, "new pids")
    assert sum(before[name] != after[name] for name in before) == 1
    # A hint that finds nothing new refreshes all parts: somebody asked.
    at = collection.status()["at"]
    wait_for(lambda: collection.status()["at"] > at + 1, "refresh_min_interval is over")
    collection.hint("track:0")
    for name in before:
        collection.wait_new_pid(name, after[name])


@pytest.mark.long
def test_a_limit_that_is_lowered_by_a_reload_moves_rules_to_more_parts(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"))
    served = Served(collection, "track:0")
    served.add(words(0, 15))
    collection.start()
    collection.wait_streaming("track:0")
    collection.options = {"twitter": {"track_limit": 10}}
    collection.write_ini()
    collection.wait_streaming("track:0", "track:0.2")
    wait_for(lambda: open_values(collection) == words(0, 15), "each streams once")
    collection.options = {}
    collection.write_ini()
    collection.wait_streaming("track:0")
    wait_for(lambda: open_values(collection) == words(0, 15), "each streams once")
    assert served.holes() == []


def test_a_rule_that_grows_beyond_its_part_moves_only_once_its_new_place_streams(
    make_collection: Make,
) -> None:
    collection = make_collection(Key("k1"), Key("k2"))
    collection.options = {"twitter": {"track_limit": 10}}
    served = Served(collection, "track:0")
    served.add(words(0, 10))
    collection.start()
    collection.wait_streaming("track:0")
    collection.redis.hset("traptor-track:0:word003", "value", "word003,storm,flood")
    collection.hint("track:0")
    collection.wait_streaming("track:0", "track:0.2")
    wait_for(lambda: open_values(collection) == ["flood", "storm", *words(0, 10)], "all stream, each once")
    collection.wait_streaming("track:0", "track:0.2")
    assert served.holes() == []


@pytest.mark.long
def test_rules_beyond_the_limit_wait_for_a_key_while_the_others_stream(make_collection: Make) -> None:
    """When the group shrinks again nobody waits any more."""
    collection = make_collection(Key("k1"))
    collection.options = {"twitter": {"track_limit": 10}}
    served = Served(collection, "track:0")
    served.add(words(0, 10))
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    served.add(words(10, 14))
    collection.hint("track:0")
    assert collection.wait_state("track:0.2", "WAITING_FOR_KEY")["rules"] == 4
    assert collection.streaming() == {"track:0": pid}
    collection.redis.delete("track:0:heartbeat")
    wait_for(lambda: collection.redis.get("track:0:heartbeat"), "a heartbeat: its first part streams")
    served.remove(words(2, 8))
    collection.hint("track:0")
    wait_for(lambda: open_values(collection) == words(0, 2) + words(8, 14), "all that are left stream")
    wait_for(lambda: not collection.connection("track:0.2"), "the second part is forgotten")
    wait_for(lambda: collection.redis.get("track:0:heartbeat"), "a heartbeat again")
    assert served.holes() == []


# ---- which groups


@pytest.mark.long
def test_groups_that_a_reload_narrows_away_are_drained_and_come_back_when_it_widens(
    make_collection: Make,
) -> None:
    """What is served before and after keeps its worker."""
    collection = make_collection(Key("k1"), Key("k2"), Key("k3"))
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("track:1", ["flood"])
    collection.add_rules("follow:0", ["42"])
    collection.start()
    before = collection.wait_streaming("track:0", "track:1", "follow:0")
    collection.options = {"traptor": {"groups": "track:0, follow:9"}}
    collection.write_ini()
    assert collection.wait_streaming("track:0") == {"track:0": before["track:0"]}
    collection.wait_state("follow:9", "QUIET")
    wait_for(lambda: not collection.connection("follow:0"), "follow:0 is forgotten")
    assert [gap["cause"] for gap in collection.gaps("follow:0")] == ["start"]
    collection.hint("track:1")  # is not ours
    collection.options = {"traptor": {"groups": "track:*"}}
    collection.write_ini()
    after = collection.wait_streaming("track:0", "track:1")
    assert after["track:0"] == before["track:0"]
    wait_for(lambda: not collection.connection("follow:9"), "follow:9 is forgotten")
    collection.options = {}
    collection.write_ini()
    collection.wait_streaming("track:0", "track:1", "follow:0")
    assert collection.streaming()["track:0"] == before["track:0"]


@pytest.mark.long
def test_both_spellings_of_locations_are_one_group(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"))
    boxes = {"a": "10.0,50.0,11.0,51.0", "b": "20.0,40.0,21.0,41.0"}
    collection.options = {"traptor": {"groups": "location:0"}}
    collection.add_rules("location:0", {"a": boxes["a"]})
    collection.add_rules("locations:0", {"b": boxes["b"]})
    collection.start()
    pid = collection.wait_streaming("locations:0")["locations:0"]
    assert len(open_values(collection, "locations")) == 2
    wait_for(lambda: collection.redis.get("locations:0:heartbeat"), "a heartbeat")
    assert collection.redis.get("location:0:heartbeat") is None
    collection.sandbox.set_rules([("locations", box) for box in boxes.values()])

    def rule_ids() -> set[str]:
        tweets = collection.tweets("locations:0")
        return {rule["rule_id"] for tweet in tweets for rule in tweet["traptor"]["collection_rules"]}

    wait_for(lambda: rule_ids() == {"a", "b"}, "tweets of both")
    collection.hint("location:0")
    collection.wait_new_pid("locations:0", pid)


# ---- rules that are not streamed


BAD_RULES = {
    "track": {"empty": "", "commas": ",,", "long": "x" * 61, "one-long": f"good one,{'ü' * 31}"},
    "follow": {"name": "@somebody", "words": "12 13", "minus": "-5", "empty": ""},
    "locations": {"three": "1,2,3", "upside-down": "10,60,11,50", "far": "190,0,200,10", "text": "a,b,c,d"},
}
GOOD_VALUE = {"track": "storm", "follow": "42", "locations": "10.0,50.0,11.0,51.0"}


def test_invalid_rules_are_said_once_and_never_reach_the_server(make_collection: Make) -> None:
    """One bad phrase would have the server refuse the whole connection."""
    collection = make_collection(Key("k1"), Key("k2"), Key("k3"))
    collection.options = {"supervisor": {"rules_check_interval": "300ms"}}
    groups = {rule_type: f"{rule_type}:0" for rule_type in BAD_RULES}
    for rule_type, group in groups.items():
        collection.add_rules(group, {"good": GOOD_VALUE[rule_type], **BAD_RULES[rule_type]})
    collection.start()
    collection.wait_streaming(*groups.values())
    for rule_type, group in groups.items():
        assert len(open_values(collection, rule_type)) == 1
        for rule_id in BAD_RULES[rule_type]:
            line = collection.wait_log(" WARNING ", "rule rejected", f"key=traptor-{group}:{rule_id} ")
            assert "reason=" in line
        wait_for(lambda group=group: group_status(collection, group)["rejected"] == 4, "they are counted")
    at = collection.status()["at"]
    wait_for(lambda: collection.status()["at"] > at + 1, "more looks")
    assert len(lines_with(collection, "rule rejected")) == 3 * 4
    assert [one["status"] for one in collection.sandbox.attempts()] == 3 * [200]


def test_what_nobody_sees_in_a_value_is_left_out_and_said_once(make_collection: Make) -> None:
    """And a hint may have more behind its second colon, as the original's listener took it."""
    collection = make_collection(Key("k1"), Key("k2"))
    collection.options = {"supervisor": {"rules_check_interval": "300ms"}}
    collection.add_rules("track:0", {"pasted": "\u2067storm\u2069"})
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    assert open_values(collection) == ["storm"]
    line = collection.wait_log(" WARNING ", "rule doubtful", "key=traptor-track:0:pasted ")
    assert "U+2067, U+2069" in line
    collection.redis.publish("traptor-notify", "track:0:anything")
    collection.wait_new_pid("track:0", pid)
    assert len(lines_with(collection, "rule doubtful")) == 1


@pytest.mark.long
def test_a_rule_whose_status_is_switched_off_is_kept_but_not_streamed(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"))
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("track:0", ["flood"], status="Active")
    collection.add_rules("track:0", ["hail"], status="inactive")
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    assert open_values(collection) == ["flood", "storm"]
    assert group_status(collection, "track:0")["inactive"] == 1
    collection.redis.hset("traptor-track:0:flood", "status", "paused")
    collection.hint("track:0")
    pid = collection.wait_new_pid("track:0", pid)
    wait_for(lambda: open_values(collection) == ["storm"], "the rule is not streamed any more")
    collection.options = {"supervisor": {"honour_status": "no"}}
    collection.write_ini()
    pid = collection.wait_new_pid("track:0", pid)
    wait_for(lambda: open_values(collection) == ["flood", "hail", "storm"], "all rules are streamed")
    collection.options = {}
    for word in ("storm", "flood", "hail"):
        collection.redis.hset(f"traptor-track:0:{word}", "status", "off")
    collection.write_ini()
    wait_for(lambda: not collection.streaming(), "nothing is left to stream")
    wait_for(lambda: group_status(collection, "track:0")["inactive"] == 3, "they are kept")
    collection.redis.hset("traptor-track:0:storm", "status", "active")
    collection.hint("track:0")
    collection.wait_streaming("track:0")
