"""What BY says (RFC 2852), and what is left of it later."""

import pytest

from mtad.mail.deliver_by import SECONDS_MAX, DeliverBy, Late, Within, least_seconds, read_by

NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("600;R", Within(600, Late.RETURN)),
        ("+600;r", Within(600, Late.RETURN)),
        ("1;RT", Within(1, Late.RETURN, is_traced=True)),
        ("600;nt", Within(600, Late.NOTIFY, is_traced=True)),
        ("0;N", Within(0, Late.NOTIFY)),
        ("-999999999;N", Within(-SECONDS_MAX, Late.NOTIFY)),
        ("0;R", None),
        ("-1;R", None),
        ("600;X", None),
        ("600;T", None),
        ("600;", None),
        ("600", None),
        (";R", None),
        ("1000000000;R", None),
        ("6.5;R", None),
        ("٦٠٠;R", None),
        ("600;RTT", None),
        (" 600;R", None),
        ("", None),
    ],
)
def test_a_value_is_read_or_is_none(value: str, said: Within | None) -> None:
    assert read_by(value) == said
    if said is not None:
        assert read_by(str(said)) == said, "and written alike"


@pytest.mark.parametrize(
    ("later_ms", "seconds"), [(0, 600), (1, 599), (599_000, 1), (599_001, 0), (600_000, 0), (601_000, -1)]
)
def test_a_second_that_has_begun_is_not_left(later_ms: int, seconds: int) -> None:
    by = Within(600, Late.NOTIFY, is_traced=True).from_now(NOW_MS)
    assert by == DeliverBy(NOW_MS + 600_000, Late.NOTIFY, is_traced=True)
    assert by.left(NOW_MS + later_ms) == Within(seconds, Late.NOTIFY, is_traced=True)
    assert by.is_past(NOW_MS + later_ms) is (later_ms >= 600_000)


def test_what_is_left_can_be_written() -> None:
    assert DeliverBy(0, Late.NOTIFY).left(NOW_MS).seconds == -SECONDS_MAX
    assert DeliverBy(2 * NOW_MS, Late.NOTIFY).left(0).seconds == SECONDS_MAX
    assert Within(-SECONDS_MAX, Late.NOTIFY).from_now(0).until_ms == 0, "no moment before 1970 can be stored"


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 0), ("240", 240), ("240,later", 240), ("240 later", 0), ("soon", 0), ("1234567890", 0)]
)
def test_what_a_next_hop_needs_at_least(text: str, seconds: int) -> None:
    assert least_seconds(text) == seconds
