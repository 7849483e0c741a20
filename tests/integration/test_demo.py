"""The demo, run as users run it; its rules and its screen."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from demo_parts.picture import Picture
from demo_parts.samples import Sample
from demo_parts.screen import Screen
from rich.cells import cell_len
from rich.console import Console
from support.paths import SCRIPTS
from support.waiting import DEADLINE_S, wait_for
from trial.rules import CHANGED, changed_track_rules, follow_rules, track_rules
from trial.view import ConnectionView, KeyView, View

# ---- rules and screen


def test_the_example_has_as_many_rules_and_needs_as_many_connections_as_it_says() -> None:
    follow, track = follow_rules(1), track_rules()
    assert (len({r.key for r in follow}), len({r.key for r in track})) == (5500, 352)
    assert len({value for rule in follow for value in rule.values()}) == 5500
    assert len({value for rule in track for value in rule.values()}) == 352


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
    return Picture(
        "collecting",
        61.0,
        120.0,
        5500,
        352,
        150.0,
        "output",
        view,
        first,
        samples,
        3,
        "http://127.0.0.1:65535/",
    )


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
    for promised in (
        "http://127.0.0.1:65535/",
        "follow:0.2",
        "CONNECTING",
        "key-1",
        "4000123",
        "1234",
        "12,345,678",
        "kept theirs",
    ):
        assert promised in text


# ---- the demo itself


def counts(text: str) -> dict[str, int]:
    """The rows of a summary."""
    rows = re.findall(r"^ +(\S.*?) {2,}([0-9,]+)$", text, re.MULTILINE)
    return {label: int(number.replace(",", "")) for label, number in rows}


def adds_up(numbers: dict[str, int]) -> bool:
    """Whether a reader who adds the rows gets what is said below them."""
    due = numbers["tweets made for rules then in Redis"]
    due -= numbers["- before their rule was first in an open filter, or in a gap"]
    due += numbers["+ for a second connection, or for a rule just replaced"]
    written = due - numbers["- lost"] + numbers["+ doubled"]
    written += numbers["+ not due, in a reported gap, and written all the same"]
    return (due, written) == (numbers["= due to connections"], numbers["= written"])


class RunningDemo:
    """scripts/demo.py in a process group of its own, without a terminal."""

    def __init__(self, output: Path, *options: str) -> None:
        self.output = output
        self._text = output.with_suffix(".txt")
        command = [sys.executable, str(SCRIPTS / "demo.py"), "--output", str(output), *options]
        with self._text.open("wb") as text:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=text,
                stderr=text,
                start_new_session=True,
                env={**os.environ, "PYTHONIOENCODING": "ascii"},  # whatever the locale is
            )

    @property
    def text(self) -> str:
        return self._text.read_text()

    def wait_for(self, words: str) -> None:
        wait_for(lambda: words in self.text or self.process.poll() is not None, f"{words!r} is printed")
        assert words in self.text, self.text

    def signal_group(self, number: signal.Signals) -> None:
        """As a terminal does with Ctrl-C: to the demo and to all children in its group."""
        os.killpg(self.process.pid, number)

    def ctrl_c(self) -> None:
        self.signal_group(signal.SIGINT)

    def end(self) -> int:
        """Wait for its end; the exit status. Nothing that it started may be left."""
        code = self.process.wait(280)
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
        runs.append(RunningDemo(tmp_path / f"a demo {len(runs)}", *options))
        return runs[-1]

    yield run
    for one in runs:
        while one.process.poll() is None:  # a test failed: TERM, and at once
            one.process.terminate()
            try:
                one.process.wait(DEADLINE_S)
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
    assert numbers["= due to connections"] > 500
    assert adds_up(numbers)
    assert numbers["matched"] == numbers["received by workers"]
    assert numbers["- lost"] == 0
    events = [line for line in text.splitlines() if "forked with" in line or "published track:0" in line]
    assert len(events) >= 4
    assert all(re.match(r"  \d\d:\d\d:\d\d  \S", line) for line in events)
    assert re.search(r"rules changed; track:0: pid \d+ -> \d+; follow:0, follow:0\.2 kept theirs", text)
    for connection in ("follow:0", "follow:0.2", "track:0"):
        assert f"gap seconds of {connection}: " in text
    assert "\x1b" not in text
    assert sorted(path.name for path in demo.output.iterdir()) == ["logs", "output", "traptor.ini"]


@pytest.mark.long
def test_the_demo_of_v2_changes_rules_live_and_agrees_with_the_bill(
    run_demo: Callable[..., RunningDemo],
) -> None:
    demo = run_demo("--api", "v2", "--seconds", "8")
    code = demo.end()
    text = demo.text
    assert code == 0, text
    numbers = counts(text)
    assert numbers["posts that X sent us"] > 300
    assert (numbers["- lost"], numbers["reconnects"]) == (0, 0)
    assert numbers["= written"] == numbers["posts that X sent us"] + numbers["+ doubled"]
    bills = re.findall(r"(?:X's bill|our count) +(.+)", text)
    assert len(bills) == 2
    assert bills[0] == bills[1]
    assert re.search(
        r"filters changed live: 12 added, 12 deleted; the same pid \d+, the same connection", text
    )
    assert "status page: http://127.0.0.1:" in text
    collecting = [line.split(" | ") for line in text.splitlines() if " | collecting | v2:" in line]
    states = [(stream.split(), app) for _, _, stream, app in collecting]
    assert {(*words[:2], words[3]) for words, _ in states} == {
        (states[0][0][0], "STREAMING", states[0][0][3])
    }
    assert max(int(words[5].removesuffix("/s,")) for words, _ in states) > 0, "posts a second"
    money = r"852 of 1,000 filters, 852 act, \$(\d+\.\d\d) today, \$5\.00 for 1,000 posts"
    spent = [float(found[1]) for _, app in states if (found := re.fullmatch(money, app))]
    assert spent == sorted(spent)
    assert spent[-1] > 0
    assert text.endswith("Nothing was lost, and the bill agrees.\n")


@pytest.mark.long
@pytest.mark.skipif(not (shutil.which("java") and shutil.which("mvn")), reason="Kafka needs java and mvn")
def test_the_demo_reads_every_tweet_back_from_kafka(run_demo: Callable[..., RunningDemo]) -> None:
    demo = run_demo("--seconds", "6", "--kafka")
    code = demo.end()
    text = demo.text
    assert code == 0, text
    numbers = counts(text)
    assert numbers["= due to connections"] > 300
    assert adds_up(numbers)
    assert numbers["- lost"] == 0
    assert "output in the topic traptor of 127.0.0.1:" in text
    assert sorted(path.name for path in demo.output.iterdir()) == ["logs", "traptor.ini"]


@pytest.mark.long
def test_the_demo_fails_when_output_disappears(run_demo: Callable[..., RunningDemo]) -> None:
    demo = run_demo("--seconds", "6")
    tweets = demo.output / "output" / "track:0.jsonl"
    wait_for(lambda: tweets.exists() and tweets.stat().st_size > 100_000, "track:0 has written tweets")
    tweets.unlink()
    assert demo.end() == 1, demo.text
    assert counts(demo.text)["- lost"] > 0
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
@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("starting Redis", signal.SIGINT),
        ("starting traptor-supervisor", signal.SIGINT),
        ("| collecting |", signal.SIGTERM),
    ],
)
def test_a_stop_of_its_process_group_ends_the_demo_and_all_that_it_started(
    words: str, number: signal.Signals, run_demo: Callable[..., RunningDemo]
) -> None:
    demo = run_demo()
    demo.wait_for(words)
    children = psutil.Process(demo.process.pid).children(recursive=True)
    demo.signal_group(number)
    code = demo.end()
    assert not [child for child in children if child.is_running()]
    assert not (demo.output / "redis").exists()
    if "Summary" in demo.text:
        assert code == 0, demo.text
        assert counts(demo.text)["- lost"] == 0
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
    ended = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert ended.returncode == 1
    assert ended.stderr == f"error: {tmp_path}: is not empty; name a new folder with --output\n"
