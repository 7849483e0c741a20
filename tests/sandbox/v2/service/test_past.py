"""Backfill and recovery: posts of a time without a stream, for apps whose contract allows it."""

import contextlib
import socket
from urllib.parse import urlsplit

import pytest
from support.waiting import DEADLINE_S

from traptor.sandbox.v2.parameters.moments import iso

FOLLOW = "from:12 OR to:12 OR retweets_of:12"


@pytest.fixture
def firm(start_v2):
    """A sandbox with a clock to move on, whose app `one` has an Enterprise contract and a filter."""
    x = start_v2(steps=True, enterprise=frozenset({"one"}))
    x.app.add(FOLLOW, tag="f:12")
    x.other.add(FOLLOW)
    return x


def due(x, app="one"):
    return [match["id"] for match in x.v2.matches() if match["app"] == app]


def make(x, *counts, every_s=60.0):
    """Make tweets, so many a step; return the time of each step."""
    times = []
    for count in counts:
        times.append(x.clock().unix)
        x.client.burst(count, ["12"])
        x.clock.move_on(every_s)
    return times


def recover(x, start, end):
    return x.app.stream(start_time=iso(start), end_time=iso(end))


def test_backfill_brings_the_last_minutes_and_then_the_live_posts(firm, until):
    x = firm
    make(x, 5, 5, 5)
    stream = x.app.stream(backfill_minutes="2")
    until(lambda: len(stream.ids) == 10, "the backfill")
    x.client.burst(5, ["12"])
    until(lambda: len(stream.ids) == 15, "the live posts")
    assert stream.ids == due(x)[5:]
    assert all(post["matching_rules"][0]["tag"] == "f:12" for post in stream.posts)


def test_backfill_repeats_what_was_delivered_before_and_is_charged_once(firm, until):
    x = firm
    first = x.app.stream()
    make(x, 20, every_s=1.0)
    until(lambda: len(first.ids) == 20, "all posts")
    first.close()
    until(lambda: x.v2.connections()[0]["closed_by"], "the end")
    make(x, 10, every_s=1.0)
    second = x.app.stream(backfill_minutes="1")
    until(lambda: len(second.ids) == 30, "the backfill")
    assert second.ids == due(x)
    (day,) = x.v2.bill()
    assert (day["posts"], day["lines"]) == (30, 50)
    written = {tweet["id"]: tweet["connections"] for tweet in x.client.tweets()}
    assert {tuple(connections) for connections in written.values()} == {(1, 2), (2,)}


def test_a_backfill_longer_than_the_queue_is_not_cut(start_v2, until):
    x = start_v2({"queue_messages": 10}, enterprise=frozenset({"one"}))
    x.app.add(FOLLOW)
    x.client.burst(300, ["12"])
    stream = x.app.stream(backfill_minutes="5")
    until(lambda: len(stream.ids) == 300, "the backfill")
    assert stream.ids == due(x)


def test_a_recovery_brings_its_time_and_ends(firm, until):
    x = firm
    times = make(x, 5, 6, 7, 8)
    stream = recover(x, times[1], times[3])
    stream.wait_for_end()
    assert stream.ids == due(x)[5:18]
    (record,) = x.v2.connections()
    assert (record["recovery"], record["closed_by"], record["reason"]) == (True, "server", "recovered")


def test_a_recovery_that_stalls_stands_and_brings_nothing(firm, until):
    x = firm
    times = make(x, 5)
    x.v2.fault("recovery_stall")
    assert recover(x, times[0], times[0] + 1).status == 200
    stream = recover(x, times[0], times[0] + 1)
    stream.wait_for_end()
    first, second = x.v2.connections()
    assert (first["closed_at"], first["posts"]) == (None, 0)
    assert (second["reason"], second["posts"]) == ("recovered", 5)


def test_a_recovery_runs_beside_the_live_stream_and_gets_no_live_posts(firm, until):
    x = firm
    times = make(x, 5)
    live = x.app.stream()
    recovery = recover(x, times[0], times[0] + 1)
    assert (live.status, recovery.status) == (200, 200)
    x.client.burst(5, ["12"])
    until(lambda: len(live.ids) == 5, "the live posts")
    assert live.ids == due(x)[5:]
    assert x.app.stream().status == 200
    assert x.app.stream().status == 429


