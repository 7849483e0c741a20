"""How long a sync leaves X alone."""

from __future__ import annotations

import pytest

from traptor.supervisor.filters.sync.budget import RequestKind
from traptor.supervisor.filters.sync.rest import NO_REST, Rest
from traptor.supervisor.xapi.failures import OutOfCredit, ServerTrouble, XFailure
from traptor.supervisor.xapi.quota import Quota

CHANGE, LIST = RequestKind.CHANGE, RequestKind.LIST


def trouble(kind: type[XFailure] = ServerTrouble, retry_after_s: float | None = None) -> XFailure:
    return kind("no answer", quota=Quota(retry_after_s=retry_after_s))


def after(failures: int) -> Rest:
    rest = NO_REST
    for _ in range(failures):
        rest = rest.after(trouble(), CHANGE, 100.0)
    return rest


def test_the_rest_doubles_with_each_failure_up_to_its_longest() -> None:
    assert [after(failures).until - 100.0 for failures in range(1, 9)] == [5, 10, 20, 40, 80, 160, 320, 320]


@pytest.mark.parametrize(
    ("kind", "asked_s", "rest_s"),
    [
        (ServerTrouble, 60.0, 60.0),
        (ServerTrouble, 1.0, 5.0),
        (ServerTrouble, 1e9, 86_400.0),
        (OutOfCredit, None, 1_800.0),
    ],
)
def test_what_x_asks_for_is_the_least_and_some_refusals_have_a_rest_of_their_own(
    kind: type[XFailure], asked_s: float | None, rest_s: float
) -> None:
    rest = NO_REST.after(trouble(kind, asked_s), CHANGE, 100.0)
    assert rest.until == 100.0 + rest_s
    assert rest.holds(rest.until - 0.1)
    assert not rest.holds(rest.until)


def test_without_a_failure_nothing_rests() -> None:
    assert not NO_REST.holds(-1.0)


@pytest.mark.parametrize(("asked_s", "until"), [(None, 160.0), (90.0, 190.0)])
def test_a_rest_may_be_ended_before_but_not_before_x_may_be_asked(
    asked_s: float | None, until: float
) -> None:
    rest = NO_REST.after(trouble(OutOfCredit, asked_s), CHANGE, 100.0)
    assert rest.ended_by(160.0, 100.0).until == until
    assert rest.ended_by(1e9, 100.0) == rest


def test_a_request_of_another_kind_that_works_ends_the_rest_and_not_its_steps() -> None:
    rest = after(3).worked(LIST)
    assert not rest.holds(100.0)
    assert rest.after(trouble(), CHANGE, 200.0).until == 200.0 + 40.0
    assert after(3).worked(CHANGE) == NO_REST


def test_failures_of_another_kind_between_do_not_end_the_steps_either() -> None:
    rest, now, waits = NO_REST, 100.0, []
    for _ in range(5):  # X refuses each change, and every other list
        rest = rest.after(trouble(), CHANGE, now)
        waits.append(rest.until - now)
        rest = rest.after(trouble(), LIST, now := rest.until)
        assert rest.until == now + 5.0, "the list before worked"
        rest = rest.worked(LIST)
        now += 5.0
    assert waits == [5.0, 10.0, 20.0, 40.0, 80.0]
    assert rest.worked(CHANGE) == NO_REST
