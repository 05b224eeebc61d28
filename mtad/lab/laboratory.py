"""`make run` and `make demo`: the laboratory on a terminal.

A folder is made, everything is started in it, what to do next is printed, and what changes is said, until Ctrl-C; then
all of it is stopped and the folder removed. Plain text when the output is not a terminal.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from mtad.lab.demo import run_demo
from mtad.lab.guide import Section, Seen, Shown, Tools, changes, guide
from mtad.lab.layout import HOST, LOCAL_DOMAIN, REMOTE_DOMAIN
from mtad.lab.pair import Laboratory, LaboratoryFault, RunningNode, running_laboratory

SMTP_PORTS_WISHED = (2525, 2526)
USER_PORTS_WISHED = (2587, 2588, 2465, 2466)
WATCH_SECONDS = 0.25
STATE_HOME_OCTETS_MAX = 60  # a Unix socket's path has 107, with /mtad-lab-01234567/mx1/run/admin.sock behind it
INTERRUPTED = 130


def main(demo: bool, *, is_kept: bool = False) -> int:
    """Run the laboratory until Ctrl-C, or the demonstration until its end; return the exit code.

    is_kept   leave the folder with all logs for inspection
    """
    console = Console(highlight=False, soft_wrap=True)
    try:
        with working_folder(console, is_kept=is_kept) as folder:
            return asyncio.run(_until_interrupted(folder, console, is_demo=demo))
    except (LaboratoryFault, OSError) as fault:
        console.print(Text(f"The laboratory cannot run: {fault}", style="red"))
        return 1


@contextmanager
def working_folder(console: Console, *, is_kept: bool) -> Iterator[Path]:
    """Make the laboratory's folder: under XDG_STATE_HOME where that is set and short enough, or a temporary one."""
    parent: str | None = os.environ.get("XDG_STATE_HOME", "")
    if not parent or not os.path.isabs(parent) or len(os.fsencode(parent)) > STATE_HOME_OCTETS_MAX:
        parent = None
    else:
        Path(parent).mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="mtad-lab-", dir=parent))
    try:
        yield folder
    finally:
        if is_kept:
            console.print(f"kept: {folder}", markup=False)
        else:
            shutil.rmtree(folder, ignore_errors=True)


async def _until_interrupted(folder: Path, console: Console, *, is_demo: bool) -> int:
    """Run the work; SIGINT and SIGTERM end it in order."""
    work = asyncio.create_task(_demonstrate(folder, console) if is_demo else _run(folder, console))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, work.cancel)
    try:
        return await work
    except asyncio.CancelledError:
        console.print("\nstopped", style="dim")
        return INTERRUPTED if is_demo else 0


async def _demonstrate(folder: Path, console: Console) -> int:
    started = time.monotonic()

    def say(line: str) -> None:
        console.print(Text.assemble((f"{time.monotonic() - started:5.1f} s  ", "dim"), line))

    say("starting a pair of nodes, DNS and next hops on loopback")
    async with running_laboratory(folder) as laboratory:
        active, passive = await laboratory.wait_protected()
        say(f"{active.name} is active, {passive.name} is passive, the pair is protected")
        summary = await run_demo(laboratory, folder / "accepted", say)
        console.print()
        for name, value in summary.lines():
            style = "bold" if name != "lost" else ("bold green" if summary.lost == 0 else "bold red")
            console.print(Text.assemble((f"  {name:<28}", "dim"), (value, style)))
        console.print()
        return 0 if summary.is_good else 1


async def _run(folder: Path, console: Console) -> int:
    """Run the pair, say what to do with it, and watch it."""
    console.print("Starting the laboratory: keys, certificates, DNS, next hops, two nodes", style="dim")
    async with running_laboratory(folder, smtp_ports=SMTP_PORTS_WISHED, user_ports=USER_PORTS_WISHED) as laboratory:
        active, passive = await laboratory.wait_protected()
        seen = [await _seen(node) for node in laboratory.nodes]  # before anybody is told whom to kill
        _introduce(console, laboratory, (active, passive), folder)
        await _watch(console, laboratory, seen)
    return 0


