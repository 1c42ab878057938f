"""AWS on this machine: two accounts of an emulator on loopback, over TLS, with IAM enforced."""

import json
import os
import pathlib
import platform
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request

import trustme

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = "111111111111"
TARGET = "222222222222"
# Not the region of most examples, so that one written into a file is noticed.
REGION = "eu-central-1"
ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]


class Failed(Exception):
    """A step did not end as it should: what happened, and where to read on."""


class Aws:
    def __init__(self, folder: pathlib.Path, log: pathlib.Path):
        self.folder, self.log = folder, log
        self.ca = folder / "ca.pem"
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.server = None

    def start(self):
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        certificate = authority.issue_cert("localhost", "*.localhost", "127.0.0.1", f"*.execute-api.{REGION}.amazonaws.com")
        certificate.private_key_and_cert_chain_pem.write_to_path(self.folder / "server.pem")
        (self.folder / "tmp").mkdir()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "AUTH": "true",
            "AWS_ENDPOINT_URL": self.url,  # Where the functions find DynamoDB.
            "BIND_HOST": "127.0.0.1",
            "CLOUDTRAIL_RECORDING": "1",
            "GATEWAY_PORT": str(self.port),
            "IOT_MTLS_ENABLED": "false",
            "MINISTACK_ACCOUNT_ID": TARGET,  # Whose API an unsigned request asks.
            "MINISTACK_HOST": f"{REGION}.amazonaws.com",
            "MINISTACK_REGION": REGION,
            "MINISTACK_SSL_CERT": str(self.folder / "server.pem"),
            "MINISTACK_SSL_KEY": str(self.folder / "server.pem"),
            "SSL_CERT_FILE": str(self.ca),  # Whom the functions trust.
            "USE_SSL": "1",
        }
        command = [sys.executable, str(pathlib.Path(__file__).with_name("emulator.py"))]
        with self.log.open("wb") as log:
            # A session of its own: the functions that it starts end with it.
            self.server = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        trust = ssl.create_default_context(cafile=str(self.ca))
        for _ in range(300):
            try:
                return urllib.request.urlopen(f"{self.url}/_ministack/health", context=trust, timeout=1).close()
            except OSError:
                if self.server.poll() is not None:
                    break
                time.sleep(0.1)
        raise Failed(f"the emulated AWS did not start: see {self.log}")

    def stop(self):
        if self.server:
            end(self.server)

    def environment(self, credentials: dict) -> dict:
        """What a command needs to reach this AWS with these credentials, and no other."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GIT_"))}
        return {
            **inherited,
            "PATH": f"{self.folder}/bin:{ROOT}/.venv/bin:{os.environ['PATH']}",
            "AWS_CA_BUNDLE": str(self.ca),
            "AWS_CONFIG_FILE": str(self.folder / "aws.config"),
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_PAGER": "",
            "AWS_REGION": REGION,
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "CURL_HOME": str(self.folder),
            "NODE_EXTRA_CA_CERTS": str(self.folder / "node.pem"),
            **credentials,
        }

    def run(self, credentials: dict, *command: str, **options) -> subprocess.CompletedProcess:
        """Runs a command against this AWS, whatever it ends with."""
        return subprocess.run(command, env=self.environment(credentials), capture_output=True, text=True, **options)

    def ask(self, credentials: dict, *arguments: str):
        """What `aws` answers, or Failed with what it said."""
        done = self.run(credentials, "aws", *arguments, "--output", "json")
        if done.returncode != 0:
            raise Failed(f"aws {' '.join(arguments[:2])}: {done.stderr.strip()}")
        return json.loads(done.stdout or "null")

    def assume(self, credentials: dict, role: str) -> dict:
        """The credentials of a role."""
        given = self.ask(credentials, "sts", "assume-role", "--role-arn", role, "--role-session-name", "rehearsal")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }


def root_of(account: str) -> dict:
    """An administrator's credentials. The emulator takes the account's number for root's key."""
    return {"AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "test"}


def end(process: subprocess.Popen):
    """Ends a process and all that it has started."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, kind)
            process.wait(10)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
