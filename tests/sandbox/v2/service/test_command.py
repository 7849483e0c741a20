"""The command with the options of the X API v2, and tweepy as its client."""

import pytest
import requests
import tweepy
from click.testing import CliRunner
from support.waiting import DEADLINE_S

from traptor.sandbox import cli
from traptor.sandbox.cli import main
from traptor.sandbox.process import SandboxProcess
from traptor.sandbox.v2.settings import V2Settings

STREAM = "/2/tweets/search/stream"
FOLLOW = "from:12 OR to:12 OR retweets_of:12"


class Collector(tweepy.streaming.BaseStream):
    """The client that the real collector builds on."""

    def __init__(self):
        super().__init__(chunk_size=65_536)
        self.lines = []

    def on_data(self, raw):
        self.lines.append(raw)

    def on_closed(self, response):
        self.running = False


@pytest.fixture
def process():
    with SandboxProcess(
        "--rate", "0", "--bearer", "one=t-one", "--v2-effect", "0", "--v2-rate", "0", "--v2-rules", "2"
    ) as started:
        yield started


def call(url, method, path, **options):
    return requests.request(
        method, f"{url}{path}", headers={"Authorization": "Bearer t-one"}, timeout=DEADLINE_S, **options
    )


def test_tweepy_reads_what_the_record_says_until_the_command_ends(process, until):
    body = {"add": [{"value": FOLLOW}, {"value": "hail"}]}
    assert call(process.url, "POST", f"{STREAM}/rules", json=body).status_code == 201
    assert call(process.url, "POST", f"{STREAM}/rules", json={"add": [{"value": "x"}]}).status_code == 422
    collector = Collector()
    collector.session.headers["Authorization"] = "Bearer t-one"
    thread = collector._threaded_connect("GET", f"{process.url}{STREAM}")
    until(process.client.v2.connections, "the connection")
    process.client.burst(50, ["12"])
    until(lambda: len(collector.lines) == 50, "all posts")
    assert len(list(process.client.v2.matches())) == 50
    assert process.stop() == 0
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--bearer", "one"], "--bearer: NAME=TOKEN"),
        (["--bearer", "one=a", "--bearer", "one=b"], "--bearer: one: the same"),
        (["--v2-effect", "inf"], "--v2-effect: a finite number"),
        (["--v2-effect", "-1"], "--v2-effect"),
        (["--v2-batches", "half"], "--v2-batches"),
    ],
)
def test_bad_options_are_refused_in_one_line(options, said):
    done = CliRunner().invoke(main, options)
    assert done.exit_code == 2
    assert said in done.output.splitlines()[-1]


def test_a_wrong_bearer_option_is_not_repeated():
    assert "secret-token" not in CliRunner().invoke(main, ["--bearer", "secret-token"]).output


def test_help_has_the_short_name_that_it_has_in_the_other_commands() -> None:
    done = CliRunner().invoke(main, ["-h"])
    assert (done.exit_code, done.output) == (0, CliRunner().invoke(main, ["--help"]).output)


def test_without_options_the_command_is_as_strict_as_x(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[V2Settings] = []

    class Started(Exception):
        pass

    def started(*parts: object, **named: object) -> None:
        made.extend(one for one in (*parts, *named.values()) if isinstance(one, V2Settings))
        raise Started

    monkeypatch.setattr(cli, "Sandbox", started)
    done = CliRunner().invoke(main, ["--port", "0"])
    assert isinstance(done.exception, Started)
    (settings,) = made
    assert (settings.effect_s, settings.rate, settings.connections) == (20.0, 250.0, 1)
    assert settings.usual_contract().connections == 1
