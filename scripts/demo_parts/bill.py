"""The end of the story of API v2: every post, and X's bill beside our own count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from trial.view import AppView

_CENT = 0.005


@dataclass(frozen=True, slots=True)
class Bill:
    """What the sandbox charges the app, as X would."""

    lines: int
    posts: int
    dollars: float


@dataclass(frozen=True)
class BillSummary:
    """The result of the demo; posts are counted by their ids."""

    sent: Counter[str]  # written to our stream
    written: Counter[str]  # in the output
    bill: Bill
    app: AppView | None  # when everything was read
    connects: int
    changes: tuple[str, ...]
    failures: tuple[str, ...]  # of the supervisor
    output: str
    logs: str

    @property
    def lost(self) -> int:
        """Posts that were sent to us and are not in the output."""
        return len(self.sent.keys() - self.written.keys())

    @property
    def reconnects(self) -> int:
        """Connects after the first."""
        return self.connects - 1

    @property
    def is_billed_right(self) -> bool:
        """Whether our count agrees with the bill, in posts and to the cent."""
        app, bill = self.app, self.bill
        return app is not None and app.posts == bill.posts and abs(app.dollars - bill.dollars) < _CENT

    @property
    def is_good(self) -> bool:
        """True when nothing was lost, the connection stood, and the bill is right."""
        return not self.lost and not self.reconnects and self.is_billed_right and not self.failures

    def lines(self) -> list[str]:
        """Return the text."""
        sent, written = self.sent.total(), self.written.total()
        return [
            "Summary",
            _row("posts that X sent us", f"{sent:,}"),
            _row("  - lost", f"{self.lost:,}"),
            _row("  + doubled", f"{written - len(self.written):,}"),
            _row("= written", f"{written:,}"),
            _row("reconnects", f"{self.reconnects:,}"),
            *self._money(),
            *(f"  {change}" for change in self.changes),
            f"  output in {self.output}; logs in {self.logs}",
            *(f"  FAILED: {failure}" for failure in self.failures),
            self._last_line(),
        ]

    def _money(self) -> Iterable[str]:
        yield _row("X's bill", f"{self.bill.posts:,} posts, ${self.bill.dollars:,.2f}")
        if self.app is not None:
            yield _row("our count", f"{self.app.posts:,} posts, ${self.app.dollars:,.2f}")

    def _last_line(self) -> str:
        if self.is_good:
            return "Nothing was lost, and the bill agrees."
        if self.lost:
            return "Posts were lost: the logs say more."
        if self.reconnects:
            return "No post was lost, but the connection did not stand: the logs say more."
        if not self.is_billed_right:
            return "No post was lost, but the bill and our count differ."
        return "No post was lost, but the supervisor failed: the logs say more."


def _row(label: str, text: str) -> str:
    return f"  {label:<42}{text:>29}"
