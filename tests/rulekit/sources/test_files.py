"""Files of rules are read row by row, and each bad row says why it is none."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.rules.rule import RuleType
from traptor.rulekit.sources.lines import MAX_LINE_BYTES
from traptor.rulekit.sources.opening import Form, form_of, opened, rows_of
from traptor.rulekit.sources.row import BadRow, Row, SourceError


def read(form: Form, content: bytes, rule_type: RuleType = RuleType.TRACK) -> list[Row | BadRow]:
    return list(rows_of(io.BytesIO(content), form, rule_type))


def reasons(rows: list[Row | BadRow]) -> dict[int, str]:
    return {row.number: row.reason for row in rows if isinstance(row, BadRow)}


def fields(rows: list[Row | BadRow]) -> list[dict[str, str]]:
    return [row.fields for row in rows if isinstance(row, Row)]


# ---- JSON lines


def test_json_lines_give_the_fields_as_text() -> None:
    lines = b'\xef\xbb\xbf{"value": "a", "rule_id": 17, "tag": null, "on": true}\r\n\n{"value": "b"}'
    assert read(Form.JSONL, lines) == [
        Row(1, {"value": "a", "rule_id": "17", "on": "true"}),
        Row(3, {"value": "b"}),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"value": "a"', "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"tag": "x"}', "value is missing"),
        (b'{"value": " "}', "value is missing or empty"),
        (b'{"value": ["a", "b"]}', "'value' is a list"),
        (b'{"value": "a", "rule_id": 1.23e18}', "'rule_id' is a fraction or a rounded number"),
        (b'{"value": "\xff"}', "not UTF-8 (byte 12"),
        (b'{"value": "' + b"x" * MAX_LINE_BYTES + b'"}', "more than 2 MiB"),
    ],
)
def test_a_bad_json_line_is_told_with_its_number_and_costs_no_other(line: bytes, reason: str) -> None:
    rows = read(Form.JSONL, b'{"value": "before"}\n' + line + b'\n{"value": "after"}\n')
    assert [one["value"] for one in fields(rows)] == ["before", "after"]
    assert reason in reasons(rows)[2]


def test_a_value_of_a_megabyte_is_read() -> None:
    value = "x" * 1_000_000
    assert fields(read(Form.JSONL, json.dumps({"value": value}).encode())) == [{"value": value}]


def test_utf16_is_refused_with_advice() -> None:
    with pytest.raises(SourceError, match="save it as UTF-8"):
        read(Form.CSV, "value\nx\n".encode("utf-16"))


# ---- CSV


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_as_excel_writes_it(delimiter: str, end: str) -> None:
    lines = [["Rule ID", "Value", "tag"], ["1", '"Überschwemmung, Bonn"', '"say ""hi"""'], ["", "", ""]]
    text = end.join(delimiter.join(cells) for cells in lines) + end
    assert read(Form.CSV, text.encode("utf-8-sig")) == [
        Row(2, {"rule_id": "1", "value": "Überschwemmung, Bonn", "tag": 'say "hi"'})
    ]


@pytest.mark.parametrize("rounded", ["1.23E+18", "1,23E+18", "1E+18", "1.23457e18"])
@pytest.mark.parametrize("column", ["value", "rule_id"])
def test_a_number_that_excel_rounded_is_refused_by_row(rounded: str, column: str) -> None:
    other = "value" if column == "rule_id" else "rule_id"
    rows = read(Form.CSV, f"{column};{other}\n{rounded};1\n12;13\n".encode())
    assert len(fields(rows)) == 1
    assert reasons(rows)[2].startswith(f"{column} is '{rounded}': the spreadsheet has rounded it")


def test_a_csv_row_with_too_many_cells_or_without_a_value_is_refused() -> None:
    rows = read(Form.CSV, b"value,tag\na,b,c\n,b\nd\n")
    assert fields(rows) == [{"value": "d"}]
    assert "3 cells, but the first line names 2" in reasons(rows)[2]
    assert "value is missing" in reasons(rows)[3]


def test_the_numbers_of_csv_rows_are_those_of_their_last_lines() -> None:
    rows = read(Form.CSV, b'value,tag\n"two\nlines",x\n\xff,y\nz,1,2\n')
    assert fields(rows) == [{"value": "two\nlines", "tag": "x"}]
    assert sorted(reasons(rows)) == [4, 5]


@pytest.mark.parametrize("header", [b"", b"tag;id\n", b"value,value\n"])
def test_a_csv_without_usable_header_is_refused(header: bytes) -> None:
    with pytest.raises(SourceError, match="the first line"):
        read(Form.CSV, header)


def test_a_quotation_mark_that_is_never_closed_does_not_swallow_the_memory() -> None:
    rows = read(Form.CSV, b'value\n"open\n' + b"x" * 1000 * 1000 + b"\n" + (b"y" * 1000 + b"\n") * 3_000)
    assert any("not CSV" in reason for reason in reasons(rows).values())


