"""Read the fate of each filter of a batch that was added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from traptor.common.problem import ProblemDocument, listed_problems, problems_in
from traptor.supervisor.xapi.answers import AddAnswer, ListedFilter
from traptor.supervisor.xapi.failures import RequestRefused
from traptor.supervisor.xapi.problems import failure_of
from traptor.supervisor.xapi.quota import Quota

_DUPLICATE = {"duplicate-rules", "DuplicateRule"}
_INVALID = {"invalid-rules", "noncompliant-rules", "RulesInvalidIssue", "UnprocessableEntity"}
_FOR_ALL = _INVALID | {"invalid-request", "NonCompliantRules"}
_ABOUT_THE_BODY = {400, 413, 422}


@dataclass(frozen=True, slots=True)
class NewFilter:
    """A filter to add."""

    value: str
    tag: str


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The fate of each value of a batch; values in none of the members met a fate that X did not tell."""

    taken: Mapping[str, ListedFilter]  # by the value that was sent
    existing: Mapping[str, str] = field(default_factory=dict)  # ids of filters that stood there already
    refused: Mapping[str, str] = field(default_factory=dict)  # with X's reason
    reason: str = ""  # for the rest, where X found fault with the batch
    is_odd: bool = False  # in a form that no document gives: it may be about something else


def batch_answer(sent: Sequence[NewFilter], status: int, raw: bytes) -> BatchAnswer | None:
    """Read the answer; None where it does not speak of the filters but of something else."""
    is_success = 200 <= status < 300
    body = _body(raw)
    problems = listed_problems(list(body.errors)) if is_success and body else problems_in(raw)
    known = {one.value for one in sent}
    existing: dict[str, str] = {}
    refused: dict[str, str] = {}
    for problem in problems:
        value = _value_of(problem, known, sent)
        if value is None:
            continue
        if problem.kind in _DUPLICATE:
            existing[value] = problem.id if isinstance(problem.id, str) else ""
        elif problem.kind in _INVALID:
            refused[value] = problem.reason
    taken = _taken(sent, body.data if body else (), {*existing, *refused})
    about_filters = [one for one in problems if one.kind in _FOR_ALL | _DUPLICATE]
    if not (is_success and body and body.meta) and not (about_filters or (is_success and taken)):
        return _refused_whole(status, raw)
    reason = next((one.reason for one in about_filters if one.kind in _FOR_ALL), "")
    return BatchAnswer(taken, existing, refused, reason)


def _refused_whole(status: int, raw: bytes) -> BatchAnswer | None:
    """Return the refusal of a batch in a form that no document gives: one bad value may be the cause."""
    failure = failure_of("add filters", status, raw, Quota())
    is_about_values = status in _ABOUT_THE_BODY and isinstance(failure, RequestRefused)
    return BatchAnswer({}, reason=str(failure), is_odd=True) if is_about_values else None


def _body(raw: bytes) -> AddAnswer | None:
    try:
        return msgspec.json.decode(raw, type=AddAnswer, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _value_of(problem: ProblemDocument, known: set[str], sent: Sequence[NewFilter]) -> str | None:
    """Return the value that a problem is about; a batch of one can be about nothing else."""
    if isinstance(problem.value, str) and problem.value in known:
        return problem.value
    is_about_one = problem.kind in _INVALID | _DUPLICATE
    return sent[0].value if len(sent) == 1 and is_about_one else None


def _taken(
    sent: Sequence[NewFilter], listed: Sequence[ListedFilter], others: set[str]
) -> dict[str, ListedFilter]:
    """Pair what X took with what was sent: by value, or by order where X writes values its own way."""
    rest = [one.value for one in sent if one.value not in others]
    taken: dict[str, ListedFilter] = {}
    odd: list[ListedFilter] = []
    for one in listed:
        if one.value in rest and one.value not in taken:
            taken[one.value] = one
        else:
            odd.append(one)
    left = [value for value in rest if value not in taken]
    if len(left) == len(odd):
        taken |= dict(zip(left, odd, strict=True))
    return taken
