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
# All that one deployment can have at a time.
EVERYTHING = [name for name in SYSTEMS if name not in ("salesforce", "intercom", "anthropic")]

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
    "bedrock:InvokeModelWithResponseStream", "dynamodb:BatchWriteItem", "dynamodb:CreateBackup", "dynamodb:DeleteTable", "dynamodb:ExportTableToPointInTime",
    "dynamodb:GetRecords", "dynamodb:PartiQLDelete", "dynamodb:PartiQLInsert", "dynamodb:PartiQLSelect",
    "dynamodb:PartiQLUpdate", "dynamodb:RestoreTableToPointInTime", "dynamodb:Scan", "dynamodb:UpdateTable",
    "dynamodb:UpdateTimeToLive", "iam:PassRole", "iam:PutRolePolicy", "kms:Decrypt", "kms:Sign",
    "lambda:GetFunction", "lambda:InvokeFunction", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
    "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:GetLogEvents", "s3:GetObject", "secretsmanager:BatchGetSecretValue",
    "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret", "secretsmanager:ListSecrets",
    "secretsmanager:PutResourcePolicy", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecret",
    "ses:SendEmail", "ses:SendRawEmail", "sns:Publish", "sqs:PurgeQueue", "sqs:SetQueueAttributes",
    "sqs:StartMessageMoveTask", "ssm:GetParameter", "sts:AssumeRole",
}
ACTIONS = READ | PUT | UPDATE | DELETE | CONSUME | SEND | SECRET | LOG | NEVER

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


def with_systems(names):
    """Return the template deployed with systems, and who may do what then."""
    parameters, may = {}, copy.deepcopy(MAY)
    for given, roles, on in map(SYSTEMS.get, names):
        parameters |= given
        for role in roles:
            may[role] |= on
    return translate.deployed(TRANSLATED, **parameters), expected(may)


def resources(template):
    """Return all that a request may aim at: name, ARN and, for a table, the partition key; for mail, the sender."""
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
        ("everything", "*", None),
    ]
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
    "the processor changes a request": without_deny("ProcessorRole"),
    "the reconciler changes a request": without_deny("ReconcilerRole"),
    "the processor has a managed policy": managed,
    "the reconciler may do everything but one thing": everything_but,
    "a policy is attached from outside": beside_the_role,
}


class Roles(unittest.TestCase):
    """One own role per function, each with exactly what it needs."""

    def test_each_role_may_do_exactly_what_the_table_says(self):
        for names in [[], *([name] for name in SYSTEMS), EVERYTHING]:
            with self.subTest(names):
                template, may = with_systems(names)
                found = matrix(template)
                self.assertEqual(set(), found - may, "granted too much")
                self.assertEqual(set(), may - found, "granted too little")
        print(f"{len(MAY)} roles x {len(ACTIONS)} actions x {len(resources(template))} resources: {len(found)} allowed")

    def test_an_injected_leak_is_caught(self):
        for name, leak in LEAKS.items():
            with self.subTest(name):
                template, may = with_systems(EVERYTHING)
                leaky = copy.deepcopy(template)
                leak(leaky)
                try:
                    caught = matrix(leaky) != may
                except iam.Unknown:
                    caught = True
                self.assertTrue(caught)

    def test_only_the_approver_reads_what_could_move_money_or_forge_a_vote(self):
        found = matrix(with_systems(EVERYTHING)[0])
        for secret in ("StripeWriteKey", "LinkKeys", "ReceiptKey", "SessionKeys", "OidcClientSecret", "AccessKey"):
            readers = {role for role, name, _ in found if name == secret}
            self.assertEqual({"ApproverRole"}, readers, secret)

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
        types = {r["Type"] for r in TEMPLATE["Resources"].values()}
        beside = {t for t in types if t.endswith(("Policy", "::User", "::AccessKey", "::Url"))}
        self.assertEqual(set(), beside)


if __name__ == "__main__":
    unittest.main()
