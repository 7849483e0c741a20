"""The demo: run as users run it, and its judge with records in which something went wrong."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from rich.cells import cell_len
from rich.console import Console
from support.waiting import wait_for

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))  # the demo is no package that could be installed

from demo_parts.evidence import opened_streams, reported_gaps, written_tweets  # noqa: E402
from demo_parts.judge import Evidence, MadeTweet, OpenedStream, ReportedGap, judge  # noqa: E402
from demo_parts.picture import Picture  # noqa: E402
from demo_parts.rules import CHANGED, changed_track_rules, follow_rules, track_rules  # noqa: E402
from demo_parts.samples import Sample  # noqa: E402
from demo_parts.screen import Screen  # noqa: E402
from demo_parts.summary import Replacement, Summary  # noqa: E402
from demo_parts.view import ConnectionView, KeyView, View  # noqa: E402

FLOOD, STORM, USER = ("track", "flood"), ("track", "storm"), ("follow", "12")
ALL = frozenset({FLOOD, STORM, USER})

# ---- the judge


def tweet(number: int, at: float, *values: tuple[str, str]) -> MadeTweet:
    return MadeTweet(str(number), frozenset(values or {FLOOD}), at)


def good() -> Evidence:
    """Two connections that stream from 10 s on; each wrote what was made for it."""
    return Evidence(
        tweets=[tweet(1, 5.0), tweet(2, 12.0), tweet(3, 13.0, USER), tweet(4, 14.0, FLOOD, USER)],
        streams=[
            OpenedStream("track:0", frozenset({FLOOD, STORM}), 10.0, 100.0),
            OpenedStream("follow:0", frozenset({USER}), 11.0, 100.0),
        ],
        gaps=[
            ReportedGap("track:0", "start", 8.0, 10.1, 2.1),
            ReportedGap("follow:0", "start", 8.0, 11.1, 3.1),
        ],
        written={"track:0": Counter("24"), "follow:0": Counter("34")},
        rules=[(4.0, ALL)],
    )


def test_nothing_is_lost_when_each_connection_wrote_what_its_open_filter_asked_for() -> None:
    verdict = judge(good())
    assert verdict.is_good
    assert (verdict.made, verdict.early, verdict.unexplained) == (4, 1, 0)
    assert (verdict.due, verdict.written, verdict.doubled, verdict.lost) == (4, 4, 0, 0)


def test_a_tweet_that_one_of_two_connections_did_not_write_is_lost() -> None:
    verdict = judge(replace(good(), written={"track:0": Counter("24"), "follow:0": Counter("3")}))
    assert not verdict.is_good
    assert (verdict.due, verdict.written, verdict.lost) == (4, 3, 1)
    assert verdict.losses == ("4, made for follow '12' and track 'flood', is not in the output of follow:0",)


def test_a_connection_without_any_output_has_lost_all_that_was_due_to_it() -> None:
    assert judge(replace(good(), written={"follow:0": Counter("34")})).lost == 2


def test_a_tweet_that_is_not_written_inside_a_reported_gap_is_early_and_not_lost() -> None:
    evidence = good()
    gaps = [*evidence.gaps, ReportedGap("track:0", "network", 19.0, 21.0, 2.0)]
    verdict = judge(replace(evidence, tweets=[*evidence.tweets, tweet(5, 20.0)], gaps=gaps))
    assert verdict.is_good
    assert (verdict.made, verdict.early, verdict.due) == (5, 2, 4)


def test_the_gap_of_one_connection_does_not_excuse_another() -> None:
    evidence = good()
    gaps = [*evidence.gaps, ReportedGap("follow:0", "network", 19.0, 21.0, 2.0)]
    assert judge(replace(evidence, tweets=[*evidence.tweets, tweet(5, 20.0)], gaps=gaps)).lost == 1


def test_a_tweet_right_behind_a_reported_gap_counts() -> None:
    assert judge(replace(good(), tweets=[*good().tweets, tweet(5, 10.2)])).lost == 1


def test_the_same_tweet_twice_from_one_connection_is_doubled_and_no_error() -> None:
    verdict = judge(replace(good(), written={"track:0": Counter("224"), "follow:0": Counter("34")}))
    assert verdict.is_good
    assert (verdict.written, verdict.doubled, verdict.lost) == (5, 1, 0)


def test_a_rule_that_is_in_redis_but_was_in_no_filter_yet_makes_early_tweets() -> None:
    evidence = good()
    new = ("track", "volcano")
    rules = [*evidence.rules, (50.0, ALL | {new})]
    streams = [*evidence.streams, OpenedStream("track:0", frozenset({FLOOD, new}), 60.0, 100.0)]
    tweets = [*evidence.tweets, tweet(5, 49.0, new), tweet(6, 55.0, new), tweet(7, 61.0, new)]
    verdict = judge(replace(evidence, tweets=tweets, streams=streams, rules=rules))
    assert (verdict.made, verdict.early, verdict.lost) == (6, 2, 1)


def test_a_stream_that_ended_without_a_reported_gap_is_not_passed_over() -> None:
    evidence = good()
    streams = [replace(stream, closed_at=30.0) for stream in evidence.streams]
    verdict = judge(replace(evidence, tweets=[*evidence.tweets, tweet(5, 40.0)], streams=streams))
    assert (verdict.lost, verdict.unexplained) == (0, 1)
    assert not verdict.is_good


def test_what_a_stream_got_that_the_supervisor_never_claimed_must_be_written_somewhere() -> None:
    evidence = good()
    streams = [*evidence.streams, OpenedStream(None, frozenset({STORM, FLOOD}), 60.0, 70.0)]
    tweets = [*evidence.tweets, tweet(5, 65.0)]
    written = {"track:0": Counter("245"), "follow:0": Counter("34")}
    assert judge(replace(evidence, tweets=tweets, streams=streams, written=written)).lost == 0
    assert judge(replace(evidence, tweets=tweets, streams=streams)).lost == 2


# ---- the evidence


def test_a_stream_is_the_connections_that_the_supervisor_opened_with_that_key_then() -> None:
    def record(number: int, account: str, opened: float) -> dict[str, object]:
        values = {"track": ["flood"]}
        return {
            "id": number,
            "account": account,
            "opened_mono": opened,
            "closed_mono": None,
            "values": values,
        }

    def event(at: str, key: str, connection: str) -> dict[str, str]:
        return {"message": "stream connected", "time": at, "key": key, "connection": connection}

    epoch = "1970-01-01T00:00:"
    streams = opened_streams(
        [record(1, "k1", 10.0), record(2, "k2", 11.0), record(3, "k1", 20.0), record(4, "k1", 30.0)],
        [
            event(f"{epoch}10.001Z", "k1", "follow:0"),
            event(f"{epoch}11.002Z", "k2", "track:0"),
            event(f"{epoch}20.003Z", "k1", "track:0"),
        ],
        wall_to_mono=0.0,
    )
    assert [stream.connection for stream in streams] == ["follow:0", "track:0", "track:0", None]
    assert streams[0].values == {FLOOD}
    assert streams[0].is_open(1e9)


def test_a_gap_lasts_to_the_end_of_the_millisecond_that_the_log_names() -> None:
    event = {
        "message": "gap",
        "connection": "track:0",
        "cause": "start",
        "since": "1970-01-01T00:00:01.500Z",
        "until": "1970-01-01T00:00:02.000Z",
        "seconds": 0.5,
    }
    assert reported_gaps([{"message": "other"}, event], 100.0) == [
        ReportedGap("track:0", "start", 101.5, pytest.approx(102.001), 0.5)  # type: ignore[arg-type]
    ]


def test_only_tweets_are_counted_in_the_output(tmp_path: Path) -> None:
    (tmp_path / "track:0.jsonl").write_text(
        '{"id_str":"7","text":"a"}\n{"limit":{"track":3}}\n{"id_str":"7"}\n'
    )
    (tmp_path / "follow:0.2.jsonl").write_text("")
    assert written_tweets(tmp_path) == {"follow:0.2": Counter(), "track:0": Counter({"7": 2})}


# ---- rules, screen, summary


def test_the_example_has_as_many_rules_and_needs_as_many_connections_as_it_says() -> None:
    follow, track = follow_rules(1), track_rules()
    assert (len({r.key for r in follow}), len({r.key for r in track})) == (5500, 352)
    assert len({value for rule in follow for value in rule.values()}) == 5500
    assert 352 <= len({value for rule in track for value in rule.values()}) <= 400


def test_a_change_replaces_some_track_rules_and_the_next_one_brings_them_back() -> None:
    before = track_rules()
    changed = changed_track_rules(before)
    assert len(set(changed) - set(before)) == len(set(before) - set(changed)) == CHANGED
    assert set(changed_track_rules(changed)) == set(before)


def picture(pid: int = 4_000_123) -> Picture:
    names = ("follow:0", "follow:0.2", "track:0")
    row = ConnectionView(
        "", "CONNECTING", 5000, pid, "key-1", 12_345_678, 12_345_678, 0, 0, tweets_per_s=1234.5, gap_s=10.25
    )
    connections = tuple(replace(row, name=name) for name in names)
    keys = tuple(KeyView(f"key-{n}", "OK", 5, ()) for n in range(5))
    samples = [Sample(name, "a rather long tag of a rule", "很长的推文 " * 40) for name in names]
    view = View(1.0, connections, keys)
    first = dict.fromkeys(names, 3_999_999)
    return Picture("collecting", 61.0, 120.0, 5500, 352, 150.0, "output", view, first, samples)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (200, 60)])
def test_the_screen_fits_the_terminal(width: int, height: int) -> None:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    screen = Screen(console)
    try:
        for _ in range(20):
            screen.say("track:0: pid 4000123 -> 4000456; follow:0, follow:0.2 kept theirs")
        with console.capture() as drawn:
            console.print(screen.draw(picture()))
    finally:
        screen.close()
    lines = drawn.get().splitlines()
    assert len(lines) < height
    assert max(map(cell_len, lines)) <= width
    text = "\n".join(lines)
    for promised in ("follow:0.2", "CONNECTING", "key-1", "4000123", "1234", "12,345,678", "kept theirs"):
        assert promised in text


def test_the_summary_says_what_failed() -> None:
    lost = judge(replace(good(), written={"track:0": Counter("4"), "follow:0": Counter("34")}))
    moved = Replacement("track:0", 1, 2, ("follow:0",), ("follow:0.2",))
    summary = Summary(lost, picture().view, tuple(good().gaps), (moved,), ("it stumbled",), "out")
    text = "\n".join(summary.lines())
    assert not summary.is_good
    assert counts(text)["lost"] == 1
    assert "gap seconds of track:0: 2.1 (start 2.1)" in text
    assert "track:0: pid 1 -> 2; but follow:0.2 changed theirs, too" in text
    assert "FAILED: it stumbled" in text
    assert text.endswith("Tweets were lost: the logs say more.")


# ---- the demo itself


def counts(text: str) -> dict[str, int]:
    """The rows of a summary."""
    rows = re.findall(r"^ +(\S.*?) {2,}([0-9,]+)$", text, re.MULTILINE)
    return {label: int(number.replace(",", "")) for label, number in rows}


class RunningDemo:
    """scripts/demo.py in a process group of its own, without a terminal."""

    def __init__(self, output: Path, *options: str) -> None:
        self.output = output
        self._text = output.with_suffix(".txt")
        command = [sys.executable, str(SCRIPTS / "demo.py"), "--output", str(output), *options]
        with self._text.open("wb") as text:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=text, stderr=text, start_new_session=True
            )

    @property
    def text(self) -> str:
        return self._text.read_text()

    def wait_for(self, words: str) -> None:
        wait_for(lambda: words in self.text or self.process.poll() is not None, f"{words!r} is printed")
        assert words in self.text, self.text

    def ctrl_c(self) -> None:
        """As a terminal does: to the demo and to all children in its group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> int:
        """Wait for its end; the exit status. Nothing that it started may be left."""
        code = self.process.wait(90)
        left = [
            p
            for p in psutil.process_iter(["cmdline"])
            if str(self.output) in " ".join(p.info["cmdline"] or ())
        ]
        assert not left
        return code


