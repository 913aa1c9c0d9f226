//! DynamoDB: conditions, transactions, pages, limits, and what holds under concurrency.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::{
        delete_item::DeleteItemError, put_item::PutItemError, transact_write_items::TransactWriteItemsError,
        update_item::UpdateItemError,
    },
    types::{
        AttributeDefinition, AttributeValue, BillingMode, ConditionCheck, Delete, Get, GlobalSecondaryIndex,
        KeySchemaElement, KeyType, KeysAndAttributes, Projection, ProjectionType, Put, PutRequest,
        ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure,
        ScalarAttributeType, TimeToLiveSpecification, TransactGetItem, TransactWriteItem, Update,
        WriteRequest,
    },
};
use sandbox::{Loopback, dynamodb};
use tokio::task::JoinSet;

use crate::{Folder, client, code};

type Item = HashMap<String, AttributeValue>;

const TABLE: &str = "cases";
const ABSENT: &str = "attribute_not_exists(pk)";

#[derive(Clone)]
struct World {
    client: Client,
    _server: std::sync::Arc<Loopback>,
}

/// A world with one table: keys `pk` and `sk`, and an index over `due` and `at`.
async fn world() -> World {
    let world = start(None).await;
    create(&world.client).await.unwrap();
    world
}

async fn start(path: Option<&std::path::Path>) -> World {
    let server = dynamodb::serve(0, path).await.unwrap();
    World { client: client!(aws_sdk_dynamodb, server.url()), _server: server.into() }
}

async fn create(
    client: &Client,
) -> Result<(), SdkError<aws_sdk_dynamodb::operation::create_table::CreateTableError>> {
    let attribute = |name, kind| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
    };
    let keys = |hash, range| {
        [(hash, KeyType::Hash), (range, KeyType::Range)]
            .map(|(name, kind)| {
                KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
            })
            .to_vec()
    };
    let index = GlobalSecondaryIndex::builder()
        .index_name("by-due")
        .set_key_schema(Some(keys("due", "at")))
        .projection(Projection::builder().projection_type(ProjectionType::All).build())
        .build()
        .unwrap();
    let create = client.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    let create = create
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .attribute_definitions(attribute("sk", ScalarAttributeType::S))
        .attribute_definitions(attribute("due", ScalarAttributeType::S))
        .attribute_definitions(attribute("at", ScalarAttributeType::N));
    create.set_key_schema(Some(keys("pk", "sk"))).global_secondary_indexes(index).send().await.map(drop)
}

fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn n(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn item(pk: &str, sk: &str, others: &[(&str, AttributeValue)]) -> Item {
    let keys = [("pk", s(pk)), ("sk", s(sk))];
    keys.iter().chain(others).map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn number(item: &Item, name: &str) -> String {
    item[name].as_n().unwrap().clone()
}

impl World {
    async fn try_put(&self, item: Item) -> Result<(), String> {
        let put = self.client.put_item().table_name(TABLE).set_item(Some(item)).send().await;
        put.map(drop).map_err(|error| code(&error))
    }

    async fn put(&self, pk: &str, sk: &str, others: &[(&str, AttributeValue)]) {
        self.try_put(item(pk, sk, others)).await.unwrap();
    }

    async fn get(&self, pk: &str, sk: &str) -> Option<Item> {
        let get = self.client.get_item().table_name(TABLE).consistent_read(true);
        get.key("pk", s(pk)).key("sk", s(sk)).send().await.unwrap().item
    }

    /// Sets `version` to one more if it is `expected`.
    fn swap(
        &self,
        expected: i64,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(TABLE).key("pk", s("a")).key("sk", s("0"));
        let update = update
            .update_expression("SET version = version + :one, #s = :s")
            .condition_expression("version = :expected")
            .expression_attribute_names("#s", "status")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":expected", n(expected))
            .expression_attribute_values(":s", s("open"));
        update.return_values(ReturnValue::AllNew).return_values_on_condition_check_failure(OnFailure::AllOld)
    }

    async fn enable_time_to_live(&self) {
        let spec = TimeToLiveSpecification::builder().enabled(true).attribute_name("ttl").build().unwrap();
        let enable = self.client.update_time_to_live().table_name(TABLE);
        enable.time_to_live_specification(spec).send().await.unwrap();
    }
}

fn put_of(pk: &str, condition: Option<&str>) -> TransactWriteItem {
    let put = Put::builder().table_name(TABLE).set_item(Some(item(pk, "0", &[])));
    let put = put.set_condition_expression(condition.map(str::to_owned));
    let put = put.return_values_on_condition_check_failure(OnFailure::AllOld);
    TransactWriteItem::builder().put(put.build().unwrap()).build()
}

fn add_of(by: i64) -> TransactWriteItem {
    let update = Update::builder().table_name(TABLE).key("pk", s("a")).key("sk", s("0"));
    let update = update.update_expression("ADD version :by").expression_attribute_values(":by", n(by));
    TransactWriteItem::builder().update(update.build().unwrap()).build()
}

/// Why a transaction was cancelled, for each of its items: the code, and whether the item came along.
fn reasons(error: &SdkError<TransactWriteItemsError>) -> Vec<(String, bool)> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
    else {
        panic!("not cancelled: {}", code(error))
    };
    let reasons = cancelled.cancellation_reasons().iter();
    reasons.map(|reason| (reason.code().unwrap().to_owned(), reason.item().is_some())).collect()
}

