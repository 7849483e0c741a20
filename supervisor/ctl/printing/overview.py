"""The overview that `traptorctl status` prints: problems first, then each connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from traptor.common.text import one_line
from traptor.supervisor.ctl.printing.tables import FittingTable, Paragraph
from traptor.supervisor.status.phrases import (
    app_filters,
    app_state,
    ownerless,
    problem_lines,
    rules_of,
    state_words,
    summary,
    trial_state,
)
from traptor.supervisor.status.terms import age, dollars, number, since, size

Json = Mapping[str, Any]

_NUMBERS = (
    "WAITING",
    "POSTS TODAY",
    "TODAY",
    "MONTH",
    "1,000 POSTS",
    "RULES",
    "TWEETS/S",
    "MATCHED",
    "DELIVERED",
    "OUTBOX",
    "OLDEST",
    "RESTARTS",
    "MEMORY",
    "PID",
)
# What a narrow terminal does without, in this order.
_FIRST_TO_GO = (
    "ADDRESS",
    "GROUPS",
    "MEMORY",
    "DELIVERED",
    "OLDEST",
    "LAST GAP",
    "RESTARTS",
    "PID",
    "MATCHED",
    "KEY",
)
_FIRST_TO_GO_OF_APPS = ("1,000 POSTS", "POSTS TODAY", "WAITING", "FILTERS")
_STYLES = {"good": "green", "bad": "bold red", "worried": "yellow", "idle": "dim"}


@dataclass(frozen=True, slots=True)
class Overview:
    """One status with the last gap of each connection by its name; adapts to the width of the terminal."""

    status: Json
    last_gaps: Mapping[str, Json]

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        """Yield what is shown."""
        found = list(self._problems())
        head = Text(summary(self.status))
        # What is wrong is the first line that the person on call reads.
        yield from (*found, head) if found else (head, Text("no problems", style="green"))
        rows = [_row(one, self.last_gaps.get(one["connection"])) for one in self.status["connections"]]
        if rows:
            yield Text()
            yield FittingTable(rows, _FIRST_TO_GO, _NUMBERS)
        if apps := [_app_row(app) for app in self.status["apps"]]:
            yield Text()
            yield FittingTable(apps, _FIRST_TO_GO_OF_APPS, _NUMBERS, ("STATE",))
        for line in filter(None, (ownerless(self.status), trial_state(self.status))):
            yield Text()
            yield Text(one_line(line))

    def _problems(self) -> Iterator[RenderableType]:
        for one, others in problem_lines(self.status["problems"]):
            style = "bold red" if one["level"] == "ERROR" else "yellow"
            yield Paragraph(Text.assemble(("! ", style), one_line(one["sentence"])), 2)
            if others:
                yield Paragraph(Text(f"  {one_line(others)}", style="dim"), 4)


def _row(one: Json, last_gap: Json | None) -> dict[str, str | Text]:
    g, total = one["serving"] or {}, one["total"]
    vitals = g.get("vitals") or {}
    tweets = total["received"]
    matched = f"{(total['matched'] + total['inferred']) / tweets:.0%}" if tweets else ""
    rate = one["tweets_per_second"] if one["collecting"] else None
    return {
        "CONNECTION": one["connection"],
        "GROUPS": ", ".join(one["groups"]),
        "STATE": _state(one),
        "SINCE": since(one["since"]),
        "RULES": rules_of(one),
        "TWEETS/S": "" if rate is None else f"{rate:.1f}",
        "MATCHED": matched,
        "DELIVERED": number(total["delivered"]),
        "OUTBOX": number(one["outbox"]["messages"]),
        "OLDEST": since(one["outbox"]["oldest"]),
        "KEY": g.get("key") or "",
        "PID": str(g.get("pid", "")),
        "RESTARTS": number(one["restarts"]),
        "LAST GAP": "" if last_gap is None else _gap(last_gap),
        "MEMORY": size(vitals["anonymous_bytes"]) if vitals else "",
        "ADDRESS": g.get("source_address") or "",
    }


def _app_row(app: Json) -> dict[str, str | Text]:
    today, month = app["today"], app["month"]
    return {
        "APP": app["key"],
        "STATE": app_state(app),
        "FILTERS": app_filters(app),
        "WAITING": number(app["waiting"]),
        "POSTS TODAY": number(today["posts"] + today["included_posts"]),
        "TODAY": dollars(today["dollars"]),
        "MONTH": dollars(month["dollars"]),
        "1,000 POSTS": dollars(app["dollars_per_1000_posts"]["plain"]),
    }


def _state(one: Json) -> Text:
    words, tone = state_words(one)
    return Text(words, _STYLES[tone])


def _gap(gap: Json) -> str:
    ago = "now" if gap["open"] else f"{since(gap['to_unix'])} ago"
    return f"{ago}, {age(gap['seconds'])}: {gap['cause']}"


def watching(overview: Overview, note: str) -> Group:
    """Return the overview with a line below it that says how to leave."""
    return Group(overview, Text(), Text(note, style="dim"))
