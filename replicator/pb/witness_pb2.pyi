from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Ask(_message.Message):
    __slots__ = ("group", "node", "incarnation", "generation", "ticket", "epoch")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    group: str
    node: int
    incarnation: int
    generation: int
    ticket: int
    epoch: int
    def __init__(self, group: _Optional[str] = ..., node: _Optional[int] = ..., incarnation: _Optional[int] = ..., generation: _Optional[int] = ..., ticket: _Optional[int] = ..., epoch: _Optional[int] = ...) -> None: ...

class Said(_message.Message):
    __slots__ = ("is_granted", "incarnation", "generation", "ticket", "epoch", "lease", "node", "why")
    IS_GRANTED_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    is_granted: bool
    incarnation: int
    generation: int
    ticket: int
    epoch: int
    lease: int
    node: int
    why: str
    def __init__(self, is_granted: _Optional[bool] = ..., incarnation: _Optional[int] = ..., generation: _Optional[int] = ..., ticket: _Optional[int] = ..., epoch: _Optional[int] = ..., lease: _Optional[int] = ..., node: _Optional[int] = ..., why: _Optional[str] = ...) -> None: ...

class Release(_message.Message):
    __slots__ = ("group", "node", "incarnation", "generation", "heir")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    HEIR_FIELD_NUMBER: _ClassVar[int]
    group: str
    node: int
    incarnation: int
    generation: int
    heir: int
    def __init__(self, group: _Optional[str] = ..., node: _Optional[int] = ..., incarnation: _Optional[int] = ..., generation: _Optional[int] = ..., heir: _Optional[int] = ...) -> None: ...

class Noted(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
