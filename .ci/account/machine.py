"""What the emulator's machine lacks, put around the artefacts of `sam build`, which stay as they are.

- Another processor: the arm64 binary starts under qemu.
- Layers under /opt: `POLICY_DIR` names the built one.
- A way to the stand-ins of Stripe, Slack and the sign-in, and to its own API by an address on loopback. In an
  account these are the services' own addresses.


Two things it does not know of CloudFormation, so they are changed in the template that it gets:

- An alarm over an expression of metrics. It is left out.
- That a secret's `Ref` is its ARN; it takes the name. Each becomes the secret's `Id`, which is the ARN in both.

It also writes down the credentials that a function got for its role, so that tests can try what they forbid.
"""

import json
import stat
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import translate  # noqa: E402, it is one folder up

LEFT_OUT = ["EnrichmentAlarm"]
BOOTSTRAP = """#!/bin/sh
umask 077
printf '{{"aws_access_key_id": "%s", "aws_secret_access_key": "%s", "aws_session_token": "%s"}}' \\
    "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN" > '{folder}/{role}.json'
. '{folder}/outside.sh'
exec qemu-aarch64-static -L /usr/aarch64-linux-gnu "$LAMBDA_TASK_ROOT/function"
"""


def with_ids(value, secrets):
    """Return a part of a template with the `Id` of each secret in the place of its `Ref`."""
    match value:
        case {"Ref": name} if name in secrets:
            return {"Fn::GetAtt": [name, "Id"]}
        case dict():
            return {key: with_ids(one, secrets) for key, one in value.items()}
        case list():
            return [with_ids(one, secrets) for one in value]
        case _:
            return value


class Machine:
    """The folder with what functions find on their machine."""

    def __init__(self, folder, build):
        self.folder, self.build = folder, build
        folder.mkdir(parents=True, exist_ok=True)

    def wrap(self, artefact, function):
        """Let the binary of a built function start on this machine."""
        bootstrap, binary = artefact / "bootstrap", artefact / "function"
        if not binary.exists():
            bootstrap.rename(binary)
        bootstrap.write_text(BOOTSTRAP.format(folder=self.folder, role=function), encoding="utf-8")
        for path in (bootstrap, binary):
            path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)

    def template(self, built):
        """Return the path of a template like the built one, changed where the emulator needs it."""
        template = translate.source(built)
        for name in LEFT_OUT:
            del template["Resources"][name]
        secrets = {n for n, one in template["Resources"].items() if one["Type"] == "AWS::SecretsManager::Secret"}
        path = built.with_name("emulated.json")
        path.write_text(json.dumps(with_ids(template, secrets)), encoding="utf-8")
        return path

    def outside(self, **variables):
        """Say where the world outside is."""
        variables["POLICY_DIR"] = self.build / "PolicyLayer/policy"
        lines = "".join(f"export {name}='{value}'\n" for name, value in variables.items())
        (self.folder / "outside.sh").write_text(lines, encoding="utf-8")

    def credentials(self, function):
        """Return the credentials with which a function runs, once it has run."""
        return json.loads((self.folder / f"{function}.json").read_text(encoding="utf-8"))
