"""Streams over real HTTP: who gets in, what is written to whom, and what the record says of it."""

import socket
import time

import orjson
import pytest
import requests
import tweepy
from requests_oauthlib import OAuth1
from support.waiting import DEADLINE_S

from traptor.sandbox.server import Sandbox
from traptor.sandbox.tweets.replay import Replay, load_replay
from traptor.sandbox.v1.accounts import Accounts
from traptor.sandbox.wire.encoding import Chunking
from traptor.sandbox.wire.framing import Framing

FILTER = "/1.1/statuses/filter.json"
KEY = {
    "name": "one",
    "consumer_key": "one-ck",
    "consumer_secret": "one-cs",
    "access_token": "one-at",
    "access_token_secret": "one-ats",
}


class Collector(tweepy.streaming.BaseStream):
    """The client that the real collector builds on."""

    def __init__(self, **options):
        super().__init__(**options)
        self.ids = []
        self.refused = []

    def on_data(self, raw):
        self.ids.append(orjson.loads(raw)["id_str"])

    def on_request_error(self, status_code):
        self.refused.append(status_code)
        self.running = False

    def on_closed(self, response):
        self.running = False

    def collect(self, url, key="one", **params):
        auth = tweepy.OAuth1UserHandler(f"{key}-ck", f"{key}-cs", f"{key}-at", f"{key}-ats").apply_auth()
        self._threaded_connect("POST", f"{url}{FILTER}", auth=auth, body=params, timeout=DEADLINE_S)


@pytest.fixture
def collector():
    one = Collector(chunk_size=65_536)
    yield one
    one.running = False
    if one.thread is not None:
        one.thread.join(DEADLINE_S)
        assert not one.thread.is_alive()


def test_tweepy_receives_exactly_what_the_record_says(world, collector, until):
    world.client.set_accounts([KEY])
    collector.collect(world.url, track="Flood  Warning,#storm & rain", stall_warnings="true")
    until(world.client.connections, "the connection")
    world.client.burst(300)
    until(lambda: world.client.fault("close")["struck"], "the end")
    until(lambda: not collector.running, "tweepy's end")
    assert collector.ids == world.written_to(1)
    assert len(collector.ids) > 50


def test_tweepy_with_a_wrong_secret_is_refused(world, collector, until):
    world.client.set_accounts([{**KEY, "consumer_secret": "other"}])
    collector.collect(world.url, track="flood")
    until(lambda: collector.refused, "a refusal")
    assert collector.refused == [401]
    assert world.client.connections() == []


def test_a_tweet_is_written_to_those_who_asked_for_one_of_its_values(world):
    track = world.read("a", {"track": "flood warning,other"})
    follow = world.read("b", {"follow": "12"})
    both = world.read("c", {"track": "FLOOD WARNING", "locations": "-10.0,20,5,40"})
    world.client.burst(20, ["flood warning"])
    world.client.burst(10, ["12"])
    world.client.burst(5, ["-10,20,5,40"])
    world.client.burst(7, ["nobody asked"])
    for reader, count in ((track, 20), (follow, 10), (both, 25)):
        reader.wait_for_tweets(count)
    world.client.fault("close")
    for number, (reader, count) in enumerate(((track, 20), (follow, 10), (both, 25)), start=1):
        reader.wait_for_end()
        assert len(reader.ids) == count
        assert reader.ids == world.written_to(number)
        record = world.connection(number)
        assert record["messages"] == record["tweets"] == count
        assert record["bytes"] == len(reader.data)
    assert world.client.state()["written"] == 55
    assert [tweet["for"] for tweet in world.client.tweets()][-1] == ["nobody asked"]


def test_get_streams_as_well_as_post(world, until):
    world.client.set_accounts([KEY])
    with (
        requests.Session() as session,
        session.get(
            f"{world.url}{FILTER}",
            params={"track": "flood warning,a b"},
            auth=OAuth1("one-ck", "one-cs", "one-at", "one-ats"),
            stream=True,
            timeout=DEADLINE_S,
        ) as response,
    ):
        assert response.status_code == 200
        until(world.client.connections, "the connection")
        world.client.burst(1, ["a b"])
        assert orjson.loads(next(response.iter_lines()))["id_str"]


