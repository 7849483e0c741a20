"""HTML of the page and of its parts, from the template beside; and what a browser may do with it."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from traptor.supervisor.control.page.seen import Seen

PARTS = ("summary", "problems", "connections", "apps", "keys")
"""The parts that change: macros of the template, and ids on the page."""


def parts(seen: Seen) -> dict[str, str]:
    """Return the HTML of each part by its id."""
    return {name: str(getattr(_template(), name)(seen)).strip() for name in PARTS}


def page(seen: Seen) -> str:
    """Return the whole page."""
    from markupsafe import Markup  # with the template's library: it takes a while, for few

    # Both are ours; in a style and a script nothing may be escaped.
    style, script = Markup(_file("page.css")), Markup(_file("page.js"))  # noqa: S704 - not from outside
    return str(_template().page(seen, style, script)).strip()


@cache
def policy() -> str:
    """Return the Content-Security-Policy: this style, this script, requests to its own server."""
    return (
        f"default-src 'none'; style-src '{_hash('page.css')}'; script-src '{_hash('page.js')}';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(name: str) -> str:
    digest = hashlib.sha256(_file(name).encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


@cache
def _template() -> Any:
    """Return the template's macros."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_file("page.html")).module


@cache
def _file(name: str) -> str:
    return files(__package__ or "").joinpath(name).read_text(encoding="utf-8")
