//! One proposal: request × votes × claim × crash × retry × settlement.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
};

use domain::{
    AccountId, ChargeId, Currency, Digest, Money, PersonId, ProposalId, RunId, Timestamp,
    approval::{
        Action, Around, Decision, Grant, Identity, Ineligible, Method, Move, NoGrant, Operation, Person,
        PersonKind, Proposal, Receipt, ReceiptBody, ReceiptKeys, ReceiptSigner, RefundReason, Stage,
        idempotency_key,
    },
};

const START: Timestamp = Timestamp::from_seconds(1_790_000_000);
/// The last point in time: the proposal ends at the third.
const LAST: i64 = 4;
const LIFE: i64 = 3;
/// A run that took over holds for one point in time.
const LEASE: i64 = 1;
const REQUESTER: &str = "requester";
const PEOPLE: [&str; 3] = [REQUESTER, "one", "two"];
const NEED: u8 = 2;

/// What a broken implementation would leave out; the exploration has to notice each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// A claim counts rows instead of receipts.
    ClaimsWithoutGrant,
    /// The requester's signature counts.
    RequesterCounts,
    /// Whoever takes over sends again without looking, under a new key.
    NewKeyForEachTry,
    /// A settled proposal can be claimed again.
    ClaimsAgain,
    /// Somebody who was removed still counts.
    RemovedCounts,
}

/// Everything that the protocol's next step depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    now: i64,
    proposal: Kept,
    votes: BTreeMap<&'static str, bool>,
    removed: BTreeSet<&'static str>,
    /// Whether Stripe's object moved since it was proposed.
    moved: bool,
    frozen: bool,
    /// A run between its claim and its settlement: what it has done so far. A crash forgets it.
    run: Option<Run>,
    /// What Stripe did, by idempotency key.
    done: BTreeSet<String>,
    /// Whether an honest recount allowed the latest claim: not part of the protocol, only watched.
    authorized: bool,
}

/// The stage, kept comparable.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept(Stage);

impl std::hash::Hash for Kept {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        format!("{:?}", self.0).hash(state);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Run {
    /// It holds the claim and has sent nothing yet.
    Claimed { key: String },
    /// It has sent, and Stripe may have done it.
    Sent { key: String },
}

/// Everything that stays the same.
struct Setting {
    action: Action,
    signer: ReceiptSigner,
    keys: ReceiptKeys,
    broken: Broken,
    /// Signatures cost time, and the same votes come again and again.
    recounts: RefCell<HashMap<Counted, Option<Grant>>>,
}

/// What a recount depends on.
type Counted = (BTreeMap<&'static str, bool>, BTreeSet<&'static str>);

impl Setting {
    fn new(broken: Broken) -> Self {
        let signer = ReceiptSigner::new("r1", &[7; 32]).unwrap();
        let keys = ReceiptKeys::new([signer.public()]);
        let usd = Currency::parse("usd").unwrap();
        let action = Action {
            proposal: ProposalId::parse("ap_1").unwrap(),
            account: AccountId::parse("acct_1").unwrap(),
            livemode: false,
            operation: Operation::Refund {
                charge: ChargeId::parse("ch_1").unwrap(),
                amount: Money::new(1999, usd),
                reason: RefundReason::Duplicate,
            },
            metadata: BTreeMap::new(),
            snapshot: Digest::of("snapshot"),
            requester: id(REQUESTER),
            source: None,
            customer_text: Digest::of(""),
            policy: "policy-1".into(),
            need: NEED,
            created: START,
            expires: START.plus(LIFE),
        };
        Self { action, signer, keys, broken, recounts: RefCell::default() }
    }

    fn receipt(&self, who: &str, approve: bool) -> Receipt {
        self.signer.sign(ReceiptBody {
            id: format!("rc_{who}"),
            proposal: self.action.proposal.clone(),
            digest: self.action.digest(),
            decision: if approve { Decision::Approve } else { Decision::Deny },
            voter: Identity { team: "T".into(), user: who.into() },
            method: Method::Oidc,
            at: START,
        })
    }

    /// The recount, as an execution makes it.
    fn grant(&self, world: &World) -> Option<Grant> {
        let counted = (world.votes.clone(), world.removed.clone());
        let mut recounts = self.recounts.borrow_mut();
        recounts.entry(counted).or_insert_with(|| self.recount(world).ok()).clone()
    }

