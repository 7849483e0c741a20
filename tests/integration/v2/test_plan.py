"""`--plan` and `--check` under v2, with a real Redis and the sandbox as X."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from support.collection import Collection, Json, Key
from support.v2 import SANDBOX, leave_filters, wait_filters
from support.waiting import DEADLINE_S, wait_for

from traptor.common.config.settings import load_settings
from traptor.supervisor.checks.check import check
from traptor.supervisor.checks.preview import preview, preview_json

Make = Callable[..., Collection]
OF_TRAPTOR = ("expand", "follow_scope", "foreign_filters", "suffix")
FIRST_ID = 1_100_000_000_000_000_000


def configured(collection: Collection, **options: object) -> Path:
    """Return an old ini plus `api = v2`, the sandbox's address, and these options."""
    of_traptor = {name: value for name, value in options.items() if name in OF_TRAPTOR}
    of_twitter = {name: value for name, value in options.items() if name not in OF_TRAPTOR}
    collection.options["traptor"] = {"api": "v2", **of_traptor}
    collection.options["twitter"] = {"api_url": collection.sandbox.url, **of_twitter}
    collection.write_ini()
    return collection.ini


def console_on(text: io.StringIO) -> Console:
    return Console(file=text, markup=False, emoji=False, highlight=False, width=10_000)


def shown(collection: Collection, **options: object) -> str:
    """Return what `--plan` prints."""
    text = io.StringIO()
    settings = load_settings(configured(collection, **options))
    assert asyncio.run(preview(settings, console_on(text))) == 0
    return text.getvalue()


def checked(collection: Collection, **options: object) -> tuple[int, str]:
    """Return the exit code of `--check`, and what it prints."""
    text = io.StringIO()
    code = asyncio.run(check(configured(collection, **options), console_on(text)))
    return code, text.getvalue()


def row_of(text: str) -> dict[str, str]:
    """Return the row of the only app in what `--plan` prints, by the headings."""
    lines = text[text.index("Apps and their filters at X") :].splitlines()
    headings, cells = (
        [cell.strip() for cell in lines[n].strip("┃│").split(cut)] for n, cut in ((2, "┃"), (4, "│"))
    )
    return dict(zip(headings, cells, strict=True))


def planned(collection: Collection, **options: object) -> Json:
    """Return the plan of the only app, as `--plan --json` prints it."""
    plan = asyncio.run(preview_json(load_settings(configured(collection, **options))))
    [app] = json.loads(json.dumps(plan))["apps"]
    return dict(app)


def add_5500_and_352(collection: Collection) -> None:
    collection.add_rules("follow:0", [str(FIRST_ID + number * 7_919) for number in range(5_500)])
    collection.add_rules("track:0", [f"storm warning {number}" for number in range(352)])


def commanded(collection: Collection, *more: str, **options: object) -> str:
    """Return what the command itself prints for `--plan`; its exit code is 0."""
    assert collection.programs is not None
    program = ["-m", "traptor.supervisor", "-c", str(configured(collection, **options)), "--plan", *more]
    done = collection.programs.run(program)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_the_command_prints_the_plan_and_names_what_waits(make_collection: Make) -> None:
    collection = make_collection(Key("old"))
    add_5500_and_352(collection)
    words = " ".join(commanded(collection).split())
    assert "v2:old: 852 of 1,000 filters: 500 packed, 352 single." in words
    [app] = json.loads(commanded(collection, "--json"))["apps"]
    assert app == planned(collection)
    [app] = json.loads(commanded(collection, "--json", follow_scope="author"))["apps"]
    assert app["filters"] == 505
    [app] = json.loads(commanded(collection, "--json", rules_per_app=800))["apps"]
    assert (app["filters"], app["waiting"]) == (760, []), "phrases are packed, too: all have room"
    words = " ".join(commanded(collection, rules_per_app=500).split())
    assert "waits: traptor-follow:0:" in words
    assert "waits: and 607 more rules (--plan --json names all)" in words
    [app] = json.loads(commanded(collection, "--json", rules_per_app=500))["apps"]
    assert len({one["key"] for one in app["waiting"]}) == 627
    assert {one["endpoint"] for one in collection.sandbox.v2.requests()} == {"token", "rules_list"}
    assert collection.sandbox.v2.filters() == []


