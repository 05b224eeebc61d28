"""Following a message: which stages are asked, what is told of their scripts, and that nothing is told unasked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mtad.admission.policy import PolicyErrors, PolicySettings
from mtad.maps.answer import Map
from mtad.maps.table import Table
from mtad.rehearsal import trace as module
from mtad.rehearsal.lookups import PlayedMap, PlayedNames
from mtad.rehearsal.overhearing import FACTS_MAX, Fact, Overheard
from mtad.rehearsal.trace import Asked, Step, Traveller, lines, trace
from mtad.sieve import code
from mtad.sieve.code import Waiting, answer
from mtad.sieve.dialects import PLAIN
from mtad.sieve.language import OUTSIDE
from mtad.sieve.match import COMPARED_MAX
from mtad.sieve.outside import Outside
from mtad.sieve.run import Limits, Run
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts

HEAD = 'require ["vnd.mtad.stage", "vnd.mtad.verdict", "environment", "envelope", "vnd.mtad.queue"];'


async def followed(
    folder: Path, policy: str, *recipients: str, limits: Limits | None = None, user: str = ""
) -> list[Asked]:
    path = folder / "p.sieve"
    path.write_text(HEAD + policy)
    message = Traveller(b"Subject: x\r\n\r\n", "s@d.example", recipients, {"vnd.mtad.auth-user": user})
    found = await trace(path, PolicySettings(("l.example",), limits or Limits()), message)
    assert not isinstance(found, PolicyErrors), str(found)
    return list(found)


def stages(asked: list[Asked]) -> list[str]:
    return [f"{one.stage} {one.recipient}".strip() for one in asked]


async def test_all_stages_are_asked_in_turn(tmp_path: Path) -> None:
    found = await followed(tmp_path, "", "a@l.example", "b@l.example")
    both = ["rcpt a@l.example", "rcpt b@l.example", "data", "deliver a@l.example", "deliver b@l.example"]
    assert stages(found) == ["connect", "ehlo", "mail", *both]
    assert stages(await followed(tmp_path, "", "a@l.example", user="u@l.example"))[2] == "auth"


async def test_what_a_stage_measures_is_told_with_its_answer(tmp_path: Path) -> None:
    found = await followed(tmp_path, 'require "vnd.mtad.log"; stage "ehlo" { metric "n"; }', "a@l.example")
    assert [one.answer.get("metric") for one in found[:3]] == [None, ("n 1",), None]
    assert [step.name for step in found[1].steps] == ["metric"]


async def test_a_refusal_is_the_end(tmp_path: Path) -> None:
    assert stages(await followed(tmp_path, 'stage "ehlo" { tempfail "x"; }', "a@l.example")) == ["connect", "ehlo"]
    assert stages(await followed(tmp_path, 'stage "data" { discard; }', "a@l.example"))[-1] == "data"
    assert stages(await followed(tmp_path, "", "a@other.example"))[-1] == "rcpt a@other.example"


async def test_a_refused_recipient_goes_nowhere(tmp_path: Path) -> None:
    found = await followed(tmp_path, "", "a@other.example", "b@l.example")
    assert stages(found)[-2:] == ["data", "deliver b@l.example"]


async def test_whom_data_leaves_out_goes_nowhere(tmp_path: Path) -> None:
    policy = """stage "data" { foreachrcpt {
        if envelope "to" "a@l.example" { ereject "no"; } if envelope "to" "b@l.example" { discard :rcpt; }
    } }"""
    found = await followed(tmp_path, policy, "a@l.example", "b@l.example", "c@l.example")
    assert stages(found)[-2:] == ["data", "deliver c@l.example"]


async def test_a_changed_recipient_is_who_it_goes_to(tmp_path: Path) -> None:
    head = 'require "vnd.mtad.envelope"; ' if "vnd.mtad.envelope" not in HEAD else ""
    policy = f'{head}stage "rcpt" {{ setrcpt "new@l.example"; }}'
    assert stages(await followed(tmp_path, policy, "old@l.example"))[-1] == "deliver new@l.example"


async def test_whom_policy_adds_and_redirects_to_is_where_it_goes(tmp_path: Path) -> None:
    at_rcpt = 'require "vnd.mtad.envelope"; stage "rcpt" { redirect "moved@x.example"; addrcpt "copy@x.example"; }'
    found = stages(await followed(tmp_path, at_rcpt, "u@l.example"))
    assert found[-2:] == ["deliver moved@x.example", "deliver copy@x.example"]
    at_data = 'stage "data" { foreachrcpt { if envelope "to" "u@l.example" { redirect "moved@x.example"; } } }'
    found = stages(await followed(tmp_path, at_data, "u@l.example", "v@l.example"))
    assert found[-2:] == ["deliver v@l.example", "deliver moved@x.example"]
    found = stages(await followed(tmp_path, 'stage "data" { redirect "moved@x.example"; }', "u@l.example"))
    assert found[-2:] == ["data", "deliver moved@x.example"]


async def test_what_was_run_is_told_and_nothing_else(tmp_path: Path) -> None:
    policy = """stage "rcpt" {
        if anyof (environment "remote-ip" "192.0.2.1", true) { accept; } else { discard; }
        ereject "not reached";
    }"""
    found = await followed(tmp_path, policy, "a@l.example")
    told = [(step.line, step.name, step.value) for step in found[3].steps]
    assert told == [(2, "environment", True), (2, "anyof", True), (2, "accept", None)]


async def test_a_fault_is_told(tmp_path: Path) -> None:
    found = await followed(tmp_path, 'stage "connect" { accept; }', "a@l.example", limits=Limits(actions_max=0))
    assert stages(found) == ["connect"]
    assert "actions" in found[0].faults[0]
    assert any(line.startswith("  fault: ") for line in lines(found))


async def test_steps_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS_MAX", 2)
    found = await followed(tmp_path, 'stage "connect" { keep; keep; keep; }', "a@l.example")
    assert len(found[0].steps) == 2


def test_a_script_that_is_not_there_is_shown_without_its_lines() -> None:
    asked = Asked("rcpt", "a@l.example", (Step("none.sieve", 7, "accept", None),), {"result": ["accept"]})
    assert list(lines([asked])) == ["rcpt a@l.example", "  none.sieve:7: accept", "  -> result: accept"]


def test_long_answers_are_cut() -> None:
    asked = Asked("data", "", (), {"content": ["Subject: x\r\n\r\n" + "word " * 100]})
    assert list(lines([asked]))[-1] == "  -> content: " + ("Subject: x " + "word " * 100)[:100] + "…"


async def test_only_a_script_that_is_listened_to_tells() -> None:
    told: list[tuple[str, int, str, bool | None, Sequence[str]]] = []
    text = 'if not header "subject" "x" { keep; }\nstop;'
    for outside in (Outside(), Outside(tell=lambda *step: told.append(step))):
        assert told == []
        script = compile_script(text, "w", PLAIN, outside)
        assert isinstance(script, Script)
        await answer(script.stages[OUTSIDE], Run(StillFacts(b"Subject: y\r\nSubject: z\r\n\r\n"), Limits()))
    tests = [("w", 1, "header", False, ("y", "z")), ("w", 1, "not", True, ())]
    assert told == [("w", 1, "if", None, ()), *tests, ("w", 1, "keep", None, ()), ("w", 2, "stop", None, ())]


async def test_values_are_limited() -> None:
    told: list[Sequence[str]] = []
    fields = b"".join(b"X: %d\r\n" % number for number in range(50))
    script = compile_script('if header "x" "none" { }', "w", PLAIN, Outside(tell=lambda *step: told.append(step[-1])))
    assert isinstance(script, Script)
    for _ in range(2):
        await answer(script.stages[OUTSIDE], Run(StillFacts(fields + b"\r\n"), Limits()))
    assert list(map(len, told)) == [0, COMPARED_MAX, 0, COMPARED_MAX]


def test_what_waits_tells_too() -> None:
    async def ask(run: Run) -> bool:
        return True

    told: list[bool | None] = []
    run = Run(StillFacts(), Limits())
    for when in code.When:
        assert asyncio.run(answer(code.told(Waiting(ask), told.append, when), run))
    assert told == [None, None, True]


async def test_a_script_that_is_included_is_told_behind_the_command_that_includes_it(tmp_path: Path) -> None:
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "more.sieve").write_text("keep;")
    policy = 'require "include"; stage "connect" { include "more"; stop; }'
    (found, *_) = await followed(tmp_path, policy, "a@l.example")
    assert [step.name for step in found.steps] == ["include", "keep", "stop"]


async def test_what_is_asked_outside_is_told_with_what_it_came_to(tmp_path: Path) -> None:
    path = tmp_path / "p.sieve"
    path.write_text(
        HEAD
        + """require ["vnd.mtad.dns", "vnd.mtad.lookup", "variables"];
        stage "connect" { if iprev "pass" { stop; } }
        stage "ehlo" { if iprev "fail" { stop; } }
        stage "mail" {
            if lookup "map:here" "a" { stop; }
            if not lookup "map:there" "b" { stop; }
            if lookup "map:down" "c" { stop; }
        }
        """
    )
    names = PlayedNames({("9.2.0.192.in-addr.arpa", "ptr"): ("h.example",), ("h.example", "a"): ("192.0.2.8",)})
    down = PlayedMap(is_down=True)
    maps: dict[str, Map] = {"here": Table({}), "there": PlayedMap({"b": "yes"}), "down": down}
    message = Traveller(b"\r\n", "s@d.example", ("a@l.example",), {"remote-ip": "192.0.2.9"})
    settings = PolicySettings(("l.example",), outside=Outside(maps, names))
    found = await trace(path, settings, message)
    assert not isinstance(found, PolicyErrors), str(found)
    facts = [fact for one in found for step in one.steps for fact in step.facts]
    ptr, a = ("dns", "PTR 9.2.0.192.in-addr.arpa", "h.example"), ("dns", "A h.example", "192.0.2.8")
    assert [(fact.source, fact.question, fact.answer, fact.is_cached) for fact in facts] == [
        (*ptr, False),
        (*a, False),
        (*ptr, True),
        (*a, True),
        ("map:here", "a", "no such key", False),
        ("map:there", "b", "yes", False),
    ]
    assert all(0 <= fact.milliseconds < 60_000 for fact in facts)
    assert [step.compared for step in found[0].steps] == [("fail",)]
    assert [(fact.question, fact.answer) for fact in found[2].facts] == [("c", "unavailable: so says the test")]


def test_what_was_asked_stands_below_its_step() -> None:
    fact = Fact("dns", "A h.example", "192.0.2.8", 12.34)
    again = replace(fact, is_cached=True)
    asked = Asked("connect", "", (Step("n", 7, "iprev", True, ("pass",), (fact, again)),), {}, ("broken",), (fact,))
    assert list(lines([asked])) == [
        "connect",
        '  n:7: iprev is true of "pass"',
        "      dns: A h.example is 192.0.2.8 (12.3 ms)",
        "      dns: A h.example is 192.0.2.8 (known from before)",
        "      dns: A h.example is 192.0.2.8 (12.3 ms)",
        "  fault: broken",
        "  -> ",
    ]


async def test_facts_are_limited_and_unknown_ones_are_not_known_from_before() -> None:
    overheard = Overheard()
    outside = overheard.outside(Outside(names=PlayedNames({("down.example", "a"): None})))
    for _ in range(FACTS_MAX + 1):
        await outside.names.lookup("down.example", "A")
    facts = overheard.taken()
    assert len(facts) == FACTS_MAX
    assert {(fact.answer, fact.is_cached) for fact in facts} == {("unknown: so says the test", False)}
    assert overheard.taken() == ()
    await outside.lists.lookup("x.example", "A")
    assert [fact.answer for fact in overheard.taken()] == ["unknown: there is no resolver"]


async def test_what_a_counter_holds_is_told(tmp_path: Path) -> None:
    policy = 'require "vnd.mtad.limits"; stage "connect" { if ratelimit 1 60 { tempfail "often"; } }'
    (found, *_) = await followed(tmp_path, policy, "a@l.example")
    assert next(step for step in found.steps if step.name == "ratelimit").compared == ("1 of 1 in 60 s",)
