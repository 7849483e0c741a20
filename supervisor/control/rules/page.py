"""The page for rules, at `/rules`: it asks the API for all that it shows."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from aiohttp import web

_STYLES = (("traptor.supervisor.control.page", "page.css"), (__package__ or "", "rules.css"))


class RulesPage:
    """Serves the page; whoever has it needs the token to change anything."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        return [web.get("/rules", self._get_page)]

    async def _get_page(self, _request: web.Request) -> web.StreamResponse:
        headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": policy(),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(text=rules_page(), content_type="text/html", headers=headers)


@cache
def rules_page() -> str:
    """Return the whole page."""
    return _read(__package__ or "", "rules.html").replace("STYLE", _style()).replace("SCRIPT", _script())


@cache
def policy() -> str:
    """Return the Content-Security-Policy: this style, this script, requests to its own server."""
    return (
        f"default-src 'none'; style-src '{_hash(_style())}'; script-src '{_hash(_script())}';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@cache
def _style() -> str:
    return "\n".join(_read(*place) for place in _STYLES)


@cache
def _script() -> str:
    return _read(__package__ or "", "rules.js")


def _read(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
