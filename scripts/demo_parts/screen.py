"""The demo on a terminal: one redrawn picture, made for 80x24, with more detail on larger screens."""

from __future__ import annotations

from collections import deque
from datetime import datetime

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from trial.view import AppView, ConnectionView, KeyView

from demo_parts.picture import Picture
from demo_parts.samples import Sample

_WIDE = 100  # columns needed for the wide layout
_WIDEST = 120
_ROWS_BESIDE_EVENTS = 18
_FEWEST_EVENTS, _MOST_EVENTS = 3, 14
_STATE_STYLES = {"STREAMING": "green", "CONNECTING": "yellow", "READY": "yellow", "STARTING": "yellow"}


class Screen:
    """Draws with rich; nothing is drawn between two calls."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._events: deque[tuple[str, str]] = deque(maxlen=_MOST_EVENTS)
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
        self._live.start()

    def update(self, picture: Picture) -> None:
        """Draw this state."""
        self._live.update(self.draw(picture), refresh=True)

    def say(self, text: str) -> None:
        """Add the text to the last events, which the next picture shows."""
        self._events.append((f"{datetime.now():%H:%M:%S}", text))

    def close(self) -> None:
        """Leave the last picture."""
        self._live.stop()

    def draw(self, picture: Picture) -> RenderableType:
        """Return the picture with the last events, in the size of the terminal."""
        size = self._console.size
        width = min(size.width, _WIDEST)
        is_wide = width >= _WIDE
        body = Group(
            _about(picture),
            Text(),
            _connections(picture, is_wide),
            Text(),
            *map(_app, picture.view.apps),
            *([_keys(picture.view.keys)] * (not picture.view.apps)),
            Text(),
            Text("Newest tweets, and the tags of their rules", style="bold"),
            *_samples(picture),
            Text(),
            Text("Last events", style="bold"),
            *self._last_events(size.height),
        )
        title = Text.assemble((" Traptor ", "bold"), f"— {picture.doing} — {picture.clock()} ")
        return Panel(
            body,
            title=title,
            title_align="left",
            subtitle=f" status page: {picture.page} ",
            subtitle_align="left",
            box=box.ROUNDED,
            border_style="cyan",
            width=width,
        )

    def _last_events(self, height: int) -> list[Text]:
        count = min(max(height - _ROWS_BESIDE_EVENTS - 1, _FEWEST_EVENTS), _MOST_EVENTS)
        events = list(self._events)[-count:]
        lines = [_line(Text.assemble((f"{at}  ", "dim"), text)) for at, text in events]
        return lines + [Text()] * (count - len(lines))


def _about(picture: Picture) -> Text:
    return _line(
        Text.assemble(
            (f"{picture.follow_rules:,}", "bold"),
            " follow and ",
            (f"{picture.track_rules:,}", "bold"),
            " track rules; a local Twitter makes ",
            (f"{picture.rate:g}", "bold"),
            " tweets a second",
        )
    )


def _connections(picture: Picture, is_wide: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0, expand=True)
    table.add_column("connection", style="bold", no_wrap=True)
    table.add_column("rules", justify="right")
    table.add_column("state", no_wrap=True, min_width=10)
    table.add_column("key", no_wrap=True)
    table.add_column("pid", justify="right", min_width=7)
    if is_wide:
        table.add_column("first pid", justify="right", style="dim")
    table.add_column("tweets/s", justify="right")
    table.add_column("received", justify="right")
    table.add_column("matched", justify="right")
    if is_wide:
        table.add_column("gaps", justify="right")
    for connection in picture.view.connections:
        table.add_row(*_row(picture, connection, is_wide))
    for _ in range(picture.expected - len(picture.view.connections)):
        table.add_row("…")
    return table


def _row(picture: Picture, c: ConnectionView, is_wide: bool) -> list[RenderableType]:
    is_new = picture.is_new(c.name, c.pid)
    pid = Text(str(c.pid or ""), style="bold yellow" if is_new else "")
    first = picture.first_pids.get(c.name)
    cells: list[RenderableType] = [
        c.name,
        f"{c.rules:,}",
        Text(c.state, style=_STATE_STYLES.get(c.state, "red")),
    ]
    cells += [c.key or "", pid]
    if is_wide:
        cells.append(str(first) if is_new else "")
    cells += [f"{c.tweets_per_s:.0f}", f"{c.received:,}", f"{c.matched:,}"]
    if is_wide:
        cells.append(f"{c.gap_s:.1f} s")
    return cells


def _app(app: AppView) -> Text:
    state = "all act" if app.is_settled else f"{app.in_effect:,} act"
    return _line(
        Text.assemble(
            ("Filters  ", "bold"),
            f"{app.standing:,} of {app.allowed:,}, {state}",
            ("   Today  ", "bold"),
            f"${app.dollars_today:,.2f}",
            ("   1,000 posts  ", "bold"),
            f"${app.dollars_per_1000:,.2f}",
        )
    )


def _keys(keys: tuple[KeyView, ...]) -> Text:
    spare = (f"{key.name} ({_condition(key)})" for key in keys if not key.connections)
    return _line(Text.assemble(("Spare keys  ", "bold"), ", ".join(spare) or "…"))


def _condition(key: KeyView) -> str:
    return f"{key.budget_left} connects left" if key.state == "OK" else key.state


def _samples(picture: Picture) -> list[Text]:
    by_name: dict[str, Sample] = {sample.connection: sample for sample in picture.samples}
    return [_sample(c.name, by_name.get(c.name)) for c in picture.view.connections] + [
        Text("…", style="dim") for _ in range(picture.expected - len(picture.view.connections))
    ]


def _sample(name: str, sample: Sample | None) -> Text:
    if sample is None:
        return Text(f"{name:<11}…", style="dim")
    return _line(Text.assemble((f"{name:<11}", "dim"), (f"{sample.tag:<15} ", "cyan"), sample.text))


def _line(text: Text) -> Text:
    """Return the text as one line, however narrow the terminal is."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text
