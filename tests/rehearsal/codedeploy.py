"""Our emulation of CodeDeploy for Lambda, which the emulator lacks. It covers only what is written here.

An alias with an `UpdatePolicy` is updated as CodeDeploy does it: it invokes the hook and checks its result and the
alarms, then shifts traffic at the group's pace while it watches the alarms. If one goes off, it moves the alias back,
and CloudFormation rolls the stack back. IAM must allow each action to the group's role. A minute of the pace takes
SHIFT_MINUTE seconds.
"""

import collections
import contextvars
import copy
import os
import re
import time

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region, new_uuid
from ministack.services import cloudwatch, lambda_svc
from ministack.services.cloudformation import _stacks, provisioners, stacks

from extending import Refused, as_in_the_api, may, provide, serve, trusts

MINUTE = float(os.environ.get("SHIFT_MINUTE", "60"))
applications, groups = AccountRegionScopedDict(), AccountRegionScopedDict()
hooks = {}  # The status that each hook has reported, by execution.
counted = collections.Counter()  # Requests to an alias with weights.
responding = contextvars.ContextVar("responding", default="")  # The version that serves a request to an alias.
effective = lambda_svc._effective_func_record_for_qualifier
invoke = lambda_svc._invoke
update_alias = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Alias"]["update"]
blocks = stacks._runs_on_worker_thread


# ---- Lambda: weighted aliases ----


def version_of(function: dict, qualifier: str | None) -> str | None:
    """The version that serves a request to an alias, according to its weights."""
    alias = (function or {}).get("aliases", {}).get(qualifier)
    if not alias:
        return qualifier
    version = alias["FunctionVersion"]
    for another, share in alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}).items():
        # In turn, not at random as on AWS: exactly one of ten requests, so that each story has only one outcome.
        counted[alias["AliasArn"]] += 1
        if int(counted[alias["AliasArn"]] * share) > int((counted[alias["AliasArn"]] - 1) * share):
            version = another
    responding.set(version)
    return version


async def invoke_by_weight(name, event, headers, path_qualifier=None, query_params=None):
    qualifier = path_qualifier or lambda_svc._qp_first(query_params or {}, "Qualifier")
    return await invoke(name, event, headers, version_of(lambda_svc._functions.get(name), qualifier), query_params)


# ---- Applications and groups ----


def create_application(logical_id, properties, stack_name):
    name = properties["ApplicationName"]
    if properties["ComputePlatform"] != "Lambda" or name in applications:
        raise ValueError(f"{name} is not for Lambda, or already exists")
    applications[name] = properties
    return name, {}


def create_group(logical_id, properties, stack_name):
    return update_group(properties["DeploymentGroupName"], {}, properties, stack_name)


def update_group(name, old, properties, *_):
    application, role = properties["ApplicationName"], properties["ServiceRoleArn"]
    if application not in applications:
        raise ValueError(f"No application found for name: {application}")
    if not trusts(role, "codedeploy.amazonaws.com"):
        raise ValueError(f"AWS CodeDeploy cannot assume the role {role}")
    paces(properties["DeploymentConfigName"])
    groups[application, properties["DeploymentGroupName"]] = as_in_the_api(properties)
    return properties["DeploymentGroupName"], {}


def paces(config: str) -> list:
    """The partial shares of traffic, each with its duration in minutes."""
    if config == "CodeDeployDefault.LambdaAllAtOnce":
        return []
    if canary := re.fullmatch(r"CodeDeployDefault\.LambdaCanary(10)Percent(5|10|15|30)Minutes", config):
        return [(int(canary[1]) / 100, int(canary[2]))]
    if linear := re.fullmatch(r"CodeDeployDefault\.LambdaLinear(10)PercentEvery(1|2|3|10)Minutes?", config):
        return [(share / 100, int(linear[2])) for share in range(int(linear[1]), 100, int(linear[1]))]
    raise ValueError(f"No Deployment Configuration found for name: {config}")


# ---- A deployment ----


def shift(physical_id, old, new, stack_name, logical_id=None):
    """CloudFormation's update of an alias."""
    policy = provisioners._cfn_wait_condition_definition(stack_name, logical_id).get("UpdatePolicy", {})
    is_rolling_back = "ROLLBACK" in _stacks[stack_name]["StackStatus"]
    if not policy or is_rolling_back or old["FunctionVersion"] == new["FunctionVersion"]:
        return update_alias(physical_id, old, new, stack_name, logical_id)
    named = {
        name: _stacks[stack_name]["_resources"][each["Ref"]]["PhysicalResourceId"] if isinstance(each, dict) else each
        for name, each in policy["CodeDeployLambdaAliasUpdate"].items()
    }
    group = groups[named["ApplicationName"], named["DeploymentGroupName"]]
    Deployment(group, physical_id, new["FunctionVersion"]).run(named.get("BeforeAllowTrafficHook"))
    return physical_id, {"AliasArn": physical_id}


