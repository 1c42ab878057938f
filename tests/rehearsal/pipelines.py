"""CodePipeline and CodeCommit inside the emulator, with the properties that CloudFormation has resolved.

codepipeline.py runs the pipelines in another process. It writes the response of each operation to a file, and reads the
requests from another.
"""

import json
import os
import pathlib

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region, new_uuid

from extending import Refused, as_in_the_api, provide, serve

FOLDER = pathlib.Path(os.environ["HOME"]) / "codepipeline"
pipelines, repositories = AccountRegionScopedDict(), AccountRegionScopedDict()


def arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{name}"


def create(logical_id, properties, stack_name):
    if properties["Name"] in pipelines:
        raise ValueError(f"{properties['Name']} already exists")
    return update(properties["Name"], {}, properties, stack_name)


def update(name, old, properties, *_):
    version = pipelines.get(name, {}).get("version", 0) + 1
    pipelines[properties["Name"]] = {**as_in_the_api(properties), "version": version}
    return properties["Name"], {"Version": str(version)}


def create_repository(logical_id, properties, stack_name):
    name = properties["RepositoryName"]
    if name in repositories:
        raise ValueError(f"Repository named {name} already exists")
    repositories[name] = new_uuid()
    return repositories[name], {"Arn": arn("codecommit", name), "Name": name}


def get_pipeline(asked: dict) -> dict:
    name = asked["name"]
    if name not in pipelines:
        raise Refused("PipelineNotFoundException", f"there is no pipeline {name}")
    return {"pipeline": pipelines[name], "metadata": {"pipelineArn": arn("codepipeline", name)}}


def from_file(operation: str):
    def respond(asked: dict) -> dict:
        file = FOLDER / f"{asked.get('pipelineName', asked.get('name'))}.{operation}.json"
        if not file.exists():
            raise Refused("PipelineNotFoundException", f"{file.stem} is unknown")
        with (FOLDER / "asked").open("a") as kept:
            print(json.dumps({"operation": operation, **asked}), file=kept)
        return json.loads(file.read_text())

    return respond


def list_executions(asked: dict) -> dict:
    """The executions that have succeeded in a stage, if that filter is set."""
    stage = asked.get("filter", {}).get("succeededInStage", {}).get("stageName")
    listed = from_file("ListPipelineExecutions")(asked)["pipelineExecutionSummaries"]
    return {"pipelineExecutionSummaries": [each for each in listed if not stage or stage in each.pop("succeededIn")]}


provide("AWS::CodePipeline::Pipeline", create, update, lambda name, _: pipelines.pop(name))
provide(
    "AWS::CodeCommit::Repository",
    create_repository,
    lambda name, *_: (name, {}),
    lambda name, properties: repositories.pop(properties["RepositoryName"]),
)
serve(
    "codepipeline",
    "CodePipeline_20150709",
    {
        "GetPipeline": get_pipeline,
        "ListPipelineExecutions": list_executions,
        **{name: from_file(name) for name in ("GetPipelineState", "PutApprovalResult", "RollbackStage")},
    },
)
