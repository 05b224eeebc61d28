"""Programs of the operator's: `execute` and `filter` (vnd.dovecot.*; Pigeonhole's spec-bosch-sieve-extprograms).

    execute [":input" <string> / ":pipe"] [":output" <variable>] [":onerror" <string>]
            <program-name: string> [<arguments: string-list>]
    filter  [":onerror" <string>] <program-name: string> [<arguments: string-list>]

A program answers by its status: 0 is true. One that could not be run, or came to no end of its own, ends the stage for
now, unless `:onerror` says otherwise: "continue" for a command; a test has the answers of a test. So does a filter that
writes no message; one that does not end with 0 leaves the message as it was.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

from mtad.mail.programs import Broken, Done, Task
from mtad.off_loop import off_loop_if_long
from mtad.sieve.capabilities.editheader import stands_apart
from mtad.sieve.capabilities.variables import CAPABILITY as VARIABLES
from mtad.sieve.capabilities.variables import writer_of
from mtad.sieve.code import Code, Waiting
from mtad.sieve.edits import Edit, edited
from mtad.sieve.filtered import BadMessage, message_of
from mtad.sieve.language import SESSION_STAGES, ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.onerror import ON_ERROR_TAG, TEMPFAIL, on_error, or_continue
from mtad.sieve.run import Run
from mtad.sieve.template import Template

ARGUMENTS_MAX = 32  # §4 asks for 16
ARGUMENT_OCTETS_MAX = 4096  # §4 asks for 1024
MESSAGE_OCTETS_MAX = 1 << 31  # that a filter may write; a node says less
OUTPUT_OCTETS_MAX = 1 << 16  # of what goes into a variable, which is cut to what one holds
_NODES = 10_000  # that a run costs: ten at most in a stage
_NAME = re.compile(r"(?!\.\.?\Z)[^/\x00-\x1f\x7f-\x9f\u2028\u2029]{1,128}\Z")  # §3
_UNFIT = re.compile(r"[\r\n\0]")
_WITH_SENDER = ("mail", "rcpt", "data")
_WITH_RECIPIENT = ("rcpt", "data")


def _execute(bound: Bound) -> Code:
    task_of, input_of, is_test = _task(bound), _input(bound), bound.spec.kind is Kind.TEST
    programs, failed = bound.unit.outside.programs, _on_broken(bound)
    into = bound.tag_strings(":output")
    write = writer_of(bound, into.items[0]) if into is not None else None
    output_octets_max = OUTPUT_OCTETS_MAX if write is not None else 0

    async def run_it(run: Run) -> bool:
        run.spend(_NODES)
        task = task_of(run)
        if isinstance(task, Broken):
            return failed(run, task.why)
        result = await programs.run(replace(task, input=await input_of(run), output_octets_max=output_octets_max))
        if isinstance(result, Broken):
            return failed(run, result.why)
        is_done = isinstance(result, Done)
        if write is not None and isinstance(result, Done):
            write(run, result.output.decode("utf-8", "surrogateescape"))
        return is_done and is_test

    return Waiting(run_it)


def _filter(bound: Bound) -> Code:
    if around := stands_apart(bound):
        return bound.fail(bound.at, f"filter cannot stand in {around}")
    task_of, is_test = _task(bound), bound.spec.kind is Kind.TEST
    programs, failed = bound.unit.outside.programs, _on_broken(bound)

    async def run_it(run: Run) -> bool:
        run.spend(_NODES)
        task, before = task_of(run), await _content(run)
        if isinstance(task, Broken):
            return failed(run, task.why)
        result = await programs.run(replace(task, input=before, output_octets_max=MESSAGE_OCTETS_MAX))
        if isinstance(result, Broken):
            return failed(run, result.why)
        if not isinstance(result, Done):
            return False
        content = await off_loop_if_long(len(result.output), message_of, result.output, before)
        if isinstance(content, BadMessage):
            return failed(run, content)
        run.take_content(content)
        return is_test

    return Waiting(run_it)


def _on_broken(bound: Bound) -> Callable[[Run, str], bool]:
    asked = f"{bound.spec.name} {bound.string(0)}"
    return on_error(bound, asked, TEMPFAIL) if bound.spec.kind is Kind.TEST else or_continue(bound, asked)


def _task(bound: Bound) -> Callable[[Run], Task | Broken]:
    """Make what says what the program is to do; reports a name that is none of a program that can be run."""
    item = bound.strings(0).items[0]
    if not _NAME.match(item.value):
        bound.fail(item.at, f'"{item.value}" is no name of a program')
    elif problem := bound.unit.outside.programs.problem(item.value):
        bound.fail(item.at, f'program "{item.value}": {problem}')
    arguments = bound.templates(1) if len(bound.positional) > 1 else []
    if len(arguments) > ARGUMENTS_MAX:
        bound.fail(bound.strings(1).at, f"a program takes at most {ARGUMENTS_MAX} arguments")
    for argument in arguments:
        if argument.constant is not None and (wrong := _wrong_with(argument.constant)):
            bound.fail(argument.at, wrong)
    environment_of = _environment(bound)

    def task_of(run: Run) -> Task | Broken:
        values = tuple(argument.read(run) for argument in arguments)
        wrong = next(filter(None, map(_wrong_with, values)), "")
        return Broken(wrong) if wrong else Task(item.value, values, environment_of(run))

    return task_of


def _wrong_with(argument: str) -> str:
    """Say what is wrong with an argument: nothing is cut from one, nor put in the place of its characters (§4)."""
    if _UNFIT.search(argument):
        return "an argument holds no CR, LF or NUL"
    is_long = len(argument.encode("utf-8", "surrogateescape")) > ARGUMENT_OCTETS_MAX
    return f"an argument has {ARGUMENT_OCTETS_MAX} octets at most" if is_long else ""


def _environment(bound: Bound) -> Callable[[Run], dict[str, str]]:
    """Make what gives a program its environment, by the names that Pigeonhole has for it; what is not known is not
    there."""
    has_sender, has_recipient = bound.stage in _WITH_SENDER, bound.stage in _WITH_RECIPIENT
    is_asked_for = bound.stage == "rcpt"

    def read(run: Run) -> dict[str, str]:
        recipients = run.envelope("to") if has_recipient else ()
        original = "".join(run.facts.envelope("orcpt")) if is_asked_for else ""
        known = {
            "HOST": run.facts.environment("host"),
            "USER": run.facts.environment("vnd.mtad.auth-user"),
            "RECIPIENT": recipients[0] if len(recipients) == 1 else "",
            "ORIG_RECIPIENT": original.partition(";")[2],
        }
        found = {name: value for name, value in known.items() if value}
        if has_sender:
            found["SENDER"] = run.facts.envelope("from")[0]  # '' is the null reverse-path
        return {name: _UNFIT.sub("?", value) for name, value in found.items()}

    return read


def _input(bound: Bound) -> Callable[[Run], Awaitable[bytes]]:
    """Make what gives what the program reads."""
    if bound.has(":pipe") and bound.stage != "data":
        bound.fail(bound.at, f':pipe: the message is not known in stage "{bound.stage}"')
    given = bound.tag_template(":input")

    async def read(run: Run) -> bytes:
        return await _content(run) if bound.has(":pipe") else _octets(given, run)

    return read


def _octets(given: Template | None, run: Run) -> bytes:
    return given.read(run).encode("utf-8", "surrogateescape") if given is not None else b""


async def _content(run: Run) -> bytes:
    """Return the message, as the script has changed it so far."""
    content = run.facts.message().octets
    edits = [action for action in run.actions if isinstance(action, Edit)]
    return await off_loop_if_long(len(content), edited, content, edits) if edits else content


_STRING, _TEXT, _TEXTS = ArgumentType.STRING, ArgumentType.TEXT, ArgumentType.TEXTS

_KINDS = (Kind.COMMAND, Kind.TEST)

EXECUTE = tuple(
    Spec(
        "execute",
        kind,
        _execute,
        capabilities=("vnd.dovecot.execute",),
        tags=(
            Tag(":input", "input", _TEXT),
            Tag(":pipe", "input"),
            Tag(":output", value=_STRING, capability=VARIABLES),
            ON_ERROR_TAG,
        ),
        positional=(_STRING, _TEXTS),
        optional=1,
        stages=SESSION_STAGES,
    )
    for kind in _KINDS
)
FILTER = tuple(
    Spec(
        "filter",
        kind,
        _filter,
        capabilities=("vnd.dovecot.filter",),
        tags=(ON_ERROR_TAG,),
        positional=(_STRING, _TEXTS),
        optional=1,
        stages=("data",),
    )
    for kind in _KINDS
)
PROGRAMS = (*EXECUTE, *FILTER)
