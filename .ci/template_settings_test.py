"""What template.yaml promises apart from roles: times, queues, tables, the API, schedules, alarms."""

import json
import re
import unittest
from pathlib import Path

import translate

ROOT = Path(__file__).parent.parent
TEMPLATE = translate.translate(translate.source(ROOT / "template.yaml"))
FIGURES = (ROOT / "infra/template/FIGURES.md").read_text(encoding="utf-8")
FUNCTIONS = {"Ingress", "Processor", "Approver", "Reconciler"}
# How long the processor's claim on an event holds, in seconds; the store sets it.
LEASE = 90
# The longest that an HTTP API waits for a function, in seconds.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
HTTP_LIMIT = 30

# The reconciler repairs with the processor's own code, so it reads what that reads.
SOURCES = {"Ingress": ["ingress"], "Processor": ["processor"], "Approver": ["approver"], "Reconciler": ["reconciler", "processor"]}
# Crates whose clients read their own part of a function's environment.
CLIENTS = {"Ingress": [], "Processor": ["connectors"], "Approver": ["connectors", "gated"], "Reconciler": ["connectors"]}

# What each system around Stripe is chosen with, to which functions it is told, by which variables, and the
# secret that it needs.
AGENT = ("Processor", "Reconciler")
SYSTEMS = [
    ({"Crm": "hubspot"}, AGENT, {"CRM", "HUBSPOT_TOKEN_SECRET"}, "HubSpotToken"),
    (
        {"Crm": "salesforce", "SalesforceUrl": "https://x.my.salesforce.com", "SalesforceClientId": "id"},
        AGENT,
        {"CRM", "SALESFORCE_INSTANCE_URL", "SALESFORCE_CLIENT_ID", "SALESFORCE_CLIENT_SECRET_NAME"},
        "SalesforceClientSecret",
    ),
    (
        {"HelpDesk": "zendesk", "ZendeskUrl": "https://x.zendesk.com", "ZendeskUser": "agent@example.com"},
        AGENT,
        {"HELP_DESK", "HELP_DESK_REFUND_TAGS", "HELP_DESK_CANCELLATION_TAGS"}
        | {"ZENDESK_SUBDOMAIN_URL", "ZENDESK_USER", "ZENDESK_TOKEN_SECRET"},
        "ZendeskToken",
    ),
    (
        {"HelpDesk": "intercom", "IntercomTicketType": "1"},
        AGENT,
        {"HELP_DESK", "HELP_DESK_REFUND_TAGS", "HELP_DESK_CANCELLATION_TAGS", "INTERCOM_API_BASE"}
        | {"INTERCOM_CUSTOMER_FIELD", "INTERCOM_TICKET_TYPE", "INTERCOM_TOKEN_SECRET"},
        "IntercomToken",
    ),
    ({"ApplicationUrl": "https://x.com"}, AGENT, {"APPLICATION_URL", "APPLICATION_SECRET"}, "ApplicationKey"),
    ({"AccessUrl": "https://x.com"}, ("Approver",), {"ACCESS_URL", "ACCESS_SECRET"}, "AccessKey"),
    ({"MailFrom": "billing@example.com", "MailIdentity": "example.com"}, ("Approver",), {"MAIL_FROM"}, None),
    (
        {"Model": "bedrock", "ModelId": "m", "ModelPrice": "0.06,0.24"}
        | {"ModelArns": "arn:aws:bedrock:eu-central-1::foundation-model/m"},
        ("Processor",),
        {"MODEL", "MODEL_ID", "MODEL_PRICE"},
        None,
    ),
    (
        {"Model": "anthropic", "ModelId": "m", "ModelPrice": "3,15"},
        ("Processor",),
        {"MODEL", "MODEL_ID", "MODEL_PRICE", "MODEL_KEY_SECRET"},
        "ModelKey",
    ),
    (
        {"Model": "openai", "ModelId": "m", "ModelPrice": "0,0", "ModelUrl": "https://x.com/v1"},
        ("Processor",),
        {"MODEL", "MODEL_ID", "MODEL_PRICE", "MODEL_URL", "MODEL_KEY_SECRET"},
        "ModelKey",
    ),
]


