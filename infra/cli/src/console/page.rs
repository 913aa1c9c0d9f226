//! The page. It works without its script, which only fetches it again and swaps what changed; all text
//! is escaped here and nowhere else.

use domain::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::{
    board::{Approval, Board, CaseLine, Event, Post, Queue, StepLine, Totals, Write},
    charts,
};

/// The whole page.
pub(super) fn whole(board: &Board) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Countersign console" }
                link rel="stylesheet" href="/_console/console.css";
                script src="/_console/console.js" defer {}
            }
            body {
                header.top {
                    h1 { "Countersign" }
                    p { "Stripe events in, governed next actions out. Money moves only on a signature." }
                    (super::why::search_box(""))
                    nav {
                        a href=(board.api) { "Approval inbox" }
                        @for (name, url) in &board.pages { a href=(url) { (name) } }
                        a href="/_console/trail" { "Trail" }
                        a href="/_console/data" { "Data" }
                        span #live title="updates every two seconds" { "live" }
                    }
                }
                main {
                    (flow(board))
                    (failed_steps(&board.failed, board.now))
                    (waiting(board))
                    (charts::shown(&board.charts))
                    div.columns {
                        (panel("events", "Events", "as Stripe sent them", board.events.iter().map(|one| event(one, board.now))))
                        (panel("cases", "Cases", "one per invoice, dispute, refund …", board.cases.iter().map(|one| case(one, board.now))))
                        (panel("steps", "Steps", "what the agent did by itself", board.steps.iter().map(|one| step(one, board.now))))
                        (panel("slack", "Slack", "what people were told", board.slack.iter().map(|one| post(one, board.now))))
                        (panel("approvals", "Approvals", "every proposal and how it ended", board.approvals.iter().map(|one| approval(one, board.now))))
                        (panel("writes", "Stripe writes", "every change made to Stripe", board.writes.iter().map(|one| write(one, board.now))))
                    }
                }
            }
        }
    }
}

/// The way of an event, with a figure at each station.
fn flow(board: &Board) -> Markup {
    let Totals { events, duplicates, cases, open_cases, suppressed, steps, steps_done, messages, .. } =
        board.totals;
    let Totals { pending, approvals, writes, unreadable, .. } = board.totals;
    html! {
        section #flow aria-label="The way of an event" {
            ol {
                (station("#events", "Stripe events", events, &format!("{duplicates} duplicate deliveries")))
                li.station {
                    b { "Queues" }
                    @for queue in &board.queues { (depth(queue)) }
                }
                (station("#cases", "Cases", cases, &format!("{open_cases} open, {suppressed} steps held back")))
                (station("#steps", "Steps", steps, &format!("{steps_done} done, {messages} Slack messages")))
                (station("#waiting", "Waiting for a human", pending, &format!("of {approvals} proposals")))
                (station("#writes", "Stripe writes", writes, "by the approver, and by you"))
            }
            @if unreadable > 0 { p.alarm { (unreadable) " items of the tables cannot be read; see the trail" } }
        }
    }
}

fn station(link: &str, name: &str, figure: usize, note: &str) -> Markup {
    html! { li.station { a href=(link) { b { (name) } strong { (figure) } small { (note) } } } }
}

fn depth(queue: &Queue) -> Markup {
    html! {
        span.queue {
            (queue.name) " " strong { (queue.waiting) } " waiting"
            @if queue.in_flight > 0 { ", " (queue.in_flight) " at work" }
            @if queue.dead > 0 { span.bad { ", " (queue.dead) " dead" } }
        }
    }
}

/// Steps that a vendor refused for good: somebody repairs the cause, then they are sent again.
fn failed_steps(failed: &[StepLine], now: i64) -> Markup {
    html! {
        section #failed {
            @if !failed.is_empty() {
                h2 { "Failed steps" }
                p.quiet { "A vendor refused these for good. Repair the cause, then send them again: each keeps its key, so nothing happens twice." }
                ul {
                    @for one in failed {
                        (step(one, now))
                        li { button.retry type="button" data-case=(one.case) data-step=(one.key) { "Send again" } " " code { (one.key) } }
                    }
                }
            }
        }
    }
}

/// What needs a signature now.
fn waiting(board: &Board) -> Markup {
    let open = board.approvals.iter().filter(|one| one.stage == "pending");
    html! {
        section #waiting {
            h2 { "Waiting for a human" }
            @if board.totals.pending == 0 {
                p.quiet { "Nothing waits for a signature. Ask for a refund (the command printed at the start) and it appears here." }
            } @else {
                p.quiet { "Open one, sign in as “Finance lead”, approve it, and watch the refund appear under Stripe writes, or the message in the outbox." }
            }
            div.cards {
                @for one in open {
                    article.card {
                        @if let Some(amount) = &one.amount { p.amount { (amount) } }
                        p { (one.sentence) }
                        p.quiet { (one.why) }
                        p.quiet { "asked by " (one.requester) ", needs " (one.need) @if one.need == 1 { " signature" } @else { " signatures" } ", digest " code { (one.digest) } }
                        a.button href=(one.url) { "Review and sign" }
                    }
                }
            }
        }
    }
}

fn panel(id: &str, title: &str, note: &str, rows: impl ExactSizeIterator<Item = Markup>) -> Markup {
    html! {
        section.panel id=(id) {
            h2 { (title) " " small { (note) } }
            @if rows.len() == 0 { p.quiet { "nothing yet" } }
            ul { @for row in rows { (row) } }
        }
    }
}

