"""The stream over real HTTP: who gets in, which posts come, and what the record and the bill say of it."""

import socket
from urllib.parse import urlsplit

import pytest
from support.waiting import DEADLINE_S

from traptor.sandbox.wire.encoding import Chunking
from traptor.sandbox.wire.framing import Framing

FOLLOW = "from:12 OR to:12 OR retweets_of:12"


def matched(x, app="one"):
    return [match for match in x.v2.matches() if match["app"] == app]


def test_posts_that_a_filter_finds_come_with_its_id_and_tag(following, until):
    x = following
    (listed,) = x.app.listed()
    stream = x.app.stream()
    assert stream.status == 200
    x.client.burst(50, ["12"])
    x.client.burst(50, ["13"])
    ids = [match["id"] for match in matched(x)]
    assert len(ids) > 20
    until(lambda: len(stream.ids) == len(ids), "all posts")
    assert stream.ids == ids
    assert all(post["matching_rules"] == [{"id": listed["id"], "tag": "f:12"}] for post in stream.posts)
    assert {match["filters"][0] for match in matched(x)} == {listed["id"]}


def test_one_timeline_is_read_as_v1_and_as_v2(following, world_v1, until):
    x = following
    old = world_v1(x.url)
    new = x.app.stream()
    x.client.burst(60, ["12"])
    until(lambda: len(old.ids) == 60 and len(new.ids) == len(matched(x)), "all tweets")
    assert set(new.ids) <= set(old.ids)
    texts = {tweet["id_str"]: tweet["text"] for tweet in old.messages}
    plain = [post["data"] for post in new.posts if "…" not in texts[post["data"]["id"]]]
    assert plain
    assert all(post["text"] == texts[post["id"]] for post in plain)
    written = {tweet["id"]: set(tweet["connections"]) for tweet in x.client.tweets()}
    assert {post_id for post_id, connections in written.items() if connections == {1, 2}} == set(new.ids)


def test_a_stream_without_filters_is_refused(x):
    refused = x.app.stream()
    assert refused.status == 409
    assert refused.problem["connection_issue"] == "RuleConfigurationIssue"


def test_the_second_connection_is_refused_and_the_first_stays(following, until):
    x = following
    first = x.app.stream()
    second = x.app.stream()
    assert second.status == 429
    assert second.problem["connection_issue"] == "TooManyConnections"
    assert int(second.response.headers["x-rate-limit-remaining"]) > 0
    x.client.burst(20, ["12"])
    until(lambda: first.ids, "posts of the first")
    x.other.add(FOLLOW)
    assert x.other.stream().status == 200


def test_two_connections_can_be_allowed_and_get_the_same(start_v2, until):
    x = start_v2(connections=2)
    x.app.add(FOLLOW)
    both = [x.app.stream(), x.app.stream()]
    assert [stream.status for stream in both] == [200, 200]
    assert x.app.stream().status == 429
    x.client.burst(30, ["12"])
    ids = [match["id"] for match in matched(x)]
    until(lambda: all(stream.ids == ids for stream in both), "the same posts twice")


def test_a_client_that_closes_frees_its_slot(following, until):
    x = following
    for number in range(5):
        stream = x.app.stream()
        assert stream.status == 200
        stream.close()
        until(lambda number=number: x.v2.connections()[number]["closed_by"] == "client", "the end")
        assert x.app.connections() == []


def test_a_slot_lingers_after_a_dead_client_until_it_is_ended(start_v2, until):
    x = start_v2(linger_s=300.0)
    x.app.add(FOLLOW)
    x.app.stream().close()
    until(lambda: x.v2.connections()[0]["closed_by"] == "client", "the end")
    assert x.app.stream().status == 429
    (zombie,) = x.app.connections()
    answer = x.app.call("DELETE", "/2/connections", {"uuids": [zombie["id"]]})
    assert answer.json()["data"] == {
        "successful_kills": 1,
        "failed_kills": 0,
        "results": [{"uuid": zombie["id"], "success": True}],
    }
    assert x.app.stream().status == 200


def test_a_change_of_filters_acts_later_without_a_reconnect(start_v2, until):
    x = start_v2(steps=True, effect_s=20.0)
    x.app.add(FOLLOW)
    stream = x.app.stream()
    x.clock.move_on(19.9)
    x.client.burst(30, ["12"])
    assert matched(x) == []
    x.clock.move_on(0.2)
    x.app.delete(values=[FOLLOW])
    x.clock.move_on(19.9)
    x.client.burst(30, ["12"])
    x.clock.move_on(0.2)
    x.client.burst(30, ["12"])
    until(lambda: len(stream.ids) == 30, "the posts of the time between")
    assert stream.ids == [match["id"] for match in matched(x)]
    assert len(x.v2.connections()) == 1


