"""Translate template.yaml (SAM) into the plain CloudFormation that would be deployed.

Linters and the role tests read this result: what SAM adds (roles, permissions, event sources) is in
it, and what they overlook in SAM's short forms is not.

    python .ci/translate.py template.yaml target/template.json
"""

import json
import logging
import re
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


class Parameters:
    """The parameters that a translated template is deployed with, and what follows from them."""

    GONE = object()

    def __init__(self, template, given):
        if unknown := given.keys() - template["Parameters"].keys():
            raise KeyError(f"there are no parameters {sorted(unknown)}")
        self.values = {name: str(value.get("Default", "x")) for name, value in template["Parameters"].items()} | given
        self.conditions = template.get("Conditions", {})

    def holds(self, condition):
        """Tell whether a condition holds; one of an unknown form is an error."""
        match condition:
            case {"Condition": name}:
                return self.holds(self.conditions[name])
            case {"Fn::Not": [one]}:
                return not self.holds(one)
            case {"Fn::And": all_of}:
                return all([self.holds(one) for one in all_of])
            case {"Fn::Equals": [one, other]}:
                return self.chosen(one) == self.chosen(other)
            case _:
                raise ValueError(f"the condition {condition}")

    def chosen(self, value):
        """Return `value` with every choice made and every parameter filled in."""
        match value:
            case {"Fn::If": [name, then, otherwise]}:
                return self.chosen(then if self.holds({"Condition": name}) else otherwise)
            case {"Ref": "AWS::NoValue"}:
                return self.GONE
            case {"Ref": name} if name in self.values:
                return self.values[name]
            case {"Fn::Split": [separator, one]}:
                return self.chosen(one).split(separator)
            case {"Fn::Sub": str(pattern)}:
                fill = lambda found: self.values.get(found[1], found[0])
                return {"Fn::Sub": re.sub(r"\$\{([^}]+)\}", fill, pattern)}
            case dict():
                chosen = {key: self.chosen(one) for key, one in value.items()}
                return {key: one for key, one in chosen.items() if one is not self.GONE}
            case list():
                return [one for one in map(self.chosen, value) if one is not self.GONE]
            case _:
                return value


def deployed(template, **given):
    """Return a translated template as it is deployed with parameters: without what is not created."""
    parameters = Parameters(template, given)
    created = {
        name: parameters.chosen({key: part for key, part in resource.items() if key != "Condition"})
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or parameters.holds({"Condition": resource["Condition"]})
    }
    return template | {"Resources": created}


def refused(template, **given):
    """Return what CloudFormation says to parameters that the template's rules refuse."""
    parameters = Parameters(template, given)
    return [
        one["AssertDescription"]
        for rule in template.get("Rules", {}).values()
        if parameters.holds(rule["RuleCondition"])
        for one in rule["Assertions"]
        if not parameters.holds(one["Assert"])
    ]


def main(read, write):
    """Translate the file `read` into the file `write`."""
    translated = translate(source(read))
    Path(write).parent.mkdir(parents=True, exist_ok=True)
    Path(write).write_text(json.dumps(translated, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{len(translated['Resources'])} resources")


if __name__ == "__main__":
    main(*sys.argv[1:])
