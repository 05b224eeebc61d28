"""What other programs say (vnd.mtad.service): milters, policy services and scanners.

    milter <name: string> [":onerror" <string>]
    policy [":into" <variable>] [":attr" <string-list>] [":onerror" <string>] [COMPARATOR] [MATCH-TYPE]
           <service: string> <actions: string-list>
    scan   [":onerror" <string>] <scanner: string>
    spamscale  [":header" <field-name: string>] <most: string>             top level
    virusscale <field-name: string> <level: number> <texts: string-list>   top level

One that cannot be asked ends the stage for now, unless `:onerror` says otherwise: "continue" for the commands; `policy`
has the answers of a test, and the key "unavailable" is true of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from mtad.mail.services import NoServices, Refused, Unanswered
from mtad.sieve.actions import Refuse
from mtad.sieve.capabilities.score import thousandths
from mtad.sieve.capabilities.variables import CAPABILITY as VARIABLES
from mtad.sieve.capabilities.variables import writer_of
from mtad.sieve.code import Code, Waiting, constant
from mtad.sieve.language import ArgumentType, Bound, Kind, Namespace, Spec, Tag
from mtad.sieve.match import MATCH_TAGS, matching
from mtad.sieve.onerror import ON_ERROR_TAG, TEMPFAIL, asks_for_unavailable, on_error, or_continue
from mtad.sieve.run import Run
from mtad.sieve.scales import VIRUS_SCALES_MAX, SpamScale, VirusScale
from mtad.sieve.sources import is_field_name
from mtad.sieve.template import Read

CAPABILITY = "vnd.mtad.service"
LEVEL_MAX = 5
ATTRIBUTES_MAX = 32
_ATTRIBUTE = re.compile(r"[a-z_]{1,64}=[^\r\n\0]*\Z")
_BREAKS = re.compile(r"[\r\n\0]")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_LOOP = "foreachrcpt"
_STATES: Mapping[str, str] = {
    "connect": "CONNECT",
    "ehlo": "EHLO",
    "mail": "MAIL",
    "rcpt": "RCPT",
    "data": "END-OF-MESSAGE",
}
_ITEMS: Mapping[str, str] = {
    "client_address": "remote-ip",
    "helo_name": "vnd.mtad.helo",
    "sasl_username": "vnd.mtad.auth-user",
    "sasl_method": "vnd.mtad.auth-mech",
    "encryption_protocol": "vnd.mtad.tls-version",
    "encryption_cipher": "vnd.mtad.tls-cipher",
    "server_address": "vnd.mtad.local-ip",
    "server_port": "vnd.mtad.local-port",
    "queue_id": "vnd.mtad.queue-id",
}


def _milter(bound: Bound) -> Code:
    name, services, known = _service(bound), bound.unit.outside.services, _attributes(bound)
    content, failed = _content(bound), or_continue(bound, f"milter {name}")

    async def ask(run: Run) -> bool:
        answer = await services.milter(name, known(run), content(run))
        if isinstance(answer, Unanswered):
            return failed(run, answer.why)
        return isinstance(answer, Refused) and run.act(Refuse(answer.reply), is_terminal=True)

    return Waiting(ask)


def _policy(bound: Bound) -> Code:
    name, services, known, extra = _service(bound), bound.unit.outside.services, _attributes(bound), _extra(bound)
    into = bound.tag_strings(":into")
    write = writer_of(bound, into.items[0]) if into is not None else None
    is_match, failed = matching(bound, bound.templates(1)), on_error(bound, f"policy {name}", TEMPFAIL)
    is_asked_for = asks_for_unavailable(bound, 1)

    async def ask(run: Run) -> bool:
        answer = await services.policy(name, {**known(run), **extra(run)})
        if isinstance(answer, Unanswered):
            return is_asked_for or failed(run, answer.why)
        if write is not None:
            write(run, answer.text)
        return is_match(run, (answer.word,))

    return Waiting(ask)


def _scan(bound: Bound) -> Code:
    name, services, content = _service(bound), bound.unit.outside.services, _content(bound)
    failed = or_continue(bound, f"scan {name}")

    async def ask(run: Run) -> bool:
        answer = await services.scan(name, content(run))
        if isinstance(answer, Unanswered):
            return failed(run, answer.why)
        run.scanned = answer
        return False

    return Waiting(ask)


def _service(bound: Bound) -> str:
    """Return the name of the service; one that is none is reported."""
    item = bound.strings(0).items[0]
    if isinstance(bound.unit.outside.services, NoServices):
        bound.unit.defined.lacks.add(f"{bound.spec.name} {item.value}")
    if not _NAME.match(item.value):
        bound.fail(item.at, f'"{item.value}" is no name of a service')
    elif bound.spec.kind is Kind.COMMAND and bound.stands_in(_LOOP):
        bound.fail(bound.at, f"{bound.spec.name} cannot stand in {_LOOP}")
    return item.value


def _content(bound: Bound) -> Callable[[Run], bytes]:
    has_content = bound.stage == "data"
    return lambda run: run.facts.message().octets if has_content else b""


def _attributes(bound: Bound) -> Callable[[Run], dict[str, str]]:
    """Make what reads all that a service is told."""
    state = _STATES.get(bound.stage, "")
    has_recipient, has_content = bound.stage in ("rcpt", "data"), bound.stage == "data"

    def read(run: Run) -> dict[str, str]:
        recipients = run.envelope("to") if has_recipient else ()
        known = {
            "request": "smtpd_access_policy",
            "protocol_state": state,
            **{name: run.facts.environment(item) for name, item in _ITEMS.items()},
            "sender": run.facts.envelope("from")[0],
            "recipient": recipients[0] if len(recipients) == 1 else "",
            "recipient_count": str(len(recipients)) if has_content else "0",
            "size": str(run.message().size_octets) if has_content else "0",
        }
        return {name: _one_line(value) for name, value in known.items()}

    return read


def _one_line(value: str) -> str:
    """Return a value that ends no line: services are told one attribute a line, and nobody may add to them."""
    return _BREAKS.sub("?", value)


def _extra(bound: Bound) -> Callable[[Run], Mapping[str, str]]:
    """Make what reads the attributes that the policy adds."""
    given = bound.tag_strings(":attr")
    items = given.items if given is not None else ()
    if len(items) > ATTRIBUTES_MAX:
        bound.fail(items[0].at, f"a policy adds at most {ATTRIBUTES_MAX} attributes")
    for item in items:
        if not _ATTRIBUTE.match(item.value):
            bound.fail(item.at, f'"{item.value}" is no attribute: "name=value", on one line')
    pairs = [(item.value.partition("=")[0], bound.template(item)) for item in items]

    def read(run: Run) -> Mapping[str, str]:
        return {name: _one_line(template.read(run).partition("=")[2]) for name, template in pairs}

    return read


def _spamscale(bound: Bound) -> Code:
    field, item = bound.tag_string(":header") or "", bound.strings(0).items[0]
    most = thousandths(item.value)
    if field and not is_field_name(field):
        return bound.fail(bound.at, f'"{field}" is no name of a field')
    if most is None or most <= 0:
        return bound.fail(item.at, f'"{item.value}" is no number of points above 0')
    if bound.unit.defined.spam_scale is not None:
        return bound.fail(bound.at, "there is a spamscale already")
    bound.unit.defined.spam_scale = SpamScale(field.lower(), most)
    return constant(False)


def _virusscale(bound: Bound) -> Code:
    field, level, texts = bound.string(0), bound.number(1), bound.strings(2)
    if not is_field_name(field):
        return bound.fail(bound.at, f'"{field}" is no name of a field')
    if not 1 <= level <= LEVEL_MAX:
        return bound.fail(bound.at, f"a level is 1 (clean) to {LEVEL_MAX} (a virus, and no cure)")
    if not all(item.value for item in texts.items):
        return bound.fail(texts.at, "a text of nothing is in every field")
    if len(bound.unit.defined.virus_scales) >= VIRUS_SCALES_MAX:
        return bound.fail(bound.at, f"a policy may have {VIRUS_SCALES_MAX} of virusscale")
    scale = VirusScale(field.lower(), level, tuple(item.value.lower() for item in texts.items))
    bound.unit.defined.virus_scales.append(scale)
    return constant(False)


def _reader(bound: Bound, path: Sequence[str]) -> Read | str:
    """Make what reads `${scan.spam}` and `${scan.virus}`: '' where no scanner has looked for it."""
    if bound.stage != "data":
        return f'it is not known in stage "{bound.stage}"'
    if list(path) == ["spam"]:
        return lambda run: "" if run.scanned.spam_percent is None else str(run.scanned.spam_percent)
    if list(path) == ["virus"]:
        return lambda run: "" if run.scanned.virus is None else str(run.scanned.virus)
    return "one of spam, virus"


SCAN_VARIABLES = Namespace("scan", CAPABILITY, _reader)

_CAPABILITIES = (CAPABILITY,)
_STRING, _TEXTS = ArgumentType.STRING, ArgumentType.TEXTS

SERVICE = (
    Spec(
        "milter",
        Kind.COMMAND,
        _milter,
        capabilities=_CAPABILITIES,
        tags=(ON_ERROR_TAG,),
        positional=(_STRING,),
        stages=tuple(_STATES),
    ),
    Spec(
        "policy",
        Kind.TEST,
        _policy,
        capabilities=_CAPABILITIES,
        tags=(
            *MATCH_TAGS,
            Tag(":into", value=_STRING, capability=VARIABLES),
            Tag(":attr", value=_TEXTS),
            ON_ERROR_TAG,
        ),
        positional=(_STRING, _TEXTS),
        stages=tuple(_STATES),
    ),
    Spec(
        "scan",
        Kind.COMMAND,
        _scan,
        capabilities=_CAPABILITIES,
        tags=(ON_ERROR_TAG,),
        positional=(_STRING,),
        stages=("data",),
    ),
    Spec(
        "spamscale",
        Kind.DEFINITION,
        _spamscale,
        capabilities=_CAPABILITIES,
        tags=(Tag(":header", value=_STRING),),
        positional=(_STRING,),
    ),
    Spec(
        "virusscale",
        Kind.DEFINITION,
        _virusscale,
        capabilities=_CAPABILITIES,
        positional=(_STRING, ArgumentType.NUMBER, ArgumentType.STRINGS),
    ),
)
