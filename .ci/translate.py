"""Translate template.yaml (SAM) into the plain CloudFormation that would be deployed.

Linters and the role tests read this result: what SAM adds (roles, permissions, event sources) is in
it, and what they overlook in SAM's short forms is not.

    python .ci/translate.py template.yaml target/template.json
"""

import json
import logging
import sys
from pathlib import Path

from samtranslator.parser.parser import Parser
from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

# It says at its end that its usage figures were not sent anywhere, which is as it should be.
logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)

# `sam package` would replace local folders by uploaded archives. The translator insists on the latter.
UPLOADED = "s3://bucket/archive.zip"
LOCAL_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


class NoManagedPolicies(ManagedPolicyLoader):
    """Knows no managed policy by name: the template may not use any."""

    def __init__(self):
        super().__init__(None)

    def load(self):
        """Return the empty map of names to ARNs."""
        return {}


class Region:
    """The one thing that the translator asks of a boto session."""

    region_name = "eu-central-1"


def source(path):
    """Return the SAM template at `path` as plain dictionaries."""
    return yaml_parse(Path(path).read_text(encoding="utf-8"))


def translate(template):
    """Return the CloudFormation template for a parsed SAM template, which is used up."""
    for resource in template["Resources"].values():
        if key := LOCAL_CODE.get(resource["Type"]):
            resource["Properties"][key] = UPLOADED
    translator = Translator(NoManagedPolicies().load(), Parser(), boto_session=Region())
    parameters = {name: value.get("Default", "x") for name, value in template["Parameters"].items()}
    return translator.translate(template, parameters)


def main(read, write):
    """Translate the file `read` into the file `write`."""
    translated = translate(source(read))
    Path(write).parent.mkdir(parents=True, exist_ok=True)
    Path(write).write_text(json.dumps(translated, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{len(translated['Resources'])} resources")


if __name__ == "__main__":
    main(*sys.argv[1:])
