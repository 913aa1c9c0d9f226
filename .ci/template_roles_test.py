"""What template.yaml promises about roles: who may do what on what, exactly.

Every role × action × resource of the universe below is computed and compared with the table `MAY`;
a grant too many fails like one too few. Leaks are injected to prove that the comparison sees them.
"""

import copy
import unittest
from pathlib import Path

import iam
import translate

TRANSLATED = translate.translate(translate.source(Path(__file__).parent.parent / "template.yaml"))
TEMPLATE = translate.deployed(TRANSLATED)

# The systems around Stripe that a deployment may have, by the parameters that choose them, and what each
# lets whom do besides. Nobody else's role changes.
SENDER, DOMAIN = "billing@example.com", "example.com"
MODEL = "arn:aws:bedrock:eu-central-1::foundation-model/m"
PROFILE = f"arn:aws:bedrock:{iam.SCOPE}:inference-profile/eu.m"
KEY = f"arn:aws:kms:{iam.SCOPE}:key/0a1b2c3d"
AGENT = ("ProcessorRole", "ReconcilerRole")
SYSTEMS = {
    "hubspot": ({"Crm": "hubspot"}, AGENT, {"HubSpotToken": {"secretsmanager:GetSecretValue"}}),
    "salesforce": (
        {"Crm": "salesforce", "SalesforceUrl": "https://x.my.salesforce.com", "SalesforceClientId": "id"},
        AGENT,
        {"SalesforceClientSecret": {"secretsmanager:GetSecretValue"}},
    ),
    "zendesk": (
        {"HelpDesk": "zendesk", "ZendeskUrl": "https://x.zendesk.com", "ZendeskUser": "agent@example.com"},
        AGENT,
        {"ZendeskToken": {"secretsmanager:GetSecretValue"}},
    ),
    "intercom": (
        {"HelpDesk": "intercom", "IntercomTicketType": "1"},
        AGENT,
        {"IntercomToken": {"secretsmanager:GetSecretValue"}},
    ),
    "application": ({"ApplicationUrl": "https://x.com"}, AGENT, {"ApplicationKey": {"secretsmanager:GetSecretValue"}}),
    "access": ({"AccessUrl": "https://x.com"}, ["ApproverRole"], {"AccessKey": {"secretsmanager:GetSecretValue"}}),
    "mail": (
        {"MailFrom": SENDER, "MailIdentity": DOMAIN, "MailConfigurationSet": "outcomes"},
        ["ApproverRole"],
        {"mail from the sender": {"ses:SendEmail"}, "the configuration set": {"ses:SendEmail"}},
    ),
    "bedrock": (
        {"Model": "bedrock", "ModelId": "eu.m", "ModelPrice": "1,5", "ModelArns": f"{PROFILE},{MODEL}"},
        ["ProcessorRole"],
        {"the model": {"bedrock:InvokeModel"}, "the model's profile": {"bedrock:InvokeModel"}},
    ),
    "anthropic": (
        {"Model": "anthropic", "ModelId": "m", "ModelPrice": "1,5"},
        ["ProcessorRole"],
        {"ModelKey": {"secretsmanager:GetSecretValue"}},
    ),
}
# Besides: a key of the customer's own for what is stored, through the services that store it and in no other
# way; and events by EventBridge, which come by themselves.
READS_SECRETS = {"kms:Decrypt", "kms:GenerateDataKey"}
WRITES_TABLES = READS_SECRETS | {"kms:DescribeKey", "kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo"}
VIA_QUEUE = {"the key via secretsmanager": READS_SECRETS, "the key via sqs": READS_SECRETS}
VIA_TABLES = {f"the key via {service}": WRITES_TABLES for service in ("dynamodb", "secretsmanager", "sqs")}
OPTIONS = {
    "own key": [
        ({"KeyArn": KEY}, ["IngressRole"], VIA_QUEUE),
        ({}, ["ProcessorRole", "ApproverRole", "ReconcilerRole"], VIA_TABLES),
    ],
    "event source": [({"StripeEventSource": "aws.partner/stripe.com/ed_123"}, [], {})],
}
OPTIONS |= {name: [system] for name, system in SYSTEMS.items()}
# All that one deployment can have at a time.
EVERYTHING = [name for name in OPTIONS if name not in ("salesforce", "intercom", "anthropic")]

