"""Faults on demand strike requests, streams, posts and slots as they say."""

import time

import pytest

from traptor.sandbox.errors import SandboxError
from traptor.sandbox.v2.faults.kinds import DISCONNECT_TYPES
from traptor.sandbox.v2.problems import NAMED

RULES = "/2/tweets/search/stream/rules"


@pytest.mark.parametrize("name", NAMED)
def test_each_problem_can_be_had_on_the_stream(following, name):
    expected = NAMED[name]()
    following.v2.fault("status", problem=name, times=1)
    refused = following.app.stream()
    assert refused.status == expected.status
    body = refused.problem
    assert body.keys() == expected.body.keys()
    assert body.get("type", "").rsplit("/", 1)[-1] == expected.body.get("type", "").rsplit("/", 1)[-1]
    assert following.app.stream().status == 200


def test_no_credit_has_two_forms(following):
    following.v2.fault("status", problem="credits", times=1)
    following.v2.fault("status", problem="credits-depleted", times=1)
    old, new = following.app.stream(), following.app.stream()
    assert (old.status, new.status) == (402, 402)
    assert old.problem["type"] == "https://api.twitter.com/2/problems/credits"
    assert old.problem["account_id"] > 1 << 53
    assert new.problem["type"].endswith("/problems/credits-depleted")


def test_the_usage_cap_leaves_the_rate_limit_as_it_is(following):
    following.v2.fault("status", problem="usage-capped", times=1)
    headers = following.app.stream().response.headers
    assert (headers["x-rate-limit-limit"], headers["x-rate-limit-remaining"]) == ("40000", "39999")


def test_a_status_strikes_its_endpoint_and_its_app_only(following):
    x = following
    x.v2.fault("status", endpoint="rules_change", app="one", status=500, retry_after=3)
    answer = x.app.add("hail")
    assert (answer.status_code, answer.headers["Retry-After"]) == (500, "3")
    assert (len(x.app.listed()), x.other.add("hail").status_code, x.app.stream().status) == (1, 201, 200)
    x.v2.clear_faults()
    assert x.app.add("hail").status_code == 201


def test_the_text_of_a_refusal_may_come_late(following):
    following.v2.fault("status", status=503, after=0.3, times=1)
    began = time.monotonic()
    refused = following.app.stream()
    assert refused.problem["status"] == 503
    assert time.monotonic() - began >= 0.3


def test_an_answer_may_come_late_or_be_lost(following):
    x = following
    x.v2.fault("slow_start", endpoint="rules_list", after=0.2, times=1)
    began = time.monotonic()
    x.app.listed()
    assert time.monotonic() - began >= 0.2
    x.v2.fault("lost_answer", endpoint="rules_change", times=1)
    assert x.app.add("hail").status_code == 503
    assert [one["value"] for one in x.app.listed()][1:] == ["hail"]


def test_headers_can_say_something_else_or_nothing(following):
    x = following
    x.v2.fault(
        "headers", endpoint="any", headers={"x-rate-limit-limit": "1", "x-rate-limit-reset": None}, times=2
    )
    answer = x.app.call("GET", RULES)
    assert answer.headers["x-rate-limit-limit"] == "1"
    assert "x-rate-limit-reset" not in answer.headers
    stream = x.app.stream()
    assert (stream.status, stream.response.headers["x-rate-limit-limit"]) == (200, "1")
    assert x.app.call("GET", RULES).headers["x-rate-limit-limit"] == "450"


@pytest.mark.parametrize("kind", [*DISCONNECT_TYPES, "SomethingNew"])
def test_an_operational_disconnect_is_said_before_the_end(following, until, kind):
    stream = following.app.stream()
    following.v2.fault("disconnect", disconnect_type=kind)
    until(lambda: stream.has_ended, "the end")
    (error,) = stream.messages[-1]["errors"]
    assert (error["title"], error["disconnect_type"]) == ("operational-disconnect", kind)
    assert error["type"].endswith("/problems/operational-disconnect")
    assert following.v2.connections()[0]["reason"] == kind


