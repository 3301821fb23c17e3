"""SpiffWorkflow: a BPMN process of timers and service tasks an enrollment, kept in SQLite between the steps.

It is a library without a scheduler or a store, so both are written here, as its documentation shows them: the process
is serialised by its own serializer, the specification apart from the instances; an instance is loaded when its timer
is due, its ready tasks are run, its waiting ones refreshed, and it is stored again, in one commit a step.
"""

from __future__ import annotations

import io
import json
import sqlite3
import time
from collections import deque
from typing import Any

from SpiffWorkflow import TaskState
from SpiffWorkflow.bpmn import BpmnWorkflow
from SpiffWorkflow.bpmn.parser import BpmnParser
from SpiffWorkflow.bpmn.script_engine import PythonScriptEngine, TaskDataEnvironment
from SpiffWorkflow.bpmn.serializer import DEFAULT_CONFIG, BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.serializer.default.workflow import BpmnWorkflowConverter

from benchmarks.peers.work import Post, given

GIVEN = given()
POST = Post(GIVEN.mails)


def process() -> str:
    """The process as BPMN: start, then a timer and a mail for each step, then the end."""
    nodes, flows, before = ['<startEvent id="start"/>'], [], "start"
    for position in range(GIVEN.steps):
        timer = "<timerEventDefinition><timeDuration>'PT0S'</timeDuration></timerEventDefinition>"
        nodes += [
            f'<intermediateCatchEvent id="wait{position}">{timer}</intermediateCatchEvent>',
            f'<scriptTask id="mail{position}"><script>mail(enrollment, {position})</script></scriptTask>',
        ]
        flows += [(before, f"wait{position}"), (f"wait{position}", f"mail{position}")]
        before = f"mail{position}"
    nodes.append('<endEvent id="end"/>')
    flows.append((before, "end"))
    lines = [f'<sequenceFlow id="f{i}" sourceRef="{a}" targetRef="{b}"/>' for i, (a, b) in enumerate(flows)]
    return (
        '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="beside" id="d">'
        f'<process id="sequence" isExecutable="true">{"".join(nodes + lines)}</process></definitions>'
    )


parser = BpmnParser()
parser.add_bpmn_io(io.BytesIO(process().encode()), filename="sequence.bpmn")
SPEC = parser.get_spec("sequence")
ENGINE = PythonScriptEngine(TaskDataEnvironment({"mail": POST.send}))


class Instance(BpmnWorkflowConverter):
    """An instance without its specification, which is the same for all and stored once."""

    def to_dict(self, workflow: BpmnWorkflow) -> dict[str, Any]:
        values = super(BpmnWorkflowConverter, self).to_dict(workflow)
        values["bpmn_events"] = self.registry.convert(workflow.bpmn_events)
        return values

    def from_dict(self, values: dict[str, Any]) -> BpmnWorkflow:
        return super().from_dict({**values, "spec": SPEC, "subprocesses": {}})


SERIALIZER = BpmnWorkflowSerializer(BpmnWorkflowSerializer.configure({**DEFAULT_CONFIG, BpmnWorkflow: Instance}))


def run_step(workflow: BpmnWorkflow) -> None:
    """Everything that is ready, until it waits again after one mail."""
    workflow.refresh_waiting_tasks()
    mailed = False
    while (task := workflow.get_next_task(state=TaskState.READY, manual=False)) is not None:
        if mailed and task.task_spec.name.startswith("mail"):
            return
        mailed = mailed or task.task_spec.name.startswith("mail")
        task.run()


def main() -> None:
    connection = sqlite3.connect(GIVEN.place.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE specification (document TEXT)")
    connection.execute("CREATE TABLE instance (id INTEGER PRIMARY KEY, document TEXT, wake_at REAL)")
    connection.execute("CREATE INDEX instance_wake_at ON instance (wake_at)")
    connection.execute("INSERT INTO specification VALUES (?)", (json.dumps(SERIALIZER.to_dict(SPEC)),))
    connection.execute("BEGIN")
    for enrollment in range(GIVEN.enrollments):
        workflow = BpmnWorkflow(SPEC, script_engine=ENGINE)
        workflow.task_tree.data["enrollment"] = enrollment
        workflow.data["enrollment"] = enrollment
        document = SERIALIZER.serialize_json(workflow)
        connection.execute("INSERT INTO instance VALUES (?, ?, ?)", (enrollment, document, time.time()))
    connection.execute("COMMIT")
    while True:
        now = time.time()
        due = deque(
            connection.execute("SELECT id FROM instance WHERE wake_at <= ? ORDER BY wake_at LIMIT 1000", (now,))
        )
        if not due:
            break
        for (id,) in due:
            ((document,),) = connection.execute("SELECT document FROM instance WHERE id = ?", (id,))
            workflow = SERIALIZER.deserialize_json(document)
            workflow.script_engine = ENGINE
            run_step(workflow)
            wake_at = None if workflow.is_completed() else time.time()
            connection.execute(
                "UPDATE instance SET document = ?, wake_at = ? WHERE id = ?",
                (SERIALIZER.serialize_json(workflow), wake_at, id),
            )
    connection.close()


main()
