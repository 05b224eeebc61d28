from __future__ import annotations

import pytest

from mtad.mail.lines import has_long_line


@pytest.mark.parametrize(
    ("octets", "is_long"),
    [
        (b"", False),
        (b"abcd", False),
        (b"abcde", True),
        (b"ab\r\nab\r\n", False),
        (b"abc\r\n", True),
        (b"ab\r\nabc\r\nab\r\n", True),
        (b"\n\n\n\n\n\n\n", False),
        (b"abc\nabcde", True),
    ],
)
def test_long_lines(octets: bytes, is_long: bool) -> None:
    assert has_long_line(octets, 4) is is_long
