#!/usr/bin/env python3
"""Measures a deployed stage on AWS, and prints Markdown: make measure-aws URL=https://... STAGE=DEV

Cold starts and warm calls use a temporary copy of each function, so that neither $LATEST nor an alias is touched. API
latency is measured from this machine. Nothing is written to the table. See docs/performance.md.
"""

import argparse
import collections
import contextlib
import itertools
import json
import os
import pathlib
import re
import signal
import sys
import textwrap
import time
import uuid
from urllib.parse import quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import URLLib3Session
from botocore.session import Session

EVENTS = pathlib.Path(__file__).resolve().parents[1] / "tests/events"
# The settings that a copy shares with its function, including the log group: the role can write to no other.
SAME = ("Architectures", "Environment", "Handler", "LoggingConfig", "MemorySize", "Role", "Runtime", "Timeout")
SAME += ("TracingConfig",)
# https://aws.amazon.com/lambda/pricing/: the first tier in most regions, in US dollars, as of May 2026.
PRICE_OF_A_GB_SECOND = {"x86_64": 0.0000166667, "arm64": 0.0000133334}
PRICE_OF_A_MILLION_REQUESTS = 0.20
# Seconds between two calls of the API: DEV takes 5 requests a second.
PAUSE = 0.25
# The longest time to wait for a log line, in seconds. AWS documents no limit; it usually takes a few seconds.
PATIENCE = 120
# The fields of Lambda's report as text, and their names in the report as JSON:
# https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#ReportMetrics
METRICS = {
    "Duration": "durationMs",
    "Billed Duration": "billedDurationMs",
    "Memory Size": "memorySizeMB",
    "Max Memory Used": "maxMemoryUsedMB",
    "Init Duration": "initDurationMs",
}


class Failed(Exception):
    """Why the measurement failed."""


def parsed(line: str) -> tuple[str, dict] | None:
    """The request id and the figures in a log line, if it is our line or Lambda's report, as JSON or as text."""
    if line.startswith("REPORT RequestId: "):
        fields = dict(re.findall(r"([A-Z][A-Za-z ]+): (\S+)", line))
        return fields["REPORT RequestId"], {METRICS[name]: float(fields[name]) for name in METRICS if name in fields}
    with contextlib.suppress(ValueError, TypeError, KeyError):
        entry = json.loads(line)
        if "type" in entry and entry["type"] == "platform.report":
            return entry["record"]["requestId"], entry["record"]["metrics"]
        if entry["message"] == "responded":
            return entry["requestId"], entry
    return None


