"""A message survives the way into the store and out of it."""

from dataclasses import replace

import pytest

from mtad.mail.deliver_by import DeliverBy, Late
from mtad.mail.dsn_request import MessageRequest, Notify, RecipientRequest, Return
from mtad.mail.envelope import Client
from mtad.mail.notes import NOTHING_NOTED, Noted, Notes
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.mail.route import Route, TlsLevel, Transport
from mtad.pb import queue_pb2
from mtad.spool import codec, worker_codec
from mtad.spool.door import DUE_AT_ONCE, FAR_MS, META_FORMAT, Attempt, Claim, QueuedMessage, Rank, RecipientState
from replicator.core.merge import join_parts
from replicator.core.values import NO_FLAGS, Branch, Dot, Item, Kind

DOT = Dot(Branch(1, 0xABC), 7)
ATTEMPT = Attempt(5_000, Outcome(Result.UNKNOWN, Reply.of(451, "4.4.2", "lost"), "mx.example.net"), 2)
ROUTE = Route(
    Transport.LMTP, ("a.test", "b.test"), 24, TlsLevel.ENCRYPT, ("192.0.2.7", "2001:db8::7"), "mx.test", "bulk", "relay"
)
MESSAGE = QueuedMessage(
    queue_id="01JD4Z8Q6K100000",
    reverse_path="alice@example.org",
    arrival_ms=4_000,
    client=Client("2001:db8::1", 4711, "client.example", True, True, "alice"),
    content=b"Subject: x\r\n\r\n\xff\r\n",
    recipients={
        "bob@example.net": RecipientState(Rank.DEFERRED, 9_000, (ATTEMPT,), 12, delay_told_ms=8_500, route=ROUTE),
        "jörg@example.net": RecipientState(due_ms=8_000, claim=Claim(2, 7_000, 8_000)),
    },
    is_8bit=True,
    is_utf8=True,
    is_binary=True,
    is_sender_verified=True,
    is_submission=True,
    dsn_of="01JD4Z8Q6K199999",
    priority=7,
    queue_name="slow",
    is_verp=True,
    request=MessageRequest(Return.HEADERS, "QQ=1", DeliverBy(64_000, Late.NOTIFY)),
    requests={
        "bob@example.net": RecipientRequest(
            Notify.SUCCESS | Notify.DELAY, "utf-8;jörg@example.org", DeliverBy(65_000, Late.RETURN, True)
        )
    },
    noted=Noted(message=Notes({"a": "ä\udcff"}), recipients={"bob@example.net": Notes({"slow": "1"})}),
)


def item_of(record, flags=NO_FLAGS):
    return Item(record.key, DOT, dict(record.parts), flags, record.meta, len(record.blob))


def test_a_message_comes_back_as_it_was():
    read = codec.read_message(item_of(codec.put_record(MESSAGE, hlc=1)))
    for name in (
        "queue_id",
        "reverse_path",
        "arrival_ms",
        "client",
        "is_8bit",
        "is_utf8",
        "is_binary",
        "is_submission",
        "is_verp",
        "dsn_of",
    ):
        assert getattr(read, name) == getattr(MESSAGE, name)
    assert read.recipients == MESSAGE.recipients
    assert (read.request, read.requests) == (MESSAGE.request, MESSAGE.requests)
    assert read.is_sender_verified
    assert read.queue_name == "slow"
    assert read.noted == MESSAGE.noted
    assert codec.sender_of(read.item) == ("alice@example.org", 7)


def test_of_what_is_noted_the_variables_of_those_who_are_kept_are_stored():
    told = Noted(Notes({"s": "1"}), Notes({}, {"SYMBOL": 1}), {"gone@example.net": Notes({"a": "1"})})
    read = codec.read_message(item_of(codec.put_record(replace(MESSAGE, noted=told), hlc=1)))
    assert read.noted == NOTHING_NOTED
    assert read.size_octets == len(MESSAGE.content)
    assert read.position == "1.0000000000000abc.7"
    assert not read.is_held


def test_a_worker_hands_over_all_of_it():
    sent = queue_pb2.NewMessage.FromString(worker_codec.new_message(MESSAGE).SerializeToString())
    assert worker_codec.read_new_message(sent) == MESSAGE


def test_octets_that_are_no_utf8_do_not_stop_a_message():
    odd = QueuedMessage(
        "01JD4Z8Q6K100000", "\udcff@x", 1, Client("::1", 1, "\udce4"), b"", {"\udcfc@y": RecipientState()}
    )
    read = codec.read_message(item_of(codec.put_record(odd, hlc=1)))
    assert read.reverse_path == "\\udcff@x"
    assert list(read.recipients) == ["\udcfc@y"]
    assert codec.part_of("\udcfc@y") == b"\xfc@y"


def test_more_attempts_and_a_higher_rank_are_larger():
    def value(*arguments):
        return codec.part_value(RecipientState(*arguments), hlc=1)

    ladder = [
        value(Rank.QUEUED),
        value(Rank.DEFERRED, 1, (), 1),
        value(Rank.DEFERRED, 0, (), 2),
        value(Rank.CANCELLED),
        value(Rank.FAILED),
        value(Rank.DELIVERED),
    ]
    assert ladder == sorted(ladder)


def test_an_item_is_finished_when_every_recipient_is():
    item = item_of(codec.put_record(MESSAGE, hlc=1))
    done = RecipientState(Rank.DELIVERED)
    assert not codec.is_finished_by(item, {"bob@example.net": done})
    assert codec.is_finished_by(item, {"bob@example.net": done, "jörg@example.net": done})


