"""Commands and tests that play a policy: vnd.mtad.testsuite.

    test_policy_compile <path: string>                                     a file, or a folder of *.sieve
    test_map_set <map: string> <key: string> <value: string>               what a map of the policy holds
    test_map_fail <map: string>                                            a map that cannot be asked
    test_dns_set <type: string> <name: string> <record: string>            a record
    test_dns_fail <type: string> <name: string>                            no answer comes
    test_limits_fail                                                       nobody knows what was counted
    test_sessions_end                                                      all end that each `connect` has begun
    test_found_set <method: string> <of: string> <result: string>          what SPF, DKIM, DMARC or ARC finds
    test_service_set <kind: string> <name: string> <answer: string>        what a milter, policy, scanner, program says
    test_stage_run <stage: string>                                         asks the policy at this stage
    test_verdict [MATCH-TYPE] [COMPARATOR] <item: string> <keys: string-list>

The facts are those that `test_set` has set; what connect or auth has said of the client and what any stage
has noted, the stages behind know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from mtad.admission.facts import Agent, MailFacts, MessageFacts, Progress, RecipientFacts, SessionFacts
from mtad.admission.policy import Policy, PolicyErrors
from mtad.mail.envelope import Client, Envelope, Tls
from mtad.mail.notes import NO_NOTES, Noted
from mtad.mail.verdict import Disposition, Signing, Verdict
from mtad.rehearsal.asking import step
from mtad.rehearsal.lookups import Lookups
from mtad.rehearsal.report import Failure
from mtad.rehearsal.services import KINDS
from mtad.rehearsal.settings import policy_settings_of
from mtad.rehearsal.tried import OF_QUEUE, number, tried_of
from mtad.rehearsal.workbench import Answer, Workbench, workbench
from mtad.sieve.code import Code, Plain, Waiting
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec
from mtad.sieve.match import MATCH_TAGS, compare
from mtad.sieve.run import Run

_CAPABILITY = ("vnd.mtad.testsuite",)
_BEGINNING = "mail"  # of a message
_GREETING = "connect"  # begins a session
_MEASURED = "metric"  # what a stage has measured, as Prometheus is told
_TRUSTING = ("connect", "auth")  # what they say of the client holds for the session


def _test_policy_compile(bound: Bound) -> Code:
    name = bound.string(0)

    def compile_it(run: Run) -> bool:
        bench = workbench(run)
        bench.errors.clear()
        agent = Agent(*(bench.environment(name) for name in ("host", "domain", "version")))
        settings = policy_settings_of(bench.settings, run.doors, bench.lookups.outside, agent, bench.measured)
        policy = Policy.load(bench.path(name), settings, bench.events)
        if isinstance(policy, PolicyErrors):
            for error in policy.errors:
                bench.note(error.text)
            return False
        bench.policy = policy
        return True

    return Plain(compile_it)


def _test_map_set(bound: Bound) -> Code:
    name, key, value = bound.string(0), bound.string(1), bound.string(2)
    return step(lambda run: workbench(run).lookups.put(name, key, value))


def _test_map_fail(bound: Bound) -> Code:
    name = bound.string(0)
    return step(lambda run: workbench(run).lookups.fail(name))


def _test_dns_set(bound: Bound) -> Code:
    record_type, name, record = bound.string(0), bound.string(1), bound.string(2)
    return step(lambda run: workbench(run).lookups.names.put(record_type, name, record))


def _test_dns_fail(bound: Bound) -> Code:
    record_type, name = bound.string(0), bound.string(1)
    return step(lambda run: workbench(run).lookups.names.fail(record_type, name))


def _test_limits_fail(bound: Bound) -> Code:
    def fail(run: Run) -> None:
        workbench(run).lookups.limits.is_down = True

    return step(fail)


def _test_found_set(bound: Bound) -> Code:
    return _putting(bound, lambda lookups, *said: lookups.methods.put(*said))


def _test_service_set(bound: Bound) -> Code:
    if bound.string(0) not in KINDS:
        return bound.fail(bound.strings(0).at, f'"{bound.string(0)}" is none of {", ".join(KINDS)}')
    return _putting(bound, lambda lookups, *said: lookups.services.put(*said))


def _putting(bound: Bound, put: Callable[[Lookups, str, str, str], None]) -> Code:
    """Make what gives a room three texts; one that it does not understand fails the test."""
    said, line = (bound.string(0), bound.string(1), bound.string(2)), bound.line

    def put_it(run: Run) -> bool:
        bench = workbench(run)
        try:
            put(bench.lookups, *said)
        except ValueError as error:
            bench.failure = Failure(bench.file, line, str(error))
            return True
        return False

    return Plain(put_it)


def _test_sessions_end(bound: Bound) -> Code:
    return step(lambda run: workbench(run).end_sessions())


def _test_stage_run(bound: Bound) -> Code:
    stage = bound.string(0)
    if stage not in _STAGES:
        return bound.fail(bound.strings(0).at, f'unknown stage "{stage}": one of {", ".join(_STAGES)}')

    async def play(run: Run) -> bool:
        run.edited = None  # what the file itself has edited: the message is what the policy makes of it
        return await run_stage(stage, workbench(run))

    return Waiting(play)


async def run_stage(stage: str, bench: Workbench) -> bool:
    """Ask the policy at a stage; its answer is on the workbench then. Returns whether there was no fault."""
    bench.errors.clear()
    bench.events.events.clear()
    bench.measured.lines.clear()
    bench.verdict = None
    if bench.policy is None:
        bench.note("no policy has been compiled")
        return False
    if stage == _BEGINNING:
        bench.noted = Noted(bench.noted.session)
        bench.sessions[-1].end_transaction()
    elif stage == _GREETING:
        bench.begin_session()
    verdict = await _STAGES[stage](bench.policy, bench)
    bench.verdict = verdict
    if isinstance(verdict, Verdict):
        if stage == _GREETING and verdict.reply is not None:
            bench.sessions.pop().end()
        bench.is_trusted = bench.is_trusted or (stage in _TRUSTING and verdict.is_trusted)
        bench.noted = verdict.noted if verdict.noted is not None else bench.noted
        bench.sender = verdict.reverse_path if verdict.reverse_path is not None else bench.sender
        if verdict.content is not None:
            bench.change_message(verdict.content)
        if verdict.reply is None:  # nothing refuses it behind the policy
            await bench.policy.remember(verdict.seen)
    for fault in bench.events.named("policy.fault"):
        bench.note(str(fault["why"]))
    return not bench.errors


def answered(bench: Workbench) -> dict[str, Sequence[str]]:
    """Return the items of the answer, by name; those that it has not are not there."""
    verdict = bench.verdict
    if isinstance(verdict, Verdict):
        items = {name: read(verdict) for name, read in _OF_SESSION.items()}
    elif isinstance(verdict, Disposition):
        items = {name: read(verdict) for name, read in _OF_DELIVERY.items()}
    elif verdict is not None:
        items = {name: read(verdict) for name, read in OF_QUEUE.items()}
    else:
        return {}
    items[_MEASURED] = tuple(bench.measured.lines)
    return {name: values for name, values in items.items() if values}


def _session(bench: Workbench) -> SessionFacts:
    known = bench.environment
    client = Client(
        known("remote-ip"),
        port=0,
        helo=known("vnd.mtad.helo"),
        identity=known("vnd.mtad.auth-user"),
        listener=known("vnd.mtad.listener"),
        mechanism=known("vnd.mtad.auth-mech"),
        came_to=(known("vnd.mtad.local-ip"), number(known("vnd.mtad.local-port"))),
        notes=bench.noted.session,
        is_tls=bool(known("vnd.mtad.tls-version")),
        tls=Tls(known("vnd.mtad.tls-version"), known("vnd.mtad.tls-cipher")),
    )
    return SessionFacts(client, client.listener, bench.is_trusted, bench.sessions[-1])


def _progress(bench: Workbench) -> Progress:
    known = bench.environment
    counts = (number(known(f"vnd.mtad.{name}")) for name in ("msg-count", "rcpt-count"))
    return Progress(known("vnd.mtad.queue-id"), *counts)


def _envelope(bench: Workbench) -> Envelope:
    return Envelope(
        bench.sender,
        _session(bench).client,
        is_trusted=bench.is_trusted,
        notes=bench.noted.message,
        queue_id=bench.environment("vnd.mtad.queue-id"),
        queue_name=bench.environment("vnd.mtad.queue-name"),
    )


def _recipient(bench: Workbench) -> str:
    return bench.recipients[0] if bench.recipients else ""


_STAGES: Mapping[str, Callable[[Policy, Workbench], Awaitable[Answer]]] = {
    "connect": lambda policy, bench: policy.connect(_session(bench)),
    "ehlo": lambda policy, bench: policy.ehlo(_session(bench)),
    "auth": lambda policy, bench: policy.auth(_session(bench)),
    "mail": lambda policy, bench: policy.mail(
        MailFacts(_session(bench), bench.sender, asked=bench.asked, progress=_progress(bench))
    ),
    "rcpt": lambda policy, bench: policy.rcpt(
        RecipientFacts(
            _session(bench), bench.sender, _recipient(bench), bench.noted.message, bench.asked, _progress(bench)
        )
    ),
    "data": lambda policy, bench: policy.data(
        MessageFacts(
            _session(bench),
            bench.sender,
            bench.recipients,
            bench.content,
            bench.noted,
            bench.asked,
            _progress(bench),
        )
    ),
    "deliver": lambda policy, bench: policy.deliver(
        _envelope(bench),
        _recipient(bench),
        bench.noted.recipients.get(_recipient(bench), NO_NOTES),
    ),
    "queue": lambda policy, bench: policy.queue(
        _envelope(bench),
        _recipient(bench),
        bench.noted.recipients.get(_recipient(bench), NO_NOTES),
        tried_of(bench),
    ),
}


def _test_verdict(bound: Bound) -> Code:
    item = bound.strings(0).items[0]
    known = dict.fromkeys((*_OF_SESSION, *_OF_DELIVERY, *OF_QUEUE, _MEASURED))
    if item.value not in known:
        return bound.fail(item.at, f'unknown item "{item.value}": one of {", ".join(known)}')

    def values(run: Run) -> Sequence[str]:
        return answered(workbench(run)).get(item.value, ())

    return compare(bound, bound.templates(1), [values])


def _result(verdict: Verdict) -> str:
    if verdict.reply is not None:
        return "reject" if verdict.reply.is_permanent else "tempfail"
    if verdict.is_discarded:
        return "redirect" if verdict.added else "discard"
    return "relay" if verdict.is_trusted else "accept" if verdict.is_accepted else "go on"


def _code(verdict: Verdict) -> Sequence[str]:
    return (str(verdict.reply.code),) if verdict.reply is not None else ()


def _text(verdict: Verdict) -> Sequence[str]:
    if verdict.reply is not None:
        return verdict.reply.lines
    return (verdict.text,) if verdict.text else ()


def _key(signing: Signing) -> Sequence[str]:
    return (f"{signing.selector}._domainkey.{signing.domain}" if signing.selector else signing.domain,)


_OF_SESSION: Mapping[str, Callable[[Verdict], Sequence[str]]] = {
    "result": lambda verdict: (_result(verdict),),
    "code": _code,
    "enhanced": lambda verdict: (verdict.reply.enhanced,) if verdict.reply is not None else (),
    "text": _text,
    "log": lambda verdict: (verdict.log,) if verdict.log else (),
    "disconnect": lambda verdict: ("yes" if verdict.is_disconnect else "no",),
    "kept": lambda verdict: (verdict.held or "for later",) if verdict.queue_at_once else (),
    "priority": lambda verdict: (str(verdict.priority),) if verdict.priority is not None else (),
    "queue name": lambda verdict: (verdict.queue_name,) if verdict.queue_name else (),
    "after": lambda verdict: (str(verdict.queue_seconds),) if verdict.queue_seconds else (),
    "signed by": lambda verdict: _key(verdict.signing) if verdict.signing is not None else (),
    "content": lambda verdict: () if verdict.content is None else (verdict.content.decode("utf-8", "surrogateescape"),),
    "delay": lambda verdict: (str(verdict.delay_seconds),) if verdict.delay_seconds else (),
    "sender": lambda verdict: (verdict.reverse_path,) if verdict.reverse_path is not None else (),
    "verp": lambda verdict: ("yes",) if verdict.is_verp else (),
    "recipient": lambda verdict: (verdict.recipient,) if verdict.recipient else (),
    "added": lambda verdict: [one.address for of in (*verdict.each.values(), verdict) for one in of.added],
    "refused": lambda verdict: [address for address, one in verdict.each.items() if one.reply is not None],
    "dropped": lambda verdict: [address for address, one in verdict.each.items() if one.is_discarded],
}


def _way(found: Disposition) -> str:
    ways = (("fault", found.is_fault), ("discard", found.is_discarded), ("queue", found.queue_at_once))
    return next((name for name, is_so in ways if is_so), "deliver")


_OF_DELIVERY: Mapping[str, Callable[[Disposition], Sequence[str]]] = {
    "result": lambda found: (_way(found),),
    "transport": lambda found: (found.route.transport.value,),
    "hosts": lambda found: found.route.hosts,
    "port": lambda found: (str(found.route.port),) if found.route.port is not None else (),
    "tls": lambda found: (found.route.tls.value,),
    "source": lambda found: found.route.sources,
    "signed by": lambda found: _key(found.signing) if found.signing is not None else (),
    "helo": lambda found: (found.route.helo,) if found.route.helo else (),
    "auth": lambda found: (found.route.credentials,) if found.route.credentials else (),
    "pool": lambda found: (found.route.pool,) if found.route.pool else (),
    "priority": lambda found: (str(found.priority),) if found.priority else (),
    "queue name": lambda found: (found.queue_name,) if found.queue_name else (),
    "after": lambda found: (str(found.queue_seconds),) if found.queue_seconds else (),
    "on transient": lambda found: ("queue" if found.queue_on_transient else "reply",),
    "intervals": lambda found: [str(seconds) for seconds in found.retry.intervals_seconds],
    "expire": lambda found: (str(found.retry.expire_seconds),),
    "attempts": lambda found: (str(found.retry.attempts_max),) if found.retry.attempts_max else (),
    "delaydsn": lambda found: (str(found.retry.warn_seconds),),
}

_STRING, _STRINGS = ArgumentType.STRING, ArgumentType.STRINGS

STAGES = (
    Spec("test_policy_compile", Kind.TEST, _test_policy_compile, capabilities=_CAPABILITY, positional=(_STRING,)),
    Spec("test_map_set", Kind.COMMAND, _test_map_set, capabilities=_CAPABILITY, positional=(_STRING,) * 3),
    Spec("test_map_fail", Kind.COMMAND, _test_map_fail, capabilities=_CAPABILITY, positional=(_STRING,)),
    Spec("test_dns_set", Kind.COMMAND, _test_dns_set, capabilities=_CAPABILITY, positional=(_STRING,) * 3),
    Spec("test_dns_fail", Kind.COMMAND, _test_dns_fail, capabilities=_CAPABILITY, positional=(_STRING,) * 2),
    Spec("test_limits_fail", Kind.COMMAND, _test_limits_fail, capabilities=_CAPABILITY),
    Spec("test_found_set", Kind.COMMAND, _test_found_set, capabilities=_CAPABILITY, positional=(_STRING,) * 3),
    Spec("test_service_set", Kind.COMMAND, _test_service_set, capabilities=_CAPABILITY, positional=(_STRING,) * 3),
    Spec("test_sessions_end", Kind.COMMAND, _test_sessions_end, capabilities=_CAPABILITY),
    Spec("test_stage_run", Kind.TEST, _test_stage_run, capabilities=_CAPABILITY, positional=(_STRING,)),
    Spec(
        "test_verdict",
        Kind.TEST,
        _test_verdict,
        capabilities=_CAPABILITY,
        tags=MATCH_TAGS,
        positional=(_STRING, _STRINGS),
    ),
)
