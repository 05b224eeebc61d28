"""Scripts that do with what there is: `ihave`, `error` (RFC 5463).

What the engine lacks makes `ihave` false while the script is compiled, and nothing that stands behind it is looked at.
"""

from __future__ import annotations

from mtad.sieve.code import Code, Plain, constant
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec
from mtad.sieve.run import Run, ScriptFailed


def _ihave(bound: Bound) -> Code:
    return constant(bool(bound.truth))


def _error(bound: Bound) -> Code:
    text = bound.templates(0)[0]

    def fail(run: Run) -> bool:
        raise ScriptFailed(text.read(run))

    return Plain(fail)


IHAVE = (
    Spec("ihave", Kind.OFFER, _ihave, capabilities=("ihave",), positional=(ArgumentType.STRINGS,)),
    Spec("error", Kind.COMMAND, _error, capabilities=("ihave",), positional=(ArgumentType.TEXT,)),
)
