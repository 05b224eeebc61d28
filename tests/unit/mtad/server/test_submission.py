"""What a user's message lacks is added; what it has is left alone."""

from __future__ import annotations

import pytest

from mtad.server.submission import missing_fields

DATE = b"Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n"
MESSAGE_ID = b"Message-ID: <01J@mx.here.example>\r\n"


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (b"Subject: x\r\n\r\nDate: in the body\r\nMessage-ID: <1@x>\r\n", DATE + MESSAGE_ID),
        (b"date : Thu, 1 Jan 2026 00:00:00 +0000\r\nMESSAGE-ID:\r\n <1@x>\r\n\r\n", b""),
        (b"Subject: x\r\nMessage-Id: <1@x>\r\n\r\n", DATE),
        (b"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\n", MESSAGE_ID),
        (b"Subject: x\r\n Date: folded\r\nX-Message-ID: <1@x>\r\nResent-Date: x\r\n\r\n", DATE + MESSAGE_ID),
        (b"\r\ntext\r\n", DATE + MESSAGE_ID),
        (b"", DATE + MESSAGE_ID),
    ],
)
def test_only_what_is_missing(content: bytes, missing: bytes) -> None:
    assert missing_fields(content, hostname="mx.here.example", queue_id="01J", wall=1_800_000_000.0) == missing
