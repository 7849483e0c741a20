"""Kafka itself: the jars that tests/kafka/pom.xml names, fetched once by Maven and kept."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from traptor.common.errors import TraptorError

POM = Path(__file__).resolve().parents[2] / "tests" / "kafka" / "pom.xml"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_FETCH_S = 600


class KafkaMissing(TraptorError):
    """Kafka cannot be run here; the message says what is missing."""


def version() -> str:
    """Return the version of Kafka."""
    found = re.search(r"<kafka.version>([^<]+)</kafka.version>", POM.read_text())
    assert found, f"{POM} names no version"
    return found[1]


def cache_folder() -> Path:
    """Return the folder of the jars, outside the repository so that all clones share it."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "traptor" / f"kafka-{version()}"


def jars() -> Path:
    """Return the folder with the jars, fetched (43 MB) if missing. Raises KafkaMissing."""
    if shutil.which("java") is None:
        raise KafkaMissing("java is not installed: Kafka needs a Java runtime, version 17 or newer")
    folder = cache_folder()
    if not folder.exists():
        _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    if shutil.which("mvn") is None:
        raise KafkaMissing("mvn (Maven) is not installed: it fetches Kafka, once")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as new:
        command = [
            "mvn",
            "-q",
            "-B",
            "-f",
            str(POM),
            _COPY,
            "-DincludeScope=runtime",
            f"-DoutputDirectory={new}/jars",
        ]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_S, check=False)
        except subprocess.TimeoutExpired:
            raise KafkaMissing(f"Kafka cannot be fetched: Maven did not end in {_FETCH_S} s") from None
        if ended.returncode:
            lines = [line for line in ended.stdout.splitlines() if "ERROR" in line] or ["Maven failed"]
            raise KafkaMissing(f"Kafka cannot be fetched: {lines[0]}")
        try:
            (Path(new) / "jars").rename(folder)
        except OSError:
            if not folder.exists():  # otherwise another process was faster
                raise