def test_two_recoveries_may_run_at_a_time(start_v2, until):
    x = start_v2({"queue_messages": 10}, enterprise=frozenset({"one"}))
    x.app.add(FOLLOW)
    began = x.client.state()["now"]
    x.client.burst(3000, ["12"])
    span = f"start_time={iso(began - 1)}&end_time={iso(x.client.state()['now'])}"
    fields = "tweet.fields=entities,public_metrics,edit_controls,referenced_tweets,conversation_id"
    head = "Host: x\r\nAuthorization: Bearer t-one\r\n\r\n"
    request = f"GET /2/tweets/search/stream?{span}&{fields} HTTP/1.1\r\n{head}"
    host = urlsplit(x.url)
    with contextlib.ExitStack() as sockets:
        for number in range(2):
            slow = sockets.enter_context(socket.socket())
            slow.settimeout(DEADLINE_S)
            slow.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, 4096
            )  # so small that neither gets to its end
            slow.connect((host.hostname, host.port))
            slow.sendall(request.encode())
            until(lambda number=number: len(x.v2.connections()) > number, "the recovery")
        third = recover(x, began - 1, began)
        assert third.status == 429
        assert third.problem["connection_issue"] == "TooManyConnections"
        assert [one["closed_by"] for one in x.v2.connections()] == [None, None]
        assert x.app.stream().status == 200
        assert len(x.app.connections()) == 3


@pytest.mark.parametrize(
    "params",
    [
        {"backfill_minutes": "6"},
        {"backfill_minutes": "-1"},
        {"start_time": -3600.0},
        {"end_time": -60.0},
        {"start_time": -60.0, "end_time": -60.0},
        {"start_time": -60.0, "end_time": 60.0},
        {"start_time": -90_000.0, "end_time": -60.0},
        {"start_time": -90.0, "end_time": -60.0, "backfill_minutes": "1"},
    ],
)
def test_times_that_cannot_be_had_are_refused(firm, params):
    now = firm.clock().unix
    given = {name: iso(now + item) if isinstance(item, float) else item for name, item in params.items()}
    refused = firm.app.stream(**given)
    assert refused.status == 400
    assert refused.problem["title"] == "Invalid Request"


def test_without_an_enterprise_contract_there_is_no_past(firm):
    now = firm.clock().unix
    assert firm.other.stream(backfill_minutes="1").status == 400
    assert firm.other.stream(start_time=iso(now - 60), end_time=iso(now - 30)).status == 400
    assert firm.other.stream(backfill_minutes="0").status == 200


def test_a_backfill_can_bring_each_post_twice(firm, until):
    x = firm
    make(x, 5, every_s=1.0)
    x.v2.fault("backfill_twice")
    stream = x.app.stream(backfill_minutes="1")
    until(lambda: len(stream.ids) == 10, "the backfill")
    assert stream.ids == [one for one in due(x) for _ in range(2)]


def test_a_recovery_can_end_early_and_be_asked_again(firm):
    x = firm
    times = make(x, 20)
    x.v2.fault("recovery_cut", posts=7)
    cut = recover(x, times[0], times[0] + 1)
    cut.wait_for_end()
    whole = recover(x, times[0], times[0] + 1)
    whole.wait_for_end()
    assert (cut.ids, whole.ids) == (due(x)[:7], due(x))
    assert [one["reason"] for one in x.v2.connections()] == ["recovery_cut", "recovered"]


def test_the_second_of_two_connections_can_lag(start_v2, until):
    x = start_v2(enterprise=frozenset({"one"}))
    x.app.add(FOLLOW)
    first, second = x.app.stream(), x.app.stream()
    struck = x.v2.fault("lag", lag_s=0.5)["struck"]
    assert struck == [2]
    x.client.burst(20, ["12"])
    until(lambda: len(first.ids) == 20, "the posts of the first")
    until(lambda: len(second.ids) == 20, "the posts of the second")
    assert first.ids == second.ids == due(x)
    lags = [late - early for early, late in (tweet["written_mono"] for tweet in x.client.tweets())]
    assert min(lags) > 0.3
    x.v2.clear_faults()
    x.client.burst(5, ["12"])
    until(lambda: len(second.ids) == 25, "the posts without lag")


def test_a_fault_can_strike_one_connection_only(start_v2, until):
    x = start_v2(enterprise=frozenset({"one"}))
    x.app.add(FOLLOW)
    streams = [x.app.stream(), x.app.stream()]
    x.v2.fault("close", connection=1)
    until(lambda: x.v2.connections()[0]["closed_by"] == "fault", "the end")
    assert x.v2.connections()[1]["closed_by"] is None
    x.client.burst(5, ["12"])
    until(lambda: len(streams[1].ids) == 5, "the posts of the other")
