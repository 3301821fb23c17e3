"""An embeddable sequence execution engine: mails and tasks, each some hours or working days after the one before."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sequencer.adapters.console import ConsoleMailer
    from sequencer.adapters.maildir import MaildirMailer
    from sequencer.adapters.recording import RecordingMailer, RecordingTaskBoard
    from sequencer.adapters.smtp import SmtpMailer
    from sequencer.adapters.templates import FolderTemplates
    from sequencer.core.calendar import Calendar
    from sequencer.core.delays import Hours, Weekdays
    from sequencer.core.enrollment import Enrollment, EnrollmentStep, Resource
    from sequencer.core.errors import (
        AlreadyEnrolled,
        Busy,
        Conflict,
        DefinitionError,
        IllegalTransition,
        InvalidInput,
        KeyReused,
        MissingMergeData,
        NotFound,
        Outdated,
        Problem,
        SchemaMismatch,
        SequenceExists,
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
    from sequencer.core.windows import Window
    from sequencer.definitions import load
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
        Overdue,
        Refused,
        Row,
        Statistics,
        TickReport,
    )
    from sequencer.engine.stored import BoardTask, StoredSequence, Suppression
    from sequencer.simulation.clock import ManualClock
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
    "Busy",
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
    "Outdated",
    "Overdue",
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
    "SequenceExists",
    "SequenceVersion",
    "SequencerError",
    "SmtpMailer",
    "SoftBounced",
    "Statistics",
    "Step",
    "StepMove",
    "StepStatus",
    "StoreError",
    "StoredSequence",
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

# Every name comes with its module when it is asked for, and not before: a program that only has the package installed,
# or only plans, pays for nothing else.
_MODULES = {
    "Accepted": "sequencer.engine.ports",
    "AlreadyEnrolled": "sequencer.core.errors",
    "AutomatedEmail": "sequencer.core.sequence",
    "BoardTask": "sequencer.engine.stored",
    "Bounced": "sequencer.core.signals",
    "BulkResult": "sequencer.engine.results",
    "Busy": "sequencer.core.errors",
    "Calendar": "sequencer.core.calendar",
    "Cap": "sequencer.core.pacing",
    "CatchUp": "sequencer.core.pacing",
    "Clicked": "sequencer.core.signals",
    "Clock": "sequencer.engine.ports",
    "Conflict": "sequencer.core.errors",
    "ConsoleMailer": "sequencer.adapters.console",
    "Converted": "sequencer.core.signals",
    "Counters": "sequencer.engine.counters",
    "DefinitionError": "sequencer.core.errors",
    "DjangoStore": "sequencer.stores.django",
    "Email": "sequencer.engine.ports",
    "EmailFailed": "sequencer.core.signals",
    "EmailSent": "sequencer.core.signals",
    "Engine": "sequencer.engine.engine",
    "Enrollment": "sequencer.core.enrollment",
    "EnrollmentMove": "sequencer.core.migration",
    "EnrollmentState": "sequencer.core.statuses",
    "EnrollmentStep": "sequencer.core.enrollment",
    "Event": "sequencer.core.events",
    "EventPage": "sequencer.engine.results",
    "Expect": "sequencer.core.expect",
    "Explanation": "sequencer.engine.results",
    "FolderTemplates": "sequencer.adapters.templates",
    "Handled": "sequencer.engine.results",
    "Hours": "sequencer.core.delays",
    "IllegalTransition": "sequencer.core.errors",
    "InvalidInput": "sequencer.core.errors",
    "KeyReused": "sequencer.core.errors",
    "MaildirMailer": "sequencer.adapters.maildir",
    "Mailer": "sequencer.engine.ports",
    "ManualClock": "sequencer.simulation.clock",
    "MeetingBooked": "sequencer.core.signals",
    "MemoryStore": "sequencer.stores.memory",
    "MigrationPlan": "sequencer.engine.migrating",
    "MigrationResult": "sequencer.engine.migrating",
    "MissingMergeData": "sequencer.core.errors",
    "NotFound": "sequencer.core.errors",
    "Opened": "sequencer.core.signals",
    "OutOfOffice": "sequencer.core.signals",
    "Outcome": "sequencer.engine.results",
    "OutcomeUnknown": "sequencer.engine.ports",
    "Outdated": "sequencer.core.errors",
    "Overdue": "sequencer.engine.results",
    "Pending": "sequencer.engine.ports",
    "People": "sequencer.engine.ports",
    "Person": "sequencer.engine.ports",
    "PlannedStep": "sequencer.core.timeline",
    "Policy": "sequencer.core.policy",
    "PostgresStore": "sequencer.stores.postgres",
    "Problem": "sequencer.core.errors",
    "Reaction": "sequencer.core.policy",
    "RecordingMailer": "sequencer.adapters.recording",
    "RecordingTaskBoard": "sequencer.adapters.recording",
    "Refused": "sequencer.engine.results",
    "Rejected": "sequencer.engine.ports",
    "Replied": "sequencer.core.signals",
    "Resource": "sequencer.core.enrollment",
    "ResourceDeleted": "sequencer.core.signals",
    "Retry": "sequencer.core.policy",
    "Row": "sequencer.engine.results",
    "SQLAlchemyStore": "sequencer.stores.sqlalchemy",
    "SQLiteStore": "sequencer.stores.sqlite",
    "SchemaMismatch": "sequencer.core.errors",
    "Sequence": "sequencer.core.sequence",
    "SequenceExists": "sequencer.core.errors",
    "SequenceVersion": "sequencer.core.sequence",
    "SequencerError": "sequencer.core.errors",
    "SmtpMailer": "sequencer.adapters.smtp",
    "SoftBounced": "sequencer.core.signals",
    "Statistics": "sequencer.engine.results",
    "Step": "sequencer.core.sequence",
    "StepMove": "sequencer.core.migration",
    "StepStatus": "sequencer.core.statuses",
    "StoreError": "sequencer.core.errors",
    "StoredSequence": "sequencer.engine.stored",
    "Subject": "sequencer.core.events",
    "Suppressed": "sequencer.core.errors",
    "Suppression": "sequencer.engine.stored",
    "SystemClock": "sequencer.engine.clock",
    "Task": "sequencer.core.sequence",
    "TaskBoard": "sequencer.engine.ports",
    "TaskCompleted": "sequencer.core.signals",
    "TaskDeleted": "sequencer.core.signals",
    "TaskRequest": "sequencer.engine.ports",
    "Template": "sequencer.core.sequence",
    "TickReport": "sequencer.engine.results",
    "Timeline": "sequencer.core.timeline",
    "Unsubscribe": "sequencer.core.policy",
    "Unsubscribed": "sequencer.core.signals",
    "Weekdays": "sequencer.core.delays",
    "Window": "sequencer.core.windows",
    "load": "sequencer.definitions",
    "plan": "sequencer.core.timeline",
    "replay": "sequencer.core.events",
}


if not TYPE_CHECKING:  # a name that there is not stays an error to type checkers

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found = getattr(import_module(_MODULES[name]), name)
        return found


def __dir__() -> list[str]:
    return sorted(__all__)
