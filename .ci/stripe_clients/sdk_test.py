"""Stripe's own library for Python against the stand-in."""

import json
import time
import unittest
from contextlib import ExitStack

import standin
import stripe


class Client(unittest.TestCase):
    """One stand-in for all tests; each makes what it needs."""

    @classmethod
    def setUpClass(cls):
        cls.stack = ExitStack()
        cls.told = cls.stack.enter_context(standin.running())
        cls.client = cls.with_key(cls.told["secret_key"])

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    @classmethod
    def with_key(cls, key):
        """Return a client of the account's v1 API."""
        return stripe.StripeClient(key, base_addresses={"api": cls.told["url"]}, max_network_retries=0)

    def subscriber(self, card):
        """Return a new customer whose subscription of 49.00 is charged to a test card, and its invoice."""
        v1 = self.client.v1
        customer = v1.customers.create({"name": "Customer 99", "metadata": {"plan": "team"}})
        method = v1.payment_methods.attach(card, {"customer": customer.id})
        v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})
        product = v1.products.create({"name": "Team"})
        price = v1.prices.create(
            {"product": product.id, "currency": "usd", "unit_amount": 4900, "recurring": {"interval": "month"}}
        )
        subscription = v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}]})
        invoice = v1.invoices.retrieve(
            subscription.latest_invoice, {"expand": ["payments.data.payment.payment_intent", "customer"]}
        )
        return customer, invoice

    def charge_of(self, invoice):
        """Return the id of the charge that paid an invoice."""
        return invoice.payments.data[0].payment.payment_intent.latest_charge


class Reads(Client):
    """What the library reads."""

    def test_a_paid_invoice_is_read_with_what_it_expands(self):
        customer, invoice = self.subscriber("pm_card_visa")
        self.assertEqual(("paid", 4900, customer.id), (invoice.status, invoice.amount_paid, invoice.customer.id))
        self.assertEqual("succeeded", invoice.payments.data[0].payment.payment_intent.status)
        self.assertEqual("team", invoice.customer.metadata["plan"])
        self.assertEqual(stripe.api_version, invoice.last_response.headers["stripe-version"])
        self.assertRegex(invoice.last_response.request_id, "^req_")

    def test_a_decline_is_told_like_stripes(self):
        _, invoice = self.subscriber("pm_card_decline_insufficient_funds")
        self.assertEqual("open", invoice.status)
        error = invoice.payments.data[0].payment.payment_intent.last_payment_error
        self.assertEqual(("card_declined", "insufficient_funds"), (error.code, error.decline_code))
        with self.assertRaises(stripe.CardError) as raised:
            self.client.v1.invoices.pay(invoice.id)
        self.assertEqual((402, "card_declined"), (raised.exception.http_status, raised.exception.code))
        self.assertEqual("insufficient_funds", raised.exception.error.decline_code)

    def test_events_are_paged_to_their_end_once_each_and_newest_first(self):
        listed = list(self.client.v1.events.list({"limit": 7}).auto_paging_iter())
        self.assertGreater(len(listed), 100)
        self.assertEqual(len(listed), len({event.id for event in listed}))
        self.assertEqual(sorted((e.created for e in listed), reverse=True), [e.created for e in listed])
        paid = self.client.v1.events.list({"types": ["invoice.paid"], "limit": 100}).data
        self.assertEqual([e.id for e in listed if e.type == "invoice.paid"], [e.id for e in paid])

    def test_a_sweep_pages_from_an_event_towards_now(self):
        newest = self.client.v1.events.list({"limit": 20}).data
        start = {"ending_before": newest[-1].id, "limit": 3}
        later = list(self.client.v1.events.list(start).auto_paging_iter())
        self.assertEqual([event.id for event in reversed(newest[:-1])], [event.id for event in later])

    def test_what_is_missing_and_what_is_not_permitted_are_told_apart(self):
        with self.assertRaises(stripe.InvalidRequestError) as missing:
            self.client.v1.invoices.retrieve("in_none")
        self.assertEqual((404, "resource_missing"), (missing.exception.http_status, missing.exception.code))
        reader = self.with_key(self.told["read_key"])
        with self.assertRaises(stripe.PermissionError) as denied:
            reader.v1.refunds.create({"charge": "ch_none"})
        self.assertIn("'rak_charge_write'", denied.exception.user_message)
        with self.assertRaises(stripe.AuthenticationError):
            self.with_key("sk_test_other").v1.events.list()

    def test_a_thin_event_leads_to_its_object(self):
        customer, _ = self.subscriber("pm_card_visa")
        newest = self.client.v1.events.list({"type": "customer.created", "limit": 1}).data[0]
        thin = self.client.v2.core.events.retrieve(newest.id)
        self.assertEqual(("v1.customer.created", customer.id), (thin.type, thin.related_object.id))


class Control(Client):
    """What goes wrong because it was planned from outside the stand-in's process."""

    def test_a_planned_fault_strikes_the_library_once(self):
        plan = {"fault": {"rate_limited": "endpoint-rate"}, "on": "GET /v1/products", "times": 1}
        status, _, shown = standin.call(self.told, "POST", "/_sandbox/faults", plan)
        self.assertEqual((200, 1), (status, len(shown["faults"])))
        with self.assertRaises(stripe.RateLimitError) as limited:
            self.client.v1.products.list()
        self.assertEqual("endpoint-rate", limited.exception.headers["stripe-rate-limited-reason"])
        self.assertTrue(self.client.v1.products.list().data)

    def test_time_moves_by_a_test_clock(self):
        v1 = self.client.v1
        clock = v1.test_helpers.test_clocks.create({"frozen_time": 1577836800})
        customer = v1.customers.create({"test_clock": clock.id, "payment_method": "pm_card_visa"})
        invoice = v1.invoices.create({"customer": customer.id, "auto_advance": True})
        v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": 1577836800 + 3600})
        self.assertEqual("ready", v1.test_helpers.test_clocks.retrieve(clock.id).status)
        self.assertEqual("paid", v1.invoices.retrieve(invoice.id).status)


