"""Every fault over real HTTP, as a collector meets it."""

import time

import orjson
import pytest
from urllib3.exceptions import ProtocolError

PHRASE = ["flood warning"]


@pytest.mark.parametrize("status", [401, 403, 404, 406, 420, 429, 503])
def test_connects_are_answered_with_the_status_asked_for(world, status):
    world.client.fault("status", status=status, retry_after=7, times=1)
    reader = world.read()
    assert reader.status == status
    assert reader.response.headers["Retry-After"] == "7"
    assert world.status() == 200
    assert [one["status"] for one in world.client.attempts()] == [status, 200]


def test_a_fault_of_one_account_leaves_the_others_alone(world):
    world.client.fault("status", status=503, account="a-ck/a-at")
    assert (world.status("a"), world.status("b"), world.status("a")) == (503, 200, 503)
    world.client.clear_faults("a-ck/a-at")
    assert world.status("a") == 200


def test_faults_in_force_are_listed_until_cleared(world):
    world.client.fault("status", status=503, times=3)
    world.client.fault("slow_start", after=0.1)
    world.status()
    assert [(one["fault"], one["times"]) for one in world.client.faults()["faults"]] == [
        ("status", 2),
        ("slow_start", None),
    ]
    world.client.clear_faults()
    assert world.client.faults() == {"faults": [], "stalled_connections": []}


def test_a_stalled_stream_is_silent_and_stays_open(start, until):
    world = start(keep_alive_s=0.05)
    silent, other = world.read("a"), world.read("b")
    until(lambda: silent.data, "a keep-alive")
    assert world.client.fault("stall", account="a-ck/a-at")["struck"] == [1]
    sent = world.connection(1)["keep_alives"]
    world.client.burst(5, PHRASE)
    other.wait_for_tweets(5)
    kept = len(other.data)
    until(lambda: len(other.data) > kept + 10, "keep-alives on the other stream")
    assert world.connection(1)["keep_alives"] == sent
    assert silent.messages == []
    assert not silent.has_ended
    assert world.client.faults()["stalled_connections"] == [1]
    assert world.written_to(1) == []
    world.client.clear_faults()
    world.client.burst(2, PHRASE)
    silent.wait_for_tweets(2)


def test_a_stall_may_end_by_itself(world, until):
    reader = world.read()
    world.client.fault("stall", seconds=0.2)
    until(lambda: world.client.faults()["stalled_connections"] == [], "the end of the stall")
    world.client.burst(1, PHRASE)
    reader.wait_for_tweets(1)


def test_a_half_open_stream_gets_neither_bytes_nor_an_end(start, until):
    world = start(keep_alive_s=0.05)
    gone, other = world.read("a"), world.read("b")
    world.client.burst(3, PHRASE)
    gone.wait_for_tweets(3)
    world.client.fault("half_open", account="a-ck/a-at")
    until(lambda: world.connection(1)["closed_by"] == "fault", "the record of it")
    seen, kept = gone.data, len(other.data)
    world.client.burst(3, PHRASE)
    until(lambda: len(other.data) > kept + 50, "keep-alives on the other stream")
    assert not gone.has_ended
    assert gone.data.strip() == seen.strip()
    world.client.clear_faults()
    gone.wait_for_end()  # only now the socket is closed
    assert gone.error is not None


def test_a_reset_cuts_a_message_in_the_middle(world):
    reader = world.read()
    world.client.burst(5, PHRASE)
    world.client.fault("reset")
    reader.wait_for_end()
    assert isinstance(reader.error, ProtocolError)
    assert "reset" in str(reader.error).lower()
    assert reader.ids == world.written_to(1)
    assert reader.data.split(b"\r\n")[-1].startswith(b'{"created_at"')
    assert (world.connection(1)["closed_by"], world.connection(1)["reason"]) == ("fault", "reset")


def test_garbage_is_a_broken_line_and_a_binary_one_and_the_stream_goes_on(world):
    reader = world.read()
    world.client.fault("garbage")
    world.client.burst(1, PHRASE)
    reader.wait_for_tweets(3)
    broken, binary, tweet = reader.lines
    assert broken.startswith(b'{"created_at"')
    assert b"\xff" in binary
    assert tweet.endswith(b"}")
    for line in (broken, binary):
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(line)


