"""Write the notices that the licences of a function's parts ask for, with the texts, from its bill of materials.

    python .ci/licences.py ingress.cdx.json ingress.licences.md

The bill of materials says what is linked, and cargo where each part's source lies; the texts are those in there.
Which licences may be used at all is checked by `cargo deny`.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

NAMES = ("licen", "copying", "copyright", "notice")


def sources():
    """Return the folder of every package of the lock file, by name and version."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return {(one["name"], one["version"]): Path(one["manifest_path"]).parent for one in found["packages"]}


def expression(component):
    """Return the licence of a component as SPDX writes it; one without is an error."""
    (licence,) = component["licenses"]
    return licence.get("expression") or licence["license"]["id"]


def texts(folder):
    """Return the texts of licences and notices in a package's folder."""
    files = sorted(one for one in folder.iterdir() if one.is_file() and one.name.lower().startswith(NAMES))
    return [one.read_text(encoding="utf-8", errors="replace").strip() for one in files]


def written(bom, folders):
    """Return the notices, each text once with the parts that it stands in."""
    lines, by_text = [], {}
    for component in sorted(bom["components"], key=lambda one: (one["name"], one["version"])):
        name, version = component["name"], component["version"]
        lines.append(f"- {name} {version}: {expression(component)}")
        if component["purl"].startswith("pkg:cargo/") and "download_url=file" not in component["purl"]:
            found = texts(folders[name, version])
            if not found:
                lines[-1] += " (no text in the package)"
            for text in found:
                digest = hashlib.sha256(" ".join(text.split()).encode()).digest()
                by_text.setdefault(digest, (text, []))[1].append(f"{name} {version}")
    notices = [f"## {', '.join(parts)}\n\n~~~text\n{text}\n~~~\n" for text, parts in by_text.values()]
    return "\n".join([f"# What is in {bom['metadata']['component']['name']}", "", *lines, "", *notices])


def main(read, write):
    """Write the notices for the bill of materials in the file `read` into the file `write`."""
    bom = json.loads(Path(read).read_text(encoding="utf-8"))
    text = written(bom, sources())
    Path(write).write_text(text, encoding="utf-8")
    print(f"{write}: {len(bom['components'])} parts, {text.count('~~~text')} texts")


if __name__ == "__main__":
    main(*sys.argv[1:])