def test_one_post_names_all_filters_that_found_it(x, until):
    ids = [
        one["id"] for one in x.app.add("from:12", "from:12 lang:en", "from:12 -is:nullcast").json()["data"]
    ]
    stream = x.app.stream()
    x.client.burst(60, ["12"])
    until(lambda: stream.ids and len(stream.ids) == len(matched(x)), "posts")
    assert len(set(stream.ids)) == len(stream.ids)
    assert [rule["id"] for rule in stream.posts[0]["matching_rules"]] == ids


def test_fields_and_expansions_are_as_asked_for(following, until):
    x = following
    stream = x.app.stream(tweet__fields="author_id,created_at", expansions="author_id")
    x.client.burst(30, ["12"])
    until(lambda: stream.posts, "posts")
    post = stream.posts[0]
    assert {"id", "text", "author_id", "created_at", "edit_history_tweet_ids"} == set(post["data"])
    assert post["includes"]["users"]


@pytest.mark.parametrize(
    "params", [{"tweet__fields": "nope"}, {"backfill_minutes": "5"}, {"expansions": "x"}]
)
def test_a_parameter_that_is_unknown_is_an_invalid_request(following, params):
    refused = following.app.stream(**params)
    assert (refused.status, refused.problem["title"]) == (400, "Invalid Request")
    assert following.v2.connections() == []


def test_a_post_in_excess_of_the_rate_is_left_out_and_counted(start_v2, until):
    x = start_v2(steps=True, rate=10.0)
    x.app.add(FOLLOW)
    stream = x.app.stream()
    for seconds in (0.0, 0.5, 60.0):
        x.clock.move_on(seconds)
        x.client.burst(30, ["12"])
    until(lambda: len(stream.ids) == 10 + 5 + 10, "the posts below the rate")
    assert stream.ids == [match["id"] for match in matched(x) if not match["over_rate"]]
    assert x.v2.connections()[0]["over_rate"] == 90 - 25


def test_the_bill_charges_what_was_written(following, until):
    x = following
    stream = x.app.stream(expansions="author_id")
    x.client.burst(40, ["12"])
    until(lambda: stream.ids and len(stream.ids) == len(matched(x)), "all posts")
    users = sum(len(post["includes"]["users"]) for post in stream.posts)
    until(lambda: x.v2.bill()[0]["lines"] == len(stream.ids), "the bill")
    (day,) = x.v2.bill()
    assert (day["app"], day["posts"], day["included_users"]) == ("one", len(stream.ids), users)
    assert day["dollars"] == pytest.approx(0.005 * len(stream.ids) + 0.010 * users)


def test_silence_is_broken_by_keep_alives(start_v2, until):
    x = start_v2(keep_alive_s=0.05)
    x.app.add(FOLLOW)
    stream = x.app.stream()
    until(lambda: stream.data.count(b"\r\n") >= 3, "keep-alives")
    assert not stream.data.strip()


@pytest.mark.parametrize("chunking", [Chunking.WHOLE, Chunking.ODD, Chunking.SPLIT])
@pytest.mark.parametrize("framing", [one for one in Framing if one is not Framing.ANY])
def test_posts_come_whole_in_every_framing(start_v2, until, chunking, framing):
    x = start_v2({"chunking": chunking, "framing": framing})
    x.app.add(FOLLOW)
    stream = x.app.stream()
    x.client.burst(60, ["12"])
    ids = [match["id"] for match in matched(x)]
    x.v2.fault("close")
    until(lambda: stream.has_ended, "the end")
    assert stream.ids == ids


def test_a_reader_that_is_too_slow_is_cut_with_a_reason(start_v2, until):
    x = start_v2({"queue_messages": 5})
    x.app.add(FOLLOW)
    host = urlsplit(x.url)
    with socket.create_connection((host.hostname, host.port), timeout=DEADLINE_S) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(
            b"GET /2/tweets/search/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t-one\r\n\r\n"
        )
        until(x.v2.connections, "the connection")
        until(
            lambda: x.client.burst(500, ["12"]) and x.v2.connections()[0]["closed_by"] == "server", "the cut"
        )
        assert x.v2.connections()[0]["reason"] == "SlowReader"
