"""`mtactl queue ...`: what an operator asks of the queue and does to it."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from mtad.cli.connection import connect
from mtad.cli.duration import show_count, show_duration, show_octets
from mtad.cli.node_client import EXIT_REFUSED, EXIT_USAGE, NodeError
from mtad.cli.options import Asked, Selected, expanded
from mtad.cli.screen import safe, say, say_json, say_table
from mtad.cli.shapes import entry_object, message_object
from mtad.cli.summary import AGES_MINUTES, GROUPINGS, Group, summarize
from mtad.mail.queue_id import is_queue_id
from mtad.pb import admin_pb2 as pb

ROWS_MAX = 1_000  # of a list for people; --limit and --json have their own
IDS_SHOWN_MAX = 10
STATES = ("deferred", "held", "active", "unknown")
SORTS = ("arrival", "next-attempt", "size", "sender")

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Queue ids.", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="Every message in the queue.")]


@dataclass(frozen=True, slots=True)
class Verb:
    """How a verb is told of. Destructive ones want --yes."""

    name: str
    done: str
    is_destructive: bool = False
    missed: str = "Not in the queue"


FLUSH = Verb("flush", "flushed", missed="Not in the queue, or on hold")
HOLD = Verb("hold", "held")
RELEASE = Verb("release", "released")
DELETE = Verb("delete", "deleted", is_destructive=True)

app = typer.Typer(help="List, show and change what is queued.", no_args_is_help=True)


@app.command("list")
@expanded
def list_(
    selected: Selected,
    asked: Asked,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="At most so many; 0 is all.")] = 0,
    sort: Annotated[str, typer.Option(metavar="SORT", help=f"{', '.join(SORTS)}.")] = "arrival",
) -> None:
    """List queued messages.

    With --json in the shape of `postqueue -j`.
    """
    _one_of("--sort", sort, SORTS)
    selection = _selection([], selected, is_all=selected.is_empty)
    with connect(asked) as node:
        if asked.json:
            for entry in node.messages(selection, limit, sort):
                say_json(entry_object(entry))
            return
        rows_max = limit or ROWS_MAX
        entries = list(node.messages(selection, limit or ROWS_MAX + 1, sort))
    if not entries:
        say("No message is queued." if selection.all else "No message matches.")
        return
    titles = ("ID", "QUEUE", "AGE", "SIZE", "NEXT", "TRIES", "SENDER", "RECIPIENT", "REASON")
    say_table(titles, [row for entry in entries[:rows_max] for row in _rows(entry, time.time())])
    if len(entries) > rows_max:
        say(f"... only the first {rows_max} are shown; --limit shows more, --json all.")


def _rows(entry: pb.QueueEntry, wall: float) -> list[tuple[str, ...]]:
    """Return one row a recipient; only the first says what belongs to the message."""
    start = (
        entry.queue_id,
        _queue(entry),
        show_duration(wall - entry.arrival_time),
        show_octets(entry.message_size),
        _when(entry.next_attempt, wall),
        str(entry.attempts),
        entry.sender,
    )
    recipients = [(recipient.address, recipient.delay_reason) for recipient in entry.recipients] or [("", "")]
    return [(*(start if not index else ("",) * len(start)), *each) for index, each in enumerate(recipients)]


def _queue(entry: pb.QueueEntry) -> str:
    """Return in what state it waits, as Postfix calls it, and in which queue of policy's."""
    return f"{entry.queue_name} ({entry.queue})" if entry.queue else entry.queue_name


def _when(at: float, wall: float) -> str:
    if not at:
        return "none"
    return "now" if at <= wall else f"in {show_duration(at - wall)}"


@app.command()
@expanded
def show(
    asked: Asked,
    queue_id: Annotated[str, typer.Argument(metavar="ID", help="The queue id.")],
    headers: Annotated[bool, typer.Option("--headers", help="Write the header section alone, as it is.")] = False,
    content: Annotated[bool, typer.Option("--content", help="Write the whole content alone, as it is.")] = False,
) -> None:
    """Show one message.

    Envelope, state of each recipient, and the last attempts with their replies.
    """
    (queue_id,) = _ids([queue_id])
    with connect(asked) as node:
        shown = node.message(queue_id, headers=headers, content=content)
    if not shown.found:
        raise NodeError(f"{queue_id} is not in the queue", EXIT_REFUSED)
    if asked.json:
        say_json(message_object(shown, has_octets=headers or content))
    elif headers or content:
        sys.stdout.flush()
        sys.stdout.buffer.write(shown.octets)
        sys.stdout.buffer.flush()
    else:
        _say_message(shown, time.time())


