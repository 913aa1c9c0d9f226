"""The recipes of `stripe trigger` against the stand-in: which run, and which do not."""

import re
import unittest

import cli
import standin

# Recipes that run, each with the event that it is to cause if that has another name.
RUNS = {
    "balance.available": None,
    "charge.captured": None,
    "charge.dispute.closed": None,
    "charge.dispute.created": None,
    "charge.dispute.updated": None,
    "charge.failed": None,
    "charge.refund.updated": None,
    "charge.refunded": None,
    "charge.succeeded": None,
    "credit_note.created": None,
    "credit_note.updated": None,
    "credit_note.voided": None,
    "customer.created": None,
    "customer.deleted": None,
    "customer.subscription.created": None,
    "customer.subscription.deleted": None,
    "customer.subscription.paused": None,
    "customer.subscription.trial_will_end": None,
    "customer.subscription.updated": None,
    "customer.updated": None,
    "invoice.created": None,
    "invoice.deleted": None,
    "invoice.finalized": None,
    "invoice.marked_uncollectible": None,
    "invoice.paid": None,
    "invoice.payment_action_required": None,
    "invoice.payment_failed": None,
    "invoice.payment_succeeded": None,
    "invoice.sent": None,
    "invoice.updated": None,
    "invoice.voided": None,
    "invoiceitem.created": None,
    "invoiceitem.deleted": None,
    "payment_intent.amount_capturable_updated": None,
    "payment_intent.canceled": None,
    "payment_intent.created": None,
    "payment_intent.payment_failed": None,
    "payment_intent.requires_action": None,
    "payment_intent.succeeded": None,
    "payment_method.attached": None,
    "payment_method.detached": None,
    "payment_method.updated": None,
    "plan.created": None,
    "plan.deleted": None,
    "plan.updated": None,
    "price.created": None,
    "price.updated": None,
    "product.created": None,
    "product.deleted": None,
    "product.updated": None,
    "setup_intent.canceled": None,
    "setup_intent.created": None,
    "setup_intent.requires_action": None,
    "setup_intent.setup_failed": None,
    "setup_intent.succeeded": None,
    "subscription.payment_failed": "invoice.payment_failed",
    "subscription.payment_succeeded": "invoice.payment_succeeded",
    "test_helpers.test_clock.advancing": None,
    "test_helpers.test_clock.created": None,
    "test_helpers.test_clock.deleted": None,
    "test_helpers.test_clock.ready": None,
}

# Recipes that ask for what is not modelled; the stand-in's documentation has the reasons.
REFUSED = [
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "coupon.created",
    "coupon.deleted",
    "coupon.updated",
    "customer.discount.created",
    "customer.discount.deleted",
    "customer.discount.updated",
    "customer.source.created",
    "customer.source.updated",
    "payment_intent.partially_funded",
    "payment_intent.processing",
    "quote.accepted",
    "quote.canceled",
    "quote.created",
    "quote.finalized",
    "subscription_schedule.aborted",
    "subscription_schedule.canceled",
    "subscription_schedule.completed",
    "subscription_schedule.created",
    "subscription_schedule.expiring",
    "subscription_schedule.released",
    "subscription_schedule.updated",
]

# Families of recipes that are not about billing, and are not tried: some talk to other hosts.
ELSEWHERE = re.compile(
    r"(account|billing_portal|cash_balance|customer_cash_balance_transaction|identity|issuing_\w+|payment_link"
    r"|payout|promotion_code|reporting|tax_rate|topup|transfer|v1\.billing\.meter)\."
)


class Recipes(cli.CommandLine):
    """Each runs in the account of all the others."""

    def newest(self, kind):
        """Return the newest event of a type, or nothing."""
        status, _, page = standin.call(self.told, "GET", f"/v1/events?type={kind}&limit=1")
        self.assertEqual(200, status, page)
        return page["data"]

    def test_every_recipe_that_the_program_offers_is_accounted_for(self):
        offered = re.findall(r"^  ([a-z0-9_]+(?:\.[a-z0-9_]+)+)$", self.stripe("trigger", "--help"), re.MULTILINE)
        billing = {name for name in offered if not ELSEWHERE.match(name)}
        self.assertEqual(sorted(billing), sorted([*RUNS, *REFUSED]))

    def test_recipes_about_billing_run_and_cause_their_event(self):
        for recipe, kind in RUNS.items():
            with self.subTest(recipe):
                before = self.newest(kind or recipe)
                self.stripe("trigger", recipe)
                self.assertNotEqual(before, self.newest(kind or recipe))

    def test_recipes_of_what_is_not_modelled_cause_no_event(self):
        for recipe in REFUSED:
            with self.subTest(recipe):
                # Some expect the refusal and call it a success.
                self.stripe("trigger", recipe, fails=None)
                self.assertEqual([], self.newest(recipe))


if __name__ == "__main__":
    unittest.main()
