"""Take the picture of the status page that the README shows.

    scripts/demo --seconds 120 &   # names the address of its page
    python scripts/screenshot.py http://127.0.0.1:PORT/ docs/status-page.png

It needs the environment of scripts/test, and Chromium.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import click
from playwright.sync_api import sync_playwright

_WIDTH, _HEIGHT = 1280, 640


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("url")
@click.argument("picture", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--browser", default=lambda: shutil.which("chromium"), help="The program.  [default: chromium]")
def main(url: str, picture: Path, browser: str) -> None:
    """Write the page at URL to PICTURE, once it is current."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="light")
        page.goto(url)
        page.locator("body[data-current=yes]").wait_for()
        page.screenshot(path=picture, full_page=True)
        chromium.close()


if __name__ == "__main__":
    main()
