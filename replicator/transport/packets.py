"""Messages into packets and back: many small ones travel together, a large one travels in pieces.

Beats and acknowledgements overtake what has to wait, so that a large item on a slow line is not taken for silence, and
nobody waits behind a snapshot for what the disk has. All else keeps its order.
"""

from __future__ import annotations

from collections import deque
from itertools import chain

from replicator.codec import DamagedError
from replicator.core.messages import Records
from replicator.pb import replicator_pb2 as pb

PACKET_OCTETS = 1 << 20
PACKET_MESSAGES_MAX = 4096
GATHERED_OCTETS_MAX = PACKET_OCTETS // 2
_FRAME_OCTETS = 16  # about what a message costs beside its own octets


class Outgoing:
    """What waits to be sent on one link, bounded by octets.

    packet_octets   of one packet at most, unless one message or a piece of it is a little larger
    """

    def __init__(self, octets_max: int, packet_octets: int = PACKET_OCTETS) -> None:
        self._octets_max = octets_max
        self._packet_octets = packet_octets
        self._waiting: deque[bytes] = deque()
        self._urgent: deque[bytes] = deque()
        self._offset = 0  # how much of the first one has gone, in pieces
        self._has_begun = False
        self.octets = 0

    def put(self, message: bytes, *, is_urgent: bool = False) -> bool:
        """Add a message; False when there is no room. is_urgent: before what waits, if it is much."""
        size = len(message) + _FRAME_OCTETS
        if self.octets + size > self._octets_max and self.octets:
            return False
        may_overtake = is_urgent and self._has_begun and self.octets > self._packet_octets // 4
        (self._urgent if may_overtake else self._waiting).append(message)
        self.octets += size
        return True

    def take(self) -> pb.Packet | None:
        """Return the next packet, or None when nothing waits."""
        packet = pb.Packet()
        room = self._packet_octets
        while self._urgent:
            room -= self._take_from(self._urgent, packet)
        if self._waiting and (self._offset or len(self._waiting[0]) > self._packet_octets):
            self._take_piece(packet)
            return packet
        while self._waiting and len(packet.messages) < PACKET_MESSAGES_MAX and len(self._waiting[0]) <= room:
            room -= self._take_from(self._waiting, packet)
        if not packet.messages:
            return None
        self._has_begun = True
        return packet

    def _take_from(self, messages: deque[bytes], packet: pb.Packet) -> int:
        message = messages.popleft()
        packet.messages.append(message)
        size = len(message) + _FRAME_OCTETS
        self.octets -= size
        return size

    def _take_piece(self, packet: pb.Packet) -> None:
        message = self._waiting[0]
        packet.fragment = message[self._offset : self._offset + self._packet_octets]
        self._offset += self._packet_octets
        self._has_begun = True
        if self._offset >= len(message):
            packet.is_last = True
            self._offset = 0
            self._waiting.popleft()
            self.octets -= len(message) + _FRAME_OCTETS


class Gathered:
    """Consecutive records that wait to become one message, while the line is busy with those before them."""

    def __init__(self) -> None:
        self._runs: list[Records] = []
        self._next_seq = 0
        self._octets = 0

    def add(self, run: Records) -> bool:
        """Take records in; False when they do not follow those that are here, or would make the message too large."""
        octets = sum(len(record.blob) + len(record.meta) for record in run.records)
        if self._runs:
            follows = run.branch == self._runs[0].branch and run.first_seq == self._next_seq
            if not follows or self._octets + octets > GATHERED_OCTETS_MAX:
                return False
        self._runs.append(run)
        self._next_seq = run.first_seq + len(run.records)
        self._octets += octets
        return True

    def take(self) -> Records | None:
        """Return what was gathered as one; None when there is nothing."""
        runs, self._runs, self._octets = self._runs, [], 0
        if len(runs) <= 1:
            return runs[0] if runs else None
        return Records(runs[0].branch, runs[0].first_seq, tuple(chain.from_iterable(run.records for run in runs)))


class Incoming:
    """Puts the pieces of one link together again, up to a limit."""

    def __init__(self, message_octets_max: int) -> None:
        self._message_octets_max = message_octets_max
        self._pieces: list[bytes] = []
        self._octets = 0

    def messages(self, packet: pb.Packet) -> list[bytes]:
        """Return the messages that this packet completes. Errors: DamagedError when one is too large."""
        complete = list(packet.messages)
        if packet.fragment:
            self._octets += len(packet.fragment)
            if self._octets > self._message_octets_max:
                raise DamagedError(f"a message of more than {self._message_octets_max} octets")
            self._pieces.append(packet.fragment)
        if packet.is_last:
            complete.append(b"".join(self._pieces))
            self._pieces.clear()
            self._octets = 0
        return complete
