"""Python clients generated from openapi.yaml: calls by openapi-python-client, pydantic models by
datamodel-code-generator."""

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent
ECHO = {"id": "1001", "title": "Amazon Echo", "description": "Smart speaker", "price": "89.99"}


def generate(tool: str, *arguments: str) -> None:
    """Runs a generator, which formats its output with ruff. Fails if it omits anything."""
    environment = os.environ | {"PATH": f"{TOOLS}:{os.environ['PATH']}"}
    run = subprocess.run([TOOLS / tool, *arguments], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        contract = str(SOURCE / "openapi.yaml")
        generate(
            "openapi-python-client",
            *(
                "generate",
                "--path",
                contract,
                "--output-path",
                f"{folder}/calls",
                "--meta",
                "none",
                "--fail-on-warning",
            ),
        )
        generate(
            "datamodel-codegen",
            *("--input", contract, "--input-file-type", "openapi", "--output", f"{folder}/models.py"),
            *("--output-model-type", "pydantic_v2.BaseModel", "--formatters", "builtin"),
        )
        sys.path.insert(0, folder)
        cls.addClassCleanup(sys.path.remove, folder)
        cls.calls = importlib.import_module("calls")
        cls.sent = importlib.import_module("calls.models")
        cls.create = importlib.import_module("calls.api.products.create_product")
        cls.find = importlib.import_module("calls.api.products.find_product")
        cls.models = importlib.import_module("models")

    def start_catalog(self):
        """A client of a new catalog, which stops with the test."""
        target = os.environ.get("CARGO_TARGET_DIR", SOURCE / "target")
        catalog = subprocess.Popen([f"{target}/debug/local", "--port", "0"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(catalog.communicate)
        self.addCleanup(catalog.send_signal, signal.SIGINT)
        welcome = next(line for line in catalog.stdout if "listens on" in line)
        url = re.search(r"http://\S+", welcome)[0]
        return self.enterContext(self.calls.Client(url, raise_on_unexpected_status=True))

    def walk(self):
        """Every response to a new catalog's first requests, parsed by the client."""
        client = self.start_catalog()
        for changes in ({}, {}, {"title": "Another"}, {"title": "", "price": -1}):
            product = self.sent.NewProduct(**ECHO | changes)
            yield self.create.sync_detailed(client=client, body=product)
        found = self.find.sync_detailed("1001", client=client)
        yield found
        yield self.find.sync_detailed("1001", client=client, if_none_match=found.headers["etag"])
        yield self.find.sync_detailed("missing", client=client)

    def test_it_creates_replays_and_finds_products_and_parses_each_problem(self):
        responses = list(self.walk())
        self.assertEqual(
            [(int(response.status_code), type(response.parsed).__name__) for response in responses],
            [
                (201, "Product"),
                (200, "Product"),
                (409, "IdTaken"),
                (422, "InvalidProduct"),
                (200, "Product"),
                (304, "NoneType"),
                (404, "ProductNotFound"),
            ],
        )
        created, replayed, _, invalid, found, *_ = responses
        self.assertNotIn("idempotent-replayed", created.headers)
        self.assertEqual(replayed.headers["idempotent-replayed"], "true")
        self.assertEqual(found.parsed.to_dict(), ECHO)
        self.assertEqual([error.pointer for error in invalid.parsed.errors], ["/title", "/price"])

    def test_it_ignores_unknown_members_of_a_response(self):
        for response in self.walk():
            if response.parsed is not None:
                body = json.loads(response.content) | {"colour": "red"}
                for violation in body.get("errors", []):
                    violation["colour"] = "red"
                model = getattr(self.models, type(response.parsed).__name__)
                known = {name: value for name, value in body.items() if name not in ("colour", "errors")}
                kept = model.model_validate(body).model_dump(exclude_none=True, exclude={"errors"})
                self.assertEqual(kept, known)
                type(response.parsed).from_dict(body)

    def test_it_sends_no_unknown_members(self):
        self.models.NewProduct.model_validate(ECHO)
        with self.assertRaisesRegex(ValueError, "colour\n  Extra inputs are not permitted"):
            self.models.NewProduct.model_validate(ECHO | {"colour": "red"})


if __name__ == "__main__":
    unittest.main()
