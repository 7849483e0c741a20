"""What our client asks of X, and what the sandbox answers to it, are as X's endpoints are described."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from openapi_core.exceptions import OpenAPIError
from support.waiting import wait_for
from support.witness import Witness
from support.xapi import check_answer, check_request
from support.xgate import XGate
from support.xsandbox import TOKEN, XSandbox, x_sandbox

from traptor.supervisor.xapi.batch import NewFilter
from traptor.supervisor.xapi.client import XClient
from traptor.supervisor.xapi.exchange import Exchange, x_session
from traptor.supervisor.xapi.failures import XFailure


@pytest.fixture
def x() -> Iterator[XSandbox]:
    with x_sandbox(rules=2_000, connections=2) as running:
        yield running


@pytest.fixture
def gate(x: XSandbox) -> Iterator[XGate]:
    gate = XGate(x.url)
    yield gate
    gate.close()


def asked(gate: XGate, deed: Callable[[XClient], Awaitable[None]], token: str = TOKEN) -> list[str]:
    """Have the client do something, check all that was said, and return the requests."""

    async def doing() -> None:
        async with x_session() as session:
            await deed(XClient(Exchange(session, gate.url), token))

    asyncio.run(doing())
    for answer in gate.exchanged:
        check_request(answer.request)
        check_answer(answer)
    return [f"{one.request.method} {one.request.path_url} {one.status_code}" for one in gate.exchanged]


def made(*values: str) -> list[NewFilter]:
    return [NewFilter(value, f"traptor/default/track:0/{number}") for number, value in enumerate(values, 1)]


def test_all_requests_and_their_answers_are_as_described(x: XSandbox, gate: XGate) -> None:
    async def everything(client: XClient) -> None:
        assert await client.filters() == ()
        answer, _ = await client.add(made("storm", "flood warning", "#hail"))
        ids = [one.id for one in answer.taken.values()]
        answer, _ = await client.add(made("storm", "has:media", "rain"))
        assert (set(answer.existing), set(answer.refused), set(answer.taken)) == (
            {"storm"},
            {"has:media"},
            {"rain"},
        )
        answer, _ = await client.add(made("has:media"))
        assert set(answer.refused) == {"has:media"}
        for at in range(0, 1_000, 100):
            await client.add(made(*(f"w{number}" for number in range(at, at + 100))))
        assert len(await client.filters()) == 1_004
        assert (await client.delete(ids))[0]
        assert not (await client.delete(ids))[0]
        assert (await client.counts()).room == 2_000 - 1_001
        assert await client.connections() == ()
        witness = Witness(x.url, TOKEN, {})
        x.client.burst(20, ["rain"])
        wait_for(lambda: witness.lines, "posts")
        [connection] = await client.connections()
        assert await client.end_connections([connection.id, "never-there"]) == {connection.id}
        witness.close()
        assert [one.id for one in await client.connections("inactive")] == [connection.id]
        assert await client.connections("active") == ()
        assert (await client.usage()).project_usage

    said = asked(gate, everything)
    assert len(said) == 25
    assert sum("pagination_token=" in one for one in said) == 1
    kinds = {(one.split()[0], one.split()[1].partition("?")[0]) for one in said}
    rules = "/2/tweets/search/stream/rules"
    assert kinds == {
        *(("GET", path) for path in (rules, f"{rules}/counts", "/2/connections", "/2/usage/tweets")),
        *(("POST", rules), ("DELETE", "/2/connections")),
    }


@pytest.mark.parametrize("problem", ["credits", "usage-capped", "rate-limit", "client-forbidden"])
def test_refusals_are_as_described(x: XSandbox, gate: XGate, problem: str) -> None:
    async def refused(client: XClient) -> None:
        for asking in (
            client.filters(),
            client.add(made("storm")),
            client.delete(["1"]),
            client.counts(),
            client.connections(),
            client.end_connections(["1"]),
            client.usage(),
        ):
            with pytest.raises(XFailure):
                await asking

    x.v2.fault("status", endpoint="any", problem=problem)
    assert len(asked(gate, refused)) == 7


def test_a_request_that_is_not_as_described_would_be_found(gate: XGate) -> None:
    async def wrong(client: XClient) -> None:
        with pytest.raises(XFailure):
            await client.connections("open")

    with pytest.raises(OpenAPIError):
        asked(gate, wrong)
