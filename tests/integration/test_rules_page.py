"""The page for rules in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect
from support.browser import chromium
from support.collection import Collection, Key
from support.waiting import DEADLINE_S
from trial.ports import free_port

Make = Callable[..., Collection]

pytestmark = pytest.mark.long

TOKEN = "0123456789abcdef-token"
NASTY = "<img src=x onerror=alert(1)> storm"
IN_TIME_MS = DEADLINE_S * 1000


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def test_rules_are_found_judged_added_and_removed(make_collection: Make, browser: Browser) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {"http": {"listen": free_port(), "token": TOKEN}}
    collection.add_rules("track:0", {"r1": NASTY, "r2": "flood"})
    collection.start()
    collection.wait_streaming("track:0")
    page, complaints = browser.new_page(), []
    page.set_default_timeout(IN_TIME_MS)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"http://127.0.0.1:{collection.options['http']['listen']}/rules")
    news = page.locator("#news")
    expect(page.locator("#rules tr")).to_have_count(2, timeout=IN_TIME_MS)
    assert not page.locator("#rules img").count()
    assert Axe().run(page).response["violations"] == []

    page.get_by_label("Part of an id").fill("FLOOD")
    expect(page.locator("#rules tr")).to_have_count(1, timeout=IN_TIME_MS)
    page.get_by_role("button", name="Gaps traptor-track:0:r2").click()
    expect(page.locator("#gaps")).to_contain_text("start", timeout=IN_TIME_MS)

    page.get_by_label("Value", exact=True).fill("x" * 61)
    expect(page.locator("#verdict")).to_contain_text("Not valid: the phrase", timeout=IN_TIME_MS)
    page.get_by_label("Value", exact=True).fill("Hail Storm")
    expect(page.locator("#verdict")).to_contain_text("Valid: hail storm", timeout=IN_TIME_MS)
    page.get_by_role("button", name="Add rule").click()
    expect(news).to_contain_text("give the token", timeout=IN_TIME_MS)
    page.locator("#token").fill(TOKEN)
    page.get_by_role("button", name="Add rule").click()
    expect(news).to_contain_text("Added traptor-track:0:v-", timeout=IN_TIME_MS)

    page.get_by_label("Part of an id").fill("hail")
    expect(page.locator('#rules tr[data-key^="traptor-track:0:v-"]')).to_be_visible(timeout=IN_TIME_MS)
    page.get_by_role("button", name="Remove traptor-track:0:v-").click()
    expect(news).to_contain_text("Removed traptor-track:0:v-", timeout=IN_TIME_MS)
    page.get_by_label("Show").select_option("total")
    expect(page.locator("#rules tr")).to_have_count(2, timeout=IN_TIME_MS)
    assert complaints == []
