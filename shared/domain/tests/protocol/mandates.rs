//! Mandates: two requests × their own votes × the mandate's votes × its standing × two runs that read
//! before they write × crash × retry × reissue × settlement. Every move is made by the functions that
//! production uses; what they answered is remembered, since the same questions come again and again.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    hash::Hash,
};

use domain::{
    AccountId, Digest, PersonId, ProposalId, RuleId, RunId, SubscriptionId, Timestamp,
    approval::{
        Action, Attempt, Decision, End, Grant, Identity, Ineligible, Mandate, Method, Move, Operation,
        PauseBehavior, Proposal, Receipt, ReceiptBody, ReceiptKeys, ReceiptSigner, ReversibleOperation,
        Stage, Standing, Terms, Use,
    },
};

/// Midnight in UTC.
const START: i64 = 1_789_948_800;
/// Half a day: the third point in time is another day.
const TICK: i64 = 43_200;
const LAST: u8 = 3;
/// Until when mandate and requests live, in ticks.
const LIFE: i64 = 3;
const RULE: &str = "rule";
/// Who asks for everything, and whose signature a forged row can hold.
const ASKER: u8 = 1;
const ONE: u8 = 2;
const TWO: u8 = 4;
const NAMES: [(u8, &str); 3] = [(ASKER, "asker"), (ONE, "one"), (TWO, "two")];
const POLICIES: [&str; 2] = ["policy-1", "policy-2"];

/// What a broken implementation would leave out; the exploration has to notice each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// The mandate's row counts, and nobody recounts who signed it.
    TrustsTheRow,
    /// The asker's signature under the mandate counts.
    AskerCounts,
    /// Whoever was removed since still counts.
    RemovedCounts,
    /// A mandate goes on under another policy.
    IgnoresThePolicy,
    /// A claim does not ask whether the mandate was used or ended since it was read.
    CountsWithoutCondition,
    /// A claim does not ask for the freeze.
    IgnoresTheFreeze,
    /// Whoever takes over sends again without looking, under a new key.
    NewKeyForEachTry,
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    /// Nobody asked yet.
    Absent,
    Pending,
    /// Until when its lease runs, how many runs took it, and whether the outcome is unknown.
    Executing {
        lease: u8,
        tries: u8,
        unknown: bool,
    },
    Executed,
    Failed,
    Denied,
    Over,
}

/// What a run has done so far. A crash forgets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Run {
    None,
    /// It has read everything and will try to claim: under the mandate or not, whether the mandate moved
    /// since, and whether an honest recount permits it. Where the request itself moves, the claim's
    /// condition fails, and the run is gone.
    Read {
        under: bool,
        overtaken: bool,
        honest: bool,
    },
    /// It holds the claim and has sent nothing yet.
    Claimed {
        key: u8,
    },
    /// It has sent, and Stripe may have done it.
    Sent {
        key: u8,
    },
}

/// One request, with the run at work on it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Request {
    phase: Phase,
    /// Whether people were asked: then no mandate reaches it.
    asked: bool,
    /// Who approved it.
    votes: u8,
    /// Whether it was proposed anew, since Stripe moved on.
    reissued: bool,
    /// Whether Stripe's object moved since it was proposed.
    moved: bool,
    /// Whether its execution began under the mandate.
    under: bool,
    run: Run,
    /// What Stripe did, by key.
    done: u8,
    /// Watched, and not part of the protocol: whether the latest claim was honest.
    authorized: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stands {
    /// There is none.
    No,
    /// The day of the latest use, and how many there were on it.
    Live {
        day: u8,
        used: u8,
    },
    Ended,
}

/// Everything that the protocol's next step depends on.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct World {
    now: u8,
    frozen: bool,
    /// Whether another policy counts now.
    changed: bool,
    /// Whether `ONE` is gone.
    removed: bool,
    /// Who signed the mandate.
    signed: u8,
    /// Whether its proposal was settled.
    granted: bool,
    mandate: Stands,
    requests: [Request; 2],
    /// Watched: uses on each of the two days, and whether one came after the end.
    uses: [u8; 2],
    after_the_end: bool,
}

