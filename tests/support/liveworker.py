"""A real forked worker, spoken to as the master does."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from support.waiting import wait_for
from support.xsandbox import XSandbox
from traptor.common.birth import Birth
from traptor.common.birthframe import birth_frame, rules_of
from traptor.common.filters import Meaning
from traptor.common.knowledge import Knowledge
from traptor.common.logs.worker import receiver_of_records
from traptor.common.messages import (
    HEADER,
    Connect,
    Connected,
    Disconnected,
    Drain,
    FromMaster,
    FromWorker,
    MayConnect,
    Report,
    frame,
    from_worker,
)
from traptor.common.pieces import change_to, cut
from traptor.common.rules.rule import Rule
from traptor.supervisor.workers.forking.forker import Forker
from traptor.supervisor.workers.process import WorkerProcess

M = TypeVar("M")
StartX = Callable[..., XSandbox]
StartWorker = Callable[..., "LiveWorker"]
_DRAIN_S = 30.0

QUERY = (
    ("tweet.fields", "author_id,created_at,entities,note_tweet,referenced_tweets,in_reply_to_user_id,geo"),
    ("expansions", "referenced_tweets.id,author_id"),
)


class LiveWorker:
    """A worker with output `jsonl:DIR`; a thread reads what it says."""

    def __init__(self, birth: Birth, connect: Connect) -> None:
        self._birth = birth
        self._connect = connect
        self._forker = Forker.start()
        bell = os.eventfd(0)  # nobody listens for it
        self._process = WorkerProcess.fork(self._forker, birth, receiver_of_records(), bell, ())
        os.close(bell)
        self._process.sock.sendall(birth_frame(birth))
        for piece in rules_of(birth):
            self.send(piece)
        self._said: list[FromWorker] = []
        self._change = 0
        self._code: int | None = None
        self._knows = Knowledge.of(birth.rules, birth.filters)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def said(self, kind: type[M]) -> list[M]:
        """All messages of a kind so far."""
        return [one for one in self._said if isinstance(one, kind)]

    @property
    def folder(self) -> Path:
        """Where its output and logs are."""
        return Path(self._birth.settings.output.removeprefix("jsonl:"))

    @property
    def reports(self) -> list[Report]:
        """All reports so far."""
        return self.said(Report)

    @property
    def report(self) -> Report:
        """The last report."""
        return wait_for(lambda: self.said(Report), "a report")[-1]

    def send(self, message: FromMaster) -> None:
        self._process.sock.sendall(frame(message))

    def connect(self) -> None:
        """Permit the next connect that it asks for, and wait until it streams."""
        permitted = len(self.said(Connected)) + len(self.said(Disconnected))
        wait_for(lambda: len(self.said(MayConnect)) > len(self.said(Disconnected)), "its question")
        self.send(self._connect)
        wait_for(lambda: len(self.said(Connected)) + len(self.said(Disconnected)) > permitted, "an answer")

    def change_rules(self, rules: Sequence[Rule], meanings: Sequence[Meaning]) -> None:
        """Send a change, and wait until it is in force."""
        self._change += 1
        now = Knowledge.of(rules, meanings)
        for message in cut(self._change, change_to(now, self._knows)):
            self.send(message)
        self._knows = now
        wait_for(lambda: self.report.rules_change == self._change, "the change in force")

    @property
    def lines(self) -> list[bytes]:
        """What it delivered."""
        file = self.folder / f"{self._birth.connection}.jsonl"
        return file.read_bytes().splitlines() if file.exists() else []

    @property
    def delivered(self) -> list[dict[str, Any]]:
        """The same, decoded."""
        return [json.loads(line) for line in self.lines]

    def end(self) -> int | None:
        """Drain it, if it has not ended, and wait for its end."""
        if self._code is not None:
            return self._code
        self.send(Drain(_DRAIN_S))
        self._reader.join(_DRAIN_S)
        code = self._process.reap()
        self._process.sock.close()
        wait_for(lambda: self._process.log_bridge.finished, "the last log record")
        self._forker.end()
        self._code = code
        return code

    def _read(self) -> None:
        with self._process.sock.makefile("rb") as file:
            while head := file.read(HEADER.size):
                (size,) = HEADER.unpack(head)
                self._said.append(from_worker(file.read(size)))
