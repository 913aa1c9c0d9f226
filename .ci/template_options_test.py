"""What template.yaml promises about its options: own domain, own key, events by EventBridge; and how it is published."""

import re
import tomllib
import unittest
from pathlib import Path

import translate

ROOT = Path(__file__).parent.parent
SOURCE = translate.source(ROOT / "template.yaml")
TEMPLATE = translate.translate(translate.source(ROOT / "template.yaml"))
URL = "https://approve.example.com"
CERTIFICATE = "arn:aws:acm:eu-central-1:111122223333:certificate/0a1b2c3d"
KEY = "arn:aws:kms:eu-central-1:111122223333:key/0a1b2c3d"
EVENTS = "aws.partner/stripe.com/ed_123"


def created(**given):
    """Return the resources that parameters add to those of every deployment."""
    deployed = translate.deployed(TEMPLATE, **given)["Resources"]
    more = deployed.keys() - translate.deployed(TEMPLATE)["Resources"].keys()
    return {name: deployed[name]["Properties"] for name in more}


def of_type(kind, **given):
    """Return the properties of all resources of a type, by name, as they are with parameters."""
    resources = translate.deployed(TEMPLATE, **given)["Resources"]
    found = {name: one["Properties"] for name, one in resources.items() if one["Type"] == kind}
    assert found, f"the template has no {kind}"
    return found


class Options(unittest.TestCase):
    """Each is off unless it is asked for, and then complete."""

    def test_an_own_domain_is_the_host_of_the_pages_and_leads_to_the_api(self):
        given = {"PublicUrl": URL, "CertificateArn": CERTIFICATE}
        self.assertEqual({}, created(PublicUrl=URL), "something else serves it")
        domain = created(**given)
        self.assertEqual({"ApiDomain", "ApiDomainMapping"}, domain.keys())
        index, parts = domain["ApiDomain"]["DomainName"]["Fn::Select"]
        self.assertEqual("approve.example.com", parts[index])
        (configuration,) = domain["ApiDomain"]["DomainNameConfigurations"]
        self.assertEqual((CERTIFICATE, "TLS_1_2"), (configuration["CertificateArn"], configuration["SecurityPolicy"]))
        self.assertEqual({"Ref": "HttpStage"}, domain["ApiDomainMapping"]["Stage"])
        record = created(**given, HostedZoneId="Z123")
        self.assertEqual({"ApiDomainRecord"}, record.keys() - domain.keys())
        self.assertEqual({"Ref": "ApiDomain"}, record["ApiDomainRecord"]["Name"])

    def test_a_domain_by_half_is_refused_with_what_to_set(self):
        self.assertEqual([], translate.refused(TEMPLATE, PublicUrl=URL, CertificateArn=CERTIFICATE, HostedZoneId="Z1"))
        (said,) = translate.refused(TEMPLATE, CertificateArn=CERTIFICATE)
        self.assertIn("PublicUrl", said)
        (said,) = translate.refused(TEMPLATE, PublicUrl=URL, HostedZoneId="Z1")
        self.assertIn("CertificateArn", said)

    def test_an_own_key_covers_everything_that_keeps_customers_data(self):
        self.assertEqual({}, created(KeyArn=KEY))
        for name, table in of_type("AWS::DynamoDB::Table", KeyArn=KEY).items():
            self.assertEqual({"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY}, table["SSESpecification"], name)
        for name, queue in of_type("AWS::SQS::Queue", KeyArn=KEY).items():
            self.assertEqual((False, KEY), (queue["SqsManagedSseEnabled"], queue["KmsMasterKeyId"]), name)
        for kind in ("AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"):
            for given, keys in ({"KeyArn": KEY}, {KEY}), ({}, {None}):
                self.assertEqual(keys, {one.get("KmsKeyId") for one in of_type(kind, **given).values()}, kind)

    def test_every_secret_of_every_system_is_under_the_own_key(self):
        for name, one in TEMPLATE["Resources"].items():
            if one["Type"] == "AWS::SecretsManager::Secret":
                chosen = {"Fn::If": ["HasKey", {"Ref": "KeyArn"}, {"Ref": "AWS::NoValue"}]}
                self.assertEqual(chosen, one["Properties"]["KmsKeyId"], name)

    def test_events_by_the_bus_reach_the_ingress_from_one_source_only(self):
        bus = created(StripeEventSource=EVENTS)
        self.assertEqual({"StripeBus", "StripeEvents", "StripeEventsPermission"}, bus.keys())
        self.assertEqual({"Name": EVENTS, "EventSourceName": EVENTS}, bus["StripeBus"])
        rule = bus["StripeEvents"]
        self.assertEqual(({"Ref": "StripeBus"}, {"source": [EVENTS]}), (rule["EventBusName"], rule["EventPattern"]))
        self.assertEqual([{"Id": "ingress", "Arn": {"Fn::GetAtt": ["Ingress", "Arn"]}}], rule["Targets"])
        self.assertEqual({"Fn::GetAtt": ["StripeEvents", "Arn"]}, bus["StripeEventsPermission"]["SourceArn"])
        for given, expected in ({"StripeEventSource": EVENTS}, EVENTS), ({}, None):
            ingress = of_type("AWS::Lambda::Function", **given)["Ingress"]
            self.assertEqual(expected, ingress["Environment"]["Variables"].get("STRIPE_EVENT_SOURCE"))


class Published(unittest.TestCase):
    """What a repository or a console shows."""

    def test_the_application_is_published_under_the_version_and_licence_of_the_workspace(self):
        about = SOURCE["Metadata"]["AWS::ServerlessRepo::Application"]
        package = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]
        self.assertEqual((package["version"], package["license"]), (about["SemanticVersion"], about["SpdxLicenseId"]))
        for path in (about["LicenseUrl"], about["ReadmeUrl"]):
            self.assertTrue((ROOT / path).is_file(), path)

    def test_every_parameter_is_asked_for_once_says_what_it_is_and_refuses_nonsense(self):
        groups = SOURCE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        asked = [name for group in groups for name in group["Parameters"]]
        self.assertEqual(sorted(SOURCE["Parameters"]), sorted(asked))
        for name, parameter in SOURCE["Parameters"].items():
            self.assertGreater(len(parameter["Description"]), 20, name)
            if pattern := parameter.get("AllowedPattern"):
                if "Default" in parameter:
                    self.assertRegex(parameter["Default"], pattern, name)
                self.assertIsNone(re.fullmatch(pattern, "no, not this one?"), name)
            else:
                self.assertTrue({"AllowedValues", "MinValue"} & parameter.keys(), name)

    def test_every_output_says_what_it_is_for(self):
        for name, output in SOURCE["Outputs"].items():
            self.assertGreater(len(output["Description"]), 20, name)


if __name__ == "__main__":
    unittest.main()
