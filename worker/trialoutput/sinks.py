"""The sinks of a trial: like those of the main output, but `open` neither waits nor raises."""

from __future__ import annotations

from pathlib import Path

from traptor.common.birth import Birth, KafkaSettings
from traptor.common.errors import SinkError
from traptor.common.files.disk import leaves_room
from traptor.worker.delivery.sink import Results
from traptor.worker.sinks.kafka.deadletters import DeadLetters
from traptor.worker.sinks.kafka.sink import KafkaSink
from traptor.worker.sinks.linefile import LineFile
from traptor.worker.sinks.lines import LineSink


class TrialLineSink(LineSink):
    """Writes lines to a file, which is opened again with every line until that works."""

    def __init__(self, file: Path) -> None:
        super().__init__(LineFile(file), None)

    def open(self, results: Results) -> None:
        """Open the file if that is possible now."""
        try:
            super().open(results)
        except SinkError:
            pass  # the first line says why, and opens it once that is possible


class TrialKafkaSink(KafkaSink):
    """Sends to a topic that may be missing: the search for it goes on beside the stream."""

    def __init__(self, birth: Birth, settings: KafkaSettings) -> None:
        letters = ModestDeadLetters(settings.dead_letter_dir / f"{birth.connection}.trial.jsonl")
        super().__init__(birth, settings, letters)

    def open(self, results: Results) -> None:
        """Begin to look for Kafka and the topic."""
        self._results = results
        self._producers.look_beside()


class ModestDeadLetters(DeadLetters):
    """Keeps dead letters as long as they leave the disk to others; without rights, every post becomes one."""

    def append(self, line: bytes) -> bool:
        """Set a line aside; return False when the file is large for its disk, or cannot be written."""
        try:
            size_bytes = self.path.stat().st_size
        except OSError:
            size_bytes = 0
        return leaves_room(self.path.parent, size_bytes + len(line)) and super().append(line)
