"""Whatever X says of its limits, it gets no more requests than the smaller of ours and theirs allows."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import pytest
from support.collection import Collection, Key
from support.v2 import SANDBOX, on_v2
from support.waiting import wait_for

Make = Callable[..., Collection]

OURS = 4  # connects in 15 minutes
HOURS_S = 3 * 3_600
MANY = {"x-rate-limit-limit": "40000", "x-rate-limit-remaining": "39999"}
NONE_LEFT = {"x-rate-limit-limit": "40000", "x-rate-limit-remaining": "0"}

# By app: the streams, and whether filters are listed and changed more than once.
EXPECTED = {
    "one": (1, False),  # X's limit is 1
    "many": (OURS, True),  # X's is 40,000
    "silent": (OURS, True),  # X says nothing
    "past": (OURS, False),  # no request is left, and the reset was three hours ago
    "later": (1, False),  # the reset is in three hours
    "retry": (1, True),  # a stream is refused, with Retry-After
    "lists": (0, False),  # a list is
}


def meet(collection: Collection) -> None:
    """Set what each app hears from X."""
    ahead, later, past = (str(int(time.time() + seconds)) for seconds in (900, HOURS_S, -HOURS_S))
    headers = {
        "one": {"x-rate-limit-limit": "1", "x-rate-limit-remaining": "0", "x-rate-limit-reset": ahead},
        "many": {**MANY, "x-rate-limit-reset": ahead},
        "silent": dict.fromkeys((*MANY, "x-rate-limit-reset")),
        "past": {**NONE_LEFT, "x-rate-limit-reset": past},
        "later": {**NONE_LEFT, "x-rate-limit-reset": later},
    }
    x = collection.sandbox.v2
    for app, said in headers.items():
        x.fault("headers", app=app, endpoint="any", headers=said)
        x.fault("close_after", app=app, after=0.0)
    x.fault("status", app="retry", endpoint="stream", status=503, retry_after=HOURS_S)
    x.fault("status", app="lists", endpoint="rules_list", problem="rate-limit", retry_after=HOURS_S)


@pytest.mark.long
def test_neither_side_is_asked_for_more_than_it_allows_and_nothing_loops(make_collection: Make) -> None:
    keys = [Key(name, groups=f"track:{name}") for name in EXPECTED]
    collection = make_collection(*keys, sandbox=(*SANDBOX, "--v2-connects", "0"))
    collection.options["traptor"] = {"groups": ", ".join(f"track:{name}" for name in EXPECTED)}
    collection.options["supervisor"] = {"rules_check_interval": "1s"}
    on_v2(collection, connects=OURS, http_backoff="100ms")
    meet(collection)
    for name in EXPECTED:
        collection.add_rules(f"track:{name}", [f"storm {name}"])
    collection.start()

    def asked(endpoint: str) -> Counter[str]:
        return Counter(one["app"] for one in collection.sandbox.v2.requests(endpoint))

    wait_for(
        lambda: all(asked("stream")[app] >= most for app, (most, _) in EXPECTED.items()),
        "streams are asked for",
    )
    for name in EXPECTED:
        collection.add_rules(f"track:{name}", [f"flood {name}"])
        collection.hint(f"track:{name}")
    often = [app for app, (_, is_often) in EXPECTED.items() if is_often]
    wait_for(
        lambda: all(asked("rules_change")[app] > 1 for app in often), "filters are changed where they may"
    )
    before = asked("rules_list")
    wait_for(lambda: all(asked("rules_list")[app] >= before[app] + 3 for app in often), "three looks more")

    assert {app: asked("stream")[app] for app in EXPECTED} == {
        app: most for app, (most, _) in EXPECTED.items()
    }
    for app, (streams, is_often) in EXPECTED.items():
        lists, changes = asked("rules_list")[app], asked("rules_change")[app]
        assert (lists > 1, changes > 1) == (is_often, is_often)
        assert changes >= bool(streams)
        waits = collection.connection(f"v2:{app}")["waits_for"]
        assert waits, f"{app}: the status says why"
    at = [one["at_mono"] for one in collection.sandbox.v2.requests("rules_list") if one["app"] == "silent"]
    assert len(at) <= 3 + (at[-1] - at[0]) / 0.9, "one look a second"
    assert "1 of 1 connects" in collection.connection("v2:one")["waits_for"]
    assert f"{OURS} of {OURS} connects" in collection.connection("v2:silent")["waits_for"]
