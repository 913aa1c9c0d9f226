"""The whole deployment in an emulated account: its resources, events, an approval, dead letters, schedules."""

import json
import re
import unittest
import urllib.error
import urllib.request

import machine
import shared
import translate
from deployment import CHANNELS, EVENT_SOURCE, FUNCTIONS, PARAMETERS, PUBLIC_URL, ROOT, STACK
from emulator import ACCOUNT, REGION, until


class Resources(unittest.TestCase):
    """An emulator reports success for what it does not know, so each resource is looked for in its service."""

    @classmethod
    def setUpClass(cls):
        cls.stack = shared.deployment()
        template = translate.translate(translate.source(ROOT / "template.yaml"))
        resources = translate.deployed(template, **PARAMETERS)["Resources"]
        cls.expected = {name: one for name, one in resources.items() if name not in machine.LEFT_OUT}

    def test_the_stack_has_exactly_the_resources_of_the_template(self):
        # The layer's name ends in a hash of what it holds.
        named = lambda pairs: sorted((re.sub("^PolicyLayer.*", "PolicyLayer", name), kind) for name, kind in pairs)
        found = named((name, one["ResourceType"]) for name, one in self.stack.resources.items())
        self.assertEqual(named((name, one["Type"]) for name, one in self.expected.items()), found)

    def test_each_service_knows_what_the_stack_says_it_made(self):
        client, looks = self.stack.account.client, 0
        api = self.stack.physical("HttpApi")
        gateway, events, iam = client("apigatewayv2"), client("events"), client("iam")
        look = {
            "AWS::ApiGatewayV2::Api": lambda one: gateway.get_api(ApiId=one),
            "AWS::ApiGatewayV2::Integration": lambda one: gateway.get_integration(ApiId=api, IntegrationId=one),
            "AWS::ApiGatewayV2::Route": None,
            "AWS::ApiGatewayV2::Stage": lambda _: gateway.get_stage(ApiId=api, StageName="$default"),
            "AWS::CloudWatch::Alarm": lambda one: client("cloudwatch").describe_alarms(AlarmNames=[one])["MetricAlarms"][0],
            "AWS::CloudWatch::Dashboard": lambda one: json.loads(
                client("cloudwatch").get_dashboard(DashboardName=one)["DashboardBody"]
            ),
            "AWS::DynamoDB::Table": lambda one: client("dynamodb").describe_table(TableName=one),
            "AWS::Events::EventBus": lambda one: events.describe_event_bus(Name=EVENT_SOURCE),
            "AWS::Events::Rule": lambda one: events.list_rules(EventBusName=EVENT_SOURCE)["Rules"][0],
            "AWS::IAM::Role": lambda one: iam.get_role(RoleName=one),
            "AWS::Lambda::EventInvokeConfig": None,
            "AWS::Lambda::EventSourceMapping": lambda one: client("lambda").get_event_source_mapping(UUID=one),
            "AWS::Lambda::Function": lambda one: client("lambda").get_function(FunctionName=one),
            "AWS::Lambda::LayerVersion": lambda one: client("lambda").get_layer_version_by_arn(Arn=one),
            "AWS::Lambda::Permission": None,
            "AWS::Logs::LogGroup": lambda one: client("logs").describe_log_groups(logGroupNamePrefix=one)["logGroups"][0],
            "AWS::SNS::Subscription": None,
            "AWS::SNS::Topic": lambda one: client("sns").get_topic_attributes(TopicArn=one),
            "AWS::SQS::Queue": lambda one: client("sqs").get_queue_attributes(QueueUrl=one, AttributeNames=["All"]),
            "AWS::Scheduler::Schedule": lambda one: client("scheduler").get_schedule(Name=one),
            "AWS::SecretsManager::Secret": lambda one: client("secretsmanager").describe_secret(SecretId=one),
        }
        for name, one in self.stack.resources.items():
            with self.subTest(name):
                if ask := look[one["ResourceType"]]:
                    self.assertTrue(ask(one["PhysicalResourceId"]))
                    looks += 1
        # What has no id of its own there is read off the resource that it belongs to.
        routes = {one["RouteKey"]: one["Target"] for one in gateway.get_routes(ApiId=api)["Items"]}
        integrations = {key: f"integrations/{self.stack.physical(name)}" for key, name in (
            ("POST /stripe/{endpoint}", "IngressIntegration"), ("$default", "ApproverIntegration")
        )}
        self.assertEqual(integrations, routes)
        for function, callers in ("Ingress", {"apigateway", "events"}), ("Approver", {"apigateway"}):
            policy = json.loads(client("lambda").get_policy(FunctionName=self.stack.physical(function))["Policy"])
            allowed = {s["Principal"]["Service"].split(".")[0] for s in policy["Statement"]}
            self.assertEqual(callers, allowed, function)
        for function in ("Approver", "Reconciler"):
            config = client("lambda").get_function_event_invoke_config(
                FunctionName=self.stack.physical(function), Qualifier="$LATEST"
            )
            self.assertEqual(0, config["MaximumRetryAttempts"], function)
        topic = client("sns").list_subscriptions_by_topic(TopicArn=self.stack.physical("AlarmTopic"))
        self.assertEqual([PARAMETERS["AlarmEmail"]], [s["Endpoint"] for s in topic["Subscriptions"]])
        print(f"{len(self.stack.resources)} resources, {looks} looked for in their service")

    def test_tables_and_queues_are_as_the_template_says(self):
        # Recovery and expiry of rows the emulator does not take from a template.
        client = self.stack.account.client
        for name in ("CasesTable", "ApprovalsTable"):
            table = client("dynamodb").describe_table(TableName=self.stack.physical(name))["Table"]
            self.assertEqual("PAY_PER_REQUEST", table["BillingModeSummary"]["BillingMode"], name)
            self.assertTrue(table["DeletionProtectionEnabled"], name)
        for name, dead in ("EventQueue", "EventDeadQueue"), ("ApprovalQueue", "ApprovalDeadQueue"):
            queue = client("sqs").get_queue_attributes(QueueUrl=self.stack.physical(name), AttributeNames=["All"])
            redrive = json.loads(queue["Attributes"]["RedrivePolicy"])
            self.assertEqual(10, int(redrive["maxReceiveCount"]), name)
            self.assertTrue(redrive["deadLetterTargetArn"].endswith(self.stack.physical(dead).rsplit("/", 1)[1]), name)

    def test_the_functions_are_the_arm64_artefacts_of_sam_build(self):
        for function in FUNCTIONS:
            config = self.stack.account.client("lambda").get_function_configuration(
                FunctionName=self.stack.physical(function)
            )
            self.assertEqual(["arm64"], config["Architectures"], function)
            with open(shared.BUILD / function / "function", "rb") as binary:
                header = binary.read(20)
            # ELF, and the machine that it is for: 183 is AArch64.
            self.assertEqual((b"\x7fELF", 183), (header[:4], int.from_bytes(header[18:20], "little")), function)


