"""What is asked of X, what is made of its answers, and that the bearer token shows nowhere."""

from __future__ import annotations

import asyncio
import base64
import itertools
import logging
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakex import Asked, FakeX, Said, fake_x
from support.rawserver import RawServer
from support.waiting import DEADLINE_S

from traptor.supervisor.xapi.answers import ListedConnection, ListedFilter
from traptor.supervisor.xapi.batch import NewFilter, batch_answer
from traptor.supervisor.xapi.client import XClient, fetch_bearer
from traptor.supervisor.xapi.exchange import Ask, Exchange, x_session
from traptor.supervisor.xapi.failures import (
    BadAnswer,
    CapExceeded,
    KeyRefused,
    OutOfCredit,
    RateLimited,
    RequestRefused,
    RuleCapExceeded,
    ServerTrouble,
    XFailure,
)
from traptor.supervisor.xapi.problems import failure_of
from traptor.supervisor.xapi.quota import Quota, quota_of

TOKEN = "AAAAAAAAsecret%2Ftoken%3D"
T = TypeVar("T")
X, TWITTER = "https://api.x.com/2/problems/", "https://api.twitter.com/2/problems/"


def asked_of(
    answer: Callable[[Asked], Said], use: Callable[[XClient], Awaitable[T]]
) -> tuple[T, list[Asked]]:
    async def talk() -> tuple[T, list[Asked]]:
        async with fake_x(answer) as (fake, exchange):
            return await use(XClient(exchange, TOKEN)), fake.asked

    return asyncio.run(talk())


def always(body: Any, status: int = 200, **headers: str) -> Callable[[Asked], Said]:
    return lambda _asked: Said(body, status, {name.replace("_", "-"): text for name, text in headers.items()})


def filters(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"id": key, "value": value} for key, value in pairs]


# ---- lists


def test_all_pages_are_listed_and_filters_without_a_tag_too() -> None:
    def answer(asked: Asked) -> Said:
        if "pagination_token" not in asked.query:
            data = [{"id": "1", "value": "a", "tag": "t"}]
            return Said({"data": data, "meta": {"result_count": 1, "next_token": "n2"}})
        return Said({"data": filters(("2", "b")), "meta": {"result_count": 1}})

    found, asked = asked_of(answer, XClient.filters)
    assert found == (ListedFilter("1", "a", "t"), ListedFilter("2", "b"))
    assert [one.query.get("pagination_token") for one in asked] == [None, "n2"]
    assert {one.headers["Authorization"] for one in asked} == {f"Bearer {TOKEN}"}


def test_an_app_without_filters_has_no_data() -> None:
    assert asked_of(always({"meta": {"result_count": 0}}), XClient.filters)[0] == ()


def test_a_list_without_an_end_is_given_up() -> None:
    with pytest.raises(BadAnswer, match="does not end"):
        asked_of(always({"meta": {"next_token": "again"}}), XClient.filters)


# ---- changes


SENT = [NewFilter("good", "t/1"), NewFilter("bad", "t/2"), NewFilter("there", "t/3")]


def invalid(value: str) -> dict[str, Any]:
    return {
        "title": "UnprocessableEntity",
        "type": f"{X}invalid-rules",
        "value": value,
        "details": ["no viable alternative (at position 1)"],
    }


def test_each_added_filter_has_a_fate() -> None:
    body = {
        "data": [{"id": "7", "value": "good", "tag": "t/1"}],
        "meta": {"summary": {"created": 1, "not_created": 2, "valid": 2, "invalid": 1}},
        "errors": [
            invalid("bad"),
            {"title": "DuplicateRule", "type": f"{TWITTER}duplicate-rules", "value": "there", "id": "9"},
        ],
    }
    (answer, _), asked = asked_of(always(body, 201), lambda client: client.add(SENT))
    assert asked[0].json == {"add": [{"value": one.value, "tag": one.tag} for one in SENT]}
    assert answer.taken == {"good": ListedFilter("7", "good", "t/1")}
    assert answer.existing == {"there": "9"}
    assert answer.refused == {"bad": "no viable alternative (at position 1)"}


@pytest.mark.parametrize("status", [200, 400, 422])
def test_a_batch_refused_as_a_whole_names_what_is_bad(status: int) -> None:
    body = {
        "meta": {"summary": {"created": 0, "not_created": 3, "valid": 2, "invalid": 1}},
        "errors": [invalid("bad")],
    }
    (answer, _), _ = asked_of(always(body, status), lambda client: client.add(SENT))
    assert not answer.taken
    assert set(answer.refused) == {"bad"}


