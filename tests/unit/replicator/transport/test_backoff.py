"""The waits between tries grow, are bounded, and begin anew after a link that stood."""

from replicator.transport.backoff import SECONDS_MAX, SECONDS_MIN, STEADY_SECONDS, Backoff


def test_each_wait_is_twice_as_long_up_to_a_bound() -> None:
    backoff = Backoff()
    waits = [backoff.wait_seconds(0.01, 1.0) for _ in range(8)]
    assert waits[:5] == [SECONDS_MIN * 2**n for n in range(5)]
    assert waits[5:] == [SECONDS_MAX] * 3


def test_another_bound_holds_from_the_first_wait_that_would_pass_it() -> None:
    backoff = Backoff(0.15)
    assert [backoff.wait_seconds(0.01, 1.0) for _ in range(3)] == [SECONDS_MIN, 0.15, 0.15]


def test_a_link_that_stood_begins_anew_and_one_that_did_not_does_not() -> None:
    backoff = Backoff()
    for _ in range(8):
        backoff.wait_seconds(STEADY_SECONDS, 1.0)
    assert backoff.wait_seconds(STEADY_SECONDS + 0.1, 1.0) == SECONDS_MIN


def test_the_share_is_of_this_wait_alone() -> None:
    backoff = Backoff()
    assert backoff.wait_seconds(0.01, 0.5) == SECONDS_MIN / 2
    assert backoff.wait_seconds(0.01, 1.0) == SECONDS_MIN * 2
