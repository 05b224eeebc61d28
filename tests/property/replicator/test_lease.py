"""No holder outlives its grantor's promise, whatever two clocks do within the rate error that is allowed for."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from replicator.core.lease import GUARD, LEASE_MAX, RATE_ERROR_PPM, held_until, promised_for

PPM = st.integers(-RATE_ERROR_PPM, RATE_ERROR_PPM)
LEASES = st.integers(GUARD + 1, LEASE_MAX)
SECOND = 1_000_000_000


def true_time(reading: int, offset: int, ppm: int) -> Fraction:
    """Return when a clock of that offset and rate shows that reading."""
    return Fraction(reading - offset) / (1 + Fraction(ppm, 1_000_000))


@given(LEASES, PPM, PPM, st.integers(0, SECOND), st.integers(0, 10**15), st.integers(0, 10**15))
def test_the_holder_has_ended_when_the_grantor_is_free(
    lease: int, holder_ppm: int, grantor_ppm: int, delay: int, holder_offset: int, grantor_offset: int
) -> None:
    asked_at = holder_offset + 17 * SECOND
    sent = true_time(asked_at, holder_offset, holder_ppm)
    came = sent + delay
    came_at = int(grantor_offset + came * (1 + Fraction(grantor_ppm, 1_000_000)))
    ended = true_time(held_until(asked_at, lease), holder_offset, holder_ppm)
    freed = true_time(came_at + promised_for(lease), grantor_offset, grantor_ppm)
    assert ended < freed


def test_the_drift_is_counted_for_twice_and_nothing_is_given_away() -> None:
    assert promised_for(3 * SECOND) == 3 * SECOND + 6_000_000 + 1_000_000
    assert promised_for(1) == 1 + 1 + 1_000_000
    assert held_until(5, 3 * SECOND) == 5 + 3 * SECOND - 50_000_000


def test_clocks_beyond_the_error_would_overlap() -> None:
    lease = 30 * SECOND  # whose guard is not larger than what two clocks so far apart make of it
    ended = true_time(held_until(0, lease), 0, -3 * RATE_ERROR_PPM)
    freed = true_time(promised_for(lease), 0, 3 * RATE_ERROR_PPM)
    assert ended > freed
