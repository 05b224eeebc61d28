"""The answers of a stage: accept, ereject, reject, tempfail (vnd.mtad.verdict; RFC 5429 for the rejections).

In a stage they are final: nothing behind them is executed. In a plain script RFC 5429 holds, and they are not.
"""

from __future__ import annotations

import re

from mtad.mail.reply import Reply
from mtad.sieve.actions import Accept, Delay, Refuse, Unless
from mtad.sieve.code import Code, Plain, perform
from mtad.sieve.language import OUTSIDE, SESSION_STAGES, ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.template import fixed

_CAPABILITY = "vnd.mtad.verdict"
_RELAY = ("connect", "auth", "rcpt")  # not where the client's own words could be all that speaks for it
_LINES_MAX = 20
DELAY_SECONDS_MAX = 60  # of one stage, whatever its delays come to
_PREFIX = re.compile(r"([245]\d\d) ([245]\.\d{1,3}\.\d{1,3}) +")
_ENHANCED = re.compile(r"[45]\.[0-9]{1,3}\.[0-9]{1,3}\Z")
_CLOSING = 421  # RFC 5321 §3.8: whatever command it answers, the connection ends
_DEFAULT_CODES = {4: 451, 5: 550}
_GREETING_CODES = {4: 421, 5: 554}  # RFC 5321 §3.1, §3.8: the replies that may stand in place of a greeting
_DEFAULT_ENHANCED = {4: "4.7.1", 5: "5.7.1"}


def _accept(bound: Bound) -> Code:
    if bound.has(":relay") and bound.stage not in _RELAY:
        return bound.fail(bound.at, f"accept :relay is legal in the stages {', '.join(_RELAY)} only")
    is_relay, text = bound.has(":relay"), bound.tag_template(":text") or fixed("")
    if text.constant is not None:
        return perform(Accept(is_relay, _first_line(text.constant)), is_terminal=True)
    return Plain(lambda run: run.act(Accept(is_relay, _first_line(text.read(run))), is_terminal=True))


def _first_line(text: str) -> str:
    return _ascii(text).partition("\r\n")[0]


def _reject(bound: Bound) -> Code:
    return _refuse(bound, 5, Unless.NOW)


def _tempfail(bound: Bound) -> Code:
    unless = Unless(bound.chosen.get("unless", Unless.NOW.value))
    if unless is not Unless.NOW and bound.has(":disconnect"):
        return bound.fail(bound.at, f"tempfail {unless.value} stands beside :disconnect: only one of them is possible")
    return _refuse(bound, 4, unless)


def _refuse(bound: Bound, first_digit: int, unless: Unless) -> Code:
    given = bound.strings(0).items[0]
    at = given.at
    code, enhanced, code_at, enhanced_at = _given_codes(bound, first_digit)
    prefix = _PREFIX.match(given.value)
    if prefix is not None:
        if code_at is not None or enhanced_at is not None:
            return bound.fail(at, "the reason starts with codes of its own: give them there or by tags, not both")
        code, enhanced, given = int(prefix[1]), prefix[2], given._replace(value=given.value[prefix.end() :])
    if code // 100 != first_digit:
        return bound.fail(code_at or at, f"{bound.spec.name} answers {first_digit}xx, not {code}")
    if not _ENHANCED.match(enhanced) or int(enhanced[0]) != first_digit:
        wanted = f"an enhanced code {first_digit}.x.x"
        return bound.fail(enhanced_at or at, f'{bound.spec.name} needs {wanted}, not "{enhanced}"')
    reason, log = bound.template(given), bound.tag_template(":log") or fixed("")
    if len(_lines(reason.constant or "")) > _LINES_MAX:
        return bound.fail(at, f"a reason may have {_LINES_MAX} lines")
    is_disconnect = bound.has(":disconnect") or code == _CLOSING
    is_terminal = bound.stage != OUTSIDE and unless is Unless.NOW

    def refusal(reason: str, log: str) -> Refuse:
        return Refuse(Reply.of(code, enhanced, *_lines(reason)[:_LINES_MAX]), is_disconnect, log, unless)

    if reason.constant is not None and log.constant is not None:
        return perform(refusal(reason.constant, log.constant), is_terminal=is_terminal)
    return Plain(lambda run: run.act(refusal(reason.read(run), log.read(run)), is_terminal=is_terminal))


def _lines(reason: str) -> list[str]:
    return _ascii(reason).strip("\r\n").split("\r\n")


def _given_codes(bound: Bound, first_digit: int) -> tuple[int, str, int | None, int | None]:
    """Return the code and the enhanced code by tags or default, and where the tags' values stand."""
    code, enhanced = bound.tag_number(":code"), bound.tag_strings(":enhanced")
    defaults = _GREETING_CODES if bound.stage == "connect" else _DEFAULT_CODES
    return (
        code.value if code is not None else defaults[first_digit],
        enhanced.items[0].value if enhanced is not None else _DEFAULT_ENHANCED[first_digit],
        code.at if code is not None else None,
        enhanced.at if enhanced is not None else None,
    )


def _ascii(text: str) -> str:
    """Replace what the client may not be able to read (RFC 5429 §2.1.1)."""
    return text.encode("ascii", "replace").decode()


_REPLY_TAGS = (
    Tag(":code", value=ArgumentType.NUMBER, capability=_CAPABILITY),
    Tag(":enhanced", value=ArgumentType.STRING, capability=_CAPABILITY),
    Tag(":disconnect", capability=_CAPABILITY),
    Tag(":log", value=ArgumentType.TEXT, capability=_CAPABILITY),
)
_UNLESS_TAGS = (Tag(Unless.IF_ACCEPT.value, "unless"), Tag(Unless.IF_REJECT.value, "unless"))
_REASON = (ArgumentType.TEXT,)

REJECT = tuple(
    Spec(
        name,
        Kind.COMMAND,
        _reject,
        capabilities=(name, _CAPABILITY),
        tags=_REPLY_TAGS,
        positional=_REASON,
        stages=(OUTSIDE, *SESSION_STAGES),
    )
    for name in ("ereject", "reject")
)


def _delay(bound: Bound) -> Code:
    if not 1 <= bound.number(0) <= DELAY_SECONDS_MAX:
        return bound.fail(bound.at, f"a delay is 1 to {DELAY_SECONDS_MAX} seconds")
    return perform(Delay(bound.number(0)), is_terminal=False)


VERDICT = (
    Spec(
        "delay",
        Kind.COMMAND,
        _delay,
        capabilities=(_CAPABILITY,),
        positional=(ArgumentType.NUMBER,),
        stages=SESSION_STAGES,
    ),
    Spec(
        "accept",
        Kind.COMMAND,
        _accept,
        capabilities=(_CAPABILITY,),
        tags=(Tag(":relay"), Tag(":text", value=ArgumentType.TEXT)),
        stages=SESSION_STAGES,
    ),
    Spec(
        "tempfail",
        Kind.COMMAND,
        _tempfail,
        capabilities=(_CAPABILITY,),
        tags=_REPLY_TAGS + _UNLESS_TAGS,
        positional=_REASON,
        stages=SESSION_STAGES,
    ),
)
