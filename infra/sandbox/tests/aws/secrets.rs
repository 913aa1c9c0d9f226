//! Secrets Manager: staging labels, idempotent versions, deletion.

use std::{sync::Arc, time::Duration};

use aws_sdk_secretsmanager::{Client, primitives::Blob};
use sandbox::{Clock, Loopback, Shelf, secrets::Secrets};

use crate::{Folder, client, code};

const NAME: &str = "app/keys";

struct World {
    client: Client,
    clock: Clock,
    secrets: Arc<Secrets>,
    _server: Loopback,
}

async fn world_on(shelf: Shelf) -> World {
    let clock = Clock::held_at(1_790_000_000);
    let secrets = Secrets::open(shelf, clock.clone()).unwrap();
    let server = Loopback::serve(0, secrets.clone().router()).await.unwrap();
    World { client: client!(aws_sdk_secretsmanager, server.url()), clock, secrets, _server: server }
}

/// A world with one secret, `v1`; also its ARN and version.
async fn world() -> (World, String, String) {
    let world = world_on(Shelf::memory().unwrap()).await;
    let made = world.client.create_secret().name(NAME).secret_string("v1").send().await.unwrap();
    (world, made.arn.unwrap(), made.version_id.unwrap())
}

impl World {
    async fn put(&self, value: &str) -> String {
        let put = self.client.put_secret_value().secret_id(NAME).secret_string(value).send().await.unwrap();
        put.version_id.unwrap()
    }

    /// The value with a label.
    async fn staged(&self, stage: &str) -> String {
        let got = self.client.get_secret_value().secret_id(NAME).version_stage(stage).send().await.unwrap();
        got.secret_string.unwrap()
    }

    async fn refusal(&self) -> String {
        code(&self.client.get_secret_value().secret_id(NAME).send().await.unwrap_err())
    }
}

#[tokio::test]
async fn a_secret_is_read_by_name_and_by_arn() {
    let (world, arn, version) = world().await;
    for id in [NAME, &arn] {
        let got = world.client.get_secret_value().secret_id(id).send().await.unwrap();
        assert_eq!(got.secret_string(), Some("v1"));
        assert_eq!(got.version_stages(), ["AWSCURRENT"]);
        assert_eq!(got.version_id(), Some(version.as_str()));
        assert_eq!(got.created_date().unwrap().secs(), 1_790_000_000);
    }
}

#[tokio::test]
async fn putting_a_value_makes_the_one_before_it_previous() {
    let (world, _, _) = world().await;
    world.put("v2").await;
    assert_eq!(
        (world.staged("AWSCURRENT").await, world.staged("AWSPREVIOUS").await),
        ("v2".into(), "v1".into())
    );
    world.put("v3").await;
    assert_eq!(
        (world.staged("AWSCURRENT").await, world.staged("AWSPREVIOUS").await),
        ("v3".into(), "v2".into())
    );
}

#[tokio::test]
async fn updating_a_secret_moves_the_labels_too() {
    let (world, _, _) = world().await;
    world.client.update_secret().secret_id(NAME).secret_string("v2").send().await.unwrap();
    assert_eq!(
        (world.staged("AWSCURRENT").await, world.staged("AWSPREVIOUS").await),
        ("v2".into(), "v1".into())
    );
}

#[tokio::test]
async fn a_pending_version_becomes_current_when_it_is_promoted() {
    let (world, _, first) = world().await;
    let pending = world.client.put_secret_value().secret_id(NAME).secret_string("v2");
    let second = pending.version_stages("AWSPENDING").send().await.unwrap().version_id.unwrap();
    assert_eq!(
        (world.staged("AWSCURRENT").await, world.staged("AWSPENDING").await),
        ("v1".into(), "v2".into())
    );

    let promote = || {
        let promote = world.client.update_secret_version_stage().secret_id(NAME);
        promote.version_stage("AWSCURRENT").move_to_version_id(&second)
    };
    assert_eq!(code(&promote().send().await.unwrap_err()), "InvalidParameterException", "from where?");
    promote().remove_from_version_id(&first).send().await.unwrap();
    assert_eq!(
        (world.staged("AWSCURRENT").await, world.staged("AWSPREVIOUS").await),
        ("v2".into(), "v1".into())
    );

    let described = world.client.describe_secret().secret_id(NAME).send().await.unwrap();
    let stages = described.version_ids_to_stages().unwrap();
    assert_eq!(stages[&first], ["AWSPREVIOUS"]);
}

#[tokio::test]
async fn a_version_put_twice_is_one_and_never_changes() {
    let (world, _, _) = world().await;
    let token = "11111111-2222-3333-4444-555555555555";
    let put = |value: &str| {
        world
            .client
            .put_secret_value()
            .secret_id(NAME)
            .secret_string(value)
            .client_request_token(token)
            .send()
    };
    put("v2").await.unwrap();
    put("v2").await.unwrap();
    assert_eq!(world.staged("AWSPREVIOUS").await, "v1");
    assert_eq!(code(&put("other").await.unwrap_err()), "ResourceExistsException");
    assert_eq!(world.staged("AWSCURRENT").await, "v2");
}

