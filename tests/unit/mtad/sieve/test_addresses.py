from __future__ import annotations

import time

import pytest

from mtad.sieve.addresses import ADDRESSES_MAX, address_part, addresses_in, detail, domain, local_part, user, whole


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@x.example", ["a@x.example"]),
        ("A B <a@x.example>", ["a@x.example"]),
        ('"B, A" <a@x.example>, c@y.example', ["a@x.example", "c@y.example"]),
        ("a@x.example (Mr. A, <b@c>)", ["a@x.example"]),
        ("a (one (two) three) @ x . example", ["a@x.example"]),
        ("Friends: a@x.example, B <b@y.example>;, c@z.example", ["a@x.example", "b@y.example", "c@z.example"]),
        ("undisclosed-recipients:;", []),
        ("<@r.example,@s.example:a@x.example>", ["a@x.example"]),
        ('"a@b"@x.example', ['"a@b"@x.example']),
        ("a@[192.0.2.1]", ["a@[192.0.2.1]"]),
        ("<>", []),
        ("", []),
        (" , ,", []),
        ("root", ["root"]),
        ("<a@x.example", ["a@x.example"]),
        ('"open <a@x.example>', ['"open <a@x.example>']),
        ("a@x.example>", ["a@x.example>"]),
    ],
)
def test_addresses_of_a_field(value: str, expected: list[str]) -> None:
    assert addresses_in(value) == expected


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("a@x", ("a", "x", "a@x")),
        ('"a"@x', ("a", "x", "a@x")),
        ('"a b"@x', ("a b", "x", '"a b"@x')),
        ('"u@D"@L', ("u@D", "L", '"u@D"@L')),
        ('"a\\"b"@x', ('a"b', "x", '"a\\"b"@x')),
        ('""@x', ("", "x", '""@x')),
        ("postmaster", ("postmaster", None, "postmaster")),
        ("", ("", "", "")),  # RFC 5228 §5.4: the null reverse-path is the empty string, whatever part is asked for
    ],
)
def test_parts_of_an_address(address: str, parts: tuple[str, str | None, str]) -> None:
    assert (local_part(address), domain(address), whole(address)) == parts


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("ken+sieve@x", ("ken", "sieve")),
        ("ken@x", ("ken", None)),
        ("ken+@x", ("ken", "")),
        ("ken+a+b@x", ("ken", "a+b")),
        ("+a@x", ("", "a")),
        ('"k en+s"@x', ("k en", "s")),
        ("", ("", None)),
    ],
)
def test_user_and_detail(address: str, parts: tuple[str, str | None]) -> None:
    assert (user(address), detail(address)) == parts


def test_a_field_with_too_many_addresses_is_read_in_part() -> None:
    assert len(addresses_in("a@b," * (ADDRESSES_MAX + 5))) == ADDRESSES_MAX


@pytest.mark.parametrize("value", ["(" * 200_000, '"' + "\\" * 200_001, "<" * 200_000, "a " * 100_000, "[" * 200_000])
def test_hostile_fields_neither_fault_nor_last(value: str) -> None:
    started = time.process_time()
    addresses_in(value)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("separators", "parts"), [("+", ("a-b", "c")), ("-", ("a", "b+c")), ("-+", ("a", "b+c")), ("=", ("a-b+c", None))]
)
def test_other_separators(separators: str, parts: tuple[str, str | None]) -> None:
    found = address_part(":user", separators)("a-b+c@x"), address_part(":detail", separators)("a-b+c@x")
    assert found == parts
    assert address_part(":domain", separators)("a-b+c@x") == "x"