def variables_of(function):
    """Return the variables that a function's code must have, and all that it may read."""
    folders = [ROOT / "functions" / name / "src" for name in SOURCES[function]] + [ROOT / "shared/runtime/src"]
    clients = [ROOT / "shared" / name / "src" for name in CLIENTS[function]]
    code = "".join(path.read_text(encoding="utf-8") for folder in folders + clients for path in folder.rglob("*.rs"))
    own = "".join(path.read_text(encoding="utf-8") for folder in folders[:-1] for path in folder.rglob("*.rs"))
    needed = set(re.findall(r'required\(\s*"([A-Z_]+)"', own)) | set(re.findall(r'from_env\([^;"]*"([A-Z_]+_URL)"', own))
    constants = dict(re.findall(r'const ([A-Z_]+): &str = "([A-Z_]+)"', own))
    needed |= {constants[name] for name in re.findall(r"required\(\s*([A-Z_]+)\s*\)", own) if name in constants}
    return needed, set(re.findall(r'"([A-Z][A-Z_]+)"', code))


def metrics_of(alarm):
    """Return the metrics that an alarm watches: one, or those of its expression."""
    if "Metrics" not in alarm:
        return [alarm]
    return [one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one]


def is_written(name, function):
    """Return whether the table of figures has this one for this function."""
    rows = re.findall(r"^\| `(\w+?)(_…)?` \|[^|]*\|[^|]*\| ([^|]*) \|", FIGURES, re.MULTILINE)
    assert rows, "the table of figures has no rows"
    # The reconciler runs the processor's code.
    return any(
        function in by.split(", ") and (name.startswith(f"{figure}_") if kinds else name == figure)
        for figure, kinds, by in rows
    )


def of_type(kind):
    """Return the properties of all resources of a type, by name."""
    found = {n: r.get("Properties", {}) for n, r in TEMPLATE["Resources"].items() if r["Type"] == kind}
    assert found, f"the template has no {kind}"
    return found


def variables(template, function):
    """Return the environment of a function in a template."""
    return template["Resources"][function]["Properties"]["Environment"]["Variables"]


def plain(properties):
    """Return properties as they are without any option."""
    return translate.Parameters(TEMPLATE, {}).chosen(properties)


def properties(name):
    """Return the properties of one resource."""
    return TEMPLATE["Resources"][name]["Properties"]


class Functions(unittest.TestCase):
    """The four functions."""

    def test_there_are_four_functions_on_arm64(self):
        functions = of_type("AWS::Lambda::Function")
        self.assertEqual(FUNCTIONS, functions.keys())
        for name, function in functions.items():
            self.assertEqual(("provided.al2023", ["arm64"]), (function["Runtime"], function["Architectures"]), name)

    def test_each_function_is_built_from_its_own_folder_and_binary(self):
        source = translate.source(ROOT / "template.yaml")["Resources"]
        for name in FUNCTIONS:
            binary = name.lower()
            self.assertEqual(f"functions/{binary}", source[name]["Properties"]["CodeUri"])
            self.assertEqual("rust-cargolambda", source[name]["Metadata"]["BuildMethod"])
            self.assertEqual(binary, source[name]["Metadata"]["BuildProperties"]["Binary"])
            manifest = (ROOT / "functions" / binary / "Cargo.toml").read_text(encoding="utf-8")
            self.assertIn(f'name = "{binary}"', manifest)
            self.assertTrue((ROOT / "functions" / binary / "src/main.rs").is_file(), binary)

    def test_each_function_gets_the_variables_that_its_code_reads(self):
        for name in FUNCTIONS:
            given = set(properties(name)["Environment"]["Variables"])
            needed, known = variables_of(name)
            self.assertGreaterEqual(len(needed), 2, f"the reader of the sources of {name} finds nothing")
            self.assertEqual(set(), needed - given, f"{name} would not start")
            self.assertEqual(set(), given - known, f"{name} reads none of these")

    def test_a_variable_names_a_secret_and_never_holds_one(self):
        seen = set()
        for given in [{}, *(given for given, *_ in SYSTEMS)]:
            template = translate.deployed(TEMPLATE, **given)
            for name in FUNCTIONS:
                for variable, value in variables(template, name).items():
                    if re.search("_SECRET(_NAME)?$", variable):
                        seen.add(variable)
                        self.assertEqual({"Ref"}, set(value), variable)
                        self.assertEqual("AWS::SecretsManager::Secret", template["Resources"][value["Ref"]]["Type"])
                    self.assertNotIn("resolve:", json.dumps(value), variable)
        self.assertGreaterEqual(len(seen), 12)

    def test_a_system_is_told_in_full_to_those_who_use_it_and_nothing_of_the_others(self):
        plain = translate.deployed(TEMPLATE)
        for given, users, names, secret in SYSTEMS:
            with self.subTest(given):
                template = translate.deployed(TEMPLATE, **given)
                for function in FUNCTIONS:
                    more = variables(template, function).keys() - variables(plain, function).keys()
                    self.assertEqual(names if function in users else set(), more, function)
                created = template["Resources"].keys() - plain["Resources"].keys()
                self.assertEqual({secret} - {None}, created)

    def test_a_system_that_is_chosen_by_half_is_refused_with_what_to_set(self):
        self.assertEqual([], translate.refused(TEMPLATE))
        for given, *_ in SYSTEMS:
            self.assertEqual([], translate.refused(TEMPLATE, **given), given)
            for name in given.keys() - {"Crm", "HelpDesk", "MailFrom", "ApplicationUrl", "AccessUrl", "Model"}:
                rest = {other: value for other, value in given.items() if other != name}
                (said,) = translate.refused(TEMPLATE, **rest)
                self.assertIn(name, said)

    def test_no_model_is_named_with_a_wildcard_or_half_a_price(self):
        parameters = TEMPLATE["Parameters"]
        model = "arn:aws:bedrock:eu-central-1::foundation-model/amazon.nova-lite-v1:0"
        profile = "arn:aws:bedrock:eu-central-1:111122223333:inference-profile/eu.amazon.nova-lite-v1:0"
        for name, good, bad in [
            ("ModelArns", [model, f"{profile},{model}"], ["", "*", f"{model}*", f"{model},", "arn:aws:s3:::bucket/x"]),
            ("ModelPrice", ["", "0,0", "0.80,4"], ["3", "3,", "$3,15", "3,1.1234567", "12345,1"]),
        ]:
            pattern = parameters[name]["AllowedPattern"]
            for value in good:
                self.assertRegex(value, pattern)
            for value in bad:
                self.assertNotRegex(value, pattern)

    def test_secrets_are_created_empty_and_outlive_the_stack(self):
        secrets = of_type("AWS::SecretsManager::Secret")
        # The only one that nobody outside has to know.
        self.assertEqual({"CanarySecret"}, {n for n, s in secrets.items() if "GenerateSecretString" in s})
        for name, secret in secrets.items():
            if name == "CanarySecret":
                continue
            self.assertEqual({"Name", "Description"}, plain(secret).keys(), name)
            # A first deployment that fails leaves no name taken.
            self.assertEqual("RetainExceptOnCreate", TEMPLATE["Resources"][name]["DeletionPolicy"], name)

    def test_lambda_repeats_no_scheduled_run(self):
        configs = of_type("AWS::Lambda::EventInvokeConfig").values()
        self.assertEqual({"Approver", "Reconciler"}, {c["FunctionName"]["Ref"] for c in configs})
        self.assertEqual([0, 0], [c["MaximumRetryAttempts"] for c in configs])