def test_the_timeline_runs_whether_or_not_anybody_is_connected(start, until):
    world = start(rate=200)
    world.client.set_rules([("track", "flood warning")])
    until(lambda: world.client.state()["made"] > 20, "tweets")
    reader = world.read()
    reader.wait_for_tweets(10)
    made = world.client.stop_timeline()
    stopped = world.client.state()["now_mono"]
    until(lambda: world.client.state()["now_mono"] > stopped + 0.2, "time for 40 tweets")
    assert world.client.state()["made"] == made
    world.client.start_timeline()
    until(lambda: world.client.state()["made"] > made, "more tweets")


def test_rates_and_rules_change_with_the_next_tweet(world, until):
    world.client.set_rate(200)
    until(lambda: world.client.state()["made"] > 5, "tweets")
    world.client.set_rules([("track", "hail")])
    change = world.client.rules()["changes"][-1]
    until(lambda: world.client.state()["made"] > change["next_n"] + 20, "tweets")
    values = {value for tweet in world.client.tweets(change["next_n"] - 1) for value in tweet["for"]}
    assert values == {"hail"}
    assert world.client.rules()["rules"] == [{"type": "track", "value": "hail"}]


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"stall_warnings": "true"}, 406),
        ({"track": "a,,b"}, 406),
        ({"track": "x" * 61}, 406),
        ({"follow": "jack"}, 406),
        ({"locations": "5,20,-10,40"}, 406),
        ({"track": "a", "count": "10"}, 416),
        ({"track": ",".join(f"w{n}" for n in range(401))}, 413),
        ({"follow": ",".join(str(n) for n in range(1, 5002))}, 413),
        ({"locations": ",".join(f"{n},0,{n + 1},1" for n in range(26))}, 413),
    ],
)
def test_a_filter_that_twitter_refuses_gets_its_status(world, params, status):
    assert world.status("a", params) == status
    attempt = world.client.attempts()[-1]
    assert (attempt["status"], attempt["account"], attempt["connection"]) == (status, "a-ck/a-at", None)
    assert attempt["reason"]


def test_a_full_filter_is_taken(world):
    follow = ",".join(str(10**15 + n) for n in range(5000))
    reader = world.read("a", {"follow": follow})
    assert reader.status == 200
    assert world.connection(1)["counts"] == {"follow": 5000}
    world.client.burst(1, [str(10**15 + 4999)])
    reader.wait_for_tweets(1)


def test_no_oauth_header_is_401_even_without_accounts(world):
    assert requests.post(f"{world.url}{FILTER}", data={"track": "a"}, timeout=DEADLINE_S).status_code == 401
    assert world.client.attempts()[-1]["status"] == 401


def test_more_connects_than_the_budget_are_420(start):
    world = start(connects=2, connects_window_s=600)
    assert [world.status("a") for _ in range(4)] == [200, 200, 420, 420]
    assert world.status("b") == 200
    assert [one["status"] for one in world.client.attempts()] == [200, 200, 420, 420, 200]


def test_the_record_says_when_a_tweet_was_written_to_each_connection(world):
    readers = [world.read("a"), world.read("b")]
    before = time.monotonic()
    world.client.burst(20, ["flood warning"])
    for reader in readers:
        reader.wait_for_tweets(20)
    world.client.fault("close")
    for reader in readers:
        reader.wait_for_end()
    for tweet in world.client.tweets():
        assert sorted(tweet["connections"]) == [1, 2]
        assert len(tweet["written_mono"]) == 2
        assert all(before <= tweet["made_mono"] <= at <= time.monotonic() for at in tweet["written_mono"])


def test_a_newer_connection_ends_the_older_after_its_own_200(world):
    older = world.read("a")
    world.client.burst(5, ["flood warning"])
    newer = world.read("a")
    older.wait_for_end()
    assert older.error is None
    assert len(older.ids) == 5
    first, second = world.client.connections()
    assert (first["closed_by"], second["closed_by"]) == ("replaced", None)
    assert first["closed_mono"] >= second["opened_mono"]
    world.client.burst(1, ["flood warning"])
    newer.wait_for_tweets(1)
    assert newer.ids == world.written_to(2)


def test_other_accounts_are_left_alone(world):
    one, other = world.read("a"), world.read("b")
    world.client.burst(1, ["flood warning"])
    one.wait_for_tweets(1)
    other.wait_for_tweets(1)
    assert one.ids == other.ids


