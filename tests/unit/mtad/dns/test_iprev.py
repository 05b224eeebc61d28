from __future__ import annotations

import pytest

from mtad.dns.iprev import NAMES_MAX, Iprev, IprevResult, iprev
from mtad.rehearsal.lookups import PlayedNames

V4 = ("9.2.0.192.in-addr.arpa", "ptr")
V6 = ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "ptr")


@pytest.mark.parametrize(
    ("address", "records", "expected"),
    [
        ("192.0.2.9", {V4: ("a.test",), ("a.test", "a"): ("192.0.2.9",)}, Iprev(IprevResult.PASS, "a.test")),
        (
            "192.0.2.9",
            {V4: ("a.test", "b.test"), ("a.test", "a"): None, ("b.test", "a"): ("192.0.2.8", "192.0.2.9")},
            Iprev(IprevResult.PASS, "b.test"),
        ),
        ("::ffff:192.0.2.9", {V4: ("a.test",), ("a.test", "a"): ("192.0.2.9",)}, Iprev(IprevResult.PASS, "a.test")),
        ("2001:db8::1", {V6: ("a.test",), ("a.test", "aaaa"): ("2001:db8:0::1",)}, Iprev(IprevResult.PASS, "a.test")),
        ("192.0.2.9", {V4: ("a.test",), ("a.test", "a"): ("192.0.2.8",)}, Iprev(IprevResult.FAIL)),
        ("192.0.2.9", {V4: ("a.test",)}, Iprev(IprevResult.FAIL)),
        ("192.0.2.9", {V4: ("a.test", "b.test"), ("b.test", "a"): None}, Iprev(IprevResult.TEMPERROR)),
        ("192.0.2.9", {V4: None}, Iprev(IprevResult.TEMPERROR)),
        ("192.0.2.9", {}, Iprev(IprevResult.PERMERROR)),
        ("", {}, Iprev(IprevResult.PERMERROR)),
        (
            "192.0.2.9",
            {V4: tuple(f"{n}.test" for n in range(NAMES_MAX + 1)), (f"{NAMES_MAX}.test", "a"): ("192.0.2.9",)},
            Iprev(IprevResult.FAIL),
        ),
    ],
)
async def test_iprev(address: str, records: dict[tuple[str, str], tuple[str, ...] | None], expected: Iprev) -> None:
    assert await iprev(PlayedNames(records), address) == expected
