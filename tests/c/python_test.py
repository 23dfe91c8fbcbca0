"""The C API from Python, by the example in examples/python, and the page about it.

python_test.py <library> <server> <folder of the C examples, compiled>
Prints a line "ok <test>" or "FAILED <test>: <why>" for each test; the exit code tells whether one failed.
"""

import os
import re
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "examples/python"))

import tokenkit  # noqa: E402

LIBRARY, SERVER, PROGRAMS = sys.argv[1:]


def request(secret="demo-secret", path="/token"):
    return {
        "endpoint": SERVER + path,
        "client_id": "demo-client",
        "authentication": {"method": "client_secret_basic", "secret": secret},
        "grant": {"type": "client_credentials"},
    }


class Python(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.library = tokenkit.load(LIBRARY)
        cls.client = tokenkit.Client(cls.library)

    @classmethod
    def tearDownClass(cls):
        cls.client.__exit__()

    def test_gets_a_token(self):
        token = self.client.token(request())
        self.assertEqual(token["token_type"], "Bearer")
        self.assertGreater(len(token["access_token"]), 20)

    def test_raises_what_the_server_said_without_the_secret(self):
        with self.assertRaises(tokenkit.TokenKitError) as raised:
            self.client.token(request("hunter2"))
        self.assertEqual(raised.exception.detail["code"], "invalid_client")
        self.assertEqual(raised.exception.detail["status"], 401)
        self.assertNotIn("hunter2", str(raised.exception.detail))

    def test_takes_texts_of_every_script(self):
        special = dict(request("p@ss:w+rd/%41&=ü"), client_id="special client:1")
        self.assertEqual(self.client.token(special)["token_type"], "Bearer")

    def test_one_client_serves_many_threads_at_once(self):
        tokens = []
        threads = [threading.Thread(target=lambda: tokens.append(self.client.token(request()))) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len({token["access_token"] for token in tokens}), 16)

    def test_a_time_limit_ends_a_call(self):
        start = time.monotonic()
        with self.assertRaises(tokenkit.TokenKitError) as raised:
            tokenkit.call_with_time_limit(self.client, self.library, request(path="/slow?ms=60000"), 0.3)
        self.assertEqual(raised.exception.detail["category"], "cancelled")
        self.assertLess(time.monotonic() - start, 20)
        token = tokenkit.call_with_time_limit(self.client, self.library, request(), 60)
        self.assertEqual(token["token_type"], "Bearer")

    def test_a_client_may_be_freed_while_a_call_runs(self):
        client = tokenkit.Client(self.library)
        results = []
        thread = threading.Thread(target=lambda: results.append(client.token(request(path="/slow?ms=1500"))))
        thread.start()
        time.sleep(0.5)
        client.__exit__()
        thread.join()
        self.assertEqual(results[0]["token_type"], "Bearer")


class Examples(unittest.TestCase):
    COMMANDS = {
        "python": [sys.executable, "-B", str(ROOT / "examples/python/token_for_app.py"), LIBRARY],
        "c": [str(Path(PROGRAMS) / "token")],
    }

    def run_example(self, name, secret):
        command = [*self.COMMANDS[name], SERVER + "/token", "demo-client"]
        return subprocess.run(command, env={**os.environ, "CLIENT_SECRET": secret}, capture_output=True, text=True, timeout=60)

    def test_get_a_token(self):
        for name in self.COMMANDS:
            with self.subTest(name):
                run = self.run_example(name, "demo-secret")
                self.assertEqual((run.returncode, run.stderr), (0, ""))
                self.assertIn("Bearer", run.stdout)

    def test_fail_with_a_wrong_secret_and_do_not_show_it(self):
        for name in self.COMMANDS:
            with self.subTest(name):
                run = self.run_example(name, "hunter2")
                self.assertEqual(run.returncode, 1)
                self.assertIn("invalid_client", run.stderr)
                self.assertNotIn("hunter2", run.stdout + run.stderr)


class Page(unittest.TestCase):
    TEXT = (ROOT / "docs/c-api.md").read_text()

    @staticmethod
    def lines(text):
        return [line.strip() for line in text.splitlines() if line.strip()]

    def test_shows_parts_of_the_examples_that_run_here(self):
        sources = {
            "python": [self.lines(file.read_text()) for file in (ROOT / "examples/python").glob("*.py")],
            "c": [self.lines(file.read_text()) for file in (ROOT / "examples/c").glob("*.c")],
        }
        blocks = re.findall(r"^```(python|c)\n(.*?)^```", self.TEXT, re.M | re.S)
        self.assertGreater(len(blocks), 3)
        for language, block in blocks:
            part = self.lines(block)
            found = any(source[start : start + len(part)] == part for source in sources[language] for start in range(len(source)))
            self.assertTrue(found, f"not in an example: {block}")

    def test_names_every_function_and_no_other(self):
        header = (ROOT / "bindings/c/tokenkit.h").read_text()
        declared = set(re.findall(r"\b(tokenkit_[a-z_]+)\(", header))
        self.assertEqual(set(re.findall(r"`(tokenkit_[a-z_]+)`", self.TEXT)), declared)


class Lines(unittest.TestResult):
    """Writes a line for each test, as the C programs do."""

    def stopTest(self, test):
        wrong = [why for case, why in self.failures + self.errors if getattr(case, "test_case", case) is test]
        name = test.id().split(".", 1)[1].replace("test_", "").replace("_", " ").replace(".", ": ")
        print(f"FAILED {name}: {wrong[0]}" if wrong else f"ok {name}", flush=True)


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    outcome = Lines()
    suite.run(outcome)
    # What fails outside a test, such as in setUpClass, has no line yet.
    for case, why in outcome.errors:
        if not isinstance(case, unittest.TestCase) and not hasattr(case, "test_case"):
            print(f"FAILED {case}: {why}")
    sys.exit(not outcome.wasSuccessful())
