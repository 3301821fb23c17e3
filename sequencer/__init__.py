"""An embeddable sequence execution engine: mails and tasks, each some hours or working days after the one before."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sequencer.adapters.recording import RecordingMailer, RecordingTaskBoard
from sequencer.core.calendar import Calendar, Window
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.enrollment import Enrollment, EnrollmentStep, Resource
from sequencer.core.errors import (
    AlreadyEnrolled,
    Conflict,
    DefinitionError,
    IllegalTransition,
    InvalidInput,
    KeyReused,
    MissingMergeData,
    NotFound,
    Problem,
    SchemaMismatch,
    SequencerError,
    StoreError,
    Suppressed,
)
from sequencer.core.events import Event, Subject, replay
from sequencer.core.expect import Expect
from sequencer.core.migration import EnrollmentMove, StepMove
from sequencer.core.pacing import Cap, CatchUp
from sequencer.core.policy import Policy, Reaction, Retry, Unsubscribe
from sequencer.core.sequence import AutomatedEmail, Sequence, SequenceVersion, Step, Task, Template
from sequencer.core.signals import (
    Bounced,
    Clicked,
    Converted,
    EmailFailed,
    EmailSent,
    MeetingBooked,
    Opened,
    OutOfOffice,
    Replied,
    ResourceDeleted,
    SoftBounced,
    TaskCompleted,
    TaskDeleted,
    Unsubscribed,
)
from sequencer.core.statuses import EnrollmentState, StepStatus
from sequencer.core.timeline import PlannedStep, Timeline, plan
from sequencer.engine.clock import SystemClock
from sequencer.engine.counters import Counters
from sequencer.engine.engine import Engine
from sequencer.engine.migrating import MigrationPlan, MigrationResult
from sequencer.engine.ports import (
    Accepted,
    Clock,
    Email,
    Mailer,
    OutcomeUnknown,
    Pending,
    People,
    Person,
    Rejected,
    TaskBoard,
    TaskRequest,
)
from sequencer.engine.results import (
    BulkResult,
    EventPage,
    Explanation,
    Handled,
    Outcome,
    Refused,
    Row,
    Statistics,
    TickReport,
)
from sequencer.engine.storage import BoardTask, Suppression
from sequencer.simulation.clock import ManualClock

if TYPE_CHECKING:
    from sequencer.adapters.console import ConsoleMailer
    from sequencer.adapters.maildir import MaildirMailer
    from sequencer.adapters.smtp import SmtpMailer
    from sequencer.adapters.templates import FolderTemplates
    from sequencer.definitions import load
    from sequencer.stores.django import DjangoStore
    from sequencer.stores.memory import MemoryStore
    from sequencer.stores.postgres import PostgresStore
    from sequencer.stores.sqlalchemy import SQLAlchemyStore
    from sequencer.stores.sqlite import SQLiteStore

__all__ = [
    "Accepted",
    "AlreadyEnrolled",
    "AutomatedEmail",
    "BoardTask",
    "Bounced",
    "BulkResult",
    "Calendar",
    "Cap",
    "CatchUp",
    "Clicked",
    "Clock",
    "Conflict",
    "ConsoleMailer",
    "Converted",
    "Counters",
    "DefinitionError",
    "DjangoStore",
    "Email",
    "EmailFailed",
    "EmailSent",
    "Engine",
    "Enrollment",
    "EnrollmentMove",
    "EnrollmentState",
    "EnrollmentStep",
    "Event",
    "EventPage",
    "Expect",
    "Explanation",
    "FolderTemplates",
    "Handled",
    "Hours",
    "IllegalTransition",
    "InvalidInput",
    "KeyReused",
    "MaildirMailer",
    "Mailer",
    "ManualClock",
    "MeetingBooked",
    "MemoryStore",
    "MigrationPlan",
    "MigrationResult",
    "MissingMergeData",
    "NotFound",
    "Opened",
    "OutOfOffice",
    "Outcome",
    "OutcomeUnknown",
    "Pending",
    "People",
    "Person",
    "PlannedStep",
    "Policy",
    "PostgresStore",
    "Problem",
    "Reaction",
    "RecordingMailer",
    "RecordingTaskBoard",
    "Refused",
    "Rejected",
    "Replied",
    "Resource",
    "ResourceDeleted",
    "Retry",
    "Row",
    "SQLAlchemyStore",
    "SQLiteStore",
    "SchemaMismatch",
    "Sequence",
    "SequenceVersion",
    "SequencerError",
    "SmtpMailer",
    "SoftBounced",
    "Statistics",
    "Step",
    "StepMove",
    "StepStatus",
    "StoreError",
    "Subject",
    "Suppressed",
    "Suppression",
    "SystemClock",
    "Task",
    "TaskBoard",
    "TaskCompleted",
    "TaskDeleted",
    "TaskRequest",
    "Template",
    "TickReport",
    "Timeline",
    "Unsubscribe",
    "Unsubscribed",
    "Weekdays",
    "Window",
    "load",
    "plan",
    "replay",
]

# What brings a store, a parser or a wire along is imported when it is asked for: nobody uses them all.
_LATER = {
    "ConsoleMailer": "sequencer.adapters.console",
    "DjangoStore": "sequencer.stores.django",
    "FolderTemplates": "sequencer.adapters.templates",
    "MaildirMailer": "sequencer.adapters.maildir",
    "MemoryStore": "sequencer.stores.memory",
    "PostgresStore": "sequencer.stores.postgres",
    "SQLAlchemyStore": "sequencer.stores.sqlalchemy",
    "SQLiteStore": "sequencer.stores.sqlite",
    "SmtpMailer": "sequencer.adapters.smtp",
    "load": "sequencer.definitions",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(_LATER[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
