from __future__ import annotations

import pytest

from mtad.mail.reply import Reply
from mtad.sieve.actions import Action, Bounce, Defer, Enqueue, Hold, Log, NameQueue, Prioritise, Retry
from mtad.sieve.capabilities.queue import (
    ATTEMPTS_MAX,
    ATTEMPTS_MIN,
    INTERVALS_MAX,
    NAMES_MAX,
    REASON_LENGTH_MAX,
    SECONDS_MAX,
)
from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.script import compile_script
from tests.fakes.sieve_facts import StillFacts, run_plain

ALONE = "queue :name and :priority stand alone: they queue nothing by themselves"
_REQUIRE = 'require ["vnd.mtad.stage", "vnd.mtad.queue"];\nstage "deliver" {\n'


@pytest.mark.parametrize(
    ("command", "action"),
    [
        ("queue;", Enqueue()),
        ("queue :transient;", Enqueue(on_transient=True)),
        ("queue :after 300;", Enqueue(after_seconds=300)),
        ("queue :priority 9;", Prioritise(9)),
        ("queue :priority 0;", Prioritise(0)),
        ('queue :name "a";', NameQueue("a")),
        ('queue :name "Big-2.b_c";', NameQueue("Big-2.b_c")),
        ("retry :expire 86400;", Retry(expire_seconds=86400)),
        ('retry :intervals "60";', Retry((60,))),
        ('retry :intervals ["60", "3600"] :expire 7200;', Retry((60, 3600), 7200)),
        ("retry :delaydsn 0;", Retry(warn_seconds=0)),
        ("retry :attempts 2;", Retry(attempts_max=2)),
    ],
)
def test_queueing(command: str, action: Action) -> None:
    assert run_plain(f"{_REQUIRE}{command} }}", StillFacts(), language=POLICY, stage="deliver") == [action]


@pytest.mark.parametrize("stage", ["data", "deliver"])
def test_a_name_and_a_priority_at_once(stage: str) -> None:
    commands = 'queue :name "a" :priority 2; queue :name "b";'
    text = f'require ["vnd.mtad.stage", "vnd.mtad.queue"]; stage "{stage}" {{ {commands} }}'
    done = run_plain(text, StillFacts(), language=POLICY, stage=stage)
    assert done == [Prioritise(2), NameQueue("a"), NameQueue("b")]