class Events(unittest.TestCase):
    """From Stripe to the channel."""

    @classmethod
    def setUpClass(cls):
        cls.stack = shared.deployment()

    def told(self, invoice, channel="billing-alerts"):
        """Return the channel's messages about an invoice."""
        found = self.stack.outside.messages(CHANNELS[channel])
        return [message for message in found if invoice in json.dumps(message)]

    def test_a_failed_payment_becomes_a_case_and_an_alert(self):
        _, invoice = self.stack.outside.subscriber("pm_card_chargeCustomerFail", "Customer 1")
        self.assertEqual("open", invoice["status"])
        row = f"CASE#recovery:{invoice['id']}"
        case = until("the case is in the table", lambda: self.stack.items("CasesTable", row), 120)
        self.assertIn("TRAIL#0000000000", {item["sk"]["S"] for item in case})
        until("the team is told", lambda: self.told(invoice["id"]), 120)
        until("the queue is empty", lambda: self.stack.depth("EventQueue") == 0, 120)
        self.assertEqual(0, self.stack.depth("EventDeadQueue"))

    def test_what_stripe_did_not_sign_is_refused_and_queued_nowhere(self):
        body = json.dumps({"id": "evt_forged", "object": "event", "type": "invoice.payment_failed"}).encode()
        headers = {"Stripe-Signature": "t=1,v1=00", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.stack.front}/stripe/default", body, headers)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)
        self.assertEqual(400, refused.exception.code)
        refused.exception.close()
        self.assertEqual([], self.stack.items("CasesTable", "EVENT#evt_forged"))

    def test_an_event_of_the_partners_bus_is_taken_in_without_a_signature(self):
        event = {
            "id": "evt_by_the_bus", "object": "event", "type": "customer.subscription.updated", "created": 1790000000,
            "livemode": False, "data": {"object": {"id": "sub_by_the_bus", "object": "subscription"}},
        }
        handed = {
            "version": "0", "id": "c3d4", "detail-type": event["type"], "source": EVENT_SOURCE, "account": ACCOUNT,
            "time": "2026-09-21T14:13:20Z", "region": REGION, "resources": [], "detail": event,
        }
        # What a partner puts, the emulator forgets. So the rule is asked, and then done what it says.
        events, functions = self.stack.account.client("events"), self.stack.account.client("lambda")
        (rule,) = events.list_rules(EventBusName=EVENT_SOURCE)["Rules"]
        matches = lambda one: events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(one))["Result"]
        self.assertTrue(matches(handed))
        self.assertFalse(matches(handed | {"source": f"{EVENT_SOURCE}4"}))
        (target,) = events.list_targets_by_rule(Rule=rule["Name"], EventBusName=EVENT_SOURCE)["Targets"]
        functions.invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=json.dumps(handed))
        row = lambda: self.stack.items("CasesTable", "EVENT#evt_by_the_bus")
        until("the processor has claimed the event", row, 120)

    def test_a_message_that_nobody_can_read_ends_among_the_dead_letters(self):
        sqs = self.stack.account.client("sqs")
        queue = self.stack.physical("EventQueue")
        # Ten tries, three minutes apart, are not waited for.
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
        self.addCleanup(sqs.set_queue_attributes, QueueUrl=queue, Attributes={"VisibilityTimeout": "180"})
        sqs.send_message(QueueUrl=queue, MessageBody="poison", MessageGroupId="poison", MessageDeduplicationId="poison")
        until("it lies there", lambda: self.stack.depth("EventDeadQueue") == 1, 180)
        dead = sqs.receive_message(QueueUrl=self.stack.physical("EventDeadQueue"))["Messages"]
        self.assertEqual(["poison"], [message["Body"] for message in dead])
        sqs.delete_message(QueueUrl=self.stack.physical("EventDeadQueue"), ReceiptHandle=dead[0]["ReceiptHandle"])
        self.assertEqual(0, self.stack.depth("EventQueue"))

    def test_a_schedule_sends_the_canary_through_the_front_door(self):
        scheduler = self.stack.account.client("scheduler")
        schedule = scheduler.get_schedule(Name=f"{STACK}-sweep-canary")
        self.assertEqual("rate(5 minutes)", schedule["ScheduleExpression"])
        # The same schedule, so that it fires within the minute.
        given = {key: schedule[key] for key in ("Name", "GroupName", "Target", "FlexibleTimeWindow")}
        scheduler.update_schedule(**given, ScheduleExpression="rate(1 minute)")
        self.addCleanup(scheduler.update_schedule, **given, ScheduleExpression="rate(5 minutes)")
        until("the processor has seen the canary", lambda: self.stack.items("CasesTable", "EVENT#evt_canary_"), 180)


