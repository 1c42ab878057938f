"""The loop that Lambda's own runtime for Python runs: the handler's module is its argument."""

import http.client
import importlib
import json
import os
import sys

handler = importlib.import_module(sys.argv[1]).handler

INVOCATION = "/2018-06-01/runtime/invocation"
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    runtime.request("GET", f"{INVOCATION}/next")
    invocation = runtime.getresponse()
    event = json.load(invocation)
    request_id = invocation.getheader("lambda-runtime-aws-request-id")
    response = json.dumps(handler(event, None))
    runtime.request("POST", f"{INVOCATION}/{request_id}/response", response.encode())
    runtime.getresponse().read()
