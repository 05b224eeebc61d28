from __future__ import annotations

import pytest

from mtad.dns.dnsbl import Listing, listings, reason
from mtad.dns.resolver import Resolver, ResolverLimits, Unknown
from mtad.rehearsal.lookups import PlayedNames
from tests.fakes.name_server import SERVFAIL, NameServer


async def test_an_address_is_looked_up_backwards_in_every_list() -> None:
    names = PlayedNames({("9.2.0.192.a.test", "a"): ("127.0.0.2", "127.0.0.10")})
    assert await listings(names, ["a.test", "b.test"], "192.0.2.9") == [
        Listing("a.test", "9.2.0.192.a.test", ("127.0.0.2", "127.0.0.10")),
        Listing("b.test", "9.2.0.192.b.test"),
    ]


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("::ffff:192.0.2.9", "9.2.0.192.a.test"),
        ("2001:db8::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.a.test"),
        ("spam.example.", "spam.example.a.test"),
    ],
)
async def test_what_is_looked_up(subject: str, name: str) -> None:
    assert await listings(PlayedNames(), ["a.test"], subject) == [Listing("a.test", name)]


async def test_what_a_list_does_not_mean() -> None:
    names = PlayedNames(
        {
            ("9.2.0.192.parked.test", "a"): ("203.0.113.80",),
            ("9.2.0.192.refusing.test", "a"): ("127.255.255.254",),
            ("9.2.0.192.silent.test", "a"): None,
        }
    )
    assert await listings(names, ["parked.test", "refusing.test", "silent.test"], "192.0.2.9") == [
        Listing("parked.test", "9.2.0.192.parked.test"),
        Unknown("refusing.test: the list does not answer us (127.255.255.254)"),
        Unknown("silent.test: so says the test"),
    ]


async def test_the_reason_is_one_printable_line() -> None:
    names = PlayedNames({("x.a.test", "txt"): ("see\r\n250 http://a.test/\x1b[1m  now ",), ("y.a.test", "txt"): None})
    assert await reason(names, Listing("a.test", "x.a.test")) == "see 250 http://a.test/ [1m now"
    assert await reason(names, Listing("a.test", "y.a.test")) == ""
    assert await reason(names, Listing("a.test", "z.a.test")) == ""


async def test_a_real_resolver_is_asked() -> None:
    zone = {
        "9.2.0.192.a.test": {"A": ("127.0.0.2",), "TXT": ('"one " "two"',)},
        "9.2.0.192.broken.test": {"A": SERVFAIL},
    }
    async with NameServer(zone) as server:
        names = Resolver((("127.0.0.1", server.port),), ResolverLimits(lookup_seconds_max=0.5))
        listed, absent, unknown = await listings(names, ["a.test", "b.test", "broken.test"], "192.0.2.9")
        assert listed == Listing("a.test", "9.2.0.192.a.test", ("127.0.0.2",))
        assert absent == Listing("b.test", "9.2.0.192.b.test")
        assert isinstance(unknown, Unknown)
        assert isinstance(listed, Listing)
        assert await reason(names, listed) == "one two"
