"""The summary at the end, for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trial.judge import ReportedGap, Verdict
from trial.view import View


@dataclass(frozen=True)
class Replacement:
    """The effect of a rule change on the workers."""

    connection: str
    old_pid: int
    new_pid: int
    kept: tuple[str, ...]  # connections that kept their worker
    moved: tuple[str, ...]  # other connections that did not

    def __str__(self) -> str:
        text = f"{self.connection}: pid {self.old_pid} -> {self.new_pid}"
        if self.moved:
            return f"{text}; but {', '.join(self.moved)} changed theirs, too"
        return f"{text}; {', '.join(self.kept)} kept theirs"


@dataclass(frozen=True)
class Summary:
    """The result of the demo."""

    verdict: Verdict
    view: View  # when the workers had read everything
    gaps: tuple[ReportedGap, ...]
    replacements: tuple[Replacement, ...]
    failures: tuple[str, ...]  # of the supervisor
    output: str
    logs: str

    @property
    def is_good(self) -> bool:
        """True when nothing was lost and the supervisor worked as intended."""
        return self.verdict.is_good and not self.failures

    def lines(self) -> list[str]:
        """Return the text."""
        verdict = self.verdict
        return [
            "Summary",
            _row("tweets made for rules then in Redis", verdict.made),
            _row("  - before their rule was first in an open filter, or in a gap", verdict.early),
            *(
                [_row("  - in no open filter and in no reported gap", verdict.unexplained)]
                * bool(verdict.unexplained)
            ),
            _row("  + for a second connection, or for a rule just replaced", verdict.more),
            _row("= due to connections", verdict.due),
            _row("  - lost", verdict.lost),
            *(f"    {loss}" for loss in verdict.losses),
            _row("  + not due, in a reported gap, and written all the same", verdict.beyond),
            _row("  + doubled", verdict.doubled),
            _row("= written", verdict.written),
            _row("received by workers", self.view.total("received")),
            _row("matched", self.view.total("matched")),
            *self._gap_lines(),
            *(f"  rules changed; {replacement}" for replacement in self.replacements),
            f"  output in {self.output}; logs in {self.logs}",
            *(f"  FAILED: {failure}" for failure in self.failures),
            self._last_line(),
        ]

    def _gap_lines(self) -> Iterable[str]:
        for connection in sorted(
            {c.name for c in self.view.connections} | {gap.connection for gap in self.gaps}
        ):
            seconds: dict[str, float] = {}
            for gap in self.gaps:
                if gap.connection == connection:
                    seconds[gap.cause] = seconds.get(gap.cause, 0.0) + gap.seconds
            causes = ", ".join(f"{cause} {part:.1f}" for cause, part in seconds.items())
            yield f"  gap seconds of {connection}: {sum(seconds.values()):.1f}" + (
                f" ({causes})" if causes else ""
            )

    def _last_line(self) -> str:
        if self.is_good:
            return "Nothing was lost."
        if not self.verdict.is_good:
            return "Tweets were lost: the logs say more."
        return "No tweet was lost, but the supervisor failed: the logs say more."


def _row(label: str, count: int) -> str:
    return f"  {label:<62}{count:>9,}"