def _introduce(console: Console, laboratory: Laboratory, nodes: Sequence[RunningNode], folder: Path) -> None:
    console.print(Text("\nThe laboratory is running\n", style="bold"))
    shown = [
        Shown(
            node.name,
            role,
            node.files.smtp_port,
            node.child.pid,
            str(node.files.admin_socket),
            (node.files.submission_port, node.files.submissions_port),
            node.files.monitoring_port,
        )
        for node, role in zip(nodes, ("active", "passive"), strict=True)
    ]
    for node in shown:
        users = " and ".join(map(str, node.user_ports))
        facts = f"{node.role:<9}SMTP {HOST}:{node.smtp_port}, users {users}   pid {node.pid}"
        console.print(Text.assemble("  ", (f"{node.name:<11}", "bold"), facts))
    for name, facts in (
        ("next hops", f"{REMOTE_DOMAIN} by SMTP, {LOCAL_DOMAIN} by LMTP"),
        ("DNS", f"{HOST}:{laboratory.dns.port}"),
        ("files", str(folder)),
    ):
        console.print(Text.assemble("  ", (f"{name:<11}", "bold"), facts))
    controls = (laboratory.smtp_sink.control_port, laboratory.lmtp_sink.control_port)
    for section in guide(shown, controls, _tools()):
        _print_section(console, section)
    console.print(Text("\nCtrl-C ends the laboratory and removes its files.\n", style="dim"))


def _print_section(console: Console, section: Section) -> None:
    console.print(Text(f"\n{section.title}", style="bold"))
    for command in section.commands:
        console.print(Text(f"  {command}", style="cyan"))
    if section.note:
        console.print(Text(f"  # {section.note}", style="dim"))


def _tools() -> Tools:
    """Return how this installation's commands are called from the current folder."""
    python = Path(sys.executable)
    return Tools(_from_here(python), _from_here(python.with_name("mtactl")))


def _from_here(path: Path) -> str:
    with suppress(ValueError):
        return shlex.quote(str(path.relative_to(Path.cwd())))
    return shlex.quote(str(path))


async def _watch(console: Console, laboratory: Laboratory, before: list[Seen]) -> None:
    """Say what changes, and start a node again that the user has killed, when Enter is pressed."""
    is_asked = asyncio.Event()
    is_interactive = _listen_for_enter(is_asked)
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        after = [await _seen(node) for node in laboratory.nodes]
        for line in changes(before, after):
            console.print(Text.assemble((time.strftime("%H:%M:%S  "), "dim"), line))
        is_restart = is_asked.is_set()
        is_asked.clear()
        for was, now, node in zip(before, after, laboratory.nodes, strict=True):
            if was.is_running and not now.is_running:
                _say_how_to_restart(console, node, is_interactive=is_interactive)
            if is_restart and not now.is_running and not now.role:
                await node.restart()
        before = after


def _listen_for_enter(is_asked: asyncio.Event) -> bool:
    """Set the event at each line that is typed; False when nobody can type."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    loop = asyncio.get_running_loop()

    def on_line() -> None:
        if sys.stdin.readline():
            is_asked.set()
        else:  # end of input: it would be readable for ever
            loop.remove_reader(sys.stdin.fileno())

    loop.add_reader(sys.stdin.fileno(), on_line)
    return True


def _say_how_to_restart(console: Console, node: RunningNode, *, is_interactive: bool) -> None:
    if is_interactive:
        console.print(f"          press Enter to start {node.name} again")
    else:
        console.print(Text.assemble(f"          start {node.name} again: ", (shlex.join(node.child.command), "cyan")))


async def _seen(node: RunningNode) -> Seen:
    view = await node.view()
    if view is None:
        return Seen(node.name, node.child.is_running)
    return Seen(node.name, node.child.is_running, view.role, view.is_protected, view.queue_messages)
