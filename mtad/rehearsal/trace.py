"""Follows one message through a policy: at each stage what its script did, step by step, and what it answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mtad.admission.policy import Policy, PolicyErrors, PolicySettings
from mtad.rehearsal.overhearing import Fact, Overheard
from mtad.rehearsal.stages import answered, run_stage
from mtad.rehearsal.workbench import Workbench

STEPS_MAX = 10_000  # of a stage; those behind them are not kept
_STRUCTURE = ("if", "elsif", "else")  # their tests say all
_BY_RECIPIENT = ("rcpt", "deliver")
_LENGTH_MAX = 100  # of a line of the script and of an answer's item, as they are shown


@dataclass(frozen=True, slots=True)
class Step:
    """A command that was run, or a test, what it came to, the first of the values that it compared.

    facts   what either has asked outside
    """

    file: str
    line: int
    name: str
    value: bool | None  # None: a command
    compared: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A stage that was asked; the recipient where it is asked of each.

    facts   what was asked and came to no step's end: there was a fault
    """

    stage: str
    recipient: str
    steps: tuple[Step, ...]
    answer: Mapping[str, Sequence[str]]
    faults: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()

    @property
    def is_final(self) -> bool:
        """Tell whether the policy has said no, or failed."""
        return bool(self.faults) or self.answer.get("result", ("",))[0] in ("reject", "tempfail", "discard")


@dataclass(frozen=True, slots=True)
class Traveller:
    """The message that is followed, and who brings it."""

    content: bytes
    sender: str
    recipients: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


async def trace(path: Path, settings: PolicySettings, message: Traveller) -> tuple[Asked, ...] | PolicyErrors:
    """Ask each stage of a policy in turn, until one says no to the message."""
    steps: list[Step] = []
    overheard = Overheard()

    def tell(file: str, line: int, name: str, value: bool | None, compared: Sequence[str]) -> None:
        if name not in _STRUCTURE and len(steps) < STEPS_MAX:
            steps.append(Step(file, line, name, value, tuple(map(_cut, compared)), overheard.taken()))

    bench = Workbench(path.parent, str(path))
    outside = replace(overheard.outside(settings.outside), limits=bench.lookups.limits, tell=tell)
    policy = Policy.load(path, replace(settings, outside=outside, meter=bench.measured), bench.events)
    if isinstance(policy, PolicyErrors):
        return policy
    bench.policy = policy
    bench.set_message(message.content)
    bench.sender = message.sender
    bench.items.update(message.environment)

    async def ask(stage: str, *recipients: str) -> Asked:
        steps.clear()
        bench.recipients = recipients
        await run_stage(stage, bench)
        recipient = recipients[0] if stage in _BY_RECIPIENT else ""
        answer, left = answered(bench), overheard.taken()
        return Asked(stage, recipient, tuple(steps), answer, tuple(bench.errors), left)

    has_identity = bool(message.environment.get("vnd.mtad.auth-user"))
    found: list[Asked] = []
    for stage in ("connect", "ehlo", *(("auth",) if has_identity else ()), "mail"):
        found.append(await ask(stage))
        if found[-1].is_final:
            return tuple(found)
    asked = [await ask("rcpt", recipient) for recipient in message.recipients]
    left = list(dict.fromkeys(address for one in asked if not one.is_final for address in _sent_to(one)))
    found += asked
    if left:
        found.append(await ask("data", *left))
    if left and not found[-1].is_final:
        answer = found[-1].answer
        out = {*answer.get("refused", ()), *answer.get("dropped", ()), *(left if _is_redirected(answer) else ())}
        left = list(dict.fromkeys((*(one for one in left if one not in out), *answer.get("added", ()))))
        found += [await ask("deliver", recipient) for recipient in left]
    return tuple(found)


def _sent_to(asked: Asked) -> Iterator[str]:
    """Yield who gets the mail for a recipient that is not refused."""
    if not _is_redirected(asked.answer):
        yield asked.answer.get("recipient", (asked.recipient,))[0]
    yield from asked.answer.get("added", ())


def _is_redirected(answer: Mapping[str, Sequence[str]]) -> bool:
    return answer.get("result", ("",))[0] == "redirect"


def lines(asked: Sequence[Asked]) -> Iterator[str]:
    """Tell each stage, below it its steps with the lines of the script, and what it answered."""
    sources: dict[str, list[str]] = {}
    for one in asked:
        yield f"{one.stage} {one.recipient}".rstrip()
        for step in one.steps:
            source = sources.setdefault(step.file, _source(step.file))
            written = source[step.line - 1].strip()[:_LENGTH_MAX] if step.line <= len(source) else ""
            yield f"  {step.file}:{step.line}: {step.name}{_came_to(step)}{'    | ' if written else ''}{written}"
            yield from map(_fact, step.facts)
        yield from map(_fact, one.facts)
        yield from (f"  fault: {fault}" for fault in one.faults)
        yield "  -> " + "; ".join(f"{name}: {_cut(', '.join(values))}" for name, values in one.answer.items())


def _fact(fact: Fact) -> str:
    cost = "known from before" if fact.is_cached else f"{fact.milliseconds:.1f} ms"
    return f"      {fact.source}: {_cut(fact.question)} is {_cut(fact.answer)} ({cost})"


def _came_to(step: Step) -> str:
    """Say what a test came to, and of which values; of a command nothing."""
    if step.value is None:
        return ""
    of = " of " + ", ".join(f'"{text}"' for text in step.compared) if step.compared else ""
    return f" is {'true' if step.value else 'false'}{of}"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LENGTH_MAX else f"{line[:_LENGTH_MAX]}…"


def _source(file: str) -> list[str]:
    try:
        return Path(file).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
