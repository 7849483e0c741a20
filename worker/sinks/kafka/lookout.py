"""Look for Kafka in a separate thread, again and again until it answers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from traptor.common.birth import KafkaSettings
from traptor.common.errors import SinkError
from traptor.common.logs.event import fields, lifecycle
from traptor.common.logs.throttle import Tally
from traptor.worker.sinks.kafka.config import Config, fitted
from traptor.worker.sinks.kafka.revival import Cluster
from traptor.worker.sinks.kafka.topics import KafkaAway, Topics, WaitEnded, need_topics

log = logging.getLogger(__name__)

_ASK_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """Hold the facts of a cluster that a producer needs."""

    cluster: Cluster
    config: Config  # of a producer, with batches that the topics accept
    dead_letter_topic: str | None  # None: there is none
    most_bytes: int | None  # size of a message or batch that all topics accept; None: unknown
    asked_at: float  # when the search for it began (monotonic)
    at: float  # when it was found


class Lookout:
    """Runs one search at a time; its thread calls `on_found`, which may raise SinkError, and `on_away`.

    `settled` is set once Kafka is found, or cannot be found for a lasting reason, which is then `error`.
    """

    def __init__(
        self,
        config: Config,
        settings: KafkaSettings,
        names: Sequence[str],
        *,
        on_found: Callable[[ClusterFacts], None],
        on_away: Callable[[float], None],
        tally: Tally,
    ) -> None:
        self.settled = threading.Event()
        self.error: SinkError | None = None
        self.trouble = ""  # why the running search has not found Kafka yet (any thread)
        self._config = config
        self._settings = settings
        self._names = names
        self._on_found = on_found
        self._on_away = on_away
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._tally = tally

    def look(self) -> None:
        """Start a search, unless one is running."""
        if self._thread is not None and self._thread.is_alive():
            return
        thread = threading.Thread(target=self._look, name="kafka", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no thread available now; the caller will ask again
            if self._tally.add("no thread"):
                log.error("waiting for Kafka", extra=fields(error=str(error)))
        else:
            self._thread = thread

    def stop(self) -> None:
        """End any search, and wait until it has ended."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    # ---- in its thread

    def _look(self) -> None:
        began, is_said = time.monotonic(), False
        while not self._stopped.is_set():
            try:
                found = self._find()
                if is_said:
                    self._on_away(found.at)  # it may have come back just now
                self._on_found(found)
            except WaitEnded:
                return
            except SinkError as error:
                is_said = True
                self.trouble = str(error)
                self._on_away(time.monotonic())
                self._say_unreached(error)
            except Exception:
                is_said = True  # a bug must not leave the messages on disk for good
                if self._tally.add("failed"):
                    log.exception("the search for Kafka failed")
            else:
                if is_said:
                    waited_s = round(time.monotonic() - began, 3)
                    log.info("Kafka is reached", extra=lifecycle(waited_s=waited_s))
                self.error = None
                self.trouble = ""
                self.settled.set()
                return
            self._stopped.wait(_ASK_AGAIN_S)

    def _say_unreached(self, error: SinkError) -> None:
        if isinstance(error, KafkaAway):
            if self._tally.add("away"):
                log.error("waiting for Kafka", extra=fields(error=str(error)))
            return
        # Until then `open` raises it.
        if self.settled.is_set() and self._tally.add(str(error)):
            log.error("Kafka cannot be used", extra=fields(error=str(error)))
        self.error = error
        self.settled.set()

    def _find(self) -> ClusterFacts:
        asked_at = time.monotonic()
        with Topics(self._config, self._stopped) as topics:
            cluster, created = need_topics(topics, self._names, self._settings)
            if created:
                log.info("topics created", extra=lifecycle(topics=",".join(created)))
            dead_letter_topic = self._found_dead_letter_topic(topics)
            most_bytes = topics.largest_message_bytes(self._names)
        config = self._config if most_bytes is None else fitted(self._config, most_bytes, self._settings)
        return ClusterFacts(cluster, config, dead_letter_topic, most_bytes, asked_at, time.monotonic())

    def _found_dead_letter_topic(self, topics: Topics) -> str | None:
        name = self._settings.dead_letter_topic
        try:
            return name if topics.partitions([name])[name] else None
        except (KafkaAway, WaitEnded):
            raise
        except SinkError:  # we may lack even the permission to ask
            return None
