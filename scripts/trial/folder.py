"""The folder of a trial: output and logs, which stay, and what is removed at its end."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from traptor.common.errors import TraptorError


def default_place(parent: str) -> Path:
    """Return a new folder in the working directory, named for the time."""
    return Path(parent) / f"{datetime.now():%Y-%m-%d-%H%M%S}"


class TrialFolder:
    """A folder for one run. Raises TraptorError when it cannot be created or is not empty."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            is_empty = not any(self.path.iterdir())
        except OSError as error:
            raise TraptorError(
                f"{self.path}: cannot be made ({error.strerror}); name another --output"
            ) from None
        if not is_empty:
            raise TraptorError(f"{self.path}: is not empty; name a new folder with --output")

    @property
    def ini(self) -> Path:
        """The supervisor's ini; it stays, to be read."""
        return self.path / "traptor.ini"

    @property
    def output(self) -> Path:
        """The tweets, a file for each connection."""
        return self.path / "output"

    @property
    def logs(self) -> Path:
        """`supervisor.log` and a log for each connection."""
        return self.path / "logs"

    @property
    def stderr(self) -> Path:
        """The supervisor's output when it cannot log."""
        return self.logs / "stderr.txt"

    @property
    def run(self) -> Path:
        """The supervisor's run_dir."""
        return self.path / "run"

    @property
    def state(self) -> Path:
        """Its state_dir."""
        return self.path / "state"

    @property
    def redis(self) -> Path:
        """Redis's own files."""
        return self.path / "redis"

    @property
    def kafka(self) -> Path:
        """Kafka's own files, with `--kafka`."""
        return self.path / "kafka"

    def remove_state(self) -> None:
        """Remove everything but what is worth reading."""
        for folder in (self.run, self.state, self.redis, self.kafka):
            shutil.rmtree(folder, ignore_errors=True)
