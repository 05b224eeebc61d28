"""Whether the name that an address has leads back to it (RFC 8601 §3)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from mtad.dns.asking import Names
from mtad.dns.resolver import Absent, Answer, Found, Unknown
from mtad.mail.ip_address import parse_ip

NAMES_MAX = 10  # of one address that are looked at


class IprevResult(StrEnum):
    """The results, by their names (§2.7.3)."""

    PASS = "pass"  # noqa: S105 - a result
    FAIL = "fail"  # it has names, and none of them has it
    TEMPERROR = "temperror"
    PERMERROR = "permerror"  # it has no name


@dataclass(frozen=True, slots=True)
class Iprev:
    """The result, and the name that was confirmed."""

    result: IprevResult
    name: str = ""


async def iprev(names: Names, address_text: str) -> Iprev:
    """Look the address up, and its names at once."""
    address = parse_ip(address_text)
    if address is None:
        return Iprev(IprevResult.PERMERROR)
    reverse = await names.lookup(address.reverse_pointer, "PTR")
    if isinstance(reverse, Unknown):
        return Iprev(IprevResult.TEMPERROR)
    if isinstance(reverse, Absent):
        return Iprev(IprevResult.PERMERROR)
    hosts = reverse.records[:NAMES_MAX]
    record_type = "A" if address.version == 4 else "AAAA"
    answers = await asyncio.gather(*(names.lookup(host, record_type) for host in hosts))
    for host, answer in zip(hosts, answers, strict=True):
        if any(parse_ip(record) == address for record in _records(answer)):
            return Iprev(IprevResult.PASS, host)
    is_known = not any(isinstance(answer, Unknown) for answer in answers)
    return Iprev(IprevResult.FAIL if is_known else IprevResult.TEMPERROR)


def _records(answer: Answer) -> tuple[str, ...]:
    return answer.records if isinstance(answer, Found) else ()
