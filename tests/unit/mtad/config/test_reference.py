"""The page tells every setting, and the check sees when it does not."""

from __future__ import annotations

import pytest

from mtad.config import reference
from tests.unit.mtad.config.test_settings import Settings, leaves


def test_the_page_is_fresh() -> None:
    assert reference.PAGE.read_text() == reference.page()


def test_every_setting_is_told() -> None:
    told = {f"{header.strip('[]')}.{row.name}" for header, _, rows in reference.tables() for row in rows}
    assert {name for name, _, _ in leaves(Settings)} <= told


def test_rows_have_defaults_and_units() -> None:
    rows = {f"{header}.{row.name}": row for header, _, rows in reference.tables() for row in rows}
    deadline = rows["[delivery].deadline_seconds"]
    assert (deadline.default, deadline.allowed) == ("`20`", "a number from 0 to 600 seconds")
    assert rows["[node].name"].default == "must be given"
    assert rows["[node].run_dir"].default == '`"/run/mtad"`'
    assert rows["[policy].file"].default == "none"
    assert rows["[log].format"].default == '`"logfmt"`'
    assert "[[dkim.keys]].selector" in rows
    assert "|" not in "".join(row.text + row.allowed for row in rows.values())


def test_a_stale_page_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["reference", "--check"])
    reference.main()
    monkeypatch.setattr(reference, "page", lambda: "other")
    with pytest.raises(SystemExit, match="stale"):
        reference.main()
