"""The demo without a terminal: a line every two seconds, and one for each event."""

from __future__ import annotations

import math
import time
from datetime import datetime

from rich.console import Console
from trial.view import AppView, ConnectionView

from demo_parts.picture import Picture
from traptor.common.terminal import say

_INTERVAL_S = 2.0


class PlainLines:
    """Prints lines for a file or a pipe."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed_at = -math.inf
        self._doing = ""

    def update(self, picture: Picture) -> None:
        """Print the state, unless that was done a moment ago."""
        now = time.monotonic()
        if picture.doing == self._doing and now - self._printed_at < _INTERVAL_S:
            return
        self._printed_at, self._doing = now, picture.doing
        view = picture.view
        parts = [picture.clock(), picture.doing, *map(_connection, view.connections), *map(_app, view.apps)]
        self._print(" | ".join(parts))

    def say(self, text: str) -> None:
        """Print an event."""
        self._print(f"  {datetime.now():%H:%M:%S}  {text}")

    def close(self) -> None:
        """Do nothing: everything is printed already."""

    def _print(self, line: str) -> None:
        say(self._console, line)


def _app(app: AppView) -> str:
    return (
        f"{app.standing:,} of {app.allowed:,} filters, {app.in_effect:,} act,"
        f" ${app.dollars_today:,.2f} today, ${app.dollars_per_1000:,.2f} for 1,000 posts"
    )


def _connection(c: ConnectionView) -> str:
    who = f"pid {c.pid} {c.key or 'no key'}" if c.pid else "no worker"
    return f"{c.name} {c.state} {who} {c.tweets_per_s:.0f}/s, {c.received:,} received, {c.matched:,} matched"