def test_the_plan_of_5500_and_352_rules(make_collection: Make) -> None:
    collection = make_collection(Key("old"))
    add_5500_and_352(collection)

    text = shown(collection)
    assert {"filters": "852", "packed": "500", "single": "352", "free": "148"}.items() <= row_of(text).items()
    assert "v2:old: 852 of 1,000 filters: 500 packed, 352 single." in text
    assert "v2:old: 9 rule requests, in effect after about 29 s; 1,000 posts cost $5.00 with" in text

    app = planned(collection)
    assert (app["filters"], app["packed"], app["single"], app["free"]) == (852, 500, 352, 148)
    assert app["dollars_per_1000_posts"] == {"plain": 5.0, "with_another": 5.0}

    text = shown(collection, fill_gaps="search", fill_daily_dollars=25)
    assert "v2:old: a gap is filled by search: 508 requests at least, one a second" in text
    assert "1,000 posts cost $5.00 with expand = none, $25.00 a day at most; searches for words" in text
    assert app["fills"] is None
    of_fills = {"method": "search", "queries": 508, "missed": [], "daily_dollars": 10.0}
    assert planned(collection, fill_gaps="search")["fills"] == of_fills
    assert planned(collection, fill_gaps="recovery")["fills"] == {"method": "recovery", "daily_dollars": 10.0}
    assert "or by recovery jobs (up to 24 hours)" in shown(collection, fill_gaps="recovery")

    assert collection.sandbox.v2.filters() == [], "a plan changes nothing"

    # 800 are enough, since track rules are packed where they do not fit singly; 40 stay free.
    text = shown(collection, rules_per_app=800)
    assert "v2:old: 760 of 800 filters: 502 packed, 258 single." in text
    assert (row_of(text)["free"], row_of(text)["waiting rules"]) == ("40", "0")
    assert "waits" not in text
    app = planned(collection, rules_per_app=800)
    assert (app["filters"], app["free"], app["waiting"]) == (760, 40, [])


@pytest.mark.parametrize(
    ("expand", "plain", "with_another", "said"),
    [
        ("none", 5.0, 5.0, "$5.00"),
        ("posts", 5.0, 10.0, "$5.00 ($10.00 if all repost or quote one)"),
        ("users", 15.0, 25.0, "$15.00 ($25.00 if all repost or quote one)"),
        ("all", 15.0, 30.0, "$15.00 ($30.00 if all repost or quote one)"),
    ],
    ids=["none", "posts", "users", "all"],
)
def test_the_price_of_1000_posts_is_that_of_the_chosen_fields(
    make_collection: Make, expand: str, plain: float, with_another: float, said: str
) -> None:
    """A post costs $0.005 and a user $0.010; a post with another one brings both posts' authors."""
    collection = make_collection(Key("old"))
    collection.add_rules("track:0", ["storm"])
    sentence = f"1,000 posts cost {said} with expand = {expand};"
    assert sentence in " ".join(commanded(collection, expand=expand).split())
    assert sentence in shown(collection, expand=expand)
    [app] = json.loads(commanded(collection, "--json", expand=expand))["apps"]
    assert app["expand"] == expand
    assert app["dollars_per_1000_posts"] == {"plain": plain, "with_another": with_another}


def test_rules_that_v2_finds_less_or_more_of_are_named(make_collection: Make) -> None:
    """The first of each difference in the check, whatever is in their keys; all of them for programs."""
    collection = make_collection(Key("old"))
    hostile = "a\nb\x1b[31m:smile:[red]\x9b"
    collection.add_rules("track:0", {hostile: "storm", **{f"rule{n}": f"flood {n}" for n in range(7)}})
    code, report = checked(collection)
    assert code == 0, report
    [line] = [line for line in report.splitlines() if "the address behind a link" in line]
    keys = r"traptor-track:0:a\nb\x1b[31m:smile:[red]\x9b, " + ", ".join(
        f"traptor-track:0:rule{n}" for n in range(4)
    )
    assert line.endswith(f" By key: {keys}, and 3 more (--plan --json names all)")
    assert not set(report) & {"\x1b", "\x9b"}
    app = planned(collection)
    assert app["differences"]["link_words"] == 8
    assert app["differing_rules"]["link_words"] == [
        f"traptor-track:0:{hostile}",
        *(f"traptor-track:0:rule{n}" for n in range(7)),
    ]
    assert {one: len(rules) for one, rules in app["differing_rules"].items()} == app["differences"]


def test_a_check_of_an_old_ini_says_what_v2_does_otherwise(make_collection: Make) -> None:
    collection = make_collection(Key("old"))
    collection.add_rules("follow:0", ["42", "43"])
    collection.add_rules("track:0", ["storm", "covid-19", "#a-b"])
    code, report = checked(collection)
    assert code == 0, report
    for text in (
        "v2: deletions and withheld notices do not come at all; every post that comes costs money.",
        "v2: lost for 2 rules of v2:old: replies typed by hand are found only where X takes them for",
        "v2: lost for 2 rules of v2:old: words that stand only in the address behind a link are not found."
        " By key: traptor-track:0:covid-19, traptor-track:0:storm",
        "v2: added for 1 rule of v2:old: the same words with other punctuation between them are found too."
        " By key: traptor-track:0:covid-19",
        "v2: added for 2 rules of v2:old: words that _ joins to others in a hashtag or mention are found too."
        " By key: traptor-track:0:covid-19, traptor-track:0:storm",
        "1,000 posts cost $5.00 with expand = none",
        "warning: v2 cannot express: traptor-track:0:#a-b: '#a-b' is no hashtag",
    ):
        assert text in report
    lines = report.splitlines()
    [replies] = [line for line in lines if "replies typed by hand" in line]
    assert replies.endswith(" By key: traptor-follow:0:42, traptor-follow:0:43")
    asked = [one["endpoint"] for one in collection.sandbox.v2.requests()]
    assert asked == ["token", "rules_list"], "the bearer token is fetched with the old key"


