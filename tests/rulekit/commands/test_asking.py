"""Names, ids and volumes are asked of a sandbox's X, after the price was said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from support.rulekit_desk import Desk

from traptor.sandbox.thread import SandboxThread
from traptor.sandbox.v1.settings import Settings


@pytest.fixture
def x(desk: Desk) -> Iterator[SandboxThread]:
    """A sandbox, named in the ini."""
    with SandboxThread(Settings(rate=0, connects=0)) as sandbox:
        text = desk.ini.read_text().replace("[twitter]\n", f"[twitter]\napi_url = {sandbox.url}\n")
        desk.ini.write_text(text.replace("[key:first]", "[key:first]\nbearer_token = token-of-an-app"))
        yield sandbox


def tell(x: SandboxThread, **order: object) -> None:
    assert requests.post(f"{x.url}/sandbox/v2/users", json=order, timeout=60).status_code == 200


def asked(x: SandboxThread) -> list[str]:
    requests_ = requests.get(f"{x.url}/sandbox/v2/requests", timeout=60).json()
    return [one["path"].partition("?")[0] for one in requests_]


def test_names_become_ids_for_a_price_that_is_said_first_and_paid_once(desk: Desk, x: SandboxThread) -> None:
    tell(x, id="77", username="Ann_1")
    rules = [{"value": "@ann_1", "tag": "a"}, {"value": "u12,15"}, {"value": "9"}]
    words = ("load", desk.jsonl("f.jsonl", *rules), "--type", "follow")
    said = desk.error(*words)
    assert (
        "to look up 2 names at X (1 request) costs up to $0.02; nothing was asked: agree with --yes" in said
    )
    assert asked(x) == []
    assert desk.names() == []
    loaded = desk.json(*words, "--yes")
    assert loaded["added"] == 3
    fields = {desk.fields(key)["value"]: desk.fields(key).get("screen_name") for key in desk.names()}
    assert fields == {"77": "Ann_1", "12,15": "u12,", "9": None}
    assert asked(x) == ["/2/users/by"]
    again = desk.json(*words)  # from the cache: nothing to pay
    assert (again["unchanged"], again["groups"]) == (3, [])
    assert asked(x) == ["/2/users/by"]


def test_a_name_that_nobody_has_is_a_bad_row(desk: Desk, x: SandboxThread) -> None:
    file = desk.jsonl("f.jsonl", {"value": "nobody"}, {"value": "u12"}, {"value": "no name!"})
    said = desk.error("load", file, "--type", "follow", "--yes")
    assert "row 3: 'no name!' is not a numeric user id" in said
    assert asked(x) == []  # a load that stops anyway pays for nothing
    loaded = desk.json("load", file, "--type", "follow", "--yes", "--skip-bad")
    assert loaded["added"] == 1
    assert "no account for @nobody: Could not find user" in loaded["bad"][1]["reason"]
    desk.run("add", "follow", "@u13", "--yes")
    assert {desk.fields(key)["screen_name"] for key in desk.names()} == {"u12", "u13"}


def test_many_names_are_asked_for_a_hundred_at_once(desk: Desk, x: SandboxThread) -> None:
    file = desk.jsonl("f.jsonl", *({"value": f"u{number}"} for number in range(1, 251)))
    assert "250 names at X (3 requests) costs up to $2.50" in desk.error("load", file, "--type", "follow")
    assert desk.json("load", file, "--type", "follow", "--yes")["added"] == 250
    assert asked(x) == ["/2/users/by"] * 3


def test_renamed_and_gone_accounts_are_found(desk: Desk, x: SandboxThread) -> None:
    file = desk.jsonl("f.jsonl", {"value": "u12"}, {"value": "u13,u14"}, {"value": "15"})
    desk.run("load", file, "--type", "follow", "--yes")
    tell(x, id="12", username="ann")
    tell(x, id="14", gone=True)
    words = ("refresh-names", "follow:0", "--yes")
    dry = desk.json(*words, "--dry-run")
    assert [(one["id"], one["name"], one["new_name"]) for one in dry["renamed"]] == [("12", "u12", "ann")]
    assert [(one["id"], one["name"]) for one in dry["gone"]] == [("14", "u14")]
    assert "12 is @ann, was u12" in desk.run(*words).stdout
    names = {desk.fields(key)["value"]: desk.fields(key).get("screen_name") for key in desk.names()}
    assert names == {"12": "ann", "13,14": "u13,u14", "15": None}
    assert desk.json("refresh-names", "--all", "--yes")["renamed"][0]["new_name"] == "u15"


def test_a_price_is_asked_for_and_told_with_its_caveat(desk: Desk, x: SandboxThread) -> None:
    x.client.burst(70, ["flood"])
    assert "to count 1 rule at X (1 request) costs up to $0.01" in desk.error(
        "price", "--value", "flood", "--type", "track"
    )
    told = desk.json("price", "--value", "flood", "--type", "track", "--yes")
    assert told["posts_a_day"] > 1
    assert told["dollars_a_day"] == pytest.approx(told["posts_a_day"] * 0.005, abs=0.01)
    assert "lower bound" in told["caveat"]
    file = desk.jsonl("r.jsonl", {"rule_id": "a", "value": "flood"}, {"rule_id": "b", "value": "x,y z,#t"})
    result = desk.run("price", file, "--type", "track", "--yes")
    assert "lower bound" in result.stderr
    assert "all" in result.stdout


def test_what_x_refuses_is_said_without_the_token(desk: Desk, x: SandboxThread) -> None:
    x.client.v2.fault("status", endpoint="any", problem="credits")
    said = desk.error("add", "follow", "u12", "--yes")
    assert "X answered 402" in said
    assert "token-of-an-app" not in said
    assert desk.names() == []


def test_no_key_that_can_ask_is_said(desk: Desk) -> None:
    assert "no key nobody to ask X with: first" in desk.error(
        "add", "follow", "u12", "--yes", "--key", "nobody"
    )


def test_a_server_that_is_not_there_is_said(desk: Desk) -> None:
    text = desk.ini.read_text().replace("[twitter]\n", "[twitter]\napi_url = http://127.0.0.1:1\n")
    desk.ini.write_text(text)
    said = desk.error("add", "follow", "u12", "--yes")
    assert "http://127.0.0.1:1 cannot be asked: ConnectionError; check [twitter] api_url" in said