def test_hold_is_written_and_read():
    record = codec.flags_record(item_of(codec.put_record(MESSAGE, 1)), is_held=True, reason="why", hlc=9)
    assert record.kind is Kind.FLAGS
    read = codec.read_message(item_of(codec.put_record(MESSAGE, 1), record.flags))
    assert (read.is_held, read.hold_reason) == (True, "why")


def test_a_newer_format_is_refused():
    meta = codec.meta_message(MESSAGE)
    meta.format = META_FORMAT + 1
    item = item_of(codec.put_record(MESSAGE, 1))._replace(meta=meta.SerializeToString())
    with pytest.raises(codec.QueueFormatError, match="knows up to"):
        codec.read_message(item)


def test_a_rank_of_a_newer_program_counts_by_its_number():
    assert codec.read_state(9, 0, queue_pb2.RecipientState()).rank is Rank.DELIVERED


# --- claims -------------------------------------------------------------------------------------------------

CLAIM = Claim(1, 20_000, 80_000)
BOB = "bob@example.net"


def joined(item, record):
    """Return an item with a record merged into it, as the replicator would."""
    return item._replace(parts=join_parts(item.parts, dict(record.parts)))


def test_a_claim_wins_over_what_was_there_and_counts_no_attempt():
    item = item_of(codec.put_record(MESSAGE, hlc=5_000))
    record = codec.claim_record(item, [BOB, "stranger@example.net"], CLAIM, hlc=1)
    assert (record.kind, record.put, len(record.parts)) == (Kind.PART, item.put, 1)
    before, after = codec.read_message(item), codec.read_message(joined(item, record))
    assert after.recipients[BOB] == replace(before.recipients[BOB], due_ms=CLAIM.until_ms, claim=CLAIM)
    assert after.recipients["jörg@example.net"] == before.recipients["jörg@example.net"]


@pytest.mark.parametrize("rank", [Rank.DEFERRED, Rank.CANCELLED, Rank.FAILED, Rank.DELIVERED])
def test_whatever_comes_of_an_attempt_joins_above_its_claim(rank):
    item = item_of(codec.put_record(MESSAGE, hlc=5_000))
    outcome = codec.state_record(item, {BOB: RecipientState(rank, 0, (ATTEMPT,), 13)}, hlc=1)
    claimed = joined(item, codec.claim_record(item, [BOB], CLAIM, hlc=9_000))
    assert joined(claimed, outcome) == joined(joined(item, outcome), codec.claim_record(item, [BOB], CLAIM, hlc=9_000))
    assert codec.read_message(joined(claimed, outcome)).recipients[BOB].rank is rank
    assert codec.read_message(joined(claimed, outcome)).recipients[BOB].claim is None


def test_what_is_finished_is_not_claimed():
    item = item_of(codec.put_record(MESSAGE, hlc=5_000))
    item = joined(item, codec.state_record(item, {BOB: RecipientState(Rank.DELIVERED, 0, (), 13)}, hlc=1))
    assert codec.claim_record(item, [BOB], CLAIM, hlc=9_000).parts == ()


@pytest.mark.parametrize(("node", "is_given_back"), [(1, True), (2, False)])
def test_who_made_a_claim_may_give_it_back(node, is_given_back):
    item = item_of(codec.put_record(MESSAGE, hlc=5_000))
    claimed = joined(item, codec.claim_record(item, [BOB], CLAIM, hlc=9_000))
    state = codec.read_message(joined(claimed, codec.give_back_record(claimed, [BOB], node))).recipients[BOB]
    assert (state.claim, state.due_ms) == ((None, DUE_AT_ONCE) if is_given_back else (CLAIM, CLAIM.until_ms))


def test_a_claim_that_is_given_back_hides_no_later_claim_of_another_node():
    item = item_of(codec.put_record(MESSAGE, hlc=5_000))
    theirs = replace(CLAIM, node=2, until_ms=CLAIM.until_ms + 1)
    claimed = joined(item, codec.claim_record(item, [BOB], CLAIM, hlc=9_000))
    both = joined(
        joined(claimed, codec.give_back_record(claimed, [BOB], 1)),
        codec.claim_record(item, [BOB], theirs, hlc=9_001),
    )
    state = codec.read_message(both).recipients[BOB]
    assert (state.claim, state.due_ms) == (theirs, theirs.until_ms)


def test_what_is_held_stays_away_when_a_claim_is_given_back():
    item = item_of(codec.put_record(MESSAGE, hlc=5_000))
    claimed = joined(item, codec.claim_record(item, [BOB], CLAIM, hlc=9_000))
    held = joined(claimed, codec.due_record(claimed, lambda _value: FAR_MS, hlc=9_001))
    given_back = joined(held, codec.give_back_record(held, [BOB], 1))
    assert codec.read_message(given_back).recipients[BOB].due_ms == FAR_MS


@pytest.mark.parametrize(
    "told", [lambda message: message, lambda message: worker_codec.read_new_message(worker_codec.new_message(message))]
)
def test_what_policy_holds_enters_the_queue_so(told):
    gone = RecipientState(Rank.FAILED)
    held = replace(MESSAGE, recipients={**MESSAGE.recipients, "gone@example.net": gone}, held="quarantine spam")
    read = codec.read_message(item_of(record := codec.put_record(told(held), hlc=1), record.flags))
    assert (read.is_held, read.hold_reason) == (True, "quarantine spam")
    assert {address: state.due_ms for address, state in read.recipients.items()} == {
        "bob@example.net": FAR_MS,
        "jörg@example.net": FAR_MS,
        "gone@example.net": 0,
    }
