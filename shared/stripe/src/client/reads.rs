//! Every read that Countersign makes, one method each.

use std::collections::BTreeMap;

use domain::{
    ChargeId, CustomerId, DisputeId, InvoiceId, ObjectId, PaymentIntentId, PaymentMethodId, ProposalId,
    RefundId, SubscriptionId, Timestamp,
    snapshot::{
        BalanceEntry, Charge, CreditNote, Customer, CustomerCredit, Dispute, DisputeAnswering, FraudWarning,
        Invoice, InvoiceStatus, PaymentIntent, PaymentMethod, PaymentOnInvoice, Read, Refund, Subscription,
    },
};

use super::{Answer, Client, Listed, MOST};
use crate::{Account, Error, InvoiceRead};

/// An object with metadata of which only a part may be read.
trait HasMetadata {
    /// The object's name, and its metadata.
    fn metadata(&mut self) -> (&'static str, &mut BTreeMap<String, String>);
}

impl HasMetadata for Charge {
    fn metadata(&mut self) -> (&'static str, &mut BTreeMap<String, String>) {
        ("charge", &mut self.metadata.0)
    }
}

impl HasMetadata for Refund {
    fn metadata(&mut self) -> (&'static str, &mut BTreeMap<String, String>) {
        ("refund", &mut self.metadata.0)
    }
}

type One<T> = Result<Answer<Read<T>>, Error>;
type Many<T> = Result<Answer<Listed<T>>, Error>;

impl Client {
    /// An invoice with its payments and their payment intents, its customer and its subscription:
    /// one request that tells why it failed, whether there is a payment method at all, and whether
    /// the customer is leaving.
    pub async fn invoice(&self, id: &InvoiceId) -> One<InvoiceRead> {
        // Stripe expands four levels deep and no deeper.
        let expand =
            ["payments.data.payment.payment_intent", "customer", "parent.subscription_details.subscription"];
        self.object("invoices", &["invoices", id.as_str()], &expand).await
    }

    /// The customer's invoices in one state, without their payments.
    pub async fn invoices(&self, customer: &CustomerId, status: &InvoiceStatus) -> Many<Invoice> {
        let filter = [("customer", customer.as_str()), ("status", status.as_str())];
        self.list("invoices", &["invoices"], &filter, MOST).await
    }

    /// A charge with its refunds.
    pub async fn charge(&self, id: &ChargeId) -> One<Charge> {
        let answer = self.object("charges", &["charges", id.as_str()], &["refunds"]).await?;
        Ok(answer.map(|read| self.known(read)))
    }

    /// The customer's latest charges, a hundred at most.
    pub async fn charges(&self, customer: &CustomerId) -> Many<Charge> {
        let answer = self.list("charges", &["charges"], &[("customer", customer.as_str())], 100).await?;
        Ok(self.all_known(answer))
    }

    /// The account's latest charges since a time, a hundred at most: how issuers answer at the moment.
    pub async fn latest_charges(&self, since: Timestamp) -> Many<Charge> {
        let since = since.seconds().to_string();
        let answer = self.list("charges", &["charges"], &[("created[gte]", since.as_str())], 100).await?;
        Ok(self.all_known(answer))
    }

    /// A payment intent.
    pub async fn payment_intent(&self, id: &PaymentIntentId) -> One<PaymentIntent> {
        self.object("payment_intents", &["payment_intents", id.as_str()], &[]).await
    }

    /// The invoices that a payment intent pays.
    pub async fn invoice_payments(&self, intent: &PaymentIntentId) -> Many<PaymentOnInvoice> {
        let filter = [("payment[type]", "payment_intent"), ("payment[payment_intent]", intent.as_str())];
        self.list("invoice_payments", &["invoice_payments"], &filter, MOST).await
    }

    /// A dispute.
    pub async fn dispute(&self, id: &DisputeId) -> One<Dispute> {
        self.object("disputes", &["disputes", id.as_str()], &[]).await
    }

    /// Who answers a dispute: we, or Stripe's Smart Disputes.
    pub async fn dispute_answering(&self, id: &DisputeId) -> One<DisputeAnswering> {
        self.object("disputes", &["disputes", id.as_str()], &[]).await
    }

    /// The disputes of a charge; there can be several.
    pub async fn disputes(&self, charge: &ChargeId) -> Many<Dispute> {
        self.list("disputes", &["disputes"], &[("charge", charge.as_str())], MOST).await
    }

    /// An early fraud warning.
    pub async fn early_fraud_warning(&self, id: &ObjectId) -> One<FraudWarning> {
        let path = ["radar", "early_fraud_warnings", id.as_str()];
        self.object("early_fraud_warnings", &path, &[]).await
    }

