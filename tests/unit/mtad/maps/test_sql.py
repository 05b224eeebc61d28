from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from mtad.maps.answer import ABSENT, Answer, Found, Unavailable
from mtad.maps.lines import Line, Wrong
from mtad.maps.sql import ROWS_MAX, Sql, open_sql

ROWS = [
    ("ann@l.example", "/home/ann"),
    ("bob@l.example", None),
    ("list@l.example", "ann"),
    ("list@l.example", "bob"),
    ("7@l.example", 7),
    *(("many@l.example", "x") for _ in range(ROWS_MAX + 1)),
]
BY_KEY = "SELECT home, 1 FROM users WHERE address = :key ORDER BY home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    database = sqlite3.connect(tmp_path / "users.db")
    database.execute("CREATE TABLE users (address TEXT, home)")
    database.executemany("INSERT INTO users VALUES (?, ?)", ROWS)
    database.commit()
    database.close()
    return tmp_path


def described(folder: Path, query: str = BY_KEY, url: str = "") -> Path:
    path = folder / "users.toml"
    path.write_text(f'url = "{url or f"sqlite:///{folder}/users.db"}"\nquery = "{query}"\n')
    return path


async def ask(folder: Path, key: str, query: str = BY_KEY) -> Answer:
    found = open_sql(described(folder, query))
    assert isinstance(found, Sql), str(found)
    try:
        return await found.ask(key)
    finally:
        found.close()


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("Ann@L.example", Found("/home/ann")),
        ("bob@l.example", Found("")),
        ("list@l.example", Found("ann,bob")),
        ("7@l.example", Found("7")),
        ("carol@l.example", ABSENT),
        ("' OR 1=1 --", ABSENT),
        ("many@l.example", Unavailable("the answer is too long")),
    ],
)
async def test_rows(folder: Path, key: str, answer: Answer) -> None:
    assert await ask(folder, key) == answer


async def test_the_parts_of_a_key(folder: Path) -> None:
    query = "SELECT :local_part || '|' || :domain"
    assert await ask(folder, "a@b@l.example", query) == Found("a@b|l.example")
    assert await ask(folder, "ann", query) == Found("ann|")


async def test_a_database_that_fails_is_not_a_key_that_is_not_there(folder: Path) -> None:
    answer = await ask(folder, "a", "SELECT home FROM nobody WHERE address = :key")
    assert isinstance(answer, Unavailable)
    assert "no such table" in answer.why
    assert "\n" not in answer.why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("url = ", "is not TOML: Invalid value (at end of document)"),
        ('url = "sqlite://"', "needs url and query, two texts, and nothing else"),
        ('url = "sqlite://"\nquery = "x"\nmore = 1', "needs url and query, two texts, and nothing else"),
        ('url = "sqlite://"\nquery = 1', "needs url and query, two texts, and nothing else"),
        ('url = "none"\nquery = "x"', "Could not parse SQLAlchemy URL from given URL string"),
        (
            'url = "sqlite:////x"\nquery = "SELECT :user"',
            "query may ask for :key, :local_part, :domain, not :user",
        ),
        (
            'url = "sqlite://u:secret@h/x"\nquery = "SELECT :key"',
            "has a password in it and is open to others: chmod 600",
        ),
    ],
)
def test_what_is_no_description(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "users.toml"
    path.write_text(text)
    path.chmod(0o644)
    assert open_sql(path) == Wrong((Line(1, why),))


def test_a_driver_that_is_not_there(tmp_path: Path) -> None:
    found = open_sql(described(tmp_path, url="postgresql+nosuchdriver://db/mail"))
    assert isinstance(found, Wrong)
    assert open_sql(tmp_path / "none") == Wrong((Line(1, "cannot be read: No such file or directory"),))
