"""What follows from the end of a piece: go on, wait, leave a query out, or give the gap up. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from msgspec.structs import replace

from traptor.common.fills import FillEnd
from traptor.common.messages import PieceFetched
from traptor.common.timing.backoff import doubled
from traptor.supervisor.fills.pieces.course import NO_FAILURES, Failures
from traptor.supervisor.fills.pieces.window import LAST, moment
from traptor.supervisor.gaps.fill import Fill
from traptor.supervisor.xapi.cures import Cure, cure_by
from traptor.supervisor.xapi.quota import quota_of

MOST_FAILURES = 20  # in a row; with the waits between them, an hour and a half
_FIRST_S, _LONGEST_S = 5.0, 320.0
_BAD_S = 30.0
_LIMITED_FIRST_S, _LIMITED_LONGEST_S = 60.0, 900.0
_TOO_SOON_S = 2.0  # X takes one search a second
_LIMITED, _BAD_REQUEST, _UNAUTHORIZED = 429, 400, 401
_MOST_SHORT = 3  # jobs in a row: the post that was reached may be deleted meanwhile
_REFUSALS = frozenset({403, 404, 410})


class Consequence(Enum):
    """What to do next."""

    GO_ON = auto()
    WAIT = auto()
    LEAVE_OUT = auto()  # X does not take the query
    GIVE_UP = auto()
    NO_MONEY = auto()  # the account gives no posts: the app waits for credit
    NO_TOKEN = auto()  # X does not take the bearer token


@dataclass(frozen=True, slots=True)
class FillVerdict:
    """What to do, for which reason; `wait_s` before the next piece, in which the same is asked again."""

    consequence: Consequence
    why: str = ""
    wait_s: float = 0.0
    failures: Failures = NO_FAILURES  # in a row, with this one


def verdict(answer: PieceFetched, before: Failures, wall_now: float) -> FillVerdict:
    """Return what follows from an answer, after these failures in a row."""
    if answer.end is FillEnd.DONE:
        return FillVerdict(Consequence.GO_ON)
    why, failures = _why(answer), Failures(before.count + 1, answer.status)
    if answer.end is FillEnd.HTTP:
        match cure_by(answer.problem, answer.status):
            case Cure.MONEY | Cure.CAP:
                return FillVerdict(Consequence.NO_MONEY, why, _FIRST_S, Failures(0, answer.status))
            case Cure.BEARER:
                return _again(Consequence.NO_TOKEN, why, failures)
        if answer.status == _LIMITED and quota_of(answer.headers).remaining:
            # Not the window's limit: the way to X made two requests come closer than they were sent.
            wait_s = doubled(_TOO_SOON_S, before.count, _LIMITED_LONGEST_S)
            return FillVerdict(Consequence.WAIT, why, wait_s, failures)
        if answer.status == _LIMITED:
            wait_s = _until_reset(
                answer, wall_now, doubled(_LIMITED_FIRST_S, before.count, _LIMITED_LONGEST_S)
            )
            return FillVerdict(Consequence.WAIT, why, wait_s, Failures(before.count, answer.status))
        if answer.status == _BAD_REQUEST:
            # Perhaps the end of the window is too new, by X's clock: that passes.
            if before.last_status == _BAD_REQUEST:
                return FillVerdict(Consequence.LEAVE_OUT, why)
            return FillVerdict(Consequence.WAIT, why, _BAD_S, failures)
        if answer.status in _REFUSALS:
            return FillVerdict(Consequence.GIVE_UP, why)
    return _again(Consequence.WAIT, why, failures)


def settled(fill: Fill, answer: PieceFetched, failures: int) -> PieceFetched:
    """Return the answer of a recovery job as that of a page: with a token as long as there may be more.

    A job that ended early, perhaps before the first post, looks like one that is complete. So the rest is
    asked for until two jobs in a row come no further, of which the second began where the first ended;
    `failures` came less far, or broke off.
    """
    if answer.end not in (FillEnd.DONE, FillEnd.NETWORK):
        return answer
    reached, known = moment(answer.token), moment(fill.token)
    if reached > known:
        return replace(answer, end=FillEnd.DONE)
    if answer.end is FillEnd.NETWORK or (reached < known and failures < _MOST_SHORT):
        return replace(answer, end=FillEnd.SHORT)
    return replace(answer, token="" if fill.token.startswith(LAST) else LAST + fill.token)


def _again(consequence: Consequence, why: str, failures: Failures) -> FillVerdict:
    count = failures.count
    if count >= MOST_FAILURES:
        return FillVerdict(Consequence.GIVE_UP, f"{count} tries in a row failed, the last one: {why}")
    return FillVerdict(consequence, why, doubled(_FIRST_S, count - 1, _LONGEST_S), failures)


def _until_reset(answer: PieceFetched, wall_now: float, otherwise_s: float) -> float:
    quota = quota_of({**answer.headers, "Retry-After": answer.headers.get("retry-after", "")})
    if quota.retry_after_s is not None:
        return min(max(quota.retry_after_s, 1.0), _LIMITED_LONGEST_S)
    if (reset_s := quota.reset_s(wall_now)) is not None:
        return min(reset_s + 1.0, _LIMITED_LONGEST_S)
    return otherwise_s


def _why(answer: PieceFetched) -> str:
    said = ": ".join(text for text in (answer.problem, answer.detail) if text)
    head = f"X answered {answer.status}" if answer.end is FillEnd.HTTP else _ENDS[answer.end]
    return f"{head}: {said}" if said else head


_ENDS = {
    FillEnd.DONE: "fetched",
    FillEnd.HTTP: "X refused",
    FillEnd.NETWORK: "X did not answer",
    FillEnd.SHORT: "the recovery ended early",
    FillEnd.BROKEN: "the answer cannot be read",
    FillEnd.NO_ROOM: "the outbox has no room",
    FillEnd.FAULT: "the worker failed",
}
