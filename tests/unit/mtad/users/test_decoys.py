"""Names that nobody has draw what users have, each the same each time."""

from __future__ import annotations

from mtad.users.decoys import Kinds, scram_decoy, scram_kind

SECRET = bytes(32)
NAMES = [f"nobody{number}@here.example" for number in range(1000)]


def test_a_name_draws_the_same_each_time() -> None:
    assert [Kinds(SECRET, ["a", "b"]).of(name) for name in NAMES] == [
        Kinds(SECRET, ["b", "a"]).of(name) for name in NAMES
    ]


def test_nobody_without_the_secret_knows_what_a_name_draws() -> None:
    ours, others = Kinds(SECRET, ["a", "b"]), Kinds(bytes(range(32)), ["a", "b"])
    assert 300 < sum(ours.of(name) == others.of(name) for name in NAMES) < 700


def test_a_kind_is_drawn_as_often_as_users_have_it() -> None:
    kinds = Kinds(SECRET, ["usual"] * 90 + ["odd"] * 10)
    assert 70 < sum(kinds.of(name) == "odd" for name in NAMES) < 130


def test_another_user_changes_few_of_the_names() -> None:
    before, after = Kinds(SECRET, ["usual"] * 90 + ["odd"] * 10), Kinds(SECRET, ["usual"] * 91 + ["odd"] * 10)
    assert sum(before.of(name) != after.of(name) for name in NAMES) < 10


def test_a_made_up_verifier_is_of_the_kind_and_the_same_each_time() -> None:
    decoy = scram_decoy(SECRET, (5000, 40), "nobody")
    assert scram_kind(decoy) == (5000, 40)
    assert decoy == scram_decoy(SECRET, (5000, 40), "nobody") != scram_decoy(SECRET, (5000, 40), "somebody")
