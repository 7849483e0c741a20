"""What the demo shows, on a terminal and without one, and what it ends with under API v2."""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import demo
import pytest
from demo_parts.bill import Bill, BillSummary
from demo_parts.picture import Picture
from demo_parts.plain import PlainLines
from demo_parts.screen import Screen
from demo_parts.summary import Summary
from rich.cells import cell_len
from rich.console import Console
from trial.judge import Evidence, judge
from trial.view import AppView, ConnectionView, View

NAME = "v2:key-1"
APP = AppView(
    name="key-1",
    filters=852,
    allowed=1000,
    standing=852,
    in_effect=852,
    rules=5852,
    rules_in_effect=5852,
    posts=1234,
    dollars=6.17,
    dollars_today=1.234,
    dollars_per_1000=5.0,
    hold=None,
)
STREAM = ConnectionView(NAME, "STREAMING", 5852, 4000123, "key-1", 1234, 1234, 0, 0, 148.6, 0.25)


def picture(app: AppView = APP, stream: ConnectionView = STREAM) -> Picture:
    view = View(1.0, (stream,), (), apps=(app,))
    first = {NAME: 4000123}
    return Picture(
        "collecting", 61.0, 120.0, 5500, 352, 150.0, "output", view, first, [], 1, "http://127.0.0.1:65535/"
    )


def plain(*pictures: Picture, events: tuple[str, ...] = ()) -> list[str]:
    """What a file gets of these pictures and events."""
    console = Console(file=io.StringIO(), width=80, markup=False, emoji=False, highlight=False)
    lines = PlainLines(console)
    for text in events:
        lines.say(text)
    for one in pictures:
        lines.update(one)
    lines.close()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def drawn(one: Picture, width: int = 80, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    screen = Screen(console)
    try:
        with console.capture() as shown:
            console.print(screen.draw(one))
    finally:
        screen.close()
    return shown.get().splitlines()


# ---- without a terminal


def test_an_event_has_its_time_and_one_line_without_a_terminal() -> None:
    [line] = plain(events=("track:0: pid 1 -> 2;\nfollow:0 kept its worker \x1b[2J" + " and so on" * 20,))
    assert re.match(r"  \d\d:\d\d:\d\d  track:0: pid 1 -> 2;", line)
    assert "\x1b" not in line


def test_a_line_tells_what_the_app_has_does_and_costs() -> None:
    assert plain(picture()) == [
        "01:01 of 02:00 | collecting | v2:key-1 STREAMING pid 4000123 key-1 149/s, 1,234 received,"
        " 1,234 matched | 852 of 1,000 filters, 852 act, $1.23 today, $5.00 for 1,000 posts"
    ]


def test_filters_that_do_not_act_yet_are_told_apart() -> None:
    [line] = plain(picture(replace(APP, standing=864, in_effect=840)))
    assert "864 of 1,000 filters, 840 act," in line


def test_a_state_is_printed_again_only_when_something_else_is_done_or_some_seconds_have_passed() -> None:
    other = replace(picture(), doing="stopping")
    assert [line.split(" | ")[1] for line in plain(picture(), picture(), other)] == ["collecting", "stopping"]


# ---- on a terminal


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (200, 60)])
def test_the_screen_shows_filters_their_state_posts_a_second_and_money(width: int, height: int) -> None:
    lines = drawn(picture(replace(APP, dollars_today=12345.678)), width, height)
    assert len(lines) < height
    assert max(map(cell_len, lines)) <= width
    [row] = [line for line in lines if NAME in line and "STREAMING" in line]
    assert {"5,852", "key-1", "4000123", "149"} <= {*row.split()}
    [app] = [" ".join(line.strip("│ ").split()) for line in lines if "Filters" in line]
    assert app == "Filters 852 of 1,000, all act Today $12,345.68 1,000 posts $5.00"
    assert not any("Spare keys" in line for line in lines)


@pytest.mark.parametrize(
    ("app", "state"),
    [
        (APP, "852 of 1,000, all act"),
        (replace(APP, standing=300, in_effect=100), "300 of 1,000, 100 act"),
        (replace(APP, standing=864), "864 of 1,000, 852 act"),
        (replace(APP, rules_in_effect=5851), "852 of 1,000, 852 act"),
        (replace(APP, filters=0, standing=0, in_effect=0), "0 of 1,000, 0 act"),
    ],
)
def test_all_filters_act_only_when_the_wanted_ones_stand_and_every_rule_is_in_effect(
    app: AppView, state: str
) -> None:
    assert any(f"{state} " in line for line in drawn(picture(app)))


def test_a_worker_that_is_not_the_first_is_shown_beside_it() -> None:
    [row] = [line for line in drawn(picture(stream=replace(STREAM, pid=4000456)), 120, 40) if NAME in line][
        :1
    ]
    assert {"4000123", "4000456"} <= {*row.split()}


# ---- the end of the story of API v2


SENT = Counter({"1": 1, "2": 1, "3": 1})
GOOD = BillSummary(
    sent=SENT,
    written=Counter({"1": 1, "2": 2, "3": 1}),
    bill=Bill(lines=3, posts=3, dollars=0.02),
    app=replace(APP, posts=3, dollars=0.0201),
    connects=1,
    changes=("filters changed live: 12 added, 12 deleted; the same pid 7, the same connection",),
    failures=(),
    output="out",
    logs="logs",
)


def exit_code(summary: BillSummary | Summary, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of a demo with this end."""
    monkeypatch.setattr(demo, "Demo", lambda *_: SimpleNamespace(run=lambda: summary))
    folder = SimpleNamespace(remove_state=lambda: None)
    console = Console(file=io.StringIO())
    return demo._run(None, None, folder, None, None, console)  # type: ignore[arg-type]  # of another end


def test_the_bill_stands_beside_our_own_count_and_both_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = GOOD.lines()
    assert [" ".join(line.split()) for line in lines] == [
        "Summary",
        "posts that X sent us 3",
        "- lost 0",
        "+ doubled 1",
        "= written 4",
        "reconnects 0",
        "X's bill 3 posts, $0.02",
        "our count 3 posts, $0.02",
        "filters changed live: 12 added, 12 deleted; the same pid 7, the same connection",
        "output in out; logs in logs",
        "Nothing was lost, and the bill agrees.",
    ]
    assert exit_code(GOOD, monkeypatch) == 0


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (replace(GOOD, bill=Bill(3, 4, 0.02)), "No post was lost, but the bill and our count differ."),
        (replace(GOOD, bill=Bill(3, 3, 0.026)), "No post was lost, but the bill and our count differ."),
        (replace(GOOD, app=None), "No post was lost, but the bill and our count differ."),
        (replace(GOOD, written=Counter({"1": 1, "3": 5})), "Posts were lost: the logs say more."),
        (
            replace(GOOD, connects=2),
            "No post was lost, but the connection did not stand: the logs say more.",
        ),
        (
            replace(GOOD, failures=("it stumbled",)),
            "No post was lost, but the supervisor failed: the logs say more.",
        ),
    ],
)
def test_the_exit_code_tells_what_the_last_line_says(
    bad: BillSummary, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bad.lines()[-1] == words
    assert exit_code(bad, monkeypatch) == 1


def test_so_it_is_with_v1_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = judge(Evidence(tweets=[], streams=[], gaps=[], written={}, rules=[]))
    summary = Summary(nothing, View(), (), (), (), "out", "logs")
    assert exit_code(summary, monkeypatch) == 0
    assert exit_code(replace(summary, failures=("it stumbled",)), monkeypatch) == 1