class Queues(unittest.TestCase):
    """Order, redelivery and dead letters."""

    def test_timeout_lease_and_visibility_stand_in_order(self):
        self.assertLess(properties("Processor")["Timeout"], LEASE)
        self.assertLess(LEASE, properties("EventQueue")["VisibilityTimeout"])

    def test_a_message_stays_hidden_while_its_function_can_run(self):
        for mapping in of_type("AWS::Lambda::EventSourceMapping").values():
            queue = properties(mapping["EventSourceArn"]["Fn::GetAtt"][0])
            function = properties(mapping["FunctionName"]["Ref"])
            self.assertGreater(queue["VisibilityTimeout"], function["Timeout"])

    def test_a_batch_reports_what_failed(self):
        mappings = of_type("AWS::Lambda::EventSourceMapping").values()
        pairs = {(m["EventSourceArn"]["Fn::GetAtt"][0], m["FunctionName"]["Ref"]) for m in mappings}
        self.assertEqual({("EventQueue", "Processor"), ("ApprovalQueue", "Approver")}, pairs)
        for mapping in mappings:
            self.assertEqual(["ReportBatchItemFailures"], mapping["FunctionResponseTypes"])
            self.assertEqual(10, mapping["BatchSize"])

    def test_polling_is_bounded_below_reserved_concurrency(self):
        # A throttled poll counts as a receive: it would fill the dead-letter queue.
        for mapping in of_type("AWS::Lambda::EventSourceMapping").values():
            function = properties(mapping["FunctionName"]["Ref"])
            if reserved := function.get("ReservedConcurrentExecutions"):
                self.assertLess(mapping["ScalingConfig"]["MaximumConcurrency"], reserved["Fn::If"][1])

    def test_each_queue_is_fifo_encrypted_and_named_for_the_stack(self):
        for name, queue in of_type("AWS::SQS::Queue").items():
            self.assertTrue(queue["FifoQueue"] and plain(queue)["SqsManagedSseEnabled"], name)
            self.assertRegex(queue["QueueName"]["Fn::Sub"], r"^\$\{AWS::StackName\}-[a-z-]+\.fifo$")

    def test_a_message_ends_in_a_watched_dead_letter_queue(self):
        alarms = of_type("AWS::CloudWatch::Alarm").values()
        watched = {str(metric["Dimensions"][0]["Value"]) for alarm in alarms for metric in metrics_of(alarm)}
        for name in ("EventQueue", "ApprovalQueue"):
            queue = properties(name)
            dead = queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
            self.assertEqual(10, queue["RedrivePolicy"]["maxReceiveCount"])
            self.assertGreater(properties(dead)["MessageRetentionPeriod"], queue["MessageRetentionPeriod"])
            self.assertIn(str({"Fn::GetAtt": [dead, "QueueName"]}), watched)
            allowed = properties(dead)["RedriveAllowPolicy"]["sourceQueueArns"][0]["Fn::Sub"]
            self.assertTrue(allowed.endswith(":" + queue["QueueName"]["Fn::Sub"]), allowed)

    def test_groups_go_side_by_side(self):
        for name in ("EventQueue", "ApprovalQueue"):
            queue = properties(name)
            self.assertEqual("messageGroup", queue["DeduplicationScope"])
            self.assertEqual("perMessageGroupId", queue["FifoThroughputLimit"])