    /// The early fraud warnings of a charge.
    pub async fn early_fraud_warnings(&self, charge: &ChargeId) -> Many<FraudWarning> {
        let filter = [("charge", charge.as_str())];
        self.list("early_fraud_warnings", &["radar", "early_fraud_warnings"], &filter, MOST).await
    }

    /// A refund.
    pub async fn refund(&self, id: &RefundId) -> One<Refund> {
        let answer = self.object("refunds", &["refunds", id.as_str()], &[]).await?;
        Ok(answer.map(|read| self.known(read)))
    }

    /// The refunds of a charge.
    pub async fn refunds(&self, charge: &ChargeId) -> Many<Refund> {
        let answer = self.list("refunds", &["refunds"], &[("charge", charge.as_str())], MOST).await?;
        Ok(self.all_known(answer))
    }

    /// The refund that executed a proposal: how an unknown outcome is looked up. `Read::Gone` is only
    /// said of a complete list.
    ///
    /// # Errors
    /// As any read; [`Error::Unfinished`] if the charge has more refunds than were read.
    pub async fn refund_of(&self, proposal: &ProposalId, charge: &ChargeId) -> One<Refund> {
        let Answer { value, request_id } = self.refunds(charge).await?;
        let ours = |refund: &Refund| refund.approval_id.as_deref() == Some(proposal.as_str());
        match value.items.into_iter().find(ours) {
            Some(refund) => Ok(Answer { value: Read::Found(refund), request_id }),
            None if value.complete => Ok(Answer { value: Read::Gone, request_id }),
            None => Err(Error::Unfinished { call: "refunds", request_id }),
        }
    }

    /// The credit notes on an invoice.
    pub async fn credit_notes(&self, invoice: &InvoiceId) -> Many<CreditNote> {
        self.list("credit_notes", &["credit_notes"], &[("invoice", invoice.as_str())], MOST).await
    }

    /// The entries of a customer's balance, newest first, a hundred at most.
    pub async fn customer_credits(&self, customer: &CustomerId) -> Many<CustomerCredit> {
        let path = ["customers", customer.as_str(), "balance_transactions"];
        self.list("customer_balance_transactions", &path, &[], 100).await
    }

    /// An entry of the account's balance.
    pub async fn balance_entry(&self, id: &ObjectId) -> One<BalanceEntry> {
        self.object("balance_transactions", &["balance_transactions", id.as_str()], &[]).await
    }

    /// A subscription.
    pub async fn subscription(&self, id: &SubscriptionId) -> One<Subscription> {
        self.object("subscriptions", &["subscriptions", id.as_str()], &[]).await
    }

    /// The customer's subscriptions that are not cancelled.
    pub async fn subscriptions(&self, customer: &CustomerId) -> Many<Subscription> {
        self.list("subscriptions", &["subscriptions"], &[("customer", customer.as_str())], MOST).await
    }

    /// All subscriptions of a customer, ended ones too.
    pub async fn all_subscriptions(&self, customer: &CustomerId) -> Many<Subscription> {
        let filter = [("customer", customer.as_str()), ("status", "all")];
        self.list("subscriptions", &["subscriptions"], &filter, MOST).await
    }

    /// The next hundred of the account's subscriptions, ended ones too, from this one on; the list is complete
    /// with the last of them.
    pub async fn subscriptions_after(&self, after: Option<&SubscriptionId>) -> Many<Subscription> {
        let after = after.map(|after| ("starting_after", after.as_str()));
        let filter: Vec<_> = [("status", "all")].into_iter().chain(after).collect();
        self.list("subscriptions", &["subscriptions"], &filter, 100).await
    }

    /// A customer; one that was deleted comes back as such.
    pub async fn customer(&self, id: &CustomerId) -> One<Customer> {
        self.object("customers", &["customers", id.as_str()], &[]).await
    }

    /// A payment method.
    pub async fn payment_method(&self, id: &PaymentMethodId) -> One<PaymentMethod> {
        self.object("payment_methods", &["payment_methods", id.as_str()], &[]).await
    }

    /// The account that the key, or the scope, belongs to.
    pub async fn account(&self) -> One<Account> {
        self.object("account", &["account"], &[]).await
    }

    fn known<T: HasMetadata>(&self, read: Read<T>) -> Read<T> {
        match read {
            Read::Found(mut object) => {
                self.drop_metadata(&mut object);
                Read::Found(object)
            }
            Read::Gone => Read::Gone,
        }
    }

    fn all_known<T: HasMetadata>(&self, mut answer: Answer<Listed<T>>) -> Answer<Listed<T>> {
        answer.value.items.iter_mut().for_each(|object| self.drop_metadata(object));
        answer
    }

    fn drop_metadata(&self, object: &mut impl HasMetadata) {
        let (name, metadata) = object.metadata();
        let keys = self.readable.get(name);
        metadata.retain(|key, _| keys.is_some_and(|keys| keys.contains(key)));
    }
}
