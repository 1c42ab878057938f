"""ministack, taught a condition key that it does not know: cloudformation:RoleArn, with which the
deployment role may create change sets for the execution role alone."""

from ministack.app import main
from ministack.core import iam_actions

of_tags = iam_actions.request_tag_context


def of_tags_and_role(service, action, body, parameters):
    context = of_tags(service, action, body, parameters)
    role = parameters.get("RoleARN")
    if service == "cloudformation" and role:
        context["cloudformation:rolearn"] = role[0] if isinstance(role, list) else role
    return context


iam_actions.request_tag_context = of_tags_and_role
main()
