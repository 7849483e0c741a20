"""Read a ledger whose supervisor does not run: as the next one would go on with it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.ledger.answers.answer import Answer, View
from traptor.supervisor.ledger.answers.question import Question
from traptor.supervisor.ledger.book import Ledger
from traptor.supervisor.ledger.disk.reader import LedgerReader
from traptor.supervisor.ledger.records import Inheritance


def gaps_in_file(path: Path, question: Question, boot: str, now: Instant) -> list[dict[str, Any]]:
    """Return the gaps of a `ledger.db`; the last ones go on, as nobody collects.

    `path` lies in its state_dir, `boot` names the present boot of the host. Raises TraptorError when the file
    cannot be read, and UnknownError for a connection or rule that it does not know.
    """
    with closing(LedgerReader(path)) as reader:
        view = _view(reader.stored(), path.parent / "outbox", boot, now)
        return list(Answer(reader, view, question).intervals(lambda entry: entry.is_gap))


def _view(stored: Inheritance | None, outboxes: Path, boot: str, now: Instant) -> View:
    return View.of(Ledger({}, stored, outboxes, boot, now, _ignore, _ignore), now)


def _ignore(*_news: object) -> None:
    """Do nothing: what is worked out here is kept nowhere."""