def _say_message(shown: pb.QueueShowReply, wall: float) -> None:
    entry = shown.entry
    say_table(
        ("", ""),
        [
            ("id", entry.queue_id),
            ("queue", _queue(entry)),
            ("arrived", f"{_moment(entry.arrival_time)}, {show_duration(wall - entry.arrival_time)} ago"),
            ("client", shown.client),
            ("sender", entry.sender),
            ("size", show_octets(entry.message_size)),
            ("next attempt", _when(entry.next_attempt, wall)),
            *([("priority", str(entry.priority))] if entry.priority else []),
            ("position", entry.position),
        ],
    )
    for recipient in shown.history:
        say("")
        say(f"{recipient.address}: {recipient.state}")
        if recipient.original:
            say(f"  given as {recipient.original}")
        if recipient.notify:
            say(f"  the sender wants to hear of: {recipient.notify.lower()}")
        if recipient.route:
            say(f"  goes by {recipient.route}, as policy has chosen")
        if recipient.deliver_by:
            late = "returned" if recipient.late == "R" else "its sender is told"
            say(f"  to be delivered by {_moment(recipient.deliver_by)}, or {late}")
        if recipient.delay_told:
            say(f"  the sender was told of the delay at {_moment(recipient.delay_told)}")
        for attempt in recipient.attempts:
            hop = f" at {attempt.next_hop}" if attempt.next_hop else ""
            reply = f": {attempt.reply}" if attempt.reply else ""
            say(f"  {_moment(attempt.at)}  node {attempt.node}{hop}: {attempt.result}{reply}")


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


@app.command()
@expanded
def flush(selected: Selected, asked: Asked, ids: Ids = None, is_all: All = False) -> None:
    """Try the chosen messages now, where policy sends them now.

    Those on hold stay so: `mtactl queue release` lets them go.
    """
    _act(FLUSH, _chosen(ids, selected, is_all), asked)


@app.command()
@expanded
def hold(selected: Selected, asked: Asked, ids: Ids = None, is_all: All = False) -> None:
    """Keep the chosen messages untried, until released."""
    _act(HOLD, _chosen(ids, selected, is_all), asked)


@app.command()
@expanded
def release(selected: Selected, asked: Asked, ids: Ids = None, is_all: All = False) -> None:
    """Let the chosen messages be tried again."""
    _act(RELEASE, _chosen(ids, selected, is_all), asked)


@app.command()
@expanded
def delete(
    selected: Selected,
    asked: Asked,
    ids: Ids = None,
    is_all: All = False,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do it; without this, only say what would be done.")] = False,
) -> None:
    """Drop the chosen messages for good, without a DSN.

    Says what it would do; does it with --yes.
    """
    _act(DELETE, _chosen(ids, selected, is_all), asked, is_sure=is_sure)


def _act(verb: Verb, selection: pb.Selection, asked: Asked, *, is_sure: bool = False) -> None:
    is_trial = verb.is_destructive and not is_sure
    with connect(asked) as node:
        reply = node.act(verb.name, selection, dry_run=is_trial)
    found = list(reply.queue_ids)
    missing = sorted(set(selection.queue_ids) - set(found)) if not reply.refused else []
    refused = reply.refused or ("say --yes to do it" if is_trial else "")
    if asked.json:
        done = {"verb": verb.name, "done": not refused, "queue_ids": found, "missing": missing, "refused": refused}
        say_json(done)
    elif reply.refused:
        say(f"Refused: {reply.refused}" + (f"; {verb.done} before that: {len(found)}." if found else ""))
    else:
        count = show_count(len(found), "message")
        more = f" and {len(found) - IDS_SHOWN_MAX} more" if len(found) > IDS_SHOWN_MAX else ""
        listed = ", ".join(found[:IDS_SHOWN_MAX]) + more
        told = f"Would {verb.name} {count}" if is_trial else f"{verb.done.capitalize()} {count}"
        say(told + (f": {listed}" if listed else "") + ("; say --yes to do it." if is_trial else "."))
        if missing:
            say(f"{verb.missed}: {', '.join(missing)}")
    if refused or missing:
        raise typer.Exit(EXIT_REFUSED)


