"""Sessions whose policy is a script, played as `mtactl sieve test` plays them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtad.rehearsal.dialog import play_dialog

DIALOGS = sorted(Path(__file__).with_name("policies").glob("*.txt"))


@pytest.mark.parametrize("path", DIALOGS, ids=lambda path: path.stem)
async def test_dialog(path: Path) -> None:
    report = await play_dialog(path)
    assert report.is_good, report


async def test_a_dialog_can_fail(tmp_path: Path) -> None:
    (tmp_path / "p.sieve").write_text('require "vnd.mtad.stage";\n')
    path = tmp_path / "wrong.txt"
    path.write_text("# It is wrong.\nGiven: policy = p.sieve\nGiven: greeting and EHLO\nC: NOOP\nS: 550 *\n")
    assert not (await play_dialog(path)).is_good