def test_a_batch_refused_without_a_name_says_why() -> None:
    body = {"title": "Invalid Request", "type": f"{X}invalid-request", "detail": "bad", "errors": []}
    (answer, _), _ = asked_of(always(body, 400), lambda client: client.add(SENT))
    assert not answer.taken
    assert not answer.refused
    assert answer.reason == "bad"


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("body", [b"<html>Bad Request</html>", b"", {"message": "Bad Request", "code": "X"}])
def test_a_batch_refused_in_a_form_of_its_own_is_a_refusal_of_filters(status: int, body: Any) -> None:
    (answer, _), _ = asked_of(always(body, status), lambda client: client.add(SENT))
    assert not answer.taken
    assert answer.reason.startswith(f"add filters: X answered {status}: ")


def test_an_app_that_is_full_refuses_no_value() -> None:
    with pytest.raises(RuleCapExceeded):
        asked_of(
            always({"title": "RulesCapExceeded", "type": f"{X}rule-cap"}, 422),
            lambda client: client.add(SENT),
        )


@pytest.mark.parametrize(
    ("status", "failure"), [(503, ServerTrouble), (402, OutOfCredit), (429, RateLimited)]
)
def test_a_trouble_of_another_kind_refuses_no_value(status: int, failure: type[XFailure]) -> None:
    with pytest.raises(failure):
        asked_of(always({"errors": [invalid("bad")]}, status), lambda client: client.add(SENT))


def test_a_value_that_x_writes_its_own_way_is_paired_by_order() -> None:
    body = b'{"data":[{"id":"1","value":"GOOD"}],"meta":{"summary":{"created":1}}}'
    answer = batch_answer(SENT[:1], 201, body)
    assert answer
    assert answer.taken["good"].id == "1"


def test_filters_are_deleted_by_id() -> None:
    body = {"meta": {"summary": {"deleted": 2, "not_deleted": 0}}}
    (found_all, _), asked = asked_of(always(body), lambda client: client.delete(["1", "2"]))
    assert found_all
    assert asked[0].json == {"delete": {"ids": ["1", "2"]}}


@pytest.mark.parametrize(("status", "deleted"), [(200, 1), (400, 0)])
def test_filters_that_were_gone_are_told(status: int, deleted: int) -> None:
    body = {"meta": {"summary": {"deleted": deleted, "not_deleted": 2 - deleted}}, "errors": []}
    (found_all, _), _ = asked_of(always(body, status), lambda client: client.delete(["1", "2"]))
    assert not found_all


# ---- counts, connections, usage, tokens


def test_counts_are_texts_or_numbers() -> None:
    data = {"cap_per_client_app": "1000", "cap_per_project": 1000, "project_rules_count": "12"}
    body = {"data": {**data, "client_app_rules_count": {"client_app_id": "99", "rule_count": 12}}}
    counts, _ = asked_of(always(body), XClient.counts)
    assert (counts.cap_per_client_app, counts.cap_per_project, counts.project_rules_count) == (1000, 1000, 12)
    assert counts.client_app_rules_count
    assert counts.client_app_rules_count.rule_count == 12


def test_connections_are_listed_and_only_the_named_ones_ended() -> None:
    def answer(asked: Asked) -> Said:
        if asked.method == "GET":
            data = [{"id": "7b1f", "endpoint_name": "filtered_stream", "client_ip": "192.0.2.7"}]
            return Said({"data": data, "meta": {"result_count": 1}})
        results = [{"uuid": "7b1f", "success": True}, {"uuid": "8c", "success": False}]
        return Said({"data": {"successful_kills": 1, "failed_kills": 1, "results": results}})

    async def use(client: XClient) -> tuple[tuple[ListedConnection, ...], frozenset[str]]:
        return await client.connections(), await client.end_connections(["7b1f", "8c"])

    (found, ended), asked = asked_of(answer, use)
    assert found == (ListedConnection("7b1f", "filtered_stream", client_ip="192.0.2.7"),)
    assert "client_ip" in asked[0].query["connection.fields"]
    assert ended == {"7b1f"}
    assert (asked[1].method, asked[1].path, asked[1].json) == (
        "DELETE",
        "/2/connections",
        {"uuids": ["7b1f", "8c"]},
    )


def test_a_connection_that_cannot_be_read_leaves_the_others_on_the_list() -> None:
    good = {"id": "7b1f", "disconnected_at": None, "client_ip": "192.0.2.7"}
    body = {"data": [good, None, {"client_ip": 7}, {"id": {"a": 1}}], "meta": {}}
    found, _ = asked_of(always(body), XClient.connections)
    assert found == (ListedConnection("7b1f", client_ip="192.0.2.7"), *[ListedConnection()] * 3)


