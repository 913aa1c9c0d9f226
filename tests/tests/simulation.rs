//! Thirty days with everything that goes wrong: deliveries lost, doubled and out of order, a processor that is
//! down for six hours, vendors that fail, runs that are killed. At the end nothing was missed and nothing was
//! done twice.
//!
//! By default with few customers, so that it fits among the other tests; `SIMULATION=full` takes five thousand,
//! and `SIMULATION=N` takes N.
//!
//! `SIMULATION=400`, seed 7, on 2026-11-30 in 19 minutes of a debug build on a busy machine: 2,900 events set out, 58
//! lost, 300 doubled, 512 late, 23 runs killed; 30 drifts injected and found, 74 findings of deadlines. The sweeps took
//! 43,356 reads of Stripe and 15,952 requests to the tables for 29,725 things open in days 6 to 14, and 49,280 and
//! 28,833 for 39,335 in days 21 to 29. Five thousand customers were never run to the end.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    thread,
};

use domain::{
    Timestamp,
    event::case_kind,
    finding::{FindingKind, FindingRow},
};
use reconciler::Sweep;
use sandbox::{
    fault,
    stripe::Fault,
    world::{APPROVALS_TABLE, CASES_TABLE},
};
use serde_json::{Value, json};
use store::{Approvals, Cases, StepState};
use stories::{World, chaos::Dice};

/// How far time moves at once, in seconds.
const STEP: i64 = HOUR;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const DAYS: i64 = 30;
/// When the last drifts are injected: early enough that every customer is compared once more.
const INJECTED: i64 = 26 * DAY;

/// The processor is down for six hours.
const DOWN: std::ops::Range<i64> = 10 * DAY..10 * DAY + 6 * HOUR;

/// How many customers there are if nobody says.
const SMALL: usize = 40;

fn customers() -> usize {
    match std::env::var_os("SIMULATION") {
        None => SMALL,
        Some(size) if size == "full" => 5000,
        Some(size) => size.to_str().and_then(|size| size.parse().ok()).expect("`full` or a number"),
    }
}

/// What happens to a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Renew,
    /// The card declines from now on, and the subscription renews.
    Fail,
    /// The card is replaced, and the open invoice is tried again.
    Recover,
    Dispute,
    /// The dispute is answered in the Dashboard.
    Answer,
    RefundInDashboard,
    AskForRefund,
    /// The subscription ends, and access with it.
    Leave,
    /// Access is taken from a customer who pays.
    DriftAccess,
    /// The CRM says overdue of a customer who pays.
    DriftStatus,
    /// Access is given back to a customer who left.
    DriftServed,
}

struct Customer {
    id: String,
    method: String,
    subscription: String,
    invoice: String,
    dispute: Option<String>,
}

/// What is to be counted.
#[derive(Default)]
struct Tally {
    events: usize,
    lost: usize,
    doubled: usize,
    late: usize,
    killed: usize,
    /// Events until the last midnight.
    of_days: usize,
    /// Of each day.
    cost: Vec<Cost>,
}

/// What the sweeps of a time cost, and what was open then.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    /// Reads of Stripe.
    stripe: u64,
    /// Requests to the tables.
    tables: u64,
    /// Open cases, counted each hour.
    open: u64,
    /// Events, which each sweep reads once.
    events: u64,
}

struct Simulation {
    world: World,
    /// Hours from one run of the sweeps to the next. In an account it is one.
    every: i64,
    /// The sweeps' requests to the tables.
    requests: sandbox::Tally,
    dice: Dice,
    /// Decides which runs are killed; by itself, since that depends on real time.
    fate: Dice,
    customers: Vec<Customer>,
    /// What happens when, by the step.
    plan: BTreeMap<i64, Vec<(usize, Act)>>,
    /// Deliveries that are under way, by the step in which they arrive.
    under_way: BTreeMap<i64, Vec<Value>>,
    known: usize,
    injected: BTreeSet<String>,
    tally: Tally,
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {value}")).to_owned()
}

