"""Programs that policies run: what they are told, what comes of how they end, and what is wrong with asking them."""

from __future__ import annotations

import pytest

from mtad.mail.programs import Broken, Declined, Done, Result, Task
from mtad.sieve.actions import Log
from mtad.sieve.capabilities.programs import (
    ARGUMENT_OCTETS_MAX,
    ARGUMENTS_MAX,
    MESSAGE_OCTETS_MAX,
    OUTPUT_OCTETS_MAX,
)
from mtad.sieve.code import answer
from mtad.sieve.dialects import POLICY
from mtad.sieve.edits import Edit, edited
from mtad.sieve.errors import SieveErrors
from mtad.sieve.outside import NOTHING, Outside
from mtad.sieve.run import LimitExceeded, Limits, Run, ScriptFailed
from mtad.sieve.script import Script, compile_script
from tests.fakes.programs import RememberedPrograms
from tests.fakes.sieve_facts import StillFacts

REQUIRE = (
    'require ["variables", "envelope", "editheader", "vnd.dovecot.execute", "vnd.dovecot.filter", "vnd.mtad.stage",'
    ' "vnd.mtad.log"];\n'
)
CONTENT = b"Subject: x\r\n\r\nbody\r\n"
FACTS = StillFacts(
    CONTENT,
    {"from": ["a@d.example"], "to": ["b@h.example"], "orcpt": ["rfc822;c@h.example"], "auth": []},
    {"host": "mx.here.example", "vnd.mtad.auth-user": "ann"},
)
BROKEN = Broken("signal 11 has ended it")


async def ran(
    text: str,
    programs: RememberedPrograms,
    *,
    stage: str = "data",
    facts: StillFacts = FACTS,
    limits: Limits | None = None,
) -> list[str]:
    """Run a stage, and return what it has logged."""
    script = compile_script(f'{REQUIRE}stage "{stage}" {{ {text} }}', "t", POLICY, Outside(programs=programs))
    assert isinstance(script, Script), str(script)
    run = Run(facts, limits or Limits())
    await answer(script.stages[stage], run)
    return [action.text for action in run.actions if isinstance(action, Log)]


async def tasks(text: str, *, stage: str = "data", facts: StillFacts = FACTS) -> list[Task]:
    programs = RememberedPrograms()
    await ran(text, programs, stage=stage, facts=facts)
    return programs.tasks


def first_error(text: str, outside: Outside = NOTHING, stage: str = "data") -> str:
    found = compile_script(f'{REQUIRE}stage "{stage}" {{ {text} }}', "t", POLICY, outside)
    assert isinstance(found, SieveErrors)
    return found.errors[0].text


async def test_a_program_is_told_its_arguments_and_who_sends_to_whom() -> None:
    (task,) = await tasks('set "v" "two words"; execute "p" ["one", "${v}"];')
    environment = {"HOST": "mx.here.example", "USER": "ann", "RECIPIENT": "b@h.example", "SENDER": "a@d.example"}
    assert task == Task("p", ("one", "two words"), environment)


async def test_what_is_known_at_a_stage_is_what_it_is_told() -> None:
    (at_rcpt,) = await tasks('execute "p";', stage="rcpt")
    assert at_rcpt.environment["ORIG_RECIPIENT"] == "c@h.example"
    (at_connect,) = await tasks('execute "p";', stage="connect")
    assert set(at_connect.environment) == {"HOST", "USER"}
    nobody = StillFacts(CONTENT, {"from": [""], "to": ["b@h.example", "c@h.example"], "auth": []})
    (of_many,) = await tasks('execute "p";', facts=nobody)
    assert of_many.environment == {"SENDER": ""}


async def test_a_program_is_told_of_the_recipient_that_a_loop_is_at() -> None:
    facts = StillFacts(CONTENT, {"from": [""], "to": ["b@h.example", "c@h.example"], "auth": []})
    told = await tasks('foreachrcpt { execute "p"; }', facts=facts)
    assert [task.environment["RECIPIENT"] for task in told] == ["b@h.example", "c@h.example"]


