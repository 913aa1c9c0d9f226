"""Stripe's own command line with a stand-in of its own."""

import json
import os
import subprocess
import tempfile
import unittest
from contextlib import ExitStack

import standin


class CommandLine(unittest.TestCase):
    """One stand-in for all tests, and a home of its own for the program `STRIPE_CLI`."""

    @classmethod
    def setUpClass(cls):
        cls.stack = ExitStack()
        cls.told = cls.stack.enter_context(standin.running())
        cls.home = cls.stack.enter_context(tempfile.TemporaryDirectory())

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def stripe(self, *arguments, fails=False):
        """Run `stripe ARGUMENTS` and return what it prints; whether it `fails` is checked unless that is None."""
        command = [os.environ["STRIPE_CLI"], *arguments, "--api-base", self.told["url"], "--color", "off"]
        # Nothing of this machine's login, proxies or telemetry.
        clean = {
            "PATH": os.environ["PATH"],
            "HOME": self.home,
            "XDG_CONFIG_HOME": self.home,
            "STRIPE_API_KEY": self.told["secret_key"],
            "STRIPE_CLI_TELEMETRY_OPTOUT": "1",
            "NO_PROXY": "127.0.0.1",
        }
        done = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=60, check=False)
        if fails is not None:
            self.assertEqual(fails, done.returncode != 0, done.stdout + done.stderr)
        return done.stdout + done.stderr if fails else done.stdout

    def get(self, *arguments):
        """Return what `stripe get` prints."""
        return json.loads(self.stripe("get", *arguments))
