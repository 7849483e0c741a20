"""How a worker ended is said in words."""

from __future__ import annotations

import pytest

from traptor.supervisor.workers.generation import Ending, words_of_end


@pytest.mark.parametrize(
    ("ending", "code", "words"),
    [
        (Ending.CRASH, -9, "SIGKILL"),
        (Ending.CRASH, -11, "SIGSEGV"),
        (Ending.CRASH, -63, "signal 63"),
        (Ending.CRASH, 1, "exit code 1"),
        (Ending.CRASH, 0, "exit code 0"),
        (Ending.CRASH, None, ""),
        (None, None, ""),
        (Ending.HUNG, -9, "hung"),
        (Ending.MEMORY, -9, "memory"),
    ],
)
def test_a_crash_is_said_by_its_signal_or_exit_code_and_another_end_by_its_reason(
    ending: Ending | None, code: int | None, words: str
) -> None:
    assert words_of_end(ending, code) == words
