"""What X means by a refusal, by its problem document rather than by its status."""

from __future__ import annotations

import pytest

from traptor.common.messages import Disconnected, DisconnectKind
from traptor.supervisor.xapi.cures import Cure, cure_of, why


def refused(status: int | None, problem: str = "") -> Disconnected:
    return Disconnected(
        kind=DisconnectKind.HTTP,
        at=1.0,
        last_byte_at=1.0,
        streamed=False,
        status=status,
        problem=problem,
        detail="the reason",
    )


@pytest.mark.parametrize(
    ("status", "problem", "cure"),
    [
        (429, "TooManyConnections", Cure.SLOT),
        (None, "TooManyConnections", Cure.SLOT),
        (429, "usage-capped", Cure.CAP),
        (429, "UsageCapExceeded", Cure.CAP),
        (429, "rate-limit-exceeded", None),
        (429, "", None),
        (402, "", Cure.MONEY),
        (402, "credits", Cure.MONEY),
        (402, "credits-depleted", Cure.MONEY),
        (409, "RuleConfigurationIssue", Cure.FILTERS),
        (409, "", Cure.FILTERS),
        (409, "RulesInvalidIssue", Cure.FILTERS),
        (409, "ProvisioningSubscription", None),
        (401, "Unauthorized", Cure.BEARER),
        (403, "client-forbidden", None),
        (503, "", None),
        (None, "UpstreamOperationalDisconnect", None),
    ],
)
def test_a_refusal_has_its_cure(status: int | None, problem: str, cure: Cure | None) -> None:
    assert cure_of(refused(status, problem)) is cure


def test_it_is_said_what_x_answered() -> None:
    assert why(refused(402, "credits")) == "X answered 402: credits: the reason"
    assert why(refused(None, "TooManyConnections")) == "X ended the stream: TooManyConnections: the reason"
