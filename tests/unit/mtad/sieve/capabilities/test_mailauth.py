"""What a policy asks of SPF, DKIM, DMARC and ARC, and that what nobody looked at is neither good nor bad."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mtad.mail.authenticity import Finding, Method, Subject, Untried
from mtad.rehearsal.methods import PlayedMethods
from mtad.sieve.actions import Log
from mtad.sieve.code import answer
from mtad.sieve.dialects import POLICY
from mtad.sieve.edits import AddField, DeleteFields, edited
from mtad.sieve.outside import Outside
from mtad.sieve.run import Limits, Run, ScriptFailed
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts, first_error

REQUIRE = 'require ["variables", "relational", "editheader", "vnd.mtad.mailauth", "vnd.mtad.stage", "vnd.mtad.log"];\n'
CONTENT = b"From: a@d.example\r\nAuthentication-Results: mx.h.example; forged\r\n\r\n"
ENVELOPE: dict[str, list[str]] = {"from": ["a@d.example"], "to": ["b@h.example"], "auth": []}
ENVIRONMENT = {"remote-ip": "192.0.2.9", "vnd.mtad.helo": "mx.d.example", "host": "mx.h.example"}
FACTS = StillFacts(CONTENT, ENVELOPE, ENVIRONMENT)


def played(**found: list[Finding]) -> PlayedMethods:
    return PlayedMethods({Method(name): findings for name, findings in found.items()})


FOUND = played(
    spf=[Finding("softfail", "d.example")],
    dkim=[Finding("pass", "list.example", "s1"), Finding("fail", "D.example", "s2")],
    dmarc=[Finding("fail", "d.example", policy="quarantine")],
    arc=[Finding("none")],
)


async def run(text: str, methods: PlayedMethods = FOUND, stage: str = "data", facts: StillFacts = FACTS) -> Run:
    script = compile_script(f'{REQUIRE} stage "{stage}" {{ {text} }}', "t", POLICY, Outside(methods=methods))
    assert isinstance(script, Script), str(script)
    one = Run(facts, Limits())
    await answer(script.stages[stage], one)
    return one


async def is_true(test: str, methods: PlayedMethods = FOUND) -> bool:
    actions = (await run(f'if {test} {{ log "true"; }}', methods)).actions
    return Log("true") in actions


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('spf "softfail"', True),
        ('spf ["fail", "SoftFail"]', True),
        ('spf :matches "*fail"', True),
        ('spf "pass"', False),
        ('dkim "pass"', True),
        ('dkim :domain "d.example" "pass"', False),
        ('dkim :domain "d.example" "fail"', True),
        ('dkim :domain "d.example" :selector "S2" "fail"', True),
        ('dkim :selector "s1" "fail"', False),
        ('dkim :domain "other.example" "none"', True),
        ('dkim :count "eq" "2"', True),
        ('dkim :domain "other.example" :count "eq" "0"', True),
        ('dmarc "fail"', True),
        ('dmarc :result "fail"', True),
        ('dmarc :policy "quarantine"', True),
        ('dmarc :policy ["none", "reject"]', False),
        ('arc "none"', True),
        ('spf "unavailable"', False),
    ],
)
async def test_what_was_found(test: str, expected: bool) -> None:
    assert await is_true(test) is expected


async def test_an_author_that_asks_for_nothing_has_no_policy() -> None:
    methods = played(dmarc=[Finding("none")])
    assert await is_true('dmarc :policy :count "eq" "0"', methods)
    assert not await is_true('dmarc :policy :matches "*"', methods)


NOBODY = PlayedMethods()


@pytest.mark.parametrize(
    "test",
    [
        'spf "fail"',
        'not spf "pass"',
        'spf :matches "*"',
        'spf :value "ne" "pass"',
        'spf :count "eq" "1"',
        'dkim :count "eq" "0"',
        'dmarc :policy "reject"',
        'spf :onerror "tempfail" "fail"',
        'spf "${x}unavailable"',
    ],
)
async def test_what_nobody_can_look_at_ends_the_stage_for_now(test: str) -> None:
    with pytest.raises(ScriptFailed, match="is not available"):
        await is_true(test, NOBODY)


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('spf "unavailable"', True),
        ('dkim ["fail", "Unavailable"]', True),
        ('dmarc :policy "unavailable"', True),
        ('spf :onerror "true" "fail"', True),
        ('spf :onerror "false" "pass"', False),
    ],
)
async def test_unless_the_policy_says_what_it_is_then(test: str, expected: bool) -> None:
    assert await is_true(test, NOBODY) is expected


async def test_what_is_answered_instead_stands_in_the_log() -> None:
    assert (await run('if spf :onerror "false" "pass" { }', NOBODY)).actions == [
        Log("spf: spf is not available", "warning")
    ]


class Remembering:
    """Finds nothing, and remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[Subject] = []

    async def findings(self, method: Method, subject: Subject) -> Sequence[Finding] | Untried:
        self.shown.append(subject)
        return ()


