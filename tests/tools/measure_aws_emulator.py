"""ministack, extended by Lambda's log format: as JSON, if the function asks for it, and in streams with the function's
name, if the log group is not its own. A cold start has an init of 12.5 ms. It also gives CreateFunction a
resource in IAM. When its standard input ends, because the test is over or was killed, it ends with all that it has
started.
"""

import json
import os
import signal
import sys
from threading import Thread

from ministack.app import main
from ministack.core import iam_actions
from ministack.services import cloudwatch_logs, lambda_svc

emit = lambda_svc._emit_lambda_logs
resource_of = iam_actions.extract_resource_arn


def as_json(lines: list[str], request_id: str) -> list[str]:
    """The function's output, and Lambda's report."""
    written = [line for line in lines if line.startswith("{")]
    metrics = {"durationMs": 3.25, "billedDurationMs": 4, "memorySizeMB": 128, "maxMemoryUsedMB": 17}
    if any(json.loads(line).get("coldStart") for line in written):
        metrics |= {"billedDurationMs": 16, "initDurationMs": 12.5}
    record = {"requestId": request_id, "metrics": metrics, "status": "success"}
    return [*written, json.dumps({"time": "2026-11-26T15:03:00.000Z", "type": "platform.report", "record": record})]


def emit_as_lambda_does(function: dict, request_id: str, *rest, **options):
    name = function["config"]["FunctionName"]
    settings = function["config"]["LoggingConfig"]
    known = set(cloudwatch_logs._log_groups.get(settings["LogGroup"], {"streams": {}})["streams"])
    emit(function, request_id, *rest, **options)
    streams = cloudwatch_logs._log_groups[settings["LogGroup"]]["streams"]
    for stream in streams.keys() - known:
        [first, *_] = events = streams[stream]["events"]
        if settings["LogFormat"] == "JSON":
            lines = as_json([event["message"] for event in events], request_id)
            streams[stream]["events"] = [{**first, "message": line} for line in lines]
        if settings["LogGroup"] != f"/aws/lambda/{name}":
            streams[stream.replace("/[", f"/{name}[")] = streams.pop(stream)


def resource_of_create_function_too(service: str, method: str, path: str, headers, body, *rest, **options):
    if service == "lambda" and method == "POST" and path.endswith("/functions"):
        path = f"{path}/{json.loads(body)['FunctionName']}"
    return resource_of(service, method, path, headers, body, *rest, **options)


def end_with_the_test():
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)


lambda_svc._emit_lambda_logs = emit_as_lambda_does
iam_actions.extract_resource_arn = resource_of_create_function_too
Thread(target=end_with_the_test, daemon=True).start()
main()
