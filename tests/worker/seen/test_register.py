"""Who takes a post: one of the workers of an app, in the moment in which it keeps it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.claims import ToldClaims
from support.waiting import DEADLINE_S

from traptor.worker.seen.claims import KeptPost, Ours, only
from traptor.worker.seen.log import WordLog
from traptor.worker.seen.memory import Memory
from traptor.worker.seen.register import KeptBy, Register

NOW = 1_790_157_600.0
MIDNIGHT = 1_790_121_600.0


class Worker:
    """One of the workers of an app, with what it kept and what its claims came to."""

    def __init__(
        self, folder: Path, kept_by: KeptBy = lambda _who: (), *, signs_as: str | None = "v2:app/1"
    ) -> None:
        self.register = Register(WordLog(folder), Memory(), kept_by, signs_as=signs_as, clock=lambda: NOW)
        self.register.open()
        self.kept: list[int] = []
        self.verdicts: list[bool] = []

    def take(self, posts: Iterable[int], *, keeps: bool = True) -> bool:
        """Take posts, of which the first came alone and the others together."""
        those = list(posts)
        claims = [ToldClaims(self.verdicts, some, NOW) for some in (those[:1], those[1:])]
        return self.take_all(claims, keeps=keeps)

    def take_all(self, claims: Sequence[ToldClaims], *, keeps: bool = True) -> bool:
        posts = [post for one in claims for post in one.posts]

        def keep(ours: Ours) -> bool:
            if keeps:
                self.kept += only(ours, posts)
            return keeps

        return self.register.take(claims, keep)


@given(turns=st.lists(st.tuples(st.integers(0, 1), st.lists(st.integers(1, 30), unique=True, max_size=6))))
def test_each_post_is_taken_by_one_worker_and_billed_once(
    tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[int, list[int]]]
) -> None:
    workers = [Worker(tmp_path_factory.mktemp("seen"))]
    workers.append(Worker(workers[0].register._log._folder))
    for who, posts in turns:
        workers[who].take(posts)
    kept = [post for worker in workers for post in worker.kept]
    assert sorted(kept) == sorted({post for _, posts in turns for post in posts})
    verdicts = [verdict for worker in workers for verdict in worker.verdicts]
    assert sum(verdicts) == sum(worker.register.billed.posts for worker in workers) == len(kept)
    assert len(verdicts) == sum(len(posts) for _, posts in turns)
    for worker in workers:
        worker.register.close()


def test_what_could_not_be_kept_is_not_taken(tmp_path: Path) -> None:
    one, other = Worker(tmp_path), Worker(tmp_path)
    assert not one.take([1], keeps=False)
    assert one.verdicts == []
    assert other.take([1])
    assert other.kept == [1]


def test_what_could_not_be_kept_is_billed_by_one(tmp_path: Path) -> None:
    one, other = Worker(tmp_path), Worker(tmp_path)
    for _ in range(2):
        assert not one.take([1, 2], keeps=False)
    assert other.take([2, 3])
    assert one.take([1, 2])
    assert (one.kept, other.kept) == ([1], [2, 3])
    assert (one.register.billed.posts, other.register.billed.posts) == (2, 1)


@pytest.mark.parametrize("post", [1, 0])
def test_what_cannot_be_kept_is_billed_by_the_first_try(tmp_path: Path, post: int) -> None:
    worker = Worker(tmp_path)
    claims = [ToldClaims(worker.verdicts, [post], NOW)]
    worker.take_all(claims, keeps=False)
    worker.register.bill([2], [], NOW + 86_400.0, lambda _new: None)  # midnight has passed
    for _ in range(3):
        worker.take_all(claims, keeps=False)
    assert worker.take_all(claims)
    assert worker.register.billed.posts == 2


def test_a_post_in_hand_is_known_before_it_is_kept(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    worker.register.take_in_hand([1])
    assert worker.register.seen([1, 2]) == [True, False]
    assert Worker(tmp_path).register.seen([1]) == [False]


def test_of_posts_that_came_together_the_second_copy_is_known(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    worker.take([3])
    assert worker.register.seen([1, 2, 1, 0, 3, 0, 1]) == [False, False, True, False, True, False, True]
    assert worker.register.seen([1]) == [False]


def test_a_generation_knows_what_those_before_it_took(tmp_path: Path) -> None:
    Worker(tmp_path, signs_as=None).take([1, 2])
    later = Worker(tmp_path, signs_as=None)
    assert later.register.seen([1]) == [True]
    assert later.register.is_billed([1, 2], NOW)
    Worker(tmp_path, signs_as=None).take([3])
    later.register.look()
    assert later.register.seen([3]) == [True]


def test_a_post_in_includes_is_billed_and_not_taken(tmp_path: Path) -> None:
    one, other = Worker(tmp_path), Worker(tmp_path)
    one.take_all([ToldClaims(one.verdicts, [1], NOW, [(2, 0, 0)])])
    assert one.register.billed == (1, 3)
    other.take([2])
    assert other.kept == [2]
    assert other.register.billed == (0, 0)


def test_of_posts_taken_together_each_is_billed_as_what_came_first(tmp_path: Path) -> None:
    one = Worker(tmp_path)
    today = {
        1: (2, 3),
        2: (),  # stood in the includes of the one before
        4: (1,),
    }
    tomorrow = {3: (), 0: (0,)}  # 0: no usual id
    claims = [
        ToldClaims(one.verdicts, posts, at_s, posts.values())
        for posts, at_s in ((today, NOW), (tomorrow, NOW + 86_400))
    ]
    assert one.take_all(claims)
    assert one.register.billed == (4, 3)
    assert one.verdicts == [True] * 5


def test_what_a_dead_worker_kept_last_is_taken_with_its_outbox(tmp_path: Path) -> None:
    one, other = Worker(tmp_path), Worker(tmp_path)
    one.register.adopt([KeptPost(1, (4,), NOW), KeptPost(2, (), NOW)])
    other.take([1, 2, 3])
    assert other.kept == [3]


@pytest.mark.parametrize("who", ["the adopter", "a later worker"])
def test_what_a_dead_worker_kept_last_is_billed_again_on_another_day_only(tmp_path: Path, who: str) -> None:
    adopter = Worker(tmp_path)
    adopter.register.adopt([KeptPost(1, (2,), MIDNIGHT - 1), KeptPost(3, (4,), MIDNIGHT)])
    knows = adopter.register if who == "the adopter" else Worker(tmp_path).register
    assert knows.seen([1, 2, 3, 4]) == [True, False, True, False]
    assert [knows.is_billed([post], MIDNIGHT) for post in (1, 2, 3, 4)] == [False, False, True, True]
    assert adopter.register.billed == (0, 0), "whoever kept them counted them"


def test_an_output_of_days_makes_no_other_worker_forget_what_came_now(tmp_path: Path) -> None:
    one, other = Worker(tmp_path), Worker(tmp_path)
    one.take([1_000])
    one.register.adopt([KeptPost(1 + hour, (), NOW - 3_600 * (200 - hour)) for hour in range(200)])
    other.register.look()
    assert other.register.seen([1_000, 200, 199]) == [True, True, False]


def test_what_is_known_already_is_not_recorded_again(tmp_path: Path) -> None:
    one = Worker(tmp_path)
    one.take([1])
    size = (tmp_path / "words").stat().st_size
    one.register.adopt([KeptPost(1, (), NOW)])
    assert (tmp_path / "words").stat().st_size == size


def test_a_file_that_cannot_be_used_is_said_once_and_memory_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "seen").write_text("no folder")
    worker = Worker(tmp_path / "seen")
    for post in (1, 2, 1):
        worker.take([post])
    assert worker.kept == [1, 2]
    assert [record.message for record in caplog.records] == ["seen posts are remembered in memory only"]


def test_what_could_not_be_written_is_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("os.write", _full)
        worker.take([1])
        worker.take([2])
    monkeypatch.setattr("traptor.worker.seen.register._TRY_AGAIN_S", 0.0)
    worker.register._opens_from = 0.0
    worker.take([3])
    assert Worker(tmp_path).register.seen([1, 2, 3]) == [True] * 3


def _full(_fd: int, _data: bytes) -> int:
    raise OSError(28, "No space left on device")


def test_a_worker_that_hangs_in_its_turn_stops_nobody_for_long(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = Worker(tmp_path), Worker(tmp_path)
    assert one.register._log.lock(DEADLINE_S)
    for post in (1, 2, 3):
        other.take([post])
    assert other.kept == [1, 2, 3]
    assert [record.message for record in caplog.records] == ["another worker keeps the seen posts for itself"]
    one.register._log.unlock()
    one.take([1, 2, 3, 4])
    assert one.kept == [4]


def test_what_a_worker_that_hangs_in_its_turn_has_written_is_known(tmp_path: Path) -> None:
    one, other = Worker(tmp_path), Worker(tmp_path, lambda who: [KeptPost(len(who), (), NOW)])
    assert one.register._log.lock(DEADLINE_S)
    one.register._log.sign("12345")
    other.take([5, 6])
    assert other.kept == [6]
    assert one.register._log.signature() == "12345", "it may still be at it"


def test_what_a_killed_worker_kept_is_taken_in_the_next_turn_only(tmp_path: Path) -> None:
    asked: list[str] = []

    def kept_by(who: str) -> Sequence[KeptPost]:
        asked.append(who)
        return [KeptPost(1, (), NOW)]

    other = Worker(tmp_path, kept_by, signs_as="v2:app/2")
    other.register._log.sign("v2:app.2/7")
    other.take([1, 2])
    other.take([3])
    assert (other.kept, asked) == ([2, 3], ["v2:app.2/7"])
    assert Worker(tmp_path).register.seen([1]) == [True]


def test_what_could_not_be_recorded_is_looked_for_by_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    one, other = Worker(tmp_path), Worker(tmp_path, lambda who: asked.append(who) or [KeptPost(1, (), NOW)])
    with monkeypatch.context() as patch:
        patch.setattr("os.write", _full)
        one.take([1])
    other.take([1])
    assert (one.kept, other.kept, asked) == ([1], [], ["v2:app/1"])


def test_a_worker_that_keeps_nothing_leaves_no_name(tmp_path: Path) -> None:
    one = Worker(tmp_path)
    for keeps in (False, True):
        one.take([1], keeps=keeps)
        assert one.register._log.signature() == ""


# ---- processes

PROGRAM = """
import os, signal, sys
from pathlib import Path
from traptor.worker.seen.claims import only
from traptor.worker.seen.log import WordLog
from traptor.worker.seen.memory import Memory
from traptor.worker.seen.register import KeptBy, Register