impl Simulation {
    async fn new(seed: u64, customers: usize) -> Self {
        let mut world = World::with_systems().await;
        let (tables, requests) = world.counted_tables();
        world.reconciler.processor.cases = Cases::new(tables.clone(), CASES_TABLE);
        world.reconciler.approvals = Approvals::new(tables, APPROVALS_TABLE);
        let mut simulation = Self {
            world,
            every: if customers <= SMALL { 6 } else { 1 },
            requests,
            dice: Dice(seed),
            fate: Dice(seed),
            customers: Vec::new(),
            plan: BTreeMap::new(),
            under_way: BTreeMap::new(),
            known: 0,
            injected: BTreeSet::new(),
            tally: Tally::default(),
        };
        for number in 0..customers {
            simulation.join(number);
        }
        simulation.world.sandbox.introduce_customers().unwrap();
        simulation
    }

    fn join(&mut self, number: usize) {
        let stripe = &self.world.sandbox.stripe;
        let mail = format!("canary-{number}@example.test");
        let id = text(&stripe.create_customer(&format!("Customer {number}"), &mail).unwrap(), "id");
        let method = text(&stripe.attach_card(&id, "pm_card_visa").unwrap(), "id");
        let subscription = stripe.subscribe(&id, 4900, "usd").unwrap();
        self.customers.push(Customer {
            id,
            method,
            invoice: text(&subscription, "latest_invoice"),
            subscription: text(&subscription, "id"),
            dispute: None,
        });
        let at = |dice: &mut Dice, from: i64, until: i64| {
            from + i64::try_from(dice.below(u64::try_from(until - from).unwrap())).unwrap()
        };
        let first = at(&mut self.dice, DAY, 20 * DAY);
        let mut plan = vec![(first, Act::Renew)];
        match number % 20 {
            0 | 1 => {
                plan.push((first + DAY, Act::Fail));
                plan.push((first + at(&mut self.dice, 2 * DAY, 4 * DAY), Act::Recover));
            }
            2 => plan.push((first + DAY, Act::Fail)),
            3 => plan.push((first + HOUR, Act::Dispute)),
            4 => {
                plan.push((first + HOUR, Act::Dispute));
                plan.push((first + 2 * DAY, Act::Answer));
            }
            5 => plan.push((first + DAY, Act::RefundInDashboard)),
            6 => plan.push((first + DAY, Act::AskForRefund)),
            7 | 8 => {
                plan.push((first + DAY, Act::Leave));
                if number % 40 == 7 {
                    plan.push((INJECTED, Act::DriftServed));
                }
            }
            9 if number % 40 == 9 => plan.push((INJECTED, Act::DriftAccess)),
            10 if number % 40 == 10 => plan.push((INJECTED, Act::DriftStatus)),
            _ => {
                plan.push((at(&mut self.dice, 20 * DAY, 25 * DAY), Act::Renew));
                plan.push((at(&mut self.dice, 25 * DAY, 29 * DAY), Act::Renew));
            }
        }
        for (at, act) in plan {
            self.plan.entry(at / STEP).or_default().push((number, act));
        }
    }

    fn act(&mut self, number: usize, act: Act) {
        let stripe = &self.world.sandbox.stripe;
        let who = &mut self.customers[number];
        match act {
            Act::Renew => {
                who.invoice = text(&stripe.renew(&who.subscription).unwrap().unwrap(), "id");
            }
            Act::Fail => {
                stripe.card_becomes(&who.method, "pm_card_decline_insufficient_funds").unwrap();
                who.invoice = text(&stripe.renew(&who.subscription).unwrap().unwrap(), "id");
            }
            Act::Recover => {
                stripe.update_card(&who.method, "pm_card_visa").unwrap();
                stripe.retry_invoice(&who.invoice).unwrap();
            }
            Act::Dispute => {
                let charge = stripe.charge_of(&who.invoice).unwrap();
                let due = self.world.clock.seconds() + 6 * DAY;
                let dispute = stripe.open_dispute(&charge, "fraudulent", 4900, due).unwrap();
                who.dispute = Some(text(&dispute, "id"));
            }
            Act::Answer => {
                let path = format!("/v1/disputes/{}", who.dispute.as_ref().unwrap());
                stripe.request("POST", &path, "evidence[uncategorized_text]=Used&submit=true").unwrap();
            }
            Act::RefundInDashboard => {
                let charge = stripe.charge_of(&who.invoice).unwrap();
                stripe.refund(&charge, Some(100), "duplicate").unwrap();
            }
            Act::AskForRefund => {
                let path = format!("/v1/charges/{}", stripe.charge_of(&who.invoice).unwrap());
                stripe.request("POST", &path, "metadata[refund_request]=duplicate:100").unwrap();
            }
            Act::Leave => {
                stripe.delete_subscription(&who.subscription).unwrap();
                self.access(number, false);
            }
            Act::DriftAccess => self.inject(number, "access_off"),
            Act::DriftStatus => self.inject(number, "marked_overdue"),
            Act::DriftServed => self.inject(number, "served_after_end"),
        }
    }

