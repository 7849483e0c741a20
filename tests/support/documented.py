"""The commands that a document shows: in its blocks, in its table of traptorctl, and in its text."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support.paths import ROOT
from support.waiting import DEADLINE_S

# A command in the text has at least one argument: a name alone speaks of the program.
_PROGRAMS = "traptorctl|traptor-supervisor|systemctl|systemd-analyze|journalctl|fuser|redis-cli|pip|docker"
_INLINE = re.compile(rf"`((?:/[\w/-]+/)?(?:{_PROGRAMS})\s[^`]+)`")
_TABLE_HEAD = "| command | what it does |"


@dataclass(frozen=True)
class Shown:
    """One command, where it is shown; `kind`: sh, python, table or text."""

    document: str
    heading: str
    kind: str
    text: str


def shown(document: str) -> Iterator[Shown]:
    """Yield every command of a document below docs/, in its order."""
    heading, block, is_table, prose = "", None, False, ""
    for line in (ROOT / "docs" / document).read_text().splitlines():
        fence = re.match(r" *```(\w*)", line)
        if fence:
            if block is not None and block[0] == "python":
                yield Shown(document, heading, "python", block[1])
            block = (fence[1], "") if block is None else None
        elif block is not None:
            block = (block[0], f"{block[1]}{line}\n")
            if block[0] == "sh" and line.strip():
                yield Shown(document, heading, "sh", line.strip())
        elif line.startswith("#"):
            yield from _inline(document, heading, prose)
            heading, prose = line.lstrip("# "), ""
        else:
            is_table = line == _TABLE_HEAD or (is_table and line.startswith("|"))
            if is_table:
                cell = line.split("|")[1]
                yield from (Shown(document, heading, "table", one) for one in re.findall(r"`([^`]+)`", cell))
            prose += f"{line}\n"
    yield from _inline(document, heading, prose)


def _inline(document: str, heading: str, prose: str) -> Iterator[Shown]:
    for text in _INLINE.findall(prose):
        yield Shown(document, heading, "text", " ".join(text.split()))


@dataclass
class Shell:
    """Runs commands as they stand, in a folder, and notes them; each must succeed."""

    folder: Path
    environ: dict[str, str]
    ran: list[str] = field(default_factory=list)

    def run(self, line: str, codes: tuple[int, ...] = (0,)) -> str:
        """Its standard output."""
        self.ran.append(line)
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.folder,
            env={**os.environ, **self.environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode in codes, f"{line}: {done.returncode} {done.stdout}{done.stderr}"
        return done.stdout

    def begin(self, line: str, output: Path) -> subprocess.Popen[bytes]:
        """Start one that goes on."""
        self.ran.append(line)
        with output.open("ab") as out:
            return subprocess.Popen(
                ["sh", "-c", f"exec {line}"],
                cwd=self.folder,
                env={**os.environ, **self.environ},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def watch(self, line: str, words: str, meanwhile: Callable[[], object] = lambda: None) -> str:
        """Run one that goes on, on a terminal, until it shows these words; Ctrl-C must end it."""
        self.ran.append(line)
        ours, theirs = pty.openpty()
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            process = subprocess.Popen(
                ["sh", "-c", f"exec {line}"],
                cwd=self.folder,
                env={**os.environ, **self.environ, "COLUMNS": "250", "TERM": "xterm"},
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
            )
            os.close(theirs)
            try:
                said = _until(terminal.fileno(), words, meanwhile)
                process.send_signal(signal.SIGINT)
                code = process.wait(DEADLINE_S)
            finally:
                process.kill()
                process.wait()
        assert code in (0, -signal.SIGINT), f"{line}: {code} {said}"
        return said


def _until(terminal: int, words: str, meanwhile: Callable[[], object]) -> str:
    said, deadline = "", time.monotonic() + DEADLINE_S
    while words not in said:
        assert time.monotonic() < deadline, f"{words!r} is not in {said!r}"
        meanwhile()
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                said += os.read(terminal, 65_536).decode(errors="replace")
            except OSError as error:
                raise AssertionError(f"it ended without {words!r}: {said!r}") from error
    return said