async def test_nobody_adds_a_line_to_its_environment() -> None:
    facts = StillFacts(CONTENT, {"from": ["a\r\n\0b"], "to": [], "auth": []})
    (task,) = await tasks('execute "p";', facts=facts)
    assert task.environment["SENDER"] == "a???b"


async def test_what_it_reads() -> None:
    assert [task.input for task in await tasks('execute "p";')] == [b""]
    assert [task.input for task in await tasks('set "v" "ä"; execute :input "in ${v}" "p";')] == ["in ä".encode()]
    assert [task.input for task in await tasks('execute :pipe "p";')] == [CONTENT]
    (task,) = await tasks('addheader "X" "y"; execute :pipe "p"; deleteheader "subject";')
    assert task.input == b"X: y\r\n" + CONTENT


async def test_the_test_is_true_of_status_0_alone() -> None:
    text = 'if execute "p" { log "yes"; } else { log "no"; }'
    assert await ran(text, RememberedPrograms(Done())) == ["yes"]
    assert await ran(text, RememberedPrograms(Declined(1))) == ["no"]


async def test_the_command_goes_on_whatever_the_status() -> None:
    for result in (Done(b"x"), Declined(9)):
        assert await ran('execute "p"; log "behind";', RememberedPrograms(result)) == ["behind"]


@pytest.mark.parametrize("text", ['execute "p";', 'if execute "p" { }', 'if not execute :onerror "tempfail" "p" { }'])
async def test_one_that_breaks_ends_the_stage(text: str) -> None:
    with pytest.raises(ScriptFailed, match="execute p: signal 11 has ended it"):
        await ran(text, RememberedPrograms(BROKEN))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('execute :onerror "continue" "p";', ["behind"]),
        ('if execute :onerror "true" "p" { log "yes"; }', ["yes", "behind"]),
        ('if execute :onerror "false" "p" { log "yes"; }', ["behind"]),
    ],
)
async def test_one_that_breaks_where_the_policy_goes_on(text: str, expected: list[str]) -> None:
    found = await ran(f'{text} log "behind";', RememberedPrograms(BROKEN))
    assert found == ["execute p: signal 11 has ended it", *expected]


async def test_what_it_writes_goes_into_a_variable() -> None:
    text = 'set "v" "before"; execute :output "v" "p"; log "${v}";'
    programs = RememberedPrograms(Done("ä\n".encode()))
    assert await ran(text, programs) == ["ä\n"]
    assert programs.tasks[0].output_octets_max == OUTPUT_OCTETS_MAX
    assert await ran(text, RememberedPrograms(Done(b"x" * 5000)), limits=Limits(value_length_max=4)) == ["xxxx"]
    assert await ran('execute :output "v" "p"; log "${v}";', RememberedPrograms(Done(b"\xff"))) == ["\udcff"]


@pytest.mark.parametrize("result", [Declined(1), BROKEN])
async def test_a_variable_stays_where_the_program_fails(result: Result) -> None:
    text = 'set "v" "before"; execute :onerror "continue" :output "v" "p"; log "${v}";'
    assert (await ran(text, RememberedPrograms(result)))[-1] == "before"


async def test_arguments_that_it_cannot_have_break_it() -> None:
    programs = RememberedPrograms()
    for octets, why in ((b"a\rb", "holds no CR"), (b"\xc3\xa4" * 2049, "has 4096 octets at most")):
        facts = StillFacts(octets, {"from": [octets.decode()], "to": [], "auth": []})
        text = 'if envelope :matches "from" "*" { execute "p" "${1}"; }'
        with pytest.raises(ScriptFailed, match=why):
            await ran(text, programs, facts=facts, limits=Limits(value_length_max=10_000))
    assert programs.tasks == []