    fn recount(&self, world: &World) -> Result<Grant, NoGrant> {
        let receipts: Vec<Receipt> =
            world.votes.iter().map(|(who, approve)| self.receipt(who, *approve)).collect();
        let voter = |receipt: &Receipt, action: &Action| -> Result<PersonId, Ineligible> {
            let who = receipt.body.voter.user.as_str();
            let removed = world.removed.contains(who) && self.broken != Broken::RemovedCounts;
            let person = person(who, !removed);
            if who == REQUESTER && self.broken == Broken::RequesterCounts {
                return Ok(id("somebody-else"));
            }
            person.may_sign(action, &Around::default()).map(|()| person.id)
        };
        Grant::issue(&self.action, self.action.digest(), &receipts, &self.keys, &voter, NEED)
    }
}

fn id(text: &str) -> PersonId {
    PersonId::parse(text).unwrap()
}

fn person(who: &str, active: bool) -> Person {
    Person {
        id: id(who),
        name: who.into(),
        identities: vec![Identity { team: "T".into(), user: who.into() }],
        groups: vec!["finance".into()],
        kind: PersonKind::Member,
        active,
        emails: Vec::new(),
        limits: BTreeMap::new(),
    }
}

impl World {
    fn start() -> Self {
        Self {
            now: 0,
            proposal: Kept(Stage::Pending),
            votes: BTreeMap::new(),
            removed: BTreeSet::new(),
            moved: false,
            frozen: false,
            run: None,
            done: BTreeSet::new(),
            authorized: false,
        }
    }

    fn at(&self) -> Timestamp {
        START.plus(self.now)
    }

    fn proposal(&self, setting: &Setting) -> Proposal {
        Proposal { stage: self.proposal.0.clone(), ..Proposal::new(setting.action.clone()) }
    }

    fn with(&self, stage: Stage) -> Self {
        Self { proposal: Kept(stage), ..self.clone() }
    }

    /// Every state that one step leads to.
    fn next(&self, setting: &Setting) -> Vec<Self> {
        let mut all = Vec::new();
        self.world_moves(&mut all);
        self.people_move(setting, &mut all);
        self.runs_move(setting, &mut all);
        all
    }

    /// Time passes, Stripe moves, somebody is removed, the freeze is turned, a run dies.
    fn world_moves(&self, all: &mut Vec<Self>) {
        if self.now < LAST {
            all.push(Self { now: self.now + 1, ..self.clone() });
        }
        if !self.moved {
            all.push(Self { moved: true, ..self.clone() });
        }
        all.push(Self { frozen: !self.frozen, ..self.clone() });
        if !self.removed.contains("one") {
            let removed = self.removed.iter().copied().chain(["one"]).collect();
            all.push(Self { removed, ..self.clone() });
        }
        if self.run.is_some() {
            all.push(Self { run: None, ..self.clone() });
        }
    }

    /// Votes, denials, withdrawal, expiry, and a person who looked.
    fn people_move(&self, setting: &Setting, all: &mut Vec<Self>) {
        let proposal = self.proposal(setting);
        for who in PEOPLE {
            let open = proposal.is_open(self.at()) && !self.votes.contains_key(who);
            if !open {
                continue;
            }
            // A forged row can hold anybody's vote, the requester's too; the recount has to see to it.
            if !self.frozen {
                let mut voted = self.clone();
                voted.votes.insert(who, true);
                all.push(voted);
            }
            if let Ok(stage) = proposal.after(Move::Deny { by: id(who), at: self.at() }) {
                let mut denied = self.with(stage);
                denied.votes.insert(who, false);
                all.push(denied);
            }
        }
        for next in [
            Move::Withdraw { by: id(REQUESTER), at: self.at() },
            Move::Expire { at: self.at() },
            Move::Resolve { done: true, saw: "re_1".into(), at: self.at() },
            Move::Resolve { done: false, saw: "nothing".into(), at: self.at() },
        ] {
            // Who looks finds what Stripe has, before their word counts.
            let found = !self.done.is_empty();
            let said_done = matches!(next, Move::Resolve { done: true, .. });
            if matches!(next, Move::Resolve { .. }) && (said_done != found || self.run.is_some()) {
                continue;
            }
            all.extend(proposal.after(next).ok().map(|stage| Self { run: None, ..self.with(stage) }));
        }
    }