@pytest.fixture
def run_demo(tmp_path: Path) -> Iterator[Callable[..., RunningDemo]]:
    runs: list[RunningDemo] = []

    def run(*options: str) -> RunningDemo:
        runs.append(RunningDemo(tmp_path / f"demo{len(runs)}", *options))
        return runs[-1]

    yield run
    for one in runs:
        while one.process.poll() is None:  # a test failed: TERM, and at once
            one.process.terminate()
            try:
                one.process.wait(20)
            except subprocess.TimeoutExpired:
                continue


@pytest.mark.long
def test_the_demo_ends_by_itself_and_accounts_for_every_tweet(run_demo: Callable[..., RunningDemo]) -> None:
    demo = run_demo("--seconds", "8")
    code = demo.end()
    text = demo.text
    assert code == 0, text
    numbers = counts(text)
    assert numbers["tweets made for rules then in Redis"] > 500
    assert numbers["written"] >= numbers["due to connections (a tweet may be due to two)"] > 500
    assert numbers["matched"] == numbers["received"]
    assert numbers["lost"] == 0
    assert re.search(r"rules changed; track:0: pid \d+ -> \d+; follow:0, follow:0\.2 kept theirs", text)
    for connection in ("follow:0", "follow:0.2", "track:0"):
        assert f"gap seconds of {connection}: " in text
    assert "\x1b" not in text
    assert sorted(path.name for path in demo.output.iterdir()) == ["logs", "output", "traptor.ini"]


