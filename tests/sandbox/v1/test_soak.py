"""Soak mode: the same seed strikes the same, it is recorded, and it ends."""

from itertools import islice, pairwise

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from support.waiting import DEADLINE_S

from traptor.sandbox.errors import BadInput
from traptor.sandbox.faults.fault import CONNECT_KINDS, FaultKind, Target
from traptor.sandbox.faults.soakplan import SoakPlan, parse_soak, schedule
from traptor.sandbox.thread import SandboxThread
from traptor.sandbox.v1.settings import Settings

KINDS = st.lists(st.sampled_from(FaultKind), min_size=1, unique=True).map(tuple)


@given(st.integers(), KINDS)
def test_the_same_seed_gives_the_same_schedule(seed, kinds):
    plan = SoakPlan(seed, 5.0, kinds)
    first = list(islice(schedule(plan), 20))
    assert first == list(islice(schedule(plan), 20))
    assert first != list(islice(schedule(SoakPlan(seed + 1, 5.0, kinds)), 20))


@given(st.integers(), KINDS)
def test_strikes_are_of_the_chosen_kinds_in_order_of_time_and_about_so_far_apart(seed, kinds):
    strikes = list(islice(schedule(SoakPlan(seed, 5.0, kinds)), 40))
    times = [0.0, *(strike.due_s for strike in strikes)]
    assert all(2.4 < later - earlier < 7.6 for earlier, later in pairwise(times))
    assert {fault.kind for strike in strikes for fault in strike.faults} <= {*kinds, FaultKind.CLOSE}
    assert all(strike.account(["b", "a"]) in ("a", "b") for strike in strikes)
    assert {strike.account(["b", "a"]) for strike in strikes} == {"a", "b"}


@given(st.integers(), KINDS)
def test_who_is_to_meet_a_fault_of_connects_loses_its_stream_and_no_fault_waits_for_ever(seed, kinds):
    for strike in islice(schedule(SoakPlan(seed, kinds=kinds)), 40):
        head, *tail = strike.faults
        if head.kind in CONNECT_KINDS - {FaultKind.REFUSE_SECOND}:
            assert [fault.on for fault in tail] == [Target.STREAMS]
            assert (head.times, head.seconds) == (1, 60.0)


def test_streams_are_struck_and_the_record_says_whose_and_when(world, until):
    one, other = world.read("a"), world.read("b")
    world.client.begin_soak(7, every_s=0.05, kinds=["garbage"], accounts=["a-ck/a-at"])
    until(lambda: len(world.client.soak()["strikes"]) >= 3, "three strikes")
    ended = world.client.end_soak()
    one.wait_for_tweets(2 * len(ended["strikes"]))
    assert other.lines == []
    assert {strike["account"] for strike in ended["strikes"]} == {"a-ck/a-at"}
    assert all(strike["struck"] == [1] for strike in ended["strikes"])
    assert all(strike["at_mono"] >= ended["began_mono"] + strike["due_s"] for strike in ended["strikes"])
    assert [fault["fault"] for fault in ended["strikes"][0]["faults"]] == ["garbage"]


def test_a_soak_that_ended_strikes_no_more_and_its_record_stays(world):
    world.client.begin_soak(1, every_s=0.02)
    ended = world.client.end_soak()
    assert ended["running"] is False
    reader = world.read("a")
    world.client.burst(200, ["flood warning"])
    reader.wait_for_tweets(200)
    assert world.client.soak() == ended
    assert not reader.has_ended


def test_a_new_soak_takes_the_place_of_the_old_one(world, until):
    world.client.begin_soak(1, every_s=0.02, kinds=["garbage"])
    until(lambda: world.client.soak()["strikes"], "a strike")
    answer = world.client.begin_soak(2, every_s=100)
    assert (answer["plan"]["seed"], answer["strikes"], answer["running"]) == (2, [], True)


def test_the_same_soak_strikes_the_same_again(world, until):
    def strikes():
        world.client.begin_soak(5, every_s=0.02, accounts=["x", "y", "z"])
        until(lambda: len(world.client.soak()["strikes"]) >= 10, "ten strikes")
        return [(s["due_s"], s["account"], s["faults"]) for s in world.client.end_soak()["strikes"][:10]]

    assert strikes() == strikes()


def test_accounts_that_come_later_are_struck_too_when_none_are_named(world, until):
    world.client.begin_soak(3, every_s=0.02, kinds=["close"])
    reader = world.read("late")
    reader.wait_for_end()
    assert world.connection(1)["closed_by"] == "fault"


def test_a_sandbox_can_soak_from_its_start_on(until):
    settings = Settings(rate=0, connects=0, soak=SoakPlan(4, every_s=0.02))
    with SandboxThread(settings) as sandbox:
        until(lambda: sandbox.client.soak()["strikes"], "a strike")
        assert sandbox.client.soak()["plan"]["seed"] == 4


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"seed": "1"},
        {"seed": True},
        {"seed": 1, "every_s": 0},
        {"seed": 1, "every_s": "1"},
        {"seed": 1, "kinds": []},
        {"seed": 1, "kinds": ["explosion"]},
        {"seed": 1, "accounts": "a"},
        {"seed": 1, "accounts": [1]},
        {"seed": 1, "until": 2},
    ],
)
def test_what_is_no_plan_is_refused(world, body):
    with pytest.raises(BadInput):
        parse_soak(body)
    assert requests.post(f"{world.url}/sandbox/soak", json=body, timeout=DEADLINE_S).status_code == 400
    assert world.client.soak()["running"] is False