def test_a_result_that_cannot_be_read_leaves_the_others_of_the_ended() -> None:
    results = [None, {"uuid": "8c"}, {"uuid": 3, "success": True}, {"uuid": "7b1f", "success": True}]
    ended, _ = asked_of(
        always({"data": {"results": results}}), lambda client: client.end_connections(["7b1f", "8c"])
    )
    assert ended == {"7b1f"}


def test_usage_is_told_in_texts() -> None:
    body = {"data": {"project_usage": "14000", "project_cap": "3000000", "cap_reset_day": 3}}
    usage, _ = asked_of(always(body), XClient.usage)
    assert (usage.project_usage, usage.project_cap, usage.cap_reset_day) == (14_000, 3_000_000, 3)


def test_a_bearer_token_is_fetched_with_the_consumer_key() -> None:
    async def talk() -> tuple[str, FakeX]:
        said = always({"token_type": "bearer", "access_token": TOKEN})
        async with fake_x(said) as (fake, exchange):
            return await fetch_bearer(exchange, "key", "se:cret"), fake

    token, fake = asyncio.run(talk())
    assert token == TOKEN
    [asked] = fake.asked
    assert asked.raw == b"grant_type=client_credentials"
    assert asked.headers["Authorization"] == f"Basic {base64.b64encode(b'key:se%3Acret').decode()}"


# ---- failures


PROBLEMS: list[tuple[int, Any, type[XFailure]]] = [
    (401, {"title": "Unauthorized", "type": "about:blank", "status": 401}, KeyRefused),
    (403, {"title": "Unsupported Authentication", "type": f"{X}unsupported-authentication"}, KeyRefused),
    (403, {"title": "Client Forbidden", "type": f"{TWITTER}client-forbidden"}, KeyRefused),
    (402, {"account_id": 1 << 60, "title": "CreditsDepleted", "type": f"{TWITTER}credits"}, OutOfCredit),
    (402, {"title": "Payment Required", "type": f"{X}credits-depleted"}, OutOfCredit),
    (402, b"", OutOfCredit),
    (429, {"title": "Too Many Requests", "type": "about:blank", "status": 429}, RateLimited),
    (429, {"type": f"{X}rate-limit-exceeded"}, RateLimited),
    (429, {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}, RateLimited),
    (429, {"title": "UsageCapExceeded", "type": f"{X}usage-capped", "period": "Monthly"}, CapExceeded),
    (429, {"errors": [{"title": "UsageCapExceeded", "type": f"{TWITTER}usage-capped"}]}, CapExceeded),
    (422, {"title": "RulesCapExceeded", "type": f"{X}rule-cap"}, RuleCapExceeded),
    (400, {"title": "Invalid Request", "type": f"{X}invalid-request"}, RequestRefused),
    (503, b"<html>", ServerTrouble),
    (500, {"title": "x", "type": 7, "errors": [1, None]}, ServerTrouble),
    (302, b"", BadAnswer),
]


@pytest.mark.parametrize(("status", "body", "failure"), PROBLEMS)
def test_each_problem_has_one_error(status: int, body: Any, failure: type[XFailure]) -> None:
    with pytest.raises(failure) as caught:
        asked_of(always(body, status), XClient.counts)
    assert type(caught.value) is failure
    assert str(caught.value).startswith("count filters: X answered")


@given(st.integers(300, 599), st.binary(max_size=60))
def test_any_body_is_some_failure(status: int, raw: bytes) -> None:
    assert isinstance(failure_of("ask", status, raw, Quota()), XFailure)


def test_a_daily_cap_is_told_from_a_monthly_one() -> None:
    failure = failure_of("ask", 429, b'{"title":"UsageCapExceeded","period":"Daily"}', Quota())
    assert isinstance(failure, CapExceeded)
    assert failure.is_daily


BAD = [b"", b"{", b"[]", b'{"data":7}', b'{"data":{"cap_per_project":"many"}}', b"[" * 5_000, b"\xff"]


@pytest.mark.parametrize("raw", BAD)
def test_an_answer_of_another_form_is_a_bad_answer(raw: bytes) -> None:
    with pytest.raises(BadAnswer):
        asked_of(always(raw), XClient.counts)


def test_limits_are_read_from_the_headers() -> None:
    headers = {"x-rate-limit-limit": "40000", "x-rate-limit-remaining": "x", "Retry-After": "7"}
    assert quota_of(headers) == Quota(limit=40_000, retry_after_s=7)
    with pytest.raises(RateLimited) as caught:
        asked_of(always({}, 429, x_rate_limit_reset="1800000000"), XClient.counts)
    assert caught.value.quota.reset_at == 1_800_000_000


