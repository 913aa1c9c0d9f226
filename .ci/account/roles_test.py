"""What each function's own credentials can do in the emulated account: all that its table of rights says, no more.

The table is that of `template_roles_test.py`, which compares it with the template. Here every call is made.
"""

import unittest

import botocore.exceptions
import shared
import template_roles_test as table
from deployment import FUNCTIONS, STACK

KEY = {"pk": {"S": "CASE#forbidden"}, "sk": {"S": "X"}}
# A condition that never holds: what is allowed changes nothing all the same.
NEVER = {"ConditionExpression": "attribute_exists(nowhere)"}
DENIED = {"AccessDenied", "AccessDeniedException"}


def calls(stack):
    """Return every call as (resource, action, service, how); the resource by its name in the table of rights."""
    for name, one in stack.resources.items():
        physical = one["PhysicalResourceId"]
        match one["ResourceType"]:
            case "AWS::SecretsManager::Secret":
                yield name, "secretsmanager:GetSecretValue", "secretsmanager", (
                    lambda client, secret=physical: client.get_secret_value(SecretId=secret)
                )
                yield name, "secretsmanager:PutSecretValue", "secretsmanager", (
                    lambda client, secret=physical: client.put_secret_value(SecretId=secret, SecretString="forbidden")
                )
            case "AWS::SQS::Queue":
                yield name, "sqs:GetQueueAttributes", "sqs", (
                    lambda client, queue=physical: client.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
                )
                yield name, "sqs:PurgeQueue", "sqs", lambda client, queue=physical: client.purge_queue(QueueUrl=queue)
                if "Dead" in name:
                    yield name, "sqs:ReceiveMessage", "sqs", (
                        lambda client, queue=physical: client.receive_message(QueueUrl=queue)
                    )
                    yield name, "sqs:SendMessage", "sqs", lambda client, queue=physical: client.send_message(
                        QueueUrl=queue, MessageBody="forbidden", MessageGroupId="x", MessageDeduplicationId="x"
                    )
            case "AWS::DynamoDB::Table":
                own = {"CasesTable": "CASE#1", "ApprovalsTable": "PROPOSAL#1"}[name]
                yield f"{name} {own}", "dynamodb:GetItem", "dynamodb", (
                    lambda client, table=physical: client.get_item(TableName=table, Key=KEY)
                )
                yield f"{name} {own}", "dynamodb:PutItem", "dynamodb", (
                    lambda client, table=physical: client.put_item(TableName=table, Item=KEY, **NEVER)
                )
                yield f"{name} {own}", "dynamodb:UpdateItem", "dynamodb", (
                    lambda client, table=physical: client.update_item(TableName=table, Key=KEY, **NEVER)
                )
                yield f"{name} {own}", "dynamodb:DeleteItem", "dynamodb", (
                    lambda client, table=physical: client.delete_item(TableName=table, Key=KEY, **NEVER)
                )
                yield f"{name} {own}", "dynamodb:Scan", "dynamodb", (
                    lambda client, table=physical: client.scan(TableName=table, Limit=1)
                )
            case "AWS::Lambda::Function":
                yield name, "lambda:GetFunction", "lambda", (
                    lambda client, function=physical: client.get_function(FunctionName=function)
                )


class Roles(unittest.TestCase):
    """Tried with the credentials that Lambda gave the function."""

    @classmethod
    def setUpClass(cls):
        cls.stack = shared.deployment()
        # A function has credentials from its first run on.
        for function in FUNCTIONS:
            cls.stack.account.client("lambda").invoke(FunctionName=cls.stack.physical(function), Payload=b"{}")

    def test_every_call_is_allowed_or_denied_as_the_table_of_rights_says(self):
        allowed = denied = 0
        for function in FUNCTIONS:
            credentials = self.stack.machine.credentials(function)
            may = table.MAY[f"{function}Role"]
            for name, action, service, call in calls(self.stack):
                with self.subTest(f"{function}: {action} on {name}"):
                    refused = self.refused(lambda: call(self.stack.account.client(service, **credentials)))
                    expected = action not in may.get(name, set())
                    self.assertEqual(expected, refused, "denied" if refused else "allowed")
                    denied, allowed = denied + refused, allowed + (not refused)
        print(f"{allowed} calls allowed, {denied} denied")
        self.assertGreater(denied, 5 * allowed / 2)

    def test_a_request_is_put_by_the_agent_and_never_deleted(self):
        # That it is not updated either hangs on `dynamodb:LeadingKeys`, which the emulator does not know;
        # `template_roles_test.py` proves it on the template.
        request = {"pk": {"S": "REQUEST#forbidden"}, "sk": {"S": "REQUEST"}}
        cases = self.stack.physical("CasesTable")
        for function in ("Processor", "Reconciler"):
            dynamodb = self.stack.account.client("dynamodb", **self.stack.machine.credentials(function))
            self.assertFalse(self.refused(lambda: dynamodb.put_item(TableName=cases, Item=request, **NEVER)), function)
            self.assertTrue(self.refused(lambda: dynamodb.delete_item(TableName=cases, Key=request, **NEVER)), function)

    def test_nobody_takes_over_another_functions_role(self):
        for function in FUNCTIONS:
            sts = self.stack.account.client("sts", **self.stack.machine.credentials(function))
            for other in FUNCTIONS:
                arn = f"arn:aws:iam::{self.stack.account.environment['AWS_ACCESS_KEY_ID']}:role/"
                arn += self.stack.physical(f"{other}Role")
                take = lambda: sts.assume_role(RoleArn=arn, RoleSessionName=STACK)
                self.assertTrue(self.refused(take), f"{function} as {other}")

    def refused(self, call):
        """Tell whether a call was denied; one that fails for another reason was let in."""
        try:
            call()
        except botocore.exceptions.ClientError as error:
            return error.response["Error"]["Code"] in DENIED
        return False


if __name__ == "__main__":
    unittest.main()
