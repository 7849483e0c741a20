"""What a worker is told to connect with, and answers of a stream as bytes."""

from __future__ import annotations

from pathlib import Path

from support.births import worker_settings
from support.planted import SECRET
from traptor.common.messages import Connect

SETTINGS = worker_settings(Path(), output="kafka")

CONNECT = Connect(
    key_id="0" * 8,
    key_name="k",
    consumer_key=f"ck{SECRET}",
    consumer_secret=f"cs{SECRET}",
    access_token=f"at{SECRET}",
    access_token_secret=f"ats{SECRET}",
)


def chunked(body: bytes, size: int) -> bytes:
    """Return the body as a chunked answer, in chunks of `size` bytes."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
