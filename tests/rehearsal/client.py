"""A client that calls an API every 50 ms, and counts what it sees."""

import collections
import contextlib
import http.client
import json
import ssl
import threading
import time
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from aws import NAME, REGION, STAGES, Aws, root_of

PAUSE = 0.05  # Seconds.
PRODUCT = {"id": "called", "title": "Called every 50 ms", "description": "", "price": "1.00"}


class Client:
    """Alternately creates and finds one product within a `with`, signed by the account's administrator."""

    def __init__(self, aws: Aws, stage: str):
        self.aws, self.stage, self.endpoint = aws, stage, urllib.parse.urlsplit(aws.endpoint(stage))
        self.signer = SigV4Auth(Credentials(*root_of(STAGES[stage]).values()), "execute-api", REGION)
        self.trust = ssl.create_default_context(cafile=str(aws.ca))
        self.seen = []  # (route, version, status, whether the response was correct) of each response.
        self.slowest = 0.0
        self.is_alarmed = False
        self.is_over = threading.Event()
        self.callers = []

    def __enter__(self):
        for _ in range(3):  # A new API is not available immediately.
            self.call("create")
        self.seen.clear()
        self.callers.append(threading.Thread(target=self.keep_calling, daemon=True))
        self.callers[0].start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for each in self.callers:
            each.join()
        if self.is_alarmed:
            self.set_alarm("OK")

    def keep_calling(self):
        while not self.is_over.wait(PAUSE):
            route = ("create", "find")[len(self.callers) % 2]
            self.callers.append(threading.Thread(target=self.call, args=(route,), daemon=True))
            self.callers[-1].start()

    def call(self, route: str):
        since = time.monotonic()
        method, path, body = (
            ("POST", "create", json.dumps(PRODUCT)) if route == "create" else ("GET", f"find/{PRODUCT['id']}", None)
        )
        url = f"{self.endpoint.geturl()}/product/{path}"
        request = AWSRequest(method, url, {"Content-Type": "application/json", "Host": self.endpoint.netloc}, body)
        self.signer.add_auth(request)
        with contextlib.closing(
            http.client.HTTPSConnection("127.0.0.1", self.aws.port, context=self.trust, timeout=30)
        ) as connection:
            try:
                connection.request(method, urllib.parse.urlsplit(url).path, body, dict(request.headers.items()))
                response = connection.getresponse()
                status, version, text = response.status, response.headers["X-Rehearsal-Version"], response.read()
            except OSError as error:
                status, version, text = str(error), None, b"{}"
        is_right = status == 200 and json.loads(text) == PRODUCT
        self.seen.append((route, version, status, is_right))
        self.slowest = max(self.slowest, time.monotonic() - since)
        self.alarm()

    def alarm(self):
        """Sets the alarm that stops a release, as CloudWatch would: the emulator does not compute expressions."""
        is_bad = sum(not is_right for *_, is_right in self.seen[-100:]) >= 2
        if is_bad and not self.is_alarmed:
            self.is_alarmed = True
            self.set_alarm("ALARM")

    def set_alarm(self, state: str):
        named = {"AlarmName": f"{NAME}-{self.stage}-release", "StateValue": state, "StateReason": "the client"}
        self.aws.call(root_of(STAGES[self.stage]), "cloudwatch", "set_alarm_state", **named)

    # ---- Results ----

    @property
    def wrong(self) -> list:
        return [each for each in self.seen if not each[-1]]

    def versions(self, route: str) -> list:
        """The versions that have responded, in the order of their first responses."""
        return list(dict.fromkeys(version for of, version, *_ in self.seen if of == route))

    def __str__(self) -> str:
        counted = collections.Counter((route, version) for route, version, *_ in self.seen)
        counts = ", ".join(f"{count} of {route}:{version}" for (route, version), count in sorted(counted.items()))
        wrong = collections.Counter(str(status) for _, _, status, is_right in self.seen if not is_right)
        bad = ", ".join(f"{count} times {status}" for status, count in wrong.items()) or "none"
        return f"{len(self.seen)} responses ({counts}), the slowest in {self.slowest:.1f} s; wrong: {bad}"
