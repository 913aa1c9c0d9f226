"""Write the CDK construct's properties from the parameters of template.yaml, or tell whether they are up to date.

    python .ci/cdk_parameters.py template.yaml infra/cdk/lib/parameters.ts
"""

import json
import sys
import textwrap
from pathlib import Path

import translate


def kind(parameter):
    """Return the TypeScript type of a parameter."""
    values = parameter.get("AllowedValues")
    if values and {str(value) for value in values} == {"true", "false"}:
        return "boolean"
    if values:
        return " | ".join(str(v) if parameter["Type"] == "Number" else f"'{v}'" for v in values)
    return {"String": "string", "Number": "number"}[parameter["Type"]]


def quoted(value):
    """Return a string as TypeScript writes it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def property_name(name):
    """Return how a parameter is called among the properties."""
    return name[0].lower() + name[1:]


def described(parameter):
    """Return the comment of a property."""
    text = " ".join(parameter["Description"].split())
    if "Default" in parameter and (default := str(parameter["Default"])):
        text += f" By default {default}."
    lines = textwrap.wrap(text, 113, break_on_hyphens=False)
    return "\n".join(["  /**", *(f"   * {line}" for line in lines), "   */"])


def constraint(name, parameter):
    """Return what the construct checks of a property."""
    parts = [f"name: {quoted(name)}"]
    if pattern := parameter.get("AllowedPattern"):
        parts.append(f"pattern: {quoted(pattern)}")
    if values := parameter.get("AllowedValues"):
        parts.append("values: [" + ", ".join(quoted(str(value)) for value in values) + "]")
    for key, word in ("MinValue", "least"), ("MaxValue", "most"):
        if key in parameter:
            parts.append(f"{word}: {json.dumps(parameter[key])}")
    return f"  {property_name(name)}: {{ {', '.join(parts)} }},"


def written(parameters):
    """Return the whole file."""
    properties = [
        f"{described(one)}\n  readonly {property_name(name)}{'?' if 'Default' in one else ''}: {kind(one)};"
        for name, one in parameters.items()
    ]
    return "\n".join([
        "// Written by .ci/cdk_parameters.py from the parameters of template.yaml.",
        "",
        "/** The parameters of the template. */",
        "export interface CountersignParameters {",
        *properties,
        "}",
        "",
        "/** A parameter's name in the template, and what it asks of a value. */",
        "export interface Constraint {",
        "  readonly name: string;",
        "  readonly pattern?: string;",
        "  readonly values?: readonly string[];",
        "  readonly least?: number;",
        "  readonly most?: number;",
        "}",
        "",
        "/** The constraints of each. */",
        "export const PARAMETERS: Record<keyof CountersignParameters, Constraint> = {",
        *(constraint(name, one) for name, one in parameters.items()),
        "};",
        "",
    ])


def main(template, file):
    """Write the file `file` from the parameters of `template`."""
    Path(file).write_text(written(translate.source(template)["Parameters"]), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