/// Questions to production's functions, and what they answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Question {
    /// Whether those who signed the mandate grant it.
    Quorum { signed: u8, removed: bool },
    /// Whether the mandate permits a request, and how it stands then; one that was counted is not again.
    Permit {
        signed: u8,
        removed: bool,
        changed: bool,
        stands: Stands,
        now: u8,
        asker_counts: bool,
        which: u8,
        counted: bool,
    },
    /// Whether those who approved a request grant it.
    Votes { votes: u8, removed: bool, which: u8, reissued: bool },
    /// Where a request stands after a move.
    Moved { phase: Phase, step: Step, now: u8 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Claim,
    Reclaim,
    Confirm,
    Refuse,
    LoseSight,
    Deny,
    Void,
    Expire,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    No,
    Yes,
    Stands(Stands),
    Phase(Phase),
}

struct Setting {
    broken: Broken,
    signer: ReceiptSigner,
    keys: ReceiptKeys,
    answers: RefCell<HashMap<Question, Answer>>,
}

fn at(now: u8) -> Timestamp {
    Timestamp::from_seconds(START).plus(i64::from(now) * TICK)
}

fn day(now: u8) -> u8 {
    now / 2
}

fn id(text: &str) -> PersonId {
    PersonId::parse(text).unwrap()
}

fn run() -> RunId {
    RunId::parse("run").unwrap()
}

fn action(proposal: &str, operation: Operation, need: u8) -> Action {
    Action {
        proposal: ProposalId::parse(proposal).unwrap(),
        account: AccountId::parse("acct_1").unwrap(),
        livemode: false,
        operation,
        metadata: BTreeMap::new(),
        snapshot: Digest::of("snapshot"),
        requester: id("asker"),
        source: None,
        customer_text: Digest::of(""),
        policy: POLICIES[0].into(),
        need,
        created: at(0),
        expires: at(0).plus(LIFE * TICK),
    }
}

fn terms() -> Terms {
    Terms {
        rule: RuleId::parse(RULE).unwrap(),
        allows: ReversibleOperation::PauseCollection,
        per_day: 1,
        until: at(0).plus(LIFE * TICK),
    }
}

fn granting() -> Action {
    action("ap_mandate", Operation::GrantMandate(terms()), 2)
}

fn pause(which: u8, reissued: bool) -> Action {
    let operation = Operation::PauseCollection {
        subscription: SubscriptionId::parse(format!("sub_{which}")).unwrap(),
        behavior: PauseBehavior::KeepAsDraft,
        resumes_at: None,
    };
    action(&format!("ap_{which}{}", u8::from(reissued)), operation, 1)
}

impl Setting {
    fn new(broken: Broken) -> Self {
        let signer = ReceiptSigner::new("r1", &[7; 32]).unwrap();
        let keys = ReceiptKeys::new([signer.public()]);
        Self { broken, signer, keys, answers: RefCell::default() }
    }

    fn ask(&self, question: Question) -> Answer {
        if let Some(known) = self.answers.borrow().get(&question) {
            return *known;
        }
        let answer = self.answer(question);
        self.answers.borrow_mut().insert(question, answer);
        answer
    }

    fn answer(&self, question: Question) -> Answer {
        match question {
            Question::Quorum { signed, removed } => {
                yes(self.recount(&granting(), signed, removed, false).is_some())
            }
            Question::Votes { votes, removed, which, reissued } => {
                yes(self.recount(&pause(which, reissued), votes, removed, false).is_some())
            }
            Question::Permit { signed, removed, changed, stands, now, asker_counts, which, counted } => {
                let Some(quorum) = self.recount(&granting(), signed, removed, asker_counts) else {
                    return Answer::No;
                };
                let Some(mandate) = mandate(&quorum, stands) else { return Answer::No };
                let request = pause(which, false);
                let permitted = mandate.permit(
                    &quorum,
                    &Use {
                        action: &request,
                        digest: request.digest(),
                        rules: &[RULE.to_owned()].into(),
                        policy: POLICIES[usize::from(changed)],
                        may_sign: &|_| true,
                        need: 1,
                        now: at(now),
                    },
                );
                let after = if counted { Ok(mandate.clone()) } else { mandate.used(at(now)) };
                match permitted.and(after) {
                    Ok(after) => Answer::Stands(compact(&after.standing)),
                    Err(_) => Answer::No,
                }
            }
            Question::Moved { phase, step, now } => moved(phase, step, now),
        }
    }

