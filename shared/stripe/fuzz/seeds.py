"""Write the inputs that fuzzing starts from, made of tests/fixtures/stripe: one file each.

    python3 seeds.py DIRECTORY      into DIRECTORY/TARGET/
"""

import base64
import json
import sys
from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[3] / "tests/fixtures/stripe"
# An object whose target has another name than its schema.
TARGETS = {"deleted_customer": "customer", "event": "envelope", "v2_event_notification": "envelope"}


def read(name):
    """Return a JSON fixture."""
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


def compact(value):
    """Return JSON as bytes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def objects():
    """Yield (target, input) of every conforming object, and the account, which has no schema here."""
    with (FIXTURES / "conforming_objects.jsonl").open(encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            schema = line["schema"]
            yield TARGETS.get(schema, schema), compact(line["value"])
    yield "account", compact({"id": "acct_1", "object": "account", "type": "standard", "email": None})


def envelopes():
    """Yield (target, input) of every sample of an event, as a webhook and from the target's own bus."""
    for sample in read("event_envelopes.json")["envelopes"]:
        yield "envelope", compact(sample["value"])
        event = sample["value"].get("detail", sample["value"])
        yield "envelope", compact({"source": "aws.partner/stripe.com/ed_fuzz", "detail": event})


def signatures():
    """Yield (target, input) of every signature vector: as it is, and with the target's own signature."""
    for vector in read("signature_vectors.json")["vectors"]:
        if "body_gen" in vector:
            continue
        body = base64.b64decode(vector["body_b64"]) if "body_b64" in vector else (vector["body"] or "").encode()
        header = vector["header"]
        yield "signature", header.encode() + b"\n" + body
        elements = [e if not e.startswith("v1=") else "v1=$" for e in header.split(",")]
        yield "signature", ",".join(elements).encode() + b"\n" + body
        yield "signature", ",".join(elements).replace("$", "~").encode() + b"\n" + body
    for header in (b"t=1790000000,v1=$", b"t=1789999699,v1=$", b"t=1,v1=~", b"t=2000000000,v1=0,v1=~,v0=$"):
        yield "signature", header + b"\n{}"


def failures():
    """Yield (target, input) of every sample of an error."""
    for sample in read("error_samples.json")["errors"]:
        yield "failure", sample["status"].to_bytes(2, "big") + compact(sample["body"])


def main(directory):
    """Write all of them."""
    counts = {}
    for make in (objects, envelopes, signatures, failures):
        for target, data in make():
            number = counts[target] = counts.get(target, 0) + 1
            file = Path(directory) / target / f"{number:03}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    print(", ".join(f"{target} {count}" for target, count in sorted(counts.items())))


if __name__ == "__main__":
    main(*sys.argv[1:])
