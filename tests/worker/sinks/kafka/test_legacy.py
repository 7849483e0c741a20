"""The files that version 0.1 left become outboxes: every message in them is delivered, or a dead letter."""

from __future__ import annotations

import fcntl
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.kafka import kafka_birth

from traptor.common.birth import OutboxSettings
from traptor.worker.outbox.folder import OutboxFolder
from traptor.worker.outbox.message import Outgoing
from traptor.worker.outbox.outbox import Outbox, OutboxError, OutboxInUse
from traptor.worker.sinks.kafka.legacy import (
    UndeliveredError,
    import_undelivered,
    take_over_undelivered,
)

UNCONFIRMED = "not confirmed in time; it may have arrived"


def line(
    value: bytes, key: str | None = "7", reason: str = UNCONFIRMED, rules: str | None = "r1,r2"
) -> bytes:
    """As version 0.1 wrote it."""
    headers = {"traptor-connection": "track:0", "traptor-generation": "3"}
    about = {
        "reason": reason,
        "topic": "traptor",
        "key": key,
        "time_ms": 5 if key else 0,
        "headers": headers if rules is None else {**headers, "traptor-rules": rules},
    }
    return json.dumps(about).encode()[:-1] + b',"value":' + value + b"}\n"


def left(folder: Path, lines: Sequence[bytes], generation: int = 3, connection: str = "track:0") -> Path:
    """A file that version 0.1 left."""
    (folder / "undelivered").mkdir(exist_ok=True)
    file = folder / "undelivered" / f"{connection}-{generation}.jsonl"
    file.write_bytes(b"".join(lines))
    return file


def settings(folder: Path) -> OutboxSettings:
    return OutboxSettings(folder, max_bytes=1 << 20, synced=False, confirm_timeout_s=60.0)


def imported(folder: Path, file: Path) -> int:
    return import_undelivered(file, 3, "track:0", settings(folder))


def adopted(folder: Path, generation: int = 4) -> list[Outbox]:
    """What the next generation takes over."""
    birth = replace(kafka_birth("127.0.0.1:1", folder), generation=generation)
    take_over_undelivered(birth)
    return OutboxFolder(birth).adopt()


def messages(outbox: Outbox) -> list[Outgoing]:
    found: list[Outgoing] = []
    number = 0
    while (batch := outbox.after(number)) is not None:
        found += outbox.read(batch)
        number = batch.number
    return found


def dead_letters(folder: Path) -> list[bytes]:
    file = folder / "dead-letters" / "track:0.jsonl"
    return file.read_bytes().splitlines(keepends=True) if file.exists() else []


