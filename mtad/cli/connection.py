"""Finds the node that a command means: `--node`, or the socket of the node whose mtad.toml is at hand."""

from __future__ import annotations

import os
from pathlib import Path

from mtad.cli.node_client import EXIT_USAGE, NodeClient, NodeError
from mtad.cli.options import DEFAULT_CONFIG, Asked
from mtad.config.read import ConfigurationErrors, read

DEFAULT_SOCKET = Path("/run/mtad/admin.sock")


def connect(asked: Asked) -> NodeClient:
    """Return a client for the node. Errors: NodeError, when the address or the configuration is not good."""
    return NodeClient(asked.node or str(_socket(asked.config)), asked.timeout)


def _socket(config: Path | None) -> Path:
    """Find the socket. Without --config it is the one of /etc/mtad/mtad.toml, where that can be read."""
    if config is None:
        if not os.access(DEFAULT_CONFIG, os.R_OK):
            return DEFAULT_SOCKET
        config = DEFAULT_CONFIG
    settings = read(config)
    if isinstance(settings, ConfigurationErrors):
        raise NodeError(f"the configuration is not good\n{settings}", EXIT_USAGE)
    return settings.node.admin_socket