READ = {"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"}
PUT = {"dynamodb:PutItem", "dynamodb:ConditionCheckItem"}
UPDATE = {"dynamodb:UpdateItem"}
DELETE = {"dynamodb:DeleteItem"}
CONSUME = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"}
SEND = {"sqs:SendMessage"}
SECRET = {"secretsmanager:GetSecretValue"}
LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
# Nobody may do these; with the sets above they are the universe of actions.
NEVER = {
    "bedrock:Converse", "bedrock:CreateModelCustomizationJob", "bedrock:InvokeModel",
    "bedrock:InvokeModelWithResponseStream", "dynamodb:BatchWriteItem", "dynamodb:CreateBackup",
    "dynamodb:DeleteTable", "dynamodb:ExportTableToPointInTime",
    "dynamodb:GetRecords", "dynamodb:PartiQLDelete", "dynamodb:PartiQLInsert", "dynamodb:PartiQLSelect",
    "dynamodb:PartiQLUpdate", "dynamodb:RestoreTableToPointInTime", "dynamodb:Scan", "dynamodb:UpdateTable",
    "dynamodb:UpdateTimeToLive", "events:PutEvents", "iam:PassRole", "iam:PutRolePolicy", "kms:CreateGrant",
    "kms:Decrypt", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:Sign", "lambda:GetFunction",
    "lambda:InvokeFunction", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
    "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:GetLogEvents", "s3:GetObject", "secretsmanager:BatchGetSecretValue",
    "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret", "secretsmanager:ListSecrets",
    "secretsmanager:PutResourcePolicy", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecret",
    "ses:SendEmail", "ses:SendRawEmail", "sns:Publish", "sqs:PurgeQueue", "sqs:SetQueueAttributes",
    "sqs:StartMessageMoveTask", "ssm:GetParameter", "sts:AssumeRole",
}
ACTIONS = READ | PUT | UPDATE | DELETE | CONSUME | SEND | SECRET | LOG | WRITES_TABLES | NEVER

