"""Write the parts of the documents that are made from template.yaml, so that they cannot differ from it.

    python .ci/reference.py           writes them
    python .ci/reference.py --check   says which are not current

A part stands between two comments, `<!-- made by .ci/reference.py: NAME -->` and `<!-- end -->`.
"""

import re
import sys
from pathlib import Path

import translate

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "infra/template"
DOCUMENTS = [FOLDER / "CONFIGURATION.md", FOLDER / "PERMISSIONS.md"]
PART = re.compile(r"(<!-- made by \.ci/reference\.py: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
FUNCTIONS = ["Ingress", "Processor", "Approver", "Reconciler"]


def table(heading, rows):
    """Return a Markdown table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def code(text):
    """Return `text` as code that a table can hold."""
    return "`" + str(text).replace("|", "\\|") + "`"


def words(text):
    """Return prose that a table can hold."""
    return " ".join(str(text).split()).replace("|", "\\|")


def allowed(parameter):
    """Return what a parameter may be."""
    if values := parameter.get("AllowedValues"):
        return ", ".join(code(value) for value in values)
    if pattern := parameter.get("AllowedPattern"):
        return code(pattern)
    if "MinValue" in parameter:
        return f"{parameter['MinValue']} to {parameter['MaxValue']}"
    return "any text"


def default(parameter):
    """Return a parameter's default."""
    match parameter.get("Default"):
        case None:
            return "**required**"
        case "":
            return "none"
        case value:
            return code(value)


def parameters(template):
    """Return the table of parameters."""
    rows = [
        [code(name), default(one), allowed(one), words(one["Description"])]
        for name, one in template["Parameters"].items()
    ]
    return table(["parameter", "default", "allowed", "meaning"], rows)


def origin(value, template):
    """Return where the value of a variable comes from."""
    match value:
        case {"Fn::If": [condition, then, {"Ref": "AWS::NoValue"}]}:
            return f"{origin(then, template)}, if {code(condition)}"
        case {"Fn::If": [condition, then, otherwise]}:
            return f"{origin(then, template)} if {code(condition)}, else {origin(otherwise, template)}"
        case {"Ref": name} if name in template["Parameters"]:
            return f"parameter {code(name)}"
        case {"Ref": name}:
            return f"resource {code(name)}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{code(attribute)} of {code(name)}"
        case {"Fn::Sub": str(pattern)}:
            return code(pattern)
        case str():
            return code(value)
        case _:
            raise ValueError(f"the variable's value {value}")


def variables(template):
    """Return the table of the functions' variables."""
    found = {}
    for function in FUNCTIONS:
        own = template["Resources"][function]["Properties"]["Environment"]["Variables"]
        for name, value in own.items():
            found.setdefault((name, origin(value, template)), []).append(function.lower())
    rows = [
        [code(name), ", ".join(functions) if len(functions) < len(FUNCTIONS) else "all", value]
        for (name, value), functions in sorted(found.items())
    ]
    return table(["variable", "function", "from"], rows)


def secrets(template):
    """Return the table of secrets."""
    rows = []
    for name, one in template["Resources"].items():
        if one["Type"] == "AWS::SecretsManager::Secret":
            properties = one["Properties"]
            made = "made by the stack" if "GenerateSecretString" in properties else "filled by you"
            when = code(one["Condition"]) if "Condition" in one else "always"
            rows.append([code(properties["Name"]["Fn::Sub"]), when, made, words(properties["Description"])])
    return table(["secret", "exists", "value", "what it is"], rows)


def outputs(template):
    """Return the table of outputs."""
    rows = [[code(name), words(one["Description"])] for name, one in template["Outputs"].items()]
    return table(["output", "what to do with it"], rows)


def target(value, template):
    """Return the name of what a statement is about, by the template's own names."""
    match value:
        case {"Fn::If": [condition, then, {"Ref": "AWS::NoValue"}]}:
            return f"{target(then, template)} (if {code(condition)})"
        case {"Fn::Split": [",", {"Ref": name}]}:
            return f"each of {code(name)}"
        case {"Fn::GetAtt": [name, "Arn"]} | {"Ref": name}:
            return code(name)
        case {"Fn::Sub": str(pattern)}:
            short = re.sub(r"^arn:\$\{AWS::Partition\}:(\w+):\$\{AWS::Region\}:\$\{AWS::AccountId\}:", r"\1 ", pattern)
            return code(short.replace(".Arn}", "}"))
        case _:
            raise ValueError(f"the resource {value}")


def many(value):
    """Return `value` as a list."""
    return value if isinstance(value, list) else [value]


def statements(role):
    """Yield the statements of a role, each with the condition under which it is there."""
    for policy in role["Properties"]["Policies"]:
        for statement in many(policy["PolicyDocument"]["Statement"]):
            match statement:
                case {"Fn::If": [condition, then, {"Ref": "AWS::NoValue"}]}:
                    yield then, condition
                case {"Effect": _}:
                    yield statement, None
                case _:
                    raise ValueError(f"the statement {statement}")


def limited(statement):
    """Return what a statement's condition says."""
    match statement.get("Condition"):
        case None:
            return ""
        case {"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": keys}}:
            return "rows " + ", ".join(code(key) for key in keys)
        case {"StringEquals": {"ses:FromAddress": {"Ref": name}}}:
            return f"from {code(name)} alone"
        case {"StringEquals": {"kms:ViaService": services}}:
            return "through " + ", ".join(code(one["Fn::Sub"].split(".")[0]) for one in many(services))
        case other:
            raise ValueError(f"the condition {other}")


def roles(template):
    """Return the tables of the functions' roles."""
    text = []
    for function in FUNCTIONS:
        rows = []
        for statement, condition in statements(template["Resources"][f"{function}Role"]):
            actions = ", ".join(code(action) for action in sorted(many(statement["Action"])))
            about = ", ".join(target(one, template) for one in many(statement["Resource"]))
            more = "; ".join(filter(None, [limited(statement), f"if {code(condition)}" if condition else ""]))
            rows.append([statement["Effect"].lower(), actions, about, more])
        text.append(f"**{function}**\n\n" + table(["", "actions", "on", "only"], rows))
    return "\n".join(text)


PARTS = {"parameters": parameters, "variables": variables, "secrets": secrets, "outputs": outputs, "roles": roles}


def made(text, template):
    """Return a document with its parts made anew."""
    names = [found[2] for found in PART.finditer(text)]
    if not names or text.count("made by .ci/reference.py:") != len(names):
        raise ValueError("a part of a document has no beginning or no end")
    return PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]](template)}\n{found[4]}", text)


def template():
    """Return the translated template."""
    return translate.translate(translate.source(ROOT / "template.yaml"))


def main(arguments):
    """Write the documents, or say which are not current."""
    stale = []
    translated = template()
    for path in DOCUMENTS:
        before = path.read_text(encoding="utf-8")
        after = made(before, translated)
        if before != after:
            stale.append(path.relative_to(ROOT))
            if "--check" not in arguments:
                path.write_text(after, encoding="utf-8")
    print(*[f"{path} {'is not current' if '--check' in arguments else 'is written'}" for path in stale], sep="\n")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
