"""A supervisor whose parts misbehave when they are told to; run as `nonsense.py -c INI`.

A file beside the ini names a deed and holds the connection whose worker does it: some deeds are done for as
long as the file is there, those of OUTBURSTS once, by whoever removes the file.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from pathlib import Path
from typing import Any

from traptor.common.logs.event import fields
from traptor.common.messages import HEADER, MAX_FRAME_BYTES, Connected, FromWorker, MayConnect, Report, frame
from traptor.supervisor import wholestatus
from traptor.supervisor.cli import main
from traptor.supervisor.keys import addresses
from traptor.supervisor.keys.addresses import is_on_this_host
from traptor.supervisor.status.status import status
from traptor.worker import entry
from traptor.worker.link import Link
from traptor.worker.tweetpipeline import TweetPipeline

log = logging.getLogger("traptor.test")

FOLDER = Path(sys.argv[-1]).parent

# What is sent ahead of which message of the worker's own.
OUTBURSTS: dict[str, tuple[bytes, type]] = {
    "no-message": (HEADER.pack(8) + b"no frame", Report),
    "too-large": (HEADER.pack(MAX_FRAME_BYTES + 1), Report),
    "half-a-frame": (HEADER.pack(100) + b"half", Report),
    "connected-twice": (frame(Connected(time.monotonic())), Report),
    "connected-when-ready": (frame(Connected(time.monotonic())), MayConnect),
    "connected-in-a-year": (frame(Connected(time.monotonic() + 3e7)), Connected),
    "connected-never": (frame(Connected(float("nan"))), Connected),
}


def is_told(deed: str, connection: str) -> bool:
    try:
        return (FOLDER / deed).read_text() == connection
    except FileNotFoundError:
        return False


class BadPipeline(TweetPipeline):
    """Cannot start (`dies`), stays in a message for ever (`loops`), or logs a lot (`chatters`)."""

    def open(self) -> None:
        if is_told("dies", self.birth.connection):
            raise RuntimeError("told to die")
        super().open()

    def take(self, line: bytes) -> None:
        while is_told("loops", self.birth.connection):
            pass
        if is_told("chatters", self.birth.connection):
            for number in range(200):
                log.warning("chatter", extra=fields(n=number, filler="x" * 80))
        super().take(line)


class BadLink(Link):
    """Sends an outburst to the master."""

    def start(self, session: Any) -> None:
        self._connection = session._birth.connection
        super().start(session)

    def _send(self, *messages: FromWorker) -> None:
        for message in messages:  # each alone: an outburst comes right ahead of its message
            self._burst_out(message)
            super()._send(message)

    def _burst_out(self, message: FromWorker) -> None:
        for deed, (outburst, ahead_of) in OUTBURSTS.items():
            if isinstance(message, ahead_of) and is_told(deed, self._connection):
                (FOLDER / deed).unlink()
                self._sock.sendall(outburst)
                if deed == "half-a-frame":
                    threading.Event().wait()


def bad_status(*args: Any) -> dict[str, Any]:
    """Fails for a master that is told that its `status-fails`."""
    if is_told("status-fails", "master"):
        raise RuntimeError("told to fail")
    return status(*args)


def bad_addresses(address: str) -> bool:
    """Misses the address that is told to be gone: `address-gone`."""
    return is_on_this_host(address) and not is_told("address-gone", address)


if __name__ == "__main__":
    wholestatus.status = bad_status
    addresses.is_on_this_host = bad_addresses
    entry.TweetPipeline = BadPipeline  # type: ignore[misc]
    entry.Link = BadLink  # type: ignore[misc]
    main()