async def test_a_stage_runs_ten_at_most() -> None:
    programs = RememberedPrograms()
    with pytest.raises(LimitExceeded):
        await ran('execute "p";' * 11, programs)
    assert 9 <= len(programs.tasks) <= 10


@pytest.mark.parametrize("name", ["a/b", "/bin/sh", "..", ".", "", "a\\r", "a\tb", "x" * 129])
def test_names_that_are_none(name: str) -> None:
    text = f'execute "{name}";'.replace("\\r", "\r")
    assert first_error(text, Outside(programs=RememberedPrograms())).endswith("is no name of a program")


async def test_names_that_are_some() -> None:
    for name in ("...", "a b", "Ä.sh", "x" * 128, "a\\\\b"):
        assert len(await tasks(f'execute "{name}";')) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('execute "${x}";', "it may hold no variables"),
        ('execute "p" "a\rb";', "an argument holds no CR, LF or NUL"),
        (f'execute "p" "{"x" * (ARGUMENT_OCTETS_MAX + 1)}";', f"an argument has {ARGUMENT_OCTETS_MAX} octets at most"),
        ('execute "p" ["x"' + ', "x"' * ARGUMENTS_MAX + "];", f"at most {ARGUMENTS_MAX} arguments"),
        ('execute :input "x" :pipe "p";', ":pipe stands beside :input"),
        ('execute :output "1" "p";', '"1" is no name of a variable'),
        ('execute :output "env.x" "p";', "it cannot be set"),
        ('execute :onerror "false" "p";', ":onerror is one of tempfail, continue"),
        ('if execute :onerror "continue" "p" { }', ":onerror is one of tempfail, true, false"),
    ],
)
def test_what_is_wrong_with_asking_one(text: str, expected: str) -> None:
    require = 'require "environment"; ' if "env." in text else ""
    found = compile_script(
        f'{REQUIRE}{require}stage "data" {{ {text} }}', "t", POLICY, Outside(programs=RememberedPrograms())
    )
    assert isinstance(found, SieveErrors)
    assert expected in found.errors[0].text


def test_a_program_that_cannot_be_run_is_an_error_at_load() -> None:
    outside = Outside(programs=RememberedPrograms(problem="/x/p may not be executed by this user"))
    assert first_error('execute "p";', outside) == 'program "p": /x/p may not be executed by this user'
    assert first_error('execute "p";') == 'program "p": programs.folder of mtad.toml is not given'


@pytest.mark.parametrize("stage", ["deliver", "queue"])
def test_nobody_waits_for_one_where_mail_goes(stage: str) -> None:
    outside = Outside(programs=RememberedPrograms())
    assert first_error('execute "p";', outside, stage) == f'execute is not legal in stage "{stage}"'


@pytest.mark.parametrize("stage", ["connect", "ehlo", "auth", "mail", "rcpt"])
def test_the_message_is_known_at_data_alone(stage: str) -> None:
    outside = Outside(programs=RememberedPrograms())
    assert first_error('execute :pipe "p";', outside, stage) == f':pipe: the message is not known in stage "{stage}"'


def test_output_needs_variables() -> None:
    text = 'require ["vnd.dovecot.execute", "vnd.mtad.stage"]; stage "data" { execute :output "v" "p"; }'
    found = compile_script(text, "t", POLICY, Outside(programs=RememberedPrograms()))
    assert isinstance(found, SieveErrors)
    assert found.errors[0].text == ':output needs require "variables"'


NEW = b"Subject: new\r\n\r\nnew\r\n"


async def made(text: str, programs: RememberedPrograms) -> bytes:
    """Run the stage data, and return what it has made of the message."""
    script = compile_script(f'{REQUIRE}stage "data" {{ {text} }}', "t", POLICY, Outside(programs=programs))
    assert isinstance(script, Script), str(script)
    run = Run(FACTS, Limits())
    await answer(script.stages["data"], run)
    return edited(CONTENT, [action for action in run.actions if isinstance(action, Edit)])


