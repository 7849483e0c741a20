"""JSON as Twitter's v1.1 servers write it: nothing but ASCII, with `\\/` for a slash and `\\u003c` for `<`.

So it stands in the samples of a stream that Twitter published: "The Streaming APIs" and "Streaming API
request parameters" (the answer under `delimited`), both of 2013.
"""

from __future__ import annotations

import json
from typing import Any


def twitter_json(content: Any) -> bytes:
    """Return the JSON of one message, without a line end."""
    text = json.dumps(content, separators=(",", ":"))
    return text.replace("/", "\\/").replace("<", "\\u003c").replace(">", "\\u003e").encode()
