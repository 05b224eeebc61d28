"""Finds the node that a command means: `--node`, or the socket of the node whose mtad.toml is at hand."""

from __future__ import annotations

from pathlib import Path

from mtad.cli.node_client import EXIT_USAGE, NodeClient, NodeError
from mtad.cli.options import Asked
from mtad.config.read import ConfigurationErrors, read

DEFAULT_SOCKET = Path("/run/mtad/admin.sock")


def connect(asked: Asked) -> NodeClient:
    """Return a client for the node. Errors: NodeError, when the address or the configuration is not good."""
    return NodeClient(asked.node or str(_socket(asked.config)), asked.timeout)


def _socket(config: Path | None) -> Path:
    if config is None:
        return DEFAULT_SOCKET
    settings = read(config)
    if isinstance(settings, ConfigurationErrors):
        raise NodeError(f"the configuration is not good\n{settings}", EXIT_USAGE)
    return settings.node.admin_socket
