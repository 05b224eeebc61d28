"""Places for attempts: bounded in all and for each domain, and not lost to destinations that hang."""

from mtad.runner.places import PlaceLimits, Places

LIMITS = PlaceLimits(at_once_max=4, per_domain_max=2, slow_seconds=10, slow_max=5, per_slow_domain_max=1)


def begun(places: Places, domain: str, count: int, now: float) -> list[str]:
    """Begin as many attempts as there are places for, up to a count; return them."""
    ids = []
    for number in range(count):
        if places.free(now) and places.is_free_for(domain):
            ids.append(f"{domain}{now}{number}")
            places.take(ids[-1], domain, now)
    return ids


def test_places_are_bounded_in_all_and_for_each_domain() -> None:
    places = Places(LIMITS)
    assert [len(begun(places, domain, 3, 0)) for domain in "abc"] == [2, 2, 0]
    places.leave("a00", 1)
    assert [len(begun(places, domain, 3, 1)) for domain in "bc"] == [0, 1]


def test_a_message_is_held_until_it_leaves_however_long_that_lasts() -> None:
    places = Places(LIMITS)
    places.take("m1", "a", 0)
    assert (places.holds("m1"), places.holds("m2")) == (True, False)
    assert places.free(10) == LIMITS.at_once_max, "it is slow by now"
    assert places.holds("m1")
    places.leave("m1", 11)
    assert not places.holds("m1")


def test_what_lasts_long_takes_no_place_of_others() -> None:
    places = Places(LIMITS)
    assert [len(begun(places, domain, 2, 0)) for domain in "abc"] == [2, 2, 0]
    assert [len(begun(places, domain, 2, 9.9)) for domain in "abc"] == [0, 0, 0]
    assert [len(begun(places, domain, 3, 10)) for domain in "abcd"] == [0, 0, 2, 2]


def test_a_domain_that_hangs_has_few_places_until_one_attempt_ends_quickly() -> None:
    places = Places(LIMITS)
    hanging = begun(places, "a", 2, 0)
    assert places.free(10) == LIMITS.at_once_max
    for queue_id in hanging:
        places.leave(queue_id, 30)
    (probe,) = begun(places, "a", 2, 31)
    places.leave(probe, 32)
    assert len(begun(places, "a", 3, 33)) == 2


def test_what_is_slow_is_bounded_by_count_and_by_octets() -> None:
    places = Places(LIMITS)
    for number, domain in enumerate("abcdefg"):
        begun(places, domain, 1, number * 20)
    assert places.free(1000) == LIMITS.at_once_max - 2, "five of seven are beside the others"
    heavy = Places(PlaceLimits(at_once_max=4, slow_octets_max=10))
    for queue_id in begun(heavy, "a", 3, 0):
        heavy.weigh(queue_id, 5)
    assert heavy.free(10) == 3
    heavy.leave("a00", 11)
    assert heavy.free(11) == 4


def test_many_hanging_domains_leave_room_for_one_that_answers() -> None:
    places = Places(PlaceLimits())
    hanging: dict[str, int] = {}  # since when
    refused = []
    for now in range(600):
        for queue_id in [one for one, since in hanging.items() if now - since >= 60]:
            del hanging[queue_id]
            places.leave(queue_id, now)
        for number in range(50):
            hanging |= dict.fromkeys(begun(places, f"hangs{number}", 100, now), now)
        if places.free(now) and places.is_free_for("answers"):
            places.take("answers", "answers", now)
            places.leave("answers", now + 0.1)
        else:
            refused.append(now)
    assert max(refused, default=0) < 300, "from when every domain that hangs has been seen to"
    assert len(hanging) >= 200, "they were tried all the time"


def test_what_is_remembered_of_slow_domains_is_bounded() -> None:
    places = Places(PlaceLimits(slow_domains_max=3))
    for number in range(10):
        (queue_id,) = begun(places, f"d{number}", 1, 0)
        places.leave(queue_id, 100)
    assert list(places._slow_domains) == ["d7", "d8", "d9"]