@app.command()
@expanded
def summary(
    selected: Selected,
    asked: Asked,
    by: Annotated[str, typer.Option(metavar="BY", help=f"{', '.join(GROUPINGS)}.")] = "domain",
) -> None:
    """Count recipients by destination and age.

    Or by sender or reason; ages are in minutes, as `qshape` shows them.
    """
    _one_of("--by", by, GROUPINGS)
    with connect(asked) as node:
        groups = summarize(node.messages(_selection([], selected, is_all=selected.is_empty)), by, time.time())
    if asked.json:
        for group in groups:
            say_json(_group_object(group, by))
        return
    bounds = [str(minutes) for minutes in AGES_MINUTES]
    titles = (by.upper(), "MESSAGES", "TOTAL", *bounds, f"{bounds[-1]}+", "OLDEST")
    rows = [
        (
            safe(group.name) or "-",
            str(group.messages),
            str(group.recipients),
            *map(str, group.ages),
            show_duration(group.oldest_seconds),
        )
        for group in groups
    ]
    say_table(titles, rows)


def _group_object(group: Group, by: str) -> dict[str, object]:
    ages = dict(zip([*map(str, AGES_MINUTES), f"{AGES_MINUTES[-1]}+"], group.ages, strict=True))
    counted = {key: value for key, value in asdict(group).items() if key not in ("name", "ages")}
    return {by: group.name, **counted, "recipients_by_age_minutes": ages}


def _chosen(ids: list[str] | None, selected: Selected, is_all: bool) -> pb.Selection:
    """Return the selection of a verb that changes something: ids, or --all, or filters, but not two of them."""
    given = [bool(ids), is_all, not selected.is_empty]
    if sum(given) != 1:
        what = "choose messages by ids, by filters or with --all"
        raise NodeError(what if not any(given) else f"{what}, not by two of them", EXIT_USAGE)
    return _selection(_ids(ids or []), selected, is_all=is_all)


def _selection(ids: list[str], selected: Selected, *, is_all: bool) -> pb.Selection:
    if selected.state:
        _one_of("--state", selected.state, STATES)
    return pb.Selection(
        queue_ids=ids,
        domain=selected.domain,
        sender=selected.sender,
        recipient=selected.recipient,
        state=selected.state,
        older_than_seconds=selected.older_than,
        queue=selected.queue,
        all=is_all,
    )


def _ids(ids: list[str]) -> list[str]:
    folded = [queue_id.upper() for queue_id in ids]
    for given, queue_id in zip(ids, folded, strict=True):
        if not is_queue_id(queue_id):
            raise NodeError(f"{given!r} is no queue id", EXIT_USAGE)
    return folded


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise NodeError(f"{option} {value!r} is not known; it is one of {', '.join(known)}", EXIT_USAGE)


@app.command()
@expanded
def backup(
    asked: Asked,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Empty or not there, on the node's machine.")],
) -> None:
    """Copy the queue while it is in use.

    The copy is compact and durable, and a queue of its own: docs/how-to/back-up-and-restore.md says how to use it.
    """
    with connect(asked) as node:
        reply = node.back_up(str(directory.absolute()))
    if asked.json:
        say_json(
            {"done": not reply.refused, "octets": reply.octets, "seconds": reply.seconds, "refused": reply.refused}
        )
    elif reply.refused:
        say(f"Refused: {reply.refused}")
    else:
        say(f"Copied {show_octets(reply.octets)} to {directory} in {show_duration(reply.seconds)}.")
    if reply.refused:
        raise typer.Exit(EXIT_REFUSED)


@app.command()
@expanded
def compact(asked: Asked) -> None:
    """Give back to the disk what is free in the queue's file.

    Free room in the file is used again anyway: this is for a file that a rare event has made large. What must be queued
    waits until it is done, so do it on the passive node: docs/how-to/back-up-and-restore.md.
    """
    with connect(asked) as node:
        reply = node.compact()
    if asked.json:
        sizes = {"octets_before": reply.octets_before, "octets": reply.octets}
        say_json({"done": not reply.refused, **sizes, "seconds": reply.seconds, "refused": reply.refused})
    elif reply.refused:
        say(f"Refused: {reply.refused}")
    else:
        sizes_text = f"{show_octets(reply.octets_before)} to {show_octets(reply.octets)}"
        say(f"From {sizes_text} in {show_duration(reply.seconds)}.")
    if reply.refused:
        raise typer.Exit(EXIT_REFUSED)
