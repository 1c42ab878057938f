"""Where this AWS is stricter than an emulator, because a real account is. Each switch is on unless it is switched off:
`make rehearse LENIENT="modes region"`, to see what each of them finds.
"""

import os

SWITCHES = {
    "conditions": "CodePipeline assumes its role without the condition keys that AWS does not document for it",
    "modes": "artifacts lose the mode bits of their files",
    "folders": "every build has a folder of another name",
    "linked-roles": "the account has no service-linked roles, and who needs one must be allowed to create it",
    "new-api": "a new API responds to its first requests with 403 and a body",
    "region": "the AWS CLI of the engineer is version 1, which ignores AWS_REGION",
    "early": "the pipeline starts before anything was pushed",
    "history": "what must be rolled back is a merge commit, or a push of three commits",
    "leftovers": "a failed first deployment leaves its table",
    "expired": "the artifacts of the deployed commit have expired",
    "name": "the service has another name",
}


def strict(switch: str) -> bool:
    """Whether a switch is on."""
    off = os.environ.get("LENIENT", "").split()
    if unknown := {switch, *off} - SWITCHES.keys():
        raise SystemExit(f"There is no switch {', '.join(unknown)}: {', '.join(SWITCHES)}")
    return switch not in off
