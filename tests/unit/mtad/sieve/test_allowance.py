from __future__ import annotations

from mtad.sieve.allowance import SHARES_MAX, Allowance, Share


def test_each_share_is_taken_to_its_end_and_from_no_other() -> None:
    allowance, marks_max = Allowance(), SHARES_MAX[Share.MARKS]
    assert [allowance.take(Share.MARKS, wanted) for wanted in (0, marks_max - 1, 2, 1)] == [0, marks_max - 1, 1, 0]
    assert (allowance.left(Share.MARKS), allowance.left(Share.FIELDS)) == (0, SHARES_MAX[Share.FIELDS])
    assert set(SHARES_MAX) == set(Share)
