"""Stripe's own command line against the stand-in."""

import json
import unittest
from pathlib import Path

import cli

RECIPE = Path(__file__).parent / "recipe.json"


class Commands(cli.CommandLine):
    """Recipes of our own and commands."""

    def test_a_recipe_runs_to_its_end(self):
        self.stripe("fixtures", str(RECIPE))
        (customer,) = self.get("/v1/customers", "--limit", "1")["data"]
        self.assertEqual(("Customer 101", "team"), (customer["name"], customer["metadata"]["plan"]))
        (invoice,) = self.get("/v1/invoices", "-d", f"customer={customer['id']}")["data"]
        self.assertEqual(("paid", 4900), (invoice["status"], invoice["amount_paid"]))
        (charge,) = self.get("/v1/charges", "-d", f"customer={customer['id']}")["data"]
        self.assertEqual(700, charge["amount_refunded"])

    def test_a_recipe_that_expects_another_error_fails(self):
        recipe = json.loads(RECIPE.read_text(encoding="utf-8"))
        recipe["fixtures"][-1]["expected_error_type"] = "card_error"
        changed = Path(self.home) / "changed.json"
        changed.write_text(json.dumps(recipe), encoding="utf-8")
        self.stripe("fixtures", str(changed), fails=True)

    def test_a_post_is_replayed_for_its_key(self):
        ask = ("post", "/v1/customers", "-d", "name=Customer 102", "--idempotency", "cli-1")
        first, again = json.loads(self.stripe(*ask)), json.loads(self.stripe(*ask))
        self.assertEqual(("Customer 102", first["id"]), (first["name"], again["id"]))

    def test_resources_have_their_own_commands(self):
        customer = json.loads(self.stripe("customers", "create", "--name", "Customer 103"))
        told = json.loads(self.stripe("customers", "retrieve", customer["id"]))
        self.assertEqual((customer["id"], "Customer 103"), (told["id"], told["name"]))
        disputes = json.loads(self.stripe("disputes", "list", "--limit", "2"))
        self.assertEqual([2, True], [len(disputes["data"]), disputes["has_more"]])

    def test_an_error_is_shown(self):
        told = self.stripe("get", "/v1/invoices/in_none")
        self.assertEqual("resource_missing", json.loads(told)["error"]["code"])


if __name__ == "__main__":
    unittest.main()
