"""Queue ids: sixteen letters that sort by time and name the node.

Ten of Crockford's base 32 for the milliseconds since 1970, one for the node, five for chance and count.
"""

from __future__ import annotations

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 16
NODES_MAX = len(ALPHABET)
_COUNT_MAX = 1 << 25

QueueId = str


def _letters(value: int, length: int) -> str:
    return "".join(ALPHABET[(value >> shift) & 31] for shift in range(5 * (length - 1), -1, -5))


class QueueIdSource:
    """Makes one process's queue ids: each greater than the one before, whatever the clock does.

    The low half starts at a random point in every millisecond, so that processes of one node do not meet.
    """

    def __init__(self, node: int) -> None:
        if not 0 <= node < NODES_MAX:
            raise ValueError(f"node must be 0 to {NODES_MAX - 1}, not {node}")
        self._node = node
        self._milliseconds = 0
        self._count = 0

    def next(self, wall_milliseconds: int, chance: int) -> QueueId:
        """Return the next queue id; `chance` is a random number of at least 24 bits."""
        if wall_milliseconds > self._milliseconds:
            self._milliseconds = wall_milliseconds
            self._count = chance % (_COUNT_MAX // 2)
        else:
            self._count += 1
            if self._count == _COUNT_MAX:
                self._milliseconds += 1
                self._count = chance % (_COUNT_MAX // 2)
        return _letters(self._milliseconds, 10) + ALPHABET[self._node] + _letters(self._count, 5)


def node_of(queue_id: QueueId) -> int:
    """Return the node that gave this id. Errors: ValueError when it is none of ours."""
    if not is_queue_id(queue_id):
        raise ValueError(f"not a queue id: {queue_id!r}")
    return ALPHABET.index(queue_id[10])


def arrival_milliseconds(queue_id: QueueId) -> int:
    """Return the milliseconds since 1970 that the id carries."""
    value = 0
    for letter in queue_id[:10]:
        value = value * 32 + ALPHABET.index(letter)
    return value


def is_queue_id(text: str) -> bool:
    """Tell whether the text has the form of a queue id."""
    return len(text) == LENGTH and all(letter in ALPHABET for letter in text)
