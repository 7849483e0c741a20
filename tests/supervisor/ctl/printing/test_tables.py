"""Tables and paragraphs fit the terminal, and are whole where there is none."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console
from rich.text import Text
from support.shown import a_key

from traptor.supervisor.ctl.keys import _FIRST_TO_GO, _row
from traptor.supervisor.ctl.printing.tables import FittingTable, Paragraph

RESTS = "the key rests: the server answered 420 or 429"


def printed(width: int, shown: object) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, markup=False, emoji=False, highlight=False).print(shown)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100, 140, 10_000])
def test_a_key_is_shown_with_its_reason_on_every_terminal_and_nothing_of_it_is_cut(width: int) -> None:
    rests = {"state": "QUARANTINED", "until": time.time(), "reason": RESTS, "source_address": "192.0.2.1"}
    rows = [_row(a_key(name, **rests)) for name in ("first", "one-with-a-long-name")]
    titles, *lines = printed(width, FittingTable(rows, _FIRST_TO_GO, (), ("REASON",)))
    text = " ".join(lines)
    assert "…" not in titles + text
    for part in ("first", "one-with-a-long-name", "QUARANTINED"):
        assert part in text
    assert {word for one in lines for word in one.split()} >= set(RESTS.split())
    assert ("ADDRESS" in titles) == (width >= 140)
    assert "UNTIL" in titles


def test_a_paragraph_is_broken_between_words_and_indented() -> None:
    lines = printed(24, Paragraph(Text("! track:0 NOT COLLECTING 400 rules since 02:51"), 2))
    assert lines == ["! track:0 NOT", "  COLLECTING 400 rules", "  since 02:51"]
    assert len(printed(10_000, Paragraph(Text("x " * 400), 2))) == 1
