"""By which key a message is signed, and sealed (vnd.mtad.sign).

    sign [":domain" <string>] [":selector" <string>] [":headers" <string-list>]
    seal [":domain" <string>] [":selector" <string>] [":onerror" <string>]

A seal (RFC 8617) vouches for what SPF, DKIM, DMARC and ARC have found, which nobody here looks for yet: where it stands
the stage ends for now, unless `:onerror` says "continue".
"""

from __future__ import annotations

from mtad.sieve.actions import Sign
from mtad.sieve.code import Code, Plain, perform
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.onerror import ON_ERROR_TAG, or_continue
from mtad.sieve.sources import is_field_name
from mtad.sieve.template import fixed

FIELDS_MAX = 64
NAME_LENGTH_MAX = 76  # of a field: the signature lists them, and is folded between names alone (RFC 5322 §2.1.1)
_LOOP = "foreachrcpt"
_CAPABILITY = ("vnd.mtad.sign",)
_STAGES = ("data", "deliver")
_KEY = (Tag(":domain", value=ArgumentType.TEXT), Tag(":selector", value=ArgumentType.TEXT))


def _sign(bound: Bound) -> Code:
    if bound.stands_in(_LOOP):
        return bound.fail(bound.at, f"sign cannot stand in {_LOOP}")
    domain, selector = bound.tag_template(":domain"), bound.tag_template(":selector") or fixed("")
    if domain is None:
        return bound.fail(bound.at, "sign needs :domain")
    given = bound.tag_strings(":headers")
    names = given.items if given is not None else ()
    wrong = next((name for name in names if not is_field_name(name.value) or len(name.value) > NAME_LENGTH_MAX), None)
    if wrong is not None:
        return bound.fail(wrong.at, f'"{wrong.value}" is no name of a header field')
    if len(names) > FIELDS_MAX:
        return bound.fail(names[FIELDS_MAX].at, f"sign may have {FIELDS_MAX} :headers")
    fields = tuple(dict.fromkeys(name.value.lower() for name in names))
    if domain.constant is not None and selector.constant is not None:
        return perform(Sign(domain.constant, selector.constant, fields), is_terminal=False)
    read_domain, read_selector = domain.read, selector.read
    return Plain(lambda run: run.act(Sign(read_domain(run), read_selector(run), fields)))


def _seal(bound: Bound) -> Code:
    if bound.stands_in(_LOOP):
        return bound.fail(bound.at, f"seal cannot stand in {_LOOP}")
    domain, _ = bound.tag_template(":domain"), bound.tag_template(":selector")
    if domain is None:
        return bound.fail(bound.at, "seal needs :domain")
    bound.unit.defined.lacks.add(bound.spec.name)
    failed = or_continue(bound, bound.spec.name)
    return Plain(lambda run: failed(run, "ARC is not available"))


SIGN = (
    Spec(
        "sign",
        Kind.COMMAND,
        _sign,
        capabilities=_CAPABILITY,
        tags=(*_KEY, Tag(":headers", value=ArgumentType.STRINGS)),
        stages=_STAGES,
    ),
    Spec("seal", Kind.COMMAND, _seal, capabilities=_CAPABILITY, tags=(*_KEY, ON_ERROR_TAG), stages=_STAGES),
)
