from __future__ import annotations

import pytest

from mtad.mail.route import Route, TlsLevel, Transport
from mtad.sieve.actions import RouteTo
from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.outside import Outside
from mtad.sieve.script import compile_script
from tests.fakes.sieve_facts import StillFacts, run_plain

_REQUIRE = 'require ["vnd.mtad.stage", "vnd.mtad.route"];\nstage "deliver" {\n'


@pytest.mark.parametrize(
    ("command", "action"),
    [
        ('route "smtp";', RouteTo(Route())),
        ('route :nomx "smtp";', RouteTo(Route(), to_domain=True)),
        ('route :tls "encrypt" "smtp";', RouteTo(Route(tls=TlsLevel.ENCRYPT))),
        (
            'route :host ["a.example", "192.0.2.1", "2001:db8::1"] :port 2525 :tls "none" "smtp";',
            RouteTo(
                Route(hosts=("a.example", "192.0.2.1", "2001:db8::1"), port=2525, tls=TlsLevel.NONE), to_domain=False
            ),
        ),
        ('route :nomx :host "a.example" "smtp";', RouteTo(Route(hosts=("a.example",)))),
        ('route :host "unix:/run/lmtp" "lmtp";', RouteTo(Route(Transport.LMTP, ("unix:/run/lmtp",)))),
        (
            'route :source ["192.0.2.1", "2001:DB8:0::1"] :helo "out.example" "smtp";',
            RouteTo(Route(sources=("192.0.2.1", "2001:db8::1"), helo="out.example")),
        ),
        ('route :pool "Bulk_1" "smtp";', RouteTo(Route(pool="Bulk_1"))),
        ('route :host "a" :auth "relay-1" "smtp";', RouteTo(Route(hosts=("a",), credentials="relay-1"))),
        (
            'route :host ["127.0.0.9", "::1"] :tls "none" :auth "relay" "smtp";',
            RouteTo(Route(hosts=("127.0.0.9", "::1"), tls=TlsLevel.NONE, credentials="relay")),
        ),
        ('route :host "lmtp_1.example" :port 24 "lmtp";', RouteTo(Route(Transport.LMTP, ("lmtp_1.example",), 24))),
    ],
)
def test_routes(command: str, action: RouteTo) -> None:
    assert run_plain(f"{_REQUIRE}{command} }}", StillFacts(), language=POLICY, stage="deliver") == [action]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ('route "uucp";', '3:7: unknown transport "uucp": "smtp" or "lmtp"'),
        ('route :tls "dane" "smtp";', '3:12: TLS level "dane" is not in this version: "none" or "may" or "encrypt"'),
        ('route :tls "dnae" "smtp";', '3:12: unknown TLS level "dnae": "none" or "may" or "encrypt"'),
        ('route "lmtp";', "3:1: LMTP needs a :host"),
        ('route :host "a.example" "lmtp";', "3:1: LMTP has no port of its own: give :port"),
        ('route :port 0 "smtp";', "3:13: a port is 1 to 65535"),
        ('route :port 64K "smtp";', "3:13: a port is 1 to 65535"),
        ('route :host "unix:/a" :port 24 "lmtp";', "3:29: a Unix socket has no port"),
        ('route :host ["a.example", "unix:/a"] "lmtp";', "3:27: a Unix socket must be the only host"),
        ('route :host "unix:run/a" "lmtp";', '3:13: "unix:run/a" needs an absolute path'),
        ('route :host "a b" "smtp";', '3:13: "a b" is no host name, address or unix:/path'),
        ('route :host "[192.0.2.1]" "smtp";', '3:13: "[192.0.2.1]" is no host name, address or unix:/path'),
        ('route :host "" "smtp";', '3:13: "" is no host name, address or unix:/path'),
        ('route :source "out.example" "smtp";', '3:15: "out.example" is no address'),
        ('route :source "fe80::1%eth0" "smtp";', '3:15: "fe80::1%eth0" is no address'),
        ('route :source ["192.0.2.1", "192.0.2.2"] "smtp";', "3:29: a route has one source of IPv4"),
        ('route :helo "out example" "smtp";', '3:13: "out example" is no host name'),
        (
            'route :auth "relay" "smtp";',
            "3:1: :auth needs a :host: whoever DNS names would be told the password",
        ),
        (
            'route :host ["127.0.0.1", "a"] :tls "none" :auth "relay" "smtp";',
            '3:1: :auth is not for :tls "none": the password would be sent in clear text',
        ),
        ('route :host "a" :auth "Relay" "smtp";', '3:23: delivery.credentials of mtad.toml has no "Relay"'),
        ('route :pool "a pool" "smtp";', '3:13: "a pool" is no name of a pool'),
        (
            f'route :host "{"a" * 254}" "smtp";',
            f'3:13: "{"a" * 254}" is no host name, address or unix:/path',
        ),
        ("route :host [" + ", ".join(['"a"'] * 17) + '] "smtp";', "3:94: a route may have 16 hosts"),
    ],
)
def test_what_is_no_route_is_an_error(command: str, error: str) -> None:
    found = compile_script(f"{_REQUIRE}{command} }}", "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert str(found) == f"t:{error}"


@pytest.mark.parametrize("name", ["relay", "other"])
def test_credentials_must_be_those_of_the_settings(name: str) -> None:
    script = f'{_REQUIRE}route :host "a" :auth "{name}" "smtp"; }}'
    found = compile_script(script, "t", POLICY, Outside(logins=frozenset({"relay"})))
    assert isinstance(found, SieveErrors) is (name == "other")
