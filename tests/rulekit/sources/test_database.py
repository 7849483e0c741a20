"""Rules from SQL: a real SQLite here; MariaDB and PostgreSQL in the long tests."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from traptor.rulekit.sources.database import read_database
from traptor.rulekit.sources.row import BadRow, Row, SourceError


@pytest.fixture
def url(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "r.db") as db:
        db.execute("CREATE TABLE rules (id INTEGER, phrase TEXT, tag TEXT, weight REAL)")
        db.executemany(
            "INSERT INTO rules VALUES (?, ?, ?, ?)",
            [(1, "flood warning", "floods", None), (2, "зима", None, None), (3, None, "x", None)],
        )
    db.close()
    return f"sqlite:///{tmp_path}/r.db"


def test_the_columns_of_a_query_are_the_fields(url: str) -> None:
    query = "SELECT id AS rule_id, phrase AS value, tag FROM rules ORDER BY id"
    assert list(read_database(url, query)) == [
        Row(1, {"rule_id": "1", "value": "flood warning", "tag": "floods"}),
        Row(2, {"rule_id": "2", "value": "зима"}),
        BadRow(3, "the field value is missing or empty"),
    ]


def test_many_rows_come_one_by_one(url: str) -> None:
    query = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
        " SELECT i AS rule_id, i AS VALUE FROM n"
    )
    rows = read_database(url, query)
    assert next(rows) == Row(1, {"rule_id": "1", "value": "1"})
    assert sum(1 for _ in rows) == 4999


def test_a_rounded_number_in_a_database_is_refused(url: str) -> None:
    [row] = read_database(url, "SELECT 1.23e18 AS value")
    assert isinstance(row, BadRow)
    assert "rounded" in row.reason


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT phrase FROM rules", "none of them value"),
        ("SELECT value FROM nowhere", "no such table"),
        ("DELETE FROM rules", "returns no rows"),
        ("nonsense", "syntax error"),
    ],
)
def test_a_query_that_cannot_be_used_is_said(url: str, query: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        list(read_database(url, query))


@pytest.mark.parametrize(
    "url",
    ["mysql://ann:s3cr3t-pw@127.0.0.1:9/db", "postgresql://ann:s3cr3t-pw@127.0.0.1:9/db", "s3cr3t-pw"],
)
def test_no_message_tells_the_password(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        list(read_database(url, "SELECT 1 AS value"))
    assert "s3cr3t-pw" not in str(caught.value)
    assert caught.value.__suppress_context__
