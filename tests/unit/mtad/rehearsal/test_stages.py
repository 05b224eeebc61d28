"""vnd.mtad.testsuite: stages of a policy against facts, and what they answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtad.rehearsal.workbench import Workbench
from mtad.sieve.dialects import POLICY
from tests.unit.mtad.rehearsal.files import failed, played

HEAD = """require ["envelope", "environment", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue",
    "vnd.mtad.sign"];
"""
COMPILED = """
    test_config_set "node.domains" "l.example m.example";
    test_config_reload;
    if not test_policy_compile "p.sieve" { test_fail "compile"; }
"""


async def verdicts(folder: Path, policy: str, facts: str, stage: str, expected: dict[str, str]) -> list[str]:
    """Play a stage; return the items that are not as expected."""
    asked = "".join(
        f'if not test_verdict "{item}" "{value}" {{ test_fail "{item}"; }}\n' for item, value in expected.items()
    )
    text = f'test "a" {{ {COMPILED} {facts} if not test_stage_run "{stage}" {{ test_fail "run"; }} {asked} }}'
    return await failed(folder, text, p=HEAD + policy)


@pytest.mark.parametrize(
    ("policy", "stage", "expected"),
    [
        ("", "connect", {"result": "go on", "disconnect": "no"}),
        ('stage "connect" { accept; }', "connect", {"result": "accept"}),
        ('stage "connect" { accept :relay; }', "connect", {"result": "relay"}),
        ('stage "rcpt" { accept :text "hi"; }', "rcpt", {"result": "accept", "text": "hi"}),
        ('stage "rcpt" { discard; }', "rcpt", {"result": "discard"}),
        (
            'stage "connect" { ereject :log "l" "no"; }',
            "connect",
            {"result": "reject", "code": "554", "enhanced": "5.7.1", "text": "no", "log": "l", "disconnect": "no"},
        ),
        (
            'stage "ehlo" { tempfail :code 421 :disconnect "later"; }',
            "ehlo",
            {"result": "tempfail", "code": "421", "text": "later", "disconnect": "yes"},
        ),
        ('stage "deliver" { }', "deliver", {"result": "deliver", "transport": "smtp", "on transient": "reply"}),
        (
            'stage "deliver" { route :host ["a.example", "b.example"] :port 26 :tls "none" :helo "h" :pool "p" '
            '"smtp"; }',
            "deliver",
            {"hosts": "b.example", "port": "26", "tls": "none", "helo": "h", "pool": "p"},
        ),
        ('stage "deliver" { queue; discard; }', "deliver", {"result": "discard"}),
        ('stage "deliver" { route :host "a" :auth "relay" "smtp"; }', "deliver", {"hosts": "a", "auth": "relay"}),
        (
            'stage "deliver" { queue; retry :intervals ["60", "90"] :expire 900 :delaydsn 5; }',
            "deliver",
            {"result": "queue", "intervals": "90", "expire": "900", "delaydsn": "5"},
        ),
        ('stage "deliver" { queue :priority 3; }', "deliver", {"result": "deliver", "priority": "3"}),
        ('stage "deliver" { queue :name "slow"; }', "deliver", {"result": "deliver", "queue name": "slow"}),
        ('stage "data" { queue :name "slow"; }', "data", {"result": "go on", "queue name": "slow"}),
        ('stage "deliver" { queue :transient; }', "deliver", {"result": "deliver", "on transient": "queue"}),
        ('stage "queue" { }', "queue", {"result": "defer", "code": "451", "text": "No next hop could be reached"}),
        (
            'stage "queue" { if outcome "class" "connect" { bounce :enhanced "5.4.1" "Nobody answers"; } }',
            "queue",
            {"result": "bounce", "code": "554", "enhanced": "5.4.1", "text": "Nobody answers"},
        ),
        (
            'stage "queue" { route :host "b.example" "smtp"; retry :attempts 4; }',
            "queue",
            {"result": "defer", "route": "smtp b.example", "attempts": "4"},
        ),
        (
            'stage "deliver" { sign :domain "a.example" :selector "s1"; }',
            "deliver",
            {"signed by": "s1._domainkey.a.example"},
        ),
        ('stage "queue" { bounce :silent "Gone"; }', "queue", {"result": "bounce", "silent": "yes"}),
        ('stage "deliver" { route :source "192.0.2.7" "smtp"; }', "deliver", {"source": "192.0.2.7"}),
    ],
)
async def test_what_a_stage_answers(tmp_path: Path, policy: str, stage: str, expected: dict[str, str]) -> None:
    facts = 'test_set "envelope.to" "u@l.example";'
    assert await verdicts(tmp_path, policy, facts, stage, expected) == []
    wrong = {item: value + "x" for item, value in expected.items()}
    assert await verdicts(tmp_path, policy, facts, stage, wrong) == [next(iter(wrong))]


@pytest.mark.parametrize(
    ("facts", "result"),
    [
        ('test_set "envelope.to" "u@l.example";', "go on"),
        ('test_set "envelope.to" "u@m.example";', "go on"),
        ('test_set "envelope.to" "u@d.example";', "reject"),
        ('test_set "envelope.to" "u@d.example"; test_set "trusted" "yes";', "go on"),
        ('test_set "envelope.to" "u@d.example"; test_set "environment.vnd.mtad.auth-user" "alice";', "go on"),
    ],
)
async def test_the_default_is_part_of_the_verdict(tmp_path: Path, facts: str, result: str) -> None:
    assert await verdicts(tmp_path, "", facts, "rcpt", {"result": result}) == []


async def test_what_connect_has_said_the_stages_behind_know(tmp_path: Path) -> None:
    policy = 'stage "connect" { if ip "192.0.2.0/24" { accept :relay; } }'
    connected = 'if not test_stage_run "connect" { test_fail "connect"; }'
    for address, result in (("192.0.2.9", "go on"), ("203.0.113.9", "reject")):
        facts = f'test_set "envelope.to" "u@d.example"; test_set "environment.remote-ip" "{address}"; {connected}'
        assert await verdicts(tmp_path, policy, facts, "rcpt", {"result": result}) == []


async def test_a_stage_knows_the_facts_that_were_set(tmp_path: Path) -> None:
    policy = """stage "data" { if allof (header "subject" "s", envelope "from" "a@d", size :under 1K,
        envelope :is "to" "y@d", environment "vnd.mtad.helo" "h", environment "vnd.mtad.listener" "inside",
        environment "vnd.mtad.stage" "data") { ereject "all"; } }"""
    facts = """test_set "message" "Subject: s\r\n\r\n"; test_set "envelope.from" "a@d";
        test_set "envelope.to" "x@d, y@d";
        test_set "environment.vnd.mtad.helo" "h"; test_set "environment.vnd.mtad.listener" "inside";"""
    assert await verdicts(tmp_path, policy, facts, "data", {"text": "all"}) == []


async def test_every_item_that_a_policy_may_ask_for_can_be_set(tmp_path: Path) -> None:
    ours = ("name", "location", "phase", "vnd.mtad.stage")  # what mtad itself says, at each stage
    of_node = ("host", "domain", "version")
    numbers = ("vnd.mtad.local-port", "vnd.mtad.msg-count", "vnd.mtad.rcpt-count")
    others = [item for item in POLICY.environment if item.name not in ours + of_node and item.stages != ("queue",)]
    for item in (one.name for one in others if not one.is_asked):
        value = "77" if item in numbers else "192.0.2.77"
        policy = f'stage "rcpt" {{ if environment "{item}" "{value}" {{ ereject "seen"; }} }}'
        facts = f'test_set "environment.{item}" "{value}";'
        assert await verdicts(tmp_path, policy, facts, "rcpt", {"text": "seen"}) == []


async def test_what_the_node_says_of_itself_is_set_before_its_policy_is_compiled(tmp_path: Path) -> None:
    policy = 'stage "rcpt" { if environment "host" "mx1.example.org" { ereject "seen"; } }'
    facts = f'test_set "environment.host" "mx1.example.org"; {COMPILED}'
    assert await verdicts(tmp_path, policy, facts, "rcpt", {"text": "seen"}) == []


async def test_a_fault_of_the_policy_is_an_error(tmp_path: Path) -> None:
    text = f"""test "a" {{ {COMPILED}
        test_config_set "sieve_max_actions" "0";
        test_config_reload;
        if not test_policy_compile "p.sieve" {{ test_fail "compile"; }}
        if test_stage_run "connect" {{ test_fail "ran"; }}
        if not test_error :contains "actions" {{ test_fail "error"; }}
        if not test_verdict "code" "451" {{ test_fail "451"; }}
    }}"""
    assert await failed(tmp_path, text, p=HEAD + 'stage "connect" { accept; }') == []


async def test_a_policy_with_mistakes_is_not_played(tmp_path: Path) -> None:
    text = """test "a" {
        if test_stage_run "connect" { test_fail "ran without a policy"; }
        if test_verdict :matches "result" "*" { test_fail "a verdict of nothing"; }
        if test_policy_compile "p.sieve" { test_fail "compiled"; }
        if not test_error :contains "frob" { test_fail "error"; }
    }"""
    assert await failed(tmp_path, text, p="frob;") == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('test_stage_run "queue_up"', 'unknown stage "queue_up"'),
        ('test_verdict "colour" "red"', 'unknown item "colour"'),
    ],
)
async def test_mistakes(tmp_path: Path, text: str, error: str) -> None:
    report = await played(tmp_path, f'test "a" {{ if {text} {{}} }}')
    assert len(report.errors) == 1
    assert error in report.errors[0]


def test_a_workbench_knows_no_item_that_was_not_set(tmp_path: Path) -> None:
    assert Workbench(tmp_path, "t").environment("vnd.mtad.helo") == ""


async def test_what_a_stage_notes_the_stages_behind_know(tmp_path: Path) -> None:
    policy = (
        'require ["variables", "vnd.mtad.score"];\n'
        'stage "connect" { set "session.a" "1"; score "1" "C"; }\n'
        'stage "rcpt" { set "txn.b" "${session.a}2"; score "0.5" "R"; }\n'
        'stage "data" { ereject "${session.a} ${txn.b} ${score}"; }'
    )
    text = (
        f'test "a" {{ {COMPILED} if not test_stage_run "connect" {{ test_fail "connect"; }}\n'
        'if not test_stage_run "rcpt" { test_fail "rcpt"; }\n'
        'if not test_stage_run "data" { test_fail "data"; }\n'
        'if not test_verdict "text" "1 12 1.5" { test_fail "text"; }\n'
        'if not test_stage_run "mail" { test_fail "mail"; }\n'
        'if not test_stage_run "data" { test_fail "data"; }\n'
        'if not test_verdict "text" "1  1" { test_fail "another message"; } }'
    )
    assert (
        await failed(
            tmp_path, text, p=HEAD.replace("[", '["variables", "vnd.mtad.score", ') + policy.partition("\n")[2]
        )
        == []
    )


LOOKING = """require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.lookup"];
stage "rcpt" { if not lookup "map:users" "a" "One" { ereject "unknown"; } }"""


async def test_maps_hold_what_the_test_says(tmp_path: Path) -> None:
    text = """test "a" {
        if test_policy_compile "p.sieve" { test_fail "there is no map yet"; }
        test_map_set "users" "A" "one";
        if not test_policy_compile "p.sieve" { test_fail "compile"; }
        if not test_stage_run "rcpt" { test_fail "run"; }
        if test_verdict "text" "unknown" { test_fail "it is known"; }
        test_map_set "users" "a" "two";
        if not test_stage_run "rcpt" { test_fail "run"; }
        if not test_verdict "text" "unknown" { test_fail "it has another value"; }
        test_map_fail "users";
        if test_stage_run "rcpt" { test_fail "the map is down"; }
        if not test_error :contains "map:users" { test_fail "why"; }
        if not test_verdict "code" "451" { test_fail "the client keeps the mail"; }
    }"""
    assert await failed(tmp_path, text, p=LOOKING) == []


ASKING = """require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.dns"];
stage "mail" { if not dns "mx" "a.example" "mx.a.example" { ereject "no MX"; } }"""


async def test_dns_holds_what_the_test_says(tmp_path: Path) -> None:
    text = """test "a" {
        if not test_policy_compile "p.sieve" { test_fail "compile"; }
        if not test_stage_run "mail" { test_fail "run"; }
        if not test_verdict "text" "no MX" { test_fail "there is none"; }
        test_dns_set "MX" "A.example." "10 mx.a.example";
        if not test_stage_run "mail" { test_fail "run"; }
        if test_verdict "text" "no MX" { test_fail "there is one"; }
        test_dns_fail "mx" "a.example";
        if test_stage_run "mail" { test_fail "no answer comes"; }
        if not test_verdict "code" "451" { test_fail "the client keeps the mail"; }
    }"""
    assert await failed(tmp_path, text, p=ASKING) == []


async def test_the_queue_stage_is_told_of_an_attempt(tmp_path: Path) -> None:
    policy = """stage "queue" { if allof (outcome "code" "550", outcome "enhanced" "5.1.1",
        outcome :contains "text" "user", outcome "host" "mx.test", outcome "class" "permanent",
        outcome "attempts" "3", outcome "age" "7200",
        environment "vnd.mtad.attempts" "3", envelope "to" "u@l.example") { defer :after 60; } }"""
    told = {"last-code": "550", "last-enhanced": "5.1.1", "last-text": "No user", "last-host": "mx.test"}
    told |= {"attempts": "3", "age": "7200"}
    facts = "".join(f'test_set "environment.vnd.mtad.{name}" "{value}";' for name, value in told.items())
    facts += 'test_set "envelope.to" "u@l.example";'
    text = "Put off by policy; mx.test said: 550 5.1.1 No user"
    expected = {"result": "defer", "code": "450", "enhanced": "4.1.1", "text": text, "intervals": "60"}
    assert await verdicts(tmp_path, policy, facts, "queue", expected) == []
    assert await verdicts(tmp_path, policy, facts.replace("7200", "7201"), "queue", {"result": "bounce"}) == []


@pytest.mark.parametrize(
    ("block", "stage", "expected"),
    [
        ("delay 3;", "mail", {"delay": "3", "result": "go on"}),
        ('setsender "b@x.test";', "mail", {"sender": "b@x.test"}),
        (
            'foreachrcpt { if envelope "to" "u@l.example" { ereject "no"; } discard; }',
            "data",
            {"refused": "u@l.example", "dropped": "v@l.example"},
        ),
        ('setrcpt "w@x.test";', "rcpt", {"recipient": "w@x.test", "result": "go on"}),
        ('hold :reason "r";', "data", {"kept": "by policy: r"}),
        ("queue;", "data", {"kept": "for later"}),
        ('sign :domain "x.test" :selector "s";', "data", {"signed by": "s._domainkey.x.test"}),
        ('sign :domain "x.test";', "data", {"signed by": "x.test"}),
        ('addheader "X-A" "b";', "data", {"content": "X-A: b\r\nSubject: s\r\n\r\n"}),
    ],
)
async def test_what_becomes_of_a_message_can_be_asked(
    tmp_path: Path, block: str, stage: str, expected: dict[str, str]
) -> None:
    policy = (
        'require ["ereject", "editheader", "vnd.mtad.sign", "vnd.mtad.envelope"];' + f'stage "{stage}" {{ {block} }}'
    )
    facts = 'test_set "message" "Subject: s\r\n\r\n"; test_set "envelope.to" "u@l.example, v@l.example";'
    assert await verdicts(tmp_path, policy, facts, stage, expected) == []
    for item in expected:
        assert await verdicts(tmp_path, "", facts, stage, {item: expected[item]}) == (
            [] if item == "result" else [item]
        )


async def test_limits_count_in_the_time_that_the_file_has_set(tmp_path: Path) -> None:
    policy = HEAD + 'require "vnd.mtad.limits"; stage "connect" { if ratelimit 2 60 { tempfail "often"; } }'
    text = f"""test "a" {{ {COMPILED}
        test_set "currentdate" "2026-03-01T12:00:00+01:00";
        if not test_stage_run "connect" {{ test_fail "run"; }}
        if not test_stage_run "connect" {{ test_fail "run"; }}
        if not test_verdict "result" "go on" {{ test_fail "twice is not too often"; }}
        if not test_stage_run "connect" {{ test_fail "run"; }}
        if not test_verdict "result" "tempfail" {{ test_fail "the third passes"; }}
        test_set "currentdate" "2026-03-01T12:01:08+01:00";
        if not test_stage_run "connect" {{ test_fail "run"; }}
        if not test_verdict "result" "go on" {{ test_fail "a minute later"; }}
    }}"""
    assert await failed(tmp_path, text, p=policy) == []


async def test_limits_that_nobody_knows(tmp_path: Path) -> None:
    policy = (
        HEAD
        + 'require "vnd.mtad.limits"; stage "connect" { if ratelimit :onerror "true" 2 60 { tempfail "unknown"; } }'
    )
    text = f"""test "a" {{ {COMPILED}
        test_limits_fail;
        if not test_stage_run "connect" {{ test_fail "run"; }}
        if not test_verdict "text" "unknown" {{ test_fail "known"; }}
    }}"""
    assert await failed(tmp_path, text, p=policy) == []


async def test_each_connect_begins_a_session_that_stays_until_it_is_ended(tmp_path: Path) -> None:
    policy = (
        HEAD
        + 'require "vnd.mtad.limits"; stage "connect" { if concurrency 2 { tempfail "many"; } }'
        + ' stage "mail" { if concurrency :key "mail" 1 { tempfail "many mails"; } }'
    )
    connect = 'if not test_stage_run "connect" { test_fail "run"; }'
    mail = 'if not test_stage_run "mail" { test_fail "run"; }'
    text = f"""test "a" {{ {COMPILED}
        {connect} {connect}
        if not test_verdict "result" "go on" {{ test_fail "two are not too many"; }}
        {connect}
        if not test_verdict "text" "many" {{ test_fail "three are"; }}
        {mail} {mail}
        if not test_verdict "result" "go on" {{ test_fail "another transaction of the same session"; }}
        test_sessions_end;
        {connect} {mail}
        if not test_verdict "result" "go on" {{ test_fail "all have ended"; }}
        {connect} {mail}
        if not test_verdict "text" "many mails" {{ test_fail "two transactions at a time"; }}
    }}"""
    assert await failed(tmp_path, text, p=policy) == []


async def test_each_recipient_is_greylisted_by_itself_when_the_content_is_there(tmp_path: Path) -> None:
    policy = (
        HEAD
        + 'require "vnd.mtad.limits"; stage "data" { foreachrcpt { if greylist { ereject "new"; } } }'
        + ' stage "rcpt" { if greylist { tempfail "new"; } }'
    )
    data = 'if not test_stage_run "data" { test_fail "run"; }'
    text = f"""test "a" {{ {COMPILED}
        test_set "currentdate" "2026-03-01T12:00:00+01:00";
        test_set "envelope.to" "b@l.example";
        if not test_stage_run "rcpt" {{ test_fail "run"; }}
        test_set "currentdate" "2026-03-01T12:05:00+01:00";
        test_set "envelope.to" "b@l.example, c@l.example";
        {data}
        if not test_verdict "refused" "c@l.example" {{ test_fail "c is new"; }}
        if test_verdict "refused" "b@l.example" {{ test_fail "b was there"; }}
    }}"""
    assert await failed(tmp_path, text, p=policy) == []
