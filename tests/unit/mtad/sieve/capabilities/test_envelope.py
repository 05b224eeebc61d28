from __future__ import annotations

import pytest

from mtad.sieve.actions import Log
from mtad.sieve.dialects import POLICY
from tests.fakes.sieve_facts import StillFacts, filed, first_error, is_true, run_plain

FACTS = StillFacts(
    envelope={"from": ["Ann-x+y@D.example"], "to": ["rr@acme.example"], "auth": ["ann"]},
    environment={"remote-ip": "192.0.2.1", "vnd.mtad.helo": "mx.d.example"},
)
NOBODY = StillFacts(envelope={"from": [""], "to": [], "auth": []})
REQUIRE = 'require ["variables", "envelope", "environment", "fileinto", "subaddress"];'
STAGES = 'require ["variables", "envelope", "environment", "vnd.mtad.stage", "vnd.mtad.log"];'


def test_who_authenticated() -> None:
    assert is_true('envelope "auth" "ANN"', FACTS, '"envelope"')
    assert is_true('envelope :count "eq" "auth" "0"', NOBODY, '"envelope", "relational"')
    assert not is_true('envelope :matches "auth" "*"', NOBODY, '"envelope"')


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("envelope.from", "Ann-x+y@D.example"),
        ("Envelope.From.Domain", "D.example"),
        ("envelope.from.localpart", "Ann-x+y"),
        ("envelope.from.user", "Ann-x"),
        ("envelope.from.detail", "y"),
        ("envelope.from.all", "Ann-x+y@D.example"),
        ("envelope.to", "rr@acme.example"),
        ("envelope.to.detail", ""),
        ("envelope.auth", "ann"),
        ("env.remote_ip", "192.0.2.1"),
        ("env.name", ""),
    ],
)
def test_facts_as_variables(variable: str, expected: str) -> None:
    assert filed(f'{REQUIRE} fileinto "=${{{variable}}}";', FACTS) == [f"={expected}"]


def test_facts_that_are_not_there_are_empty() -> None:
    text = 'fileinto "=${envelope.from}${envelope.from.domain}${envelope.to}${envelope.auth}";'
    assert filed(REQUIRE + text, NOBODY) == ["="]


@pytest.mark.parametrize(
    ("separators", "said"), [("-", "Ann x+y"), ("-+", "Ann x+y"), ("+", "Ann-x y"), ("=", "Ann-x+y ")]
)
def test_a_policy_says_what_divides_user_and_detail(separators: str, said: str) -> None:
    text = (
        STAGES
        + f'separators "{separators}"; stage "mail" {{ log "${{envelope.from.user}} ${{envelope.from.detail}}"; }}'
    )
    assert run_plain(text, FACTS, language=POLICY, stage="mail") == [Log(said)]


@pytest.mark.parametrize("separators", ["", "@", "a", "+-_=.#!%~"])
def test_what_divides_nothing_is_an_error(separators: str) -> None:
    assert "are no separators" in first_error(f'{STAGES} separators "{separators}";', POLICY)


def test_our_own_items_in_a_stage() -> None:
    text = STAGES + 'stage "rcpt" { log "${env.helo} ${env.vnd.mtad.helo} ${envelope.to}"; }'
    assert run_plain(text, FACTS, language=POLICY, stage="rcpt") == [Log("mx.d.example mx.d.example rr@acme.example")]


@pytest.mark.parametrize(
    ("stage", "variable", "error"),
    [
        ("ehlo", "envelope.from", 'it is not known in stage "ehlo"'),
        ("mail", "envelope.to", 'it is not known in stage "mail"'),
        ("data", "envelope.to", 'there may be several in stage "data"'),
        (
            "rcpt",
            "envelope.by",
            "one of from, to, auth, behind it nothing or one of localpart, domain, all, user, detail",
        ),
        ("rcpt", "envelope.to.name", "one of from, to, auth, behind it nothing"),
        ("rcpt", "envelope.to.user.x", "one of from, to, auth, behind it nothing"),
        ("rcpt", "env.nope", "there is no such item of the environment"),
        ("deliver", "env.listener", 'it is not known in stage "deliver"'),
    ],
)
def test_what_is_not_known_is_an_error_at_load(stage: str, variable: str, error: str) -> None:
    text = f'{STAGES} stage "{stage}" {{ log "${{{variable}}}"; }}'
    assert f'"{variable}": {error}' in first_error(text, POLICY)


def test_facts_cannot_be_set() -> None:
    assert first_error(f'{REQUIRE} set "envelope.from" "a";').endswith('"envelope.from": it cannot be set')


def test_facts_as_variables_need_their_capability() -> None:
    text = 'require ["variables", "fileinto"]; fileinto "${envelope.from}";'
    assert first_error(text) == '1:45: namespace "envelope" needs require "envelope"'


ASKED = StillFacts(
    envelope={"ret": ["HDRS"], "envid": ["QQ314159"], "notify": ["SUCCESS", "FAILURE"], "orcpt": ["rfc822;a@x.example"]}
)
UNASKED = StillFacts(envelope={"ret": [], "envid": [], "notify": [], "orcpt": []})


@pytest.mark.parametrize(
    "test",
    [
        'envelope "ret" "hdrs"',
        'envelope "EnvID" "QQ314159"',
        'envelope "notify" "failure"',
        'envelope :count "eq" "notify" "2"',
        'envelope :matches "orcpt" "rfc822;*@x.example"',
        'envelope :all ["ret", "envid"] "QQ314159"',
    ],
)
def test_what_the_sender_asks_to_be_told(test: str) -> None:
    assert is_true(test, ASKED, '"envelope", "envelope-dsn", "relational"')
    assert not is_true(test, UNASKED, '"envelope", "envelope-dsn", "relational"')


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('require "envelope"; if envelope "ret" "FULL" { }', 'envelope "ret" needs require "envelope-dsn"'),
        ('require ["envelope", "envelope-dsn"]; if envelope :domain "orcpt" "a" { }', 'envelope "orcpt" is no address'),
    ],
)
def test_mistakes_of_what_is_asked(text: str, error: str) -> None:
    assert first_error(text).split(": ", 1)[1] == error


def test_what_is_asked_is_known_in_the_stages_of_its_command() -> None:
    require = 'require ["envelope", "envelope-dsn", "vnd.mtad.stage"];'
    text = require + 'stage "mail" { if envelope "notify" "NEVER" { stop; } }'
    assert first_error(text, POLICY).endswith('envelope "notify" is not known in stage "mail"')
