from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Meta(_message.Message):
    __slots__ = ("format", "queue_id", "reverse_path", "arrival_ms", "size_octets", "client", "is_8bit", "is_utf8", "is_sender_verified", "is_submission", "dsn_of", "ret", "envid", "requests", "is_binary", "notes", "recipient_notes", "priority", "queue_name", "is_verp", "by")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_ID_FIELD_NUMBER: _ClassVar[int]
    REVERSE_PATH_FIELD_NUMBER: _ClassVar[int]
    ARRIVAL_MS_FIELD_NUMBER: _ClassVar[int]
    SIZE_OCTETS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    IS_8BIT_FIELD_NUMBER: _ClassVar[int]
    IS_UTF8_FIELD_NUMBER: _ClassVar[int]
    IS_SENDER_VERIFIED_FIELD_NUMBER: _ClassVar[int]
    IS_SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    DSN_OF_FIELD_NUMBER: _ClassVar[int]
    RET_FIELD_NUMBER: _ClassVar[int]
    ENVID_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    IS_BINARY_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_NOTES_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    QUEUE_NAME_FIELD_NUMBER: _ClassVar[int]
    IS_VERP_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    format: int
    queue_id: str
    reverse_path: str
    arrival_ms: int
    size_octets: int
    client: Client
    is_8bit: bool
    is_utf8: bool
    is_sender_verified: bool
    is_submission: bool
    dsn_of: str
    ret: str
    envid: str
    requests: _containers.RepeatedCompositeFieldContainer[Request]
    is_binary: bool
    notes: _containers.RepeatedCompositeFieldContainer[Note]
    recipient_notes: _containers.RepeatedCompositeFieldContainer[RecipientNotes]
    priority: int
    queue_name: str
    is_verp: bool
    by: DeliverBy
    def __init__(self, format: _Optional[int] = ..., queue_id: _Optional[str] = ..., reverse_path: _Optional[str] = ..., arrival_ms: _Optional[int] = ..., size_octets: _Optional[int] = ..., client: _Optional[_Union[Client, _Mapping]] = ..., is_8bit: _Optional[bool] = ..., is_utf8: _Optional[bool] = ..., is_sender_verified: _Optional[bool] = ..., is_submission: _Optional[bool] = ..., dsn_of: _Optional[str] = ..., ret: _Optional[str] = ..., envid: _Optional[str] = ..., requests: _Optional[_Iterable[_Union[Request, _Mapping]]] = ..., is_binary: _Optional[bool] = ..., notes: _Optional[_Iterable[_Union[Note, _Mapping]]] = ..., recipient_notes: _Optional[_Iterable[_Union[RecipientNotes, _Mapping]]] = ..., priority: _Optional[int] = ..., queue_name: _Optional[str] = ..., is_verp: _Optional[bool] = ..., by: _Optional[_Union[DeliverBy, _Mapping]] = ...) -> None: ...

