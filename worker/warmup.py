"""Use beforehand what workers use at their start: what that changes in memory they share, and need not copy.

CPython changes code and types at their first uses: it specialises a function's bytecode at its eighth call
(PEP 659), and fills caches of types, and of `isinstance` with abstract classes. Each page that a worker
changes it copies, in some 3 us, and has for itself then.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from confluent_kafka import Producer

from traptor.common.birth import Birth, OutboxSettings, WorkerSettings
from traptor.common.birthframe import birth_frames
from traptor.common.files.folders import make_private
from traptor.common.logs.worker import WorkerLogs, configure_worker_logging
from traptor.common.messages import Connect, Disconnected, Drain, FromWorker, OutboxFull, frame
from traptor.common.redis.client import blocking_redis_client
from traptor.common.rules.rule import GroupId, Rule
from traptor.worker.counters.stats import Stats, client_for_stats
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.hearing.newborn import Newborn
from traptor.worker.session import Session
from traptor.worker.sinks.kafka.legacy import take_over_undelivered
from traptor.worker.sinks.outputs import sink_of
from traptor.worker.trialoutput.making import trial_of
from traptor.worker.tweetpipeline import TweetPipeline

log = logging.getLogger(__name__)

_LIVES = 9
_NAME = "rehearsal"  # of the connection, in the title of the process
_GROUP = GroupId.parse("track:0")
_VALUES = ("word", "two words", "#hashtag", "more of the words", "even more words")
_CONNECT = Connect(key_id="0" * 8, key_name=_NAME, consumer_key="key", access_token="token")  # noqa: S106
_TWEET = b'{"id_str":"1","created_at":"Mon Nov 30 10:00:00 +0000 2026","text":"A word"}\r\n'
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"%x\r\n%b\r\n0\r\n\r\n" % (len(_TWEET), _TWEET)
)
_REQUEST_BYTES = 1 << 16


def warm_up(settings: WorkerSettings) -> None:
    """Make the client for Redis, and use the library for Kafka, without connecting anywhere.

    Call this in a forker.
    """
    if settings.stats:
        client = client_for_stats(settings.redis_url, settings.redis_timeout_s, settings.redis_ca_file)
        client.connection_pool.make_connection()  # which connects when it is used
        client.close()
    if settings.kafka is not None:
        Producer({"log_level": 0})  # it knows no broker, and ends at once


def rehearse(is_wanted: Callable[[], bool], folder: Path) -> None:
    """Live some short lives of a worker, each in this folder made anew, until a real one is wanted.

    No thread, descriptor or file is left, but for the folder if this process is killed: its name is always
    the same, so that a next rehearsal, or the next master, removes it. Where a life cannot be lived, as on a
    host without room for a file, workers only take longer to start.
    """
    with suppress(Exception):
        for _ in range(_LIVES):
            if is_wanted():
                return
            shutil.rmtree(folder, ignore_errors=True)
            make_private(folder)
            try:
                live_once(folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)


def live_once(folder: Path) -> None:
    """Live from the birth to the end of a stream that brings one tweet. Raises OSError, and more."""
    with ExitStack() as undo:
        undo.callback(_wait_for_threads)
        server = undo.enter_context(socket.create_server(("127.0.0.1", 0)))
        undo.callback(server.shutdown, socket.SHUT_RDWR)  # else its thread might wait for ever
        threading.Thread(target=_answer, args=(server,)).start()
        ours, theirs = (undo.enter_context(end) for end in socket.socketpair())
        log_reader, log_writer = os.pipe()
        undo.callback(os.close, log_reader)
        undo.callback(os.close, log_writer)
        settings = _settings(folder, f"http://127.0.0.1:{server.getsockname()[1]}")
        told = Birth(_NAME, 1, _GROUP, _rules(), settings)
        ours.sendall(birth_frames(told))
        newborn = Newborn(theirs)
        logs = configure_worker_logging(newborn.begun, log_writer)
        undo.callback(_drop_log_handlers)
        _work(newborn.learn(), logs)


def _work(birth: Birth, logs: WorkerLogs) -> None:
    """Do what a worker does, until its stream ends."""

    def post(message: FromWorker) -> None:
        frame(message)
        if isinstance(message, Disconnected | OutboxFull):  # without room it would wait for it without end
            session.order(Drain(0.0))

    log.info("starting")
    take_over_undelivered(birth)
    delivery = Delivery(birth, sink_of(birth), on_failure=lambda: None)
    trial_of(birth)
    Stats(_NAME, birth.rules, blocking_redis_client(birth.settings.redis_url, 1.0))
    session = Session(birth, delivery, TweetPipeline(birth, delivery, None), logs, post)
    session.order(_CONNECT)
    try:
        session.run()
    except Exception:
        delivery.drain(0.0)  # else its thread lives on, and would be waited for without end
        raise


def _answer(server: socket.socket) -> None:
    with suppress(OSError), server.accept()[0] as peer:
        peer.recv(_REQUEST_BYTES)
        peer.sendall(_ANSWER)


def _drop_log_handlers() -> None:
    handlers = logging.getLogger().handlers
    for handler in handlers:
        handler.close()
    handlers.clear()


def _wait_for_threads() -> None:
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join()


def _rules() -> tuple[Rule, ...]:
    return tuple(
        Rule(
            f"traptor-{_GROUP}:{number}",
            str(number),
            _GROUP,
            (value,),
            b'{"rule_value":"%b"}' % value.encode(),
        )
        for number, value in enumerate(_VALUES)
    )


def _settings(folder: Path, stream_url: str) -> WorkerSettings:
    return WorkerSettings(
        api="v1.1",
        output=f"jsonl:{folder}",
        other_messages="topic",
        stream_url=stream_url,
        connect_timeout_s=1.0,
        stall_timeout_s=1.0,
        redis_url="redis://127.0.0.1/0",
        redis_timeout_s=1.0,
        stats=False,
        extras=True,
        log_dir=folder,
        # Workers have that of the master: to set another one takes a look at every logger.
        log_level=logging.getLevelName(logging.getLogger("traptor").level),
        log_format="text",
        outbox=OutboxSettings(folder, max_bytes=1 << 24, synced=False, confirm_timeout_s=1.0),
    )
