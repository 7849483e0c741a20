"""How often a bearer token is asked for, whatever X answers: an hour each, on a clock of the test's own."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from support.keypools import make_key

from traptor.common.config.keys.key import ApiKey
from traptor.supervisor.apps.bearer import Bearer
from traptor.supervisor.apps.hold import HoldKind
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.xapi.exchange import Ask, Reply
from traptor.supervisor.xapi.failures import ServerTrouble
from traptor.supervisor.xapi.quota import quota_of

WALL = 1_790_000_000.0
HOUR_S = 3_600.0
Answer = Callable[[float], Reply]


@dataclass
class X:
    """Answers each request for a token; `now` is its clock and ours."""

    answer: Answer
    now: float = 0.0
    asked: list[float] = field(default_factory=list)

    async def ask(self, ask: Ask, _authorization: str) -> Reply:
        assert ask.path == "/oauth2/token"
        self.asked.append(self.now)
        return self.answer(self.now)

    def clock(self) -> Instant:
        return Instant(WALL + self.now, self.now)


def refusal(status: int, **headers: str) -> Answer:
    quota = quota_of({name.replace("_", "-"): text for name, text in headers.items()})
    return lambda _now: Reply(status, quota, b'{"title":"no"}')


def away(_now: float) -> Reply:
    raise ServerTrouble("fetch bearer token: X cannot be asked")


def token(text: str) -> Reply:
    body = {"token_type": "bearer", "access_token": text}
    return Reply(200, quota_of({}), json.dumps(body).encode())


def tokens(text: str) -> Answer:
    """A token that is another one each time."""
    numbers = itertools.count()
    return lambda _now: token(f"{text}{next(numbers)}")


def turns(x: X, bearer: Bearer, until: float) -> Iterator[float]:
    """Yield whenever a token was to be fetched, as the app does."""
    while x.now < until:
        asyncio.run(bearer.fetch(x))  # type: ignore[arg-type]
        yield x.now
        again = bearer.again_at()
        x.now = until if again is None else max(x.now, min(again, until))


def world(answer: Answer) -> tuple[X, Bearer]:
    x = X(answer)
    return x, Bearer(make_key("app"), x.clock, lambda _secret: None)


@pytest.mark.parametrize(
    ("answer", "first_s", "most", "kind"),
    [
        (refusal(401), 900.0, 4, HoldKind.BEARER_REFUSED),
        (refusal(403), 900.0, 4, HoldKind.BEARER_REFUSED),
        (refusal(429), 60.0, 8, HoldKind.RATE_LIMITED),
        (refusal(429, x_rate_limit_reset=str(int(WALL) + 1_800)), 1_800.0, 6, HoldKind.RATE_LIMITED),
        (refusal(429, Retry_After="1200"), 1_200.0, 3, HoldKind.RATE_LIMITED),
        (refusal(500), 5.0, 17, HoldKind.X_AWAY),
        (refusal(503, Retry_After="1200"), 1_200.0, 3, HoldKind.X_AWAY),
        (refusal(400), 5.0, 17, HoldKind.NO_BEARER),
        (refusal(402), 5.0, 17, HoldKind.OUT_OF_CREDIT),
        (lambda _now: Reply(200, quota_of({}), b"{}"), 5.0, 17, HoldKind.X_AWAY),
        (away, 5.0, 17, HoldKind.X_AWAY),
    ],
)
def test_a_token_that_is_not_given_is_asked_for_ever_more_seldom_and_it_is_said_why(
    answer: Answer, first_s: float, most: int, kind: HoldKind
) -> None:
    x, bearer = world(answer)
    for _ in turns(x, bearer, HOUR_S):
        hold = bearer.hold()
        assert hold is not None
        assert (hold.kind, bearer.token) == (kind, "")
        assert hold.until is not None
        assert hold.until > WALL + x.now
    assert x.asked[1] - x.asked[0] == first_s
    assert len(x.asked) <= most


def test_a_wait_that_no_server_can_mean_is_a_day() -> None:
    x, bearer = world(refusal(429, Retry_After="999999999"))
    asyncio.run(bearer.fetch(x))  # type: ignore[arg-type]
    assert bearer.again_at() == 86_400.0


def test_a_revoked_token_is_a_warning_and_one_that_nothing_replaces_is_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    x, bearer = world(tokens("t"))
    for _ in range(2):
        asyncio.run(bearer.fetch(x))  # type: ignore[arg-type]
        bearer.refused(bearer.token, "X answered 401")
    levels = [record.levelname for record in caplog.records if record.msg == "bearer token refused"]
    assert levels == ["WARNING", "ERROR"]


def test_a_given_token_is_said_to_be_tried_again_where_it_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    x = X(away)
    bearer = Bearer(ApiKey("app", bearer_token="given"), x.clock, lambda _secret: None)
    bearer.retry()
    assert caplog.messages == [], "it was not refused"
    for way in (bearer.retry, lambda: bearer.change(ApiKey("app", bearer_token="another"))):
        bearer.refused(bearer.token, "X answered 401")
        way()
    assert caplog.messages == ["bearer token refused", "bearer token is tried again"] * 2


def test_tokens_that_x_gives_and_does_not_take_are_asked_for_ever_more_seldom() -> None:
    x, bearer = world(tokens("t"))
    for _ in turns(x, bearer, HOUR_S):
        if bearer.token:
            bearer.refused(bearer.token, "X answered 401")
            hold = bearer.hold()
            assert hold is not None
            assert (hold.kind, hold.text) == (HoldKind.BEARER_REFUSED, "X answered 401")
    assert x.asked[1] == x.asked[0], "it may have been revoked: once another is fetched at once"
    assert x.asked[2] - x.asked[1] == 5.0
    assert len(x.asked) <= 18


def test_a_token_that_was_good_for_long_and_is_revoked_is_replaced_at_once() -> None:
    x, bearer = world(tokens("t"))
    for number in range(5):
        asyncio.run(bearer.fetch(x))  # type: ignore[arg-type]
        assert bearer.token == f"t{number}"
        x.now += 900.0
        bearer.refused(bearer.token, "revoked")
        assert bearer.again_at() == x.now


def test_the_operator_may_have_a_token_fetched_at_once() -> None:
    x, bearer = world(refusal(403))
    asyncio.run(bearer.fetch(x))  # type: ignore[arg-type]
    bearer.retry()
    assert bearer.again_at() == 0.0


@pytest.mark.parametrize("answer", [refusal(401), tokens("of the old key"), away])
def test_an_answer_to_a_key_that_is_replaced_meanwhile_says_nothing_of_the_new_one(answer: Answer) -> None:
    def replacing(now: float) -> Reply:
        x.answer = tokens("t")
        bearer.change(make_key("app", consumer_secret="another"))
        return answer(now)

    x, bearer = world(replacing)
    asyncio.run(bearer.fetch(x))  # type: ignore[arg-type]
    assert (bearer.token, bearer.again_at()) == ("", 0.0)
    hold = bearer.hold()
    assert hold is not None
    assert hold.text == "its bearer token is being fetched"
    asyncio.run(bearer.fetch(x))  # type: ignore[arg-type]
    assert bearer.token == "t0"
