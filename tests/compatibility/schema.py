"""A recorded schema, compiled by itself: its messages know nothing of today's."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc


class Schema:
    """The message classes of a recorded schema, as attributes."""

    def __init__(self, folder: Path, *files: str) -> None:
        self.pool = descriptor_pool.DescriptorPool()
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "set"
            arguments = ["protoc", f"-I{folder}", "--include_imports", f"--descriptor_set_out={out}", *files]
            if protoc.main(arguments) != 0:
                raise ValueError(f"the schema in {folder} does not compile")
            self.files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
        for file in self.files:
            self.pool.Add(file)

    def __getattr__(self, name: str) -> Any:
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(f"replicator.v1.{name}"))

    def messages(self) -> dict[str, Any]:
        """Return the descriptors of all messages by name."""
        return {
            message.name: self.pool.FindMessageTypeByName(f"{file.package}.{message.name}")
            for file in self.files
            for message in file.message_type
        }
