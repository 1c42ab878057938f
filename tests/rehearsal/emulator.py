"""ministack, taught what the deployment role's conditions ask and it does not know:
cloudformation:RoleArn, and the tags of an API key. That such a key can be disabled. And that an alarm may watch an
expression, of which it computes nothing: such an alarm is made, described and set, and never goes off by itself."""

from ministack.app import main
from ministack.core import iam_actions
from ministack.core.responses import get_region
from ministack.services import apigateway_v1, tagging
from ministack.services.cloudformation import provisioners

of_tags = iam_actions.request_tag_context
update_api_key = apigateway_v1._update_api_key
of_a_metric = provisioners._cw_metric_alarm_record


def of_tags_and_role(service, action, body, parameters):
    context = of_tags(service, action, body, parameters)
    role = parameters.get("RoleARN")
    if service == "cloudformation" and role:
        context["cloudformation:rolearn"] = role[0] if isinstance(role, list) else role
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


iam_actions.request_tag_context = of_tags_and_role
provisioners._cw_metric_alarm_record = of_a_metric_or_an_expression
apigateway_v1._update_api_key = update_api_key_with_booleans
tagging._RESOURCE_TAG_COLLECTORS["apigateway"] = of_api_keys
main()
