"""What is kept of a password fits that password alone, and is read as it was written."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError, VerifyMismatchError
from argon2.low_level import Type

from mtad.users.verifier import ScramVerifier, argon2_of, cost_of, fault_of_argon2, fits_argon2


def test_argon2_fits_its_password_alone() -> None:
    hashed = argon2_of("pencil")
    assert fits_argon2(hashed, "pencil")
    assert not fits_argon2(hashed, "pencils")
    assert fault_of_argon2(hashed) == ""
    assert cost_of(hashed) == (19_456, 2, 1)
    assert hashed != argon2_of("pencil"), "each has a salt of its own"


def test_what_cannot_be_compared_is_no_wrong_password() -> None:
    with pytest.raises(VerificationError) as caught:
        fits_argon2("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzYWx0$AAAA", "pencil")  # its hash is too short
    assert not isinstance(caught.value, VerifyMismatchError)


def argon2(**kind: int) -> str:
    return PasswordHasher(**{"time_cost": 1, "memory_cost": 64, "parallelism": 1, **kind}).hash("x")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("secret", "is no argon2 hash"),
        (PasswordHasher(1, 64, 1, type=Type.I).hash("x"), "is not of the variant argon2id"),
        (argon2().replace("m=64", "m=9999999"), "asks for more than 262144 KiB or 16 passes"),
        (argon2(time_cost=17), "asks for more than 262144 KiB or 16 passes"),
    ],
    ids=["no hash", "another variant", "much memory", "many passes"],  # hashes differ from process to process
)
def test_argon2_that_cannot_serve(text: str, fault: str) -> None:
    assert fault_of_argon2(text) == fault


def test_scram_is_read_as_written() -> None:
    verifier = ScramVerifier.of("pencil", iterations=4096)
    assert ScramVerifier.parse(str(verifier)) == verifier
    assert str(verifier).startswith("SCRAM-SHA-256$4096:")
    assert verifier != ScramVerifier.of("pencil", iterations=4096)
    assert "stored" not in repr(verifier)


GOOD = str(ScramVerifier.of("pencil", b"salt", 4096))


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD.replace("SHA-256", "SHA-1"),
        GOOD.replace("4096", "4095"),
        GOOD.replace("4096", "99999999"),
        GOOD.rpartition(":")[0] + ":AAAA",
        GOOD.replace("$4096:", "$4096:A"),
        GOOD + "=",
    ],
)
def test_scram_that_cannot_serve(text: str) -> None:
    assert ScramVerifier.parse(GOOD) is not None
    assert ScramVerifier.parse(text) is None