class Note(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: bytes
    def __init__(self, name: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...

class RecipientNotes(_message.Message):
    __slots__ = ("recipient", "notes")
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    recipient: str
    notes: _containers.RepeatedCompositeFieldContainer[Note]
    def __init__(self, recipient: _Optional[str] = ..., notes: _Optional[_Iterable[_Union[Note, _Mapping]]] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ("recipient", "notify", "original", "by")
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    NOTIFY_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    recipient: str
    notify: int
    original: str
    by: DeliverBy
    def __init__(self, recipient: _Optional[str] = ..., notify: _Optional[int] = ..., original: _Optional[str] = ..., by: _Optional[_Union[DeliverBy, _Mapping]] = ...) -> None: ...

class DeliverBy(_message.Message):
    __slots__ = ("until_ms", "late", "is_traced")
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    IS_TRACED_FIELD_NUMBER: _ClassVar[int]
    until_ms: int
    late: str
    is_traced: bool
    def __init__(self, until_ms: _Optional[int] = ..., late: _Optional[str] = ..., is_traced: _Optional[bool] = ...) -> None: ...

class Client(_message.Message):
    __slots__ = ("address", "port", "helo", "is_esmtp", "is_tls", "identity")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    HELO_FIELD_NUMBER: _ClassVar[int]
    IS_ESMTP_FIELD_NUMBER: _ClassVar[int]
    IS_TLS_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    address: str
    port: int
    helo: str
    is_esmtp: bool
    is_tls: bool
    identity: str
    def __init__(self, address: _Optional[str] = ..., port: _Optional[int] = ..., helo: _Optional[str] = ..., is_esmtp: _Optional[bool] = ..., is_tls: _Optional[bool] = ..., identity: _Optional[str] = ...) -> None: ...

class RecipientState(_message.Message):
    __slots__ = ("attempts", "attempts_dropped", "claim", "delay_told_ms", "route", "attempts_uncounted")
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_DROPPED_FIELD_NUMBER: _ClassVar[int]
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    DELAY_TOLD_MS_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_UNCOUNTED_FIELD_NUMBER: _ClassVar[int]
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    attempts_dropped: int
    claim: Claim
    delay_told_ms: int
    route: Route
    attempts_uncounted: int
    def __init__(self, attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., attempts_dropped: _Optional[int] = ..., claim: _Optional[_Union[Claim, _Mapping]] = ..., delay_told_ms: _Optional[int] = ..., route: _Optional[_Union[Route, _Mapping]] = ..., attempts_uncounted: _Optional[int] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("transport", "hosts", "port", "tls", "sources", "helo", "pool", "credentials")
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    HOSTS_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    TLS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    HELO_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    transport: str
    hosts: _containers.RepeatedScalarFieldContainer[str]
    port: int
    tls: str
    sources: _containers.RepeatedScalarFieldContainer[str]
    helo: str
    pool: str
    credentials: str
    def __init__(self, transport: _Optional[str] = ..., hosts: _Optional[_Iterable[str]] = ..., port: _Optional[int] = ..., tls: _Optional[str] = ..., sources: _Optional[_Iterable[str]] = ..., helo: _Optional[str] = ..., pool: _Optional[str] = ..., credentials: _Optional[str] = ...) -> None: ...

class Claim(_message.Message):
    __slots__ = ("node", "since_ms", "until_ms")
    NODE_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    node: int
    since_ms: int
    until_ms: int
    def __init__(self, node: _Optional[int] = ..., since_ms: _Optional[int] = ..., until_ms: _Optional[int] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("at_ms", "result", "code", "enhanced", "text", "next_hop", "node")
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ENHANCED_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    NEXT_HOP_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    at_ms: int
    result: str
    code: int
    enhanced: str
    text: str
    next_hop: str
    node: int
    def __init__(self, at_ms: _Optional[int] = ..., result: _Optional[str] = ..., code: _Optional[int] = ..., enhanced: _Optional[str] = ..., text: _Optional[str] = ..., next_hop: _Optional[str] = ..., node: _Optional[int] = ...) -> None: ...

class Flags(_message.Message):
    __slots__ = ("is_held", "reason")
    IS_HELD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    is_held: bool
    reason: str
    def __init__(self, is_held: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class Memory(_message.Message):
    __slots__ = ("format", "queue_id", "fingerprint", "at_ms", "until_ms", "fates", "brought")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_ID_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    FATES_FIELD_NUMBER: _ClassVar[int]
    BROUGHT_FIELD_NUMBER: _ClassVar[int]
    format: int
    queue_id: str
    fingerprint: bytes
    at_ms: int
    until_ms: int
    fates: _containers.RepeatedCompositeFieldContainer[Fate]
    brought: bytes
    def __init__(self, format: _Optional[int] = ..., queue_id: _Optional[str] = ..., fingerprint: _Optional[bytes] = ..., at_ms: _Optional[int] = ..., until_ms: _Optional[int] = ..., fates: _Optional[_Iterable[_Union[Fate, _Mapping]]] = ..., brought: _Optional[bytes] = ...) -> None: ...

class Fate(_message.Message):
    __slots__ = ("recipients", "result", "code", "enhanced", "text", "next_hop")
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ENHANCED_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    NEXT_HOP_FIELD_NUMBER: _ClassVar[int]
    recipients: _containers.RepeatedScalarFieldContainer[str]
    result: str
    code: int
    enhanced: str
    text: str
    next_hop: str
    def __init__(self, recipients: _Optional[_Iterable[str]] = ..., result: _Optional[str] = ..., code: _Optional[int] = ..., enhanced: _Optional[str] = ..., text: _Optional[str] = ..., next_hop: _Optional[str] = ...) -> None: ...

class Counters(_message.Message):
    __slots__ = ("format", "node", "until_ms", "windows", "known", "values")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    format: int
    node: int
    until_ms: int
    windows: _containers.RepeatedCompositeFieldContainer[Window]
    known: _containers.RepeatedCompositeFieldContainer[Known]
    values: _containers.RepeatedCompositeFieldContainer[Value]
    def __init__(self, format: _Optional[int] = ..., node: _Optional[int] = ..., until_ms: _Optional[int] = ..., windows: _Optional[_Iterable[_Union[Window, _Mapping]]] = ..., known: _Optional[_Iterable[_Union[Known, _Mapping]]] = ..., values: _Optional[_Iterable[_Union[Value, _Mapping]]] = ...) -> None: ...

class Window(_message.Message):
    __slots__ = ("counter", "seconds", "slot", "taken")
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    SLOT_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    counter: bytes
    seconds: int
    slot: int
    taken: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, counter: _Optional[bytes] = ..., seconds: _Optional[int] = ..., slot: _Optional[int] = ..., taken: _Optional[_Iterable[int]] = ...) -> None: ...

class Known(_message.Message):
    __slots__ = ("counter", "since_ms", "until_ms", "is_passed")
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    IS_PASSED_FIELD_NUMBER: _ClassVar[int]
    counter: bytes
    since_ms: int
    until_ms: int
    is_passed: bool
    def __init__(self, counter: _Optional[bytes] = ..., since_ms: _Optional[int] = ..., until_ms: _Optional[int] = ..., is_passed: _Optional[bool] = ...) -> None: ...

class Value(_message.Message):
    __slots__ = ("counter", "since_ms", "until_ms", "text", "counts_ms")
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    COUNTS_MS_FIELD_NUMBER: _ClassVar[int]
    counter: bytes
    since_ms: int
    until_ms: int
    text: bytes
    counts_ms: int
    def __init__(self, counter: _Optional[bytes] = ..., since_ms: _Optional[int] = ..., until_ms: _Optional[int] = ..., text: _Optional[bytes] = ..., counts_ms: _Optional[int] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("recipient", "rank", "due_ms", "state")
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    recipient: str
    rank: int
    due_ms: int
    state: RecipientState
    def __init__(self, recipient: _Optional[str] = ..., rank: _Optional[int] = ..., due_ms: _Optional[int] = ..., state: _Optional[_Union[RecipientState, _Mapping]] = ...) -> None: ...

class NewMessage(_message.Message):
    __slots__ = ("meta", "content", "parts", "held")
    META_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    meta: Meta
    content: bytes
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    held: str
    def __init__(self, meta: _Optional[_Union[Meta, _Mapping]] = ..., content: _Optional[bytes] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ..., held: _Optional[str] = ...) -> None: ...

class StateChange(_message.Message):
    __slots__ = ("queue_id", "parts")
    QUEUE_ID_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    queue_id: str
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    def __init__(self, queue_id: _Optional[str] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ...) -> None: ...

class CommitRequest(_message.Message):
    __slots__ = ("call", "puts", "states", "is_accepting")
    CALL_FIELD_NUMBER: _ClassVar[int]
    PUTS_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    IS_ACCEPTING_FIELD_NUMBER: _ClassVar[int]
    call: int
    puts: _containers.RepeatedCompositeFieldContainer[NewMessage]
    states: _containers.RepeatedCompositeFieldContainer[StateChange]
    is_accepting: bool
    def __init__(self, call: _Optional[int] = ..., puts: _Optional[_Iterable[_Union[NewMessage, _Mapping]]] = ..., states: _Optional[_Iterable[_Union[StateChange, _Mapping]]] = ..., is_accepting: _Optional[bool] = ...) -> None: ...

class RememberRequest(_message.Message):
    __slots__ = ("call", "memory")
    CALL_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    call: int
    memory: Memory
    def __init__(self, call: _Optional[int] = ..., memory: _Optional[_Union[Memory, _Mapping]] = ...) -> None: ...

class RecallRequest(_message.Message):
    __slots__ = ("call", "fingerprint")
    CALL_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    call: int
    fingerprint: bytes
    def __init__(self, call: _Optional[int] = ..., fingerprint: _Optional[bytes] = ...) -> None: ...

class RateRequest(_message.Message):
    __slots__ = ("call", "counter", "limit", "seconds", "cost", "is_peek")
    CALL_FIELD_NUMBER: _ClassVar[int]
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    IS_PEEK_FIELD_NUMBER: _ClassVar[int]
    call: int
    counter: bytes
    limit: int
    seconds: int
    cost: int
    is_peek: bool
    def __init__(self, call: _Optional[int] = ..., counter: _Optional[bytes] = ..., limit: _Optional[int] = ..., seconds: _Optional[int] = ..., cost: _Optional[int] = ..., is_peek: _Optional[bool] = ...) -> None: ...

class GreylistRequest(_message.Message):
    __slots__ = ("call", "counter", "delay_seconds", "window_seconds", "lifetime_seconds")
    CALL_FIELD_NUMBER: _ClassVar[int]
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    DELAY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    call: int
    counter: bytes
    delay_seconds: int
    window_seconds: int
    lifetime_seconds: int
    def __init__(self, call: _Optional[int] = ..., counter: _Optional[bytes] = ..., delay_seconds: _Optional[int] = ..., window_seconds: _Optional[int] = ..., lifetime_seconds: _Optional[int] = ...) -> None: ...

class StoreRequest(_message.Message):
    __slots__ = ("call", "counter", "is_set", "value", "seconds")
    CALL_FIELD_NUMBER: _ClassVar[int]
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    IS_SET_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    call: int
    counter: bytes
    is_set: bool
    value: bytes
    seconds: int
    def __init__(self, call: _Optional[int] = ..., counter: _Optional[bytes] = ..., is_set: _Optional[bool] = ..., value: _Optional[bytes] = ..., seconds: _Optional[int] = ...) -> None: ...

class PlaceRequest(_message.Message):
    __slots__ = ("call", "counter", "limit")
    CALL_FIELD_NUMBER: _ClassVar[int]
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    call: int
    counter: bytes
    limit: int
    def __init__(self, call: _Optional[int] = ..., counter: _Optional[bytes] = ..., limit: _Optional[int] = ...) -> None: ...

class Place(_message.Message):
    __slots__ = ("number", "counter")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    number: int
    counter: bytes
    def __init__(self, number: _Optional[int] = ..., counter: _Optional[bytes] = ...) -> None: ...

class WorkerReport(_message.Message):
    __slots__ = ("sessions", "delivered_through", "retries_answered", "retries_in_doubt")
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_THROUGH_FIELD_NUMBER: _ClassVar[int]
    RETRIES_ANSWERED_FIELD_NUMBER: _ClassVar[int]
    RETRIES_IN_DOUBT_FIELD_NUMBER: _ClassVar[int]
    sessions: int
    delivered_through: int
    retries_answered: int
    retries_in_doubt: int
    def __init__(self, sessions: _Optional[int] = ..., delivered_through: _Optional[int] = ..., retries_answered: _Optional[int] = ..., retries_in_doubt: _Optional[int] = ...) -> None: ...

class Measured(_message.Message):
    __slots__ = ("name", "is_gauge", "labels", "samples")
    NAME_FIELD_NUMBER: _ClassVar[int]
    IS_GAUGE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    name: str
    is_gauge: bool
    labels: _containers.RepeatedScalarFieldContainer[str]
    samples: _containers.RepeatedCompositeFieldContainer[Sample]
    def __init__(self, name: _Optional[str] = ..., is_gauge: _Optional[bool] = ..., labels: _Optional[_Iterable[str]] = ..., samples: _Optional[_Iterable[_Union[Sample, _Mapping]]] = ...) -> None: ...

class Sample(_message.Message):
    __slots__ = ("values", "number")
    VALUES_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    number: int
    def __init__(self, values: _Optional[_Iterable[str]] = ..., number: _Optional[int] = ...) -> None: ...

class FromWorker(_message.Message):
    __slots__ = ("commit", "report", "remember", "recall", "rate", "greylist", "place", "held", "left", "measured", "store")
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    REMEMBER_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    GREYLIST_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    MEASURED_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    commit: CommitRequest
    report: WorkerReport
    remember: RememberRequest
    recall: RecallRequest
    rate: RateRequest
    greylist: GreylistRequest
    place: PlaceRequest
    held: Place
    left: int
    measured: Measured
    store: StoreRequest
    def __init__(self, commit: _Optional[_Union[CommitRequest, _Mapping]] = ..., report: _Optional[_Union[WorkerReport, _Mapping]] = ..., remember: _Optional[_Union[RememberRequest, _Mapping]] = ..., recall: _Optional[_Union[RecallRequest, _Mapping]] = ..., rate: _Optional[_Union[RateRequest, _Mapping]] = ..., greylist: _Optional[_Union[GreylistRequest, _Mapping]] = ..., place: _Optional[_Union[PlaceRequest, _Mapping]] = ..., held: _Optional[_Union[Place, _Mapping]] = ..., left: _Optional[int] = ..., measured: _Optional[_Union[Measured, _Mapping]] = ..., store: _Optional[_Union[StoreRequest, _Mapping]] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("call", "copies", "refusal", "is_received", "memories", "is_over", "count", "has_value", "value")
    CALL_FIELD_NUMBER: _ClassVar[int]
    COPIES_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    IS_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    MEMORIES_FIELD_NUMBER: _ClassVar[int]
    IS_OVER_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    HAS_VALUE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    call: int
    copies: int
    refusal: str
    is_received: bool
    memories: _containers.RepeatedCompositeFieldContainer[Memory]
    is_over: bool
    count: int
    has_value: bool
    value: bytes
    def __init__(self, call: _Optional[int] = ..., copies: _Optional[int] = ..., refusal: _Optional[str] = ..., is_received: _Optional[bool] = ..., memories: _Optional[_Iterable[_Union[Memory, _Mapping]]] = ..., is_over: _Optional[bool] = ..., count: _Optional[int] = ..., has_value: _Optional[bool] = ..., value: _Optional[bytes] = ...) -> None: ...

class News(_message.Message):
    __slots__ = ("is_all", "remembered", "forgotten")
    IS_ALL_FIELD_NUMBER: _ClassVar[int]
    REMEMBERED_FIELD_NUMBER: _ClassVar[int]
    FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    is_all: bool
    remembered: _containers.RepeatedScalarFieldContainer[bytes]
    forgotten: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, is_all: _Optional[bool] = ..., remembered: _Optional[_Iterable[bytes]] = ..., forgotten: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ToWorker(_message.Message):
    __slots__ = ("answers", "news", "is_flushed", "is_policy_new")
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    NEWS_FIELD_NUMBER: _ClassVar[int]
    IS_FLUSHED_FIELD_NUMBER: _ClassVar[int]
    IS_POLICY_NEW_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[Answer]
    news: News
    is_flushed: bool
    is_policy_new: bool
    def __init__(self, answers: _Optional[_Iterable[_Union[Answer, _Mapping]]] = ..., news: _Optional[_Union[News, _Mapping]] = ..., is_flushed: _Optional[bool] = ..., is_policy_new: _Optional[bool] = ...) -> None: ...

class FromWorkerBatch(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[FromWorker]
    def __init__(self, items: _Optional[_Iterable[_Union[FromWorker, _Mapping]]] = ...) -> None: ...
