"""The stack in the emulated account, made by the steps of the README: `sam deploy`, secrets, the webhook, people."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import outside
from emulator import Account
from machine import Machine

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / ".ci"))
STACK = "countersign"
FUNCTIONS = ("Ingress", "Processor", "Approver", "Reconciler")
PUBLIC_URL = "https://approve.example.com"
EVENT_SOURCE = "aws.partner/stripe.com/ed_test_123"
CHANNELS = {"billing-alerts": "C0ALERTS01", "billing-risk": "C0RISK0001"}
PARAMETERS = {
    "OidcClientId": "countersign",
    "SlackChannels": ",".join(f"{name}={channel}" for name, channel in CHANNELS.items()),
    "PublicUrl": PUBLIC_URL,
    "AlarmEmail": "on-duty@example.com",
    "StripeEventSource": EVENT_SOURCE,
}


class Deployment:
    """A stack that is ready for its first event."""

    def __init__(self, folder, build):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.machine = Machine(folder / "machine", build)
        for function in FUNCTIONS:
            self.machine.wrap(build / function, function)
        self.account = self.outside = None
        try:
            self.account = Account(folder)
            self.outside = outside.Outside(os.environ["STANDINS"], PUBLIC_URL)
            self.offer_events()
            self.deploy(self.machine.template(build / "template.yaml"))
            self.fill_secrets()
            self.register_webhook()
            self.register_people()
        except BaseException:
            self.stop()
            raise

    def offer_events(self):
        """Do what Stripe does when somebody makes an event destination: offer a source of events to the account."""
        events = self.account.client("events")
        events.create_partner_event_source(Name=EVENT_SOURCE, Account=self.account.environment["AWS_ACCESS_KEY_ID"])

    def deploy(self, template):
        """Run `sam deploy`, with the answers that `--guided` would ask for."""
        given = [f"{name}={value}" for name, value in PARAMETERS.items()]
        command = [
            os.environ["SAM"], "deploy", "--template-file", template, "--config-file", ROOT / "samconfig.toml",
            "--no-confirm-changeset", "--no-progressbar", "--parameter-overrides", *given,
        ]
        environment = os.environ | self.account.environment
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        (self.folder / "deploy.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        assert done.returncode == 0, f"sam deploy failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        (stack,) = self.account.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        pages = self.account.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
        self.resources = {
            one["LogicalResourceId"]: one for page in pages for one in page["StackResourceSummaries"]
        }
        # The API of the account by its address on loopback; functions take plain HTTP to nowhere else.
        api = self.physical("HttpApi")
        self.api = self.account.client("apigatewayv2").get_api(ApiId=api)["ApiEndpoint"]
        self.front = f"{self.account.url}/_aws/execute-api/{api}/$default"
        told = self.outside.told
        self.machine.outside(
            STRIPE_API_BASE=told["stripe"], SLACK_API_BASE=told["slack"], OIDC_ISSUER=told["oidc"],
            CANARY_URL=f"{self.front}/stripe/canary",
        )

    def physical(self, name):
        """Return the id that a resource of the template got."""
        return self.resources[name]["PhysicalResourceId"]

    def fill_secrets(self):
        """Put a value into every secret that the outputs tell to fill."""
        values = dict(self.outside.told["secrets"])
        for name, key in ("link-keys", "l1"), ("receipt-key", "r1"), ("session-keys", "s1"):
            made = base64.b64encode(os.urandom(32)).decode()
            values[name] = json.dumps({"keys": [{"id": key, "key": made}]})
        for name, value in values.items():
            self.put_secret(name, value)

    def put_secret(self, name, value):
        """Fill one secret of the stack."""
        secrets = self.account.client("secretsmanager")
        secrets.put_secret_value(SecretId=f"{self.outputs['Secrets']}{name}", SecretString=value)

    def register_webhook(self):
        """Make the endpoint in Stripe, and keep its signing secret."""
        assert self.outputs["WebhookUrl"] == f"{self.api}/stripe/default", self.outputs["WebhookUrl"]
        form = {"url": f"{self.front}/stripe/default", "enabled_events[]": "*"}
        endpoint = self.outside.stripe("POST", "/v1/webhook_endpoints", **form)
        self.webhook_secret = endpoint["secret"]
        self.put_secret("webhook/default", self.webhook_secret)

    def register_people(self):
        """Say who may sign, with the command of the README."""
        told = self.outside.told
        people = [("finance-lead", told["finance"][0], "finance"), ("finance-second", told["finance"][1], "finance")]
        for person, user, group in [*people, ("support-lead", told["support"], "support")]:
            subprocess.run(
                [os.environ["COUNTERSIGN"], "person", "put", "--table", self.outputs["ApprovalsTableName"], "--id", person,
                 "--name", person, "--team", told["team"], "--user", user, "--group", group],
                env=os.environ | self.account.environment, check=True, capture_output=True,
            )

    def browser(self, person):
        """Return a browser in which somebody is signed in."""
        return outside.Browser(self.api, PUBLIC_URL).sign_in(person)

    def items(self, table, prefix):
        """Return the rows of a table whose partition begins so."""
        pages = self.account.client("dynamodb").get_paginator("scan").paginate(TableName=self.physical(table))
        rows = [row for page in pages for row in page["Items"]]
        return [row for row in rows if row["pk"]["S"].startswith(prefix)]

    def depth(self, queue):
        """Return how many messages wait in a queue, seen or unseen."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.account.client("sqs").get_queue_attributes(QueueUrl=self.physical(queue), AttributeNames=names)
        return sum(int(value) for value in attributes["Attributes"].values())

    def stop(self):
        """End everything."""
        for one in (self.account, self.outside):
            if one:
                one.stop()