class Approvals(unittest.TestCase):
    """From a person's request to one write at Stripe."""

    @classmethod
    def setUpClass(cls):
        cls.stack = shared.deployment()

    def test_a_refund_is_made_once_and_only_after_enough_people_approved_it(self):
        outside = self.stack.outside
        customer, invoice = outside.subscriber("pm_card_visa", "Customer 2")
        self.assertEqual("paid", invoice["status"])
        charge = outside.charge_of(customer)
        proposal = self.stack.browser(outside.told["support"]).ask_refund(charge, "12.00", "Two days of outage")
        refunds = lambda: outside.stripe("GET", f"/v1/refunds?charge={charge}")["data"]
        self.assertEqual([], refunds())
        said = ""
        for person in outside.told["finance"]:
            if not refunds():
                said = self.stack.browser(person).decide(proposal, "approve")
        (refund,) = until(f"Stripe has the refund; the page said: {said}", refunds, 60)
        self.assertEqual((1200, proposal.rsplit("/", 1)[1]), (refund["amount"], refund["metadata"]["approval_id"]))
        row = until("the proposal is settled", lambda: self.stack.items("ApprovalsTable", f"PROPOSAL#{proposal[3:]}"))
        self.assertIn("TRAIL#0000000000", {item["sk"]["S"] for item in row})

    def test_pages_are_for_those_who_signed_in(self):
        from outside import Browser

        status, _, page = Browser(self.stack.api, PUBLIC_URL).send("GET", "/")
        self.assertIn("Sign in", page)
        self.assertIn(status, (200, 401))


if __name__ == "__main__":
    unittest.main()