fn case(one: &CaseLine, now: i64) -> Markup {
    html! {
        li {
            div.line {
                span class=(tone(one.bucket)) { (words(one.bucket)) }
                code { (one.key) }
                @if !one.open { span.quiet { "closed" } }
                (ago(one.at, now))
            }
            @for reason in &one.reasons { p.quiet { (ticked(reason)) } }
            @for held in &one.suppressed { p.held { (ticked(held)) } }
            @if let Some((told, summary)) = &one.advice {
                @if let Some(summary) = summary { p.quiet { "Language model: " q { (summary) } } }
                p.quiet { "Language model: " (told) }
            }
            p.quiet {
                @if let Some(customer) = &one.customer { code { (customer) } " · " }
                (one.steps) @if one.steps == 1 { " step" } @else { " steps" }
                @if !one.rules.is_empty() { " · rule " (one.rules.join(", ")) }
            }
        }
    }
}

fn event(one: &Event, now: i64) -> Markup {
    let tone = match one.outcome {
        "decided" => "chip good",
        "at work" | "queued" => "chip busy",
        "not delivered yet" | "refused" => "chip warn",
        _ => "chip",
    };
    html! {
        li {
            div.line {
                span class=(tone) { (one.outcome) }
                span { (one.kind) }
                @if one.deliveries > 1 { span.chip.warn title="deliveries" { "×" (one.deliveries) } }
                (ago(one.at, now))
            }
            p.quiet { code { (one.id) } @if let Some(case) = &one.case { " → " code { (case) } } }
        }
    }
}

fn step(one: &StepLine, now: i64) -> Markup {
    let tone = match one.state {
        "done" => "chip good",
        "failed" => "chip bad",
        _ => "chip busy",
    };
    html! {
        li {
            div.line {
                span class=(tone) { (one.kind) " " (one.state) }
                span { (one.what) }
                (ago(one.at, now))
            }
            p.quiet {
                code { (one.case) }
                @if let Some(detail) = &one.detail { " · " (detail) }
                @if one.tries > 1 { " · try " (one.tries) }
            }
        }
    }
}

fn post(one: &Post, now: i64) -> Markup {
    html! {
        li {
            div.line { span.chip { (one.place) } (ago(one.at, now)) }
            p { (one.text) }
        }
    }
}

fn approval(one: &Approval, now: i64) -> Markup {
    let tone = match one.stage {
        "executed" => "chip good",
        "pending" | "executing" => "chip busy",
        "denied" | "expired" | "stale" => "chip",
        _ => "chip bad",
    };
    html! {
        li {
            div.line {
                span class=(tone) { (one.stage) }
                a href=(one.url) { (one.sentence) }
                (ago(one.at, now))
            }
            p.quiet {
                code { (one.id) }
                @if let Some(effect) = &one.effect { " → " code { (effect) } }
            }
        }
    }
}

fn write(one: &Write, now: i64) -> Markup {
    html! {
        li {
            div.line {
                span class=(if (200..300).contains(&one.status) { "chip good" } else { "chip bad" }) { (one.status) }
                code { (one.method) " " (one.path) }
                @if one.replayed { span.chip { "replayed" } }
                @if !one.answered { span.chip.warn { "answer lost" } }
                (ago(one.at, now))
            }
            p.quiet {
                @if let Some(key) = &one.idempotency_key { "key " code { (key) } " · " }
                code { (one.request) }
            }
        }
    }
}

/// The colour of a bucket: what is lost or at risk, what waits for somebody, what is well.
fn tone(bucket: &str) -> &'static str {
    match bucket {
        "suspected_fraud"
        | "blocked_by_stripe"
        | "dispute_needs_response"
        | "fraud_warning_actionable"
        | "refund_failed"
        | "unknown" => "chip bad",
        "paid"
        | "refund_made"
        | "nothing_to_collect"
        | "subscription_healthy"
        | "subscription_ended"
        | "dispute_closed"
        | "nothing_asked"
        | "fraud_warning_settled"
        | "payment_method_replaced" => "chip good",
        "refund_asked"
        | "refund_pending"
        | "payment_processing"
        | "authentication_needed"
        | "dispute_under_review" => "chip busy",
        _ => "chip warn",
    }
}

/// Text in which what stands between backticks is set as code.
pub(super) fn ticked(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn words(bucket: &str) -> String {
    bucket.replace('_', " ")
}

fn ago(at: i64, now: i64) -> Markup {
    let seconds = (now - at).max(0);
    let text = match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    };
    html! { time datetime=(Timestamp::from_seconds(at)) title=(Timestamp::from_seconds(at)) { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_shown_as_text() {
        let post = Post { place: "#billing".to_owned(), text: "<script>canary()</script>".to_owned(), at: 0 };
        let shown = super::post(&post, 1).into_string();
        assert!(shown.contains("&lt;script&gt;canary()&lt;/script&gt;"), "{shown}");
    }

    #[test]
    fn a_failed_step_has_a_button_that_names_it() {
        let line = StepLine {
            key: "abc".to_owned(),
            case: "recovery:in_1".to_owned(),
            kind: "note",
            what: "a note".to_owned(),
            state: "failed",
            detail: Some("the CRM said <b>no</b>".to_owned()),
            tries: 1,
            at: 0,
        };
        let shown = super::failed_steps(&[line], 1).into_string();
        assert!(shown.contains("data-case=\"recovery:in_1\" data-step=\"abc\""), "{shown}");
        assert!(shown.contains("the CRM said &lt;b&gt;no&lt;/b&gt;"), "{shown}");
        assert!(!super::failed_steps(&[], 1).into_string().contains("button"));
    }

    #[test]
    fn an_age_is_told_in_the_largest_unit_that_fits() {
        let told = |seconds| ago(0, seconds).into_string();
        for (seconds, text) in
            [(59, ">59 s<"), (60, ">1 min<"), (7200, ">2 h<"), (172_800, ">2 d<"), (-5, ">0 s<")]
        {
            assert!(told(seconds).contains(text), "{}", told(seconds));
        }
    }
}
