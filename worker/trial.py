"""Try a key: one connect with its answer, in a process of its own, without a stream afterwards."""

from __future__ import annotations

from multiprocessing.connection import Connection

import msgspec

from traptor.common.birth import WorkerSettings
from traptor.common.messages import Connect
from traptor.common.rules.rule import GroupId, Rule
from traptor.worker.afterfork import leave_parent, offer_to_oom_killer, set_title
from traptor.worker.stream.byapi import STREAMS

_WORD = "traptor"
_RULES = (Rule(f"traptor-track:0:{_WORD}", _WORD, GroupId.parse("track:0"), (_WORD,), b"{}"),)


def try_key(order: Connect, settings: WorkerSettings, answer: Connection, master_pid: int) -> None:
    """Connect once, close at the server's 200, and send how it ended. Call this in a child.

    `streamed` tells whether the server answered 200.
    """
    leave_parent(master_pid, {answer.fileno()})
    offer_to_oom_killer()
    set_title(f"key {order.key_name}", "test")
    stream = STREAMS[settings.api](order, settings, on_open=lambda: stream.stop(), on_lines=lambda _: None)
    answer.send_bytes(msgspec.msgpack.encode(stream.run(_RULES)))
