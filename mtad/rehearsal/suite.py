"""The commands and tests of Pigeonhole's test-suite language: vnd.dovecot.testsuite.

Errors of the scripts that are played are kept for `test_error`; errors of the test file itself end it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtad.admission.script_file import compile_file, scripts_in
from mtad.rehearsal.asking import INDEX, one_or_all, step, why_failed
from mtad.rehearsal.report import CaseReport, Failure
from mtad.rehearsal.results import carry_out
from mtad.rehearsal.settings import SETTINGS, limits_of
from mtad.rehearsal.workbench import Workbench, settable, workbench
from mtad.sieve.actions import Keep
from mtad.sieve.code import Code, Plain, Waiting, answer
from mtad.sieve.dialects import PLAIN
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Namespace, Spec, Tag
from mtad.sieve.match import MATCH_TAGS
from mtad.sieve.message import Message
from mtad.sieve.results import results
from mtad.sieve.run import Run, ScriptFailed
from mtad.sieve.script import Script
from mtad.sieve.template import Read

_CAPABILITY = ("vnd.dovecot.testsuite",)


def _test(bound: Bound) -> Code:
    name, line = bound.string(0), bound.line
    if _holds_test(bound.block):
        return bound.fail(bound.at, "a test holds no other test")
    block = bound.compile_block()

    async def play(run: Run) -> bool:
        bench = workbench(run)
        is_stopped = await answer(block, run)
        failure, bench.failure = bench.failure, None
        bench.tests.append(CaseReport(name, line, failure))
        return is_stopped and failure is None  # `stop` ends the file, test_fail the test alone

    return Waiting(play)


def _holds_test(commands: Sequence[Bound]) -> bool:
    return any(
        command.spec.name == "test" or _holds_test(command.block) or _holds_test(command.chain) for command in commands
    )


def _test_fail(bound: Bound) -> Code:
    reason, line = bound.templates(0)[0], bound.line

    def fail(run: Run) -> bool:
        bench = workbench(run)
        bench.failure = Failure(bench.file, line, reason.read(run))
        return True

    return Plain(fail)


def _test_set(bound: Bound) -> Code:
    name, value, line = bound.string(0), bound.templates(1)[0], bound.line
    if not settable(name):
        return bound.fail(bound.strings(0).at, f'unknown fact "{name}"')

    def put(run: Run) -> bool:
        bench = workbench(run)
        wrong = bench.set_fact(name, value.read(run))
        run.edited = None if name == "message" else run.edited  # what the file itself has edited is another one
        if wrong:
            bench.failure = Failure(bench.file, line, wrong)
        return bool(wrong)

    return Plain(put)


def _test_config_set(bound: Bound) -> Code:
    name, value = bound.string(0), bound.string(1)
    setting = SETTINGS.get(name)
    if setting is None:
        return _unknown_setting(bound, name)
    if not setting.is_right(value):
        return bound.fail(bound.strings(1).at, f"{name} must be {setting.meaning}")
    return step(lambda run: workbench(run).settings_wanted.__setitem__(name, value))


def _test_config_unset(bound: Bound) -> Code:
    name = bound.string(0)
    if name not in SETTINGS:
        return _unknown_setting(bound, name)
    return step(lambda run: workbench(run).settings_wanted.pop(name, None))


def _unknown_setting(bound: Bound, name: str) -> Code:
    return bound.fail(bound.strings(0).at, f'unknown setting "{name}": one of {", ".join(SETTINGS)}')


def _test_config_reload(bound: Bound) -> Code:
    return step(lambda run: workbench(run).reload())


def _test_script_compile(bound: Bound) -> Code:
    name = bound.templates(0)[0]

    def compile_it(run: Run) -> bool:
        bench = workbench(run)
        bench.errors.clear()
        compiled = _compiled(bench, name.read(run))
        bench.script = compiled or bench.script
        return compiled is not None

    return Plain(compile_it)


def _compiled(bench: Workbench, name: str) -> Script | None:
    """Compile a script; what is wrong with it is noted."""
    included = scripts_in(bench.path("included"), bench.path("included-global"))
    compiled = compile_file(bench.path(name), PLAIN, replace(bench.lookups.outside, scripts=included))
    if isinstance(compiled, Script):
        return compiled
    for error in compiled.errors:
        bench.note(error.text)
    return None


def _test_script_run(bound: Bound) -> Code:
    is_appended = bound.has(":append_result")

    async def play(run: Run) -> bool:
        bench = workbench(run)
        bench.errors.clear()
        if not is_appended:
            run.actions.clear()
        if bench.script is None:
            bench.note("no script has been compiled")
            return False
        played = await _played(bench.script, run)
        run.actions += played.actions if played is not None else ()
        return played is not None

    return Waiting(play)


async def _played(script: Script, run: Run, message: Message | None = None) -> Run | None:
    """Run a script on the workbench of a run, on the message as it is there or this one; None when it failed."""
    bench = workbench(run)
    played = Run(bench, limits_of(bench.settings), run.doors)
    played.edited = message
    try:
        await answer(script.stages[OUTSIDE], played)
    except ScriptFailed as failed:
        bench.note(why_failed(failed))
        return None
    return played


def _test_multiscript(bound: Bound) -> Code:
    names = bound.templates(0)

    async def play(run: Run) -> bool:
        bench = workbench(run)
        bench.errors.clear()
        run.actions.clear()
        message: Message | None = None
        for name in names:
            script = _compiled(bench, name.read(run))
            played = await _played(script, run, message) if script is not None else None
            if played is None:
                break
            message = played.edited
            run.actions = [*(one for one in run.actions if one is not Keep.KEEP), *played.actions]
            if Keep.KEEP not in results(played.actions):
                break
        carry_out(run)
        return not bench.errors

    return Waiting(play)


def _test_binary_save(bound: Bound) -> Code:
    name = bound.string(0)

    def save(run: Run) -> None:
        bench = workbench(run)
        if bench.script is not None:
            bench.saved[name] = bench.script

    return step(save)


def _test_binary_load(bound: Bound) -> Code:
    name = bound.string(0)

    def load(run: Run) -> None:
        bench = workbench(run)
        bench.script = bench.saved.get(name)

    return step(load)


def _test_error(bound: Bound) -> Code:
    return one_or_all(bound, lambda run: workbench(run).errors)


_STRING, _TEXT, _TEXTS = (ArgumentType.STRING,), (ArgumentType.TEXT,), (ArgumentType.TEXTS,)

SUITE = (
    Spec("test", Kind.COMMAND, _test, capabilities=_CAPABILITY, positional=_STRING, has_block=True),
    Spec("test_fail", Kind.COMMAND, _test_fail, capabilities=_CAPABILITY, positional=_TEXT),
    Spec("test_set", Kind.COMMAND, _test_set, capabilities=_CAPABILITY, positional=_STRING + _TEXT),
    Spec("test_config_set", Kind.COMMAND, _test_config_set, capabilities=_CAPABILITY, positional=_STRING * 2),
    Spec("test_config_unset", Kind.COMMAND, _test_config_unset, capabilities=_CAPABILITY, positional=_STRING),
    Spec(
        "test_config_reload",
        Kind.COMMAND,
        _test_config_reload,
        capabilities=_CAPABILITY,
        tags=(Tag(":extension", value=ArgumentType.STRING),),
    ),
    Spec("test_script_compile", Kind.TEST, _test_script_compile, capabilities=_CAPABILITY, positional=_TEXT),
    Spec("test_script_run", Kind.TEST, _test_script_run, capabilities=_CAPABILITY, tags=(Tag(":append_result"),)),
    Spec("test_multiscript", Kind.TEST, _test_multiscript, capabilities=_CAPABILITY, positional=_TEXTS),
    Spec(
        "test_error",
        Kind.TEST,
        _test_error,
        capabilities=_CAPABILITY,
        tags=(*MATCH_TAGS, INDEX),
        positional=_TEXTS,
    ),
    Spec("test_binary_save", Kind.COMMAND, _test_binary_save, capabilities=_CAPABILITY, positional=_STRING),
    Spec("test_binary_load", Kind.COMMAND, _test_binary_load, capabilities=_CAPABILITY, positional=_STRING),
)


def _told(bound: Bound, path: Sequence[str]) -> Read | str:
    if list(path) == ["path"]:
        return lambda run: str(workbench(run).folder)
    return lambda run: ""  # as Pigeonhole has it


TOLD = Namespace("tst", _CAPABILITY[0], _told)
"""What a test file may know of itself: `${tst.path}`."""
