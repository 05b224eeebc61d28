"""The verbs that bring a content, DATA and BDAT: whether it may come now (RFC 5321 §4.1.1.4, RFC 1870 §6, RFC 3030 §2).

What a verb comes to is a value: the session puts the transaction into its slot before it aborts what was there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mtad.mail.reply import Reply, local_fault
from mtad.server.answering import answer_all
from mtad.server.chunking import BINARY_BY_DATA, CHUNK_REFUSED, TOO_SLOW, Chunk, ChunkReader, ChunkSize
from mtad.server.service import Service
from mtad.server.step import Step, Then
from mtad.server.transaction import Transaction

MAIL_FIRST = Step(Reply.of(503, "5.5.1", "Need MAIL command"))
_START_CONTENT = Step(Reply.of(354, "", "End data with <CR><LF>.<CR><LF>"), Then.CONTENT)
_NO_RECIPIENTS = Step(Reply.of(554, "5.5.1", "No valid recipients"))
_NO_RECIPIENTS_OF_LMTP = Step(Reply.of(503, "5.5.1", "No valid recipients"))  # RFC 2033 §4.2
_NO_ROOM = Step(Reply.of(452, "4.3.1", "Too much mail in hand, try again later"))


@dataclass(frozen=True, slots=True)
class Begun:
    """What DATA or BDAT comes to.

    transaction   as it is from now on; None ends it
    is_aborted    the next hops are told that nothing will come
    """

    answer: Step | Chunk
    transaction: Transaction | None
    is_aborted: bool = False


def begin_data(service: Service, transaction: Transaction | None) -> Begun:
    """Answer DATA."""
    if transaction is None:
        return Begun(MAIL_FIRST, None)
    if transaction.chunks is not None:
        return Begun(transaction.chunks.refusal, transaction)
    if transaction.envelope.is_binary:
        return Begun(BINARY_BY_DATA, transaction)
    if transaction.is_broken:
        return Begun(Step(local_fault(transaction.queue_id)), None, is_aborted=True)
    return Begun(_no_content(service, transaction) or _START_CONTENT, transaction)


def brings_nothing(transaction: Transaction | None, size: ChunkSize) -> bool:
    """Tell whether a chunk brings no message closer; a client may not go on with such for ever."""
    if transaction is not None and transaction.chunks is not None and transaction.chunks.is_spoilt:
        return True
    return not size.octets_count and not size.is_last


def begin_chunk(service: Service, transaction: Transaction | None, size: ChunkSize) -> Begun:
    """Answer BDAT: the chunk's octets follow, whatever the answer is."""
    if transaction is None:
        return Begun(Chunk(size, refusal=MAIL_FIRST), None)
    begun = _next_chunk(service, transaction, size)
    chunk = begun.answer
    if not size.is_last or isinstance(chunk, Step) or chunk.refusal is None:
        return begun
    refusal = answer_all(chunk.refusal, transaction.hears, transaction.named)
    return replace(begun, answer=replace(chunk, refusal=refusal))


def _next_chunk(service: Service, transaction: Transaction, size: ChunkSize) -> Begun:
    if transaction.is_broken:
        fault = Step(local_fault(transaction.queue_id))
        return Begun(Chunk(size, refusal=fault), None, is_aborted=True)
    if transaction.chunks is None:
        return _first_chunk(service, transaction, size)
    if transaction.chunks.is_spoilt:
        return Begun(Chunk(size, refusal=CHUNK_REFUSED), transaction)
    if service.clock.now() >= transaction.chunks.latest:
        return Begun(TOO_SLOW, transaction)
    transaction.chunks.expect(size.octets_count)
    return Begun(Chunk(size, transaction.chunks), transaction)


def _first_chunk(service: Service, transaction: Transaction, size: ChunkSize) -> Begun:
    """Begin the content; without a recipient, or room for it, no chunk is accepted before RSET."""
    limits = service.limits
    reader = ChunkReader(
        service.budget,
        size_octets_max=limits.content.size_octets_max,
        line_octets_max=limits.content.line_octets_max,
        latest=service.clock.now() + limits.seconds.data,
        is_binary=transaction.envelope.is_binary,
    )
    transaction = transaction.with_chunks(reader)
    refusal = _no_content(service, transaction)
    if refusal is None:
        reader.expect(size.octets_count)
        return Begun(Chunk(size, reader), transaction)
    reader.refuse()
    return Begun(Chunk(size, refusal=refusal), None if size.is_last else transaction.refused(), is_aborted=True)


def _no_content(service: Service, transaction: Transaction) -> Step | None:
    """Return why no content is wanted; None when it may come."""
    if not transaction.recipients_count:
        return _NO_RECIPIENTS_OF_LMTP if service.entrance.is_lmtp else _NO_RECIPIENTS
    return None if service.budget.has(transaction.envelope.size_declared_octets) else _NO_ROOM
