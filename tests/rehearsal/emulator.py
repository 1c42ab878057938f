"""ministack, extended by what the templates need, and as strict as a new account (strict.py).

This adds the condition keys of the deployment role (cloudformation:RoleArn and the tags of an API key), disabled keys,
functions that finish their requests when they are updated, and alarms on expressions. It does not evaluate these: such
an alarm can be created, described and set, but never goes off by itself. pipelines.py and codedeploy.py add the missing
services.
"""

import collections
import threading
import time

from ministack.app import main
from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.core.responses import get_account_id, get_region
from ministack.services import apigateway_v1, cloudwatch_logs, dynamodb, iam, tagging
from ministack.services.cloudformation import provisioners

import codedeploy
import pipelines  # noqa: F401
from extending import may
from strict import strict

of_tags = iam_actions.request_tag_context
update_api_key = apigateway_v1._update_api_key
of_a_metric = provisioners._cw_metric_alarm_record
handle_execute = apigateway_v1.handle_execute
find_api_scope = apigateway_v1.find_api_scope
kill_workers = lambda_runtime.kill_workers
execution_roles = {}  # By account and stack.
requests = collections.Counter()  # By API.


def first(value):
    return value[0] if isinstance(value, list) else value


def of_tags_and_role(service, action, body, parameters):
    context = of_tags(service, action, body, parameters)
    role = first(parameters.get("RoleARN"))
    if service == "cloudformation" and role:
        context["cloudformation:rolearn"] = role
        execution_roles[get_account_id(), first(parameters["StackName"])] = role
    return context


def of_api_keys():
    for key in apigateway_v1._api_keys.values():
        tags = [{"Key": name, "Value": value} for name, value in key.get("tags", {}).items()]
        yield f"arn:aws:apigateway:{get_region()}::/apikeys/{key['id']}", tags


def update_api_key_with_booleans(key, data):
    for patch in data.get("patchOperations", []):
        if patch["path"] == "/enabled":
            patch["value"] = patch["value"] == "true"
    return update_api_key(key, data)


def of_a_metric_or_an_expression(name, properties):
    metrics = properties.get("Metrics")
    if metrics:
        [watched] = [each for each in metrics if each.get("ReturnData", True)]
        properties = {**properties, "Metrics": None, "Namespace": "expression", "MetricName": watched["Expression"]}
    return of_a_metric(name, properties)


def find_api_of_any_account(api):
    """Routes an unsigned request to an API by its host name alone."""
    scope = find_api_scope(api)
    if scope or iam_evaluator._signed_request.get():
        return scope
    scopes = [(account, region) for (account, region, each), _ in apigateway_v1._rest_apis.all_items() if each == api]
    return scopes[0] if scopes else None


async def execute_once_it_is_known(api, *request):
    """For a few seconds, a new API is not available everywhere."""
    requests[api] += 1
    if strict("new-api") and requests[api] <= 2:
        headers = {"Content-Type": "application/json", "x-amzn-errortype": "ForbiddenException"}
        return 403, headers, b'{"message":"Forbidden"}'
    status, headers, body = await handle_execute(api, *request)
    # For client.py, which counts the responses of each version.
    return status, {**headers, "X-Rehearsal-Version": codedeploy.responding.get()}, body


def kill_once_they_are_idle(workers):
    workers = [each for each in workers if each]

    def wait_and_kill(busy):
        while any(each.in_use for each in busy):
            time.sleep(0.05)
        kill_workers(busy)

    kill_workers([each for each in workers if not each.in_use])
    threading.Thread(target=wait_and_kill, args=([each for each in workers if each.in_use],), daemon=True).start()


def needs(linked_role: str, service: str, types: tuple, has):
    """Lets CloudFormation create resources that need a service-linked role only if its role can create that."""

    def created_with_linked_role(create):
        def handler(name, properties, stack_name, *rest, **more):
            exists = any(f"/{service}/" in role["Path"] for role in iam._roles.values())
            if has(properties) and strict("linked-roles") and not exists:
                create_linked_role(linked_role, service, execution_roles.get((get_account_id(), stack_name)))
            return create(name, properties, stack_name, *rest, **more)

        return handler

    for each in types:
        handlers = provisioners._RESOURCE_HANDLERS[each]
        handlers["create"] = created_with_linked_role(handlers["create"])


def refuses_taken_names(each: str, property_of_name: str, taken):
    """Makes CloudFormation reject a resource whose name is already taken."""
    handlers = provisioners._RESOURCE_HANDLERS[each]
    create = handlers["create"]

    def handler(logical_id, properties, *rest, **more):
        name = properties.get(property_of_name)
        if strict("leftovers") and name in taken:
            raise ValueError(f"Resource of type '{each}' with identifier '{name}' already exists.")
        return create(logical_id, properties, *rest, **more)

    handlers["create"] = handler


def create_linked_role(name: str, service: str, execution_role: str | None):
    arn = f"arn:aws:iam::{get_account_id()}:role/aws-service-role/{service}/{name}"
    if execution_role and not may(execution_role, "iam:CreateServiceLinkedRole", arn, awsservicename=service):
        raise ValueError(f"{execution_role} is not authorized to perform iam:CreateServiceLinkedRole on {arn}")
    iam._create_service_linked_role({"AWSServiceName": service})


iam_actions.request_tag_context = of_tags_and_role
provisioners._cw_metric_alarm_record = of_a_metric_or_an_expression
apigateway_v1._update_api_key = update_api_key_with_booleans
apigateway_v1.find_api_scope = find_api_of_any_account
lambda_runtime.kill_workers = kill_once_they_are_idle
apigateway_v1.handle_execute = execute_once_it_is_known
tagging._RESOURCE_TAG_COLLECTORS["apigateway"] = of_api_keys
needs(
    "AWSServiceRoleForAPIGateway",
    "ops.apigateway.amazonaws.com",
    ("AWS::ApiGateway::Stage", "AWS::ApiGateway::DomainName"),
    lambda properties: properties.get("TracingEnabled") or "DomainName" in properties,
)
needs(
    "AWSServiceRoleForDynamoDBCloudWatchContributorInsights",
    "contributorinsights.dynamodb.amazonaws.com",
    ("AWS::DynamoDB::Table",),
    lambda properties: properties.get("ContributorInsightsSpecification", {}).get("Enabled"),
)
refuses_taken_names("AWS::DynamoDB::Table", "TableName", dynamodb._tables)
refuses_taken_names("AWS::IAM::Role", "RoleName", iam._roles)
refuses_taken_names("AWS::Logs::LogGroup", "LogGroupName", cloudwatch_logs._log_groups)
main()
