"""The entry point of a forked worker: the one module of this package that the supervisor knows."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from traptor.common.birth import API_V2, Birth, WorkerSettings
from traptor.common.errors import ExitCode, SinkError
from traptor.common.logs.event import fields
from traptor.common.logs.worker import configure_worker_logging
from traptor.common.rules.rule import Rule
from traptor.worker.afterfork import (
    leave_parent,
    listen_to_signals,
    offer_to_oom_killer,
    set_title,
)
from traptor.worker.counters.stats import Stats, client_for_stats
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.drainer import Drainer
from traptor.worker.hearing.newborn import Newborn
from traptor.worker.link import Link
from traptor.worker.match.matcher import Matcher
from traptor.worker.pipeline import Pipeline
from traptor.worker.postpipeline import PostPipeline
from traptor.worker.posts.astweet import tweet_of
from traptor.worker.posts.head import PostHead
from traptor.worker.posts.postline import read_line, whole_post
from traptor.worker.session import Session
from traptor.worker.sinks.kafka.legacy import take_over_undelivered
from traptor.worker.sinks.kafka.topics import look_at_kafka
from traptor.worker.sinks.outputs import sink_of
from traptor.worker.trial import try_key
from traptor.worker.trialoutput.making import settings_of_trial, trial_of
from traptor.worker.trialoutput.output import TrialOutput
from traptor.worker.tweetpipeline import TweetPipeline
from traptor.worker.tweets.received import read_message
from traptor.worker.tweets.tweet import Tweet
from traptor.worker.warmup import rehearse, warm_up

__all__ = [
    "check_output",
    "leave_parent",
    "matching",
    "rehearse",
    "run_worker",
    "try_key",
    "warm_up",
]

log = logging.getLogger(__name__)

_LAST_WORDS_S = 2.0


def matching(rules: Sequence[Rule]) -> Callable[[bytes], Sequence[int] | None]:
    """Return what tells which of the rules (indexes) a message matches; None for one that is no tweet."""
    matcher = Matcher(rules)

    def matches(line: bytes) -> Sequence[int] | None:
        tweet = read_message(line).tweet or _post_in(line)
        return None if tweet is None else matcher.match(tweet)

    return matches


def _post_in(line: bytes) -> Tweet | None:
    try:
        return tweet_of(whole_post(line)) if isinstance(read_line(line), PostHead) else None
    except RecursionError:  # nested so deeply that it can hardly be read
        return None


def run_worker(connection: str, fds: Sequence[int], parent_pid: int) -> None:
    """Serve a connection until drained. Raises SystemExit when it cannot.

    Call this in the child right after the fork, with HANDLED_SIGNALS blocked. `fds` are the socket, over
    which the birth comes, the pipe of the log, the master's bell, and what is only kept open.
    """
    leave_parent(parent_pid, fds)
    offer_to_oom_killer()
    set_title(connection, "starting")
    sock_fd, log_fd, bell_fd, *_ = fds
    sock = socket.socket(fileno=sock_fd)
    newborn = Newborn(sock)
    logs = configure_worker_logging(newborn.begun, log_fd)
    log.info("starting", extra=fields(rules=newborn.rules))
    birth = newborn.learn()
    link = Link(sock, bell_fd)
    listen_to_signals(link.terminate, logs.evidence)
    take_over_undelivered(birth)
    delivery = Delivery(birth, sink_of(birth))
    trial = trial_of(birth)
    work: Drainer | Session
    if birth.drains:
        work = Drainer(birth, delivery, trial, logs, link.post)
    else:
        work = Session(birth, delivery, _pipeline(birth, delivery, trial), logs, link.post)
    link.start(work)
    try:
        work.run()
    except SinkError as error:
        log.error("the output cannot be used", extra=fields(error=str(error)))  # a sentence, not a crash
        _drain(delivery, trial, time.monotonic())
        raise SystemExit(ExitCode.FAILURE) from None
    except Exception:
        log.exception("the worker failed")
        # messages on their way to the output are not at fault
        _drain(delivery, trial, time.monotonic() + _LAST_WORDS_S)
        raise SystemExit(ExitCode.FAILURE) from None
    finally:
        link.finish(_LAST_WORDS_S)
        logs.close()


def check_output(settings: WorkerSettings, answer: Connection) -> None:
    """Try to reach the output and send the result: success, and a sentence. Call this in a child."""
    try:
        assert settings.kafka is not None, "other outputs are files"
        answer.send((True, _look(settings)))
    except SinkError as error:
        answer.send((False, str(error)))
    except Exception as error:  # noqa: BLE001  # the process that asked gets a sentence, whatever it is
        answer.send((False, f"{type(error).__name__}: {error}"))


def _look(settings: WorkerSettings) -> str:
    assert settings.kafka is not None
    said = look_at_kafka(settings.kafka, settings.other_messages)
    if not settings.trial:
        return said
    trial = settings_of_trial(settings)
    assert trial.kafka is not None
    return f"{said} The trial: {look_at_kafka(trial.kafka, trial.other_messages)}"


def _drain(delivery: Delivery, trial: TrialOutput | None, deadline: float) -> None:
    delivery.drain(deadline)
    if trial is not None:
        trial.drain(deadline)


def _pipeline(birth: Birth, delivery: Delivery, trial: TrialOutput | None) -> Pipeline:
    if birth.settings.api == API_V2:
        return PostPipeline(birth, delivery, _stats(birth.stands_for, (), birth.settings), trial)
    return TweetPipeline(birth, delivery, _stats(str(birth.group), birth.rules, birth.settings))


def _stats(name: str, rules: Sequence[Rule], settings: WorkerSettings) -> Stats | None:
    if not settings.stats:
        return None
    client = client_for_stats(settings.redis_url, settings.redis_timeout_s, settings.redis_ca_file)
    return Stats(name, rules, client)
