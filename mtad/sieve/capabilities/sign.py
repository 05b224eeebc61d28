"""By which key a message is signed: `sign` (vnd.mtad.sign)."""

from __future__ import annotations

import re

from mtad.sieve.actions import Sign
from mtad.sieve.code import Code, Plain, perform
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.template import fixed

FIELDS_MAX = 64
_NAME = re.compile(r"[!-9;-~]{1,76}")  # RFC 5322 §3.6.8


def _sign(bound: Bound) -> Code:
    if bound.stands_in("foreachrcpt"):
        return bound.fail(bound.at, "sign cannot stand in foreachrcpt")
    domain, selector = bound.tag_template(":domain"), bound.tag_template(":selector") or fixed("")
    if domain is None:
        return bound.fail(bound.at, "sign needs :domain")
    given = bound.tag_strings(":headers")
    names = given.items if given is not None else ()
    wrong = next((name for name in names if not _NAME.fullmatch(name.value)), None)
    if wrong is not None:
        return bound.fail(wrong.at, f'"{wrong.value}" is no name of a header field')
    if len(names) > FIELDS_MAX:
        return bound.fail(names[FIELDS_MAX].at, f"sign may have {FIELDS_MAX} :headers")
    fields = tuple(dict.fromkeys(name.value.lower() for name in names))
    if domain.constant is not None and selector.constant is not None:
        return perform(Sign(domain.constant, selector.constant, fields), is_terminal=False)
    read_domain, read_selector = domain.read, selector.read
    return Plain(lambda run: run.act(Sign(read_domain(run), read_selector(run), fields)))


SIGN = (
    Spec(
        "sign",
        Kind.COMMAND,
        _sign,
        capabilities=("vnd.mtad.sign",),
        tags=(
            Tag(":domain", value=ArgumentType.TEXT),
            Tag(":selector", value=ArgumentType.TEXT),
            Tag(":headers", value=ArgumentType.STRINGS),
        ),
        stages=("data", "deliver"),
    ),
)
