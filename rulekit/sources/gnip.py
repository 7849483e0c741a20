"""Rules in Gnip's form, `{"rules": [{"value": ..., "tag": ...}]}`, translated to Traptor's."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from traptor.common.rules.rule import RuleType
from traptor.rulekit.sources.cells import row_of
from traptor.rulekit.sources.lines import MAX_LINE_BYTES
from traptor.rulekit.sources.powertrack import translate
from traptor.rulekit.sources.row import BadRow, Row, Rows, SourceError

_PIECE_BYTES = 1 << 16
_LIST = re.compile(r'"rules"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")
_MADE_OF = "gnip_value"  # the field that keeps what a rule was translated from


def read_gnip(stream: BinaryIO, rule_type: RuleType) -> Rows:
    """Yield the rules that have an equivalent of this type, and the reason for each that has none.

    Their numbers count the rules. Raises SourceError when the file has another form.
    """
    for number, item in enumerate(_Objects(stream), start=1):
        yield _row(number, item, rule_type)


def _row(number: int, item: Any, rule_type: RuleType) -> Row | BadRow:
    if not isinstance(item, dict) or not isinstance(item.get("value"), str):
        return BadRow(number, 'not an object with a text as "value"')
    try:
        value = translate(item["value"], rule_type)
    except ValueError as error:
        return BadRow(number, str(error))
    fields = {name: content for name, content in item.items() if name != "id"}
    return row_of(number, {**fields, "value": value, _MADE_OF: item["value"]})


class _Objects:
    """Finds the objects in lists named `rules`, holding one at a time."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._text = ""
        self._decoder = json.JSONDecoder()
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")()

    def __iter__(self) -> Iterator[Any]:
        if not self._find_list():
            raise SourceError('no list named "rules" in the file: it is not in Gnip\'s form')
        while True:
            yield from self._items()
            if not self._find_list():
                return

    def _items(self) -> Iterator[Any]:
        while True:
            self._skip_between()
            if self._text.startswith("]"):
                return
            yield self._item()

    def _item(self) -> Any:
        while True:
            try:
                item, end = self._decoder.raw_decode(self._text)
            except (ValueError, RecursionError) as error:
                if len(self._text) > MAX_LINE_BYTES or not self._read():
                    raise SourceError(f"not JSON after the last rule that could be read: {error}") from None
            else:
                self._text = self._text[end:]
                return item

    def _skip_between(self) -> None:
        while True:
            self._text = _BETWEEN.sub("", self._text, count=1)
            if self._text or not self._read():
                return

    def _find_list(self) -> bool:
        while True:
            if found := _LIST.search(self._text):
                self._text = self._text[found.end() :]
                return True
            self._text = self._text[-64:]
            if not self._read():
                return False

    def _read(self) -> bool:
        raw = self._stream.read(_PIECE_BYTES)
        try:
            self._text += self._utf8.decode(raw, final=not raw)
        except UnicodeDecodeError:
            raise SourceError("the file is not UTF-8") from None
        return bool(raw)
