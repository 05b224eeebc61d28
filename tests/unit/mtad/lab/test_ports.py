"""Ports for programs that are told theirs before they start."""

from __future__ import annotations

import socket

from mtad.lab import ports


def test_a_port_lies_where_no_outgoing_connection_takes_it() -> None:
    for _ in range(50):
        port = ports.free_port()
        assert 10_240 <= port < 32_768
        assert ports.is_free(port)


def test_a_port_that_is_listened_on_is_not_free() -> None:
    with socket.socket() as listening:
        listening.bind((ports.HOST, 0))
        listening.listen()
        assert not ports.is_free(listening.getsockname()[1])
