"""`make measure-aws`: how it parses logs, what it computes, and its calls to an emulated AWS that enforces IAM.

Not shown: how Lambda and CloudWatch really log, when a line is found, and what a sandbox costs. The lines are in the
documented format, and measure_aws_emulator.py plays that part of Lambda.
"""

import contextlib
import importlib.util
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock
import urllib.request
import zipfile

from botocore.exceptions import ClientError
from botocore.session import Session

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/rehearsal"))
from aws import free_port, root_of  # noqa: E402
from processes import end  # noqa: E402

spec = importlib.util.spec_from_file_location("measure_aws", ROOT / "scripts/measure-aws.py")
measure_aws = importlib.util.module_from_spec(spec)
spec.loader.exec_module(measure_aws)

ACCOUNT, REGION, SERVICE = "222222222222", "eu-central-1", "catalog"
NAMES = {each: f"{SERVICE}-DEV-{each}" for each in ("find", "create")}

# Finds two products, and creates only the first of them again.
BOOTSTRAP = """
import json, os, urllib.request
api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
product = '{"id":"smoke-test","title":"Smoke test","description":"Written after each deployment","price":"0.00"}'
products = {"smoke-test": product, "another": '{"id":"another"}'}
cold = True
while True:
    with urllib.request.urlopen(f"{api}/next") as next:
        request_id, event = next.headers["Lambda-Runtime-Aws-Request-Id"], json.load(next)
    if event["httpMethod"] == "POST":
        body = product if event["body"] == product else None
    else:
        body = products.get(event["pathParameters"]["id"])
    status = 200 if body else 404
    line = {"level": "INFO", "message": "responded", "requestId": request_id, "status": status, "coldStart": cold}
    print(json.dumps(line | {"Latency": 2.125, "DynamoDBLatency": 1.5}), flush=True)
    cold = False
    response = {"statusCode": status, "headers": {}, "body": body or "{}"}
    urllib.request.urlopen(f"{api}/{request_id}/response", data=json.dumps(response).encode()).close()
"""

# Python loads it at its start: a fiftieth of the script's pauses, and of botocore's between two polls.
SITECUSTOMIZE = """
import time
pause = time.sleep
time.sleep = lambda seconds: pause(seconds / 50)
"""

REQUEST = "79b5e81f-9cdd-4145-b1f6-7c50ef8a2a36"


class Figures(unittest.TestCase):
    def test_a_report_as_json_is_read(self):
        # https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-report
        metrics = {"durationMs": 3.96, "billedDurationMs": 16, "memorySizeMB": 128, "maxMemoryUsedMB": 17}
        for init in ({"initDurationMs": 11.512}, {}):
            record = {"requestId": REQUEST, "metrics": metrics | init, "status": "success"}
            line = json.dumps({"time": "2026-11-26T07:30:29.470Z", "type": "platform.report", "record": record})
            self.assertEqual(measure_aws.parsed(line), (REQUEST, metrics | init))

    def test_a_report_as_text_is_read(self):
        # https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
        line = (
            f"REPORT RequestId: {REQUEST}\tDuration: 3.96 ms\tBilled Duration: 16 ms\tMemory Size: 128 MB\t"
            "Max Memory Used: 17 MB\t"
        )
        metrics = {"durationMs": 3.96, "billedDurationMs": 16, "memorySizeMB": 128, "maxMemoryUsedMB": 17}
        trace = "\nXRAY TraceId: 1-5e34a614-10bdxmplf1fb44f07bc535a1\tSegmentId: 07f5xmpl2d1f6f85\tSampled: true\t\n"
        self.assertEqual(measure_aws.parsed(line), (REQUEST, metrics))
        cold = (REQUEST, metrics | {"initDurationMs": 11.51})
        self.assertEqual(measure_aws.parsed(f"{line}Init Duration: 11.51 ms\t{trace}"), cold)

    def test_our_line_is_read(self):
        ours = {"message": "responded", "requestId": REQUEST, "Latency": 2.125, "DynamoDBLatency": 1.5}
        self.assertEqual(measure_aws.parsed(json.dumps(ours)), (REQUEST, ours))

    def test_other_lines_are_not_read(self):
        start = {"type": "platform.start", "record": {"requestId": REQUEST, "version": "$LATEST"}}
        for line in (
            json.dumps(start),
            f"START RequestId: {REQUEST} Version: $LATEST",
            '{"message":"responded"}',
            '{"message":"a panic"}',
            "REPORTED",
            '"responded"',
            "3",
            "",
        ):
            self.assertIsNone(measure_aws.parsed(line), line)

    def test_percentiles_are_samples_that_so_many_do_not_exceed(self):
        # As in docs/performance.md: bench/src/bin/bench/markdown.rs.
        self.assertEqual(measure_aws.both(list(range(200, 0, -1))), "100 / 198")
        self.assertEqual(measure_aws.both([4.256, 12.34, 5]), "5.00 / 12.3")
        self.assertEqual(measure_aws.both([7]), "7.00 / 7.00")
        self.assertEqual(measure_aws.both([]), "-")

    def test_a_million_requests_cost_their_mean_billed_duration_and_the_requests(self):
        # 1,000,000 x 16 ms x 128 MB are 2,000 GB-seconds.
        self.assertEqual(measure_aws.dollars([8, 24], 128, "arm64"), "0.23")
        self.assertEqual(measure_aws.dollars([16], 1024, "x86_64"), "0.47")

    def test_a_table_is_as_in_the_other_pages(self):
        self.assertEqual(measure_aws.table(["", "calls"], ["find", "2"]), "|  | calls |\n|---|---|\n| find | 2 |")


