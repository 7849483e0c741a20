"""The page for rules as it is served: one file, that may run its own script alone."""

from __future__ import annotations

import base64
import hashlib
import re

from support.api import AnApi

from traptor.supervisor.control.rules.page import policy, rules_page


def test_the_page_is_whole_and_its_policy_allows_its_own_style_and_script_alone(api: AnApi) -> None:
    answer = api.ask("GET", "/rules", tcp=True)
    text = answer.body.decode()
    assert (answer.status, answer.content_type, text) == (200, "text/html", rules_page())
    for tag in ("style", "script"):
        [content] = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy()
    assert answer.headers["Content-Security-Policy"] == policy()
    assert "default-src 'none'" in policy()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert not re.search(r"""\b(?:src|style|on[a-z]+)=["']""", text)


def test_every_place_that_the_script_asks_for_is_there_once() -> None:
    places = re.findall(r' id="([^"]+)"', rules_page())
    assert len(places) == len(set(places))
    assert set(re.findall(r'\bat\("([^"]+)"\)', rules_page())) <= set(places)


def test_every_field_has_a_label() -> None:
    fields = re.findall(r'<(?:input|select) id="([^"]+)"', rules_page())
    assert set(fields) == set(re.findall(r'<label for="([^"]+)"', rules_page()))
