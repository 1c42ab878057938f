"""Switches that make the emulated AWS as strict as a real account. Turn some off to see what they detect:
`make rehearse LENIENT="modes region"`.
"""

import os

SWITCHES = {
    "conditions": "CodePipeline assumes its role without the condition keys that AWS does not document for it",
    "modes": "artifacts lose the mode bits of their files",
    "folders": "every build has a folder with a different name",
    "linked-roles": "the account has no service-linked roles, so creating one must be allowed",
    "new-api": "a new API responds to its first requests with 403 and a body",
    "region": "the engineer's AWS CLI is version 1, which ignores AWS_REGION",
    "early": "the pipeline starts before anything was pushed",
    "history": "the rolled-back push is a merge commit, or has three commits",
    "leftovers": "a failed first deployment leaves its table",
    "expired": "the artifacts of the deployed commit have expired",
    "name": "the service has another name",
}


def strict(switch: str) -> bool:
    """Whether a switch is on."""
    off = os.environ.get("LENIENT", "").split()
    if unknown := {switch, *off} - SWITCHES.keys():
        raise SystemExit(f"Unknown switch {', '.join(unknown)}: use {', '.join(SWITCHES)}")
    return switch not in off
