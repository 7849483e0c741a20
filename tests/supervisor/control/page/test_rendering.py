"""The page's HTML: what it says, and that nothing from outside becomes a part of it."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

from support.shown import a_connection, a_key, a_problem, a_status, an_app, silent

from traptor.supervisor.control.page.rendering import PARTS, page, parts, policy
from traptor.supervisor.control.page.seen import Seen, seen

NASTY = '<img src=x onerror="alert(1)">&\'"'


def shown(**changes: object) -> Seen:
    return seen(a_status(**changes), lambda _name: [1.0, 2.0], {})


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value or "" for name, value in attrs if name == "id"]


def test_a_connection_that_should_collect_and_does_not_is_said_in_words() -> None:
    html = parts(shown(connections=[silent(), silent("track:1", state="UP")]))["connections"]
    assert "NOT COLLECTING (waiting for key)" in html
    assert "NOT COLLECTING</span>" in html
    assert ">UP<" not in html


def test_problems_are_first_and_their_absence_is_said() -> None:
    whole = page(shown(problems=[a_problem()]))
    assert whole.index("follow:0 NOT COLLECTING 400 rules") < whole.index('id="connections"')
    assert "No problems" in parts(shown())["problems"]
    two = parts(shown(problems=[a_problem(), a_problem("track:0", beneath=0)]))["problems"]
    assert two.count("<li") == 1
    assert "<small>of the same cause: track:0 NOT COLLECTING 400 rules</small>" in two


def test_apps_are_shown_with_filters_and_dollars_and_only_where_there_are_any() -> None:
    html = parts(shown(apps=[an_app()]))["apps"]
    for part in ("all rules in effect", "852 of 1,000 (500 packed)", "$5.00", "$1,234.50"):
        assert part in html, part
    assert parts(shown())["apps"] == ""


def test_a_stopped_connection_can_only_be_started() -> None:
    html = parts(shown(connections=[a_connection(state="STOPPED", collecting=False)]))["connections"]
    assert re.findall(r'data-post="([^"]+)"', html) == ["/api/connections/track%3A0/start"]
    html = parts(shown())["connections"]
    assert re.findall(r'data-post="[^"]+/(\w+)"', html) == ["restart", "stop"]


def test_names_from_outside_stay_text() -> None:
    whole = page(
        shown(
            connections=[a_connection(NASTY, waits_for=NASTY)],
            keys=[a_key(NASTY, reason=NASTY)],
            problems=[a_problem(NASTY, why=NASTY, todo=NASTY)],
        )
    )
    tags = _Tags()
    tags.feed(whole)
    assert "img" not in tags.tags
    assert not {name for name in tags.attributes if name.startswith("on")}


def test_every_part_has_its_place_on_the_page() -> None:
    tags = _Tags()
    tags.feed(page(shown()))
    assert set(PARTS) <= set(tags.ids)
    assert len(tags.ids) == len(set(tags.ids))


def test_the_policy_admits_this_style_and_this_script_and_nothing_else() -> None:
    whole = page(shown())
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        found = re.search(rf"<{tag}>(.*)</{tag}>", whole, re.DOTALL)
        assert found is not None
        digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy()
    assert "unsafe" not in policy()
    assert " style=" not in whole
    assert "http://" not in whole.replace("http://www.w3.org", "")
    assert "https://" not in whole
