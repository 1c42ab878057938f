"""Compares the deployment role's permissions with the calls that a rehearsal has recorded."""

import json

from aws import TARGET, Aws, Failed, root_of

# Permissions that no recorded call needed, with their reasons.
UNSEEN = {
    "cloudformation:TagResource": "CreateChangeSet tags the stack; the emulator does not check this",
    "execute-api:Invoke": "creates and finds a product after a deployment; CloudTrail records no calls of an API",
    "iam:PassRole": "CreateChangeSet passes the execution role; the emulator does not check this",
    "s3:AbortMultipartUpload": "aborts a failed upload of a package of more than 5 MB",
}
# The action that a recorded call needs, if its name differs.
NEEDS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "apigateway:GET.apigateway": "apigateway:GET",
    # Recorded without a name: osls posts nothing else to S3.
    "s3:POST.s3": "s3:DeleteObject",
}
# Allowed to everyone.
FREE = {"sts:GetCallerIdentity"}


def allowed(aws: Aws, role: str) -> set:
    """The actions that a role of the target account allows."""
    actions = set()
    root = root_of(TARGET)
    for name in aws.call(root, "iam", "list_role_policies", RoleName=role)["PolicyNames"]:
        policy = aws.call(root, "iam", "get_role_policy", RoleName=role, PolicyName=name)["PolicyDocument"]
        for statement in policy["Statement"]:
            action = statement["Action"]
            actions.update([action] if isinstance(action, str) else action)
    return actions


def recorded(aws: Aws, keys: set) -> set:
    """The actions that calls with these access keys needed."""
    actions = set()
    for event in aws.call(root_of(TARGET), "cloudtrail", "lookup_events")["Events"]:
        call = json.loads(event["CloudTrailEvent"])
        if call["userIdentity"].get("accessKeyId") in keys:
            service = call["eventSource"].split(".")[0]
            name = call["eventName"]
            if name == f"POST.{service}":
                name = call["requestParameters"].get("Action", name)
            action = f"{service}:{name.removesuffix('20150331')}"
            actions.add(NEEDS.get(action, action))
    return actions - FREE


def compare(allowed: set, recorded: set):
    """Fails if an action is allowed but neither used nor excused, or the other way round."""
    wrong = {
        "used and not allowed": recorded - allowed,
        "allowed without a reason": allowed - recorded - set(UNSEEN),
        "excused and not allowed": set(UNSEEN) - allowed,
        "excused and used": set(UNSEEN) & recorded,
    }
    for what, actions in wrong.items():
        if actions:
            raise Failed(f"the deployment role: {what}: {', '.join(sorted(actions))}")
