from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatusReply(_message.Message):
    __slots__ = ("node", "role", "epoch", "position", "peer", "queue", "sessions", "version", "unprotected_messages", "uptime_seconds", "delivered_through", "witness", "lease_seconds", "damaged_messages", "is_unfit", "is_full", "retries_answered", "retries_in_doubt", "sites", "members", "policy", "workers")
    NODE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    UNPROTECTED_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    UPTIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_THROUGH_FIELD_NUMBER: _ClassVar[int]
    WITNESS_FIELD_NUMBER: _ClassVar[int]
    LEASE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    DAMAGED_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    IS_UNFIT_FIELD_NUMBER: _ClassVar[int]
    IS_FULL_FIELD_NUMBER: _ClassVar[int]
    RETRIES_ANSWERED_FIELD_NUMBER: _ClassVar[int]
    RETRIES_IN_DOUBT_FIELD_NUMBER: _ClassVar[int]
    SITES_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    node: str
    role: str
    epoch: int
    position: int
    peer: Peer
    queue: Queue
    sessions: int
    version: str
    unprotected_messages: int
    uptime_seconds: float
    delivered_through: int
    witness: Witness
    lease_seconds: float
    damaged_messages: int
    is_unfit: bool
    is_full: bool
    retries_answered: int
    retries_in_doubt: int
    sites: _containers.RepeatedCompositeFieldContainer[Far]
    members: _containers.RepeatedCompositeFieldContainer[Far]
    policy: Policy
    workers: int
    def __init__(self, node: _Optional[str] = ..., role: _Optional[str] = ..., epoch: _Optional[int] = ..., position: _Optional[int] = ..., peer: _Optional[_Union[Peer, _Mapping]] = ..., queue: _Optional[_Union[Queue, _Mapping]] = ..., sessions: _Optional[int] = ..., version: _Optional[str] = ..., unprotected_messages: _Optional[int] = ..., uptime_seconds: _Optional[float] = ..., delivered_through: _Optional[int] = ..., witness: _Optional[_Union[Witness, _Mapping]] = ..., lease_seconds: _Optional[float] = ..., damaged_messages: _Optional[int] = ..., is_unfit: _Optional[bool] = ..., is_full: _Optional[bool] = ..., retries_answered: _Optional[int] = ..., retries_in_doubt: _Optional[int] = ..., sites: _Optional[_Iterable[_Union[Far, _Mapping]]] = ..., members: _Optional[_Iterable[_Union[Far, _Mapping]]] = ..., policy: _Optional[_Union[Policy, _Mapping]] = ..., workers: _Optional[int] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("loaded", "errors", "broken")
    LOADED_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    BROKEN_FIELD_NUMBER: _ClassVar[int]
    loaded: float
    errors: _containers.RepeatedCompositeFieldContainer[PolicyError]
    broken: float
    def __init__(self, loaded: _Optional[float] = ..., errors: _Optional[_Iterable[_Union[PolicyError, _Mapping]]] = ..., broken: _Optional[float] = ...) -> None: ...

class PolicyError(_message.Message):
    __slots__ = ("file", "line", "column", "text")
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    file: str
    line: int
    column: int
    text: str
    def __init__(self, file: _Optional[str] = ..., line: _Optional[int] = ..., column: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class Witness(_message.Message):
    __slots__ = ("name", "state", "seconds", "problem")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: str
    seconds: float
    problem: str
    def __init__(self, name: _Optional[str] = ..., state: _Optional[str] = ..., seconds: _Optional[float] = ..., problem: _Optional[str] = ...) -> None: ...

class Far(_message.Message):
    __slots__ = ("node", "role", "state", "is_fed", "lag_records", "lag_octets", "lag_seconds", "problem")
    NODE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    IS_FED_FIELD_NUMBER: _ClassVar[int]
    LAG_RECORDS_FIELD_NUMBER: _ClassVar[int]
    LAG_OCTETS_FIELD_NUMBER: _ClassVar[int]
    LAG_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    node: str
    role: str
    state: str
    is_fed: bool
    lag_records: int
    lag_octets: int
    lag_seconds: float
    problem: str
    def __init__(self, node: _Optional[str] = ..., role: _Optional[str] = ..., state: _Optional[str] = ..., is_fed: _Optional[bool] = ..., lag_records: _Optional[int] = ..., lag_octets: _Optional[int] = ..., lag_seconds: _Optional[float] = ..., problem: _Optional[str] = ...) -> None: ...

class Peer(_message.Message):
    __slots__ = ("node", "state", "position", "lag_records", "lag_octets", "lag_seconds", "durability", "role", "problem", "level")
    NODE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    LAG_RECORDS_FIELD_NUMBER: _ClassVar[int]
    LAG_OCTETS_FIELD_NUMBER: _ClassVar[int]
    LAG_SECONDS_FIELD_NUMBER: _ClassVar[int]
    DURABILITY_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    node: str
    state: str
    position: int
    lag_records: int
    lag_octets: int
    lag_seconds: float
    durability: str
    role: str
    problem: str
    level: str
    def __init__(self, node: _Optional[str] = ..., state: _Optional[str] = ..., position: _Optional[int] = ..., lag_records: _Optional[int] = ..., lag_octets: _Optional[int] = ..., lag_seconds: _Optional[float] = ..., durability: _Optional[str] = ..., role: _Optional[str] = ..., problem: _Optional[str] = ..., level: _Optional[str] = ...) -> None: ...

class Queue(_message.Message):
    __slots__ = ("messages", "recipients", "octets", "oldest_seconds")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    OCTETS_FIELD_NUMBER: _ClassVar[int]
    OLDEST_SECONDS_FIELD_NUMBER: _ClassVar[int]
    messages: int
    recipients: int
    octets: int
    oldest_seconds: float
    def __init__(self, messages: _Optional[int] = ..., recipients: _Optional[int] = ..., octets: _Optional[int] = ..., oldest_seconds: _Optional[float] = ...) -> None: ...

class Selection(_message.Message):
    __slots__ = ("queue_ids", "domain", "sender", "recipient", "state", "older_than_seconds", "all", "queue")
    QUEUE_IDS_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OLDER_THAN_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    queue_ids: _containers.RepeatedScalarFieldContainer[str]
    domain: str
    sender: str
    recipient: str
    state: str
    older_than_seconds: float
    all: bool
    queue: str
    def __init__(self, queue_ids: _Optional[_Iterable[str]] = ..., domain: _Optional[str] = ..., sender: _Optional[str] = ..., recipient: _Optional[str] = ..., state: _Optional[str] = ..., older_than_seconds: _Optional[float] = ..., all: _Optional[bool] = ..., queue: _Optional[str] = ...) -> None: ...

class QueueListRequest(_message.Message):
    __slots__ = ("selection", "limit", "sort")
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SORT_FIELD_NUMBER: _ClassVar[int]
    selection: Selection
    limit: int
    sort: str
    def __init__(self, selection: _Optional[_Union[Selection, _Mapping]] = ..., limit: _Optional[int] = ..., sort: _Optional[str] = ...) -> None: ...

class QueueEntry(_message.Message):
    __slots__ = ("queue_name", "queue_id", "arrival_time", "message_size", "forced_expire", "sender", "recipients", "next_attempt", "attempts", "position", "queue", "priority")
    QUEUE_NAME_FIELD_NUMBER: _ClassVar[int]
    QUEUE_ID_FIELD_NUMBER: _ClassVar[int]
    ARRIVAL_TIME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    FORCED_EXPIRE_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    queue_name: str
    queue_id: str
    arrival_time: int
    message_size: int
    forced_expire: bool
    sender: str
    recipients: _containers.RepeatedCompositeFieldContainer[QueueRecipient]
    next_attempt: float
    attempts: int
    position: str
    queue: str
    priority: int
    def __init__(self, queue_name: _Optional[str] = ..., queue_id: _Optional[str] = ..., arrival_time: _Optional[int] = ..., message_size: _Optional[int] = ..., forced_expire: _Optional[bool] = ..., sender: _Optional[str] = ..., recipients: _Optional[_Iterable[_Union[QueueRecipient, _Mapping]]] = ..., next_attempt: _Optional[float] = ..., attempts: _Optional[int] = ..., position: _Optional[str] = ..., queue: _Optional[str] = ..., priority: _Optional[int] = ...) -> None: ...

class QueueRecipient(_message.Message):
    __slots__ = ("address", "delay_reason", "state")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DELAY_REASON_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    address: str
    delay_reason: str
    state: str
    def __init__(self, address: _Optional[str] = ..., delay_reason: _Optional[str] = ..., state: _Optional[str] = ...) -> None: ...

class QueueShowRequest(_message.Message):
    __slots__ = ("queue_id", "headers", "content")
    QUEUE_ID_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    queue_id: str
    headers: bool
    content: bool
    def __init__(self, queue_id: _Optional[str] = ..., headers: _Optional[bool] = ..., content: _Optional[bool] = ...) -> None: ...

class QueueShowReply(_message.Message):
    __slots__ = ("found", "entry", "history", "octets", "client", "ret", "envid")
    FOUND_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    OCTETS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    RET_FIELD_NUMBER: _ClassVar[int]
    ENVID_FIELD_NUMBER: _ClassVar[int]
    found: bool
    entry: QueueEntry
    history: _containers.RepeatedCompositeFieldContainer[RecipientHistory]
    octets: bytes
    client: str
    ret: str
    envid: str
    def __init__(self, found: _Optional[bool] = ..., entry: _Optional[_Union[QueueEntry, _Mapping]] = ..., history: _Optional[_Iterable[_Union[RecipientHistory, _Mapping]]] = ..., octets: _Optional[bytes] = ..., client: _Optional[str] = ..., ret: _Optional[str] = ..., envid: _Optional[str] = ...) -> None: ...

class RecipientHistory(_message.Message):
    __slots__ = ("address", "state", "attempts", "notify", "original", "delay_told", "route", "deliver_by", "late")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    NOTIFY_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_FIELD_NUMBER: _ClassVar[int]
    DELAY_TOLD_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    DELIVER_BY_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    address: str
    state: str
    attempts: _containers.RepeatedCompositeFieldContainer[AttemptLine]
    notify: str
    original: str
    delay_told: float
    route: str
    deliver_by: float
    late: str
    def __init__(self, address: _Optional[str] = ..., state: _Optional[str] = ..., attempts: _Optional[_Iterable[_Union[AttemptLine, _Mapping]]] = ..., notify: _Optional[str] = ..., original: _Optional[str] = ..., delay_told: _Optional[float] = ..., route: _Optional[str] = ..., deliver_by: _Optional[float] = ..., late: _Optional[str] = ...) -> None: ...

class AttemptLine(_message.Message):
    __slots__ = ("at", "result", "reply", "next_hop", "node")
    AT_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    NEXT_HOP_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    at: float
    result: str
    reply: str
    next_hop: str
    node: int
    def __init__(self, at: _Optional[float] = ..., result: _Optional[str] = ..., reply: _Optional[str] = ..., next_hop: _Optional[str] = ..., node: _Optional[int] = ...) -> None: ...

class QueueActRequest(_message.Message):
    __slots__ = ("verb", "selection", "dry_run")
    VERB_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    verb: str
    selection: Selection
    dry_run: bool
    def __init__(self, verb: _Optional[str] = ..., selection: _Optional[_Union[Selection, _Mapping]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class QueueActReply(_message.Message):
    __slots__ = ("queue_ids", "refused")
    QUEUE_IDS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    queue_ids: _containers.RepeatedScalarFieldContainer[str]
    refused: str
    def __init__(self, queue_ids: _Optional[_Iterable[str]] = ..., refused: _Optional[str] = ...) -> None: ...

class ReplicaRequest(_message.Message):
    __slots__ = ("verb", "force")
    VERB_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    verb: str
    force: bool
    def __init__(self, verb: _Optional[str] = ..., force: _Optional[bool] = ...) -> None: ...

class ReplicaReply(_message.Message):
    __slots__ = ("done", "text", "seconds", "epoch", "risk")
    DONE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    done: bool
    text: str
    seconds: float
    epoch: int
    risk: str
    def __init__(self, done: _Optional[bool] = ..., text: _Optional[str] = ..., seconds: _Optional[float] = ..., epoch: _Optional[int] = ..., risk: _Optional[str] = ...) -> None: ...

class VerifyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VerifyReply(_message.Message):
    __slots__ = ("refused", "messages", "differences", "is_cut_short", "octets", "seconds")
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    IS_CUT_SHORT_FIELD_NUMBER: _ClassVar[int]
    OCTETS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    refused: str
    messages: int
    differences: _containers.RepeatedCompositeFieldContainer[Difference]
    is_cut_short: bool
    octets: int
    seconds: float
    def __init__(self, refused: _Optional[str] = ..., messages: _Optional[int] = ..., differences: _Optional[_Iterable[_Union[Difference, _Mapping]]] = ..., is_cut_short: _Optional[bool] = ..., octets: _Optional[int] = ..., seconds: _Optional[float] = ...) -> None: ...

class Difference(_message.Message):
    __slots__ = ("queue_id", "what")
    QUEUE_ID_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    queue_id: str
    what: str
    def __init__(self, queue_id: _Optional[str] = ..., what: _Optional[str] = ...) -> None: ...

class ResyncRequest(_message.Message):
    __slots__ = ("full", "force")
    FULL_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    full: bool
    force: bool
    def __init__(self, full: _Optional[bool] = ..., force: _Optional[bool] = ...) -> None: ...

class ResyncReply(_message.Message):
    __slots__ = ("refused", "risk", "messages", "differences", "is_cut_short", "fetched", "set_aside", "seconds")
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    IS_CUT_SHORT_FIELD_NUMBER: _ClassVar[int]
    FETCHED_FIELD_NUMBER: _ClassVar[int]
    SET_ASIDE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    refused: str
    risk: str
    messages: int
    differences: _containers.RepeatedCompositeFieldContainer[Difference]
    is_cut_short: bool
    fetched: int
    set_aside: str
    seconds: float
    def __init__(self, refused: _Optional[str] = ..., risk: _Optional[str] = ..., messages: _Optional[int] = ..., differences: _Optional[_Iterable[_Union[Difference, _Mapping]]] = ..., is_cut_short: _Optional[bool] = ..., fetched: _Optional[int] = ..., set_aside: _Optional[str] = ..., seconds: _Optional[float] = ...) -> None: ...

class ReloadRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class BackupRequest(_message.Message):
    __slots__ = ("directory",)
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    directory: str
    def __init__(self, directory: _Optional[str] = ...) -> None: ...

class BackupReply(_message.Message):
    __slots__ = ("refused", "octets", "seconds")
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    OCTETS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    refused: str
    octets: int
    seconds: float
    def __init__(self, refused: _Optional[str] = ..., octets: _Optional[int] = ..., seconds: _Optional[float] = ...) -> None: ...

class CompactRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CompactReply(_message.Message):
    __slots__ = ("refused", "octets_before", "octets", "seconds")
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    OCTETS_BEFORE_FIELD_NUMBER: _ClassVar[int]
    OCTETS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    refused: str
    octets_before: int
    octets: int
    seconds: float
    def __init__(self, refused: _Optional[str] = ..., octets_before: _Optional[int] = ..., octets: _Optional[int] = ..., seconds: _Optional[float] = ...) -> None: ...
