"""Helpers that extend the emulator with services, resources, and IAM decisions."""

import json

from ministack import app
from ministack.core import iam_actions, iam_evaluator, router
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam
from ministack.services.cloudformation import provisioners


class Refused(Exception):
    """An operation's error: its code and message."""


def serve(service: str, prefix: str, operations: dict):
    """Adds a service with a JSON API, a function for each operation, and IAM enforcement."""

    async def handle(method, path, headers, body, query):
        operation = headers["x-amz-target"].rpartition(".")[2]
        try:
            if operation not in operations:
                raise Refused("UnknownOperationException", f"{service} is not emulated yet: {operation}")
            status, response = 200, operations[operation](json.loads(body or b"{}"))
        except Refused as refused:
            code, message = refused.args
            status, response = 400, {"__type": code, "message": message}
        return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(response).encode()

    router.SERVICE_PATTERNS[service] = {"target_prefixes": [prefix], "credential_scope": service}
    app.SERVICE_HANDLERS[service] = handle
    iam_actions.SERVICE_TO_IAM_NAMESPACE[service] = service


def provide(each: str, create, update, delete):
    """Adds a type of resource to CloudFormation."""
    handlers = {"create": create, "update": update, "delete": delete, "update_with_logical_id": True}
    provisioners._RESOURCE_HANDLERS[each] = handlers


def as_in_the_api(properties):
    """Properties with the API's names, which begin in lower case. An action's parameters keep their names."""
    if isinstance(properties, list):
        return [as_in_the_api(each) for each in properties]
    if isinstance(properties, dict):
        return {
            name[0].lower() + name[1:]: each if name == "Configuration" else as_in_the_api(each)
            for name, each in properties.items()
        }
    return properties


def may(role: str, action: str, resource: str, **context: str) -> bool:
    """Whether a role's policies, and its permissions boundary, allow an action."""
    account, name = get_account_id(), role.rsplit("/", 1)[1]
    asked = iam_evaluator.EvalContext(
        principal_arn=role,
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context={f"iam:{key}": value for key, value in context.items()},
    )
    policies = iam_evaluator._gather_role_policies(name, account)
    boundary = iam_evaluator._permissions_boundary(iam._roles, name, account)
    return iam_evaluator.evaluate(asked, policies, *boundary).decision == "Allow"


def trusts(role: str, service: str) -> bool:
    """Whether an AWS service can assume a role."""
    policy = iam._roles[role.rsplit("/", 1)[1]]["AssumeRolePolicyDocument"]
    statements = (json.loads(policy) if isinstance(policy, str) else policy)["Statement"]
    return any(each["Effect"] == "Allow" and each["Principal"].get("Service") == service for each in statements)