    /// The recount of the receipts of those who signed, as an execution makes it.
    fn recount(&self, action: &Action, signed: u8, removed: bool, asker_counts: bool) -> Option<Grant> {
        let receipts: Vec<Receipt> = NAMES
            .iter()
            .filter(|(bit, _)| signed & bit != 0)
            .map(|(_, who)| {
                self.signer.sign(ReceiptBody {
                    id: format!("rc_{who}"),
                    proposal: action.proposal.clone(),
                    digest: action.digest(),
                    decision: Decision::Approve,
                    voter: Identity { team: "T".into(), user: (*who).into() },
                    method: Method::Oidc,
                    at: at(0),
                })
            })
            .collect();
        let voter = |receipt: &Receipt, action: &Action| {
            let who = receipt.body.voter.user.as_str();
            if who == "one" && removed {
                return Err(Ineligible::Inactive);
            }
            if id(who) == action.requester {
                return if asker_counts { Ok(id("somebody-else")) } else { Err(Ineligible::Requester) };
            }
            Ok(id(who))
        };
        Grant::issue(action, action.digest(), &receipts, &self.keys, &voter, action.need).ok()
    }
}

fn yes(holds: bool) -> Answer {
    if holds { Answer::Yes } else { Answer::No }
}

/// The mandate of a quorum as it stands.
fn mandate(quorum: &Grant, stands: Stands) -> Option<Mandate> {
    let fresh = Mandate::granted(quorum, at(0))?;
    match stands {
        Stands::No => None,
        Stands::Live { day, used } => {
            let standing = match used {
                0 => fresh.standing.clone(),
                _ => Standing::Live { day: at(day * 2).day(), used: u32::from(used) },
            };
            Some(Mandate { standing, ..fresh })
        }
        Stands::Ended => fresh.ended(End::Expired, at(0)),
    }
}

fn compact(standing: &Standing) -> Stands {
    match standing {
        Standing::Live { day, used } => {
            let which = u8::from(*day != at(0).day());
            Stands::Live { day: which, used: u8::try_from(*used).unwrap() }
        }
        Standing::Ended { .. } => Stands::Ended,
    }
}

/// Production's transition, on a proposal in this phase.
fn moved(phase: Phase, step: Step, now: u8) -> Answer {
    let stage = match phase {
        Phase::Pending => Stage::Pending,
        Phase::Executing { lease, tries, unknown } => Stage::Executing(Attempt {
            run: run(),
            lease: at(lease),
            first: at(0),
            tries: u32::from(tries),
            unknown: unknown.then(|| "no answer".to_owned()),
        }),
        Phase::Executed => Stage::Executed { effect: "evt_1".into(), request: None, at: at(0) },
        Phase::Failed => Stage::Failed { code: "refused".into(), at: at(0) },
        Phase::Denied => Stage::Denied { by: id("two"), at: at(0) },
        Phase::Absent | Phase::Over => return Answer::No,
    };
    let setting = Setting::new(Broken::Nothing);
    let request = pause(0, false);
    let next = match step {
        Step::Claim => {
            // That there is a grant is asked before; which one does not matter to the stage.
            let grant = setting.recount(&request, ONE | TWO, false, false).unwrap();
            Move::Claim { grant: Box::new(grant), run: run(), at: at(now), lease: at(now + 1) }
        }
        Step::Reclaim => Move::Reclaim { run: run(), at: at(now), lease: at(now + 1) },
        Step::Confirm => Move::Confirm { effect: "evt_1".into(), request: None, at: at(now) },
        Step::Refuse => Move::Refuse { code: "refused".into(), at: at(now) },
        Step::LoseSight => Move::LoseSight { why: "no answer".into() },
        Step::Deny => Move::Deny { by: id("two"), at: at(now) },
        Step::Void => Move::Void { moved: "it moved".into(), at: at(now) },
        Step::Expire => Move::Expire { at: at(now) },
    };
    let Ok(after) = (Proposal { stage, ..Proposal::new(request) }).after(next) else { return Answer::No };
    Answer::Phase(match after {
        Stage::Pending => Phase::Pending,
        Stage::Executing(held) => Phase::Executing {
            lease: u8::try_from(held.lease.since(at(0)) / TICK).unwrap(),
            tries: u8::try_from(held.tries).unwrap(),
            unknown: held.unknown.is_some(),
        },
        Stage::Executed { .. } => Phase::Executed,
        Stage::Failed { .. } => Phase::Failed,
        Stage::Denied { .. } => Phase::Denied,
        _ => Phase::Over,
    })
}

