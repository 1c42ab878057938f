"""A pipeline's executions, and CodePipeline's responses about them."""

import re
import time
import uuid

from aws import expect


class Execution:
    """One execution of a pipeline, with its artifacts and variables."""

    def __init__(self, structure: list, kind: str = "STANDARD"):
        self.id, self.structure, self.kind = str(uuid.uuid4()), structure, kind
        self.began, self.status = time.time(), "InProgress"
        self.artifacts = {}  # Their keys.
        self.variables = {}  # By namespace.
        self.stages = {}  # How each has ended.
        self.commit = self.message = ""
        self.received = None  # What its builds receive, if different from other builds.

    def resolved(self, value):
        """A value of the pipeline's structure, with #{Namespace.NAME} replaced."""
        if isinstance(value, dict):
            return {name: self.resolved(each) for name, each in value.items()}

        def variable(found: re.Match) -> str:
            expect(found[2] in self.variables.get(found[1], {}), f"{found[0]} has a value")
            return self.variables[found[1]][found[2]]

        return re.sub(r"#\{(\w+)\.(\w+)\}", variable, value) if isinstance(value, str) else value


def responses(pipeline: str, stages: list, executions: list, approvals: dict) -> dict:
    """The response of each operation. `approvals` are the waiting actions, by stage."""
    states = []
    for name in (stage["name"] for stage in stages):
        latest = next((each for each in executions if name in each.stages), None)
        state = {"stageName": name, "actionStates": [approvals[name]] if name in approvals else []}
        if latest:
            state["latestExecution"] = {"pipelineExecutionId": latest.id, "status": latest.stages[name]}
        states.append(state)
    summaries = [
        {
            "pipelineExecutionId": each.id,
            "status": each.status,
            "startTime": each.began,
            "executionMode": "QUEUED",
            "executionType": each.kind,
            "sourceRevisions": [{"actionName": "Source", "revisionId": each.commit, "revisionSummary": each.message}],
            # pipelines.py filters by them.
            "succeededIn": [name for name, status in each.stages.items() if status == "Succeeded"],
        }
        for each in executions
        if each.commit
    ]
    return {
        "GetPipelineState": {"pipelineName": pipeline, "stageStates": states},
        "ListPipelineExecutions": {"pipelineExecutionSummaries": summaries},
        "PutApprovalResult": {"approvedAt": time.time()},
        "RollbackStage": {"pipelineExecutionId": str(uuid.uuid4())},
    }
