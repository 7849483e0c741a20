"""Keep the records of a run, and describe what surrounds each disagreement, so that it can be traced.

Times are those of the logs: UTC, by the measurement that relates the two clocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from chaos_parts.agreement import Disagreement

from appchaos_parts.judge import Found, Verdict

Json = Mapping[str, Any]
Happening = tuple[float, str]  # monotonic seconds, and what was done

_AROUND_S = 12.0


class Traces:
    """Writes into one folder; `wall_to_mono` is the difference of the clocks."""

    def __init__(self, folder: Path, wall_to_mono: float) -> None:
        self._folder = folder
        self._wall_to_mono = wall_to_mono

    def keep(
        self,
        found: Found,
        verdict: Verdict,
        tweets: Sequence[Json],
        bill: Sequence[Json],
        happened: Sequence[Happening],
    ) -> None:
        """Write the server's record and the ledger as JSON lines, and what surrounds each disagreement."""
        self._folder.mkdir()
        self._write("streams.jsonl", found.streams)
        self._write("requests.jsonl", found.requests)
        self._write("posts.jsonl", [asdict(one) for one in found.sent])
        self._write("standstills.jsonl", [asdict(one) for one in verdict.standstills])
        self._write("ledger.jsonl", [asdict(one) for one in found.ledger.entries])
        self._write("bill.jsonl", bill)
        missed = frozenset(verdict.missed)
        self._write("missed.jsonl", [tweet for tweet in tweets if tweet["id"] in missed])
        events = sorted(self._events(found, verdict, happened))
        lines = [line for one in verdict.disagreements for line in self._around(one, events)]
        (self._folder / "disagreements.txt").write_text("".join(f"{line}\n" for line in lines))

    def _write(self, name: str, rows: Sequence[Json]) -> None:
        (self._folder / name).write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))

    def _around(self, one: Disagreement, events: Sequence[Happening]) -> Iterator[str]:
        yield f"{one.seconds:.3f} s from {self._time(one.since)} to {self._time(one.until)}: {one}"
        yield from (f"    {self._time(at)}  {what}" for at, what in events if _is_near(at, one))

    def _events(self, found: Found, verdict: Verdict, happened: Sequence[Happening]) -> Iterator[Happening]:
        for still in verdict.standstills:
            yield still.since, f"server: stood still for {still.until - still.since:.3f} s"
        yield from ((at, f"trouble: {what}") for at, what in happened)
        for entry in found.ledger.entries:
            yield entry.since, f"ledger: {entry.kind} {entry.cause} for {entry.seconds:.3f} s"
        for record in found.streams:
            yield record["opened_mono"], f"server: stream {record['id']} opened"
            if record["closed_mono"] is not None:
                why = f"{record['closed_by']} {record['reason']}".rstrip()
                yield record["closed_mono"], f"server: stream {record['id']} closed by {why}"
        for request in found.requests:
            yield (
                request["at_mono"],
                f"server: connect answered with {request['status']} {request['problem']}",
            )

    def _time(self, mono_s: float) -> str:
        if mono_s == float("inf"):
            return "the end"
        at = datetime.fromtimestamp(mono_s - self._wall_to_mono, UTC)
        return f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"


def _is_near(at: float, one: Disagreement) -> bool:
    return one.since - _AROUND_S <= at <= one.until + _AROUND_S