impl Request {
    const START: Self = Self {
        phase: Phase::Absent,
        asked: false,
        votes: 0,
        reissued: false,
        moved: false,
        under: false,
        run: Run::None,
        done: 0,
        authorized: false,
    };

    /// Another phase.
    fn at(self, phase: Phase) -> Self {
        Self { phase, ..self }
    }

    /// After its row was written by somebody else: a run that had read it before cannot claim it.
    fn overtaken(self) -> Self {
        let run = if matches!(self.run, Run::Read { .. }) { Run::None } else { self.run };
        Self { run, ..self }
    }

    fn executing(self) -> bool {
        matches!(self.phase, Phase::Executing { .. })
    }
}

impl World {
    fn start() -> Self {
        Self {
            now: 0,
            frozen: false,
            changed: false,
            removed: false,
            signed: 0,
            granted: false,
            mandate: Stands::No,
            requests: [Request::START; 2],
            uses: [0; 2],
            after_the_end: false,
        }
    }

    fn with(self, which: u8, request: Request) -> Self {
        let mut next = self;
        let over = matches!(request.phase, Phase::Executed | Phase::Failed | Phase::Denied | Phase::Over);
        next.requests[usize::from(which)] = if over && request.run == Run::None {
            // Nothing depends on the rest any more.
            let Request { phase, done, authorized, .. } = request;
            Request { phase, done, authorized, ..Request::START }
        } else {
            request
        };
        next
    }

    /// After the mandate's row was written: the condition of claims that read it before fails.
    fn mandate_moved(self) -> Self {
        let requests = self.requests.map(|request| match request.run {
            Run::Read { under, honest, .. } => {
                Request { run: Run::Read { under, honest, overtaken: true }, ..request }
            }
            _ => request,
        });
        Self { requests, ..self }
    }

    /// Every state that one step leads to.
    fn next(self, setting: &Setting) -> Vec<Self> {
        let mut all = Vec::new();
        if self.now < LAST {
            all.push(Self { now: self.now + 1, ..self });
        }
        // One thing goes wrong in the world at a time.
        if !self.changed && !self.removed {
            all.push(Self { frozen: !self.frozen, ..self });
        }
        if !self.frozen && !self.removed {
            all.push(Self { changed: true, ..self });
        }
        if !self.frozen && !self.changed {
            all.push(Self { removed: true, ..self });
        }
        self.mandate_moves(setting, &mut all);
        for which in [0, 1] {
            self.request_moves(setting, which, &mut all);
            self.run_moves(setting, which, &mut all);
        }
        all
    }

    /// Signatures of the mandate, its grant, its end; and a row that somebody forged.
    fn mandate_moves(self, setting: &Setting, all: &mut Vec<Self>) {
        if !self.granted {
            let unsigned = NAMES.iter().filter(|(bit, _)| self.signed & bit == 0);
            all.extend(unsigned.map(|(bit, _)| Self { signed: self.signed | bit, ..self }));
            let quorum = Question::Quorum { signed: self.signed, removed: self.removed };
            let in_time = i64::from(self.now) < LIFE && !self.frozen && !self.changed;
            let stands = Self { granted: true, mandate: Stands::Live { day: 0, used: 0 }, ..self };
            // Forged or granted, it is the same row: what tells them apart is the recount.
            if (in_time && setting.ask(quorum) == Answer::Yes) || self.mandate == Stands::No {
                all.push(stands);
            }
        }
        if let Stands::Live { .. } = self.mandate {
            // Somebody stops it, or the schedule ends what must end.
            all.push(Self { mandate: Stands::Ended, ..self }.mandate_moved());
        }
    }

    /// What people do about a request, and what Stripe does to its object.
    fn request_moves(self, setting: &Setting, which: u8, all: &mut Vec<Self>) {
        let request = self.requests[usize::from(which)];
        let mut to = |next: Request| all.push(self.with(which, next.overtaken()));
        match request.phase {
            Phase::Absent => to(request.at(Phase::Pending)),
            // Of the second request only what the first meets in it: the mandate, its last use, a run.
            Phase::Pending if which == 1 => to(Request { asked: true, ..request }),
            Phase::Pending => {
                if !request.moved {
                    to(Request { moved: true, ..request });
                }
                if !request.asked {
                    to(Request { asked: true, ..request });
                } else if i64::from(self.now) < LIFE && !self.frozen && request.votes & ONE == 0 {
                    to(Request { votes: request.votes | ONE, ..request });
                }
                for step in [Step::Deny, Step::Expire] {
                    if let Some(phase) = moves(setting, request.phase, step, self.now) {
                        to(request.at(phase));
                    }
                }
            }
            _ => {}
        }
    }