#[tokio::test]
async fn an_old_version_is_read_by_its_id() {
    let (world, _, first) = world().await;
    world.put("v2").await;
    world.put("v3").await;
    let get = || world.client.get_secret_value().secret_id(NAME).version_id(&first);
    assert_eq!(get().send().await.unwrap().secret_string(), Some("v1"));
    let other = get().version_stage("AWSCURRENT").send().await.unwrap_err();
    assert_eq!(code(&other), "ResourceNotFoundException", "the id and the label name two versions");
}

#[tokio::test]
async fn bytes_come_back_as_they_were() {
    let (world, _, _) = world().await;
    let bytes = Blob::new(vec![1_u8, 2, 255]);
    world.client.create_secret().name("bytes").secret_binary(bytes.clone()).send().await.unwrap();
    let got = world.client.get_secret_value().secret_id("bytes").send().await.unwrap();
    assert_eq!((got.secret_binary(), got.secret_string()), (Some(&bytes), None));
}

#[tokio::test]
async fn a_missing_and_a_taken_name_are_errors_that_a_caller_can_match() {
    let (world, _, _) = world().await;
    let missing = world.client.get_secret_value().secret_id("nope").send().await.unwrap_err();
    assert!(missing.as_service_error().unwrap().is_resource_not_found_exception());
    let taken = world.client.create_secret().name(NAME).secret_string("x").send().await.unwrap_err();
    assert!(taken.as_service_error().unwrap().is_resource_exists_exception());
}

#[tokio::test]
async fn a_deleted_secret_can_be_restored_until_its_window_ends() {
    let (world, _, _) = world().await;
    let delete = || world.client.delete_secret().secret_id(NAME).recovery_window_in_days(7).send();
    delete().await.unwrap();
    assert_eq!(world.refusal().await, "InvalidRequestException");
    let taken = world.client.create_secret().name(NAME).secret_string("x").send().await.unwrap_err();
    assert_eq!(code(&taken), "InvalidRequestException");
    world.client.restore_secret().secret_id(NAME).send().await.unwrap();
    assert_eq!(world.staged("AWSCURRENT").await, "v1");

    delete().await.unwrap();
    world.clock.advance(Duration::from_hours(7 * 24));
    assert_eq!(world.refusal().await, "ResourceNotFoundException");
}

#[tokio::test]
async fn rotation_without_a_function_is_refused() {
    let (world, _, _) = world().await;
    let refused = world.client.rotate_secret().secret_id(NAME).send().await.unwrap_err();
    assert_eq!(code(&refused), "InvalidRequestException");
    assert_eq!(world.staged("AWSCURRENT").await, "v1");
}

#[tokio::test]
async fn several_secrets_come_at_once_with_an_error_for_each_missing_one() {
    let (world, _, _) = world().await;
    let both = world.client.batch_get_secret_value().secret_id_list(NAME).secret_id_list("nope");
    let got = both.send().await.unwrap();
    assert_eq!(got.secret_values().iter().map(|value| value.name().unwrap()).collect::<Vec<_>>(), [NAME]);
    assert_eq!(got.errors()[0].error_code(), Some("ResourceNotFoundException"));
}

#[tokio::test]
async fn secrets_are_listed_in_pages_without_their_values() {
    let (world, _, _) = world().await;
    for name in ["app/a", "app/b"] {
        world.secrets.put(name, "hidden").unwrap();
    }
    let page = world.client.list_secrets().max_results(2).send().await.unwrap();
    let names = |list: &[aws_sdk_secretsmanager::types::SecretListEntry]| {
        list.iter().map(|entry| entry.name().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(page.secret_list()), ["app/a", "app/b"]);
    let rest =
        world.client.list_secrets().max_results(2).set_next_token(page.next_token).send().await.unwrap();
    assert_eq!((names(rest.secret_list()), rest.next_token), (vec![NAME.to_owned()], None));
}

#[tokio::test]
async fn a_secret_put_in_process_is_read_through_the_sdk_and_rotates_the_same_way() {
    let world = world_on(Shelf::memory().unwrap()).await;
    world.secrets.put(NAME, "v1").unwrap();
    world.secrets.put(NAME, "v2").unwrap();
    assert_eq!(
        (world.staged("AWSCURRENT").await, world.staged("AWSPREVIOUS").await),
        ("v2".into(), "v1".into())
    );
    assert!(world.secrets.put("no blanks", "x").is_err());
}

#[tokio::test]
async fn secrets_survive_reopening_the_shelf() {
    let folder = Folder::new();
    let world = world_on(Shelf::open(&folder.file()).unwrap()).await;
    world.secrets.put(NAME, "v1").unwrap();
    world.put("v2").await;
    let gone = world.client.create_secret().name("gone").secret_string("x").send().await.unwrap();
    let delete = world.client.delete_secret().secret_id(gone.arn.unwrap());
    delete.force_delete_without_recovery(true).send().await.unwrap();
    drop(world);

    let world = world_on(Shelf::open(&folder.file()).unwrap()).await;
    assert_eq!(
        (world.staged("AWSCURRENT").await, world.staged("AWSPREVIOUS").await),
        ("v2".into(), "v1".into())
    );
    let missing = world.client.describe_secret().secret_id("gone").send().await.unwrap_err();
    assert!(missing.as_service_error().unwrap().is_resource_not_found_exception());
}
