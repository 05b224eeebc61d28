"""Places go down with failures and up with successes; a hop that fails is left alone longer and longer."""

from __future__ import annotations

from mtad.delivery.pace import WHY_LENGTH_MAX, PaceLimits, Paces

LIMITS = PaceLimits(connections_max=8, rest_seconds=5, rest_seconds_max=60, hops_max=3)


def failing(paces: Paces, times: int, in_use: int = 1) -> list[float]:
    """Let a hop fail as soon as it may be asked again; return how long it was left alone each time."""
    rests, now = [], 0.0
    for _ in range(times):
        paces.failed("h", now, in_use)
        begun = now
        while paces.is_resting("h", now):
            now += 0.5
        rests.append(now - begun)
    return rests


def test_a_hop_that_is_not_known_has_all_places() -> None:
    paces = Paces(LIMITS)
    assert paces.places("h") == 8
    assert not paces.is_resting("h", 0)
    assert not paces.is_doubtful("h")


def test_the_rest_doubles_up_to_its_bound() -> None:
    assert failing(Paces(LIMITS), 7) == [5, 10, 20, 40, 60, 60, 60]
    assert failing(Paces(LIMITS), 200)[-1] == 60


def test_what_fails_while_the_hop_rests_makes_it_no_longer() -> None:
    paces = Paces(LIMITS)
    for second in range(5):
        paces.failed("h", second, 8 - second)
    assert paces.is_resting("h", 4.9)
    assert not paces.is_resting("h", 5)
    assert paces.places("h") == 3, "but each takes a place"


def test_a_hop_that_takes_four_at_a_time_is_left_with_four() -> None:
    paces = Paces(LIMITS)
    for in_use in (8, 7, 6, 5):
        paces.failed("h", 0, in_use)
    assert paces.places("h") == 4


def test_a_transaction_that_is_lost_counts_when_another_follows() -> None:
    paces = Paces(LIMITS)
    paces.failed("h", 0, 8, is_certain=False)
    assert paces.places("h") == 7
    assert not paces.is_resting("h", 0)
    paces.succeeded("h")
    paces.failed("h", 1, 8, is_certain=False)
    assert not paces.is_resting("h", 1)
    paces.failed("h", 2, 8, is_certain=False)
    assert paces.is_resting("h", 2)


def test_there_is_always_one_place() -> None:
    paces = Paces(LIMITS)
    for _ in range(20):
        paces.failed("h", 0, 1)
    assert paces.places("h") == 1


def test_each_round_of_successes_gives_a_place_back() -> None:
    paces = Paces(LIMITS)
    paces.failed("h", 0, 5)
    assert paces.places("h") == 4
    rounds = []
    while paces.places("h") < 8:
        before, count = paces.places("h"), 0
        while paces.places("h") == before:
            paces.succeeded("h")
            count += 1
        rounds.append(count)
    assert rounds == [4, 5, 6, 7]


def test_a_success_ends_the_growth_of_the_rest_and_not_the_rest() -> None:
    paces = Paces(LIMITS)
    assert failing(paces, 3) == [5, 10, 20]
    paces.failed("h", 100, 1)
    assert paces.is_doubtful("h")
    paces.succeeded("h")
    assert not paces.is_doubtful("h")
    assert paces.is_resting("h", 139), "those that stand may go on: no new one is opened"
    paces.failed("h", 200, 1)
    assert not paces.is_resting("h", 205)


def test_a_hop_that_has_all_its_places_again_is_forgotten() -> None:
    paces = Paces(LIMITS)
    paces.failed("h", 0, 8)
    for _ in range(100):
        paces.succeeded("h")
    assert paces._paces == {}


def test_what_is_remembered_is_bounded_and_can_be_forgotten() -> None:
    paces = Paces(LIMITS)
    for number in range(5):
        paces.failed(number, 0, 1)
        paces.failed(0, 0, 1)
    assert [paces.is_resting(number, 1) for number in range(5)] == [True, False, False, True, True]
    paces.forget()
    assert not any(paces.is_resting(number, 1) for number in range(5))


def test_what_was_said_is_remembered_within_bounds() -> None:
    paces = Paces(PaceLimits())
    assert paces.why("hop") == ""
    paces.failed("hop", 0.0, 1, why="421 4.3.2 Busy")
    paces.failed("hop", 1.0, 1)
    assert paces.why("hop") == "421 4.3.2 Busy"
    paces.failed("hop", 2.0, 1, why="x" * 100_000)
    assert paces.why("hop") == "x" * WHY_LENGTH_MAX
