"""What services are told, and what is wrong with asking them. What comes of their answers: tests/sieve/policy."""

from __future__ import annotations

import pytest

from mtad.mail.services import Action, Attributes, NoServices, Passed, Scanned, Unanswered
from mtad.sieve.actions import Log
from mtad.sieve.code import answer
from mtad.sieve.dialects import POLICY
from mtad.sieve.outside import Outside
from mtad.sieve.run import Limits, Run, ScriptFailed
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts, first_error

REQUIRE = (
    'require ["variables", "environment", "envelope", "spamtest", "virustest", "vnd.mtad.service", "vnd.mtad.score",'
    ' "vnd.mtad.stage", "vnd.mtad.log"];\n'
)
CONTENT = b"X-Score: 3 of 15\r\n\r\n"
FACTS = StillFacts(
    CONTENT,
    {"from": ["a@d.example"], "to": ["b@h.example", "c@h.example"], "auth": []},
    {"remote-ip": "192.0.2.9", "vnd.mtad.helo": "mx.d.example", "vnd.mtad.queue-id": "ID"},
)


class Remembering:
    """Services that remember what they were told, and want nothing."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Attributes, bytes]] = []

    async def milter(self, name: str, attributes: Attributes, content: bytes) -> Passed:
        self.told.append((name, attributes, content))
        return Passed()

    async def policy(self, name: str, attributes: Attributes) -> Action:
        self.told.append((name, attributes, b""))
        return Action("DUNNO")

    async def scan(self, name: str, content: bytes) -> Scanned:
        self.told.append((name, {}, content))
        return Scanned()


async def told(stage: str, text: str, facts: StillFacts = FACTS) -> list[tuple[str, Attributes, bytes]]:
    services = Remembering()
    script = compile_script(f'{REQUIRE} stage "{stage}" {{ {text} }}', "t", POLICY, Outside(services=services))
    assert isinstance(script, Script), str(script)
    await answer(script.stages[stage], Run(facts, Limits()))
    return services.told


async def test_a_milter_is_told_the_stage_and_shown_the_content() -> None:
    ((name, attributes, content),) = await told("data", 'milter "opendkim";')
    assert (name, content) == ("opendkim", CONTENT)
    expected = {
        "protocol_state": "END-OF-MESSAGE",
        "client_address": "192.0.2.9",
        "helo_name": "mx.d.example",
        "queue_id": "ID",
        "sender": "a@d.example",
        "recipient": "",
        "recipient_count": "2",
        "size": str(len(CONTENT)),
    }
    assert {key: attributes[key] for key in expected} == expected
    ((_, attributes, content),) = await told("mail", 'milter "opendkim";')
    assert (attributes["protocol_state"], attributes["size"], content) == ("MAIL", "0", b"")


@pytest.mark.parametrize("end", ["\r", "\n", "\0", "\r\n"])
async def test_nobody_adds_a_line_to_what_services_are_told(end: str) -> None:
    bad = f"a{end}size=0"
    facts = StillFacts(
        f"X-Said: {bad}\r\n\r\n".encode(),
        {"from": [bad], "to": [bad], "auth": [bad]},
        {"remote-ip": "192.0.2.9", "vnd.mtad.helo": bad, "vnd.mtad.auth-user": bad},
    )
    (_, known, _), (_, given, _) = await told(
        "rcpt", 'set "v" "${env.helo}"; milter "m"; if policy :attr "said=${v}" "p" "OK" { }', facts
    )
    line = "a" + "?" * len(end) + "size=0"
    assert [known[name] for name in ("sender", "recipient", "helo_name", "sasl_username")] == [line] * 4
    assert given["said"] == line
    assert not [value for value in (*known.values(), *given.values()) if set(value) & set("\r\n\0")]


async def test_a_policy_service_is_told_each_recipient_and_what_the_policy_adds() -> None:
    asked = await told("data", 'set "v" "w"; foreachrcpt { if policy :attr ["a_b=1=${v}", "size=0"] "x" "OK" { } }')
    assert [one["recipient"] for _, one, _ in asked] == ["b@h.example", "c@h.example"]
    assert [(one["a_b"], one["size"], one["request"]) for _, one, _ in asked] == [
        ("1=w", "0", "smtpd_access_policy")
    ] * 2


async def test_a_scanner_is_shown_the_content() -> None:
    assert await told("data", 'scan "rspamd";') == [("rspamd", {}, CONTENT)]


@pytest.mark.parametrize(
    "text", ['milter "m";', 'scan "m";', 'if policy "m" "OK" { }', 'if policy :matches "m" "*" { }']
)
async def test_one_that_is_not_there_ends_the_stage_for_now(text: str) -> None:
    script = compile_script(f'{REQUIRE} stage "data" {{ {text} }}', "t", POLICY)
    assert isinstance(script, Script), str(script)
    with pytest.raises(ScriptFailed, match="m is not available"):
        await answer(script.stages["data"], Run(FACTS, Limits()))


async def test_unless_the_policy_goes_on_with_a_line_in_the_log() -> None:
    text = 'milter :onerror "continue" "m"; scan :onerror "continue" "s"; if policy :onerror "false" "p" "OK" { }'
    script = compile_script(f'{REQUIRE} stage "data" {{ {text} }}', "t", POLICY)
    assert isinstance(script, Script), str(script)
    run = Run(FACTS, Limits())
    await answer(script.stages["data"], run)
    names = ("milter m: m", "scan s: s", "policy p: p")
    assert run.actions == [Log(f"{name} is not available", "warning") for name in names]
    assert await NoServices().scan("s", b"") == Unanswered("s is not available")


@pytest.mark.parametrize(
    ("expected", "is_true"), [("3", True), ("2", False)]
)  # 3 of 15 points are 20 percent: 1 + 20 * 9 // 100 is 2
async def test_a_field_that_another_scanner_wrote(expected: str, is_true: bool) -> None:
    text = f'spamscale :header "X-Score" "12"; stage "data" {{ if spamtest "{expected}" {{ log "true"; }} }}'
    script = compile_script(REQUIRE + text, "t", POLICY)
    assert isinstance(script, Script), str(script)
    run = Run(FACTS, Limits())
    await answer(script.stages["data"], run)
    assert (run.actions == [Log("true")]) is is_true


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('stage "data" { milter "a b"; }', '"a b" is no name of a service'),
        ('stage "data" { foreachrcpt { milter "m"; } }', "milter cannot stand in foreachrcpt"),
        ('stage "data" { foreachrcpt { scan "m"; } }', "scan cannot stand in foreachrcpt"),
        ('stage "auth" { milter "m"; }', 'milter is not legal in stage "auth"'),
        ('stage "rcpt" { scan "m"; }', 'scan is not legal in stage "rcpt"'),
        ('stage "data" { milter :onerror "true" "m"; }', ":onerror is one of tempfail, continue"),
        ('stage "data" { if policy :attr "x" "m" "OK" { } }', '"x" is no attribute'),
        ('stage "data" { if policy :attr "x=a\nsize=0" "m" "OK" { } }', 'is no attribute: "name=value", on one line'),
        ('stage "mail" { log "${scan.spam}"; }', 'it is not known in stage "mail"'),
        ('stage "data" { log "${scan.eggs}"; }', "one of spam, virus"),
        ('stage "rcpt" { if spamtest "1" { } }', 'spamtest is not legal in stage "rcpt"'),
        ('spamscale "0"; stage "data" { }', '"0" is no number of points above 0'),
        ('spamscale "x"; stage "data" { }', '"x" is no number of points above 0'),
        ('spamscale :header "a b" "5"; stage "data" { }', '"a b" is no name of a field'),
        ('spamscale "5"; spamscale "6"; stage "data" { }', "there is a spamscale already"),
        ('virusscale "a b" 1 "x"; stage "data" { }', '"a b" is no name of a field'),
        ('virusscale "X-V" 6 "x"; stage "data" { }', "a level is 1 (clean) to 5"),
        ('virusscale "X-V" 1 ""; stage "data" { }', "a text of nothing is in every field"),
    ],
)
def test_mistakes(text: str, error: str) -> None:
    assert error in first_error(REQUIRE + text, POLICY)


def test_a_policy_has_a_limit_of_scales() -> None:
    scales = "".join(f'virusscale "X-V" 1 "{number}";' for number in range(51))
    assert "a policy may have 50" in first_error(REQUIRE + scales, POLICY)
