"""Whether a slow next hop slows a fast one: through-delivery to the fast one, alone and beside the slow one, in turn.

    python -m tests.bench.bench_fairness [--messages 2000] [--rounds 3]

Both next hops are smtp-sink; the slow one waits a second before each reply to DATA. As many sessions send to it as to
the fast one, all the time that the second contestant is measured.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.bench_mail import SESSIONS, WORKERS, Sink, sink, through
from tests.bench.measure import Row, in_turn, save, table
from tests.peers.mtad import DOMAIN, single
from tests.peers.process import program, wait_until

SLOW = "u@slow.test"
BESIDE = "the fast hop, beside a slow one"
ALONE = "the fast hop, alone"
_POLICY = """\
require ["envelope", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route"];
stage "connect" {{ accept :relay; }}
stage "deliver" {{
    route :host "127.0.0.1" :nomx :port {fast} :tls "none" "smtp";
    if envelope "to" "{recipient}" {{ route :host "127.0.0.1" :nomx :port {slow} :tls "none" "smtp"; }}
}}
"""


@contextmanager
def slow_load(port: int, target: Sink) -> Iterator[None]:
    """Send to the slow next hop as long as the block lasts; the block begins when its sessions hold its places."""
    before = target.count()
    command = [program("smtp-source"), "-s", str(SESSIONS), "-m", "1000000", "-l", "4096", "-d", "-t", SLOW]
    with subprocess.Popen([*command, "-f", f"a@{DOMAIN}", f"127.0.0.1:{port}"]) as source:
        try:
            wait_until(
                lambda: target.count() >= before + SESSIONS, "the slow hop has mail of every session", target.output
            )
            yield
            assert source.poll() is None, "the slow hop's client has ended"
        finally:
            source.terminate()


def fairness_row(messages: int, rounds: int) -> Row:
    """Measure the fast next hop alone, and beside the slow one."""
    with ExitStack() as stack:
        fast, slow = stack.enter_context(sink()), stack.enter_context(sink("-w", "1"))
        policy = _POLICY.format(fast=fast.port, slow=slow.port, recipient=SLOW)
        node = stack.enter_context(single(policy, WORKERS))
        alone = through(fast, node.smtp_port, messages, is_many=True)
        notes: list[int] = []

        def beside() -> float:
            with slow_load(node.smtp_port, slow):
                before = slow.count()
                rate = alone()
                notes.append(slow.count() - before)
            return rate

        contestants: dict[str, Callable[[], float]] = {BESIDE: beside, ALONE: alone}
        row = in_turn("through, a slow hop and a fast one", contestants, rounds)
        row.notes["taken by the slow hop meanwhile, by round"] = ", ".join(map(str, notes[1:]))
        return row


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("var/bench-fairness.json"))
    options = parser.parse_args()
    row = fairness_row(options.messages, options.rounds)
    save([row], BESIDE, options.json)
    print(table([row], BESIDE))
    for name, text in row.notes.items():
        print(f"{name}: {text}")


if __name__ == "__main__":
    main()
