"""X gives an app nothing more for money: it is asked again after a while, and no other key for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from signal import SIGHUP, SIGKILL

import pytest
from support.collection import Collection, Json, Key
from support.v2 import SANDBOX, connects, on_v2
from support.waiting import wait_for

Make = Callable[..., Collection]

# Each app meets one of the forms in which X says so; by the usage cap's, 39,999 requests are left.
FORMS = {"old": ("credits", 402), "new": ("credits-depleted", 402), "cap": ("usage-capped", 429)}
RETRY_S = 3.0


def asked(collection: Collection, app: str) -> list[Json]:
    return [one for one in connects(collection) if one["app"] == app]


def app_of(collection: Collection, name: str) -> Json:
    return next((app for app in collection.status().get("apps", []) if app["key"] == name), {})


@pytest.mark.long
@pytest.mark.parametrize("host", ["api.x.com", "api.twitter.com"])
def test_an_app_without_credit_is_asked_once_until_the_retry(make_collection: Make, host: str) -> None:
    keys = [Key(name, groups=f"track:{name}") for name in (*FORMS, "rich")]
    # The windows of X's connects begin anew earlier than the retry, and that ends no wait.
    sandbox = (*SANDBOX, "--v2-problem-host", host, "--v2-window", "2")
    collection = on_v2(make_collection(*keys, sandbox=sandbox), credit_retry=f"{RETRY_S:g}s")
    collection.options["traptor"]["groups"] = ", ".join(f"track:{key.name}" for key in keys)
    for key in keys:
        collection.add_rules(f"track:{key.name}", [f"storm {key.name}"])
    names = [f"v2:{key.name}" for key in keys]
    collection.start()
    before = collection.wait_streaming(*names)
    x = collection.sandbox.v2
    for name, (problem, _) in FORMS.items():
        x.fault("status", app=name, endpoint="stream", problem=problem, times=2)
        x.fault("close", app=name)
    for name in FORMS:
        wait_for(lambda name=name: collection.key(name)["state"] == "OUT_OF_CREDIT", f"{name} has no credit")
        collection.add_rules(f"track:{name}", [f"flood {name}"])
        collection.hint(f"track:{name}")
    collection.signal(SIGHUP)
    for name in FORMS:
        wait_for(lambda name=name: len(asked(collection, name)) == 4, f"{name} is asked for the last time")
    collection.wait_streaming(*names)
    for name, (_, status) in FORMS.items():
        assert [one["status"] for one in asked(collection, name)] == [200, status, status, 200]
        _, *tries = [one["at_mono"] for one in asked(collection, name)]
        assert all(later - earlier >= RETRY_S for earlier, later in pairwise(tries))
        causes = [gap["cause"] for gap in collection.gaps(f"v2:{name}")]
        assert causes.count("cost") == 1
    assert collection.streaming()["v2:rich"] == before["v2:rich"]
    assert len(asked(collection, "rich")) == 1
    standing = {(one["app"], one["value"]) for one in x.filters()}
    assert {value for app, value in standing if app == "rich"} == {"storm rich"}, "no other key for it"


def test_an_app_without_credit_stays_so_for_half_an_hour_and_over_kill_9(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX))
    collection.add_rules("track:0", ["storm"])
    collection.sandbox.v2.fault("status", app="app", endpoint="stream", problem="credits")
    began = time.time()
    collection.start()
    wait_for(lambda: app_of(collection, "app").get("hold") == "out_of_credit", "it has no credit")
    until = app_of(collection, "app")["hold_until"]
    assert began + 1_800 <= until <= time.time() + 1_800
    collection.signal(SIGKILL)
    assert collection.process is not None
    collection.process.wait()
    new = collection.start()
    wait_for(lambda: collection.status().get("pid") == new.pid, "a new master")
    wait_for(lambda: collection.key("app").get("state") == "OUT_OF_CREDIT", "it knows")
    assert app_of(collection, "app")["hold_until"] == pytest.approx(until, abs=0.1)
    assert [one["status"] for one in connects(collection)] == [402]
