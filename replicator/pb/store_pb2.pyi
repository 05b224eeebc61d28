from replicator.pb import replicator_pb2 as _replicator_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StoredItem(_message.Message):
    __slots__ = ("put", "parts", "flags", "meta", "size", "hash")
    PUT_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    META_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    put: _replicator_pb2.Position
    parts: _containers.RepeatedCompositeFieldContainer[_replicator_pb2.Part]
    flags: _replicator_pb2.Flags
    meta: bytes
    size: int
    hash: bytes
    def __init__(self, put: _Optional[_Union[_replicator_pb2.Position, _Mapping]] = ..., parts: _Optional[_Iterable[_Union[_replicator_pb2.Part, _Mapping]]] = ..., flags: _Optional[_Union[_replicator_pb2.Flags, _Mapping]] = ..., meta: _Optional[bytes] = ..., size: _Optional[int] = ..., hash: _Optional[bytes] = ...) -> None: ...

class StoredOrphan(_message.Message):
    __slots__ = ("key", "is_gone", "parts", "flags")
    KEY_FIELD_NUMBER: _ClassVar[int]
    IS_GONE_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    is_gone: bool
    parts: _containers.RepeatedCompositeFieldContainer[_replicator_pb2.Part]
    flags: _replicator_pb2.Flags
    def __init__(self, key: _Optional[bytes] = ..., is_gone: _Optional[bool] = ..., parts: _Optional[_Iterable[_Union[_replicator_pb2.Part, _Mapping]]] = ..., flags: _Optional[_Union[_replicator_pb2.Flags, _Mapping]] = ...) -> None: ...

class StoredAway(_message.Message):
    __slots__ = ("put", "table", "is_voided")
    PUT_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    IS_VOIDED_FIELD_NUMBER: _ClassVar[int]
    put: _replicator_pb2.Position
    table: str
    is_voided: bool
    def __init__(self, put: _Optional[_Union[_replicator_pb2.Position, _Mapping]] = ..., table: _Optional[str] = ..., is_voided: _Optional[bool] = ...) -> None: ...
