"""A real browser without a window: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from support.debian import debian_program, with_what_it_needs
from support.waiting import DEADLINE_S

IN_TIME_MS = DEADLINE_S * 1000

# As root in a container there is no sandbox, and no service of the browser's maker may be asked.
_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; what waits in it fails at the deadline."""
    program = debian_program("chromium", *with_what_it_needs("chromium"))
    real = program.path.parent.parent / "lib/chromium/chromium"  # the other is a script for desktops
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=real if real.exists() else program.path,
            args=_OPTIONS,
            env={**os.environ, **program.env},
            timeout=IN_TIME_MS,
        )
        try:
            yield browser
        finally:
            browser.close()


def watched_page(browser: Browser, **look: Any) -> tuple[Page, list[str]]:
    """A new page, and what the browser will complain of."""
    page, complaints = browser.new_page(**look), []
    page.set_default_timeout(IN_TIME_MS)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page, complaints
