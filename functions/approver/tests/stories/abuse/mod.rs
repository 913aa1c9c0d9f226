//! Every abuse case of the approval protocol by its number, and more of the same kinds. Each says what
//! the attacker is answered, that the proposal stands as it stood, and how many writes Stripe saw.
//!
//! | Number | Attack | Where |
//! |---|---|---|
//! | 1–4 | previews, scanners, decisions by GET, other methods | `links` |
//! | 6–13 | tokens: flipped, cut, of other keys, versions, proposals, deployments and times | `links` |
//! | 15, 16 | links that were passed on | `links` |
//! | 17–19, 26, 33 | other workspaces, bad id tokens, login forgery, cookies, other kinds of account | `sign_in` |
//! | 21–25, 27, 38 | forged forms, framing, leaks, double clicks, other digests | `forms` |
//! | 29, 31, 32, 34–36, 55, 68 | twice the same, one's own, removed, over the limit, frozen, too often | `voters` |
//! | 39–42, 71 | rows, receipts, policies and trails that somebody edited | `stored`; exports of a trail in the command line's `trail verify` |
//! | 43, 45, 48, 49, 51–54 | what moved, impossible amounts, lost answers, kills, replays | `money`; every place to die in `crashes` |
//! | 62, 63 | words of customers and colleagues | `words` |
//! | 66 | the agent's role on rows and keys | `.ci/template_roles_test.py` |
//! | 67 | secrets and people in logs | `logs` |
//! | 73 | writes in Stripe that belong to no execution | the reconciler's `sweeps::writes` |
//! | 74 | keys that are rotated in the middle | `keys` |
//! | 80– | beyond the list: the agent's rows, sizes, hidden characters, sessions, races | here and there |
//!
//! Slack's buttons, break-glass and canaries (56–61, 70, 76) do not exist.

mod forms;
mod links;
mod money;
pub(crate) mod races;
mod sign_in;
mod stored;
mod voters;
mod words;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::approval::Person;
use sandbox::world::APPROVALS_TABLE;
use serde_json::Value;
use store::{ProposalFile, ProposalRow};

use crate::world::{World, encoded, person};

/// The proposal stands as it stood, and Stripe saw no write.
pub(crate) async fn untouched(world: &World, before: &ProposalFile) {
    assert_eq!(world.file(before.row.value.id()).await, *before);
    assert_eq!(world.writes().len(), 0);
}

pub(crate) fn vote_form(decision: &str, digest: &str, csrf: &str) -> String {
    encoded(&[("decision", decision), ("digest", digest), ("csrf", csrf)])
}

/// Changes what the registry knows of somebody.
pub(crate) async fn change_person(world: &World, user: &str, change: impl FnOnce(&mut Person)) {
    let mut one = world.approvals.person(&person(&user.to_lowercase())).await.unwrap().unwrap();
    change(&mut one);
    world.approvals.put_person(&one).await.unwrap();
}

/// Writes a row as somebody with access to the table would.
pub(crate) async fn overwrite(world: &World, row: &ProposalRow) {
    world
        .dynamodb
        .update_item()
        .table_name(APPROVALS_TABLE)
        .key("pk", AttributeValue::S(format!("PROPOSAL#{}", row.id())))
        .key("sk", AttributeValue::S("PROPOSAL".into()))
        .update_expression("SET proposal = :row, action_digest = :digest, due_at = :due")
        .expression_attribute_values(":row", attribute(&serde_json::to_value(row).unwrap()))
        .expression_attribute_values(":digest", AttributeValue::S(row.proposal.digest.to_string()))
        .expression_attribute_values(":due", AttributeValue::N("0".into()))
        .send()
        .await
        .unwrap();
}

pub(crate) fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(flag) => AttributeValue::Bool(*flag),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(items) => AttributeValue::L(items.iter().map(attribute).collect()),
        Value::Object(map) => {
            AttributeValue::M(map.iter().map(|(name, value)| (name.clone(), attribute(value))).collect())
        }
    }
}

/// The numbers that the protocol lists and this program tests; 66 and 73 are tested elsewhere.
const LISTED: [u8; 47] = [
    1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 19, 21, 22, 23, 24, 25, 26, 27, 29, 31, 32, 33,
    34, 35, 36, 38, 39, 40, 41, 42, 43, 45, 48, 49, 51, 52, 53, 54, 55, 62, 63,
];

#[test]
fn every_number_of_the_list_has_exactly_one_test() {
    let sources = [
        include_str!("forms.rs"),
        include_str!("links.rs"),
        include_str!("money.rs"),
        include_str!("races.rs"),
        include_str!("sign_in.rs"),
        include_str!("stored.rs"),
        include_str!("voters.rs"),
        include_str!("words.rs"),
        include_str!("../keys.rs"),
        include_str!("../logs.rs"),
    ];
    let named = sources.iter().flat_map(|source| source.split("async fn abuse_").skip(1));
    let mut numbers: Vec<u8> = named.map(|rest| rest[..2].parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers.retain(|number| *number < 80);
    let expected: Vec<u8> = LISTED.into_iter().chain([67, 68, 71, 74]).collect();
    assert_eq!(numbers, expected);
}
