"""Rules from a SQL database, by a query whose columns are the fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from traptor.common.text import counted, one_line
from traptor.rulekit.sources.cells import row_of
from traptor.rulekit.sources.row import Rows, SourceError

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

_BATCH = 1_000
_DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}
_SAID_CHARACTERS = 500


def read_database(url: str, query: str) -> Rows:
    """Yield the rows of the query, fetched in batches; their numbers count them.

    Raises SourceError; its text never contains the password.
    """
    try:
        import sqlalchemy  # an extra: only this source needs it
    except ImportError:
        raise SourceError(
            "SQL needs SQLAlchemy and a driver: pip install 'traptor-supervisor[sql]'"
        ) from None
    target = _target(url)
    try:
        engine = sqlalchemy.create_engine(target)
    except ImportError as error:
        raise SourceError(f"no driver for {target.get_backend_name()}: {error}") from None
    try:
        yield from _rows(engine, query)
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise SourceError(_said(target, error)) from None
    finally:
        engine.dispose()


def _rows(engine: Engine, query: str) -> Rows:
    import sqlalchemy  # as above

    with engine.connect() as connection:
        streaming = connection.execution_options(stream_results=True, yield_per=_BATCH)
        result = streaming.execute(sqlalchemy.text(query))
        if not result.returns_rows:
            raise SourceError("the query returns no rows; it must be a SELECT")
        try:
            names = _names(list(result.keys()))
            for number, cells in enumerate(result, start=1):
                yield row_of(number, dict(zip(names, cells, strict=True)))
        finally:
            result.close()  # MySQL's driver reads what is left; it has no other way to end a query


def _target(url: str) -> URL:
    import sqlalchemy  # as above

    try:
        target = sqlalchemy.make_url(url)
    except sqlalchemy.exc.ArgumentError:
        raise SourceError("the URL of the database is not one; expected mysql://user@host/name") from None
    return target.set(drivername=_DRIVERS.get(target.drivername, target.drivername))


def _names(columns: Sequence[str]) -> list[str]:
    names = [column.lower() for column in columns]
    if "value" not in names:
        raise SourceError(
            f"the query returns {counted(len(names), 'column')} ({', '.join(names[:10])}), none of them"
            " value; name it: SELECT phrase AS value, ..."
        )
    return names


def _said(target: URL, error: Exception) -> str:
    text = one_line(str(getattr(error, "orig", None) or error))[:_SAID_CHARACTERS]
    if target.password:
        text = text.replace(str(target.password), "***")
    return f"{target.render_as_string(hide_password=True)}: {text}"
