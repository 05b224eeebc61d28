"""Making inputs of inputs, looking for a fault, and making the fault small. Seeded: a seed tells the whole search."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.fuzz.targets import OCTETS_MAX, Target

_TOKENS = (
    b"\r\n", b"\r", b"\n", b"\0", b".", b"\r\n.\r\n", b" ", b"<", b">", b"@", b":", b"-", b"=", b"\xff", b"\xc3\xa9",
    b"EHLO ", b"MAIL FROM:<", b"RCPT TO:<", b"DATA\r\n", b"BDAT ", b" LAST", b"RSET\r\n", b"QUIT\r\n", b"STARTTLS\r\n",
    b"250 ", b"250-", b"354 ", b"421 ", b"550 ", b"5.1.1 ", b"SIZE=", b"ORCPT=", b"NOTIFY=", b"BODY=", b" PRDR",
)  # fmt: skip
_CHANGES_MAX = 4
_KEPT_MAX = 2000
_KNOWN_MAX = 1_000_000

Feed = Callable[[bytes], object]


def mutated(octets: bytes, others: Sequence[bytes], dice: random.Random) -> bytes:
    """Return octets a few changes away."""
    for _ in range(dice.randint(1, _CHANGES_MAX)):
        octets = dice.choice(_CHANGES)(octets, others, dice)
    return octets[:OCTETS_MAX]


def _flipped(octets: bytes, others: Sequence[bytes], dice: random.Random) -> bytes:
    at = dice.randrange(len(octets) + 1)
    return octets[:at] + bytes([dice.randrange(256)]) + octets[at + 1 :]


def _inserted(octets: bytes, others: Sequence[bytes], dice: random.Random) -> bytes:
    at = dice.randrange(len(octets) + 1)
    return octets[:at] + dice.choice(_TOKENS) + octets[at:]


def _cut_out(octets: bytes, others: Sequence[bytes], dice: random.Random) -> bytes:
    at = dice.randrange(len(octets) + 1)
    return octets[:at] + octets[at + dice.choice((1, 2, 5, 20, 80)) :]


def _repeated(octets: bytes, others: Sequence[bytes], dice: random.Random) -> bytes:
    at = dice.randrange(len(octets) + 1)
    piece = octets[at : at + dice.choice((1, 4, 20, 60))]
    return octets[:at] + piece * dice.choice((2, 3, 40)) + octets[at:]


def _spliced(octets: bytes, others: Sequence[bytes], dice: random.Random) -> bytes:
    other = dice.choice(others)
    return octets[: dice.randrange(len(octets) + 1)] + other[dice.randrange(len(other) + 1) :]


_CHANGES = (_flipped, _inserted, _inserted, _cut_out, _repeated, _spliced, _spliced)


def fault_of(feed: Feed, octets: bytes) -> str:
    """Return how a target fails; '' when it does not."""
    try:
        feed(octets)
    except Exception:  # whatever it raises is what was looked for
        return traceback.format_exc()
    return ""


def minimised(feed: Feed, octets: bytes) -> bytes:
    """Return the smallest octets, with pieces left out, that still are a fault."""
    size = max(len(octets) // 2, 1)
    while True:
        at = 0
        while at < len(octets):
            shorter = octets[:at] + octets[at + size :]
            if fault_of(feed, shorter):
                octets = shorter
            else:
                at += size
        if size == 1:
            return octets
        size //= 2


@dataclass(slots=True)
class Found:
    """What a search has come to. `kinds_count`: of what the target was seen to do."""

    inputs_count: int = 0
    kinds_count: int = 0
    seconds: float = 0.0
    fault: bytes | None = None


def search(target: Target, inputs_count: int, seed: int) -> Found:
    """Feed a target with so many inputs, up to the first fault, which is made small."""
    dice = random.Random(seed)
    kept = target.seeds()
    seeds_count = len(kept)
    known: set[int] = set()
    found = Found()
    begun = time.monotonic()
    while found.inputs_count < inputs_count and found.fault is None:
        number = found.inputs_count
        octets = kept[number] if number < seeds_count else mutated(dice.choice(kept), kept, dice)
        found.inputs_count += 1
        try:
            seen = hash(target.feed(octets))
        except Exception:  # the same
            found.fault = minimised(target.feed, octets)
            break
        if seen not in known and len(known) < _KNOWN_MAX:
            known.add(seen)
            _keep(kept, octets, seeds_count, dice)
    found.kinds_count = len(known)
    found.seconds = time.monotonic() - begun
    return found


def _keep(kept: list[bytes], octets: bytes, seeds_count: int, dice: random.Random) -> None:
    """Keep an input to make others of; when there are many, in the place of one that is no seed."""
    if len(kept) < seeds_count + _KEPT_MAX:
        kept.append(octets)
    else:
        kept[dice.randrange(seeds_count, len(kept))] = octets
