"""AWS on this machine: accounts of an emulator on loopback, over TLS, with IAM enforced."""

import functools
import json
import os
import pathlib
import platform
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request

import trustme
from botocore.exceptions import ClientError
from botocore.session import Session
from ministack.core import iam_evaluator

from processes import end, finished, uninterrupted
from strict import strict

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = "111111111111"
TARGET = "222222222222"
STAGES = {"DEV": TARGET, "STAGE": "333333333333", "PROD": "444444444444"}
# Not the region of most examples, to detect a hard-coded one.
REGION = "eu-central-1"
# Not the name in serverless.yml, for the same reason.
NAME = "catalog" if strict("name") else "product-catalog-service"
SERVICE = f"{NAME}-DEV"
# The seconds that stand for a minute of CodeDeploy's traffic shift.
SHIFT_MINUTE = 0.4
ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]


class Failed(Exception):
    """A step failed: what happened, and where to find more."""


def expect(holds: bool, what: str):
    if not holds:
        raise Failed(f"this does not hold: {what}")


class Aws:
    def __init__(self, folder: pathlib.Path, log: pathlib.Path):
        self.folder, self.log, self.heard = folder, log, 0
        self.creating = threading.Lock()  # A session is not thread-safe, but its clients are.
        self.ca = folder / "ca.pem"
        self.handed_out = folder / "handed-out"  # All credentials that STS has issued.
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.processes = []
        # Nothing from this machine's own accounts.
        for name in [name for name in os.environ if name.startswith(("AWS_", "GIT_"))]:
            del os.environ[name]
        os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        self.session = Session()

    def start(self):
        self.folder.mkdir(parents=True)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        names = ("localhost", "*.localhost", "127.0.0.1", f"*.execute-api.{REGION}.amazonaws.com")
        certificate = authority.issue_cert(*names)
        certificate.private_key_and_cert_chain_pem.write_to_path(self.folder / "server.pem")
        (self.folder / "tmp").mkdir()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "AUTH": "true",
            "AWS_ENDPOINT_URL": self.url,  # For the functions' DynamoDB calls.
            "BIND_HOST": "127.0.0.1",
            "CLOUDTRAIL_RECORDING": "1",
            "GATEWAY_PORT": str(self.port),
            "IOT_MTLS_ENABLED": "false",
            "MINISTACK_HOST": f"{REGION}.amazonaws.com",
            "MINISTACK_REGION": REGION,
            "MINISTACK_SSL_CERT": str(self.folder / "server.pem"),
            "MINISTACK_SSL_KEY": str(self.folder / "server.pem"),
            "SSL_CERT_FILE": str(self.ca),  # The functions trust this authority.
            "USE_SSL": "1",
            "LENIENT": os.environ.get("LENIENT", ""),
            "SHIFT_MINUTE": str(SHIFT_MINUTE),
        }
        command = [sys.executable, str(pathlib.Path(__file__).with_name("emulator.py"))]
        with self.log.open("wb") as log, socket.socket(socket.AF_UNIX) as calls:
            self.serve(command, environment, log)
            calls.bind(str(self.folder / "cli"))
            calls.listen(64)
            cli, number = str(pathlib.Path(__file__).with_name("aws_cli.py")), calls.fileno()
            command = [sys.executable, cli, "serve", str(number)]
            self.serve(command, {"PATH": os.environ["PATH"]}, log, pass_fds=[number])
        self.cli = f'"{sys.executable}" -IS "{cli}" call "{self.folder}/cli"'
        trust = ssl.create_default_context(cafile=str(self.ca))
        for _ in range(300):
            try:
                return urllib.request.urlopen(f"{self.url}/_ministack/health", context=trust, timeout=1).close()
            except OSError:
                if self.processes[0].poll() is not None:
                    break
                time.sleep(0.1)
        raise Failed(f"the emulated AWS did not start: see {self.log}")

    def serve(self, command: list, environment: dict, log, **options):
        """Starts a process that runs until `stop`, in a session of its own, so that what it starts ends with it."""
        options |= {"env": environment, "stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        with uninterrupted():
            self.processes.append(subprocess.Popen(command, start_new_session=True, **options))

    def stop(self):
        while self.processes:
            end(self.processes.pop())

    def environment(self, credentials: dict) -> dict:
        """The environment in which a command reaches this AWS, and no other, with these credentials."""
        return {
            **os.environ,
            "PATH": f"{self.folder}/bin:{ROOT}/.venv/bin:{os.environ['PATH']}",
            "AWS_CA_BUNDLE": str(self.ca),
            "AWS_CONFIG_FILE": str(self.folder / "aws.config"),
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_PAGER": "",
            "AWS_REGION": REGION,
            "CURL_HOME": str(self.folder),
            "NODE_EXTRA_CA_CERTS": str(self.folder / "node.pem"),
            "SLS_AWS_MONITORING_FREQUENCY": "200",  # Milliseconds: osls asks for a stack's events every 5 s by default.
            **credentials,
        }

    def run(self, credentials: dict, *command: str, **options) -> subprocess.CompletedProcess:
        """Runs a command against this AWS, and accepts any exit code."""
        return finished([*command], env=self.environment(credentials), **options)

    @functools.cache
    def client(self, service: str, key: str, secret: str, token: str | None = None):
        with self.creating:
            return self.session.create_client(
                service,
                REGION,
                endpoint_url=self.url,
                verify=str(self.ca),
                aws_access_key_id=key,
                aws_secret_access_key=secret,
                aws_session_token=token,
            )

    def call(self, credentials: dict, service: str, operation: str, **parameters) -> dict:
        """AWS's complete response, or Failed with its error."""
        client = self.client(service, *credentials.values())
        try:
            if client.can_paginate(operation):
                return client.get_paginator(operation).paginate(**parameters).build_full_result()
            return getattr(client, operation)(**parameters)
        except ClientError as error:
            raise Failed(f"{service} {operation}: {error}") from error

    def assume(self, credentials: dict, role: str, **parameters) -> dict:
        """The credentials of a role."""
        assumed = self.call(credentials, "sts", "assume_role", RoleArn=role, RoleSessionName="rehearsal", **parameters)
        with self.handed_out.open("a") as kept:
            response = {name: assumed[name] for name in ("AssumedRoleUser", "Credentials")}
            print(json.dumps(response, default=str), file=kept)
        given = assumed["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }

    def assume_as(self, service: str, role: str, source: str | None) -> dict:
        """The credentials with which an AWS service uses a role of the tools account, on behalf of this resource."""
        name = role.rsplit("/", 1)[1]
        trust = self.call(root_of(TOOLS), "iam", "get_role", RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        asked = iam_evaluator.EvalContext(
            principal_arn=service,
            principal_type="AWSService",
            principal_account=TOOLS,
            action="sts:AssumeRole",
            resource_arn=role,
            region=REGION,
            service_context={"aws:sourcearn": source, "aws:sourceaccount": TOOLS} if source else {},
        )
        statements = [{**each, "Resource": role} for each in trust["Statement"]]
        if iam_evaluator.evaluate_resource_policy({"Statement": statements}, asked, service).decision != "Allow":
            raise Failed(f"{service}, with aws:SourceArn {source}, may not assume {role}")
        # In the emulator, only accounts can assume a role, so the role briefly trusts its own account.
        update = functools.partial(self.call, root_of(TOOLS), "iam", "update_assume_role_policy", RoleName=name)
        update(PolicyDocument=json.dumps({**trust, "Statement": [without_condition(each) for each in statements]}))
        try:
            return self.assume(root_of(TOOLS), role)
        finally:
            update(PolicyDocument=json.dumps(trust))

    def stacks(self, account: str) -> list:
        listed = self.call(root_of(account), "cloudformation", "list_stacks")["StackSummaries"]
        return [each["StackName"] for each in listed if each["StackStatus"] != "DELETE_COMPLETE"]

    def resource(self, account: str, stack: str, logical_id: str) -> str:
        named = {"StackName": stack, "LogicalResourceId": logical_id}
        described = self.call(root_of(account), "cloudformation", "describe_stack_resource", **named)
        return described["StackResourceDetail"]["PhysicalResourceId"]

    def output(self, account: str, stack: str, name: str) -> str:
        [described] = self.call(root_of(account), "cloudformation", "describe_stacks", StackName=stack)["Stacks"]
        [value] = [each["OutputValue"] for each in described["Outputs"] if each["OutputKey"] == name]
        return value

    def endpoint(self, stage: str) -> str:
        return self.output(STAGES[stage], f"{NAME}-{stage}", "ServiceEndpoint")

    def api_key(self) -> str:
        [key] = self.call(root_of(TARGET), "apigateway", "get_api_keys", includeValues=True)["items"]
        return key["value"]

    def reachable(self, endpoint: str) -> str:
        """The address of an API for clients other than curl."""
        _, _, host, stage = endpoint.split("/")
        return f"{self.url}/restapis/{host.split('.')[0]}/{stage}/_user_request_"

    def calls(self, account: str) -> int:
        """The number of recorded calls in an account, without the administrator's."""
        events = self.call(root_of(account), "cloudtrail", "lookup_events")["Events"]
        return sum(json.loads(each["CloudTrailEvent"])["userIdentity"].get("accessKeyId") != account for each in events)

    def logged(self, of: str) -> list:
        """The new lines about something in the emulator's log."""
        with self.log.open() as log:
            log.seek(self.heard)
            lines = log.readlines()
            self.heard = log.tell()
        return [line.strip() for line in lines if line.startswith(of)]

    def curl(self, *arguments: str, **options) -> str:
        return self.run({}, "curl", "--silent", "--show-error", *arguments, **options).stdout

    def memory(self) -> int:
        function = f"{SERVICE}-create"
        described = self.call(root_of(TARGET), "lambda", "get_function_configuration", FunctionName=function)
        return described["MemorySize"]


def without_condition(statement: dict) -> dict:
    return {name: value for name, value in statement.items() if name not in ("Condition", "Resource")}


def root_of(account: str) -> dict:
    """An administrator's credentials. In the emulator, root's access key is the account number."""
    return {"AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "test"}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
