"""The file of seen posts, appended to by several."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from support.waiting import DEADLINE_S

from traptor.worker.seen.log import WordLog

LONG_S = DEADLINE_S
MOST_WORDS = 16
YOUNG = MOST_WORDS - 1  # a full file has as many at least, beside its format


def opened(folder: Path, most_words: int = 1 << 19) -> tuple[WordLog, list[int]]:
    log = WordLog(folder, most_words)
    found = [word for words in log.open(LONG_S) for word in words]
    return log, found


def known(log: WordLog) -> list[int]:
    assert log.lock(LONG_S)
    try:
        return list(log.news())
    finally:
        log.unlock()


def put(log: WordLog, *words: int) -> list[int]:
    """Append in a turn; the words of others that it begins with."""
    assert log.lock(LONG_S)
    try:
        found = list(log.news())
        log.append(words)
        return found
    finally:
        log.unlock()


def test_words_are_read_by_others_and_by_whoever_comes_later(tmp_path: Path) -> None:
    one, _ = opened(tmp_path / "seen")
    other, _ = opened(tmp_path / "seen")
    assert put(one, 1, 2) == []
    assert put(other, 3) == [1, 2]
    one.append([4])  # without the lock, as a worker that stands alone
    assert known(other) == [4]
    assert sorted(known(one)) == [3, 4]
    assert known(one) == []
    one.append([5])
    assert known(one) == []
    assert opened(tmp_path / "seen")[1] == [1, 2, 3, 4, 5]


@given(steps=st.lists(st.tuples(st.integers(0, 1), st.booleans(), st.integers(1, 5)), max_size=60))
def test_files_follow_one_another_and_nothing_young_is_lost(
    tmp_path_factory: object, steps: list[tuple[int, bool, int]]
) -> None:
    folder = tmp_path_factory.mktemp("seen")  # type: ignore[attr-defined]
    logs = [opened(folder, MOST_WORDS)[0] for _ in range(2)]
    heard: list[set[int]] = [set(), set()]
    written: list[int] = []
    for who, is_in_turn, count in steps:
        words = list(range(len(written) + 1, len(written) + count + 1))
        if is_in_turn:
            heard[who] |= set(put(logs[who], *words))
            heard[who] |= set(words)
        else:
            heard[who] |= set(known(logs[who]))
            logs[who].append(words)
            heard[who] |= set(words)
        written += words
        assert heard[who] >= set(written[-YOUNG:])  # of many more, whole files pass unread
    found = opened(folder, MOST_WORDS)[1]
    assert [word for word in found if word in set(written)][-8:] == written[-8:]
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 2 * 8 * (MOST_WORDS + 1 + 5 + 1)
    for log in logs:
        log.close()


def test_a_word_that_was_cut_off_is_filled_up(tmp_path: Path) -> None:
    log, _ = opened(tmp_path)
    put(log, 1)
    with (tmp_path / "words").open("ab") as file:
        file.write(b"\1\2\3")
    assert len(put(log, 2)) == 1
    assert opened(tmp_path)[1][0::2] == [1, 2]


def test_a_file_of_another_form_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "words").write_bytes(b"\xff" * 803)
    log, found = opened(tmp_path)
    assert found == []
    put(log, 9)
    assert opened(tmp_path)[1] == [9]


def test_a_file_that_was_closed_and_not_put_away_is_put_away_by_the_next(tmp_path: Path) -> None:
    log, _ = opened(tmp_path)
    put(log, 5)
    with (tmp_path / "words").open("ab") as file:
        file.write(b"\xff" * 8)  # by one that was killed before it could rename the file
    other, found = opened(tmp_path)
    assert found[:1] == [5]
    put(other, 6)
    assert known(log)[-1] == 6
    assert (tmp_path / "words.older").exists()


def test_whoever_was_away_for_a_whole_file_reads_it_too(tmp_path: Path) -> None:
    log, _ = opened(tmp_path, 8)
    other, _ = opened(tmp_path, 8)
    for number in range(1, 15):
        put(other, number)
    found = known(log)
    assert [word for word in found if word < 100] == list(range(1, 15))


def test_nobody_waits_longer_for_the_lock_than_wanted(tmp_path: Path) -> None:
    one, _ = opened(tmp_path)
    other, _ = opened(tmp_path)
    assert one.lock(LONG_S)
    assert not other.lock(0.01)
    one.unlock()
    assert other.lock(LONG_S)
