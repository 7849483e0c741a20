"""Lines of a stream that are not posts."""

from __future__ import annotations

from typing import Any

import orjson

from traptor.sandbox.v2.problems import Spelling, connection_issue, kind_of

BROKEN = b'{"data":{"id":"900000000000000001","text":"cut\r\n'
BINARY = b"\x00\xff\xfe\x80\x1b{\xc3\x28\xf0\x9f\r\n"
HALF = b'{"data":{"id":"900000000000000001","text":"a post that en'
_LONG_BYTES = 2 * 1024 * 1024


def line(document: object) -> bytes:
    """Return a document as one line."""
    return orjson.dumps(document) + b"\r\n"


def disconnect_line(disconnect_type: str, spelling: Spelling) -> bytes:
    """Return the line that announces the end of a stream."""
    error = {
        "title": "operational-disconnect",
        "disconnect_type": disconnect_type,
        "detail": "This stream has been disconnected for operational reasons.",
        "type": kind_of("operational-disconnect"),
    }
    return line(spelling.spell({"errors": [error]}))


def issue_line(issue: str, spelling: Spelling) -> bytes:
    """Return the line that reports a connection issue."""
    return line(spelling.spell(connection_issue(issue, "The stream cannot go on.")))


def rubbish_lines(spelling: Spelling) -> list[bytes]:
    """Return lines that are not posts, as observed in the wild, and one of 2 MB."""
    errors = {"errors": [{"title": "Internal Error", "type": kind_of("unexpected"), "detail": "..."}]}
    return [
        line(spelling.spell(errors)),
        line(spelling.spell({"title": "Unexpected", "type": kind_of("unexpected"), "detail": "..."})),
        line({"type": "connection_metadata"}),
        line({}),
        line(None),
        line([]),
        b"x" * _LONG_BYTES + b"\r\n",
    ]


def partial_errors(post: bytes) -> bytes:
    """Return the line of a post with the error of an unavailable expansion."""
    error: dict[str, Any] = {
        "value": "900000000000000002",
        "resource_id": "900000000000000002",
        "resource_type": "tweet",
        "parameter": "referenced_tweets.id",
        "title": "Not Found Error",
        "detail": "Could not find tweet with referenced_tweets.id: [900000000000000002].",
        "type": kind_of("resource-not-found"),
    }
    document = orjson.loads(post)
    return orjson.dumps(document | {"errors": [*document.get("errors", []), error]})