    /// A claim, a take-over, a call, a settlement.
    fn runs_move(&self, setting: &Setting, all: &mut Vec<Self>) {
        let proposal = self.proposal(setting);
        let key = |tries: u32| {
            let step =
                if setting.broken == Broken::NewKeyForEachTry { u8::try_from(tries).unwrap() } else { 0 };
            idempotency_key(&setting.action.proposal, proposal.digest, step)
        };
        let run = || RunId::parse("run").unwrap();
        let lease = self.at().plus(LEASE);
        // Claim.
        let granted = setting.grant(self);
        let settled_again = setting.broken == Broken::ClaimsAgain && self.proposal.0.is_final();
        let claimed = match granted {
            Some(grant) if !self.frozen => {
                let claim = Move::Claim { grant: Box::new(grant), run: run(), at: self.at(), lease };
                let from = if settled_again {
                    Proposal { stage: Stage::Pending, ..proposal.clone() }
                } else {
                    proposal.clone()
                };
                from.after(claim).ok()
            }
            _ if setting.broken == Broken::ClaimsWithoutGrant
                && self.proposal.0 == Stage::Pending
                && self.votes.len() >= usize::from(NEED) =>
            {
                Some(executing(lease, self.at()))
            }
            _ => None,
        };
        if let Some(stage) = claimed {
            let key = if settled_again { "ap1_again".to_owned() } else { key(1) };
            all.push(Self { run: Some(Run::Claimed { key }), ..self.with(stage) });
        }
        match &self.run {
            Some(Run::Claimed { .. }) if self.moved => {
                let void = Move::Void { moved: "it moved".into(), at: self.at() };
                all.extend(proposal.after(void).ok().map(|stage| Self { run: None, ..self.with(stage) }));
            }
            Some(Run::Claimed { key }) => {
                // The call is lost on its way, or Stripe does it: once for each key.
                all.push(Self { run: Some(Run::Sent { key: key.clone() }), ..self.clone() });
                let mut done = self.clone();
                done.done.insert(key.clone());
                done.run = Some(Run::Sent { key: key.clone() });
                all.push(done);
            }
            Some(Run::Sent { key }) => {
                let unknown = Move::LoseSight { why: "no answer".into() };
                all.extend(proposal.after(unknown).ok().map(|stage| Self { run: None, ..self.with(stage) }));
                let answer = if self.done.contains(key) {
                    Move::Confirm { effect: "re_1".into(), request: None, at: self.at() }
                } else {
                    Move::Refuse { code: "refused".into(), at: self.at() }
                };
                all.extend(proposal.after(answer).ok().map(|stage| Self { run: None, ..self.with(stage) }));
            }
            None => self.take_over(setting, &proposal, &key, all),
        }
    }

    /// Another run takes over what a dead one left, and looks first.
    fn take_over(
        &self,
        setting: &Setting,
        proposal: &Proposal,
        key: &impl Fn(u32) -> String,
        all: &mut Vec<Self>,
    ) {
        let (run, lease) = (RunId::parse("run").unwrap(), self.at().plus(LEASE));
        let Ok(stage) = proposal.after(Move::Reclaim { run, at: self.at(), lease }) else { return };
        let Stage::Executing(attempt) = &stage else { return };
        // Leases end with the time of this model, so there are few take-overs.
        if attempt.tries > 3 {
            return;
        }
        let held = self.with(stage.clone());
        let looks = setting.broken != Broken::NewKeyForEachTry;
        if looks && !self.done.is_empty() {
            let confirm = Move::Confirm { effect: "re_1".into(), request: None, at: self.at() };
            let found = held.proposal(setting).after(confirm).unwrap();
            all.push(held.with(found));
        } else if !self.frozen && !self.moved && setting.grant(self).is_some() {
            all.push(Self { run: Some(Run::Claimed { key: key(attempt.tries) }), ..held });
        } else {
            let unknown = Move::LoseSight { why: "people look".into() };
            all.extend(held.proposal(setting).after(unknown).ok().map(|stage| held.with(stage)));
        }
    }

    /// What must hold in every state.
    fn check(&self) -> Result<(), &'static str> {
        if self.done.len() > 1 {
            return Err("I2: it was done twice");
        }
        if !self.done.is_empty() && !self.authorized {
            return Err("I1: it was done without enough signatures");
        }
        if matches!(self.proposal.0, Stage::Failed { .. } | Stage::Denied { .. }) && !self.done.is_empty() {
            return Err("it was done, and is recorded as not done");
        }
        Ok(())
    }
}

fn executing(lease: Timestamp, first: Timestamp) -> Stage {
    Stage::Executing(domain::approval::Attempt {
        run: RunId::parse("run").unwrap(),
        lease,
        first,
        tries: 1,
        unknown: None,
    })
}

/// Walks through every state; how many there are, or the first that must not be.
fn explore(broken: Broken) -> Result<usize, String> {
    let (setting, honest) = (Setting::new(broken), Setting::new(Broken::Nothing));
    let start = World::start();
    let mut seen: HashSet<World> = [start.clone()].into();
    let mut queue: VecDeque<World> = [start].into();
    while let Some(world) = queue.pop_front() {
        for mut next in world.next(&setting) {
            if world.run.is_none() && matches!(next.run, Some(Run::Claimed { .. })) {
                next.authorized = honest.grant(&world).is_some();
            }
            next.check().map_err(|what| format!("{what}: {next:?}"))?;
            if seen.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    Ok(seen.len())
}

#[test]
fn in_every_reachable_state_nothing_is_done_unsigned_or_twice() {
    let states = explore(Broken::Nothing).unwrap();
    println!("{states} states");
    assert!(states > 1000, "the model is not trivial: {states} states");
}

#[test]
fn each_condition_that_is_left_out_is_noticed() {
    for (broken, invariant) in [
        (Broken::ClaimsWithoutGrant, "I1"),
        (Broken::RequesterCounts, "I1"),
        (Broken::RemovedCounts, "I1"),
        (Broken::NewKeyForEachTry, "I2"),
        (Broken::ClaimsAgain, "I2"),
    ] {
        let found = explore(broken).expect_err("a broken protocol reaches a state that must not be");
        assert!(found.starts_with(invariant), "{broken:?}: {found}");
    }
}
