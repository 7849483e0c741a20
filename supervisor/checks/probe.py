"""Test in a child process whether the output can be reached: the master itself opens no output."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass

from traptor.common.birth import WorkerSettings
from traptor.supervisor.workers.forking.plain import start_fork
from traptor.worker.entry import check_output

_ANSWER_S = 20.0


@dataclass(frozen=True, slots=True)
class Probe:
    """The child's result, as a sentence."""

    is_good: bool
    text: str


def probe_output(settings: WorkerSettings) -> Probe:
    """Open the output as workers would, without writing to it."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(
        target=check_output, args=(settings, theirs), daemon=True
    )
    start_fork(child)
    theirs.close()
    try:
        return Probe(*ours.recv()) if ours.poll(_ANSWER_S) else Probe(False, f"no answer in {_ANSWER_S:g} s")
    except EOFError:
        return Probe(False, "the process that tried it failed")
    finally:
        child.kill()
        child.join()
        child.close()
        ours.close()