def test_a_reset_is_as_far_away_as_x_s_own_clock_says() -> None:
    """A host whose clock is an hour slow would otherwise wait an hour longer."""
    at = 1_796_018_400
    headers = {"x-rate-limit-reset": str(at + 600), "Date": "Mon, 30 Nov 2026 06:00:00 GMT"}
    for told in (headers, {name.lower(): text for name, text in headers.items()}):
        assert quota_of(told).reset_s(at - 3_600.0) == 600
        assert quota_of(told).reset_s(at + 3_600.0) == 600
    assert Quota(reset_at=at + 600).reset_s(at) == 600
    assert Quota(reset_at=at - 1, answered_at=at).reset_s(at - 3_600.0) is None
    assert Quota().reset_s(at) is None


def test_a_refused_parameter_is_named() -> None:
    body = {
        "errors": [
            {"parameters": {"tweet.fields": ["nope"]}, "message": "The value [nope] is not one of [id]"}
        ],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": f"{X}invalid-request",
    }
    with pytest.raises(RequestRefused) as caught:
        asked_of(always(body, 400), XClient.counts)
    said = "One or more parameters to your request was invalid. The value [nope] is not one of [id]"
    assert str(caught.value) == f"count filters: X answered 400: {said}"


# ---- limits, and the secret


HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


def use_raw(server: RawServer, timeout_s: float) -> None:
    async def talk() -> None:
        async with x_session() as session:
            await Exchange(session, server.url).ask(Ask("ask", "GET", "/"), f"Bearer {TOKEN}", timeout_s)

    try:
        asyncio.run(talk())
    finally:
        server.close()


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"403 Forbidden"])
def test_a_refused_key_is_known_before_the_text_of_the_refusal_is_there(status: bytes) -> None:
    silence = threading.Event()

    def answer(_request: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 " + status + b"\r\nContent-Length: 5000\r\n\r\nOops, "
        silence.wait(DEADLINE_S)

    async def ask(url: str) -> None:
        async with x_session() as session:
            await XClient(Exchange(session, url), TOKEN).usage()

    with closing(RawServer(answer)) as server:
        try:
            with pytest.raises(KeyRefused):
                asyncio.run(ask(server.url))
        finally:
            silence.set()


def test_an_answer_that_drips_has_a_total_limit() -> None:
    with pytest.raises(ServerTrouble, match="did not answer within"):
        use_raw(RawServer(lambda _request: itertools.chain([HEAD], itertools.repeat(b"x"))), 0.2)


def test_an_answer_without_an_end_is_given_up() -> None:
    with pytest.raises(BadAnswer, match="larger than 32 MiB"):
        use_raw(RawServer(lambda _request: [HEAD, *[b"x" * (1 << 23)] * 5]), 30)


def test_a_redirect_is_not_followed() -> None:
    def answer(_asked: Asked) -> Said:
        return Said(b"", 307, {"Location": "/elsewhere"})

    with pytest.raises(BadAnswer):
        asked_of(answer, XClient.counts)


@pytest.mark.parametrize("token", [TOKEN, f"{TOKEN}\r\nX: y"])
@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"no HTTP", b""])
def test_the_bearer_token_is_in_no_error_and_no_log(
    caplog: pytest.LogCaptureFixture, token: str, answer: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    server = RawServer(lambda _request: [answer])

    async def talk() -> str:
        async with x_session() as session:
            client = XClient(Exchange(session, server.url), token)
            try:
                await client.counts()
            except XFailure as failure:
                assert failure.__context__ is None
                said = "".join(traceback.format_exception(failure))
                return said + repr(client) + repr(failure) + repr(vars(failure))
            return ""

    try:
        said = asyncio.run(talk(), debug=True)
    finally:
        server.close()
    assert said
    assert TOKEN not in said + caplog.text
    assert "X: y" not in said


def test_what_x_says_cannot_bring_the_token_back() -> None:
    def answer(asked: Asked) -> Said:
        return Said({"title": "Unauthorized", "detail": f"bad {asked.headers['Authorization']}"}, 401)

    with pytest.raises(KeyRefused) as caught:
        asked_of(answer, XClient.counts)
    assert TOKEN not in str(caught.value)


def test_a_socks_proxy_is_refused_with_what_to_do() -> None:
    async def asking() -> None:
        async with x_session() as session:
            exchange = Exchange(session, "http://127.0.0.1:9", "socks5h://user:secret-word@127.0.0.1:1")
            await XClient(exchange, "t-one-secret").filters()

    with pytest.raises(ServerTrouble, match="give the key an HTTP proxy") as refused:
        asyncio.run(asking())
    assert "secret" not in str(refused.value)
