"""Keys that are refused, rate limited, used up, or bound to an address: nobody is hammered."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator

import pytest
from support.collection import Collection, Json, Key
from support.seen import attempts, open_now, states, watch
from support.waiting import wait_for
from trial.ports import free_port

from traptor.sandbox.process import SandboxProcess

Make = Callable[..., Collection]

SETTLED_S = 1.5


def pauses(tried: list[Json]) -> list[float]:
    times = [one["at_mono"] for one in tried]
    return [later - earlier for earlier, later in itertools.pairwise(times)]


# ---- refused keys


def test_keys_that_are_all_invalid_are_asked_once_each_until_a_good_one_comes(make_collection: Make) -> None:
    collection = make_collection(Key("bad1"), Key("bad2"), Key("bad3"))
    collection.sandbox.set_accounts([Key("good").account()])
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("follow:0", ["42"])
    collection.start()
    for name in ("track:0", "follow:0"):
        waiting = collection.wait_state(name, "WAITING_FOR_KEY")
        assert waiting["waits_for"].startswith("no key is free")
    assert set(states(collection).values()) == {"QUARANTINED"}
    assert all(key["not_before"] > collection.status()["at"] + 600 for key in collection.status()["keys"])
    watch(collection, SETTLED_S)
    assert [one["status"] for one in attempts(collection)] == [401, 401, 401]
    assert collection.redis.get("track:0:heartbeat") is None
    collection.keys.append(Key("good"))
    collection.write_ini()
    collection.wait_streaming("follow:0")  # as many rules as the other one: its name comes first
    assert states(collection)["good"] == "OK"
    assert len(attempts(collection)) == 4
    assert "key_refused" in [gap["cause"] for gap in collection.gaps("track:0") + collection.gaps("follow:0")]


@pytest.mark.long
def test_a_quarantine_ends_by_its_time_and_doubles_when_the_key_is_refused_again(
    make_collection: Make,
) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {"twitter": {"quarantine": "1s"}}
    collection.sandbox.fault("status", status=401, times=2)
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("track:0")
    tried = attempts(collection)
    assert [one["status"] for one in tried] == [401, 401, 200]
    first, second = pauses(tried)
    assert first >= 1.0
    assert second >= 2.0


@pytest.mark.long
def test_a_key_whose_overlap_is_refused_twice_is_refreshed_one_after_the_other(make_collection: Make) -> None:
    """Each time the old stream stays and the key cools down; then the gap is taken, and recorded."""
    collection = make_collection(Key("k1"))
    collection.options = {"twitter": {"rate_limit_backoff": "500ms"}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    collection.sandbox.fault("refuse_second")
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    collection.wait_new_pid("track:0", pid)
    assert [one["status"] for one in attempts(collection)] == [200, 420, 420, 200]
    assert pauses(attempts(collection))[1] >= 0.5
    first, second = collection.sandbox.connections()
    assert first["closed_by"] == "client"
    assert first["closed_mono"] > attempts(collection)[2]["at_mono"]
    assert sorted(second["values"]["track"]) == ["flood", "storm"]
    wait_for(lambda: "refresh" in [gap["cause"] for gap in collection.gaps("track:0")], "the gap")


# ---- waits


@pytest.mark.long
@pytest.mark.parametrize("status", [420, 429])
def test_a_rate_limit_is_waited_for_and_the_wait_doubles(make_collection: Make, status: int) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {"twitter": {"rate_limit_backoff": "500ms"}}
    collection.sandbox.fault("status", status=status, times=3)
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("track:0")
    tried = attempts(collection)
    assert [one["status"] for one in tried] == [status, status, status, 200]
    for pause, least in zip(pauses(tried), (0.5, 1.0, 2.0), strict=True):
        assert pause >= least
    assert "rate_limited" in [gap["cause"] for gap in collection.gaps("track:0")]


@pytest.mark.long
def test_a_wait_that_the_server_asks_for_is_kept_and_shown(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {"twitter": {"rate_limit_backoff": "200ms"}}
    collection.sandbox.fault("status", status=420, times=1, retry_after=3)
    collection.add_rules("track:0", ["storm"])
    collection.start()
    wait_for(lambda: states(collection).get("k1") == "COOLING", "the key cools down")
    waiting = wait_for(lambda: (c := collection.connection("track:0")).get("waits_until") and c, "it waits")
    assert waiting["waits_for"] == "the key rests: the server answered 420 or 429"
    collection.wait_streaming("track:0")
    assert pauses(attempts(collection))[0] >= 3.0


def test_server_errors_back_off_by_doubling(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {"twitter": {"http_backoff": "300ms"}}
    collection.sandbox.fault("status", status=503, times=3)
    collection.add_rules("track:0", ["storm"])
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    for pause, least in zip(pauses(attempts(collection)), (0.3, 0.6, 1.2), strict=True):
        assert pause >= least
    assert collection.connection("track:0")["restarts"] == 0
    assert pid


@pytest.mark.long
def test_a_stream_that_closes_right_after_its_200_is_backed_off_from(make_collection: Make) -> None:
    """A 200 is no success by itself: the waits go on doubling."""
    collection = make_collection(Key("k1"))
    collection.options = {"twitter": {"http_backoff": "300ms"}}
    collection.sandbox.fault("close_after", after=0, times=4)
    collection.add_rules("track:0", ["storm"])
    collection.start()
    wait_for(lambda: len(attempts(collection)) == 5, "five connects")
    for pause, least in zip(pauses(attempts(collection)), (0.3, 0.6, 1.2, 2.4), strict=True):
        assert pause >= least
    collection.wait_streaming("track:0")
    assert {one["status"] for one in attempts(collection)} == {200}


@pytest.mark.long
def test_a_server_that_is_away_is_found_again_by_the_same_worker(make_collection: Make) -> None:
    """Connections refused: the waits grow by steps, and no worker dies of it."""
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", ["storm"])
    collection.options = {"twitter": {"network_backoff": "100ms", "network_backoff_max": "400ms"}}
    port = str(free_port())
    with SandboxProcess("--connects", "0", "--keep-alive", "1", "--port", port) as first:
        collection.sandbox = first.client
        collection.start()
        pid = collection.wait_streaming("track:0")["track:0"]
    wait_for(lambda: failures(collection) >= 5, "five refused connects")
    times = [line.split()[0] for line in collection.log("track:0").splitlines() if "connect failed" in line]
    assert len(times) < 60, "no storm"
    with SandboxProcess("--connects", "0", "--port", port) as second:
        collection.sandbox = second.client
        assert collection.wait_streaming("track:0") == {"track:0": pid}
        assert collection.stop() == 0


def failures(collection: Collection) -> int:
    return collection.log("track:0").count("connect failed")


# ---- budgets


@pytest.mark.long
def test_a_budget_is_kept_over_a_restart_of_the_supervisor_and_never_exceeded(make_collection: Make) -> None:
    """Three connects in ten minutes: not more, however often worker and supervisor are killed."""
    collection = make_collection(Key("k1"))
    collection.options = {"twitter": {"connects": 3, "connects_window": "10m"}}
    collection.add_rules("track:0", ["storm"])
    for number in range(3):
        collection.start()
        collection.wait_streaming("track:0")
        assert collection.key("k1")["budget_left"] == 2 - number
        assert collection.process is not None
        collection.process.kill()
        collection.process.wait()
        wait_for(lambda: not open_now(collection), "the worker is gone, too")
        (collection.run_dir / "status.json").unlink()
    collection.start()
    waiting = wait_for(lambda: (c := collection.connection("track:0")).get("waits_for") and c, "it waits")
    assert waiting["waits_for"] == "3 of 3 connects in 600 s are used"
    assert waiting["waits_until"] > collection.status()["at"] + 300
    watch(collection, SETTLED_S)
    assert len(attempts(collection)) == 3


@pytest.mark.long
def test_in_no_window_a_key_connects_more_often_than_its_budget_allows(make_collection: Make) -> None:
    """Streams that keep being closed, with two keys: each stays within its budget, both are used."""
    collection = make_collection(Key("k1"), Key("k2"))
    window_s, connects = 6.0, 3
    collection.options = {
        "twitter": {
            "connects": connects,
            "connects_window": f"{window_s:g}s",
            "http_backoff": "50ms",
            "http_backoff_max": "50ms",
        }
    }
    collection.sandbox.fault("close_after", after=0, seconds=15)
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("follow:0", ["42"])
    collection.start()
    wait_for(lambda: all(len(attempts(collection, key)) > 2 * connects for key in ("k1", "k2")), "connects")
    collection.wait_streaming("track:0", "follow:0")
    for key in ("k1", "k2"):
        times = [one["at_mono"] for one in attempts(collection, key)]
        # A connect counts from its permission, and the server sees it later; without a budget there would be
        # one every 50 ms.
        assert all(late - early > window_s / 2 for early, late in zip(times, times[connects:], strict=False))


@pytest.mark.long
def test_a_refresh_leaves_two_connects_for_recovery(make_collection: Make) -> None:
    """Until more is free the old stream goes on and the new worker waits, visibly; a recovery uses them."""
    collection = make_collection(Key("k1"))
    collection.options = {"twitter": {"connects": 4, "connects_window": "10m", "http_backoff": "50ms"}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    first = collection.wait_streaming("track:0")["track:0"]
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    second = collection.wait_new_pid("track:0", first)
    collection.add_rules("track:0", ["hail"])
    collection.hint("track:0")
    waiting = wait_for(
        lambda: (c := collection.connection("track:0"))["waits_for"] and c["successor"] and c, "it waits"
    )
    assert waiting["waits_for"] == (
        "refresh waits: 2 of 4 connects in 600 s are used, and 2 are kept for recovery"
    )
    assert waiting["waits_until"] > collection.status()["at"] + 300
    assert waiting["successor"]["state"] == "READY"
    watch(collection, SETTLED_S)
    assert collection.streaming() == {"track:0": second}
    assert len(attempts(collection)) == 2
    collection.sandbox.fault("close")
    wait_for(lambda: [sorted(c["values"]["track"]) for c in open_now(collection)], "it streams again")
    assert sorted(open_now(collection)[0]["values"]["track"]) == ["flood", "hail", "storm"]
    assert len(attempts(collection)) == 3


# ---- slots and addresses


@pytest.mark.long
def test_a_key_with_two_slots_carries_two_connections_and_no_third(make_collection: Make) -> None:
    collection = make_collection(Key("k1", max_connections=2))
    for group, word in (("track:0", "storm"), ("track:1", "flood")):
        collection.add_rules(group, [word])
    collection.add_rules("track:2", [])
    collection.start()
    collection.wait_streaming("track:0", "track:1")
    collection.add_rules("track:2", ["hail"])
    collection.hint("track:2")
    collection.wait_state("track:2", "WAITING_FOR_KEY")
    watch(collection, SETTLED_S)
    assert [c["account"] for c in open_now(collection)] == ["k1", "k1"]
    assert collection.key("k1")["lent"] == 2
    assert len(attempts(collection)) == 2


def test_each_connection_comes_from_its_own_source_address(make_collection: Make) -> None:
    keys = (Key("k2", source_address="127.0.0.2"), Key("k3", source_address="127.0.0.3"), Key("k1"))
    collection = make_collection(*keys)
    for group, word in (("track:0", "storm"), ("track:1", "flood"), ("track:2", "hail")):
        collection.add_rules(group, [word])
    collection.start()
    collection.wait_streaming("track:0", "track:1", "track:2")
    assert {c["account"]: c["peer_ip"] for c in open_now(collection)} == {
        "k1": "127.0.0.1",
        "k2": "127.0.0.2",
        "k3": "127.0.0.3",
    }
    shown = {c["serving"]["key"]: c["serving"]["source_address"] for c in collection.status()["connections"]}
    assert shown == {"k1": None, "k2": "127.0.0.2", "k3": "127.0.0.3"}


def test_connects_from_one_address_are_paced(make_collection: Make) -> None:
    collection = make_collection(*(Key(f"k{number}") for number in range(4)))
    collection.options = {"twitter": {"connect_rate": 2}}
    for number in range(4):
        collection.add_rules(f"track:{number}", [f"storm{number}"])
    collection.start()
    collection.wait_streaming(*(f"track:{number}" for number in range(4)))
    times = [one["at_mono"] for one in attempts(collection)]
    # A permitted connect may be late; without a pace they come at once.
    assert times[3] - times[0] > 3 / 2 / 2


@pytest.mark.long
def test_no_key_is_used_beyond_its_slots_after_a_worker_is_killed(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", ["storm"])
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    for _ in range(5):
        os.kill(pid, signal.SIGKILL)
        pid = collection.wait_new_pid("track:0", pid)
    connections = collection.sandbox.connections()
    assert {c["closed_by"] for c in connections[:-1]} == {"client"}, "none was replaced by the server"
    assert len(connections) == 6


# ---- proxy


class ForwardProxy(socketserver.StreamRequestHandler):
    """Passes one plain HTTP request on, and the answer back as it comes."""

    def handle(self) -> None:
        method, url, version = self.rfile.readline().decode().split()
        server = self.server
        assert isinstance(server, ProxyServer)
        server.asked.append(url)
        host, _, path = url.removeprefix("http://").partition("/")
        address, _, port = host.partition(":")
        with socket.create_connection((address, int(port))) as upstream:
            upstream.sendall(f"{method} /{path} {version}\r\n".encode())
            while (line := self.rfile.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length"):
                    length = int(line.split()[1])
                if line.lower().startswith(b"proxy-authorization"):
                    server.authorised.append(line)
                    continue
                upstream.sendall(line)
            upstream.sendall(b"\r\n" + self.rfile.read(length))
            server.upstreams.append(upstream)
            try:
                while data := upstream.recv(65_536):
                    self.wfile.write(data)
            except OSError:
                pass  # the client went, or the test is over


class ProxyServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.authorised: list[bytes] = []
        self.upstreams: list[socket.socket] = []
        super().__init__(("127.0.0.1", 0), ForwardProxy)


@pytest.fixture
def proxy() -> Iterator[ProxyServer]:
    with ProxyServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
        for upstream in server.upstreams:
            try:
                upstream.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed already


def test_the_proxy_of_a_key_is_used_for_its_streams_and_for_no_other(
    make_collection: Make, proxy: ProxyServer
) -> None:
    port = proxy.server_address[1]
    collection = make_collection(Key("k1", proxy=f"http://user:SECRET-pw@127.0.0.1:{port}"), Key("k2"))
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("track:1", ["flood"])
    collection.start()
    collection.wait_streaming("track:0", "track:1")
    assert proxy.asked == [f"{collection.sandbox.url}/1.1/statuses/filter.json"]
    assert len(proxy.authorised) == 1
    assert {c["account"] for c in open_now(collection)} == {"k1", "k2"}
    collection.sandbox.set_rules([("track", "storm"), ("track", "flood")])
    for name in ("track:0", "track:1"):
        wait_for(lambda name=name: len(collection.tweets(name)) > 5, f"tweets of {name}")
    assert collection.stop() == 0
    for path in collection.logs.iterdir():
        assert "SECRET" not in path.read_text()


@pytest.mark.long
def test_a_proxy_that_is_away_is_backed_off_from_like_a_server_that_is(make_collection: Make) -> None:
    port = free_port()
    collection = make_collection(Key("k1", proxy=f"http://user:SECRET-pw@127.0.0.1:{port}"))
    collection.options = {"twitter": {"network_backoff": "200ms"}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    wait_for(lambda: failures(collection) >= 3, "three tries")
    wait_for(lambda: states(collection)["k1"] == "COOLING", "the key cools down")
    waiting = wait_for(lambda: collection.connection("track:0")["waits_for"], "it waits for the network")
    assert "the network failed (proxy: ConnectionRefusedError: [Errno 111] Connection refused)" in waiting
    collection.keys = [Key("k1")]
    collection.write_ini()
    collection.wait_streaming("track:0")
    assert "SECRET" not in collection.log("track:0") + collection.log()
