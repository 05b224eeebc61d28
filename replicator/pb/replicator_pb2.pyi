from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Branch(_message.Message):
    __slots__ = ("node", "incarnation")
    NODE_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    node: int
    incarnation: int
    def __init__(self, node: _Optional[int] = ..., incarnation: _Optional[int] = ...) -> None: ...

class Position(_message.Message):
    __slots__ = ("branch", "seq")
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    branch: Branch
    seq: int
    def __init__(self, branch: _Optional[_Union[Branch, _Mapping]] = ..., seq: _Optional[int] = ...) -> None: ...

class Vector(_message.Message):
    __slots__ = ("positions",)
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    positions: _containers.RepeatedCompositeFieldContainer[Position]
    def __init__(self, positions: _Optional[_Iterable[_Union[Position, _Mapping]]] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("id", "rank", "attempts", "hlc", "due", "data")
    ID_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    HLC_FIELD_NUMBER: _ClassVar[int]
    DUE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    rank: int
    attempts: int
    hlc: int
    due: int
    data: bytes
    def __init__(self, id: _Optional[bytes] = ..., rank: _Optional[int] = ..., attempts: _Optional[int] = ..., hlc: _Optional[int] = ..., due: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class Flags(_message.Message):
    __slots__ = ("hlc", "data")
    HLC_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    hlc: int
    data: bytes
    def __init__(self, hlc: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class Record(_message.Message):
    __slots__ = ("kind", "key", "put", "parts", "flags", "meta", "blob", "crc")
    KIND_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PUT_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    META_FIELD_NUMBER: _ClassVar[int]
    BLOB_FIELD_NUMBER: _ClassVar[int]
    CRC_FIELD_NUMBER: _ClassVar[int]
    kind: int
    key: bytes
    put: Position
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    flags: Flags
    meta: bytes
    blob: bytes
    crc: int
    def __init__(self, kind: _Optional[int] = ..., key: _Optional[bytes] = ..., put: _Optional[_Union[Position, _Mapping]] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ..., flags: _Optional[_Union[Flags, _Mapping]] = ..., meta: _Optional[bytes] = ..., blob: _Optional[bytes] = ..., crc: _Optional[int] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("group", "node", "name", "store_id", "incarnation", "session", "version_min", "version_max", "vector", "epoch", "epoch_node", "role", "mode", "lease", "wants_received")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_MIN_FIELD_NUMBER: _ClassVar[int]
    VERSION_MAX_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EPOCH_NODE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    WANTS_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    group: str
    node: int
    name: str
    store_id: bytes
    incarnation: int
    session: int
    version_min: int
    version_max: int
    vector: Vector
    epoch: int
    epoch_node: int
    role: int
    mode: str
    lease: int
    wants_received: bool
    def __init__(self, group: _Optional[str] = ..., node: _Optional[int] = ..., name: _Optional[str] = ..., store_id: _Optional[bytes] = ..., incarnation: _Optional[int] = ..., session: _Optional[int] = ..., version_min: _Optional[int] = ..., version_max: _Optional[int] = ..., vector: _Optional[_Union[Vector, _Mapping]] = ..., epoch: _Optional[int] = ..., epoch_node: _Optional[int] = ..., role: _Optional[int] = ..., mode: _Optional[str] = ..., lease: _Optional[int] = ..., wants_received: _Optional[bool] = ...) -> None: ...

class Records(_message.Message):
    __slots__ = ("branch", "first_seq", "records")
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQ_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    branch: Branch
    first_seq: int
    records: _containers.RepeatedCompositeFieldContainer[Record]
    def __init__(self, branch: _Optional[_Union[Branch, _Mapping]] = ..., first_seq: _Optional[int] = ..., records: _Optional[_Iterable[_Union[Record, _Mapping]]] = ...) -> None: ...

class Beat(_message.Message):
    __slots__ = ("durable", "epoch", "epoch_node", "role", "ticket", "free_permille", "plea", "consent", "feeding")
    DURABLE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EPOCH_NODE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    FREE_PERMILLE_FIELD_NUMBER: _ClassVar[int]
    PLEA_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    FEEDING_FIELD_NUMBER: _ClassVar[int]
    durable: Vector
    epoch: int
    epoch_node: int
    role: int
    ticket: int
    free_permille: int
    plea: Plea
    consent: Consent
    feeding: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, durable: _Optional[_Union[Vector, _Mapping]] = ..., epoch: _Optional[int] = ..., epoch_node: _Optional[int] = ..., role: _Optional[int] = ..., ticket: _Optional[int] = ..., free_permille: _Optional[int] = ..., plea: _Optional[_Union[Plea, _Mapping]] = ..., consent: _Optional[_Union[Consent, _Mapping]] = ..., feeding: _Optional[_Iterable[int]] = ...) -> None: ...

class Plea(_message.Message):
    __slots__ = ("generation", "lease")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    generation: int
    lease: int
    def __init__(self, generation: _Optional[int] = ..., lease: _Optional[int] = ...) -> None: ...

class Consent(_message.Message):
    __slots__ = ("generation", "ticket")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    generation: int
    ticket: int
    def __init__(self, generation: _Optional[int] = ..., ticket: _Optional[int] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("durable", "received")
    DURABLE_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    durable: Vector
    received: Vector
    def __init__(self, durable: _Optional[_Union[Vector, _Mapping]] = ..., received: _Optional[_Union[Vector, _Mapping]] = ...) -> None: ...

class SnapshotBegin(_message.Message):
    __slots__ = ("vector",)
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    vector: Vector
    def __init__(self, vector: _Optional[_Union[Vector, _Mapping]] = ...) -> None: ...

class SnapshotItem(_message.Message):
    __slots__ = ("key", "put", "parts", "flags", "meta", "blob", "has_blob", "kind", "crc")
    KEY_FIELD_NUMBER: _ClassVar[int]
    PUT_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    META_FIELD_NUMBER: _ClassVar[int]
    BLOB_FIELD_NUMBER: _ClassVar[int]
    HAS_BLOB_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CRC_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    put: Position
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    flags: Flags
    meta: bytes
    blob: bytes
    has_blob: bool
    kind: int
    crc: int
    def __init__(self, key: _Optional[bytes] = ..., put: _Optional[_Union[Position, _Mapping]] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ..., flags: _Optional[_Union[Flags, _Mapping]] = ..., meta: _Optional[bytes] = ..., blob: _Optional[bytes] = ..., has_blob: _Optional[bool] = ..., kind: _Optional[int] = ..., crc: _Optional[int] = ...) -> None: ...

class SnapshotEnd(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: int
    def __init__(self, items: _Optional[int] = ...) -> None: ...

class Handover(_message.Message):
    __slots__ = ("epoch", "node")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    node: int
    def __init__(self, epoch: _Optional[int] = ..., node: _Optional[int] = ...) -> None: ...

class Bye(_message.Message):
    __slots__ = ("why", "expected", "came")
    WHY_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    CAME_FIELD_NUMBER: _ClassVar[int]
    why: str
    expected: str
    came: str
    def __init__(self, why: _Optional[str] = ..., expected: _Optional[str] = ..., came: _Optional[str] = ...) -> None: ...

class Fetch(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    def __init__(self, key: _Optional[bytes] = ...) -> None: ...

class Fetched(_message.Message):
    __slots__ = ("key", "presence", "item")
    KEY_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    presence: int
    item: SnapshotItem
    def __init__(self, key: _Optional[bytes] = ..., presence: _Optional[int] = ..., item: _Optional[_Union[SnapshotItem, _Mapping]] = ...) -> None: ...

class Range(_message.Message):
    __slots__ = ("end", "count", "digest")
    END_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    end: bytes
    count: int
    digest: bytes
    def __init__(self, end: _Optional[bytes] = ..., count: _Optional[int] = ..., digest: _Optional[bytes] = ...) -> None: ...

class Compare(_message.Message):
    __slots__ = ("number", "begin", "ranges", "keys")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BEGIN_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    number: int
    begin: bytes
    ranges: _containers.RepeatedCompositeFieldContainer[Range]
    keys: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, number: _Optional[int] = ..., begin: _Optional[bytes] = ..., ranges: _Optional[_Iterable[_Union[Range, _Mapping]]] = ..., keys: _Optional[_Iterable[bytes]] = ...) -> None: ...

class KeyState(_message.Message):
    __slots__ = ("key", "digest")
    KEY_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    digest: int
    def __init__(self, key: _Optional[bytes] = ..., digest: _Optional[int] = ...) -> None: ...

class Compared(_message.Message):
    __slots__ = ("number", "differing", "states", "is_failed")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DIFFERING_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    IS_FAILED_FIELD_NUMBER: _ClassVar[int]
    number: int
    differing: _containers.RepeatedScalarFieldContainer[int]
    states: _containers.RepeatedCompositeFieldContainer[KeyState]
    is_failed: bool
    def __init__(self, number: _Optional[int] = ..., differing: _Optional[_Iterable[int]] = ..., states: _Optional[_Iterable[_Union[KeyState, _Mapping]]] = ..., is_failed: _Optional[bool] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("session", "hello", "records", "ack", "beat", "snapshot_begin", "snapshot_item", "snapshot_end", "handover", "bye", "fetch", "fetched", "compare", "compared")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    BEAT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_BEGIN_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ITEM_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_END_FIELD_NUMBER: _ClassVar[int]
    HANDOVER_FIELD_NUMBER: _ClassVar[int]
    BYE_FIELD_NUMBER: _ClassVar[int]
    FETCH_FIELD_NUMBER: _ClassVar[int]
    FETCHED_FIELD_NUMBER: _ClassVar[int]
    COMPARE_FIELD_NUMBER: _ClassVar[int]
    COMPARED_FIELD_NUMBER: _ClassVar[int]
    session: int
    hello: Hello
    records: Records
    ack: Ack
    beat: Beat
    snapshot_begin: SnapshotBegin
    snapshot_item: SnapshotItem
    snapshot_end: SnapshotEnd
    handover: Handover
    bye: Bye
    fetch: Fetch
    fetched: Fetched
    compare: Compare
    compared: Compared
    def __init__(self, session: _Optional[int] = ..., hello: _Optional[_Union[Hello, _Mapping]] = ..., records: _Optional[_Union[Records, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., beat: _Optional[_Union[Beat, _Mapping]] = ..., snapshot_begin: _Optional[_Union[SnapshotBegin, _Mapping]] = ..., snapshot_item: _Optional[_Union[SnapshotItem, _Mapping]] = ..., snapshot_end: _Optional[_Union[SnapshotEnd, _Mapping]] = ..., handover: _Optional[_Union[Handover, _Mapping]] = ..., bye: _Optional[_Union[Bye, _Mapping]] = ..., fetch: _Optional[_Union[Fetch, _Mapping]] = ..., fetched: _Optional[_Union[Fetched, _Mapping]] = ..., compare: _Optional[_Union[Compare, _Mapping]] = ..., compared: _Optional[_Union[Compared, _Mapping]] = ...) -> None: ...

class Packet(_message.Message):
    __slots__ = ("messages", "fragment", "is_last")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_FIELD_NUMBER: _ClassVar[int]
    IS_LAST_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedScalarFieldContainer[bytes]
    fragment: bytes
    is_last: bool
    def __init__(self, messages: _Optional[_Iterable[bytes]] = ..., fragment: _Optional[bytes] = ..., is_last: _Optional[bool] = ...) -> None: ...
