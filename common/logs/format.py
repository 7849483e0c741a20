"""Format a log record as one line of text, or as one JSON object.

A record is an event: a constant message and fields (`traptor.common.logs.event.fields`). A worker's record
also has `worker`, `gen` and `pid`. Times are UTC with milliseconds.
"""

from __future__ import annotations

import copy
import json
import logging
import math
import re
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from traptor.common.logs.mask import SecretMask
from traptor.common.text import CONTROLS

Plain = str | int | float | bool

_INDENT = "\n    "
_BARE = re.compile(r'[^\s"=\\\x00-\x1f\x7f-\x9f]+')


def formatter(log_format: str, mask: SecretMask) -> logging.Formatter:
    """Return the formatter for `[logging] format`: `text` or `json`."""
    return JsonLines(mask) if log_format == "json" else TextLines(mask)


class TextLines(logging.Formatter):
    """Lines such as `2026-11-24T10:00:00.123Z INFO  worker=track:0 gen=3 pid=123 streaming key=k2`."""

    def __init__(self, mask: SecretMask) -> None:
        super().__init__()
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; further lines of a message or a traceback are indented."""
        words = [time_text(record), f"{record.levelname:<5}"]
        words += [f"{name}={_quoted(value)}" for name, value in identity(record).items()]
        words.append(self._mask.hide(message(record)).translate(CONTROLS))
        words += [f"{name}={_quoted(value)}" for name, value in plain_fields(record, self._mask).items()]
        lines = [" ".join(words), self._mask.hide(trace(record)).translate(CONTROLS)]
        return "\n".join(filter(None, lines)).replace("\n", _INDENT)


class JsonLines(JsonFormatter):
    """The same as JSON: `time`, `level`, a worker's identity, `message`, the fields, `exception`."""

    def __init__(self, mask: SecretMask) -> None:
        super().__init__([], json_ensure_ascii=False)
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON."""
        settled = copy.copy(record)
        settled.msg, settled.args = message(record), None
        settled.exc_text, settled.exc_info, settled.stack_info = trace(record), None, None
        return super().format(settled)

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Fill in the members; a field whose name clashes with a member gets a trailing underscore."""
        log_data["time"] = time_text(record)
        log_data["level"] = record.levelname
        log_data |= identity(record)
        log_data["message"] = self._mask.hide(record.message)
        if record.exc_text:
            log_data["exception"] = self._mask.hide(record.exc_text)
        for name, value in plain_fields(record, self._mask).items():
            log_data[f"{name}_" if name in log_data else name] = value


def time_text(record: logging.LogRecord) -> str:
    """Return the record's time as ISO-8601 in UTC."""
    return f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z"


def identity(record: logging.LogRecord) -> dict[str, Plain]:
    """Return the worker that logged the record; empty for the master's own records."""
    worker = getattr(record, "worker", None)
    if worker is None:
        return {}
    return {"worker": worker, "gen": getattr(record, "gen", 0), "pid": record.process or 0}


def message(record: logging.LogRecord) -> str:
    """Return the message; when the arguments do not fit, the unformatted message."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return str(record.msg)


def trace(record: logging.LogRecord) -> str:
    """Return the traceback and the stack of the record."""
    text = record.exc_text or ""
    if not text and record.exc_info and record.exc_info[0] is not None:
        text = logging.Formatter().formatException(record.exc_info)
    return "\n".join(filter(None, (text, record.stack_info)))


def plain_fields(record: logging.LogRecord, mask: SecretMask) -> dict[str, Plain]:
    """Return the record's fields as text and numbers, secrets hidden; fields that are None are left out."""
    given: dict[str, object] = getattr(record, "fields", {})
    return {name: _plain(value, mask) for name, value in given.items() if value is not None}


def _plain(value: object, mask: SecretMask) -> Plain:
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return mask.hide(str(value))


def _quoted(value: Plain) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False).translate(CONTROLS)
