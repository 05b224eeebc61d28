"""Reverse-paths that lead back through us."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtad.mail.address import Mailbox, parse_mailbox
from mtad.mail.srs import DAYS_MAX, PATH_OCTETS_MAX, Srs

DAY = 20_000
OURS = "fwd.example"
SRS = Srs((b"new secret of ours", b"old secret of ours"))
NAMES = st.text("abcXYZ019._+=-", min_size=1, max_size=30)
DAYS = st.integers(DAY, DAY + 5000)


@given(local=NAMES, day=DAYS, age=st.integers(-1, DAYS_MAX))
def test_what_is_made_is_read_for_as_long_as_a_bounce_may_take(local: str, day: int, age: int) -> None:
    path = f"{local}@sender.example"
    made = SRS.made(path, OURS, day)
    if isinstance(parse_mailbox(path), Mailbox):
        assert made.startswith("SRS")
        assert made.endswith(f"@{OURS}")
        assert isinstance(parse_mailbox(made), Mailbox)
        assert SRS.read(made, day + age) == path
        assert (SRS.read(made.lower(), day + age) or "").lower() == path.lower()
    else:
        assert made == path


@given(day=DAYS, late=st.integers(DAYS_MAX + 1, 1000))
def test_what_is_too_old_is_not_read(day: int, late: int) -> None:
    assert SRS.read(SRS.made("a@sender.example", OURS, day), day + late) is None


@given(local=NAMES, data=st.data())
def test_what_others_make_up_is_not_read(local: str, data: st.DataObject) -> None:
    made = SRS.made("a@sender.example", OURS, DAY)
    at = data.draw(st.integers(5, made.index("@") - 1))
    other = data.draw(st.sampled_from("abc234"))
    forged = made[:at] + other + made[at + 1 :]
    assert SRS.read(forged, DAY) in (None, "a@sender.example")
    assert SRS.read(forged, DAY) is None or forged.lower() == made.lower()
    assert SRS.read(f"{local}@{OURS}", DAY) is None


def test_secrets_are_replaced_one_after_the_other() -> None:
    old = Srs((b"old secret of ours",))
    assert SRS.read(old.made("a@sender.example", OURS, DAY), DAY) == "a@sender.example"
    assert old.read(SRS.made("a@sender.example", OURS, DAY), DAY) is None
    assert "secret" not in repr(SRS)


def test_what_forwarders_have_made_leads_back_to_the_first_of_them() -> None:
    first, second = Srs((b"the first forwarder",)), Srs((b"the second forwarder",))
    once = first.made("a@sender.example", "one.example", DAY)
    twice = second.made(once, "two.example", DAY)
    assert twice.startswith("SRS1=")
    assert "=one.example==" in twice
    thrice = SRS.made(twice, OURS, DAY)
    assert SRS.read(thrice, DAY) == second.read(twice, DAY) == once
    assert first.read(once, DAY) == "a@sender.example"


def test_what_is_made_of_a_forwarders_path_is_none_of_a_senders() -> None:
    of_forwarder = SRS.made("SRS0+other.example=bob@aa", OURS, DAY)  # "aa" could be a day
    assert of_forwarder.startswith("SRS1=")
    assert SRS.read(of_forwarder, DAY) == "SRS0+other.example=bob@aa"
    assert all(SRS.read(of_forwarder.replace("SRS1", "SRS0"), day) is None for day in range(1024))


@pytest.mark.parametrize(
    "path", ["", "a@FWD.example", "a", '"a b"@sender.example', "b\u00fccher@sender.example", "a@[192.0.2.1]"]
)
def test_what_cannot_be_put_into_one_or_is_ours_stays(path: str) -> None:
    assert SRS.made(path, OURS, DAY) == path


@pytest.mark.parametrize(
    "path",
    [
        "SRS0=\u017faaaaa=aa=d.example=bob@fwd.example",
        "SRS0=aaaaaa=\u017fa=d.example=bob@fwd.example",
        "SRS1=aaaaa\u212a=h.example==x@fwd.example",
    ],
)
def test_letters_that_pass_for_ascii_are_none(path: str) -> None:
    assert SRS.read(path, DAY) is None


def test_a_path_stays_where_it_would_be_too_long() -> None:
    fits = "a" * (PATH_OCTETS_MAX - len("SRS0=123456=12=sender.example=@fwd.example")) + "@sender.example"
    assert len(SRS.made(fits, OURS, DAY)) == PATH_OCTETS_MAX
    assert SRS.made(f"a{fits}", OURS, DAY) == f"a{fits}"
