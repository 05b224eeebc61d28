"""The commands and tests of vnd.dovecot.testsuite about what scripts decided: the pending result, and what comes of it.

Carried out, a result puts messages into mailboxes in memory and on a list of what was sent; nothing leaves the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from mtad.rehearsal.asking import INDEX, one_or_all, step
from mtad.rehearsal.report import Failure
from mtad.rehearsal.workbench import Sent, Workbench, workbench
from mtad.sieve.actions import Action, Discard, FileInto, Keep, Redirect, Refuse
from mtad.sieve.code import Code, Plain
from mtad.sieve.edits import AddField, DeleteFields, Edit, edited
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.match import MATCH_TAGS
from mtad.sieve.results import results
from mtad.sieve.run import Run

_CAPABILITY = ("vnd.dovecot.testsuite",)
_INBOX = "INBOX"
_ANNOTATION = re.compile(
    r"/(?:private|shared)(?:/[^/*%\x00-\x1f\x7f-\xff]+)+\Z", re.ASCII | re.IGNORECASE
)  # RFC 5464 §3.2

NAMES: Mapping[type[Action], str] = {
    Keep: "keep",
    FileInto: "store",
    Redirect: "redirect",
    Discard: "discard",
    AddField: "addheader",
    DeleteFields: "deleteheader",
    Refuse: "reject",
}
"""What each action of a plain script is called."""


def _test_result_action(bound: Bound) -> Code:
    return one_or_all(bound, lambda run: [NAMES[type(action)] for action in run.actions])


def _test_result_reset(bound: Bound) -> Code:
    def reset(run: Run) -> None:
        run.actions.clear()
        workbench(run).sent.clear()

    return step(reset)


def _test_result_execute(bound: Bound) -> Code:
    def execute(run: Run) -> bool:
        workbench(run).errors.clear()
        carry_out(run)
        return True

    return Plain(execute)


def carry_out(run: Run) -> None:
    """Carry out the pending result, the implicit keep included."""
    bench = workbench(run)
    edits: list[Edit] = []
    contents: dict[Action, bytes] = {}  # as it was when each was decided
    for action in run.actions:
        if isinstance(action, Edit):
            edits.append(action)
        else:
            contents.setdefault(action, edited(bench.content, edits) if edits else bench.content)
    last = edited(bench.content, edits) if edits else bench.content
    for action in results(list(contents)):
        _carry_out(action, bench, contents.get(action, last))
    run.actions.clear()


def _carry_out(action: Action, bench: Workbench, content: bytes) -> None:
    match action:
        case Keep():
            bench.mailboxes.setdefault(_INBOX, []).append(content)
        case FileInto():
            bench.mailboxes.setdefault(action.mailbox, []).append(content)
        case Redirect():
            bench.sent.append(Sent(bench.sender, action.address, content))
        case Refuse() if bench.sender:  # RFC 5429 §2.2.1: nobody is told of what came from nobody
            reason = "\r\n".join(action.reply.lines)
            told = f"From: <>\r\nTo: <{bench.sender}>\r\nSubject: Rejected\r\n\r\n{reason}\r\n"
            bench.sent.append(Sent("", bench.sender, told.encode("utf-8", "surrogateescape")))


def _test_mailbox_create(bound: Bound) -> Code:
    name = bound.string(0)
    return step(lambda run: workbench(run).mailboxes.setdefault(name, []))


def _test_imap_metadata_set(bound: Bound) -> Code:
    """Make what fails its test: the extensions that read annotations (RFC 5490) are a mailbox server's."""
    item, line = bound.strings(0).items[0], bound.line
    if not _ANNOTATION.match(item.value):
        return bound.fail(item.at, f'"{item.value}" is no annotation: /private/NAME or /shared/NAME')

    def fail(run: Run) -> bool:
        bench = workbench(run)
        bench.failure = Failure(bench.file, line, "annotations are not available: a relay keeps no mailboxes")
        return True

    return Plain(fail)


def _test_message(bound: Bound) -> Code:
    choose = _chosen_message(bound)
    line = bound.line
    if choose is None:
        return bound.fail(bound.at, "test_message needs :smtp or :folder")

    def take(run: Run) -> bool:
        if ask(run):
            return False
        bench = workbench(run)
        bench.failure = Failure(bench.file, line, "no such message")
        return True

    def ask(run: Run) -> bool:
        is_there = choose(workbench(run))
        run.edited = None if is_there else run.edited
        return is_there

    return Plain(ask if bound.spec.kind is Kind.TEST else take)


def _chosen_message(bound: Bound) -> Callable[[Workbench], bool] | None:
    """Return what makes the message of this number the current one, and tells whether there is one."""
    at, folder = bound.number(0), bound.tag_string(":folder")

    def take_sent(bench: Workbench) -> bool:
        if at >= len(bench.sent):
            return False
        sent = bench.sent[at]
        bench.set_message(sent.content)
        bench.sender, bench.recipients = sent.sender, (sent.recipient,)
        return True

    def take_stored(bench: Workbench) -> bool:
        stored: Sequence[bytes] = bench.mailboxes.get(folder or "", ())
        if at >= len(stored):
            return False
        bench.set_message(stored[at])
        return True

    return take_sent if bound.has(":smtp") else take_stored if folder is not None else None


_STRINGS = (ArgumentType.STRINGS,)
_MESSAGE_TAGS = (Tag(":smtp", "where"), Tag(":folder", "where", ArgumentType.STRING))

RESULTS = (
    Spec(
        "test_result_action",
        Kind.TEST,
        _test_result_action,
        capabilities=_CAPABILITY,
        tags=(*MATCH_TAGS, INDEX),
        positional=_STRINGS,
    ),
    Spec("test_result_execute", Kind.TEST, _test_result_execute, capabilities=_CAPABILITY),
    Spec("test_result_reset", Kind.COMMAND, _test_result_reset, capabilities=_CAPABILITY),
    Spec("test_result_print", Kind.COMMAND, lambda bound: step(lambda run: None), capabilities=_CAPABILITY),
    Spec(
        "test_mailbox_create",
        Kind.COMMAND,
        _test_mailbox_create,
        capabilities=_CAPABILITY,
        positional=(ArgumentType.STRING,),
    ),
    Spec(
        "test_imap_metadata_set",
        Kind.COMMAND,
        _test_imap_metadata_set,
        capabilities=_CAPABILITY,
        tags=(Tag(":mailbox", value=ArgumentType.STRING),),
        positional=(ArgumentType.STRING, ArgumentType.TEXT),
    ),
    *(
        Spec(
            "test_message",
            kind,
            _test_message,
            capabilities=_CAPABILITY,
            tags=_MESSAGE_TAGS,
            positional=(ArgumentType.NUMBER,),
        )
        for kind in (Kind.COMMAND, Kind.TEST)
    ),
)