    /// What the run at work on a request does next.
    fn run_moves(self, setting: &Setting, which: u8, all: &mut Vec<Self>) {
        let request = self.requests[usize::from(which)];
        let step = |step| moves(setting, request.phase, step, self.now);
        let ended = |phase| Request { run: Run::None, ..request.at(phase) };
        match request.run {
            Run::None if request.phase == Phase::Pending => {
                all.extend(
                    self.reads(setting, which).map(|run| self.with(which, Request { run, ..request })),
                );
            }
            Run::None => self.take_over(setting, which, all),
            Run::Read { under, overtaken, honest } => {
                all.push(self.with(which, Request { run: Run::None, ..request }));
                all.extend(self.claim(setting, which, under, overtaken, honest));
            }
            Run::Claimed { key } => {
                all.push(self.with(which, Request { run: Run::None, ..request }));
                if request.moved {
                    // Void, and proposed anew: then it is people's to decide.
                    if step(Step::Void) == Some(Phase::Over) {
                        let anew = Request { reissued: true, asked: true, votes: 0, moved: false, ..request };
                        let next = Request { run: Run::None, under: false, ..anew.at(Phase::Pending) };
                        all.extend((!request.reissued).then(|| self.with(which, next)));
                        all.push(self.with(which, ended(Phase::Over)));
                    }
                    return;
                }
                // The call is lost on its way, or Stripe does it: once for each key.
                let sent = Request { run: Run::Sent { key }, ..request };
                all.push(self.with(which, sent));
                all.push(self.with(which, Request { done: sent.done | 1 << key, ..sent }));
            }
            Run::Sent { key } => {
                all.push(self.with(which, Request { run: Run::None, ..request }));
                let answer = if request.done & (1 << key) != 0 { Step::Confirm } else { Step::Refuse };
                for next in [step(Step::LoseSight), step(answer)].into_iter().flatten() {
                    all.push(self.with(which, ended(next)));
                }
            }
        }
    }

    /// What a run reads before it claims: whether people's signatures carry it, or the mandate does.
    fn reads(self, setting: &Setting, which: u8) -> impl Iterator<Item = Run> {
        let request = self.requests[usize::from(which)];
        let seen = |under, honest| Run::Read { under, honest, overtaken: false };
        let (votes, reissued) = (request.votes, request.reissued);
        let by_votes = Question::Votes { votes, removed: self.removed, which, reissued };
        let by_votes = setting.ask(by_votes) == Answer::Yes;
        let honest = self.permitted(setting, which, Broken::Nothing, false);
        let permitted = self.permitted(setting, which, setting.broken, false);
        let reaches = permitted.is_some() && !request.asked && !request.reissued;
        let reads = [by_votes.then(|| seen(false, true)), reaches.then(|| seen(true, honest.is_some()))];
        reads.into_iter().flatten()
    }

    /// How the mandate stands after this use, if it permits it; an execution that began was counted then.
    fn permitted(self, setting: &Setting, which: u8, broken: Broken, counted: bool) -> Option<Stands> {
        let question = Question::Permit {
            signed: if broken == Broken::TrustsTheRow { ONE | TWO } else { self.signed },
            removed: self.removed && broken != Broken::RemovedCounts && broken != Broken::TrustsTheRow,
            changed: self.changed && broken != Broken::IgnoresThePolicy,
            stands: self.mandate,
            now: self.now,
            asker_counts: broken == Broken::AskerCounts,
            which,
            counted,
        };
        match setting.ask(question) {
            Answer::Stands(after) => Some(after),
            _ => None,
        }
    }

