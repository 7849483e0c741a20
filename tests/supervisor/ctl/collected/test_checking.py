"""A job is carried through as X documents it, also where the sandbox does not go."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
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
    answer: Callable[[Asked], Said],
    use: Callable[[Checking, str], Awaitable[T]],
    clock: Callable[[], float] = time.monotonic,
) -> tuple[T, Checking, list[str]]:
    said: list[str] = []

    async def talk() -> tuple[T, Checking, list[str]]:
        async with fake_x(answer) as (fake, exchange), x_session() as session:
            transfer = Transfer(session, fake.url, TOKEN, None)
            checking = Checking(ComplianceClient(exchange, TOKEN), transfer, said.append, clock)
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


@pytest.mark.parametrize("line", [b"<html>", b"[]", b'{"action": "delete"}', b"[" * 5_000])
def test_a_result_of_another_form_is_told_and_leaves_the_others(line: bytes) -> None:
    text = b"\n".join([orjson.dumps(RESULTS[0]), line, orjson.dumps(RESULTS[2])])
    found, checking, said = checked(lambda _: Said(text), results)
    assert found == [RESULTS[0], RESULTS[2]]
    assert said == ["job 7: line 2 of its results is not of the form that X documents, and is left out"]
    assert checking.unreadable == 1


def test_of_many_results_of_another_form_some_are_told_and_the_rest_are_counted() -> None:
    text = b"\n".join([orjson.dumps(RESULTS[0]), *[b"<html>"] * 1_000])
    found, checking, said = checked(lambda _: Said(text), results)
    assert found == [RESULTS[0]]
    assert len(said) == 21
    assert said[-1] == "job 7: 980 more lines of its results cannot be read"
    assert checking.unreadable == 1_000


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


@dataclass
class Clock:
    """Goes on by a minute at each look."""

    now: float = 0.0

    def __call__(self) -> float:
        self.now += 60.0
        return self.now


@pytest.mark.parametrize(("looks", "is_enough"), [(2, True), (50, False)])
def test_x_may_note_an_upload_some_minutes_later(
    monkeypatch: pytest.MonkeyPatch, looks: int, is_enough: bool
) -> None:
    monkeypatch.setattr("traptor.supervisor.ctl.collected.checking._FIRST_LOOK_S", 0.0)
    asked_for = 0

    def answer(asked: Asked) -> Said:
        nonlocal asked_for
        asked_for += asked.method == "GET"
        status = "complete" if asked_for > looks else "created"
        return Said({"data": {"id": "7", "type": "tweets", "status": status}})

    async def upload_and_wait(checking: Checking, url: str) -> Job:
        await uploads(checking, url)
        return await checking.wait("7")

    if is_enough:
        found, _, _ = checked(answer, upload_and_wait, Clock())
        assert found.status == "complete"
    else:
        with pytest.raises(TraptorError, match="waits for ids"):
            checked(answer, upload_and_wait, Clock())
        assert 1 < asked_for < looks


def test_a_job_that_got_no_ids_is_not_waited_for() -> None:
    created = {"data": {"id": "7", "type": "tweets", "status": "created"}}
    with pytest.raises(TraptorError, match="waits for ids"):
        checked(lambda _: Said(created), lambda checking, _: checking.wait("7"))


def test_the_addresses_of_a_job_are_in_no_repr() -> None:
    assert "http" not in repr(job("http://secret"))