async def test_a_filter_reads_the_message_and_what_it_writes_takes_its_place() -> None:
    programs = RememberedPrograms(Done(NEW))
    assert await made('addheader "X" "y"; filter "p" ["a", "b"]; deleteheader "none";', programs) == NEW
    (task,) = programs.tasks
    assert (task.arguments, task.input) == (("a", "b"), b"X: y\r\n" + CONTENT)
    assert task.environment["SENDER"] == "a@d.example"
    assert task.output_octets_max == MESSAGE_OCTETS_MAX


async def test_what_stands_behind_a_filter_is_about_the_new_message() -> None:
    programs = RememberedPrograms(Done(NEW))
    assert await ran('filter "p"; if header "subject" "new" { log "new"; }', programs) == ["new"]
    assert await ran('filter "p"; if size :over 20 { log "large"; }', programs) == ["large"]
    assert await ran('filter "p"; if size :over 25 { log "large"; }', programs) == []
    found = await made('addheader "X" "y"; filter "p"; deleteheader "subject"; addheader "Z" "z";', programs)
    assert found == b"Z: z\r\n\r\nnew\r\n"


async def test_filters_follow_each_other() -> None:
    programs = RememberedPrograms(Done(NEW))
    assert await made('filter "p"; addheader "X" "y"; filter "q"; execute :pipe "r";', programs) == NEW
    assert [task.input for task in programs.tasks] == [CONTENT, b"X: y\r\n" + NEW, NEW]


async def test_a_filter_that_says_no_leaves_the_message_as_it_was() -> None:
    text = 'addheader "X" "y"; if filter "p" { addheader "A" "filtered"; }'
    assert await made(text, RememberedPrograms(Declined(1))) == b"X: y\r\n" + CONTENT
    assert await made(text, RememberedPrograms(Done(NEW))) == b"A: filtered\r\n" + NEW
    assert await made('filter "p"; addheader "X" "y";', RememberedPrograms(Declined(1))) == b"X: y\r\n" + CONTENT


@pytest.mark.parametrize("result", [BROKEN, Done(b""), Done(b"no message\r\n"), Done(b"A: b\r\n\r\na\rb\r\n")])
async def test_a_filter_that_breaks_or_writes_no_message(result: Result) -> None:
    for text in ('filter "p";', 'if not filter "p" { stop; }'):
        with pytest.raises(ScriptFailed, match="filter p: "):
            await made(text, RememberedPrograms(result))
    going_on = 'filter :onerror "continue" "p"; if filter :onerror "false" "p" { addheader "A" "filtered"; }'
    assert await made(going_on, RememberedPrograms(result)) == CONTENT


async def test_a_filter_cannot_have_all_arguments() -> None:
    text = 'set "v" text:\na\nb\n.\n; filter "p" "${v}";'
    with pytest.raises(ScriptFailed, match="holds no CR"):
        await made(text, RememberedPrograms(Done(NEW)))


async def test_a_stage_has_ten_filters_at_most() -> None:
    with pytest.raises(LimitExceeded):
        await made('filter "p";' * 11, RememberedPrograms(Done(NEW)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('foreachrcpt { filter "p"; }', "filter cannot stand in foreachrcpt"),
        ('monitor "x" { if filter "p" { } }', "filter cannot stand in monitor"),
        ('filter "../p";', "is no name of a program"),
    ],
)
def test_what_is_wrong_with_a_filter(text: str, expected: str) -> None:
    assert expected in first_error(text, Outside(programs=RememberedPrograms()))


@pytest.mark.parametrize("stage", ["connect", "rcpt", "deliver"])
def test_there_is_no_message_to_be_filtered(stage: str) -> None:
    outside = Outside(programs=RememberedPrograms())
    assert first_error('filter "p";', outside, stage) == f'filter is not legal in stage "{stage}"'