def test_a_disconnect_message_comes_before_the_end(world):
    reader = world.read()
    world.client.fault("disconnect", code=1)
    reader.wait_for_end()
    assert reader.error is None
    assert reader.messages[-1]["disconnect"]["code"] == 1


def test_a_clean_end_loses_nothing_that_was_written(world):
    reader = world.read()
    world.client.burst(300, PHRASE)
    world.client.fault("close")
    reader.wait_for_end()
    assert reader.error is None
    assert reader.ids == world.written_to(1)
    assert len(reader.ids) == 300


def test_a_slow_start_holds_the_headers_back(world):
    world.client.fault("slow_start", after=0.5, times=1)
    before = time.monotonic()
    assert world.status() == 200
    assert world.client.attempts()[0]["at_mono"] + 0.5 <= world.connection(1)["opened_mono"]
    assert before <= world.client.attempts()[0]["at_mono"]


def test_a_close_may_come_right_after_the_200(world):
    world.client.fault("close_after", times=2)
    for number in (1, 2):
        reader = world.read()
        reader.wait_for_end()
        assert (reader.status, reader.data, reader.error) == (200, b"", None)
        assert world.connection(number)["closed_by"] == "fault"
    assert not world.read().has_ended


def test_a_second_connection_may_be_refused_while_one_is_open(world, until):
    world.client.fault("refuse_second", status=429)
    first = world.read()
    assert [world.status(), world.status()] == [429, 429]
    world.client.burst(1, PHRASE)
    first.wait_for_tweets(1)
    first.close()
    until(lambda: world.connection(1)["closed_by"], "the end of the first")
    assert world.status() == 200


@pytest.mark.parametrize("kind", ["stall", "reset", "garbage", "disconnect", "close", "half_open"])
def test_faults_of_streams_can_wait_for_the_next_connect(world, until, kind):
    calm = world.read("b")
    world.client.fault(kind, on="connects", account="a-ck/a-at", times=1)
    reader = world.read("a")
    assert reader.status == 200
    if kind == "garbage":
        reader.wait_for_tweets(2)
    elif kind == "stall":
        until(lambda: world.client.faults()["stalled_connections"] == [2], "the stall")
    else:
        until(lambda: world.connection(2)["closed_by"] == "fault", "the end")
    assert not calm.has_ended
    assert world.client.faults()["faults"] == []


def test_faults_combine(world):
    world.client.fault("slow_start", after=0.2, times=1)
    world.client.fault("status", status=503, times=1)
    assert world.status() == 503
    world.client.fault("garbage", on="connects")
    world.client.fault("close_after", after=0.2)
    reader = world.read()
    reader.wait_for_end()
    assert len(reader.lines) == 2


@pytest.mark.parametrize(
    "message",
    [
        {"delete": {"status": {"id": 1, "id_str": "1", "user_id": 42, "user_id_str": "42"}}},
        {"scrub_geo": {"user_id": 42, "up_to_status_id": 900000000000000001}},
        {"limit": {"track": 1234, "timestamp_ms": "1790000000123"}},
        {"status_withheld": {"id": 1, "user_id": 42, "withheld_in_countries": ["DE"]}},
        {"user_withheld": {"id": 42, "withheld_in_countries": ["DE"]}},
        {"warning": {"code": "FALLING_BEHIND", "message": "x", "percent_full": 60}},
        {"unheard_of": {"ä": "☕"}},
    ],
)
def test_any_message_can_be_written(world, message):
    one, other = world.read("a"), world.read("b")
    assert world.client.message(message, "a-ck/a-at") == [1]
    assert world.client.message(message) == [1, 2]
    one.wait_for_tweets(2)
    other.wait_for_tweets(1)
    assert one.messages == [message, message]
    assert other.messages == [message]
    assert world.connection(1)["messages"] == 2
    assert world.connection(1)["tweets"] == 0
