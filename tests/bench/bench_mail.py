"""Mail through mtad and through Postfix, in turn, on the same machine: `make bench`.

Through-delivery: smtp-source sends signed 4 KB messages from 20 sessions; a message counts when smtp-sink has it.
mtad delivers while the client waits; Postfix queues, has opendkim sign, and delivers. Both sign with the same key.
Queued accept: nothing is delivered; a message counts when the client has its 250. mtad has it on two disks then (both
nodes run on this machine, and share its processors and its disk), Postfix on one.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mtad.lab.ports import free_port
from tests.bench.measure import Row, in_turn, save, table
from tests.peers.mtad import DOMAIN, pair, policy_to, single
from tests.peers.opendkim import opendkim
from tests.peers.postfix import Postfix, postfix, smtp_source
from tests.peers.process import greets, open_folder, program, running

OURS = "mtad"
SESSIONS = 20
SETTLE_SECONDS_MAX = 120.0
WORKERS = {"node": {"workers": 2}}
_COUNT = re.compile(r"mesg=(\d+)")


@dataclass(frozen=True, slots=True)
class Sink:
    """A running smtp-sink."""

    port: int
    output: Path

    def count(self) -> int:
        """Return how many messages it has taken."""
        with self.output.open("rb") as said:
            said.seek(max(0, said.seek(0, 2) - 200))
            found = _COUNT.findall(said.read().decode("ascii", "replace"))
        return int(found[-1]) if found else 0

    def wait(self, count: int) -> None:
        """Wait until it has taken so many."""
        deadline = time.monotonic() + SETTLE_SECONDS_MAX
        while self.count() < count:
            assert time.monotonic() < deadline, f"{self.count()} of {count} arrived"
            time.sleep(0.005)


@contextmanager
def sink(*options: str) -> Iterator[Sink]:
    """Run Postfix's smtp-sink with its counters, and options of its own."""
    with open_folder("sink") as folder:
        port = free_port()
        command = [program("smtp-sink"), "-c", *options, "-u", "postfix", f"127.0.0.1:{port}", "1024"]
        with running(command, lambda: greets(port), folder / "output"):
            yield Sink(port, folder / "output")


def through(target: Sink, port: int, messages: int, *, is_many: bool) -> Callable[[], float]:
    """Return a run that sends messages and gives their rate through to the sink."""

    def run() -> float:
        before = target.count()
        begun = time.monotonic()
        smtp_source(port, messages=messages, sessions=SESSIONS, sender=f"a@{DOMAIN}", is_many_a_connection=is_many)
        target.wait(before + messages)
        return messages / (time.monotonic() - begun)

    return run


def accept(port: int, messages: int, clear: Callable[[], None]) -> Callable[[], float]:
    """Return a run that sends messages which are only accepted, gives their rate, and clears the queue after it."""

    def run() -> float:
        begun = time.monotonic()
        smtp_source(port, messages=messages, sessions=SESSIONS, sender=f"a@{DOMAIN}")
        rate = messages / (time.monotonic() - begun)
        clear()
        return rate

    return run


def _superseded(instance: Postfix) -> None:
    command = [program("postsuper"), "-c", str(instance.folder / "etc"), "-d", "ALL"]
    subprocess.run(command, capture_output=True, check=True, timeout=120)


def through_rows(messages: int, rounds: int) -> list[Row]:
    """Measure through-delivery: many messages a connection, and one."""
    with ExitStack() as stack:
        ours, theirs = stack.enter_context(sink()), stack.enter_context(sink())
        node = stack.enter_context(single(policy_to(ours.port), WORKERS))
        signer = stack.enter_context(opendkim(node.folder.parent / "keys/dkim.pem", DOMAIN))
        other = stack.enter_context(postfix(theirs.port, settings=signer.postfix_settings))
        rows = []
        for name, is_many in (("through, many a connection", True), ("through, one a connection", False)):
            contestants = {
                OURS: through(ours, node.smtp_port, messages, is_many=is_many),
                "Postfix + opendkim": through(theirs, other.port, messages, is_many=is_many),
            }
            rows.append(in_turn(name, contestants, rounds))
        return rows


def accept_row(messages: int, rounds: int) -> Row:
    """Measure the queued accept: mtad on two disks, mtad on one, Postfix on one, all signing."""
    held = policy_to(1, actions="queue;", retry=':intervals ["86400"]')
    with ExitStack() as stack:
        one, _ = stack.enter_context(pair(held, WORKERS))
        alone = stack.enter_context(single(held, WORKERS))
        signer = stack.enter_context(opendkim(alone.folder.parent / "keys/dkim.pem", DOMAIN))
        settings = {**signer.postfix_settings, "defer_transports": "smtp"}
        other = stack.enter_context(postfix(1, settings=settings))

        def drop(node) -> Callable[[], None]:  # type: ignore[no-untyped-def]
            return lambda: node.mtactl("queue", "delete", "--all", "--yes") and None

        contestants = {
            OURS: accept(one.smtp_port, messages, drop(one)),
            "mtad without a pair": accept(alone.smtp_port, messages, drop(alone)),
            "Postfix + opendkim": accept(other.port, messages, lambda: _superseded(other)),
        }
        return in_turn("queued accept", contestants, rounds)


def main() -> None:
    """Run all scenarios and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("var/bench.json"))
    options = parser.parse_args()
    rows = [*through_rows(options.messages, options.rounds), accept_row(options.messages, options.rounds)]
    save(rows, OURS, options.json)
    print(table(rows, OURS))


if __name__ == "__main__":
    main()