# ---- text


def test_text_is_a_value_on_each_line() -> None:
    assert read(Form.TEXT, "# flood\n\n  #flood \nstürm\n".encode()) == [
        Row(1, {"value": "# flood"}),
        Row(3, {"value": "#flood"}),
        Row(4, {"value": "stürm"}),
    ]


# ---- Gnip


def gnip(*items: object) -> bytes:
    return json.dumps({"rules": items}, ensure_ascii=False).encode()


def test_gnip_rules_keep_their_tags_and_what_they_were() -> None:
    content = gnip({"value": "flood warning OR #flood", "tag": "floods", "id": 7}, {"value": "зима"})
    assert read(Form.GNIP, content) == [
        Row(1, {"value": "flood warning,#flood", "tag": "floods", "gnip_value": "flood warning OR #flood"}),
        Row(2, {"value": "зима", "gnip_value": "зима"}),
    ]


def test_gnip_rules_without_an_equivalent_are_told_by_their_numbers() -> None:
    rows = read(Form.GNIP, gnip({"value": "a lang:en"}, {"tag": "x"}, 3, {"value": "b"}))
    assert len(fields(rows)) == 1
    assert reasons(rows)[1] == "the operator lang: has no equivalent in a track rule"
    assert sorted(reasons(rows)) == [1, 2, 3]


def test_several_lists_of_gnip_rules_in_one_file() -> None:
    content = json.dumps([{"rules": [{"value": "a"}]}, {"x": 1, "rules": [{"value": "b"}]}]).encode()
    assert [one["value"] for one in fields(read(Form.GNIP, content))] == ["a", "b"]


@pytest.mark.parametrize("content", [b"", b"{}", b'{"rules": 3}', b'{"rules": [{"value": "a"}, {"val'])
def test_a_file_that_is_not_gnips_is_refused(content: bytes) -> None:
    with pytest.raises(SourceError):
        read(Form.GNIP, content)


# ---- all


@pytest.mark.parametrize("form", Form)
@given(content=st.binary(max_size=300))
def test_any_bytes_give_rows_or_a_sentence(form: Form, content: bytes) -> None:
    try:
        rows = read(form, content)
    except SourceError as error:
        assert str(error)
        return
    for row in rows:
        assert row.number > 0
        assert row.reason if isinstance(row, BadRow) else row.fields["value"].strip()


class Endless(io.RawIOBase):
    """A file of many lines that takes no memory itself."""

    def __init__(self, first: bytes, line: bytes, count: int) -> None:
        self._rest = memoryview(first)
        self._line = line * 1_000
        self._left = count // 1_000

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if not self._rest and self._left:
            self._rest, self._left = memoryview(self._line), self._left - 1
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


@pytest.mark.parametrize(
    ("form", "first", "line"),
    [
        (Form.JSONL, b"", b'{"value": "flood warning", "tag": "t"}\n'),
        (Form.CSV, b"value;tag\n", b"flood warning;t\n"),
        (Form.TEXT, b"", b"flood warning\n"),
        (Form.GNIP, b'{"rules": [{"value": "x"}', b',{"value": "flood warning", "tag": "t"}\n'),
    ],
)
def test_memory_does_not_grow_with_the_file(form: Form, first: bytes, line: bytes) -> None:
    tail = b"]}" if form is Form.GNIP else b""
    stream = io.BufferedReader(Endless(first, line, 20_000))
    tracemalloc.start()
    try:
        count = 0
        rows = rows_of(Joined(stream, tail), form, RuleType.TRACK)  # type: ignore[arg-type]
        for row in rows:
            assert isinstance(row, Row)
            count += 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count >= 20_000
    assert peak < 1_500_000


class Joined:
    """A stream with something after its end."""

    def __init__(self, stream: io.BufferedReader, tail: bytes) -> None:
        self._stream = stream
        self._tail = tail

    def readline(self, size: int) -> bytes:
        return self._stream.readline(size)

    def read(self, size: int) -> bytes:
        piece = self._stream.read(size)
        if len(piece) < size:
            piece, self._tail = piece + self._tail, b""
        return piece


@pytest.mark.parametrize(
    ("name", "form"), [("a.jsonl", "jsonl"), ("a.CSV", "csv"), ("a.json", "gnip"), ("a.txt", "text")]
)
def test_the_name_of_a_file_tells_its_form(name: str, form: str) -> None:
    assert form_of(Path(name)) == form


def test_a_name_that_tells_nothing_and_a_file_that_is_not_there_are_said() -> None:
    with pytest.raises(SourceError, match="--from"):
        form_of(Path("rules"))
    with (
        pytest.raises(SourceError, match=r"nowhere\.csv cannot be read"),
        opened(Path("nowhere.csv"), Form.CSV, RuleType.TRACK),
    ):
        pass
