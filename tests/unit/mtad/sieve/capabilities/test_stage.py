from __future__ import annotations

import pytest

from mtad.sieve.actions import Keep
from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts, first_error, run_plain


def is_inside(address: str, networks: str) -> bool:
    text = f'require "vnd.mtad.stage"; stage "connect" {{ if ip {networks} {{ keep; }} }}'
    facts = StillFacts(environment={"remote-ip": address})
    return run_plain(text, facts, language=POLICY, stage="connect") == [Keep.KEEP]


@pytest.mark.parametrize(
    ("address", "networks", "expected"),
    [
        ("192.0.2.1", '"192.0.2.0/24"', True),
        ("192.0.3.1", '"192.0.2.0/24"', False),
        ("192.0.2.1", '"192.0.2.1"', True),
        ("192.0.2.2", '"192.0.2.1"', False),
        ("192.0.2.1", ':remote ["2001:db8::/32", "192.0.2.0/24"]', True),
        ("2001:db8::1", '["2001:db8::/32", "192.0.2.0/24"]', True),
        ("2001:db9::1", '["2001:db8::/32", "192.0.2.0/24"]', False),
        ("8.8.8.8", '"0.0.0.0/0"', True),
        ("::1", '"0.0.0.0/0"', False),
        ("::ffff:192.0.2.1", '"192.0.2.0/24"', True),  # a mapped address is the client's IPv4 address
        ("::ffff:198.51.100.1", '"::/0"', False),
        ("::1", '"127.0.0.0/8"', False),
        ("", '["0.0.0.0/0", "::/0"]', False),  # unknown is in no network
        ("unix", '["0.0.0.0/0", "::/0"]', False),
    ],
)
def test_networks(address: str, networks: str, expected: bool) -> None:
    assert is_inside(address, networks) is expected


@pytest.mark.parametrize(
    ("whose", "expected"),
    [
        (":local", True),
        (":remote", False),
        (':name "192.0.2.7"', True),
        (':name "198.51.100.7"', False),
        (':name "${a}"', True),
        (':name "${b}"', False),
        (':name "mx.example"', False),
        (':name ""', False),
    ],
)
def test_whose_address_is_asked_about(whose: str, expected: bool) -> None:
    text = f'set "a" "::ffff:192.0.2.1"; if ip {whose} "192.0.2.0/24" {{ keep; }}'
    facts = StillFacts(environment={"remote-ip": "198.51.100.1", "vnd.mtad.local-ip": "192.0.2.1"})
    done = run_plain(
        f'require ["vnd.mtad.stage", "variables"]; stage "data" {{ {text} }}', facts, language=POLICY, stage="data"
    )
    assert (done == [Keep.KEEP]) is expected


@pytest.mark.parametrize(
    ("stage", "whose", "error"),
    [
        ("deliver", ":local", 'ip :local is not known in stage "deliver"'),
        ("data", ':local :name "a"', ":name"),
        ("data", ':name "${nowhere.a}"', 'unknown namespace "nowhere"'),
    ],
)
def test_whose_address_cannot_be_asked_about(stage: str, whose: str, error: str) -> None:
    text = f'require ["vnd.mtad.stage", "variables"]; stage "{stage}" {{ if ip {whose} "::/0" {{ keep; }} }}'
    assert error in first_error(text, POLICY)


@pytest.mark.parametrize(
    ("network", "error"),
    [
        ("10.0.0.1/8", '"10.0.0.1/8" has bits set behind its prefix; "10.0.0.0/8" is meant?'),
        ("10.0.0.0/33", '"10.0.0.0/33" is no network'),
        ("example.net", '"example.net" is no network'),
        ("", '"" is no network'),
    ],
)
def test_what_is_no_network_is_an_error(network: str, error: str) -> None:
    text = f'require "vnd.mtad.stage"; stage "connect" {{ if ip ["::1", "{network}"] {{ keep; }} }}'
    found = compile_script(text, "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert str(found) == f"t:1:59: {error}"


def test_a_script_holds_the_stages_that_it_names() -> None:
    script = compile_script('require "vnd.mtad.stage"; stage "rcpt" { } stage "Data" { }', "t", POLICY)
    assert isinstance(script, SieveErrors)  # names of stages are strings, and strings have case
    script = compile_script('require "vnd.mtad.stage"; stage "rcpt" { } stage "data" { }', "t", POLICY)
    assert isinstance(script, Script)
    assert {"rcpt", "data"} <= set(script.stages)
    assert "mail" not in script.stages
