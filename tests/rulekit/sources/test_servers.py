"""Rules from a real MariaDB and a real PostgreSQL, Debian's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import sqlalchemy
from support.databases import running_mariadb, running_postgresql

from traptor.rulekit.sources.database import _target, read_database
from traptor.rulekit.sources.row import BadRow, Row, SourceError

Server = Callable[[Path], AbstractContextManager[str]]
VALUES = ("flood warning", "洪水 警報", "🌊", "naïve")
MANY = 30_000


def fill(url: str) -> None:
    engine = sqlalchemy.create_engine(_target(url))
    with engine.begin() as connection:
        text = "VARCHAR(200) CHARACTER SET utf8mb4" if "maria" in url else "VARCHAR(200)"
        connection.execute(
            sqlalchemy.text(
                f"CREATE TABLE rules (id BIGINT, phrase {text}, added DATE, weight DOUBLE PRECISION)"
            )
        )
        rows = [{"id": number, "phrase": value} for number, value in enumerate(VALUES)]
        insert = "INSERT INTO rules VALUES (:id, :phrase, '2026-11-28', 1.5)"
        connection.execute(sqlalchemy.text(insert), rows)
        connection.execute(
            sqlalchemy.text(insert), [{"id": n, "phrase": f"word {n}"} for n in range(len(VALUES), MANY)]
        )
    engine.dispose()


@pytest.mark.long
@pytest.mark.parametrize("server", [running_mariadb, running_postgresql])
def test_rules_come_from_a_real_server_one_by_one_and_in_every_script(server: Server, tmp_path: Path) -> None:
    with server(tmp_path) as url:
        if "maria" in url:
            engine = sqlalchemy.create_engine(_target(url))
            with engine.begin() as connection:
                connection.execute(sqlalchemy.text("CREATE DATABASE rules"))
            engine.dispose()
            url = f"{url}/rules?charset=utf8mb4"
        fill(url)
        query = "SELECT id AS rule_id, phrase AS value, added AS date_added FROM rules ORDER BY id"
        rows = read_database(url, query)
        first = [next(rows) for _ in VALUES]
        assert first == [
            Row(number + 1, {"rule_id": str(number), "value": value, "date_added": "2026-11-28"})
            for number, value in enumerate(VALUES)
        ]
        assert sum(1 for _ in rows) == MANY - len(VALUES)
        abandoned = read_database(url, query)
        next(abandoned)
        abandoned.close()
        [rounded] = read_database(url, "SELECT weight AS value FROM rules WHERE id = 0")
        assert isinstance(rounded, BadRow)
        for wrong in ("SELECT value FROM nowhere", "SELECT id FROM rules"):
            with pytest.raises(SourceError) as caught:
                list(read_database(url, wrong))
            assert "s3cr3t-pw" not in str(caught.value)