def test_filters_of_others_are_listed_by_value(make_collection: Make) -> None:
    collection = make_collection(Key("old"))
    collection.add_rules("track:0", ["storm"])
    leave_filters(collection, "kittens", "puppies has:media", "storm")
    code, report = checked(collection)
    assert code == 1
    for value in ("'kittens'", "'puppies has:media'"):
        assert f"error: v2:old: a filter of others stands there: {value}: no connection opens" in report
    assert "'storm'" not in report, "the very value that is wanted is used"

    code, report = checked(collection, foreign_filters="leave")
    assert code == 0
    assert "warning: v2:old: a filter of others stands there: 'kittens': they stay" in report
    assert "a filter of others stands there: 'kittens'" in shown(collection)
    app = planned(collection)
    assert [one["value"] for one in app["foreign"]] == ["kittens", "puppies has:media"]
    assert app["rule_requests"] == 0, "its only filter stands there"


@pytest.mark.long
def test_a_box_of_too_many_tiles_is_refused_with_their_number_and_x_takes_what_is_offered_instead(
    make_collection: Make,
) -> None:
    collection = make_collection(Key("old"), sandbox=SANDBOX)
    collection.add_rules("locations:0", {"wide": "0,37,2,39", "town": "10.4,59.8,10.6,60"})
    collection.add_rules("track:1", ["storm"])
    refusal = (
        "the box takes 88 tiles of 4298 characters in all, and a filter may have 1024: draw a smaller box, or"
        " several; a whole country is found by track rules with the suffix place_country:XX"
    )
    offered = {"suffix": "track:1 place_country:NO"}
    key = "traptor-locations:0:wide"
    code, report = checked(collection, **offered)
    assert (code, f"warning: v2 cannot express: {key}: {refusal}" in report) == (0, True), report
    assert "v2: lost for 1 rule of v2:old: posts whose place is larger" in report, "the town's alone"
    assert f"rejected: {key}: {refusal}" in shown(collection, **offered)
    plan = planned(collection, **offered)
    assert (plan["filters"], plan["rejected"]) == (2, [{"key": key, "reason": refusal}])

    collection.start()
    wait_filters(collection, "bounding_box:[10.4 59.8 10.6 60]", "(storm) place_country:NO")
    collection.wait_streaming("v2:old")
    wait_for(
        lambda: [app["rejected_first"] for app in collection.status()["apps"]] == [plan["rejected"]], "it"
    )
    collection.wait_log("rule rejected", f"key={key}", refusal)


def test_a_plan_is_made_although_x_does_not_answer(make_collection: Make) -> None:
    collection = make_collection(Key("old"))
    collection.add_rules("track:0", ["storm"])
    collection.sandbox.v2.fault("status", endpoint="any", status=503)
    text = shown(collection)
    assert "v2:old: 1 of 1,000 filters: 0 packed, 1 single." in text
    assert (
        "warning: v2:old: X does not tell which filters stand there: fetch bearer token: X answered" in text
    )
    assert "SECRET" not in text
    assert checked(collection)[0] == 1


def test_the_plan_of_v11_has_json_too(make_collection: Make) -> None:
    collection = make_collection(Key("old"))
    collection.add_rules("track:0", ["storm", "x" * 61])
    collection.write_ini()
    done = subprocess.run(
        [sys.executable, "-m", "traptor.supervisor", "-c", str(collection.ini), "--plan", "--json"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    plan = json.loads(done.stdout)
    assert [(one["name"], one["rules"], one["key"]) for one in plan["connections"]] == [("track:0", 1, "old")]
    assert plan["apps"] == []
    assert len(plan["rejected"]) == 1


def test_operators_of_x_in_values_are_doubted_by_key_and_the_first_of_many(make_collection: Make) -> None:
    collection = make_collection(Key("old"))
    hostile = "a\n\x1b[31m"
    rules = {f"rule{n:02}": f"storm{n} lang:en" for n in range(30)}
    collection.add_rules("track:0", {hostile: "storm -is:retweet", **rules})
    reason = "taken as words, though X's rule language has such operators: "
    code, report = checked(collection)
    assert code == 0, report
    doubts = [line for line in report.splitlines() if "doubtful: " in line]
    assert len(doubts) == 21
    assert (
        rf"warning: doubtful: traptor-track:0:a\n\x1b[31m: {reason}'-is:retweet'; what narrows" in doubts[0]
    )
    assert doubts[-1].endswith("doubtful: and 11 more rules (--plan --json names all)")
    assert "\x1b" not in report
    lines = shown(collection).splitlines()
    assert sum(line.startswith("doubtful: traptor-track:0:") for line in lines) == 20
    plan = asyncio.run(preview_json(load_settings(configured(collection))))
    assert len(plan["doubtful"]) == 31
