"""Whether mail could be sent back: `validsender` (vnd.mtad.lookup).

    validsender [":onerror" <string>]       whether the domain of the reverse-path takes mail (RFC 5321 §5.1, RFC 7505)

The null reverse-path is valid, for nothing is sent back to it; so is an address literal, which DNS knows nothing of.
What cannot be known ends the stage for now, unless `:onerror` says otherwise.
"""

from __future__ import annotations

import asyncio

from mtad.dns.mx import MxHosts, MxUnknown, mx_answer
from mtad.dns.resolver import Found, Unknown
from mtad.sieve.code import Code, Waiting
from mtad.sieve.language import Bound, Kind, Spec
from mtad.sieve.onerror import ON_ERROR_TAG, TEMPFAIL, on_error
from mtad.sieve.run import Run

_ADDRESS_TYPES = ("A", "AAAA")


def _validsender(bound: Bound) -> Code:
    names, failed = bound.unit.outside.names, on_error(bound, "validsender", TEMPFAIL)

    async def ask(run: Run) -> bool:
        domain = run.facts.envelope("from")[0].rpartition("@")[2]
        if not domain or domain.startswith("["):
            return True
        found = mx_answer(domain, await names.lookup(domain, "MX"))
        if isinstance(found, MxUnknown):
            return failed(run, f"MX of {domain}: {found.why}")
        if not isinstance(found, MxHosts) or not found.is_implicit:
            return isinstance(found, MxHosts)
        answers = await asyncio.gather(*(names.lookup(domain, record_type) for record_type in _ADDRESS_TYPES))
        if any(isinstance(answer, Found) for answer in answers):
            return True
        unknown = next((answer for answer in answers if isinstance(answer, Unknown)), None)
        return unknown is not None and failed(run, f"address of {domain}: {unknown.why}")

    return Waiting(ask)


VALIDSENDER = (
    Spec(
        "validsender",
        Kind.TEST,
        _validsender,
        capabilities=("vnd.mtad.lookup",),
        tags=(ON_ERROR_TAG,),
        stages=("mail", "rcpt", "data"),
    ),
)
