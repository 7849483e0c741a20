"""Who asks over HTTP: the server notes it with the request, and the history of rules names it."""

from __future__ import annotations

from aiohttp import web

_AUTHOR = web.RequestKey("author", str)
_NOBODY = "the API"


def note_author(request: web.Request, name: str) -> None:
    """Note who asks: an OS user, or the name of a token."""
    request[_AUTHOR] = name


def author_of(request: web.Request) -> str:
    """Return who asks, as far as the server knows."""
    author: str = request.get(_AUTHOR, _NOBODY)
    return author
