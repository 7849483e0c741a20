"""The output of the demo's supervisor: files, or a real Kafka."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from kafka_parts.broker import KafkaProcess
from kafka_parts.jars import cache_folder, jars
from kafka_parts.reader import TopicReader, header
from trial.evidence import written_tweets
from trial.folder import TrialFolder
from trial.interrupt import out_of_reach

from demo_parts.samples import Sample, newest, sample_of
from traptor.common.errors import TraptorError

_TOPIC = "traptor"
_READ_S = 60.0


class Output(Protocol):
    """A context manager that prepares the output, and ends what it started."""

    start_words: str
    """What is started, for people."""

    def __enter__(self) -> Output: ...

    def __exit__(self, *_: object) -> None: ...

    @property
    def place(self) -> str:
        """The location of the output, for people."""

    def sections(self) -> dict[str, dict[str, str]]:
        """Return the output's sections of the ini."""

    def samples(self) -> Sequence[Sample]:
        """Return the newest tweet of each connection."""

    def written(self) -> dict[str, Counter[str]]:
        """Return, by connection, how often each tweet is there. Call this after the last write."""


class FileOutput:
    """JSON lines in the demo's folder."""

    start_words = "Redis and a local Twitter"

    def __init__(self, folder: TrialFolder) -> None:
        self._folder = folder.output
        self.place = str(folder.output)

    def __enter__(self) -> FileOutput:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def sections(self) -> dict[str, dict[str, str]]:
        """Return the output's sections of the ini."""
        return {"traptor": {"output": f"jsonl:{self._folder.name}"}}

    def samples(self) -> Sequence[Sample]:
        """Return the last line of each file."""
        return newest(self._folder)

    def written(self) -> dict[str, Counter[str]]:
        """Return the content of the files."""
        return written_tweets(self._folder)


class KafkaOutput:
    """A topic of the demo's own broker, read back by a consumer while it grows."""

    def __init__(self, folder: TrialFolder) -> None:
        is_here = cache_folder().exists()
        self.start_words = f"Kafka{'' if is_here else ' (fetched first, 43 MB)'}, Redis and a local Twitter"
        self._broker = KafkaProcess(folder.kafka)
        self._reader: TopicReader | None = None
        self._written: dict[str, Counter[str]] = {}
        self._samples: dict[str, Sample] = {}

    def __enter__(self) -> KafkaOutput:
        jars()  # before the block: fetching them can be interrupted
        with out_of_reach():
            self._broker.launch()
        try:
            self._broker.wait_until_up()
            self._broker.create_topic(_TOPIC)
            self._reader = TopicReader(self._broker.bootstrap_servers, _TOPIC)
        except BaseException:
            self._broker.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._reader is not None:
            self._reader.close()
        self._broker.kill()  # its messages go with it

    @property
    def place(self) -> str:
        """The location of the output."""
        return f"the topic {_TOPIC} of {self._broker.bootstrap_servers}, which goes with the demo"

    def sections(self) -> dict[str, dict[str, str]]:
        """Return the output's sections of the ini."""
        return {
            "traptor": {"output": "kafka"},
            "kafka": {"bootstrap_servers": self._broker.bootstrap_servers, "topic": _TOPIC},
        }

    def samples(self) -> Sequence[Sample]:
        """Return the last tweets that were read back."""
        self._read(0.0)
        return [self._samples[name] for name in sorted(self._samples)]

    def written(self) -> dict[str, Counter[str]]:
        """Return what was read back, once it is complete."""
        assert self._reader is not None
        deadline = time.monotonic() + _READ_S
        while not self._reader.is_at_end():
            self._read(0.2)
            if time.monotonic() > deadline:
                raise TraptorError(f"the topic {_TOPIC} cannot be read to its end in {_READ_S:g} s")
        return self._written

    def _read(self, wait_s: float) -> None:
        assert self._reader is not None
        for message in self._reader.read(wait_s):
            name, key, value = header(message, "traptor-connection") or "", message.key(), message.value()
            if isinstance(key, bytes) and isinstance(value, bytes):  # other messages have no key
                self._written.setdefault(name, Counter())[key.decode()] += 1
                self._samples[name] = sample_of(name, value)
