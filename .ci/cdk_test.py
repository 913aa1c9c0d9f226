"""The CDK construct deploys template.yaml and nothing else. `SYNTH` names the folder that `cdk synth` wrote."""

import json
import os
import re
import unittest
from pathlib import Path

import cdk_parameters
import translate

ROOT = Path(__file__).parent.parent
CDK = ROOT / "infra/cdk"
# What SAM takes the archives from; in the source they are folders.
ARCHIVES = {"Code", "Content"}
EXAMPLE = (CDK / "example/app.ts").read_text(encoding="utf-8")


def given():
    """Return the parameters that the example sets, read from its text."""
    parameters = translate.source(ROOT / "template.yaml")["Parameters"]
    names = {cdk_parameters.property_name(name): name for name in parameters}
    pairs = re.findall(r"^  (\w+): (?:'([^']*)'|(\d+)),$", EXAMPLE, re.MULTILINE)
    return {names[name]: text or int(number) for name, text, number in pairs}


def comparable(template, parameters):
    """Return the resources of a template once it is translated and deployed, without where archives lie."""
    translated = translate.translate(template)
    resources = translate.deployed(translated, **parameters)["Resources"]
    found = {}
    for name, one in resources.items():
        # A layer's and a version's name end in a hash of what they hold.
        name = re.sub(r"^(PolicyLayer)[0-9a-f]{10}$", r"\1", name)
        one["Properties"] = {k: v for k, v in one.get("Properties", {}).items() if k not in ARCHIVES}
        one.pop("Metadata", None)
        if isinstance(one.get("DependsOn"), list):
            # Their order says nothing.
            one["DependsOn"].sort()
        found[name] = one
    return json.loads(re.sub(r'"PolicyLayer[0-9a-f]{10}"', '"PolicyLayer"', json.dumps(found)))


class Construct(unittest.TestCase):
    """One source of truth."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        synth = Path(os.environ["SYNTH"]) / "countersign.template.json"
        cls.synthesised = json.loads(synth.read_text(encoding="utf-8"))

    def test_the_properties_are_the_parameters_of_the_template(self):
        parameters = translate.source(ROOT / "template.yaml")["Parameters"]
        wanted = cdk_parameters.written(parameters)
        found = (CDK / "lib/parameters.ts").read_text(encoding="utf-8")
        self.assertEqual(wanted, found, "run: python .ci/cdk_parameters.py template.yaml infra/cdk/lib/parameters.ts")

    def test_synth_is_the_template_with_the_examples_parameters(self):
        parameters = given()
        self.assertGreaterEqual(len(parameters), 5)
        self.assertEqual(set(), self.synthesised["Parameters"].keys() & parameters.keys())
        source = comparable(translate.source(ROOT / "template.yaml"), parameters)
        made = comparable(self.synthesised, {})
        self.assertEqual(source.keys(), made.keys())
        for name, one in source.items():
            self.assertEqual(one, made[name], name)

    def test_synth_has_the_outputs_and_rules_of_the_template(self):
        source = translate.source(ROOT / "template.yaml")
        for part in ("Outputs", "Rules", "Conditions"):
            # The CDK's own rule asks for the bucket of archives.
            made = self.synthesised[part].keys() - {"CheckBootstrapVersion"}
            self.assertEqual(source[part].keys(), made, part)

    def test_every_archive_is_uploaded(self):
        for name, one in self.synthesised["Resources"].items():
            for key in {"CodeUri", "ContentUri"} & one.get("Properties", {}).keys():
                self.assertEqual({"Bucket", "Key"}, one["Properties"][key].keys(), name)


if __name__ == "__main__":
    unittest.main()
