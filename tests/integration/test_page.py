"""The status page in a real browser: what is on it, that it stays current, and who can use it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from support.browser import IN_TIME_MS, chromium, watched_page
from support.collection import Collection, Key
from trial.ports import free_port

Make = Callable[..., Collection]

pytestmark = pytest.mark.long

TOKEN = "0123456789abcdef-token"


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def collection(make_collection: Make) -> Collection:
    """Two connections, and a key for one of them only."""
    collection = make_collection(Key("k1"))
    collection.options = {"http": {"listen": free_port(), "token": TOKEN}}
    collection.add_rules("track:0", ["storm", "flood"])
    collection.add_rules("follow:0", {"u42": "42"})
    collection.start()
    collection.wait_streaming("track:0")
    return collection


def opened(browser: Browser, collection: Collection, **look: Any) -> tuple[Page, list[str]]:
    """The page, and what the browser complains of."""
    page, complaints = watched_page(browser, **look)
    page.goto(f"http://127.0.0.1:{collection.options['http']['listen']}/")
    expect(page.locator("body")).to_have_attribute("data-current", "yes", timeout=IN_TIME_MS)
    return page, complaints


def test_it_stays_current_and_carries_orders(collection: Collection, browser: Browser) -> None:
    page, complaints = opened(browser, collection)
    expect(page.get_by_role("heading", name="Problems")).to_be_visible()
    expect(page.locator("#problems")).to_contain_text("follow:0", timeout=IN_TIME_MS)
    streams = page.locator('tr[data-key="track:0"]')
    expect(streams).to_contain_text("collecting")
    expect(page.locator('tr[data-key="follow:0"]')).to_contain_text("NOT COLLECTING")
    pid = collection.pid("track:0")
    assert pid is not None
    expect(streams).to_contain_text(str(pid))

    restart = page.get_by_role("button", name="Restart track:0")
    restart.focus()
    os.kill(pid, signal.SIGKILL)
    second = collection.wait_new_pid("track:0", pid)
    expect(streams).to_contain_text(str(second), timeout=IN_TIME_MS)
    expect(restart).to_be_focused()  # what changes takes nothing from whoever uses the keyboard

    page.keyboard.press("Enter")
    expect(page.get_by_label("Token")).to_be_focused()
    page.keyboard.type(TOKEN)
    restart.focus()
    page.keyboard.press("Enter")
    third = collection.wait_new_pid("track:0", second)
    expect(streams).to_contain_text(str(third), timeout=IN_TIME_MS)
    page.get_by_role("button", name="Stop track:0").click()
    collection.wait_state("track:0", "STOPPED")
    expect(page.get_by_role("button", name="Start track:0")).to_be_visible(timeout=IN_TIME_MS)

    assert complaints == []
    collection.stop()
    expect(page.locator("#news")).to_contain_text("NOT CURRENT", timeout=IN_TIME_MS)


LOOKS: dict[str, dict[str, Any]] = {
    "at a desk": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "in the dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "on a phone": {"viewport": {"width": 390, "height": 800}, "color_scheme": "dark"},
}


WIDTHS = (1280, 1265, 1100, 1090, 1000, 700, 390)
CUT_OFF = """
[...document.querySelectorAll(".wide")].filter(one => one.scrollWidth > one.clientWidth).map(one => one.id)
"""


def test_everybody_can_use_it(collection: Collection, browser: Browser) -> None:
    """axe-core finds nothing, the page itself never scrolls sideways, and no table is cut off."""
    for look, options in LOOKS.items():
        page, complaints = opened(browser, collection, **options)
        expect(page.locator("#problems")).to_contain_text("follow:0", timeout=IN_TIME_MS)
        found = Axe().run(page)
        assert found.violations_count == 0, f"{look}: {found.generate_report()}"
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert (wide <= 0, complaints) == (True, []), look
        for width in WIDTHS if look == "at a desk" else ():
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(CUT_OFF) == [], f"{width} pixels"
        page.close()