def test_an_account_may_be_given_more_connections(start):
    world = start(lambda settings: Sandbox(settings, Accounts(max_connections=2)))
    readers = [world.read("a") for _ in range(3)]
    readers[0].wait_for_end()
    assert [one["closed_by"] for one in world.client.connections()] == ["replaced", None, None]


def test_a_replaced_connection_may_be_told_so(start):
    world = start(says_replaced=True)
    older = world.read("a")
    world.read("a")
    older.wait_for_end()
    assert older.messages[-1]["disconnect"]["code"] == 7


def test_a_client_that_goes_is_noticed(world, until):
    world.read("a").close()
    until(lambda: world.connection(1)["closed_by"] == "client", "the record of it")
    record = world.connection(1)
    assert record["opened_at"] <= record["closed_at"] <= time.time()
    assert record["opened_mono"] <= record["closed_mono"] <= time.monotonic()
    assert record["peer_ip"] == "127.0.0.1"


def test_silence_is_broken_by_keep_alives(start, until):
    world = start(keep_alive_s=0.05)
    reader = world.read()
    until(lambda: reader.data.startswith(b"\r\n\r\n\r\n"), "keep-alives")
    assert reader.messages == []
    until(lambda: world.connection(1)["keep_alives"] >= 3, "their count")
    assert world.connection(1)["messages"] == 0


def test_gzip_is_flushed_after_every_message(world):
    reader = world.read("a", **{"Accept-Encoding": "gzip"})
    assert reader.response.headers["Content-Encoding"] == "gzip"
    for count in (1, 2, 3):
        world.client.burst(1, ["flood warning"])
        reader.wait_for_tweets(count)
    world.client.fault("close")
    reader.wait_for_end()
    assert reader.error is None
    assert reader.ids == world.written_to(1)
    assert world.connection(1)["gzip"]
    assert world.connection(1)["bytes"] == len(reader.data)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_odd_chunks_carry_the_same_messages(start, encoding):
    world = start(chunking=Chunking.ODD)
    odd = world.read("a", **{"Accept-Encoding": encoding})
    world.client.burst(200, ["flood warning"])
    odd.wait_for_tweets(200)
    assert odd.ids == world.written_to(1)
    if encoding == "identity":
        assert any(chunk.endswith(b"\r") for chunk in odd.chunks)
        assert any(chunk.endswith(b"\\u") for chunk in odd.chunks)
        assert any(b"}\r\n{" in chunk for chunk in odd.chunks)


@pytest.mark.parametrize("framing", list(Framing))
@pytest.mark.parametrize("chunking", list(Chunking))
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_every_framing_carries_each_message_at_once(start, eager, framing, chunking, encoding):
    world = start(framing=framing, chunking=chunking)
    reader = world.read(kind=eager, **{"Accept-Encoding": encoding})
    for count in (1, 2, 30):
        world.client.burst(count - len(reader.ids), ["flood warning"])
        reader.wait_for_tweets(count)
    world.client.fault("close")
    reader.wait_for_end()
    assert reader.ids == world.written_to(1)


@pytest.mark.parametrize(
    ("framing", "header"),
    [
        ("chunked", ("Transfer-Encoding", "chunked")),
        ("plain", ("Transfer-Encoding", "chunked")),
        ("close", ("Connection", "close")),
        ("length", ("Content-Length", str(1 << 50))),
        ("gzip", ("Content-Encoding", "gzip")),
    ],
)
@pytest.mark.parametrize("chunking", list(Chunking))
def test_the_headers_say_how_it_is_framed(start, eager, framing, header, chunking):
    world = start(framing=Framing(framing), chunking=chunking)
    headers = world.read(kind=eager, **{"Accept-Encoding": "gzip"}).response.headers
    assert headers[header[0]] == header[1]
    assert ("Transfer-Encoding" in headers) == (framing in ("chunked", "plain"))
    assert ("Content-Encoding" in headers) == (framing in ("chunked", "gzip"))
    assert ("Content-Length" in headers) == (framing == "length")


def test_a_split_chunk_goes_on_in_the_next_message(start, until):
    world = start(chunking=Chunking.SPLIT)
    whole = world.read()
    world.client.burst(1, ["flood warning"])
    until(lambda: world.written_to(1), "a message is written")
    assert not whole.chunks
    until(lambda: world.client.burst(1, ["flood warning"]) or whole.chunks, "the end of a chunk")