class Tables(unittest.TestCase):
    """What must survive a mistake."""

    def test_tables_are_kept_encrypted_and_recoverable(self):
        for name, table in of_type("AWS::DynamoDB::Table").items():
            self.assertEqual("PAY_PER_REQUEST", table["BillingMode"], name)
            self.assertTrue(table["DeletionProtectionEnabled"], name)
            self.assertTrue(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], name)
            self.assertEqual({"SSEEnabled": True}, plain(table)["SSESpecification"], name)
            self.assertEqual({"AttributeName": "expires_at", "Enabled": True}, table["TimeToLiveSpecification"], name)
            for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
                self.assertEqual("Retain", TEMPLATE["Resources"][name][policy], name)

    def test_tables_have_the_keys_that_the_store_writes(self):
        for name, table in of_type("AWS::DynamoDB::Table").items():
            types = {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]}
            self.assertEqual({"pk": "S", "sk": "S", "due_kind": "S", "due_at": "N"}, types, name)
            self.assertEqual(["pk", "sk"], [k["AttributeName"] for k in table["KeySchema"]], name)
            (index,) = table["GlobalSecondaryIndexes"]
            self.assertEqual(("due", {"ProjectionType": "ALL"}), (index["IndexName"], index["Projection"]))
            self.assertEqual(["due_kind", "due_at"], [k["AttributeName"] for k in index["KeySchema"]], name)


