"""Why a connection has no key."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.keypools import make_pool
from support.stepping import A, B

from traptor.common.config.keys.key import ApiKey
from traptor.supervisor.connections.steps.holding import lack_of_key
from traptor.supervisor.connections.waits import WaitKind
from traptor.supervisor.keys.conduct.failures import Failure, FailureKind

ABROAD = replace(A, source_address="192.0.2.1")
UNAUTHORIZED = Failure(FailureKind.UNAUTHORIZED, text="HTTP 401")


@pytest.mark.parametrize(
    ("keys", "refused", "was_refused", "kind", "text", "named"),
    [
        ((), (), False, WaitKind.NO_KEY, "no key is configured", None),
        ((A, B), (), False, WaitKind.NO_KEY, "no key is free", None),
        ((ABROAD,), (), False, WaitKind.KEY_UNUSABLE, "source address that is not on this host (a)", "a"),
        ((ABROAD, B), (), False, WaitKind.NO_KEY, "no key is free", None),
        ((A, B), (A, B), False, WaitKind.KEYS_REFUSED, "no key is free: keys are quarantined", "a, b"),
        ((A, B), (A,), False, WaitKind.NO_KEY, "no key is free", None),
        ((A, B), (A,), True, WaitKind.KEYS_REFUSED, "no key is free: keys are quarantined", "a"),
    ],
)
def test_why_there_is_no_key(
    keys: tuple[ApiKey, ...],
    refused: tuple[ApiKey, ...],
    was_refused: bool,
    kind: WaitKind,
    text: str,
    named: str | None,
) -> None:
    pool = make_pool()
    pool.replace(keys, 0.0, lambda address: address != "192.0.2.1")
    for key in refused:
        pool.records.failed(key.key_id, 0.0, UNAUTHORIZED)
    wait = lack_of_key(pool, 1.0, was_refused=was_refused)
    assert (wait.kind, wait.key) == (kind, named)
    assert wait.text.endswith(text)
