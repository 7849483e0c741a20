"""The last tweets of a rule: from files, and as they pass."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from support.api import AnApi, make_desk
from support.configuration import KEY, Configuration

from traptor.common.messages import Sample
from traptor.rulekit.service.aside import Aside
from traptor.supervisor.control.live import Places
from traptor.supervisor.control.refusals import as_problem_details
from traptor.supervisor.control.rules.tweets import RuleTweets, WantedRule, last_tweets

PATH = "/api/rules/tweets"


def a_line(number: int, rule_id: str, **post: object) -> bytes:
    tweet = {"id_str": str(number), "text": f"tweet {number}", "user": {"screen_name": "ann"}, **post}
    rules = {"collection_rules": [{"rule_id": "other"}, {"rule_id": rule_id, "rule_value": "storm"}]}
    return json.dumps({**tweet, "traptor": {**rules, "collection": {"connection": "track:0"}}}).encode()


def wanted(rule_id: str) -> WantedRule:
    return WantedRule(rule_id, "storm")


def texts(found: list[dict[str, Any]]) -> list[str]:
    return [one["text"] for one in found]


def test_the_last_five_come_first() -> None:
    lines = [a_line(number, "17" if number % 2 else "18") for number in range(20)]
    assert texts(last_tweets(lines, wanted("17"))) == [f"tweet {number}" for number in (19, 17, 15, 13, 11)]
    assert last_tweets(lines, wanted("1")) == []


def test_what_only_speaks_of_a_rule_or_is_broken_is_left_out() -> None:
    lines = [b'{"17', b'["17"]', b'{"text": "17", "x": "17"}', a_line(1, "18", text='"17"')]
    assert last_tweets(lines, wanted("17")) == []


def test_an_id_of_any_script_is_found_and_the_same_id_of_another_group_is_not() -> None:
    assert texts(last_tweets([a_line(1, "ü 17")], wanted("ü 17"))) == ["tweet 1"]
    assert last_tweets([a_line(1, "17")], WantedRule("17", "42")) == []


def test_a_post_of_v2_is_told_too() -> None:
    line = {"data": {"id": "9", "author_id": "4", "text": "short", "note_tweet": {"text": "the whole"}}}
    rules = {"collection_rules": [{"rule_id": "17", "rule_value": "storm"}]}
    [found] = last_tweets([json.dumps({**line, "traptor": rules}).encode()], wanted("17"))
    assert (found["id"], found["author"], found["text"]) == ("9", "4", "the whole")


class Passing:
    """Tweets pass on one connection."""

    def __init__(self, *samples: list[bytes]) -> None:
        self._samples = samples

    def check(self, name: str) -> None:
        assert name == "track:0"

    async def samples(self, _name: str) -> AsyncGenerator[Sample | None, None]:
        for messages in self._samples:
            yield Sample(messages, 0, True)
        while True:
            await asyncio.sleep(0)
            yield None


RULE = {"rule": "traptor-track:0:17", "rule_id": "17", "value": "storm", "connection": "track:0"}


def ask(
    tmp_path: Path, query: Mapping[str, str], passing: Passing, *rules: dict[str, Any]
) -> tuple[int, Any]:
    settings = Configuration(tmp_path).load(f"[traptor]\noutput = jsonl:{tmp_path}\n{KEY}")
    desk = make_desk(tmp_path, dict)
    desk = replace(desk, find=lambda _: list(rules), sampling=cast(Any, passing), settings=lambda: settings)

    async def talk() -> tuple[int, Any]:
        app = web.Application(middlewares=[as_problem_details])
        app.add_routes(RuleTweets(desk, Places(), Aside(), listen_s=0.05).routes())
        async with TestClient(TestServer(app)) as client:
            answer = await client.get(PATH, params=query)
            return answer.status, orjson.loads(await answer.read())

    return asyncio.run(talk())


def test_files_come_before_what_passes(tmp_path: Path) -> None:
    passing = Passing([a_line(1, "17"), a_line(2, "17"), a_line(3, "18")])
    assert texts(ask(tmp_path, {"rule": "17"}, passing, RULE)[1]) == ["tweet 2", "tweet 1"]
    (tmp_path / "track:0.jsonl").write_bytes(a_line(8, "17") + b"\n" + a_line(9, "18") + b"\n")
    assert texts(ask(tmp_path, {"rule": "17"}, passing, RULE)[1]) == ["tweet 8"]


def test_a_rule_that_no_connection_carries_has_none(tmp_path: Path) -> None:
    assert ask(tmp_path, {"rule": "17"}, Passing(), {**RULE, "connection": None}) == (200, [])


@pytest.mark.parametrize(
    ("query", "rules", "status", "says"),
    [
        ({"rule": "99"}, [], 404, "no rule"),
        ({"rule": "17"}, [RULE, RULE], 409, "ask with the Redis key"),
        ({}, [RULE], 400, "ask for one rule"),
        ({"rule": "17", "x": "1"}, [RULE], 400, "ask for one rule"),
    ],
)
def test_a_wrong_question_is_refused(
    tmp_path: Path, query: dict[str, str], rules: list[dict[str, Any]], status: int, says: str
) -> None:
    answered = ask(tmp_path, query, Passing(), *rules)
    assert (answered[0], says in answered[1]["detail"]) == (status, True)


def test_over_tcp_tweets_need_the_token(api: AnApi) -> None:
    assert api.ask("GET", f"{PATH}?rule=17", tcp=True).status == 401
    token = {"Authorization": f"Bearer {api.token}"}
    assert api.ask("GET", f"{PATH}?rule=17", tcp=True, headers=token).status == 404
