"""The API and the command say clearly what is wrong with bad input."""

import signal
import subprocess
import sys

import pytest
import requests
from support.waiting import DEADLINE_S

from traptor.sandbox.client import SandboxClient
from traptor.sandbox.errors import SandboxError, Unreachable
from traptor.sandbox.process import SandboxProcess
from traptor.sandbox.thread import SandboxThread
from traptor.sandbox.v1.settings import Settings


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "rules", b"{"),
        ("PUT", "rules", b"{}"),
        ("PUT", "rules", b'[{"type":"track","value":""}]'),
        ("PUT", "rate", b'{"rate":-1}'),
        ("PUT", "rate", b'{"rate":"x"}'),
        ("PUT", "rate", b'{"rate":1,"x":2}'),
        ("PUT", "rate", b"[]"),
        ("POST", "burst", b'{"n":0}'),
        ("POST", "burst", b'{"n":1,"values":"x"}'),
        ("POST", "burst", b'{"n":1,"values":[1]}'),
        ("POST", "messages", b'{"message":"x"}'),
        ("POST", "messages", b'{"message":{},"account":1}'),
        ("POST", "messages", b"\xff"),
        ("POST", "messages", rb'{"\udc00":1}'),
        ("PUT", "rules", rb'[{"type":"track","value":"\udc00"}]'),
        ("PUT", "rules", rb'[{"type":"\udc00","value":"a"}]'),
        ("PUT", "accounts", b'[{"consumer_key":"a"}]'),
        ("POST", "faults", b'{"fault":"x"}'),
        ("GET", "tweets?since=x", b""),
    ],
)
def test_bad_requests_are_answered_with_one_line(world, method, path, body):
    answer = requests.request(method, f"{world.url}/sandbox/{path}", data=body, timeout=DEADLINE_S)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert "\n" not in answer.json()["error"]
    assert world.client.is_up()


def test_a_bad_change_of_rules_changes_nothing(world):
    before = world.client.rules()
    with pytest.raises(SandboxError, match="rule 2: type"):
        world.client.set_rules([("track", "a"), ("hashtag", "b")])
    assert world.client.rules() == before


def test_what_is_not_there_is_404_in_the_same_form(world):
    answer = requests.get(f"{world.url}/nothing", timeout=DEADLINE_S)
    assert (answer.status_code, list(answer.json())) == (404, ["error"])


def test_a_burst_without_values_is_as_the_timeline(world):
    answer = world.client.burst(500)
    assert answer == {"made": 500, "first": 1, "last": 500}
    state = world.client.state()
    assert state["made"] == 500
    assert 50 < state["noise"] < 150
    assert set(state["made_by_type"]) == {"track", "follow", "locations"}
    assert [tweet["n"] for tweet in world.client.tweets(since=498)] == [499, 500]


def test_connections_can_be_listed_without_their_values(world):
    world.read()
    assert world.client.connections()[0]["values"] == {"track": ["flood warning"]}
    assert world.client.connections(with_values=False)[0]["values"] is None


def test_accounts_can_be_changed_while_it_runs(world):
    assert world.status("a") == 200
    key = {
        name: f"b-{short}"
        for name, short in (
            ("consumer_key", "ck"),
            ("consumer_secret", "cs"),
            ("access_token", "at"),
            ("access_token_secret", "ats"),
        )
    }
    world.client.set_accounts([{**key, "name": "bee"}])
    assert (world.status("a"), world.status("b")) == (401, 200)
    assert [one["account"] for one in world.client.attempts()] == ["a-ck/a-at", None, "bee"]
    assert [one["consumer_key"] for one in world.client.attempts()] == ["a-ck", "a-ck", "b-ck"]


def test_the_client_says_when_nobody_answers():
    with pytest.raises(Unreachable, match="no answer"):
        SandboxClient("http://127.0.0.1:9").state()
    with pytest.raises(Unreachable, match="within 0 s"):
        SandboxClient("http://127.0.0.1:9").wait_until_up(timeout_s=0)


def test_the_client_waits_for_a_sandbox_that_is_up(world):
    world.client.wait_until_up()


def run(*options):
    command = [sys.executable, "-m", "traptor.sandbox", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rate", "x"], "--rate"),
        (["--rate", "nan"], "--rate: a finite number"),
        (["--keep-alive", "inf"], "--keep-alive: a finite number"),
        (["--rules", "/nonexistent/rules"], "cannot be read"),
        (["--accounts", "/nonexistent/keys"], "cannot be read"),
        (["--replay", "/nonexistent/tweets"], "cannot be read"),
        (["--speed", "2"], "--replay"),
        (["--chunking", "x"], "--chunking"),
    ],
)
def test_the_command_refuses_bad_options_in_one_line(options, said):
    done = run(*options)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_thread_says_why_it_did_not_start(world):
    with pytest.raises(Unreachable, match="cannot listen"):
        SandboxThread(Settings(port=int(world.url.rsplit(":", 1)[1]))).start()


def test_an_address_in_use_is_said(world):
    port = world.url.rsplit(":", 1)[1]
    done = run("--port", port)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    with pytest.raises(Unreachable, match="cannot listen"):
        SandboxProcess("--port", port).start()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_term_and_int_end_it_with_status_0(number):
    command = [sys.executable, "-m", "traptor.sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("sandbox listening on http://127.0.0.1:")
        process.send_signal(number)
        _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    assert "Traceback" not in said
    assert "signatures are not checked" in said


def test_rules_and_accounts_come_from_files(tmp_path):
    (tmp_path / "rules").write_text('{"type":"track","value":"flood warning,hail"}\n')
    (tmp_path / "keys").write_text(
        "apikeys:\n  - {consumer_key: a, consumer_secret: b, access_token: c, access_token_secret: d}\n"
    )
    with SandboxProcess(
        "--rules", str(tmp_path / "rules"), "--accounts", str(tmp_path / "keys"), "--rate", "0"
    ) as process:
        state = process.client.state()
        assert (state["rules"], state["checks_signatures"]) == (1, True)
        process.client.burst(100)
        assert {value for tweet in process.client.tweets() for value in tweet["for"]} == {
            "flood warning",
            "hail",
        }


def test_a_message_may_hold_half_a_surrogate_pair(world):
    reader = world.read()
    body = rb'{"message": {"text": "cut \ud83d"}}'
    answer = requests.post(f"{world.url}/sandbox/messages", data=body, timeout=DEADLINE_S)
    assert answer.status_code == 200
    reader.wait_for_tweets(1)
    assert reader.lines[0] == rb'{"text":"cut \ud83d"}'
