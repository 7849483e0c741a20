"""JSON as Twitter's v1.1 servers write it: nothing but ASCII, with `\\/` for a slash and `\\u003c` for `<`.

So it stands in the samples of a stream that Twitter published: "The Streaming APIs" and "Streaming API
request parameters" (the answer under `delimited`), both of 2013.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

import orjson

from traptor.sandbox.errors import BadInput


def twitter_json(content: Any) -> bytes:
    """Return the JSON of one message, without a line end."""
    text = json.dumps(content, separators=(",", ":"))
    return text.replace("/", "\\/").replace("<", "\\u003c").replace(">", "\\u003e").encode()


def parse_json(text: bytes) -> Any:
    """Parse a JSON text, including lone half surrogates in escapes, which some tweets have had.

    Raises BadInput.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as problem:
        first = problem
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BadInput(f"not JSON ({first.msg})") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)
