"""What the laboratory says: what to do next, and what has changed since it last looked. Values in, text out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtad.lab.layout import HOST, LOCAL_DOMAIN, PAIR_DOMAIN, PASSWORD, REMOTE_DOMAIN, USER


@dataclass(frozen=True, slots=True)
class Shown:
    """One node as the guide shows it."""

    name: str
    role: str
    smtp_port: int
    pid: int
    admin_socket: str
    user_ports: tuple[int, int]  # with STARTTLS, with TLS at once
    monitoring_port: int


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, the commands under it, and what is said about them."""

    title: str
    commands: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Tools:
    """How the commands are called from where the user is."""

    python: str
    mtactl: str


_AUTH = f"--auth PLAIN --auth-user {USER} --auth-password {PASSWORD}"


def guide(nodes: Sequence[Shown], sink_controls: Sequence[int], tools: Tools) -> list[Section]:
    """Return what to try, the commands ready to be copied; `nodes` begins with the active one."""
    active, passive = nodes
    return [
        Section(
            "Send a message: the reply is the next hop's own",
            (send_by_swaks(active.smtp_port, f"friend@{REMOTE_DOMAIN}"), send_by_python(tools, active.smtp_port)),
            f"{passive.name} takes mail as well; *@{LOCAL_DOMAIN} goes on by LMTP.",
        ),
        Section(
            "Submit a message as a user does, with a password over TLS",
            (
                f"{send_by_swaks(active.user_ports[0], f'friend@{REMOTE_DOMAIN}')} --tls {_AUTH}",
                f"{send_by_swaks(active.user_ports[1], f'friend@{REMOTE_DOMAIN}')} --tls-on-connect {_AUTH}",
            ),
        ),
        Section(
            "Make the next hops answer 451, send again, and see the queue on both nodes",
            (
                *(f"{tools.python} -m mtad.lab.sink tell {port} dot 451" for port in sink_controls),
                *(f"{tools.mtactl} queue list --node {node.admin_socket}" for node in nodes),
            ),
            "`reset` instead of `dot 451` heals them.",
        ),
        Section(
            "See what Prometheus would, and whether a node is healthy",
            (
                f"curl http://{HOST}:{active.monitoring_port}/metrics",
                *(f"curl http://{HOST}:{node.monitoring_port}/healthz" for node in nodes),
            ),
        ),
        Section(
            f"Kill the active node; {passive.name} takes the queue over within some seconds",
            (f"kill -9 {active.pid}", f"{tools.mtactl} status --node {passive.admin_socket}"),
        ),
    ]


def send_by_swaks(port: int, recipient: str) -> str:
    """Return a command that sends a message with swaks."""
    return f"swaks --server {HOST}:{port} --from you@{PAIR_DOMAIN} --to {recipient}"


def send_by_python(tools: Tools, port: int) -> str:
    """Return a command that sends a message with Python's own client and prints the reply to its end."""
    content = rf"From: you@{PAIR_DOMAIN}\r\nTo: friend@{REMOTE_DOMAIN}\r\nSubject: Hello\r\n\r\nHello\r\n"
    return (
        f'{tools.python} -c "import smtplib; s = smtplib.SMTP({HOST!r}, {port}); s.ehlo(); '
        f"s.mail('you@{PAIR_DOMAIN}'); s.rcpt('friend@{REMOTE_DOMAIN}'); code, text = s.data(b'{content}'); "
        f's.quit(); print(code, text.decode())"'
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """One node at one look; an empty role: it does not answer."""

    name: str
    is_running: bool
    role: str = ""
    is_protected: bool = False
    queue_messages: int = 0


def changes(before: Sequence[Seen], after: Sequence[Seen]) -> list[str]:
    """Return what is worth telling between two looks at the same nodes."""
    told: list[str] = []
    for was, now in zip(before, after, strict=True):
        if was.is_running and not now.is_running:
            told.append(f"{now.name} has ended")
        elif not was.is_running and now.is_running:
            told.append(f"{now.name} was started")
        if now.role and now.role != was.role:
            told.append(f"{now.name} is {now.role}")
    if _is_protected(after) and not _is_protected(before):
        told.append("the pair is protected: what is queued is on two disks")
    if queue_line(before) != queue_line(after):
        told.append(queue_line(after))
    return told


def _is_protected(seen: Sequence[Seen]) -> bool:
    return all(each.is_protected for each in seen)


def queue_line(seen: Sequence[Seen]) -> str:
    """Return how many messages each running node holds."""
    return "queue: " + ", ".join(f"{each.queue_messages} on {each.name}" for each in seen if each.role)