# Who may do what on what. A table is named with the partition key that a request carries.
MAY = {
    "IngressRole": {
        "IngressLogs": LOG,
        "EventQueue": SEND,
        "WebhookSecret": SECRET,
        "CanarySecret": SECRET,
        "another webhook secret": SECRET,
    },
    "ProcessorRole": {
        "ProcessorLogs": LOG,
        "EventQueue": CONSUME,
        "ApprovalQueue": SEND,
        "CasesTable CASE#1": READ | PUT | UPDATE,
        "CasesTable REQUEST#1": READ | PUT,
        "StripeReadKey": SECRET,
        "SlackToken": SECRET,
    },
    "ApproverRole": {
        "ApproverLogs": LOG,
        "ApprovalQueue": CONSUME,
        "CasesTable CASE#1": READ,
        "CasesTable REQUEST#1": READ,
        "CasesTable/index/due": {"dynamodb:Query"},
        "ApprovalsTable PROPOSAL#1": READ | PUT | UPDATE | DELETE,
        "ApprovalsTable REQUEST#1": READ | PUT | UPDATE | DELETE,
        "ApprovalsTable/index/due": {"dynamodb:Query"},
        "StripeReadKey": SECRET,
        "StripeWriteKey": SECRET,
        "LinkKeys": SECRET,
        "ReceiptKey": SECRET,
        "SessionKeys": SECRET,
        "OidcClientSecret": SECRET,
        "SlackToken": SECRET,
    },
    "ReconcilerRole": {
        "ReconcilerLogs": LOG,
        "EventQueue": SEND,
        "ApprovalQueue": SEND,
        "EventDeadQueue": {"sqs:GetQueueAttributes"},
        "ApprovalDeadQueue": {"sqs:GetQueueAttributes"},
        "CasesTable CASE#1": READ | PUT | UPDATE,
        "CasesTable REQUEST#1": READ | PUT,
        "CasesTable/index/due": {"dynamodb:Query"},
        "ApprovalsTable PROPOSAL#1": READ,
        "ApprovalsTable REQUEST#1": READ,
        "ApprovalsTable/index/due": {"dynamodb:Query"},
        "StripeReadKey": SECRET,
        "SlackToken": SECRET,
        "CanarySecret": SECRET,
    },
}
# SAM makes one role for each schedule.
SCHEDULES = {
    "ApproverSettleRole": "Approver",
    "ApproverCheckpointRole": "Approver",
    "ReconcilerStepsRole": "Reconciler",
    "ReconcilerCasesRole": "Reconciler",
    "ReconcilerEventsRole": "Reconciler",
    "ReconcilerKeyRole": "Reconciler",
    "ReconcilerDeadlinesRole": "Reconciler",
    "ReconcilerDriftRole": "Reconciler",
    "ReconcilerWritesRole": "Reconciler",
    "ReconcilerCoexistenceRole": "Reconciler",
    "ReconcilerDigestRole": "Reconciler",
    "ReconcilerApprovalsRole": "Reconciler",
    "ReconcilerDeadRole": "Reconciler",
    "ReconcilerCanaryRole": "Reconciler",
}
MAY |= {role: {function: {"lambda:InvokeFunction"}} for role, function in SCHEDULES.items()}


def with_options(names):
    """Return the template deployed with options, and who may do what then."""
    parameters, may = {}, copy.deepcopy(MAY)
    for given, roles, on in (part for name in names for part in OPTIONS[name]):
        parameters |= given
        for role in roles:
            may[role] |= on
    return translate.deployed(TRANSLATED, **parameters), expected(may)


def resources(template):
    """Return all that a request may aim at: name, ARN, and a table's partition key, mail's sender or a key's service."""
    secret = f"arn:aws:secretsmanager:{iam.SCOPE}:secret:"
    mail = f"arn:aws:ses:{iam.SCOPE}"
    found = [
        ("another webhook secret", f"{secret}{iam.STACK}/webhook/other-a1B2c3", None),
        ("another secret of the stack", f"{secret}{iam.STACK}/other-a1B2c3", None),
        ("another stack's webhook secret", f"{secret}other/webhook/default-a1B2c3", None),
        ("another table", f"arn:aws:dynamodb:{iam.SCOPE}:table/other", "CASE#1"),
        ("another queue", f"arn:aws:sqs:{iam.SCOPE}:other.fifo", None),
        ("another role", "arn:aws:iam::111122223333:role/other", None),
        ("mail from the sender", f"{mail}:identity/{DOMAIN}", SENDER),
        ("mail from a colleague", f"{mail}:identity/{DOMAIN}", "lead@example.com"),
        ("mail from another domain", f"{mail}:identity/other.{DOMAIN}", SENDER),
        ("the configuration set", f"{mail}:configuration-set/outcomes", SENDER),
        ("another configuration set", f"{mail}:configuration-set/other", SENDER),
        ("the model", MODEL, None),
        ("the model's profile", PROFILE, None),
        ("another model", f"{MODEL}-large", None),
        ("the model in another region", MODEL.replace("eu-central-1", "us-east-1"), None),
        ("the key by itself", KEY, None),
        ("another key via sqs", f"arn:aws:kms:{iam.SCOPE}:key/other", f"sqs.{iam.PSEUDO['AWS::Region']}.amazonaws.com"),
        ("a bus", f"arn:aws:events:{iam.SCOPE}:event-bus/default", None),
        ("everything", "*", None),
    ]
    for service in ("dynamodb", "secretsmanager", "sqs", "s3"):
        found.append((f"the key via {service}", KEY, f"{service}.{iam.PSEUDO['AWS::Region']}.amazonaws.com"))
    for name, resource in template["Resources"].items():
        match resource["Type"]:
            case "AWS::DynamoDB::Table":
                table = iam.arn(template, name)
                own = {"CasesTable": "CASE#1", "ApprovalsTable": "PROPOSAL#1"}[name]
                found += [(f"{name} {key}", table, key) for key in (own, "REQUEST#1")]
                found.append((f"{name}/index/due", f"{table}/index/due", None))
            case ("AWS::SQS::Queue" | "AWS::SecretsManager::Secret" | "AWS::Lambda::Function"
                  | "AWS::Logs::LogGroup" | "AWS::SNS::Topic"):
                found.append((name, iam.arn(template, name), None))
    return found