class OnAnEmulatedAws(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.url = f"http://127.0.0.1:{(port := free_port())}"
        server = {
            "PATH": os.environ["PATH"],
            "HOME": str(cls.folder),
            "TMPDIR": str(cls.folder),
            "AUTH": "true",
            "AWS_ENDPOINT_URL": cls.url,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "false",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
        }
        log = cls.enterClassContext((cls.folder / "log").open("wb"))
        command = [sys.executable, str(pathlib.Path(__file__).with_name("measure_aws_emulator.py"))]
        emulator = subprocess.Popen(
            command, env=server, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        )
        cls.addClassCleanup(end, emulator)
        for _ in range(300):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{cls.url}/_ministack/health", timeout=1).close()
                break
            if emulator.poll() is not None:
                break
            time.sleep(0.1)
        else:
            raise AssertionError((cls.folder / "log").read_text())
        # Nothing from this machine's own accounts.
        cls.environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        cls.environment |= {"AWS_ENDPOINT_URL": cls.url, "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true"}
        cls.environment |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        cls.environment["PYTHONPATH"] = str(cls.folder)
        (cls.folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
        cls.deploy()

    @classmethod
    def client(cls, service: str):
        """A client with an administrator's permissions."""
        key, secret = root_of(ACCOUNT).values()
        keys = {"aws_access_key_id": key, "aws_secret_access_key": secret}
        return Session().create_client(service, REGION, endpoint_url=cls.url, **keys)

    @classmethod
    def deploy(cls):
        """Creates two functions with their roles and log groups, an API, and a user who may measure them."""
        iam, api = cls.client("iam"), cls.client("apigateway")
        cls.aws = cls.client("lambda")
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as file:
            bootstrap = zipfile.ZipInfo("bootstrap")
            bootstrap.external_attr = 0o755 << 16
            file.writestr(bootstrap, f"#!{sys.executable}{BOOTSTRAP}")
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        for each, name in NAMES.items():
            role = iam.create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
            cls.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}")
            made = cls.aws.create_function(
                FunctionName=name,
                Runtime="provided.al2023",
                Architectures=["arm64"],
                MemorySize=128,
                Timeout=10,
                Handler="bootstrap",
                Role=role,
                Code={"ZipFile": package.getvalue()},
                Environment={"Variables": {"DYNAMODB_TABLE": "PRODUCT_CATALOG"}},
                LoggingConfig={
                    "LogFormat": "JSON",
                    "ApplicationLogLevel": "INFO",
                    "SystemLogLevel": "INFO",
                    "LogGroup": f"/aws/lambda/{name}",
                },
                TracingConfig={"Mode": "Active"},
            )
            cls.aws.get_waiter("function_active_v2").wait(FunctionName=name)
            if each == "find":
                find = made["FunctionArn"]
        rest = api.create_rest_api(name=f"{SERVICE}-DEV")["id"]
        [parent] = [each["id"] for each in api.get_resources(restApiId=rest)["items"]]
        for part in ("product", "find", "{id}"):
            parent = api.create_resource(restApiId=rest, parentId=parent, pathPart=part)["id"]
        method = {"restApiId": rest, "resourceId": parent, "httpMethod": "GET"}
        # Even if a stage requires a signature.
        api.put_method(**method, authorizationType="AWS_IAM")
        uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{find}/invocations"
        api.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
        api.create_deployment(restApiId=rest, stageName="DEV")
        cls.endpoint = f"{cls.url}/restapis/{rest}/DEV/_user_request_"
        allowed = (ROOT / "scripts/measure-aws-policy.json").read_text().replace("SERVICE", SERVICE)
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        role = iam.create_role(RoleName="engineer", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
        iam.put_role_policy(RoleName="engineer", PolicyName="measure-aws", PolicyDocument=allowed)
        given = cls.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        cls.environment |= {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }

    def command(self, *options: str, stage: str = "DEV") -> list[str]:
        script = str(ROOT / "scripts/measure-aws.py")
        return [sys.executable, script, self.endpoint, stage, "--service", SERVICE, *options]

    def run_command(self, *command: str) -> subprocess.CompletedProcess:
        return subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=180)

    def interrupt(self, interruption: signal.Signals) -> tuple[int, str]:
        """Starts a measurement, sends it a signal, and returns how it exited."""
        started = subprocess.Popen(
            self.command("--starts", "1000000"), env=self.environment, stderr=subprocess.PIPE, text=True
        )
        self.addCleanup(started.wait)
        self.addCleanup(started.kill)
        started.stderr.readline()
        started.send_signal(interruption)
        _, stderr = started.communicate(timeout=60)
        return started.returncode, stderr

    def functions(self) -> list[str]:
        return sorted(each["FunctionName"] for each in self.aws.list_functions()["Functions"])

    def described(self, name: str) -> dict:
        described = self.aws.get_function_configuration(FunctionName=name)
        return {key: value for key, value in described.items() if key != "ResponseMetadata"}

    def only_the_functions_are_left(self):
        self.assertEqual(self.functions(), sorted(NAMES.values()))

    def test_it_measures_with_the_documented_permissions_and_leaves_everything_as_it_was(self):
        before = {name: self.described(name) for name in NAMES.values()}
        figures = self.folder / "figures.md"
        variables = (f"URL={self.endpoint}/", "STAGE=DEV", f"SERVICE={SERVICE}", "STARTS=2", f"OUTPUT={figures}")
        done = self.run_command("make", "--no-print-directory", "measure-aws", *variables)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, figures.read_text())
        lines = done.stdout.splitlines()
        columns = "init | duration | billed duration | memory used, MB | latency | DynamoDB | a million requests, $"
        self.assertIn(f"|  | calls | {columns} |", lines)
        logged = "17.0 / 17.0 | 2.12 / 2.12 | 1.50 / 1.50"
        for case in ("find: 200, found", "find: 404, missing", "create: 200, replayed"):
            cold = f"| {case}, cold start | 2 | 12.5 / 12.5 | 3.25 / 3.25 | 16.0 / 16.0 | {logged} | 0.23 |"
            warm = f"| {case}, warm | 20 | - | 3.25 / 3.25 | 4.00 / 4.00 | {logged} | 0.21 |"
            self.assertLess({cold, warm}, set(lines), done.stdout)
        through = r"\| find: 200, found, through the API \| 20 \|( - \|){4} [0-9.]+ / [0-9.]+ \| - \| - \|\n"
        self.assertRegex(done.stdout, through)
        size, sha256 = (before[NAMES["find"]][key] for key in ("CodeSize", "CodeSha256"))
        self.assertIn(f"| find | arm64 | 128 | {size / 1000:.2f} | {sha256} |", lines)
        self.assertEqual({name: self.described(name) for name in NAMES.values()}, before)
        self.only_the_functions_are_left()

    def test_a_copy_has_the_zip_role_and_settings_of_its_function_but_another_name(self):
        with unittest.mock.patch.dict(os.environ, self.environment, clear=True):
            stage = measure_aws.Stage("DEV", SERVICE)
            self.addCleanup(stage.remove_copies)
            stage.copy()
        for each, name in NAMES.items():
            function, copy = map(self.described, (name, stage.copies[each]))
            for key in (*measure_aws.SAME, "CodeSha256"):
                self.assertEqual(copy[key], function[key], key)

    def test_the_permissions_are_for_the_copies_alone(self):
        keys = {name.lower(): value for name, value in self.environment.items() if "KEY" in name or "TOKEN" in name}
        engineer = Session().create_client("lambda", REGION, endpoint_url=self.url, **keys)
        for call in (engineer.update_function_configuration, engineer.delete_function, engineer.invoke):
            with self.assertRaisesRegex(ClientError, "AccessDenied"):
                call(FunctionName=NAMES["find"])

    def test_interrupted_it_removes_the_copies(self):
        for interruption in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            returncode, stderr = self.interrupt(interruption)
            self.assertEqual(returncode, 130, stderr)
            self.assertTrue(stderr.endswith("measure-aws.py: interrupted\n"), stderr)
            self.only_the_functions_are_left()

    def test_what_a_killed_run_has_left_is_removed_by_the_next(self):
        self.interrupt(signal.SIGKILL)
        self.assertEqual(len(self.functions()), 4)
        done = self.run_command(*self.command("--starts", "1", "--warm", "1"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.only_the_functions_are_left()

    def test_a_failure_is_reported_and_the_copies_are_removed(self):
        another = self.command("--product", "another", "--starts", "1")
        unknown = self.command("--product", "unknown")
        for command, message in (
            (another, "catalog-DEV-create should have returned 200, but returned {"),
            (unknown, "/product/find/unknown should have returned 200, but returned 404: {}"),
            (self.command(stage="PROD"), "Function not found"),
        ):
            done = self.run_command(*command)
            self.assertEqual(done.returncode, 1)
            self.assertIn("\nmeasure-aws.py: ", f"\n{done.stderr}")
            self.assertIn(message, done.stderr)
            self.only_the_functions_are_left()


def policy(*statements: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


if __name__ == "__main__":
    unittest.main()