    fn inject(&mut self, number: usize, what: &str) {
        let id = self.customers[number].id.clone();
        match what {
            "access_off" => self.access(number, false),
            "served_after_end" => self.access(number, true),
            _ => {
                let overdue = json!({ "payment_status": "overdue" }).as_object().cloned().unwrap();
                self.world.sandbox.hubspot.seed(&[(&id, overdue)]).unwrap();
            }
        }
        self.injected.insert(format!("drift:{what}:{id}"));
    }

    fn access(&self, number: usize, on: bool) {
        let (id, application) = (&self.customers[number].id, &self.world.sandbox.application);
        let mut known = application.customer(id).unwrap().known;
        known["entitlements"][0]["active"] = on.into();
        application.seed(id, known).unwrap();
    }

    /// New events set out: 2 of 100 never arrive, 10 come twice, 20 come late.
    fn send(&mut self, step: i64) {
        let new = self.world.sandbox.stripe.events_after(self.known);
        self.known += new.len();
        for event in new {
            if case_kind(event["type"].as_str().unwrap()).is_none() {
                continue;
            }
            self.tally.events += 1;
            if self.dice.below(100) < 2 {
                self.tally.lost += 1;
                continue;
            }
            if self.dice.below(100) < 10 {
                self.tally.doubled += 1;
                let later = step + i64::try_from(self.dice.below(24)).unwrap();
                self.under_way.entry(later).or_default().push(event.clone());
            }
            let mut arrives = step;
            if self.dice.below(100) < 20 {
                self.tally.late += 1;
                arrives += 1 + i64::try_from(self.dice.below(4)).unwrap();
            }
            self.under_way.entry(arrives).or_default().push(event);
        }
    }

    /// Vendors fail for a time, at most an hour each.
    fn outages(&self, time: i64) {
        let (sandbox, begins) = (&self.world.sandbox, |day: i64| time == day * DAY);
        if begins(5) || begins(16) {
            // Few, since each costs the tries of a client, in real time.
            sandbox.stripe.fault(Fault::ServerError { commits: false }, "GET /v1/", 24);
        }
        if begins(8) {
            sandbox.hubspot.fail("POST /crm/v3/objects/tasks", fault::Fault::ServerError, 12);
        }
        if begins(12) {
            sandbox.application.fail("GET /customers", fault::Fault::ServerError, 12);
        }
        if [5, 16].iter().any(|day| time == day * DAY + HOUR) {
            sandbox.stripe.clear_faults();
        }
    }

    async fn step(&mut self, step: i64) {
        let time = step * STEP;
        for (number, act) in self.plan.remove(&step).unwrap_or_default() {
            self.act(number, act);
        }
        self.send(step);
        self.outages(time);
        let mut deliveries = self.under_way.remove(&step).unwrap_or_default();
        self.dice.shuffle(&mut deliveries);
        for event in deliveries {
            assert_eq!(self.world.deliver(&event).await, 200);
        }
        if !DOWN.contains(&time) {
            let (dice, tally) = (&mut self.fate, &mut self.tally);
            let mut fate = || (dice.below(40) == 0).then(|| 1 + u32::try_from(dice.below(300)).unwrap());
            self.world.work(|| fate().inspect(|_| tally.killed += 1)).await;
        }
        self.world.work_approvals(|| None).await;
        if step % self.every == 0 {
            self.sweep(time).await;
        }
        self.world.wait(u64::try_from(STEP).unwrap());
    }

