"""Maps in databases, by SQLAlchemy: one question, with the key in it.

The file says where and what:

    url = "postgresql+psycopg://mtad@db.example.org/mail"
    query = "SELECT home FROM users WHERE address = :key"       :local_part and :domain are its parts
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy
import sqlalchemy.exc

from mtad.maps.answer import ABSENT, Answer, Found, Unavailable, folded
from mtad.maps.description import IS_OPEN, parts_of, read_description
from mtad.maps.lines import Wrong
from mtad.maps.threads import ThreadLimits, Threads

ROWS_MAX = 1_000
VALUE_LENGTH_MAX = 100_000
CONNECTION_SECONDS_MAX = 600  # a connection is made anew after so long
_NAMES = ("url", "query")


class Sql:
    """One question to one database."""

    def __init__(self, engine: sqlalchemy.Engine, query: str, limits: ThreadLimits) -> None:
        self._engine = engine
        self._query = sqlalchemy.text(query)
        self._names = frozenset(self._query.compile().params)
        self._threads = Threads(limits)

    async def ask(self, key: str) -> Answer:
        """Return the first columns of the rows that come, between commas; no row: there is no such key."""
        known = parts_of(folded(key))
        asked = {name: known[name] for name in self._names}
        try:
            rows = await self._threads.run(lambda: self._rows(asked))
        except Exception as error:  # noqa: BLE001 - every driver has its own: whatever it is, nothing is known
            return Unavailable(f"{type(error).__name__}: {error}".partition("\n")[0][:200])
        if not rows:
            return ABSENT
        value = ",".join("" if row[0] is None else str(row[0]) for row in rows)
        if len(rows) > ROWS_MAX or len(value) > VALUE_LENGTH_MAX:
            return Unavailable("the answer is too long")
        return Found(value)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _rows(self, asked: dict[str, str]) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(self._query, asked).fetchmany(ROWS_MAX + 1))


def open_sql(path: Path, limits: ThreadLimits | None = None) -> Sql | Wrong:
    """Read the file; the database is not asked before there is a key."""
    description = read_description(path)
    if isinstance(description, Wrong):
        return description
    found = description.said
    if set(found) != set(_NAMES) or not all(isinstance(value, str) for value in found.values()):
        return Wrong.whole(f"needs {' and '.join(_NAMES)}, two texts, and nothing else")
    unknown = set(sqlalchemy.text(found["query"]).compile().params) - set(parts_of(""))
    if unknown:
        return Wrong.whole(f"query may ask for {', '.join(f':{name}' for name in parts_of(''))}, not :{min(unknown)}")
    try:
        url = sqlalchemy.make_url(found["url"])
        if url.password and description.is_open:
            return IS_OPEN
        return _made(url, found["query"], limits or ThreadLimits())
    except (sqlalchemy.exc.SQLAlchemyError, ImportError, TypeError) as error:
        return Wrong.whole(str(error).partition("\n")[0])


def _made(url: sqlalchemy.URL, query: str, limits: ThreadLimits) -> Sql:
    engine = sqlalchemy.create_engine(
        url,
        pool_size=limits.threads_max,
        max_overflow=0,
        pool_timeout=limits.answer_seconds_max,
        pool_pre_ping=True,
        pool_recycle=CONNECTION_SECONDS_MAX,
    )
    return Sql(engine, query, limits)
