"""What the documents say of the template is what the template says."""

import copy
import unittest

import reference

TEMPLATE = reference.template()


class Reference(unittest.TestCase):
    """The parts that are made from the template."""

    def test_every_part_is_current(self):
        for path in reference.DOCUMENTS:
            text = path.read_text(encoding="utf-8")
            self.assertEqual(text, reference.made(text, TEMPLATE), f"{path.name}: run python .ci/reference.py")

    def test_every_part_is_in_a_document(self):
        texts = "".join(path.read_text(encoding="utf-8") for path in reference.DOCUMENTS)
        for name in reference.PARTS:
            self.assertEqual(1, texts.count(f"made by .ci/reference.py: {name} "), name)

    def test_a_change_of_the_template_makes_a_document_stale(self):
        changes = [
            lambda one: one["Parameters"]["Crm"].update(Default="hubspot"),
            lambda one: one["Resources"]["Approver"]["Properties"]["Environment"]["Variables"].update(MORE="1"),
            lambda one: one["Resources"]["ProcessorRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].append(
                {"Effect": "Allow", "Action": "dynamodb:Scan", "Resource": {"Ref": "CasesTable"}}
            ),
            lambda one: one["Outputs"].pop("Alarms"),
            lambda one: one["Resources"].pop("SlackToken"),
        ]
        for number, change in enumerate(changes):
            changed = copy.deepcopy(TEMPLATE)
            change(changed)
            stale = [p for p in reference.DOCUMENTS if (t := p.read_text(encoding="utf-8")) != reference.made(t, changed)]
            self.assertTrue(stale, number)

    def test_what_is_not_understood_is_refused(self):
        changed = copy.deepcopy(TEMPLATE)
        statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
        changed["Resources"]["IngressRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].append(statement)
        with self.assertRaises(ValueError):
            reference.roles(changed)
        with self.assertRaises(ValueError):
            reference.made("<!-- made by .ci/reference.py: roles -->", TEMPLATE)


if __name__ == "__main__":
    unittest.main()