class Edge(unittest.TestCase):
    """The API, the schedules, logs and alarms."""

    def test_the_api_has_two_routes_with_their_functions(self):
        targets = {}
        for route in of_type("AWS::ApiGatewayV2::Route").values():
            integration = re.fullmatch(r"integrations/\$\{(\w+)\}", route["Target"]["Fn::Sub"])[1]
            targets[route["RouteKey"]] = properties(integration)["IntegrationUri"]["Fn::GetAtt"][0]
        self.assertEqual({"POST /stripe/{endpoint}": "Ingress", "$default": "Approver"}, targets)

    def test_a_function_answers_before_the_api_gives_up(self):
        for integration in of_type("AWS::ApiGatewayV2::Integration").values():
            function = properties(integration["IntegrationUri"]["Fn::GetAtt"][0])
            self.assertLess(function["Timeout"] * 1000, integration["TimeoutInMillis"])
            self.assertLessEqual(integration["TimeoutInMillis"], HTTP_LIMIT * 1000)
            self.assertEqual("2.0", integration["PayloadFormatVersion"])

    def test_every_route_is_throttled(self):
        stage = properties("HttpStage")
        for settings in (stage["DefaultRouteSettings"], stage["RouteSettings"]["POST /stripe/{endpoint}"]):
            self.assertGreater(settings["ThrottlingRateLimit"], 0)
            self.assertGreater(settings["ThrottlingBurstLimit"], 0)

    def test_the_access_log_has_no_path_query_or_person(self):
        logged = json.loads(properties("HttpStage")["AccessLogSettings"]["Format"])
        allowed = {"requestId", "requestTimeEpoch", "routeKey", "status", "integrationStatus", "responseLatency"}
        self.assertEqual({f"$context.{name}" for name in allowed | {"responseLength"}}, set(logged.values()))

    def test_schedules_are_named_for_the_stack_and_say_what_to_do(self):
        schedules = {
            (s["Target"]["Arn"]["Fn::GetAtt"][0], s["ScheduleExpression"], s["Target"]["Input"], s["Name"]["Fn::Sub"])
            for s in of_type("AWS::Scheduler::Schedule").values()
        }
        expected = {
            ("Approver", "rate(5 minutes)", '{"schedule":"settle"}', "${AWS::StackName}-settle"),
            ("Approver", "rate(1 hour)", '{"schedule":"checkpoint"}', "${AWS::StackName}-checkpoint"),
            ("Reconciler", "rate(5 minutes)", '{"sweep":"steps"}', "${AWS::StackName}-sweep-steps"),
            ("Reconciler", "rate(15 minutes)", '{"sweep":"cases"}', "${AWS::StackName}-sweep-cases"),
            ("Reconciler", "rate(1 day)", '{"sweep":"key"}', "${AWS::StackName}-sweep-key"),
            ("Reconciler", "rate(1 hour)", '{"sweep":"events"}', "${AWS::StackName}-sweep-events"),
        }
        hourly, often = ("deadlines", "drift", "writes", "coexistence", "digest"), ("dead", "canary")
        rates = {n: "1 hour" for n in hourly} | {n: "5 minutes" for n in often} | {"approvals": "15 minutes"}
        expected |= {
            ("Reconciler", f"rate({rate})", f'{{"sweep":"{name}"}}', f"${{AWS::StackName}}-sweep-{name}")
            for name, rate in rates.items()
        }
        self.assertEqual(expected, schedules)

    def test_an_alarm_on_our_own_figures_watches_one_that_is_written(self):
        own = [m for a in of_type("AWS::CloudWatch::Alarm").values() for m in metrics_of(a)]
        own = [m for m in own if m["Namespace"] == "Countersign"]
        self.assertGreaterEqual(len(own), 3)
        for metric in own:
            where = {d["Name"]: d["Value"] for d in metric["Dimensions"]}
            self.assertTrue(is_written(metric["MetricName"], where["function"]), metric)
            self.assertEqual({"Fn::Sub": "${AWS::StackName}-${AWS::Region}"}, where["deployment"])

    def test_the_dashboard_shows_figures_that_are_written(self):
        (board,) = of_type("AWS::CloudWatch::Dashboard").values()
        shown = [m for w in json.loads(board["DashboardBody"]["Fn::Sub"])["widgets"] for m in w["properties"]["metrics"]]
        own = [m for m in shown if m[0] == "Countersign"]
        self.assertGreaterEqual(len(own), 40)
        for _, name, _, deployment, _, function, *_ in own:
            self.assertTrue(is_written(name, function), f"{name} of {function}")
            self.assertEqual("${AWS::StackName}-${AWS::Region}", deployment)

    def test_every_alarm_has_a_paragraph_in_the_runbook_and_no_other_has(self):
        text = (ROOT / "infra/template/RUNBOOK.md").read_text(encoding="utf-8")
        paragraphs = dict(re.findall(r"^## (\w+)\n\n(.+?)(?=\n## |\Z)", text, re.MULTILINE | re.DOTALL))
        self.assertEqual(of_type("AWS::CloudWatch::Alarm").keys(), paragraphs.keys())
        for name, paragraph in paragraphs.items():
            for part in ("**Look**", "**Do**"):
                self.assertIn(part, paragraph, name)
            self.assertGreater(len(paragraph), 120, f"{name}: say what to look at and what to do")

    def test_every_log_ends_and_every_function_has_its_own(self):
        groups = of_type("AWS::Logs::LogGroup")
        self.assertTrue(all(group["RetentionInDays"] for group in groups.values()))
        for name in FUNCTIONS:
            self.assertEqual({"Ref": f"{name}Logs"}, properties(name)["LoggingConfig"]["LogGroup"])

    def test_every_alarm_is_heard(self):
        alarms = of_type("AWS::CloudWatch::Alarm")
        for name, alarm in alarms.items():
            self.assertEqual([{"Ref": "AlarmTopic"}], alarm["AlarmActions"], name)
        watched = {(m["MetricName"], str(m["Dimensions"][0]["Value"])) for a in alarms.values() for m in metrics_of(a)}
        for name in FUNCTIONS:
            self.assertIn(("Errors", str({"Ref": name})), watched)
        for name in ("EventQueue", "ApprovalQueue"):
            self.assertIn(("ApproximateAgeOfOldestMessage", str({"Fn::GetAtt": [name, "QueueName"]})), watched)


if __name__ == "__main__":
    unittest.main()