    /// The sweeps. One that fails because a vendor does is left to the next run.
    async fn sweep(&mut self, time: i64) {
        let stripe = || self.world.reconciler.processor.stripe.requests();
        let before = stripe();
        self.requests.take();
        // Few customers are compared all at once, so it suffices twice a day.
        let drift = (self.every == 1 || time % (DAY / 2) == 0).then_some(Sweep::Drift);
        for sweep in [
            Sweep::Events,
            Sweep::Steps,
            Sweep::Cases,
            Sweep::Deadlines,
            Sweep::Approvals,
            Sweep::Writes,
            Sweep::Coexistence,
            Sweep::Dead,
        ]
        .into_iter()
        .chain(drift)
        {
            let activation = reconciler::Activation { sweep };
            let ran = reconciler::handle(&self.world.reconciler, activation).await;
            if let (Err(error), false) = (&ran, Self::is_outage(time)) {
                panic!("{sweep:?} on day {}: {error:#}", time / DAY);
            }
        }
        let tables: u64 = self.requests.take().values().sum();
        let open = self.world.cases().open_cases(100_000).await.unwrap().rows.len();
        let day = usize::try_from(time / DAY).unwrap();
        if self.tally.cost.len() <= day {
            self.tally.cost.push(Cost::default());
        }
        let cost = &mut self.tally.cost[day];
        cost.stripe += stripe() - before;
        cost.tables += tables;
        cost.open += open as u64;
        cost.events = (self.tally.events - self.tally.of_days) as u64;
        if time % DAY >= DAY - self.every * HOUR {
            self.tally.of_days = self.tally.events;
        }
    }

    fn is_outage(time: i64) -> bool {
        [5, 8, 12, 16].iter().any(|day| (day * DAY..day * DAY + 2 * HOUR).contains(&time))
    }

    async fn run(&mut self) {
        for step in 0..DAYS * DAY / STEP {
            self.step(step).await;
            if self.every == 1 && (step + 1) * STEP % DAY == 0 {
                println!("day {}: {} events", (step + 1) * STEP / DAY, self.tally.events);
            }
        }
        // What is still under way arrives, and the hours after it.
        let last = DAYS * DAY / STEP;
        for step in last..last + 30 {
            self.step(step).await;
        }
    }

    /// What must hold at the end; the answer says how it ended, the same for the same seed.
    async fn end(&self) -> String {
        let all = self.world.everything().await;
        let outcomes: BTreeMap<&str, bool> =
            all.events.iter().map(|row| (row.id.as_str(), row.outcome.is_some())).collect();
        let mut handled = 0;
        for event in self.world.handled_events() {
            handled += 1;
            let id = event["id"].as_str().unwrap();
            assert_eq!(outcomes.get(id), Some(&true), "{id} {} has no outcome", event["type"]);
        }
        assert_eq!(self.world.dead(), 0, "{}", self.world.queue_bodies());
        assert!(all.unreadable.is_empty() && all.is_settled());

        for row in &all.steps {
            assert!(matches!(row.state, StepState::Done { .. }), "{row:?}");
        }
        let mut said: BTreeMap<String, usize> = BTreeMap::new();
        for message in self.world.sandbox.slack.messages() {
            let Some(metadata) = &message.metadata else { continue };
            if metadata["event_type"] == "countersign_step" {
                *said.entry(text(&metadata["event_payload"], "key")).or_default() += 1;
            }
        }
        assert!(said.values().all(|times| *times == 1), "a message was doubled");
        for kind in ["tasks", "notes"] {
            let keys: Vec<String> = self
                .world
                .sandbox
                .hubspot
                .entries(kind)
                .iter()
                .map(|entry| entry.properties["countersign_key"].to_string())
                .collect();
            assert_eq!(keys.len(), keys.iter().collect::<BTreeSet<_>>().len(), "{kind} are doubled");
        }
        self.deadlines(&all.findings);

        let drift = |row: &&FindingRow| row.finding.kind == FindingKind::Drift;
        let found: BTreeSet<String> = all.findings.iter().filter(drift).map(|row| row.finding.id()).collect();
        assert_eq!(found, self.injected, "every injected drift is found, and no other");
        assert!(all.findings.iter().filter(drift).all(|row| row.times == 1), "each once");

        let mut buckets: BTreeMap<&str, usize> = BTreeMap::new();
        for case in &all.cases {
            *buckets.entry(case.classification.bucket.as_str()).or_default() += 1;
        }
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for row in &all.findings {
            *kinds.entry(row.finding.kind.as_str()).or_default() += 1;
        }
        let refunds = self.plan_of(Act::RefundInDashboard);
        assert!(kinds.get("external_write").copied().unwrap_or_default() >= refunds, "{kinds:?}");
        format!("{handled} events, cases {buckets:?}, findings {kinds:?}")
    }

