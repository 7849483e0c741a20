"""A job is carried through as X documents it, also where the sandbox does not go."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import TypeVar

import orjson
import pytest
from support.fakex import Asked, Said, fake_x

from traptor.common.errors import TraptorError
from traptor.supervisor.ctl.collected.checking import Checking
from traptor.supervisor.ctl.collected.idlist import IdList
from traptor.supervisor.xapi.compliance import ComplianceClient, Job
from traptor.supervisor.xapi.exchange import x_session
from traptor.supervisor.xapi.failures import ServerTrouble
from traptor.supervisor.xapi.transfer import Transfer

T = TypeVar("T")
TOKEN = "bt-0123456789"
RESULTS = [
    {"id": "1", "action": "rehydrate", "reason": "tweet_edited", "redacted_at": None},
    {"id": "x", "error": "invalid_id"},
    {"id": "2", "action": "delete", "reason": "protected", "deleted_at": "2026-11-01T00:00:00.000Z"},
]


def checked(
    answer: Callable[[Asked], Said], use: Callable[[Checking, str], Awaitable[T]]
) -> tuple[T, Checking, list[str]]:
    said: list[str] = []

    async def talk() -> tuple[T, Checking, list[str]]:
        async with fake_x(answer) as (fake, exchange), x_session() as session:
            transfer = Transfer(session, fake.url, TOKEN, None)
            checking = Checking(ComplianceClient(exchange, TOKEN), transfer, said.append)
            return await use(checking, fake.url), checking, said

    return asyncio.run(talk())


def job(url: str, status: str = "complete") -> Job:
    return Job("7", "tweets", status, upload_url=f"{url}/up", download_url=f"{url}/down")


async def results(checking: Checking, url: str) -> list[dict[str, object]]:
    return [orjson.loads(line) async for line in checking.results(job(url))]


def test_events_come_as_x_tells_them_and_ids_that_are_none_are_said() -> None:
    text = b"\n".join(orjson.dumps(one) for one in RESULTS) + b"\n\n"
    found, checking, said = checked(lambda _: Said(text), results)
    assert found == [RESULTS[0], RESULTS[2]]
    assert said == ["x: X takes it for no id"]
    assert (dict(checking.events), checking.unknown) == ({"rehydrate": 1, "delete": 1}, 1)
    assert checking.summary(3) == "2 of 3 ids: delete 1, rehydrate 1"
    assert checking.summary(None) == "2 ids: delete 1, rehydrate 1"


@pytest.mark.parametrize("line", [b"<html>", b"[]", b'{"action": "delete"}'])
def test_results_of_another_form_are_an_error(line: bytes) -> None:
    with pytest.raises(TraptorError, match="not of the form that X documents"):
        checked(lambda _: Said(line), results)


def uploads(checking: Checking, url: str) -> Awaitable[None]:
    return checking.upload(job(url, "created"), IdList(io.BytesIO(b"1\n"), 1, 0))


def test_an_upload_that_x_cannot_take_now_is_repeated_whole_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("traptor.supervisor.ctl.collected.checking._FIRST_LOOK_S", 0.0)
    bodies: list[bytes] = []

    def answer(asked: Asked) -> Said:
        bodies.append(asked.raw)
        return Said(status=503 if len(bodies) < 3 else 200)

    _, _, said = checked(answer, uploads)
    assert bodies == [b"1\n"] * 3
    assert len(said) == 2
    with pytest.raises(ServerTrouble):
        checked(lambda _: Said(status=503), uploads)


def test_a_job_that_expired_is_an_error_that_says_what_to_do() -> None:
    expired = {"data": {"id": "7", "type": "tweets", "status": "expired"}}
    with pytest.raises(TraptorError, match="X calls it expired; check the ids again, in a new job"):
        checked(lambda _: Said(expired), lambda checking, _: checking.wait("7"))


def test_the_addresses_of_a_job_are_in_no_repr() -> None:
    assert "http" not in repr(job("http://secret"))
