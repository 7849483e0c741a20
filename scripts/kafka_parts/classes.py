"""Kafka's classes as Java loads them fastest: a broker starts with them in half the time.

Java calls it class data sharing. What a broker has loaded is written once, beside the jars, and kept.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from kafka_parts.jars import jars


@cache
def ready_classes(write: Callable[[Path], None]) -> Path:
    """Return the file that has them, written if it is missing; meanwhile other processes wait for it.

    Java does without a file that it cannot use.
    """
    folder = jars()
    told = subprocess.run(["java", "-version"], capture_output=True, check=True)
    file = folder.with_name(f"{folder.name}-java-{zlib.crc32(told.stderr):08x}.jsa")
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not file.exists():
            new = file.with_suffix(".new")
            write(new)
            if new.exists():
                new.replace(file)
    finally:
        os.close(descriptor)
    return file
