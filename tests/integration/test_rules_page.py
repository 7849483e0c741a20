"""The page for rules in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from support.browser import IN_TIME_MS, chromium, watched_page
from support.collection import Collection, Key
from support.waiting import wait_for
from trial.ports import free_port

from traptor.rulekit.figures.recent import text_in

Make = Callable[..., Collection]

pytestmark = pytest.mark.long

TOKEN = "0123456789abcdef-token"
NASTY = "<img src=x onerror=alert(1)> storm"


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def opened(browser: Browser, collection: Collection, **look: Any) -> tuple[Page, list[str]]:
    """The page, and what the browser complains of."""
    page, complaints = watched_page(browser, **look)
    expect.set_options(timeout=IN_TIME_MS)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"http://127.0.0.1:{collection.options['http']['listen']}/rules")
    return page, complaints


def test_a_rule_is_judged_added_collected_shown_and_removed(make_collection: Make, browser: Browser) -> None:
    collection = make_collection(Key("k1", max_connections=2))
    collection.options = {"http": {"listen": free_port(), "token": TOKEN}}
    collection.add_rules("track:0", {"r1": NASTY, "r2": "flood"})
    collection.start()
    collection.wait_streaming("track:0")
    page, complaints = opened(browser, collection)
    news, rows, card = page.locator("#news"), page.locator("#rules tr"), page.locator("#card")
    expect(rows).to_have_count(2)
    expect(news).to_contain_text("2 rules.")
    assert not page.locator("#rules img").count()

    page.get_by_label("Part of an id").fill("FLOOD")
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Show traptor-track:0:r2").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#of-card")).to_be_focused()
    expect(card).to_contain_text("track:0, collecting for")
    expect(card.get_by_role("listitem").first).to_contain_text("(start)")

    collection.add_rules("track:0", {"r3": "late"})
    collection.hint("track:0")
    page.get_by_label("Part of an id").fill("late")
    page.get_by_role("button", name="Show traptor-track:0:r3").click()
    expect(card).to_contain_text("track:0, collecting for")
    expect(card.get_by_role("listitem").first).to_contain_text("s (uncarried)")
    expect(card).not_to_contain_text("null")

    value, verdict = page.get_by_label("Value", exact=True), page.locator("#verdict")
    value.fill("x" * 61)
    expect(verdict).to_contain_text("Not valid: the phrase")
    value.fill("Hail Storm")
    expect(verdict).to_contain_text("Valid: hail storm")
    page.get_by_label("Id of its group").fill("new")
    page.get_by_role("button", name="Add rule").click()
    expect(news).to_contain_text("Give the token")
    page.keyboard.type(TOKEN)
    page.get_by_role("button", name="Add rule").click()
    expect(news).to_contain_text("Added traptor-track:new:v-")

    page.get_by_label("Part of an id").fill("track:new")
    expect(rows).to_have_count(1)
    collection.wait_streaming("track:0", "track:new")  # until its group is read, nobody can say where it is
    page.get_by_role("button", name="Show traptor-track:new:v-").click()
    expect(card).to_contain_text("track:new, collecting")
    collection.sandbox.burst(3, ["hail storm"])
    wait_for(lambda: len(collection.tweets("track:new")) == 3, "the tweets are delivered")
    page.get_by_role("button", name="Its last tweets").click()
    expect(page.locator("#tweets li")).to_have_count(3)
    begin = text_in(collection.tweets("track:new")[-1])[:1_000]  # of some only 2,000 characters are shown
    expect(page.locator("#tweets li").first).to_contain_text(begin)
    expect(card).to_contain_text("Last match")
    can_be_used(page)

    page.get_by_role("button", name="Remove traptor-track:new:v-").click()
    expect(news).to_contain_text("Removed traptor-track:new:v-")
    expect(card).to_contain_text("Choose a rule")
    page.get_by_label("Show", exact=True).select_option("total")
    expect(rows).to_have_count(3)
    assert complaints == []
    page.close()

    page, complaints = opened(
        browser, collection, viewport={"width": 390, "height": 800}, color_scheme="dark"
    )
    page.get_by_role("button", name="Show traptor-track:0:r2").click()
    expect(page.locator("#card")).to_contain_text("collecting for")
    can_be_used(page)
    assert complaints == []


def can_be_used(page: Page) -> None:
    """axe-core finds nothing, and the page itself never scrolls sideways."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