def test_silence_may_follow_the_last_line(following, until):
    stream = following.app.stream()
    following.v2.fault("disconnect", then="silence")
    until(lambda: stream.messages, "the line")
    following.client.burst(20, ["12"])
    assert following.app.connections() == []
    assert not stream.has_ended
    assert len(stream.messages) == 1
    following.v2.clear_faults()
    until(lambda: stream.has_ended, "the end")


def test_a_connection_issue_may_come_as_a_line(following, until):
    stream = following.app.stream()
    following.v2.fault("problem_line")
    until(lambda: stream.has_ended, "the end")
    assert stream.messages[-1]["connection_issue"] == "TooManyConnections"


def test_rubbish_and_garbage_do_not_end_a_stream(following, until):
    x = following
    stream = x.app.stream()
    x.v2.fault("rubbish")
    x.v2.fault("garbage")
    x.v2.line({"type": "connection_metadata"})
    x.v2.line("no JSON")
    x.client.burst(5, ["12"])
    until(lambda: len(stream.lines) >= 16, "all lines")
    assert len(stream.lines[6]) == 2 * 1024 * 1024
    assert stream.lines[3:6] == [b"{}", b"null", b"[]"]
    assert stream.lines[9:11] == [b'{"type":"connection_metadata"}', b"no JSON"]
    assert not stream.has_ended
    until(lambda: x.v2.bill()[0]["posts"] == 5, "the bill of the posts alone")


def test_some_posts_carry_partial_errors(following, until):
    x = following
    stream = x.app.stream()
    x.v2.fault("partial_errors", times=2)
    x.client.burst(4, ["12"])
    until(lambda: len(stream.posts) == 4, "posts")
    kinds = [[error["type"].rsplit("/", 1)[1] for error in post.get("errors", [])] for post in stream.posts]
    assert [kind[-1:] for kind in kinds[:2]] == [["resource-not-found"]] * 2


def test_a_stall_is_silent_until_it_is_cleared(start_v2, until):
    x = start_v2(keep_alive_s=0.02)
    x.app.add("from:12")
    stream = x.app.stream()
    x.v2.fault("stall")
    count = x.v2.connections()[0]["keep_alives"]
    x.client.burst(10, ["12"])
    assert x.v2.faults()["stalled_connections"] == [1]
    x.v2.clear_faults()
    until(lambda: x.v2.connections()[0]["keep_alives"] > count + 1, "keep-alives again")
    assert stream.messages == []


def test_streams_are_reset_closed_or_left_open(following, until):
    x = following
    reset = x.app.stream()
    x.v2.fault("reset")
    until(lambda: reset.has_ended, "the reset")
    assert reset.error is not None
    x.v2.fault("close_after", after=0.05, times=1)
    closed = x.app.stream()
    until(lambda: closed.has_ended, "the end")
    assert (closed.status, closed.error) == (200, None)
    half_open = x.app.stream()
    x.v2.fault("half_open")
    assert [one["closed_by"] for one in x.v2.connections()] == ["fault"] * 3
    assert not half_open.has_ended
    x.v2.clear_faults()
    until(lambda: half_open.has_ended, "the end")


def test_faults_of_streams_may_wait_for_connects(following, until):
    x = following
    x.v2.fault("disconnect", on="connects", after=0.05, times=1)
    assert [fault["fault"] for fault in x.v2.faults()["faults"]] == ["disconnect"]
    stream = x.app.stream()
    until(lambda: stream.has_ended, "the end")
    assert x.v2.faults()["faults"] == []


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "nope"},
        {"kind": "status", "status": 200},
        {"kind": "status", "problem": "nope"},
        {"kind": "status", "endpoint": "nope"},
        {"kind": "status", "on": "streams"},
        {"kind": "disconnect", "then": "nope"},
        {"kind": "disconnect", "client_ip": "x"},
        {"kind": "zombie"},
        {"kind": "headers", "headers": {"a": 1}},
        {"kind": "headers", "headers": {"a": "b\r\nc"}},
        {"kind": "stall", "seconds": -1},
        {"kind": "stall", "times": 0},
        {"kind": "stall", "app": 1},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(x, fault):
    kind = fault.pop("kind")
    with pytest.raises(SandboxError, match="/sandbox/v2/faults: "):
        x.v2.fault(kind, **fault)
    assert x.v2.faults()["faults"] == []
