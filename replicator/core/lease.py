"""The arithmetic of leases, on two clocks that agree on nothing but how fast a second passes, and on that not quite.

Each clock is CLOCK_BOOTTIME (it runs on while the machine sleeps) at a rate within RATE_ERROR_PPM of the true one.
The holder counts from before it asked, the grantor from when it was asked. Let rho be the rate error: the holder ends
at the latest (lease - guard) / (1 - rho) after it asked, the grantor is bound for at least
(lease * (1 + 2 rho) + slack) / (1 + rho) after that. The second is larger, by the guard and more than 0.9 ms of the
slack for every lease up to LEASE_MAX, so that no other can hold before the holder has ended.
"""

from __future__ import annotations

RATE_ERROR_PPM = 1_000  # of a clock's rate; what steers clocks slews them by half of that at most
SLACK = 1_000_000
GUARD = 50_000_000  # what the holder gives up at the end of its lease
LEASE_MAX = 60_000_000_000


def held_until(asked_at: int, lease: int) -> int:
    """Return the end of a lease on the holder's clock. asked_at: read before the request was sent."""
    return asked_at + lease - GUARD


def promised_for(lease: int) -> int:
    """Return how long after the request came its grantor must grant to nobody else, on the grantor's clock."""
    return lease + (2 * lease * RATE_ERROR_PPM + 999_999) // 1_000_000 + SLACK
