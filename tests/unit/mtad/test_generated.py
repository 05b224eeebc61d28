"""Generated pages are written, and told when they are stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtad.generated import write_or_check


def test_what_is_written_is_fresh_until_it_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = tmp_path / "reference" / "one.md", tmp_path / "reference" / "other.md"
    pages = {one: "1", other: "2"}
    monkeypatch.setattr("sys.argv", ["reference", "--check"])
    with pytest.raises(SystemExit, match=r"stale: one\.md, other\.md; run `python -m mtad\.one`"):
        write_or_check(pages, "mtad.one")
    assert not one.exists()
    monkeypatch.setattr("sys.argv", ["reference"])
    write_or_check(pages, "mtad.one")
    assert (one.read_text(), other.read_text()) == ("1", "2")
    monkeypatch.setattr("sys.argv", ["reference", "--check"])
    write_or_check(pages, "mtad.one")
    other.write_text("2x")
    with pytest.raises(SystemExit, match=r"stale: other\.md;"):
        write_or_check(pages, "mtad.one")