    fn plan_of(&self, act: Act) -> usize {
        let role = if act == Act::RefundInDashboard { 5 } else { 3 };
        (0..self.customers.len()).filter(|number| number % 20 == role).count()
    }

    /// Every dispute that nobody answered was called out before its deadline.
    fn deadlines(&self, findings: &[FindingRow]) {
        let now = self.world.clock.seconds();
        for dispute in self.world.sandbox.stripe.objects("dispute") {
            let due = dispute["evidence_details"]["due_by"].as_i64().unwrap();
            if dispute["status"] != "needs_response" || due > now {
                continue;
            }
            let id = dispute["id"].as_str().unwrap();
            for what in ["backup", "last_call", "passed"] {
                let row = findings.iter().find(|row| row.finding.id() == format!("deadline:{what}:{id}"));
                let told = || findings.iter().filter(|row| row.finding.subject == id).collect::<Vec<_>>();
                let row = row.unwrap_or_else(|| panic!("{id}, due {due}: no {what} among {:#?}", told()));
                assert_eq!(row.told < Timestamp::from_seconds(due), what != "passed", "{id}: {what}");
            }
        }
    }

    /// The cost of the sweeps follows what is open, what happened since the last one, and the round: for as
    /// much of these as in the second week it does not grow in the fourth, when history is twice as long.
    fn cost(&self) -> String {
        // A round's worth of customers is compared at a time.
        let round = self.customers.len().min(100) as u64 * if self.every == 1 { 24 } else { 2 };
        let part = |days: std::ops::Range<usize>| {
            let mut all = Cost::default();
            for day in &self.tally.cost[days] {
                all.stripe += day.stripe;
                all.tables += day.tables;
                all.open += day.open + day.events + round;
            }
            all
        };
        let (early, late) = (part(6..14), part(21..29));
        for (what, early_cost, late_cost) in
            [("Stripe", early.stripe, late.stripe), ("the tables", early.tables, late.tables)]
        {
            // Half as much again for the same would be growth with history.
            assert!(
                2 * late_cost * early.open < 3 * early_cost * late.open,
                "{what}: {early:?} became {late:?}"
            );
        }
        format!(
            "sweeps: {} reads of Stripe and {} requests to the tables for {} things open in days 6 to 14, {} and {} for {} \
             in days 21 to 29",
            early.stripe, early.tables, early.open, late.stripe, late.tables, late.open
        )
    }

    fn figures(&self, end: &str) -> String {
        let Tally { events, lost, doubled, late, killed, .. } = &self.tally;
        let mut text = String::new();
        let _ = writeln!(text, "{} customers, {DAYS} days: {end}", self.customers.len());
        let _ = writeln!(
            text,
            "{events} set out: {lost} lost, {doubled} doubled, {late} late; {killed} runs killed"
        );
        let _ = writeln!(text, "{} drifts injected and found; {}", self.injected.len(), self.cost());
        text
    }
}

/// Runs it to the end and says how it ended.
fn run(customers: usize) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut simulation = Simulation::new(7, customers).await;
        simulation.run().await;
        let end = simulation.end().await;
        println!("{}", simulation.figures(&end));
        end
    })
}

#[test]
fn thirty_days_of_misfortune_lose_nothing_double_nothing_and_end_the_same_for_the_same_seed() {
    let size = customers();
    let again = (size <= SMALL).then(|| thread::spawn(move || run(size)));
    let end = run(size);
    if let Some(again) = again {
        assert_eq!(again.join().unwrap(), end, "the same seed, the same end");
    }
}
