"""ministack, taught what the deployment role's conditions ask and it does not know:
cloudformation:RoleArn, and the tags of an API key."""

from ministack.app import main
from ministack.core import iam_actions
from ministack.core.responses import get_region
from ministack.services import apigateway_v1, tagging

of_tags = iam_actions.request_tag_context


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


iam_actions.request_tag_context = of_tags_and_role
tagging._RESOURCE_TAG_COLLECTORS["apigateway"] = of_api_keys
main()
