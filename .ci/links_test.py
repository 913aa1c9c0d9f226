"""Every relative link of every Markdown file leads somewhere: to a file that is there, and a heading in it."""

import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2[ ]*$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[(?:[^\]\[]|\[[^\]]*\])*\]\(<?([^)<>\s]+)>?(?:\s+\"[^\"]*\")?\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?\s*$", re.MULTILINE)
HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$", re.MULTILINE)
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:")


def documents():
    """Return all Markdown files that belong to the repository."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "*.md"]
    names = subprocess.run(listed, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).exists()]


def prose(text):
    """Return a document without its code."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


def anchors(text):
    """Return the anchors of a document's headings, as GitHub makes them."""
    found, seen = set(), {}
    for _, heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number = seen.get(slug, 0)
        seen[slug] = number + 1
        found.add(f"{slug}-{number}" if number else slug)
    return found


def broken(path, text):
    """Return the links of a document that lead nowhere, each with the reason."""
    found = []
    for link in LINK.findall(prose(text)) + REFERENCE.findall(prose(text)):
        if ELSEWHERE.match(link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if name.startswith("/") or not target.is_relative_to(ROOT):
            found.append(f"{link}: it leads out of the repository")
        elif not target.exists():
            found.append(f"{link}: there is no such file")
        elif anchor:
            other = text if target == path else target.read_text(encoding="utf-8") if target.suffix == ".md" else ""
            if anchor not in anchors(other):
                found.append(f"{link}: there is no such heading")
    return found


class Links(unittest.TestCase):
    """The Markdown files."""

    def test_every_relative_link_leads_somewhere(self):
        all_of_them = documents()
        self.assertIn(ROOT / "README.md", all_of_them)
        wrong = {str(p.relative_to(ROOT)): b for p in all_of_them if (b := broken(p, p.read_text(encoding="utf-8")))}
        self.assertEqual({}, wrong)

    def test_a_link_that_leads_nowhere_is_found(self):
        path = ROOT / "README.md"
        heading = "# One `two`: three\n\n## Again\n\n## Again\n"
        self.assertEqual({"one-two-three", "again", "again-1"}, anchors(heading))
        self.assertEqual([], broken(path, heading + "[a](#one-two-three) [b](#again-1) [c](ARCHITECTURE.md#the-map)"))
        for bad in ["nowhere.md", "#two", "ARCHITECTURE.md#nowhere", "../outside.md", "/README.md", "LICENSE#a"]:
            self.assertEqual(1, len(broken(path, f"{heading}[a]({bad})")), bad)
        self.assertEqual(1, len(broken(path, "[a]: nowhere.md")))
        self.assertEqual([], broken(path, "```\n[a](nowhere.md)\n```\n`[a](nowhere.md)` [b](https://x.example.com)"))


if __name__ == "__main__":
    unittest.main()