def matrix(template):
    """Return every (role, resource, action) that the template allows."""
    roles = [n for n, r in template["Resources"].items() if r["Type"] == "AWS::IAM::Role"]
    return {
        (role, name, action)
        for role in roles
        for rules in [iam.rules(template, role)]
        for name, arn, key in resources(template)
        for action in ACTIONS
        if iam.allowed(rules, action, arn, key)
    }


def expected(may):
    """Return a table like `MAY` as (role, resource, action)."""
    return {(role, name, action) for role, on in may.items() for name, actions in on.items() for action in actions}


def callers(template):
    """Return who else may call which function, by permissions on the function itself."""
    permissions = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Permission"]
    for permission in permissions:
        assert permission.get("SourceArn") and permission["Action"] == "lambda:InvokeFunction", permission
    return sorted((permission["FunctionName"]["Ref"], permission["Principal"]) for permission in permissions)


def beside(template):
    """Return the types of resources that grant access beside roles and permissions."""
    types = {r["Type"] for r in template["Resources"].values()}
    return {t for t in types if t.endswith(("Policy", "::User", "::AccessKey", "::Url"))}


def statements(template, role):
    """Return the statements of one of our roles, to tamper with."""
    return template["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]


def allow(role, action, resource):
    """Return the leak that grants one thing more."""
    return lambda t: statements(t, role).append({"Effect": "Allow", "Action": action, "Resource": resource})


def without_deny(role):
    """Return the leak that forgets what is denied."""
    def leak(template):
        found = statements(template, role)
        found[:] = [s for s in found if s["Effect"] != "Deny"]
    return leak


def managed(template):
    """The leak of a managed policy."""
    policy = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
    template["Resources"]["ProcessorRole"]["Properties"]["ManagedPolicyArns"] = [policy]


def everything_but(template):
    """The leak of a statement that names what is *not* allowed."""
    statements(template, "ReconcilerRole").append({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})


def beside_the_role(template):
    """The leak of a policy attached from outside."""
    template["Resources"]["Extra"] = {"Type": "AWS::IAM::Policy", "Properties": {}}


def without_sender(template):
    """The leak that forgets from whom mail may come."""
    (mail,) = [s for s in statements(template, "ApproverRole") if s["Action"] == "ses:SendEmail"]
    del mail["Condition"]


def extra_role(template):
    """The leak of a role that the table does not know."""
    role = copy.deepcopy(template["Resources"]["ProcessorRole"])
    template["Resources"]["ExtraRole"] = role


def extra_queue(template):
    """The leak of a policy on the other side: a queue's own."""
    template["Resources"]["ExtraQueuePolicy"] = {"Type": "AWS::SQS::QueuePolicy", "Properties": {"Queues": []}}


def beside_the_rule(template):
    """The leak of a permission that lets a rule call the approver."""
    permission = copy.deepcopy(template["Resources"]["StripeEventsPermission"])
    permission["Properties"]["FunctionName"] = {"Ref": "Approver"}
    template["Resources"]["ExtraPermission"] = permission


LEAKS = {
    "the processor reads the write key": allow("ProcessorRole", *SECRET, {"Ref": "StripeWriteKey"}),
    "the reconciler reads the receipt key": allow("ReconcilerRole", *SECRET, {"Ref": "ReceiptKey"}),
    "the ingress reads all secrets of the stack": allow("IngressRole", *SECRET, {
        "Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${AWS::StackName}/*"
    }),
    "the processor writes a vote": allow("ProcessorRole", "dynamodb:PutItem", {"Fn::GetAtt": ["ApprovalsTable", "Arn"]}),
    "the processor may do all on its table": allow("ProcessorRole", "dynamodb:*", {"Fn::GetAtt": ["CasesTable", "Arn"]}),
    "the reconciler sends mail": allow("ReconcilerRole", "ses:SendEmail", "*"),
    "the processor changes access": allow("ProcessorRole", *SECRET, {"Ref": "AccessKey"}),
    "the reconciler changes access": allow("ReconcilerRole", *SECRET, {"Ref": "AccessKey"}),
    "the approver reads the CRM's token": allow("ApproverRole", *SECRET, {"Ref": "HubSpotToken"}),
    "the ingress reads the help desk's token": allow("IngressRole", *SECRET, {"Ref": "ZendeskToken"}),
    "the approver sends mail as anybody": without_sender,
    "the processor asks any model": allow("ProcessorRole", "bedrock:InvokeModel", "arn:aws:bedrock:*::foundation-model/*"),
    "the reconciler asks the model": allow("ReconcilerRole", "bedrock:InvokeModel", MODEL),
    "the approver asks the model": allow("ApproverRole", "bedrock:*", MODEL),
    "the approver changes a request": allow("ApproverRole", "dynamodb:UpdateItem", {"Fn::GetAtt": ["CasesTable", "Arn"]}),
    "a second role reads the write key by a pattern": allow("ReconcilerRole", *SECRET, {
        "Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${AWS::StackName}/stripe-*"
    }),
    "the processor changes a vote": allow("ProcessorRole", "dynamodb:UpdateItem", {"Fn::GetAtt": ["ApprovalsTable", "Arn"]}),
    "the processor deletes a vote": allow("ProcessorRole", "dynamodb:DeleteItem", {"Fn::GetAtt": ["ApprovalsTable", "Arn"]}),
    "the processor reads dead letters": allow("ProcessorRole", "sqs:ReceiveMessage", {"Fn::GetAtt": ["EventDeadQueue", "Arn"]}),
    "the processor reads every queue": allow("ProcessorRole", "sqs:ReceiveMessage", "*"),
    "the ingress reads the read key": allow("IngressRole", *SECRET, {"Ref": "StripeReadKey"}),
    "the ingress takes from its queue": allow("IngressRole", "sqs:ReceiveMessage", {"Fn::GetAtt": ["EventQueue", "Arn"]}),
    "the approver starts functions": allow("ApproverRole", "lambda:InvokeFunction", "*"),
    "the ingress uses the key by itself": allow("IngressRole", "kms:Decrypt", KEY),
    "a new role reads what it likes": extra_role,
    "a new queue that everybody may send to": extra_queue,
    "a bus hands events to another function": beside_the_rule,
    "the processor changes a request": without_deny("ProcessorRole"),
    "the reconciler changes a request": without_deny("ReconcilerRole"),
    "the processor has a managed policy": managed,
    "the reconciler may do everything but one thing": everything_but,
    "a policy is attached from outside": beside_the_role,
}


class Roles(unittest.TestCase):
    """One own role per function, each with exactly what it needs."""

    def test_each_role_may_do_exactly_what_the_table_says(self):
        for names in [[], *([name] for name in OPTIONS), EVERYTHING]:
            with self.subTest(names):
                template, may = with_options(names)
                found = matrix(template)
                self.assertEqual(set(), found - may, "granted too much")
                self.assertEqual(set(), may - found, "granted too little")
        print(f"{len(MAY)} roles x {len(ACTIONS)} actions x {len(resources(template))} resources: {len(found)} allowed")

    def test_an_injected_leak_is_caught(self):
        for name, leak in LEAKS.items():
            with self.subTest(name):
                template, may = with_options(EVERYTHING)
                leaky = copy.deepcopy(template)
                leak(leaky)
                try:
                    caught = matrix(leaky) != may or callers(leaky) != callers(template) or beside(leaky)
                except iam.Unknown:
                    caught = True
                self.assertTrue(caught)

    def test_nobody_but_the_api_and_stripes_events_may_call_a_function(self):
        api = [("Ingress", "apigateway.amazonaws.com"), ("Approver", "apigateway.amazonaws.com")]
        self.assertEqual(sorted(api), callers(with_options([])[0]))
        bus = [("Ingress", "events.amazonaws.com")]
        self.assertEqual(sorted(api + bus), callers(with_options(EVERYTHING)[0]))

    def test_only_the_approver_reads_what_could_move_money_or_forge_a_vote(self):
        found = matrix(with_options(EVERYTHING)[0])
        for secret in ("StripeWriteKey", "LinkKeys", "ReceiptKey", "SessionKeys", "OidcClientSecret", "AccessKey"):
            readers = {role for role, name, _ in found if name == secret}
            self.assertEqual({"ApproverRole"}, readers, secret)

    def test_only_the_approver_writes_approvals_and_sends_mail(self):
        found = matrix(with_options(EVERYTHING)[0])
        for action in PUT | UPDATE | DELETE:
            writers = {role for role, name, may in found if name.startswith("ApprovalsTable") and may == action}
            self.assertEqual({"ApproverRole"}, writers, action)
        self.assertEqual({"ApproverRole"}, {role for role, _, action in found if action.startswith("ses:")})

    def test_the_agent_puts_a_request_and_neither_changes_nor_deletes_one(self):
        found = matrix(with_options(EVERYTHING)[0])
        for role in AGENT:
            on = {action for of, name, action in found if (of, name) == (role, "CasesTable REQUEST#1")}
            self.assertEqual(READ | PUT, on, role)

    def test_the_processor_does_not_see_dead_letters_and_the_ingress_only_sends(self):
        found = matrix(with_options(EVERYTHING)[0])
        dead = {(role, action) for role, name, action in found if name.endswith("DeadQueue")}
        self.assertEqual({("ReconcilerRole", "sqs:GetQueueAttributes")}, dead)
        ingress = {action for role, _, action in found if role == "IngressRole"}
        self.assertEqual(SEND | SECRET | LOG | READS_SECRETS, ingress)

    def test_each_function_runs_under_its_own_role(self):
        roles = {}
        for name, resource in TEMPLATE["Resources"].items():
            if resource["Type"] == "AWS::Lambda::Function":
                roles[name] = resource["Properties"]["Role"]
        own = {name: {"Fn::GetAtt": [f"{name}Role", "Arn"]} for name in ("Ingress", "Processor", "Approver", "Reconciler")}
        self.assertEqual(own, roles)

    def test_a_role_is_for_one_service_only(self):
        for role in MAY:
            trust = TEMPLATE["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            service = "scheduler.amazonaws.com" if role in SCHEDULES else "lambda.amazonaws.com"
            self.assertEqual([["sts:AssumeRole"]], [iam.many(s["Action"]) for s in trust], role)
            self.assertEqual([[service]], [iam.many(s["Principal"]["Service"]) for s in trust], role)
            self.assertEqual([{"Service"}], [set(s["Principal"]) for s in trust], role)

    def test_nothing_else_grants_access(self):
        self.assertEqual(set(), beside(with_options(EVERYTHING)[0]))


if __name__ == "__main__":
    unittest.main()
