"""By which key a message is signed: `sign` (vnd.mtad.sign)."""

from __future__ import annotations

from mtad.sieve.actions import Sign
from mtad.sieve.code import Code, Plain, perform
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.template import fixed


def _sign(bound: Bound) -> Code:
    if bound.stands_in("foreachrcpt"):
        return bound.fail(bound.at, "sign cannot stand in foreachrcpt")
    domain, selector = bound.tag_template(":domain"), bound.tag_template(":selector") or fixed("")
    if domain is None:
        return bound.fail(bound.at, "sign needs :domain")
    if domain.constant is not None and selector.constant is not None:
        return perform(Sign(domain.constant, selector.constant), is_terminal=False)
    read_domain, read_selector = domain.read, selector.read
    return Plain(lambda run: run.act(Sign(read_domain(run), read_selector(run))))


SIGN = (
    Spec(
        "sign",
        Kind.COMMAND,
        _sign,
        capabilities=("vnd.mtad.sign",),
        tags=(Tag(":domain", value=ArgumentType.TEXT), Tag(":selector", value=ArgumentType.TEXT)),
        stages=("data",),
    ),
)