def test_the_next_generation_takes_the_messages_over_as_they_were(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = '{"id_str": "7",  "text":"ü \\ud83d", "n":1.50}'.encode()
    file = left(tmp_path, [line(body), line(b'{"delete":{}}', key=None, rules=None)])
    with caplog.at_level(logging.INFO):
        (outbox,) = adopted(tmp_path)
    assert outbox.generation == 3
    assert messages(outbox) == [
        Outgoing(body=body, tweet_id="7", rule_ids=("r1", "r2"), created_at_ms=5),
        Outgoing(body=b'{"delete":{}}', tweet_id=None, rule_ids=()),
    ]
    assert not file.exists()
    assert dead_letters(tmp_path) == []
    assert "undelivered messages are taken over" in caplog.text
    outbox.close()


def test_the_files_of_other_connections_and_other_files_are_left_alone(tmp_path: Path) -> None:
    theirs = left(tmp_path, [line(b"{}")], connection="track:0.2")
    (tmp_path / "undelivered" / "notes.jsonl").write_bytes(b"mine")
    assert adopted(tmp_path) == []
    assert theirs.exists()


@given(st.lists(st.tuples(st.sampled_from(["ok", "refused", "broken"]), st.integers(0, 9)), max_size=700))
def test_every_line_becomes_a_message_to_deliver_or_a_dead_letter_in_its_order(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("kinds")
    made = {"ok": UNCONFIRMED, "refused": "MSG_SIZE_TOO_LARGE: too large"}
    lines = [
        b"\xff{%d\n" % number if kind == "broken" else line(b'{"n":%d}' % number, reason=made[kind])
        for kind, number in kinds
    ]
    unconfirmed = [b'{"n":%d}' % number for kind, number in kinds if kind == "ok"]
    assert imported(folder, left(folder, lines)) == len(unconfirmed)
    outboxes = adopted(folder)
    assert [message.body for outbox in outboxes for message in messages(outbox)] == unconfirmed
    for outbox in outboxes:
        outbox.close()
    letters = dead_letters(folder)
    rest = [one for one, (kind, _) in zip(lines, kinds, strict=True) if kind != "ok"]
    assert len(letters) == len(rest)
    for letter, one in zip(letters, rest, strict=True):
        told = json.loads(letter)
        assert letter == one or told["line"] == one.decode(errors="replace")


def test_a_last_line_without_an_end_is_put_aside_whole(tmp_path: Path) -> None:
    refused = line(b"{}", reason="MSG_SIZE_TOO_LARGE: too large")
    assert imported(tmp_path, left(tmp_path, [line(b"{}"), refused[:-1]])) == 1
    assert dead_letters(tmp_path) == [refused]


def test_an_import_that_was_interrupted_is_done_again_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = left(tmp_path, [line(b'{"n":%d}' % number) for number in range(600)])
    put, puts = Outbox.put, 0

    def fails_once(outbox: Outbox, batch: Sequence[Outgoing]) -> object:
        nonlocal puts
        puts += 1
        if puts == 2:
            raise OutboxError("the disk is full")
        return put(outbox, batch)

    monkeypatch.setattr(Outbox, "put", fails_once)
    with pytest.raises(UndeliveredError, match="the disk is full"):
        imported(tmp_path, file)
    assert file.exists()
    assert imported(tmp_path, file) == 600
    assert not file.exists()
    (outbox,) = adopted(tmp_path)
    bodies = [message.body for message in messages(outbox)]
    assert set(bodies) == {b'{"n":%d}' % number for number in range(600)}
    outbox.close()


def test_an_import_that_cannot_put_aside_what_was_refused_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "dead-letters").touch()
    file = left(tmp_path, [line(b"{}"), line(b"{}", reason="MSG_SIZE_TOO_LARGE: too large")])
    assert adopted(tmp_path) == []
    assert file.exists()
    assert "an outbox cannot be taken over" in caplog.text
    (tmp_path / "dead-letters").unlink()
    (outbox,) = adopted(tmp_path)
    assert len(messages(outbox)) == len(dead_letters(tmp_path)) == 1
    outbox.close()


def test_dead_letters_wait_for_another_generation_that_writes_some(tmp_path: Path) -> None:
    """Their file is locked for as long as one line takes; what is not written then is not given up."""
    (tmp_path / "dead-letters").mkdir()
    file = left(tmp_path, [line(b"{}", reason="MSG_SIZE_TOO_LARGE: too large")])
    with (tmp_path / "dead-letters" / "track:0.jsonl").open("ab") as another:
        fcntl.flock(another, fcntl.LOCK_EX)
        with pytest.raises(UndeliveredError):
            imported(tmp_path, file)
    assert imported(tmp_path, file) == 0
    assert len(dead_letters(tmp_path)) == 1


def test_while_one_generation_takes_a_file_over_another_leaves_it_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = left(tmp_path, [line(b"{}")])
    with file.open("rb") as another:
        fcntl.flock(another, fcntl.LOCK_EX)
        assert adopted(tmp_path) == []
    assert file.exists()
    assert caplog.text == ""


def test_a_file_that_another_generation_took_over_at_that_moment_is_not_taken_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was opened, and before it was locked the other had locked and removed it."""
    file = left(tmp_path, [line(b"{}")])
    flock = fcntl.flock

    def late(opened: IO[bytes], how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        assert imported(tmp_path, file) == 1
        flock(opened, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(OutboxInUse):
        imported(tmp_path, file)
    (outbox,) = adopted(tmp_path)
    assert outbox.messages == 1
    outbox.close()


def test_a_file_that_is_gone_is_no_error(tmp_path: Path) -> None:
    with pytest.raises(OutboxInUse):
        imported(tmp_path, tmp_path / "undelivered" / "track:0-3.jsonl")