#[tokio::test]
async fn a_table_has_an_index_and_a_time_to_live_and_exists_once() {
    let world = world().await;
    world.enable_time_to_live().await;
    let described = world.client.describe_time_to_live().table_name(TABLE).send().await.unwrap();
    assert_eq!(described.time_to_live_description().unwrap().attribute_name(), Some("ttl"));
    let again = create(&world.client).await.unwrap_err();
    assert!(again.as_service_error().unwrap().is_resource_in_use_exception());
}

#[tokio::test]
async fn a_missing_table_is_an_error_that_a_caller_can_match() {
    let world = start(None).await;
    let get = world.client.get_item().table_name("nope").key("pk", s("a")).send().await.unwrap_err();
    assert!(get.as_service_error().unwrap().is_resource_not_found_exception());
}

#[tokio::test]
async fn a_second_claim_is_refused_and_shows_the_first() {
    let world = world().await;
    let claim = |who: &str| {
        let put = world.client.put_item().table_name(TABLE).condition_expression(ABSENT);
        let put = put.return_values_on_condition_check_failure(OnFailure::AllOld);
        put.set_item(Some(item("a", "0", &[("who", s(who))]))).send()
    };
    claim("first").await.unwrap();
    let error = claim("second").await.unwrap_err();
    let Some(PutItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() else {
        panic!("{}", code(&error))
    };
    assert_eq!(failed.item().unwrap()["who"], s("first"));
}

#[tokio::test]
async fn an_update_of_a_stale_version_is_refused_and_shows_the_current_one() {
    let world = world().await;
    world.put("a", "0", &[("version", n(1))]).await;
    let updated = world.swap(1).send().await.unwrap().attributes.unwrap();
    assert_eq!((number(&updated, "version"), &updated["status"]), ("2".to_owned(), &s("open")));
    let error = world.swap(1).send().await.unwrap_err();
    let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() else {
        panic!("{}", code(&error))
    };
    assert_eq!(number(failed.item().unwrap(), "version"), "2");
}

#[tokio::test]
async fn a_conditional_delete_is_refused_and_shows_the_item() {
    let world = world().await;
    world.put("a", "0", &[("version", n(1))]).await;
    let delete = world.client.delete_item().table_name(TABLE).key("pk", s("a")).key("sk", s("0"));
    let delete = delete.condition_expression("version = :v").expression_attribute_values(":v", n(9));
    let delete = delete.return_values_on_condition_check_failure(OnFailure::AllOld);
    let error = delete.send().await.unwrap_err();
    let Some(DeleteItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() else {
        panic!("{}", code(&error))
    };
    assert_eq!(number(failed.item().unwrap(), "version"), "1");
    assert!(world.get("a", "0").await.is_some());
}

#[tokio::test]
async fn a_transaction_puts_updates_checks_and_deletes_at_once() {
    let world = world().await;
    world.put("a", "0", &[("version", n(1))]).await;
    world.put("guard", "0", &[("open", AttributeValue::Bool(true))]).await;
    world.put("old", "0", &[]).await;
    let check = ConditionCheck::builder().table_name(TABLE).key("pk", s("guard")).key("sk", s("0"));
    let check = check.condition_expression("#o = :o").expression_attribute_names("#o", "open");
    let check = check.expression_attribute_values(":o", AttributeValue::Bool(true)).build().unwrap();
    let delete = Delete::builder().table_name(TABLE).key("pk", s("old")).key("sk", s("0")).build().unwrap();
    let write = world.client.transact_write_items().transact_items(put_of("new", Some(ABSENT)));
    let write = write.transact_items(add_of(1));
    let write = write.transact_items(TransactWriteItem::builder().condition_check(check).build());
    write.transact_items(TransactWriteItem::builder().delete(delete).build()).send().await.unwrap();
    assert!(world.get("new", "0").await.is_some() && world.get("old", "0").await.is_none());
    assert_eq!(number(&world.get("a", "0").await.unwrap(), "version"), "2");
}

#[tokio::test]
async fn a_cancelled_transaction_writes_nothing_and_says_which_item_failed() {
    let world = world().await;
    world.put("taken", "0", &[]).await;
    let write = world.client.transact_write_items().transact_items(put_of("n", None));
    let write = write.transact_items(put_of("taken", Some(ABSENT))).transact_items(put_of("m", None));
    let reasons = reasons(&write.send().await.unwrap_err());
    let expected = [("None", false), ("ConditionalCheckFailed", true), ("None", false)];
    assert_eq!(reasons, expected.map(|(code, item)| (code.to_owned(), item)));
    assert!(world.get("n", "0").await.is_none() && world.get("m", "0").await.is_none());
}

#[tokio::test]
async fn a_transaction_sent_twice_with_its_token_is_applied_once() {
    let world = world().await;
    world.put("a", "0", &[("version", n(1))]).await;
    let add = |by: i64| {
        world.client.transact_write_items().client_request_token("token").transact_items(add_of(by)).send()
    };
    add(1).await.unwrap();
    add(1).await.unwrap();
    assert_eq!(number(&world.get("a", "0").await.unwrap(), "version"), "2");
    let other = add(5).await.unwrap_err();
    assert!(other.as_service_error().unwrap().is_idempotent_parameter_mismatch_exception());
}

#[tokio::test]
async fn a_transaction_names_an_item_once() {
    let world = world().await;
    let write = world.client.transact_write_items().transact_items(put_of("a", None));
    let error = write.transact_items(put_of("a", None)).send().await.unwrap_err();
    assert_eq!(code(&error), "ValidationException");
}

#[tokio::test]
async fn a_transaction_has_at_most_a_hundred_items() {
    let world = world().await;
    let write = |prefix: &str, count: usize| {
        let items = (0..count).map(|place| put_of(&format!("{prefix}{place}"), None)).collect();
        world.client.transact_write_items().set_transact_items(Some(items)).send()
    };
    write("a", 100).await.unwrap();
    assert_eq!(code(&write("b", 101).await.unwrap_err()), "ValidationException");
}

#[tokio::test]
async fn a_transactional_read_answers_for_each_key() {
    let world = world().await;
    world.put("a", "0", &[]).await;
    let get = |pk: &str| {
        let get = Get::builder().table_name(TABLE).key("pk", s(pk)).key("sk", s("0")).build().unwrap();
        TransactGetItem::builder().get(get).build()
    };
    let read = world.client.transact_get_items().transact_items(get("a")).transact_items(get("nope"));
    let responses = read.send().await.unwrap().responses.unwrap();
    assert_eq!(responses.iter().map(|one| one.item().is_some()).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn an_index_is_sparse_sorted_and_read_in_pages() {
    let world = world().await;
    for at in 1..=25 {
        world.put(&format!("p{at}"), "0", &[("due", s("open")), ("at", n(at))]).await;
    }
    world.put("sparse", "0", &[("due", s("open"))]).await;
    let (mut from, mut pages) = (None, Vec::new());
    loop {
        let query = world.client.query().table_name(TABLE).index_name("by-due").limit(10);
        let query = query
            .key_condition_expression("due = :d AND #at BETWEEN :a AND :b")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":d", s("open"))
            .expression_attribute_values(":a", n(2))
            .expression_attribute_values(":b", n(1000));
        let page = query.scan_index_forward(false).set_exclusive_start_key(from).send().await.unwrap();
        pages.push(page.items().iter().map(|item| number(item, "at")).collect::<Vec<_>>());
        from = page.last_evaluated_key;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 4]);
    assert_eq!(pages.concat(), (2..=25).rev().map(|at| at.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_index_cannot_be_read_consistently() {
    let world = world().await;
    let query = world.client.query().table_name(TABLE).index_name("by-due").consistent_read(true);
    let query = query.key_condition_expression("due = :d").expression_attribute_values(":d", s("open"));
    assert_eq!(code(&query.send().await.unwrap_err()), "ValidationException");
}

#[tokio::test]
async fn a_page_ends_at_one_megabyte_and_the_paginator_gets_all() {
    let world = world().await;
    for sk in 0..45 {
        world.put("P", &format!("{sk:03}"), &[("body", s("y".repeat(30_000)))]).await;
    }
    let query = world.client.query().table_name(TABLE).key_condition_expression("pk = :p");
    let query = query.expression_attribute_values(":p", s("P"));
    let page = query.clone().send().await.unwrap();
    assert!(page.items().len() < 45 && page.last_evaluated_key().is_some(), "{} items", page.items().len());
    let mut all = query.into_paginator().items().send();
    let mut count = 0;
    while let Some(item) = all.next().await {
        item.unwrap();
        count += 1;
    }
    assert_eq!(count, 45);
}

#[tokio::test]
async fn a_query_takes_a_prefix_a_filter_and_a_projection() {
    let world = world().await;
    for k in 0..6 {
        let state = if k % 2 == 0 { "open" } else { "done" };
        world.put("P", &format!("E#{k}"), &[("case", s(state)), ("k", n(k))]).await;
    }
    world.put("P", "X#1", &[]).await;
    let query = world.client.query().table_name(TABLE).projection_expression("sk, k");
    let query = query
        .key_condition_expression("pk = :p AND begins_with(sk, :e)")
        .filter_expression("#case = :o AND attribute_exists(k)")
        .expression_attribute_names("#case", "case")
        .expression_attribute_values(":p", s("P"))
        .expression_attribute_values(":e", s("E#"))
        .expression_attribute_values(":o", s("open"));
    let found = query.send().await.unwrap();
    assert_eq!((found.count(), found.scanned_count(), found.items()[0].len()), (3, 6, 2));
}

#[tokio::test]
async fn an_item_has_at_most_four_hundred_kibibytes() {
    let world = world().await;
    let of = |bytes: usize| item("a", "0", &[("body", s("x".repeat(bytes)))]);
    world.try_put(of(409_000)).await.unwrap();
    assert_eq!(world.try_put(of(409_700)).await, Err("ValidationException".to_owned()));
}

#[tokio::test]
async fn a_reserved_word_needs_a_placeholder() {
    let world = world().await;
    let update = world.client.update_item().table_name(TABLE).key("pk", s("a")).key("sk", s("0"));
    let update = update.update_expression("SET status = :s").expression_attribute_values(":s", s("x"));
    assert_eq!(code(&update.send().await.unwrap_err()), "ValidationException");
}

#[tokio::test]
async fn a_value_that_no_expression_uses_is_refused() {
    let world = world().await;
    let put = world.client.put_item().table_name(TABLE).set_item(Some(item("a", "0", &[])));
    let put = put.condition_expression(ABSENT).expression_attribute_values(":unused", s("x"));
    assert_eq!(code(&put.send().await.unwrap_err()), "ValidationException");
}

#[tokio::test]
async fn a_key_must_not_be_empty_but_another_attribute_may() {
    let world = world().await;
    assert_eq!(world.try_put(item("", "0", &[])).await, Err("ValidationException".to_owned()));
    world.put("a", "0", &[("note", s(""))]).await;
}

#[tokio::test]
async fn numbers_keep_38_digits_and_are_normalised() {
    let world = world().await;
    let digits = "12345678901234567890123456789012345678";
    let of = |text: &str| AttributeValue::N(text.to_owned());
    world.put("a", "0", &[("x", of("1.0")), ("y", of(digits))]).await;
    let got = world.get("a", "0").await.unwrap();
    assert_eq!((number(&got, "x"), number(&got, "y")), ("1".to_owned(), digits.to_owned()));
    let long = item("b", "0", &[("x", of(&format!("{digits}9")))]);
    assert_eq!(world.try_put(long).await, Err("ValidationException".to_owned()));
}

#[tokio::test]
async fn updates_change_lists_maps_sets_and_numbers() {
    let world = world().await;
    let update = || world.client.update_item().table_name(TABLE).key("pk", s("a")).key("sk", s("0"));
    let first = update()
        .update_expression(
            "SET l = list_append(if_not_exists(l, :none), :x), m = :m ADD n :one, tags :t REMOVE gone",
        )
        .expression_attribute_values(":none", AttributeValue::L(vec![]))
        .expression_attribute_values(":x", AttributeValue::L(vec![s("1")]))
        .expression_attribute_values(":m", AttributeValue::M([("k".to_owned(), n(5))].into()))
        .expression_attribute_values(":one", n(1))
        .expression_attribute_values(":t", AttributeValue::Ss(vec!["a".to_owned()]));
    first.send().await.unwrap();
    let second = update()
        .update_expression("SET m.k = m.k - :two, l[0] = :new DELETE tags :t")
        .condition_expression("size(l) = :one AND contains(tags, :a) AND attribute_type(m, :map)")
        .expression_attribute_values(":two", n(2))
        .expression_attribute_values(":new", s("new"))
        .expression_attribute_values(":t", AttributeValue::Ss(vec!["a".to_owned()]))
        .expression_attribute_values(":one", n(1))
        .expression_attribute_values(":a", s("a"))
        .expression_attribute_values(":map", s("M"));
    second.send().await.unwrap();
    let got = world.get("a", "0").await.unwrap();
    assert_eq!(got["l"], AttributeValue::L(vec![s("new")]));
    assert_eq!(number(got["m"].as_m().unwrap(), "k"), "3");
    assert_eq!((number(&got, "n"), got.get("tags")), ("1".to_owned(), None), "an empty set is gone");
}

#[tokio::test]
async fn a_batch_writes_25_items_and_reads_them_back() {
    let world = world().await;
    let write = |count: usize| {
        let requests = (0..count).map(|place| {
            let put = PutRequest::builder().set_item(Some(item(&format!("b{place}"), "0", &[])));
            WriteRequest::builder().put_request(put.build().unwrap()).build()
        });
        world.client.batch_write_item().request_items(TABLE, requests.collect()).send()
    };
    write(25).await.unwrap();
    assert_eq!(code(&write(26).await.unwrap_err()), "ValidationException");
    let keys = (0..25).map(|place| item(&format!("b{place}"), "0", &[])).collect();
    let keys = KeysAndAttributes::builder().set_keys(Some(keys)).build().unwrap();
    let got = world.client.batch_get_item().request_items(TABLE, keys).send().await.unwrap();
    assert_eq!(got.responses().unwrap()[TABLE].len(), 25);
}

#[tokio::test]
async fn of_64_concurrent_claims_one_wins() {
    let world = world().await;
    for round in 0..10 {
        let mut claims = JoinSet::new();
        for who in 0..64 {
            let put = world.client.put_item().table_name(TABLE).condition_expression(ABSENT);
            let put = put.set_item(Some(item(&format!("r{round}"), "0", &[("who", n(who))])));
            claims.spawn(async move { put.send().await.map_err(|error| code(&error)).map(drop) });
        }
        let won = claims.join_all().await;
        let lost = won.iter().filter(|claim| **claim == Err("ConditionalCheckFailedException".to_owned()));
        assert_eq!((lost.count(), won.iter().filter(|claim| claim.is_ok()).count()), (63, 1));
    }
}

#[tokio::test]
async fn of_64_concurrent_updates_of_a_version_one_wins() {
    let world = world().await;
    world.put("a", "0", &[("version", n(0))]).await;
    for round in 0..10 {
        let mut swaps = JoinSet::new();
        for _ in 0..64 {
            let swap = world.swap(round).send();
            swaps.spawn(async move { swap.await.map_err(|error| code(&error)).map(drop) });
        }
        let swaps = swaps.join_all().await;
        let lost = swaps.iter().filter(|swap| **swap == Err("ConditionalCheckFailedException".to_owned()));
        assert_eq!((lost.count(), swaps.iter().filter(|swap| swap.is_ok()).count()), (63, 1));
    }
    assert_eq!(number(&world.get("a", "0").await.unwrap(), "version"), "10");
}

#[tokio::test]
async fn of_64_concurrent_transactions_one_wins_and_leaves_its_other_item_only() {
    let world = world().await;
    for round in 0..5 {
        let mut writes = JoinSet::new();
        for who in 0..64 {
            let write = world.client.transact_write_items();
            let write = write
                .transact_items(put_of(&format!("lock{round}"), Some(ABSENT)))
                .transact_items(put_of(&format!("side{round}-{who}"), None));
            writes.spawn(async move {
                let lost = |error| assert!(!reasons(&error).is_empty());
                (who, write.send().await.map(drop).map_err(lost).is_ok())
            });
        }
        let outcomes: BTreeMap<i32, bool> = writes.join_all().await.into_iter().collect();
        assert_eq!(outcomes.values().filter(|won| **won).count(), 1);
        for (who, won) in outcomes {
            assert_eq!(world.get(&format!("side{round}-{who}"), "0").await.is_some(), won);
        }
    }
}

#[tokio::test]
async fn concurrent_additions_are_all_counted() {
    let world = world().await;
    let mut additions = JoinSet::new();
    for _ in 0..128 {
        let add = world.client.update_item().table_name(TABLE).key("pk", s("a")).key("sk", s("0"));
        let add = add.update_expression("ADD n :one").expression_attribute_values(":one", n(1));
        additions.spawn(async move { add.send().await.map(drop).map_err(|error| code(&error)) });
    }
    assert!(additions.join_all().await.iter().all(Result::is_ok));
    assert_eq!(number(&world.get("a", "0").await.unwrap(), "n"), "128");
}

#[tokio::test]
async fn an_expired_item_stays_readable_until_it_is_swept() {
    let world = world().await;
    world.enable_time_to_live().await;
    world.put("a", "0", &[("ttl", n(1_600_000_000))]).await;
    assert!(world.get("a", "0").await.is_some(), "so correctness must not depend on it");
}

#[tokio::test]
async fn an_item_without_its_keys_or_with_keys_of_another_type_is_refused() {
    let world = world().await;
    let keyless = HashMap::from([("pk".to_owned(), s("a"))]);
    assert_eq!(world.try_put(keyless).await, Err("ValidationException".to_owned()));
    let of_index = item("a", "0", &[("due", n(1))]);
    assert_eq!(world.try_put(of_index).await, Err("ValidationException".to_owned()));
}

#[tokio::test]
async fn a_write_tells_the_capacity_it_consumed() {
    let world = world().await;
    let put = world.client.put_item().table_name(TABLE);
    let put = put.set_item(Some(item("a", "0", &[("body", s("x".repeat(1500)))])));
    let put = put.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await.unwrap();
    assert_eq!(put.consumed_capacity().unwrap().capacity_units(), Some(2.0), "one for each started KiB");
}

#[tokio::test]
async fn tables_in_a_file_survive_a_restart() {
    let folder = Folder::new();
    let world = start(Some(&folder.file())).await;
    create(&world.client).await.unwrap();
    world.put("a", "0", &[("version", n(7))]).await;
    drop(world);
    let world = start(Some(&folder.file())).await;
    assert_eq!(number(&world.get("a", "0").await.unwrap(), "version"), "7");
}