    /// The transaction of a claim: written if nothing that it rests on moved since it was read.
    fn claim(self, setting: &Setting, which: u8, under: bool, overtaken: bool, honest: bool) -> Option<Self> {
        let request = self.requests[usize::from(which)];
        let phase = moves(setting, request.phase, Step::Claim, self.now)?;
        let frozen = self.frozen && setting.broken != Broken::IgnoresTheFreeze;
        let conditional = setting.broken != Broken::CountsWithoutCondition;
        if frozen || (under && overtaken && conditional) {
            return None;
        }
        let run = Run::Claimed { key: u8::from(request.reissued) };
        let authorized = honest && !self.frozen;
        let next = self.with(which, Request { under, run, authorized, ..request.at(phase) });
        if !under {
            return Some(next);
        }
        let mut next = next.mandate_moved();
        next.after_the_end = self.mandate == Stands::Ended;
        next.uses[usize::from(day(self.now))] += 1;
        let after = self.permitted(setting, which, setting.broken, false);
        next.mandate = after.unwrap_or(self.mandate);
        Some(next)
    }

    /// Another run takes over what a dead one left, and looks first.
    fn take_over(self, setting: &Setting, which: u8, all: &mut Vec<Self>) {
        let request = self.requests[usize::from(which)];
        let Some(phase @ Phase::Executing { tries, .. }) =
            request.executing().then(|| moves(setting, request.phase, Step::Reclaim, self.now)).flatten()
        else {
            return;
        };
        if tries > 2 {
            return;
        }
        let held = Request { ..request.at(phase) };
        let looks = setting.broken != Broken::NewKeyForEachTry;
        let key = u8::from(request.reissued) + if looks { 0 } else { 2 * (tries - 1) };
        let (votes, removed, reissued) = (request.votes, self.removed, request.reissued);
        let carried = if request.under {
            self.permitted(setting, which, setting.broken, true).is_some()
        } else {
            setting.ask(Question::Votes { votes, removed, which, reissued }) == Answer::Yes
        };
        if looks && request.done != 0 {
            let found = moves(setting, phase, Step::Confirm, self.now).unwrap();
            all.push(self.with(which, held.at(found)));
        } else if !self.frozen && !request.moved && carried {
            all.push(self.with(which, Request { run: Run::Claimed { key }, ..held }));
        } else if let Some(lost) = moves(setting, phase, Step::LoseSight, self.now) {
            all.push(self.with(which, held.at(lost)));
        }
    }

    /// What must hold in every state.
    fn check(&self) -> Result<(), &'static str> {
        for request in self.requests {
            if request.done.count_ones() > 1 {
                return Err("I2: it was done twice");
            }
            if request.done != 0 && !request.authorized {
                return Err("I1: it was done without enough signatures");
            }
            if matches!(request.phase, Phase::Failed | Phase::Denied) && request.done != 0 {
                return Err("it was done, and is recorded as not done");
            }
        }
        if self.uses.iter().any(|uses| *uses > 1) {
            return Err("I1: a mandate was used more often than people signed");
        }
        if self.after_the_end {
            return Err("I1: a mandate was used after its end");
        }
        Ok(())
    }
}

fn moves(setting: &Setting, phase: Phase, step: Step, now: u8) -> Option<Phase> {
    match setting.ask(Question::Moved { phase, step, now }) {
        Answer::Phase(after) => Some(after),
        _ => None,
    }
}

/// Walks through every state; how many there are, or the first that must not be.
fn explore(broken: Broken) -> Result<usize, String> {
    let setting = Setting::new(broken);
    let start = World::start();
    let mut seen: HashSet<World> = [start].into();
    let mut queue: VecDeque<World> = [start].into();
    while let Some(world) = queue.pop_front() {
        for next in world.next(&setting) {
            next.check().map_err(|what| format!("{what}: {next:?}"))?;
            if seen.insert(next) {
                queue.push_back(next);
            }
        }
    }
    Ok(seen.len())
}

#[test]
fn under_a_mandate_nothing_is_done_unsigned_twice_or_more_often_than_signed() {
    let states = explore(Broken::Nothing).unwrap();
    println!("{states} states");
    assert!(states > 100_000, "the model is not trivial: {states} states");
}

#[test]
fn each_condition_of_a_mandate_that_is_left_out_is_noticed() {
    for (broken, invariant) in [
        (Broken::TrustsTheRow, "I1"),
        (Broken::AskerCounts, "I1"),
        (Broken::RemovedCounts, "I1"),
        (Broken::IgnoresThePolicy, "I1"),
        (Broken::CountsWithoutCondition, "I1"),
        (Broken::IgnoresTheFreeze, "I1"),
        (Broken::NewKeyForEachTry, "I2"),
    ] {
        let found = explore(broken).expect_err("a broken protocol reaches a state that must not be");
        assert!(found.starts_with(invariant), "{broken:?}: {found}");
    }
}
