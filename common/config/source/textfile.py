"""Read small text files written by an operator: the ini, the key file, files named by `${file:PATH}`."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

MAX_TEXT_BYTES = 1 << 20
_NUL = b"\0"
_OTHERS_MAY_OPEN = 0o066  # read or write, for group or others


class UnreadableText(Exception):
    """The file cannot be used as text; the message says why, and `line` where if known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class TextFile:
    """The text that was read, and the file's permission bits at that time."""

    path: Path
    text: str = field(repr=False)
    mode: int

    @property
    def others_may_open(self) -> bool:
        """True when anybody but the owner may read or write it."""
        return bool(self.mode & _OTHERS_MAY_OPEN)

    @classmethod
    def read(cls, path: Path) -> TextFile:
        """Read a regular file of UTF-8 text, at most 1 MiB, with or without a byte order mark.

        Raises UnreadableText.
        """
        try:
            content, mode = _read_regular_file(path)
        except OSError as error:
            raise UnreadableText(f"cannot be read: {error.strerror}") from None
        except ValueError:
            raise UnreadableText("cannot be read: this is no file name") from None
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise UnreadableText("is not UTF-8 text here; save it as UTF-8", line) from None
        if (end := content.find(_NUL)) >= 0:  # libraries take what precedes it for the whole
            line = content.count(b"\n", 0, end) + 1
            raise UnreadableText("has a NUL character here; save it as UTF-8 text", line)
        return cls(path, text, mode)


def _read_regular_file(path: Path) -> tuple[bytes, int]:
    # O_NONBLOCK: opening a named pipe without a writer must not block.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableText("is not a regular file")
        content = file.read(MAX_TEXT_BYTES + 1)
    if len(content) > MAX_TEXT_BYTES:
        raise UnreadableText(f"is larger than {MAX_TEXT_BYTES} bytes")
    return content, stat.S_IMODE(status.st_mode)