def test_a_name_counts_once() -> None:
    text = _REQUIRE + 'queue :name "a";' * (NAMES_MAX + 1) + "}"
    assert not isinstance(compile_script(text, "t", POLICY), SieveErrors)


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("retry;", "3:1: retry needs :intervals, :expire, :attempts or :delaydsn"),
        ("retry :attempts 1;", f"3:17: :attempts is {ATTEMPTS_MIN} to {ATTEMPTS_MAX}"),
        ("retry :attempts 1M;", f"3:17: :attempts is {ATTEMPTS_MIN} to {ATTEMPTS_MAX}"),
        ("queue :priority 10;", "3:17: :priority is 0 (as most mail) to 9 (first)"),
        ("queue :after 5 :priority 1;", f"3:1: {ALONE}"),
        ("queue :transient :priority 1;", f"3:1: {ALONE}"),
        ('queue :name "a" :after 5;', f"3:1: {ALONE}"),
        ('queue :transient :name "a";', f"3:1: {ALONE}"),
        ('queue :name "";', '3:13: "" is no name of a queue'),
        ('queue :name "a b" :priority 1;', '3:13: "a b" is no name of a queue'),
        ('queue :name "-a";', '3:13: "-a" is no name of a queue'),
        (f'queue :name "{"a" * 33}";', f'3:13: "{"a" * 33}" is no name of a queue'),
        (
            "".join(f'queue :name "q{n}"; ' for n in range(NAMES_MAX + 1)),
            f"3:1219: a policy may name {NAMES_MAX} queues",
        ),
        ("queue :after 0;", f"3:14: :after is 1 to {SECONDS_MAX} seconds"),
        ("queue :after 1G;", f"3:14: :after is 1 to {SECONDS_MAX} seconds"),
        (
            "queue :transient :after 5;",
            "3:25: queue :transient has no :after: the retry plan says when it is tried again",
        ),
        ("retry :expire 0;", f"3:15: :expire is 1 to {SECONDS_MAX} seconds"),
        ("retry :expire 1G;", f"3:15: :expire is 1 to {SECONDS_MAX} seconds"),
        ("retry :delaydsn 1G;", f"3:17: :delaydsn is 0 (never) to {SECONDS_MAX} seconds"),
        ('retry :intervals ["60", "5m"];', f'3:25: "5m" is no interval: 1 to {SECONDS_MAX} seconds'),
        ('retry :intervals "0";', f'3:18: "0" is no interval: 1 to {SECONDS_MAX} seconds'),
        ('retry :intervals "٣";', f'3:18: "٣" is no interval: 1 to {SECONDS_MAX} seconds'),
        (
            "retry :intervals [" + ",".join(['"1"'] * (INTERVALS_MAX + 1)) + "];",
            f"3:1: retry may have {INTERVALS_MAX} intervals",
        ),
    ],
)
def test_what_cannot_be_planned_is_an_error(command: str, error: str) -> None:
    found = compile_script(f"{_REQUIRE}{command} }}", "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert str(found) == f"t:{error}"


_QUEUE = 'require ["variables", "vnd.mtad.stage", "vnd.mtad.queue", "vnd.mtad.log"];\nstage "queue" {\n'


@pytest.mark.parametrize(
    ("command", "actions"),
    [
        ('bounce "Gone"; log "never";', [Bounce(Reply.of(554, "5.0.0", "Gone"))]),
        ('bounce :code 550 :enhanced "5.1.1" "Gone";', [Bounce(Reply.of(550, "5.1.1", "Gone"))]),
        ('set "a" "${unset}b"; bounce "x${a}"; log "never";', [Bounce(Reply.of(554, "5.0.0", "xb"))]),
        ('bounce :silent "Gone"; log "never";', [Bounce(Reply.of(554, "5.0.0", "Gone"), is_silent=True)]),
        ('defer; log "never";', [Defer()]),
        ('defer :after 60; log "never";', [Defer(60)]),
        ('defer "Closed"; log "never";', [Defer(reason="Closed")]),
        ('set "a" "b"; defer :after 60 "${a}c";', [Defer(60, "bc")]),
        (f'defer "{"x" * (REASON_LENGTH_MAX + 1)}";', [Defer(reason="x" * REASON_LENGTH_MAX)]),
        ("retry :expire 60;", [Retry(expire_seconds=60)]),
        ('if outcome :matches "text" "*quota*" { log "a"; }', [Log("a")]),
        ('if outcome "CODE" "452" { log "a"; }', [Log("a")]),
        ('if outcome "code" "450" { log "a"; }', []),
    ],
)
def test_what_becomes_of_what_is_not_delivered(command: str, actions: list[Action]) -> None:
    facts = StillFacts(environment={"vnd.mtad.last-code": "452", "vnd.mtad.last-text": "Over quota now"})
    assert run_plain(f"{_QUEUE}{command} }}", facts, language=POLICY, stage="queue") == actions


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ('bounce :code 450 "Gone";', "3:14: bounce answers 5xx, not 450"),
        ('bounce :enhanced "4.1.1" "Gone";', '3:18: bounce needs an enhanced code 5.x.x, not "4.1.1"'),
        ("defer :after 0;", f"3:14: :after is 1 to {SECONDS_MAX} seconds"),
        ('if outcome "reason" "x" { }', '3:12: unknown item "reason": one of code, enhanced, text, host, class,'),
        ("queue;", '3:1: queue is not legal in stage "queue"'),
    ],
)
def test_mistakes_about_the_queue(command: str, error: str) -> None:
    found = compile_script(f"{_QUEUE}{command} }}", "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert str(found).startswith(f"t:{error}")


_DATA = 'require ["variables", "vnd.mtad.stage", "vnd.mtad.queue"];\nstage "data" {\n'


@pytest.mark.parametrize(
    ("command", "actions"),
    [
        ("hold; queue;", [Hold("by policy"), Enqueue()]),
        ('hold :reason "look at it";', [Hold("by policy: look at it")]),
        ('quarantine "spam";', [Hold("quarantine spam")]),
        ('set "s" "9.5"; quarantine :reason "score ${s}" "spam";', [Hold("quarantine spam: score 9.5")]),
        (
            f'hold :reason "{"x" * REASON_LENGTH_MAX}";',
            [Hold(f"by policy: {'x' * REASON_LENGTH_MAX}"[:REASON_LENGTH_MAX])],
        ),
    ],
)
def test_what_is_kept(command: str, actions: list[Action]) -> None:
    assert run_plain(f"{_DATA}{command} }}", StillFacts(), language=POLICY, stage="data") == actions


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("foreachrcpt { hold; }", "3:15: hold cannot stand in foreachrcpt"),
        ('foreachrcpt { quarantine "a"; }', "3:15: quarantine cannot stand in foreachrcpt"),
        ("foreachrcpt { queue; }", "3:15: queue cannot stand in foreachrcpt"),
        ('quarantine "";', "3:12: a quarantine needs a name"),
        ("queue :transient;", '3:1: queue :transient must stand in stage "deliver"'),
    ],
)
def test_mistakes_about_what_is_kept(command: str, error: str) -> None:
    found = compile_script(f"{_DATA}{command} }}", "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert str(found) == f"t:{error}"