def test_streams_come_by_tls_too(start, tmp_path):
    world = start(ca_file=tmp_path / "ca.pem")
    tls_url = world.sandbox.tls_url
    assert tls_url.startswith("https://127.0.0.1:")
    answer = requests.post(
        f"{tls_url}/1.1/statuses/filter.json",
        data={"track": "x"},
        auth=OAuth1("ck", "cs", "at", "ats"),
        stream=True,
        timeout=DEADLINE_S,
        verify=str(tmp_path / "ca.pem"),
    )
    with answer:
        assert answer.status_code == 200
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{tls_url}/healthz", timeout=DEADLINE_S)


def test_whole_chunks_are_one_message_each(world):
    reader = world.read()
    world.client.burst(50, ["flood warning"])
    reader.wait_for_tweets(50)
    assert [orjson.loads(chunk)["id_str"] for chunk in reader.chunks] == world.written_to(1)


def test_delimited_gives_the_length_of_every_message(world):
    reader = world.read("a", {"track": "flood warning", "delimited": "length"})
    world.client.burst(3, ["flood warning"])
    reader.wait_for_tweets(6)
    for length, message in zip(reader.lines[::2], reader.lines[1::2], strict=True):
        assert int(length) == len(message) + 2


def test_one_who_reads_too_slowly_is_cut_and_told(start, until):
    world = start(queue_messages=50)
    with socket.create_connection(("127.0.0.1", int(world.url.rsplit(":", 1)[1]))) as slow:
        slow.settimeout(DEADLINE_S)
        form = b"track=flood+warning"
        slow.sendall(
            b"POST /1.1/statuses/filter.json HTTP/1.1\r\nHost: x\r\n"
            b'Authorization: OAuth oauth_consumer_key="a",oauth_token="b",oauth_signature="c",'
            b'oauth_timestamp="1",oauth_nonce="n"\r\n'
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s"
            % (len(form), form)
        )
        until(world.client.connections, "the connection")
        while world.connection(1)["closed_by"] is None:
            world.client.burst(2000, ["flood warning"])
        received = bytearray()
        while piece := slow.recv(1 << 20):
            received += piece
    record = world.connection(1)
    assert (record["closed_by"], record["reason"]) == ("server", "slow reader")
    assert b'"code":4' in received
    assert received.endswith(b"\r\n0\r\n\r\n")
    assert received.count(b'{"created_at"') >= record["tweets"]
    assert record["tweets"] == len(world.written_to(1)) < world.client.state()["made"]


def test_sixty_connections_at_once_each_get_their_own(start):
    world = start()
    rules = [("follow", str(number)) for number in range(1, 61)]
    world.client.set_rules(rules)
    readers = [world.read(f"k{user}", {"follow": user}) for _, user in rules]
    world.client.burst(600, [user for _, user in rules])
    for number, reader in enumerate(readers, start=1):
        reader.wait_for_tweets(10)
        assert len(reader.ids) == 10
        assert reader.ids == world.written_to(number)


def test_the_same_seed_makes_the_same_timeline(start):
    def forms(seed):
        world = start(seed=seed)
        world.client.set_rules([("track", "flood warning,storm"), ("follow", "12")])
        world.client.burst(100)
        return [(tweet["for"], tweet["form"]) for tweet in world.client.tweets()]

    assert forms(5) == forms(5) != forms(6)


def test_a_replayed_file_goes_to_those_it_is_for(start, tmp_path, until):
    path = tmp_path / "tweets.jsonl"
    path.write_bytes(
        b'{"id_str":"1","text":"to all"}\n'
        b'{"for":["storm"],"tweet":{"id_str":"2"}}\n'
        b'{"delete":{"status":{"id_str":"1"}}}\n'
    )
    world = start(lambda settings: Sandbox(settings, replay=Replay(load_replay(path))))
    storm, other = world.read("a", {"track": "storm"}), world.read("b", {"track": "hail"})
    world.client.set_rate(1000)
    storm.wait_for_tweets(3)
    other.wait_for_tweets(2)
    assert storm.ids == ["1", "2"]
    assert other.ids == ["1"]
    until(lambda: world.client.state()["left_to_replay"] == 0, "the end of the file")


def test_a_stream_ends_properly_when_the_sandbox_is_told_to_stop(process):
    reader = process.read()
    process.client.burst(20, ["flood warning"])
    assert process.sandbox.stop() == 0
    reader.wait_for_end()
    assert reader.error is None
    assert len(reader.ids) == 20