@pytest.mark.long
def test_the_demo_fails_when_output_disappears(run_demo: Callable[..., RunningDemo]) -> None:
    demo = run_demo("--seconds", "6")
    tweets = demo.output / "output" / "track:0.jsonl"
    wait_for(lambda: tweets.exists() and tweets.stat().st_size > 100_000, "track:0 has written tweets")
    tweets.unlink()
    assert demo.end() == 1, demo.text
    assert counts(demo.text)["lost"] > 0
    assert demo.text.endswith("Tweets were lost: the logs say more.\n")


@pytest.mark.long
def test_the_demo_fails_when_the_supervisor_does(run_demo: Callable[..., RunningDemo]) -> None:
    demo = run_demo()
    demo.wait_for("| collecting |")
    supervisor = next(
        child
        for child in psutil.Process(demo.process.pid).children()
        if "traptor.supervisor" in child.cmdline()
    )
    supervisor.kill()
    assert demo.end() == 1, demo.text
    assert "FAILED: traptor-supervisor ended by itself with -9" in demo.text


@pytest.mark.long
@pytest.mark.parametrize("words", ["starting Redis", "starting traptor-supervisor", "| collecting |"])
def test_ctrl_c_ends_the_demo_and_all_that_it_started(
    words: str, run_demo: Callable[..., RunningDemo]
) -> None:
    demo = run_demo()
    demo.wait_for(words)
    children = psutil.Process(demo.process.pid).children(recursive=True)
    demo.ctrl_c()
    code = demo.end()
    assert not [child for child in children if child.is_running()]
    assert not (demo.output / "redis").exists()
    if "Summary" in demo.text:
        assert code == 0, demo.text
        assert counts(demo.text)["lost"] == 0
    else:
        assert code == 130, demo.text


@pytest.mark.long
def test_a_second_ctrl_c_ends_at_once_with_nothing_left(run_demo: Callable[..., RunningDemo]) -> None:
    demo = run_demo()
    demo.wait_for("| collecting |")
    children = psutil.Process(demo.process.pid).children(recursive=True)
    demo.ctrl_c()
    demo.wait_for("no more tweets are made")
    demo.ctrl_c()
    assert demo.end() in (0, 130), demo.text
    wait_for(lambda: not any(child.is_running() for child in children), "all children are gone")


def test_the_demo_does_not_mix_with_the_output_of_another_run(tmp_path: Path) -> None:
    (tmp_path / "old.jsonl").touch()
    command = [sys.executable, str(SCRIPTS / "demo.py"), "--output", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert ended.stderr == f"error: {tmp_path}: is not empty; name a new folder with --output\n"
