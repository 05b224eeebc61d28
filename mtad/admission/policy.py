"""The policy: Sieve decides at each stage, and what it leaves open the built-in default decides.

A fault in a policy, or one that exceeds its limits, fails closed: 451 to the client, and what is to be delivered
stays in the queue (our own fault is never a permanent error, and never lets mail pass).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from mtad.admission.facts import (
    NO_AGENT,
    Agent,
    MailFacts,
    MessageFacts,
    Progress,
    QueueScene,
    RecipientFacts,
    Scene,
    SessionFacts,
)
from mtad.admission.noting import noted_by, recall
from mtad.admission.relay import is_ours, plain_domain
from mtad.admission.resolving import planned, put_off, resolution, routed
from mtad.admission.ruling import (
    delay_of,
    described,
    edits_of,
    kept_by,
    recipient_of,
    sent_from,
    sent_on,
    signing_of,
    verdict_of,
    verdicts_of,
)
from mtad.admission.script_file import compile_file
from mtad.limits.questions import Rate
from mtad.mail.envelope import Envelope
from mtad.mail.notes import NO_NOTES, NOTHING_NOTED, Noted, Notes
from mtad.mail.reply import Reply, local_fault
from mtad.mail.route import Route
from mtad.mail.verdict import GO_ON, Disposition, Resolution, RetryPlan, Seen, Tried, Verdict
from mtad.off_loop import off_loop_if_long
from mtad.sieve.actions import (
    TOLD,
    Action,
    AddRecipient,
    Delay,
    DeleteRecipient,
    Discard,
    Enqueue,
    Log,
    Measure,
    NameQueue,
    Prioritise,
    Redirect,
    Retry,
    RouteTo,
    SetRecipient,
    SetSender,
    Sign,
)
from mtad.sieve.capabilities.limits import LIMIT_MAX
from mtad.sieve.code import Code, Plain, first_equal
from mtad.sieve.dialects import POLICY, STAGES
from mtad.sieve.doors import Doors
from mtad.sieve.edits import edited
from mtad.sieve.errors import SieveError, SieveErrors
from mtad.sieve.outside import NOTHING, Outside
from mtad.sieve.run import Limits, Run
from mtad.sieve.script import Script, compile_script
from mtad.telemetry.events import Events
from mtad.telemetry.metrics import Metric
from mtad.telemetry.tally import Meter, NobodyMeasures

DEFAULT_POLICY = Path(__file__).with_name("default.sieve")
FILES_MAX = 100

_RELAYING_DENIED = Verdict(Reply.of(550, "5.7.1", "Relaying denied"), log="relaying denied")
_NOT_YOURS = Verdict(Reply.of(550, "5.7.1", "Sender address is not one of ours"), log="sender is not ours")


_BESIDE = (
    Delay,
    SetSender,
    SetRecipient,
    AddRecipient,
    DeleteRecipient,
    Redirect,
)  # what comes to something beside the answer


class Ran(NamedTuple):
    """What a stage came to.

    each    what it decided on single recipients
    noted   what it leaves to the stages behind it; None: nothing more than it found
    seen    what is to be remembered if the message is accepted
    """

    actions: Sequence[Action] = ()
    each: Mapping[str, Sequence[Action]] = MappingProxyType({})
    noted: Noted | None = None
    seen: Sequence[Seen] = ()

    @property
    def is_plain(self) -> bool:
        """Tell whether its actions come to nothing but an answer."""
        if self.each or self.noted is not None or self.seen:
            return False
        for action in self.actions:  # noqa: SIM110 - all() with a generator costs as much as a test of the script
            if isinstance(action, _BESIDE):
                return False
        return True


_NOTHING = Ran()


@dataclass(frozen=True, slots=True)
class PolicyErrors:
    """Why a policy was not loaded, in the order of its files."""

    errors: tuple[SieveError, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.errors))


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """What a policy works with besides its script.

    domains   those that this server is MX for
    outside   what its scripts may ask beside their facts
    agent     who runs it
    meter     hears what its scripts measure
    """

    domains: Collection[str] = ()
    limits: Limits = field(default_factory=Limits)
    retry: RetryPlan = field(default_factory=RetryPlan)
    route: Route = field(default_factory=Route)  # of a recipient that the policy gives none
    doors: Doors = field(default_factory=lambda: Doors(clock=_local_time))
    outside: Outside = NOTHING
    agent: Agent = NO_AGENT
    meter: Meter = field(default_factory=NobodyMeasures)


class Policy:
    """A compiled policy."""

    def __init__(self, scripts: Sequence[Script], settings: PolicySettings, events: Events) -> None:
        self._settings = settings
        self._events = events
        self._domains = frozenset(map(plain_domain, settings.domains))
        self.lacks: frozenset[str] = frozenset().union(*(script.lacks for script in scripts))
        self._default = Disposition(settings.route, settings.retry)
        self._stages: Mapping[str, Code] = {
            stage: first_equal(codes, True)
            for stage in STAGES
            if (codes := [script.stages[stage] for script in scripts if stage in script.stages])
        }

    @classmethod
    def load(cls, path: Path, settings: PolicySettings, events: Events) -> Policy | PolicyErrors:
        """Compile a file, or all files *.sieve of a folder in the order of their names.

        With several files each stage runs what they say of it, one file after the other, until one of them stops it.
        """
        try:
            paths = sorted(path.glob("*.sieve")) if path.is_dir() else [path]
        except OSError as error:
            return PolicyErrors((SieveError(str(path), 1, 1, f"cannot be read: {error.strerror}"),))
        if not paths or len(paths) > FILES_MAX:
            return PolicyErrors((SieveError(str(path), 1, 1, f"the folder needs 1 to {FILES_MAX} files *.sieve"),))
        metrics: dict[str, Metric] = {}
        return _assemble([compile_file(file, POLICY, settings.outside, metrics) for file in paths], settings, events)

    @classmethod
    def compile(cls, text: str, file: str, settings: PolicySettings, events: Events) -> Policy | PolicyErrors:
        """Compile one script; `file` is its name in errors."""
        return _assemble([compile_script(text, file, POLICY, settings.outside)], settings, events)

    async def connect(self, facts: SessionFacts) -> Verdict:
        """Decide before the greeting."""
        return _verdict(await self._run(Scene("connect", facts, noted=_noted(facts))), _go_on)

    async def ehlo(self, facts: SessionFacts) -> Verdict:
        """Decide on the name that the client gives itself."""
        return _verdict(await self._run(Scene("ehlo", facts, noted=_noted(facts))), _go_on)

    async def auth(self, facts: SessionFacts) -> Verdict:
        """Decide on who authenticated."""
        return _verdict(await self._run(Scene("auth", facts, noted=_noted(facts))), _go_on)

    async def mail(self, facts: MailFacts) -> Verdict:
        """Decide on the reverse-path. A user has those of our domains, if policy did not `accept :relay` at auth."""
        scene = Scene("mail", facts.session, facts.reverse_path, noted=_noted(facts.session, facts.notes))
        scene.asked, scene.progress = facts.asked, facts.progress
        return _verdict(await self._run(scene), lambda: self._sender(facts))

    async def rcpt(self, facts: RecipientFacts) -> Verdict:
        """Decide on one more recipient. What the policy does not `accept :relay` must be ours or from a submitter."""
        scene = Scene(
            "rcpt", facts.session, facts.reverse_path, (facts.recipient,), noted=_noted(facts.session, facts.notes)
        )
        scene.asked, scene.progress = facts.asked, facts.progress
        return _verdict(await self._run(scene), lambda: self._relay(facts))

    async def data(self, facts: MessageFacts) -> Verdict:
        """Decide on the message."""
        scene = Scene("data", facts.session, facts.reverse_path, facts.recipients, facts.content, facts.noted)
        scene.asked, scene.progress = facts.asked, facts.progress
        ran = await self._run(scene)
        verdict = _verdict(ran, _go_on)
        if isinstance(ran, Reply) or verdict.reply is not None or (verdict.is_discarded and not verdict.added):
            return verdict
        verdict, edits = kept_by(ran.actions, verdict), edits_of(ran.actions)
        if not edits:
            return verdict
        return replace(verdict, content=await off_loop_if_long(len(facts.content), edited, facts.content, edits))

    async def remember(self, seen: Sequence[Seen]) -> None:
        """Have what `data` has seen known from now on: its message is accepted.

        All are told at once: the client waits, and a counter that does not answer takes its time.
        """
        limits = self._settings.outside.limits
        await asyncio.gather(*(limits.ask(_sighting(one)) for one in seen))

    async def deliver(
        self, envelope: Envelope, recipient: str, notes: Notes = NO_NOTES, *, is_anew: bool = False
    ) -> Disposition:
        """Say where a recipient goes, and what to do when it cannot go there now.

        notes     of the recipient; those of the message are the envelope's
        is_anew   it was asked before, and measures nothing again
        """
        is_noted = envelope.notes is not NO_NOTES or notes is not NO_NOTES
        noted = Noted(message=envelope.notes, recipients={recipient: notes}) if is_noted else NOTHING_NOTED
        scene = Scene("deliver", SessionFacts(envelope.client), envelope.reverse_path, (recipient,), noted=noted)
        scene.progress = Progress(envelope.queue_id)
        scene.is_anew = is_anew
        ran = await self._run(scene)
        if isinstance(ran, Reply):
            return replace(self._default, queue_at_once=True, is_fault=True)
        return _disposition(ran.actions, self._default, recipient) if ran.actions else self._default

    @property
    def has_queue_stage(self) -> bool:
        """Tell whether `queue` may say anything else than what it is told."""
        return "queue" in self._stages

    async def queue(self, envelope: Envelope, recipient: str, notes: Notes, tried: Tried) -> Resolution:
        """Say what becomes of a recipient that an attempt from the queue has not delivered to.

        Where the policy fails it stays in the queue, even if the next hop has refused it for good, until it expires.
        """
        ran = await self._run(QueueScene(envelope, recipient, notes, tried))
        if isinstance(ran, Reply):
            return Resolution(put_off(tried.outcome), tried.retry)
        return resolution(ran.actions, tried, recipient)

    def _sender(self, facts: MailFacts) -> Verdict:
        """Say whether a user may send from there (RFC 6409 §6.1); the null path is what MDNs come from."""
        is_user = bool(facts.session.client.identity) and not facts.session.is_trusted
        is_anothers = is_user and plain_domain(facts.reverse_path.rpartition("@")[2]) not in self._domains
        return _NOT_YOURS if is_anothers and facts.reverse_path else GO_ON

    def _relay(self, facts: RecipientFacts) -> Verdict:
        is_submitter = facts.session.is_trusted or bool(facts.session.client.identity)
        return GO_ON if is_submitter or is_ours(facts.recipient, self._domains) else _RELAYING_DENIED

    async def _run(self, scene: Scene) -> Ran | Reply:
        """Run a stage; the reply to give when it failed."""
        code = self._stages.get(scene.stage)
        if code is None:
            return _NOTHING
        scene.agent = self._settings.agent
        run = Run(scene, self._settings.limits, self._settings.doors)
        run.holder = scene.holder
        try:
            recall(run, scene.noted, scene.stage)
            if isinstance(code, Plain):
                code.call(run)
            else:
                await code.call(run)
            noted = noted_by(run, scene.noted, scene.stage)
        except Exception as error:  # noqa: BLE001 - the boundary of a policy: whatever fails in it must fail closed
            trace = secrets.token_hex(4)
            self._events.emit(
                "policy.fault",
                "error",
                stage=scene.stage,
                client=scene.client.address,
                trace=trace,
                why=f"{type(error).__name__}: {error}",
            )
            return local_fault(trace)
        if noted is None and not (run.actions or run.each or run.seen):
            return _NOTHING
        self._tell(scene, run.actions)
        for recipient, actions in run.each.items():
            self._tell(scene, actions, recipient)
        return Ran(run.actions, run.each, noted, tuple(run.seen))

    def _tell(self, scene: Scene, actions: Sequence[Action], recipient: str = "") -> None:
        """Log what is to be logged, and measure what is to be measured."""
        for action in actions:
            if not isinstance(action, TOLD):
                continue
            of = {"stage": scene.stage, "client": scene.client.address} | (
                {"recipient": recipient} if recipient else {}
            )
            if isinstance(action, Log):
                self._events.emit("policy.log", action.level, **of, text=action.text)
            elif isinstance(action, Measure):
                if not scene.is_anew:
                    self._settings.meter.tell(action.metric, action.values, action.number)
            else:
                self._events.emit("policy.monitored", "info", **of, label=action.label, would=described(action.action))


def _local_time() -> datetime:
    return datetime.now().astimezone()


def _noted(session: SessionFacts, notes: Notes = NO_NOTES) -> Noted:
    before = session.client.notes
    return NOTHING_NOTED if before is NO_NOTES and notes is NO_NOTES else Noted(before, notes)


def _sighting(seen: Seen) -> Rate:
    return Rate(seen.counter, LIMIT_MAX if seen.is_last else 1, seen.seconds)  # what is over it is not counted anew


def _go_on() -> Verdict:
    return GO_ON


def _verdict(ran: Ran | Reply, default: Callable[[], Verdict]) -> Verdict:
    """Make the verdict of what a stage came to, or of its failure."""
    if ran is _NOTHING:
        return default()
    if isinstance(ran, Reply):
        return Verdict(ran, log="policy fault")
    verdict = verdict_of(ran.actions, default)
    if ran.is_plain:
        return verdict
    delay = delay_of([*ran.actions, *chain.from_iterable(ran.each.values())])
    each = verdicts_of(ran.each)
    changed = replace(verdict, each=each, delay_seconds=delay, noted=ran.noted, seen=tuple(ran.seen))
    changed = sent_from(ran.actions, replace(changed, recipient=recipient_of(ran.actions)))
    changed = sent_on(ran.actions, changed)
    is_elsewhere = changed.added and changed.is_discarded and not changed.is_trusted
    if is_elsewhere and (refusal := default()).reply is not None:
        return replace(refusal, noted=ran.noted)  # who may not be sent to is no way to anybody else
    return changed


def _disposition(actions: Sequence[Action], default: Disposition, recipient: str) -> Disposition:
    """Make one disposition of what the deliver stage decided; of each kind the last one counts."""
    found = default
    for action in actions:
        if isinstance(action, RouteTo):
            found = replace(found, route=routed(action, recipient))
        elif isinstance(action, Enqueue):
            found = replace(
                found,
                queue_on_transient=found.queue_on_transient or action.on_transient,
                queue_at_once=found.queue_at_once or not action.on_transient,
                queue_seconds=action.after_seconds or found.queue_seconds,
            )
        elif isinstance(action, Discard):
            found = replace(found, is_discarded=True)
        elif isinstance(action, Prioritise):
            found = replace(found, priority=action.priority)
        elif isinstance(action, NameQueue):
            found = replace(found, queue_name=action.name)
        elif isinstance(action, Sign):
            found = replace(found, signing=signing_of(action))
        elif isinstance(action, Retry):
            found = replace(found, retry=planned(found.retry, action))
    return found


def _assemble(
    compiled: Sequence[Script | SieveErrors], settings: PolicySettings, events: Events
) -> Policy | PolicyErrors:
    errors = [error for one in compiled if isinstance(one, SieveErrors) for error in one.errors]
    scripts = [one for one in compiled if isinstance(one, Script)]
    return PolicyErrors(tuple(errors)) if errors else Policy(scripts, settings, events)
