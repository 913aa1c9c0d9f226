"""What a role of a CloudFormation template may do.

A small model of IAM's evaluation: an explicit deny wins, then an allow, else nothing is allowed. What
it does not know (another condition, `NotAction`, a managed policy, another intrinsic function) raises
`Unknown`, because a check that skips what it does not understand passes too easily.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import functools
import re

STACK = "countersign"
PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::AccountId": "111122223333",
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}
SCOPE = "eu-central-1:111122223333"
# How a deny is narrowed to partition keys of a table, and an allow to the address of a sender or to the
# service through which a key is used.
CONDITIONS = {
    "Deny": {("ForAnyValue:StringLike", "dynamodb:LeadingKeys")},
    "Allow": {("StringEquals", "ses:FromAddress"), ("StringEquals", "kms:ViaService")},
}
POLICY_TYPES = {
    "AWS::IAM::Policy",
    "AWS::IAM::RolePolicy",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::UserPolicy",
    "AWS::IAM::GroupPolicy",
}


class Unknown(Exception):
    """The template uses something that this model cannot judge."""


def arn(template, name):
    """Return the ARN that the resource `name` would get."""
    resource = template["Resources"][name]
    properties = resource.get("Properties", {})
    match resource["Type"]:
        case "AWS::DynamoDB::Table":
            return f"arn:aws:dynamodb:{SCOPE}:table/{name}"
        case "AWS::SQS::Queue":
            return f"arn:aws:sqs:{SCOPE}:{text(template, properties['QueueName'])}"
        case "AWS::SecretsManager::Secret":
            # Secrets Manager appends six random characters to the name.
            return f"arn:aws:secretsmanager:{SCOPE}:secret:{text(template, properties['Name'])}-a1B2c3"
        case "AWS::Logs::LogGroup":
            return f"arn:aws:logs:{SCOPE}:log-group:{text(template, properties['LogGroupName'])}:*"
        case "AWS::Lambda::Function":
            return f"arn:aws:lambda:{SCOPE}:function:{name}"
        case "AWS::SNS::Topic":
            return f"arn:aws:sns:{SCOPE}:{name}"
        case other:
            raise Unknown(f"the ARN of a {other}")


def text(template, value):
    """Return the string that `value` resolves to."""
    match value:
        case str():
            return value
        case {"Ref": name} if name in PSEUDO:
            return PSEUDO[name]
        case {"Ref": name} if template["Resources"][name]["Type"] == "AWS::SecretsManager::Secret":
            return arn(template, name)
        case {"Fn::GetAtt": [name, "Arn"]}:
            return arn(template, name)
        case {"Fn::Sub": str(pattern)}:
            return re.sub(r"\$\{([^}]+)\}", lambda found: variable(template, found[1]), pattern)
        case _:
            raise Unknown(f"the value {value}")


def variable(template, name):
    """Return what `${name}` stands for in a `Fn::Sub`."""
    if name.endswith(".Arn"):
        return arn(template, name.removesuffix(".Arn"))
    return text(template, {"Ref": name})


def many(value):
    """Return `value` as a list: policies allow one or several of almost everything."""
    return value if isinstance(value, list) else [value]


@functools.cache
def like(pattern, value):
    """Tell whether IAM's `*` and `?` in `pattern` cover `value`."""
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


def rules(template, role):
    """Return all rules of the role named `role`, with every value resolved."""
    if attached := [n for n, r in template["Resources"].items() if r["Type"] in POLICY_TYPES]:
        raise Unknown(f"policies outside a role: {attached}")
    properties = template["Resources"][role]["Properties"]
    if unknown := properties.keys() - {"AssumeRolePolicyDocument", "Policies", "Tags"}:
        raise Unknown(f"{role} has {sorted(unknown)}")
    documents = [policy["PolicyDocument"] for policy in properties["Policies"]]
    return [rule(template, s) for document in documents for s in many(document["Statement"])]


def rule(template, statement):
    """Return one statement as (effect, actions, resources, keys); `keys` is None without a condition.

    A request carries one value for whichever condition its resource knows, so values need no name.
    """
    if unknown := statement.keys() - {"Sid", "Effect", "Action", "Resource", "Condition"}:
        raise Unknown(f"a statement with {sorted(unknown)}")
    keys = None
    if condition := statement.get("Condition"):
        tested = [(operator, key) for operator, values in condition.items() for key in values]
        if len(tested) != 1 or tested[0] not in CONDITIONS[statement["Effect"]]:
            raise Unknown(f"the condition {condition}")
        ((operator, key),) = tested
        keys = [text(template, value) for value in many(condition[operator][key])]
    actions = [action.lower() for action in many(statement["Action"])]
    return statement["Effect"], actions, [text(template, r) for r in many(statement["Resource"])], keys


def allowed(rules_of_role, action, resource, key=None):
    """Tell whether rules allow `action` on the ARN `resource`; `key` is a partition key, a sender or a service."""
    effects = {
        effect
        for effect, actions, resources, keys in rules_of_role
        # Actions are matched without regard to case, resources with.
        if any(like(pattern, action.lower()) for pattern in actions)
        and any(like(pattern, resource) for pattern in resources)
        and (keys is None or (key is not None and any(like(pattern, key) for pattern in keys)))
    }
    return "Allow" in effects and "Deny" not in effects