@pytest.mark.parametrize(
    ("stage", "test", "sender", "content"),
    [
        ("mail", 'spf "pass"', "a@d.example", b""),
        ("mail", 'spf :helo "pass"', "", b""),
        ("data", 'dkim "pass"', "a@d.example", CONTENT),
    ],
)
async def test_what_the_methods_are_shown(stage: str, test: str, sender: str, content: bytes) -> None:
    methods = Remembering()
    text = f'{REQUIRE} stage "{stage}" {{ if {test} {{ stop; }} }}'
    script = compile_script(text, "t", POLICY, Outside(methods=methods))
    assert isinstance(script, Script), str(script)
    await answer(script.stages[stage], Run(FACTS, Limits()))
    assert methods.shown == [Subject("192.0.2.9", "mx.d.example", sender, content)]


async def test_the_field_stands_on_top_and_those_in_our_name_go() -> None:
    one = await run('authresults; if header :contains "authentication-results" "forged" { log "seen"; }')
    value = (
        "mx.h.example; spf=softfail smtp.mailfrom=d.example; dkim=pass header.d=list.example header.s=s1; "
        "dkim=fail header.d=D.example header.s=s2; "
        "dmarc=fail header.from=d.example policy.published=quarantine; arc=none"
    )
    assert one.actions[-1] == AddField("Authentication-Results", value)
    assert Log("seen") not in one.actions
    edits = [edit for edit in one.actions if isinstance(edit, AddField | DeleteFields)]
    assert b"forged" not in edited(CONTENT, edits)


@pytest.mark.parametrize(
    ("claim", "is_kept"),
    [
        ("(a (b)) mx.h.example", False),
        ("(c) MX.h.example", False),
        ("; forged", False),
        ("mx.d.example", True),
        (r'"mx\.h.example"', False),
    ],
)
async def test_what_may_be_read_as_ours_goes(claim: str, is_kept: bool) -> None:
    content = f"Authentication-Results: {claim}; forged\r\n\r\n".encode()
    one = await run("authresults;", facts=StillFacts(content, ENVELOPE, ENVIRONMENT))
    edits = [edit for edit in one.actions if isinstance(edit, AddField | DeleteFields)]
    assert (b"forged" in edited(content, edits)) is is_kept


async def test_our_name_is_known_in_both_of_its_forms() -> None:
    content = b"Authentication-Results: xn--bcher-kva.example; forged\r\n\r\n"
    facts = StillFacts(content, ENVELOPE, {**ENVIRONMENT, "host": "b\u00fccher.example"})
    one = await run("authresults;", facts=facts)
    edits = [edit for edit in one.actions if isinstance(edit, AddField | DeleteFields)]
    assert b"forged" not in edited(content, edits)


async def test_in_another_name_and_of_nobody() -> None:
    one = await run('authresults :id "border.h.example";', NOBODY)
    assert one.actions == [AddField("Authentication-Results", "border.h.example; none")]


@pytest.mark.parametrize(
    ("stage", "text", "error"),
    [
        ("data", 'if spf "fial" { }', '"fial" is none of fail, neutral, none, pass, permerror, policy, softfail'),
        ("data", 'if dmarc :policy "fail" { }', '"fail" is none of none, quarantine, reject, unavailable'),
        ("mail", 'if dkim "pass" { }', 'dkim is not legal in stage "mail"'),
        ("connect", 'if spf "pass" { }', 'spf is not legal in stage "connect"'),
        ("data", 'if dmarc :policy :result "none" { }', ":result stands beside :policy"),
        ("data", 'if spf :onerror "x" "pass" { }', ":onerror is one of tempfail, true, false"),
        ("data", 'authresults :id "a b";', '"a b" is no name of a server'),
        ("data", 'monitor "m" { authresults; }', "authresults cannot stand in monitor"),
    ],
)
def test_mistakes(stage: str, text: str, error: str) -> None:
    assert error in first_error(f'{REQUIRE} stage "{stage}" {{ {text} }}', POLICY)
