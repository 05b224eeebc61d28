"""Which version of the protocol brought what, so that two adjacent versions replicate with each other.

A link speaks the smaller of the two versions that its ends know at most. What may change between versions:

- a field is added: it needs no entry here. An older member skips it, and its absence must mean what an older member
  means by saying nothing;
- a kind of message or of record is added: it has an entry here, and goes to no member of an older version;
- Hello and Bye are said before the version is known: they are the same in every version but for added fields;
- the rank of a part is no kind: ranks sort by their number, and are terminal from the terminal rank on, known or not.

A record of a kind that is not known here comes from a member that was of a newer version when it wrote it. Its number
says what follows: below CRITICAL_BELOW nothing may be concluded from a state that lacks it, so its branch stops before
it and this member does not own until it is upgraded; from there on it is kept and passed on as it came.
"""

from __future__ import annotations

from collections.abc import Iterable

from replicator.core import messages as core
from replicator.core.values import Kind, Record

VERSION_MIN = 1
VERSION_MAX = 2  # fields: by which rules a member plays, what it has received, which sites it feeds

MESSAGES: dict[type, int] = {
    core.Hello: 1,
    core.Bye: 1,
    core.Records: 1,
    core.Ack: 1,
    core.Beat: 1,
    core.SnapshotBegin: 1,
    core.SnapshotItem: 1,
    core.SnapshotEnd: 1,
    core.Handover: 1,
    core.Fetch: 1,
    core.Fetched: 1,
    core.Compare: 1,
    core.Compared: 1,
}

RECORDS: dict[int, int] = dict.fromkeys(Kind, 1)

CRITICAL_BELOW = 64  # kinds of records from here on may be kept without being understood


def chosen(version_min: int, version_max: int) -> int:
    """Return the version that a link to such a member speaks; 0 when there is none."""
    version = min(version_max, VERSION_MAX)
    return version if version >= max(version_min, VERSION_MIN) else 0


def may_write(version: int, records: Iterable[Record]) -> bool:
    """Tell whether a member of that version knows the kinds of these records."""
    return version >= VERSION_MAX or all(version >= RECORDS[record.kind] for record in records)


def first_critical(records: Iterable[Record]) -> int:
    """Return how many records come before the first one without which nothing may be concluded; -1: none does."""
    for index, record in enumerate(records):
        if type(record.kind) is not Kind and record.kind < CRITICAL_BELOW:
            return index
    return -1