class Five:
    def __init__(self, begin):
        self.received_at_s = 0.0
        self.posts = list(range(begin, begin + 5))
        self.included = [()] * 5
        self.ours = None

    def settle(self):
        pass

folder, killed_at = Path(sys.argv[1]), int(sys.argv[2])
register = Register(WordLog(folder, 2_000), Memory(), lambda _who: (), signs_as="v2:app/1")
register.open()
print("ready", flush=True)
sys.stdin.readline()
for begin in range(1, 3_001, 5):
    claims = Five(begin)
    def keep(ours):
        if begin >= killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        for post in only(ours, claims.posts):
            print(post, flush=True)
        return True
    register.take([claims], keep)
"""


def started(folder: Path, killed_at: int = 10_000) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), str(killed_at)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_of_two_processes_with_the_same_posts_each_post_is_taken_by_one(tmp_path: Path) -> None:
    processes = [started(tmp_path), started(tmp_path, killed_at=1_501)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    kept = [int(post) for process in processes for post in process.communicate(timeout=DEADLINE_S)[0].split()]
    assert sorted(kept) == list(range(1, 3_001))
    assert [process.returncode for process in processes] == [0, -signal.SIGKILL]


def test_a_worker_that_is_killed_before_it_kept_a_post_has_not_taken_it(tmp_path: Path) -> None:
    kept, _ = started(tmp_path, killed_at=101).communicate("go\n", timeout=DEADLINE_S)
    assert [int(post) for post in kept.split()] == list(range(1, 101))
    later = Worker(tmp_path)
    later.take(range(90, 111))
    assert later.kept == list(range(101, 111))