class Writes(Client):
    """What the library changes."""

    def test_a_refund_is_made_once_for_a_key(self):
        _, invoice = self.subscriber("pm_card_visa")
        charge = self.charge_of(invoice)
        refunds = self.client.v1.refunds
        asked = {"charge": charge, "amount": 500, "reason": "requested_by_customer", "metadata": {"approval": "a"}}
        first = refunds.create(asked, {"idempotency_key": "sdk-1"})
        again = refunds.create(asked, {"idempotency_key": "sdk-1"})
        self.assertEqual((first.id, "succeeded"), (again.id, first.status))
        self.assertNotIn("idempotent-replayed", first.last_response.headers)
        self.assertEqual("true", again.last_response.headers["idempotent-replayed"])
        self.assertEqual(first.last_response.request_id, again.last_response.headers["original-request"])
        self.assertEqual([first.id], [refund.id for refund in refunds.list({"charge": charge}).data])
        with self.assertRaises(stripe.IdempotencyError):
            refunds.create({**asked, "amount": 501}, {"idempotency_key": "sdk-1"})

    def test_no_more_is_refunded_than_was_paid(self):
        _, invoice = self.subscriber("pm_card_visa")
        charge = self.charge_of(invoice)
        with self.assertRaises(stripe.InvalidRequestError) as refused:
            self.client.v1.refunds.create({"charge": charge, "amount": 4901})
        self.assertEqual((400, "amount", None), (refused.exception.http_status, refused.exception.param, refused.exception.code))
        self.client.v1.refunds.create({"charge": charge})
        with self.assertRaises(stripe.InvalidRequestError) as twice:
            self.client.v1.refunds.create({"charge": charge})
        self.assertEqual("charge_already_refunded", twice.exception.code)
        self.assertTrue(self.client.v1.charges.retrieve(charge).refunded)

    def test_evidence_is_staged_first_and_submitted_once(self):
        _, invoice = self.subscriber("pm_card_createDispute")
        disputes = self.client.v1.disputes
        (dispute,) = disputes.list({"charge": self.charge_of(invoice)}).data
        self.assertEqual("needs_response", dispute.status)
        text = "Zoë used it – daily & 100%"
        staged = disputes.update(dispute.id, {"submit": False, "evidence": {"uncategorized_text": text}})
        self.assertEqual(("needs_response", text), (staged.status, staged.evidence.uncategorized_text))
        self.assertEqual(0, staged.evidence_details.submission_count)
        sent = disputes.update(dispute.id, {"submit": True, "evidence": {"customer_name": "Customer 99"}})
        self.assertEqual(("under_review", 1), (sent.status, sent.evidence_details.submission_count))
        self.assertEqual(text, sent.evidence.uncategorized_text)
        with self.assertRaises(stripe.InvalidRequestError):
            disputes.update(dispute.id, {"submit": False, "evidence": {"customer_name": "Customer 98"}})

    def test_a_subscription_is_paused_cancelled_later_and_cancelled_now(self):
        customer, _ = self.subscriber("pm_card_visa")
        subscriptions = self.client.v1.subscriptions
        (one,) = subscriptions.list({"customer": customer.id}).data
        paused = subscriptions.update(one.id, {"pause_collection": {"behavior": "void"}})
        self.assertEqual("void", paused.pause_collection.behavior)
        self.assertIsNone(subscriptions.update(one.id, {"pause_collection": ""}).pause_collection)
        self.assertTrue(subscriptions.update(one.id, {"cancel_at_period_end": True}).cancel_at_period_end)
        self.assertEqual("canceled", subscriptions.cancel(one.id, {"invoice_now": False, "prorate": False}).status)

    def test_a_credit_note_and_a_balance_credit(self):
        customer, invoice = self.subscriber("pm_card_visa")
        note = self.client.v1.credit_notes.create(
            {"invoice": invoice.id, "amount": 500, "credit_amount": 500, "email_type": "none"}
        )
        self.assertEqual(("issued", 500), (note.status, note.amount))
        entry = self.client.v1.customers.balance_transactions.create(customer.id, {"amount": -300, "currency": "usd"})
        self.assertEqual(-800, entry.ending_balance)


class Webhooks(Client):
    """What the library makes of a delivery."""

    def test_a_delivery_is_verified_and_nothing_else_is(self):
        with standin.endpoint() as (url, arrived):
            made = self.client.v1.webhook_endpoints.create({"url": url, "enabled_events": ["customer.created"]})
            customer = self.client.v1.customers.create({"name": "Customer 100"})
            body, header = arrived.get(timeout=20)
            event = stripe.Webhook.construct_event(body, header, made.secret)
            self.assertEqual(("customer.created", customer.id), (event.type, event.data.object.id))
            self.assertEqual(customer.last_response.request_id, event.request.id)
            other = json.loads(body) | {"id": "evt_other"}
            for forged, secret in ((json.dumps(other), made.secret), (body, "whsec_other")):
                with self.assertRaises(stripe.SignatureVerificationError):
                    stripe.Webhook.construct_event(forged, header, secret)
            self.client.v1.webhook_endpoints.delete(made.id)
            self.assertEventually(lambda: self.client.v1.events.retrieve(event.id).pending_webhooks == 0)

    def assertEventually(self, holds):  # noqa: N802, named like its sisters
        """Wait up to ten seconds."""
        end = time.monotonic() + 10
        while not holds():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
