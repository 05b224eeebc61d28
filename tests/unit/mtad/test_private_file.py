from __future__ import annotations

import stat

import pytest

from mtad.private_file import is_open_to_others


@pytest.mark.parametrize(
    ("mode", "is_open"),
    [
        (0o400, False),
        (0o600, False),
        (0o640, False),
        (0o700, False),
        (0o620, True),
        (0o610, True),
        (0o604, True),
        (0o602, True),
        (0o601, True),
        (0o644, True),
    ],
)
def test_a_group_may_read_and_nobody_else_anything(mode: int, is_open: bool) -> None:
    assert is_open_to_others(mode) is is_open_to_others(stat.S_IFREG | mode) is is_open