def number(value: float) -> str:
    """The value with three significant digits, as in docs/performance.md."""
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def both(values: list[float]) -> str:
    """p50 / p99, by the nearest rank."""
    ranked = sorted(values)
    return " / ".join(number(ranked[-(-len(ranked) * percent // 100) - 1]) for percent in (50, 99) if ranked) or "-"


def dollars(billed: list[float], memory: int, architecture: str) -> str:
    """The cost of a million such calls: their mean billed duration, in ms, and the requests."""
    gb_seconds = sum(billed) / len(billed) / 1000 * memory / 1024
    return f"{gb_seconds * PRICE_OF_A_GB_SECOND[architecture] * 1e6 + PRICE_OF_A_MILLION_REQUESTS:.2f}"


def table(head: list[str], *rows: list[str]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], f"|{'---|' * len(head)}", *lines[1:]])


def event(name: str, **changes) -> bytes:
    """An event as API Gateway sends it."""
    return json.dumps(json.loads((EVENTS / name).read_text()) | changes).encode()


def find(product: str) -> bytes:
    path = quote(product, safe="")  # API Gateway does not decode it.
    return event("find-on-DEV.json", path=f"/product/find/{path}", pathParameters={"id": path})


class Stage:
    """A deployed stage. A function is `find` or `create`."""

    def __init__(self, name: str, service: str):
        self.session = Session()
        # botocore, unlike the AWS CLI, ignores AWS_REGION.
        self.region = os.environ.get("AWS_REGION") or self.session.get_config_variable("region")
        self.aws, self.logs = (self.session.create_client(each, self.region) for each in ("lambda", "logs"))
        self.http = URLLib3Session(verify=self.session.get_config_variable("ca_bundle") or True)
        self.name = name
        self.names = {function: f"{service}-{name}-{function}" for function in ("find", "create")}
        # Unique to this run, so that log lines of other runs do not count.
        self.copies = {function: f"{name}-measured-{uuid.uuid4().hex[:8]}" for function, name in self.names.items()}
        self.settings = {}
        self.began = int(time.time()) - 60  # This machine's clock may be fast.

    def remove_copies(self):
        """Removes the copies, including those that a killed run left behind."""
        copies = set(self.copies.values())  # Lambda may not list yet what was just created.
        for listed in self.aws.get_paginator("list_functions").paginate():
            names = (function["FunctionName"] for function in listed["Functions"])
            copies.update(name for name in names if name.rpartition("-measured-")[0] in self.names.values())
        for copy in copies:
            with contextlib.suppress(self.aws.exceptions.ResourceNotFoundException):
                self.aws.delete_function(FunctionName=copy)

    def copy(self):
        for function, name in self.names.items():
            found = self.aws.get_function(FunctionName=name)
            settings = self.settings[function] = found["Configuration"]
            package = self.http.send(AWSRequest("GET", found["Code"]["Location"]).prepare()).content
            same = {key: settings[key] for key in SAME}
            # Even if the stage's logLevel drops the functions' lines.
            same["LoggingConfig"] = same["LoggingConfig"] | {"ApplicationLogLevel": "INFO"}
            copy = self.copies[function]
            made = self.aws.create_function(FunctionName=copy, Code={"ZipFile": package}, **same)
            if made["CodeSha256"] != settings["CodeSha256"]:
                raise Failed(f"the zip of {name} changed while it was copied: measure again")
            self.aws.get_waiter("function_active_v2").wait(FunctionName=copy)

    def restart(self, function: str):
        """Makes the next call of a copy a cold start: with another environment, Lambda uses no sandbox that exists."""
        changed = {"Variables": self.settings[function]["Environment"]["Variables"] | {"MEASURED": uuid.uuid4().hex}}
        self.aws.update_function_configuration(FunctionName=self.copies[function], Environment=changed)
        self.aws.get_waiter("function_updated_v2").wait(FunctionName=self.copies[function])

    def call(self, function: str, sent: bytes, expected: int):
        """Calls a copy."""
        text = self.aws.invoke(FunctionName=self.copies[function], Payload=sent)["Payload"].read().decode()
        if json.loads(text).get("statusCode") != expected:
            raise Failed(f"{self.names[function]} should have returned {expected}, but returned {text}")

    def call_api(self, url: str) -> tuple[str, float]:
        """The body, and the duration in ms. Signs the request, like scripts/curl.sh, and sends API_KEY if it is set."""
        request = AWSRequest("GET", url, {"X-Api-Key": os.environ["API_KEY"]} if "API_KEY" in os.environ else {})
        SigV4Auth(self.session.get_credentials(), "execute-api", self.region).add_auth(request)
        began = time.perf_counter()
        response = self.http.send(request.prepare())
        took = time.perf_counter() - began
        if response.status_code != 200:
            raise Failed(f"GET {url} should have returned 200, but returned {response.status_code}: {response.text}")
        return response.text, took * 1000

    def figures(self, function: str, expected: int) -> list[dict]:
        """The log entry of each call of a copy, once Logs Insights finds all that are expected."""
        group = self.settings[function]["LoggingConfig"]["LogGroup"]
        # In a log group other than a function's default, the name of a stream contains the function's name:
        # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
        query = f"fields @message | filter @logStream like /{self.copies[function]}/"
        query += " | filter @message like /platform.report|REPORT|responded/"
        until = time.monotonic() + PATIENCE
        while True:
            period = {"startTime": self.began, "endTime": int(time.time()) + 60}
            asked = self.logs.start_query(logGroupName=group, queryString=query, limit=10000, **period)["queryId"]
            while (found := self.logs.get_query_results(queryId=asked))["status"] in ("Scheduled", "Running"):
                time.sleep(1)
            if found["status"] != "Complete":
                raise Failed(f"the query of {group} ended: {found['status']}")
            calls = collections.defaultdict(dict)
            for field in itertools.chain(*found["results"]):
                if field["field"] == "@message" and (entry := parsed(field["value"])):
                    calls[entry[0]] |= entry[1]
            # Both lines of a call, Lambda's and ours.
            whole = [call for call in calls.values() if "billedDurationMs" in call and "status" in call]
            if len(whole) >= expected:
                return whole
            if time.monotonic() > until:
                raise Failed(f"{group} has {len(whole)} of {expected} calls after {PATIENCE} s")
            time.sleep(5)


def measure(stage: Stage, url: str, product: str, starts: int, warm: int) -> str:
    """The figures as Markdown."""
    address = f"{url.rstrip('/')}/product/find/{quote(product, safe='')}"
    body, _ = stage.call_api(address)
    cases = {
        "find: 200, found": ("find", 200, find(product)),
        "find: 404, missing": ("find", 404, find(f"measure-aws-{uuid.uuid4()}")),
        "create: 200, replayed": ("create", 200, event("create-on-DEV.json", body=body)),
    }
    try:
        stage.remove_copies()
        stage.copy()
        for case, (function, status, sent) in cases.items():
            print(f"{case}: {starts} starts, each with {warm} warm calls", file=sys.stderr)
            for _ in range(starts):
                stage.restart(function)
                for _ in range(1 + warm):
                    stage.call(function, sent, status)
    finally:
        on_interrupts(signal.SIG_IGN)
        stage.remove_copies()
        on_interrupts(signal.SIG_DFL)
    print(f"through the API: {starts * warm} calls", file=sys.stderr)
    # Without the first one, which opens the connection.
    latency = [time.sleep(PAUSE) or stage.call_api(address)[1] for _ in range(1 + starts * warm)][1:]
    print("the log: Lambda's reports and our lines", file=sys.stderr)
    expected = collections.Counter(function for function, _, _ in cases.values())
    logged = {function: stage.figures(function, n * starts * (1 + warm)) for function, n in expected.items()}
    figures = {
        case: [call for call in logged[function] if call["status"] == status]
        for case, (function, status, _) in cases.items()
    }
    return page(stage, figures, latency, starts, warm)


def page(stage: Stage, figures: dict[str, list[dict]], latency: list[float], starts: int, warm: int) -> str:
    intro = (
        f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, {stage.region}, {stage.name}. {starts} starts, each "
        f"with {warm} warm calls. Each figure is p50 / p99, in milliseconds unless it says otherwise; of {starts} "
        "starts, p99 is the slowest. Latency and DynamoDB's latency are from the function's lines in the log, the rest "
        "from Lambda's; through the API, latency is what the client sees on an open connection. A million requests "
        "cost, in US dollars, their mean billed duration and Lambda's price of a request, without the free tier, API "
        "Gateway, DynamoDB, logs, traces and data transfer."
    )
    columns = {
        "init": "initDurationMs",
        "duration": "durationMs",
        "billed duration": "billedDurationMs",
        "memory used, MB": "maxMemoryUsedMB",
        "latency": "Latency",
        "DynamoDB": "DynamoDBLatency",
    }
    rows, zips = [], []
    for case, all_calls in figures.items():
        settings = stage.settings[case.split(":")[0]]
        # Classified by Lambda's report, not by intention.
        for kind, is_cold in (("cold start", True), ("warm", False)):
            calls = [call for call in all_calls if ("initDurationMs" in call) == is_cold]
            measured = [both([call[key] for call in calls if key in call]) for key in columns.values()]
            billed = [call["billedDurationMs"] for call in calls]
            price = dollars(billed, settings["MemorySize"], settings["Architectures"][0]) if calls else "-"
            rows.append([f"{case}, {kind}", str(len(calls)), *measured, price])
    rows.append(["find: 200, found, through the API", str(len(latency)), *"----", both(latency), "-", "-"])
    for function, each in stage.settings.items():
        size = number(each["CodeSize"] / 1000)
        zips.append([function, each["Architectures"][0], str(each["MemorySize"]), size, each["CodeSha256"]])
    calls = table(["", "calls", *columns, "a million requests, $"], *rows)
    functions = table(["", "architecture", "memory, MB", "zip, KB", "SHA-256 of the zip"], *zips)
    return f"## On AWS\n\n{textwrap.fill(intro, 119)}\n\n{calls}\n\n{functions}\n"


def on_interrupts(action):
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, action)


def interrupt(*_):
    # A second Ctrl-C must not leave a copy behind.
    on_interrupts(signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "url", metavar="URL", help="the output ServiceEndpoint of the stack, or the domain of the stage"
    )
    parser.add_argument("stage", metavar="STAGE")
    parser.add_argument("--service", required=True, help="the service in serverless.yml")
    parser.add_argument("--product", default="smoke-test", help="an id in the catalog; by default, the smoke test's")
    parser.add_argument("--starts", type=int, default=20, help="cold starts of each kind of call (20)")
    parser.add_argument("--warm", type=int, default=10, help="warm calls after each of them (10)")
    arguments = parser.parse_args()
    on_interrupts(interrupt)
    try:
        stage = Stage(arguments.stage, arguments.service)
        print(measure(stage, arguments.url, arguments.product, arguments.starts, arguments.warm), end="")
    except (BotoCoreError, ClientError, Failed) as error:
        print(f"measure-aws.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("measure-aws.py: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
