"""An AWS account on this machine: ministack, which enforces what the roles' policies allow.

What it cannot show: KMS, throttling, metrics from logs, and what CloudFormation itself refuses.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import boto3

REGION = "eu-central-1"
ACCOUNT = "111122223333"


def until(what, look, seconds=60):
    """Return the first answer of `look` that is something; fail if there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.2)
    raise AssertionError(f"still not after {seconds} s: {what}")


def free_port():
    """Return a port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Account:
    """A running account, for its administrator."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            # Twelve digits as the key are the account's root user there.
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "emulated",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
        }
        settings = {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "LAMBDA_EXECUTOR": "local",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        }
        self.log = open(folder / "ministack.log", "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=os.environ | self.environment | settings, cwd=folder,
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
        )
        until("the emulator answers", self.answers)

    def answers(self):
        """Tell whether it is up."""
        if self.process.poll() is not None:
            raise AssertionError(f"the emulator ended; see {self.log.name}")
        try:
            with urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=5) as answer:
                return json.load(answer)["auth"] == "enabled"
        except OSError:
            return False

    def client(self, service, **credentials):
        """Return a client of a service, with the administrator's credentials unless others are given."""
        credentials = credentials or {
            "aws_access_key_id": self.environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": self.environment["AWS_SECRET_ACCESS_KEY"],
        }
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **credentials)

    def stop(self):
        """End it, and the functions with it."""
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()
