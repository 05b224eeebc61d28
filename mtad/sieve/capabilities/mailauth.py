"""Who sent a message (vnd.mtad.mailauth): tests of SPF, DKIM, DMARC and ARC, and the field that tells of them.

    spf   [":helo"] [":onerror" <string>] [COMPARATOR] [MATCH-TYPE] <results: string-list>
    dkim  [":domain" <string>] [":selector" <string>] [":onerror" <string>] [COMPARATOR] [MATCH-TYPE] <results>
    dmarc [":policy" / ":result"] [":onerror" <string>] [COMPARATOR] [MATCH-TYPE] <keys: string-list>
    arc   [":onerror" <string>] [COMPARATOR] [MATCH-TYPE] <results: string-list>
    authresults [":id" <string>]

A method that nobody can try is neither a pass nor a fail: the key "unavailable" is true of it, and where a test does
not ask for that, its stage ends for now, unless `:onerror` says what the test is to answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from mtad.mail.authenticity import (
    FIELD_NAME,
    POLICIES,
    RESULTS,
    Finding,
    Found,
    Method,
    NoMethods,
    Subject,
    Untried,
    field_value,
    server_id_of,
)
from mtad.sieve.capabilities.editheader import stands_apart
from mtad.sieve.code import Code, Waiting
from mtad.sieve.edits import AddField, DeleteFields, without
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.match import MATCH_TAGS, is_count, matching
from mtad.sieve.message import FIELD_LENGTH_MAX
from mtad.sieve.onerror import ON_ERROR_TAG, TEMPFAIL, UNAVAILABLE, asks_for_unavailable, on_error
from mtad.sieve.run import Run, ScriptFailed

CAPABILITY = "vnd.mtad.mailauth"
_NONE = "none"
_WITH_CONTENT = "data"  # the stage
_FOLDED_NAME = FIELD_NAME.lower()
_SERVER_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?\Z")

Values = Callable[[Run, Sequence[Finding]], Sequence[str]]


def _spf(bound: Bound) -> Code:
    return _tried(bound, Method.SPF, RESULTS[Method.SPF], lambda run, found: _results(found))


def _arc(bound: Bound) -> Code:
    return _tried(bound, Method.ARC, RESULTS[Method.ARC], lambda run, found: _results(found))


def _dkim(bound: Bound) -> Code:
    domain, selector = bound.tag_template(":domain"), bound.tag_template(":selector")
    no_signature = [] if is_count(bound) else [_NONE]

    def values(run: Run, found: Sequence[Finding]) -> Sequence[str]:
        if domain is not None:
            wanted = domain.read(run).lower()
            found = [one for one in found if one.domain.lower() == wanted]
        if selector is not None:
            wanted_selector = selector.read(run).lower()
            found = [one for one in found if one.selector.lower() == wanted_selector]
        return _results(found) or no_signature

    return _tried(bound, Method.DKIM, RESULTS[Method.DKIM], values)


def _dmarc(bound: Bound) -> Code:
    if bound.has(":policy"):
        return _tried(bound, Method.DMARC, POLICIES, lambda run, found: [one.policy for one in found if one.policy])
    return _tried(bound, Method.DMARC, RESULTS[Method.DMARC], lambda run, found: _results(found))


def _results(found: Sequence[Finding]) -> list[str]:
    return [one.result for one in found]


def _subject(bound: Bound) -> Callable[[Run], Subject]:
    """Make what says what is looked at."""
    is_of_helo, has_content = bound.has(":helo"), bound.stage == _WITH_CONTENT

    def read(run: Run) -> Subject:
        facts = run.facts
        sender = "" if is_of_helo else facts.envelope("from")[0]
        content = facts.message().octets if has_content else b""
        return Subject(facts.environment("remote-ip"), facts.environment("vnd.mtad.helo"), sender, content)

    return read


def _tried(bound: Bound, method: Method, words: Collection[str], values: Values) -> Code:
    """Make a test of what a method comes to."""
    methods, subject = bound.unit.outside.methods, _subject(bound)
    is_match, failed = matching(bound, bound.templates(0)), on_error(bound, method, TEMPFAIL)
    if isinstance(methods, NoMethods):
        bound.unit.defined.lacks.add(bound.spec.name)
    _check_keys(bound, [*sorted(words), UNAVAILABLE])
    is_asked_for = asks_for_unavailable(bound, 0)

    async def ask(run: Run) -> bool:
        found = await methods.findings(method, subject(run))
        if isinstance(found, Untried):
            return is_asked_for or failed(run, found.why)
        return is_match(run, values(run, found))

    return Waiting(ask)


def _check_keys(bound: Bound, words: Sequence[str]) -> None:
    """Report the keys that nothing can be equal to."""
    for item in bound.strings(0).items if bound.chosen.get("match", ":is") == ":is" else ():
        if "${" not in item.value and item.value.lower() not in words:
            bound.fail(item.at, f'"{item.value}" is none of {", ".join(words)}')


def _authresults(bound: Bound) -> Code:
    if around := stands_apart(bound):
        return bound.fail(bound.at, f"authresults cannot stand in {around}")
    given, methods, subject_of = bound.tag_strings(":id"), bound.unit.outside.methods, _subject(bound)
    if given is not None and not _SERVER_ID.match(given.items[0].value):
        return bound.fail(given.at, f'"{given.items[0].value}" is no name of a server')
    server_id = given.items[0].value if given is not None else ""

    async def add(run: Run) -> bool:
        by = server_id or run.facts.environment("host")
        if not by:
            raise ScriptFailed("the name of this server is not known")
        subject = subject_of(run)
        found: list[Found] = []
        for method in Method:
            one = await methods.findings(method, subject)
            found += [] if isinstance(one, Untried) else [(method, finding) for finding in one]
        identity = next(iter(run.facts.envelope("auth")), "")
        _forget_forged(run, by)
        value = field_value(by, identity, found)[:FIELD_LENGTH_MAX]
        message = run.message()
        run.edited = message.with_fields([(FIELD_NAME, value), *message.fields()])
        return run.act(AddField(FIELD_NAME, value))

    return Waiting(add)


def _forget_forged(run: Run, server_id: str) -> None:
    """Take out the fields that claim to be ours: the message came with them (RFC 8601 §5).

    One whose author cannot be read goes too: whoever reads it otherwise may take it for ours.
    """
    message = run.message()
    values, ours = message.values(_FOLDED_NAME), server_id_of(server_id)
    run.spend(len(values) + len(Method))
    places = tuple(at for at, value in enumerate(values) if server_id_of(value) in ("", ours))
    if places:
        run.edited = message.with_fields(
            without(message.fields(), lambda field: field[0].lower() == _FOLDED_NAME, places)
        )
        run.act(DeleteFields(_FOLDED_NAME, places))


_CAPABILITIES = (CAPABILITY,)
_TEXT = ArgumentType.TEXT
_TAGS = (*MATCH_TAGS, ON_ERROR_TAG)
_KEYS = (ArgumentType.TEXTS,)

MAILAUTH = (
    Spec(
        "spf",
        Kind.TEST,
        _spf,
        capabilities=_CAPABILITIES,
        tags=(Tag(":helo"), *_TAGS),
        positional=_KEYS,
        stages=("mail", "rcpt", "data"),
    ),
    Spec(
        "dkim",
        Kind.TEST,
        _dkim,
        capabilities=_CAPABILITIES,
        tags=(Tag(":domain", value=_TEXT), Tag(":selector", value=_TEXT), *_TAGS),
        positional=_KEYS,
        stages=("data",),
    ),
    Spec(
        "dmarc",
        Kind.TEST,
        _dmarc,
        capabilities=_CAPABILITIES,
        tags=(Tag(":policy", "what"), Tag(":result", "what"), *_TAGS),
        positional=_KEYS,
        stages=("data",),
    ),
    Spec("arc", Kind.TEST, _arc, capabilities=_CAPABILITIES, tags=_TAGS, positional=_KEYS, stages=("data",)),
    Spec(
        "authresults",
        Kind.COMMAND,
        _authresults,
        capabilities=_CAPABILITIES,
        tags=(Tag(":id", value=ArgumentType.STRING),),
        stages=("data",),
    ),
)
