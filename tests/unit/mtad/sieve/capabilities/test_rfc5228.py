from __future__ import annotations

import pytest

from mtad.sieve.actions import Discard, Keep, Redirect
from mtad.sieve.dialects import PLAIN, POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.run import LimitExceeded, Limits
from mtad.sieve.script import compile_script
from tests.fakes.sieve_facts import StillFacts, first_error, is_true, run_plain

CONTENT = (
    b"From: Coyote <Coyote@Desert.Example>\r\n"
    b"To: Roadrunner <rr@acme.example>, \"Boss, The\" <boss@acme.example>\r\n"
    b"Subject: =?utf-8?q?I_have_a_pr=C3=A9sent?=\r\n"
    b"Received: one\r\n"
    b"\r\n"
    b"Look, I'm sorry.\r\n"
)  # fmt: skip
FACTS = StillFacts(
    CONTENT,
    envelope={"from": ["Coyote@Desert.Example"], "to": ['"rr"@acme.example', "boss@sub.acme.example"]},
)
BOUNCE = StillFacts(envelope={"from": [""], "to": ["postmaster"]})


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("true", True),
        ("false", False),
        ("not false", True),
        ("anyof (false, true)", True),
        ("allof (false, true)", False),
        ('exists "subject"', True),
        ('exists ["Subject", "FROM"]', True),
        ('exists ["subject", "x-none"]', False),
        (f"size :over {len(CONTENT) - 1}", True),
        (f"size :over {len(CONTENT)}", False),
        (f"size :under {len(CONTENT) + 1}", True),
        (f"size :under {len(CONTENT)}", False),
        ("size :under 1K", True),
        ('header :contains "subject" "présent"', True),
        ('header "subject" text:\nI have a présent\n.\n', False),  # the value ends with CRLF
        ('header :matches "subject:" "*"', False),
        ('address "from" "coyote@desert.example"', True),
        ('address :comparator "i;octet" "from" "coyote@desert.example"', False),
        ('address :all "to" "boss@acme.example"', True),
        ('address :localpart "to" ["x", "rr"]', True),
        ('address :domain :contains ["cc", "to"] "acme"', True),
        ('address :domain "to" "desert.example"', False),
        ('address :matches "to" "*@acme.*"', True),
    ],
)
def test_tests_of_a_message(test: str, expected: bool) -> None:
    assert is_true(test, FACTS) is expected


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('envelope "from" "coyote@desert.example"', True),
        ('envelope "FROM" "coyote@desert.example"', True),
        ('envelope :localpart "to" "rr"', True),
        ('envelope :all "to" "rr@acme.example"', True),
        ('envelope :domain "to" "sub.acme.example"', True),
        ('envelope :domain :is "to" "example"', False),
        ('envelope :domain :matches "to" "*.example"', True),
        ('envelope ["from", "to"] "boss@sub.acme.example"', True),
        ('envelope "from" ""', False),
    ],
)
def test_the_envelope(test: str, expected: bool) -> None:
    assert is_true(test, FACTS, '"envelope"') is expected


@pytest.mark.parametrize("part", ["", ":all", ":localpart", ":domain"])
def test_the_null_reverse_path_is_the_empty_string_in_every_part(part: str) -> None:
    assert is_true(f'envelope {part} "from" ""', BOUNCE, '"envelope"')
    assert not is_true(f'envelope {part} :matches "from" "?*"', BOUNCE, '"envelope"')


def test_postmaster_without_a_domain_has_a_local_part_only() -> None:
    assert is_true('envelope :localpart "to" "Postmaster"', BOUNCE, '"envelope"')
    assert not is_true('envelope :domain :matches "to" "*"', BOUNCE, '"envelope"')


def test_actions_and_stop() -> None:
    assert run_plain("keep; discard; stop; keep;", FACTS) == [Keep.KEEP, Discard()]


def test_discard_ends_a_stage() -> None:
    script = 'require "vnd.mtad.stage"; stage "rcpt" { discard; keep; }'
    assert run_plain(script, FACTS, language=POLICY, stage="rcpt") == [Discard()]


def test_redirect_takes_one_address_as_a_field_may_hold_it() -> None:
    text = 'require "copy"; redirect "a@x.example"; redirect :copy "B <b@y.example>";'
    assert run_plain(text, FACTS) == [Redirect("a@x.example"), Redirect("b@y.example", is_copy=True)]


@pytest.mark.parametrize("address", ["", "a", "a@x.example, b@x.example", "a b@x.example", "a@-"])
def test_redirect_takes_nothing_else(address: str) -> None:
    found = compile_script(f'redirect "{address}";', "t", PLAIN)
    assert isinstance(found, SieveErrors)
    assert str(found) == f't:1:10: "{address}" is not one address'


def test_redirects_are_limited() -> None:
    text = 'redirect "a@x.example"; keep; redirect "b@x.example";'
    assert len(run_plain(text, FACTS, limits=Limits(redirects_max=2))) == 3
    with pytest.raises(LimitExceeded, match="redirects"):
        run_plain(text, FACTS, limits=Limits(redirects_max=1))


@pytest.mark.parametrize("name", ["Subject", "received", "DKIM-Signature"])
def test_fields_that_hold_no_addresses(name: str) -> None:
    assert first_error(f'if address ["from", "{name}"] "a" {{ }}') == f'1:21: the field "{name}" holds no addresses'