class Deployment:
    def __init__(self, group: dict, alias_arn: str, version: str):
        *_, function, name = alias_arn.split(":")
        self.group, self.arn, self.version = group, alias_arn, version
        self.function_arn = alias_arn.removesuffix(f":{name}")
        self.id = f"d-{new_uuid()[-9:].upper()}"
        self.alias = lambda_svc._functions[function]["aliases"][name]
        self.former = copy.deepcopy(self.alias)
        pace = group["deploymentConfigName"].removeprefix("CodeDeployDefault.")
        self.steps = [f"{function}:{name} {self.former['FunctionVersion']} -> {version}, {pace}"]
        watched = group.get("alarmConfiguration", {})
        self.alarms = [each["name"] for each in watched.get("alarms", [])] if watched.get("enabled") else []

    def run(self, hook: str | None):
        """Moves the alias to its new version, or raises the reason why not."""
        try:
            self.check_and_shift(hook)
        except ValueError as why:
            self.alias.update({"RoutingConfig": {}, **self.former}, RevisionId=new_uuid())
            self.steps.append(f"back to {self.former['FunctionVersion']}: {why}")
            raise ValueError(f"Rollback successful. {why}") from why
        finally:
            print(f"CodeDeploy (our emulation), {self.id}: {'; '.join(self.steps)}", flush=True)

    def check_and_shift(self, hook: str | None):
        self.asks("lambda:GetAlias", self.arn, self.function_arn)
        if hook:
            self.ask(hook)
        self.watch()
        for share, minutes in paces(self.group["deploymentConfigName"]):
            self.give({"RoutingConfig": {"AdditionalVersionWeights": {self.version: share}}})
            until = time.monotonic() + minutes * MINUTE
            while time.monotonic() < until:
                self.watch()
                time.sleep(0.1)
        self.give({"FunctionVersion": self.version, "RoutingConfig": {}})
        self.steps.append("all of it")

    def ask(self, hook: str):
        """Invokes the function that checks the new version, and waits for its report."""
        arn = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{hook.rpartition('function:')[2]}"
        self.asks("lambda:InvokeFunction", arn)
        function, configuration, _ = lambda_svc._get_func_record_for_ref(hook)
        execution = new_uuid()
        hooks[execution] = "nothing"
        event = {"DeploymentId": self.id, "LifecycleEventHookExecutionId": execution}
        record = lambda_svc._execution_record_for_config(function, configuration)
        lambda_svc._execute_function_with_config_scope(record, event)
        status = hooks.pop(execution)
        self.steps.append(f"{hook} reports {status}")
        if status != "Succeeded":
            raise ValueError(f"The lifecycle event hook BeforeAllowTraffic, {hook}, reported {status}")

    def watch(self):
        if self.alarms:
            self.asks("cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:*")
        for name in self.alarms:
            if name not in cloudwatch._alarms:
                raise ValueError(f"The alarm {name} does not exist")
            if cloudwatch._alarms[name]["StateValue"] == "ALARM":
                raise ValueError(f"The alarm {name} is in ALARM, at a share of {self.share()}")

    def share(self) -> str:
        weights = self.alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        return f"{weights.get(self.version, 0):.0%}"

    def give(self, routes: dict):
        self.asks("lambda:UpdateAlias", self.arn, self.function_arn)
        self.alias.update(routes, RevisionId=new_uuid())
        if "FunctionVersion" not in routes:
            self.steps.append(f"{self.share()} of the traffic")

    def asks(self, action: str, *resources: str):
        """Requires the action on all resources, because AWS does not document which one it checks."""
        role = self.group["serviceRoleArn"]
        for each in resources:
            if not may(role, action, each):
                raise ValueError(f"{role} is not authorized to perform {action} on {each}")


def list_groups(asked: dict) -> dict:
    names = [name for application, name in groups if application == asked["applicationName"]]
    return {"applicationName": asked["applicationName"], "deploymentGroups": names}


def get_group(asked: dict) -> dict:
    return {"deploymentGroupInfo": groups[asked["applicationName"], asked["deploymentGroupName"]]}


def change_group(asked: dict) -> dict:
    group = groups[asked.pop("applicationName"), asked.pop("currentDeploymentGroupName")]
    paces(asked.get("deploymentConfigName", group["deploymentConfigName"]))
    group.update(asked)
    return {}


def put_status(asked: dict) -> dict:
    execution = asked["lifecycleEventHookExecutionId"]
    if hooks.get(execution) != "nothing" or asked["status"] not in ("Succeeded", "Failed"):
        raise Refused("InvalidLifecycleEventHookExecutionIdException", f"{execution} waits for no such result")
    hooks[execution] = asked["status"]
    return {"lifecycleEventHookExecutionId": execution}


lambda_svc._effective_func_record_for_qualifier = lambda function, qualifier: effective(
    function, version_of(function, qualifier)
)
lambda_svc._invoke = invoke_by_weight
# An update that takes minutes must not block the server.
stacks._runs_on_worker_thread = lambda each: each == "AWS::Lambda::Alias" or blocks(each)
provide(
    "AWS::CodeDeploy::Application",
    create_application,
    lambda name, *_: (name, {}),
    lambda name, _: applications.pop(name),
)
provide(
    "AWS::CodeDeploy::DeploymentGroup",
    create_group,
    update_group,
    lambda name, properties: groups.pop((properties["ApplicationName"], name)),
)
provisioners._RESOURCE_HANDLERS["AWS::Lambda::Alias"]["update"] = shift
serve(
    "codedeploy",
    "CodeDeploy_20141006",
    {
        "GetDeploymentGroup": get_group,
        "ListDeploymentGroups": list_groups,
        "PutLifecycleEventHookExecutionStatus": put_status,
        "UpdateDeploymentGroup": change_group,
    },
)
