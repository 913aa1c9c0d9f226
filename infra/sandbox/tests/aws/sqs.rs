//! SQS: FIFO order, deduplication, visibility, dead letters, limits. Time is the sandbox's clock.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_sqs::{
    Client,
    types::{
        ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
        MessageAttributeValue, MessageSystemAttributeName as System,
        MessageSystemAttributeNameForSends as Sendable, MessageSystemAttributeValue,
        QueueAttributeName as Name, SendMessageBatchRequestEntry,
    },
};
use sandbox::{Clock, Loopback, Shelf, sqs::Sqs};

use crate::{Folder, client, code};

struct World {
    client: Client,
    clock: Clock,
    sqs: Arc<Sqs>,
    _server: Loopback,
}

async fn world() -> World {
    world_on(Shelf::memory().unwrap()).await
}

async fn world_on(shelf: Shelf) -> World {
    let clock = Clock::held_at(1_790_000_000);
    let sqs = Sqs::open(shelf, clock.clone()).unwrap();
    let server = Loopback::serve(0, sqs.clone().router()).await.unwrap();
    World { client: client!(aws_sdk_sqs, server.url()), clock, sqs, _server: server }
}

impl World {
    /// Creates a FIFO queue and answers its URL.
    async fn queue(&self, name: &str, attributes: &[(Name, &str)]) -> String {
        let mut create = self.client.create_queue().queue_name(name).attributes(Name::FifoQueue, "true");
        for (name, value) in attributes {
            create = create.attributes(name.clone(), *value);
        }
        create.send().await.unwrap().queue_url.unwrap()
    }

    /// A queue, `work.fifo`, with a visibility timeout of 30 seconds.
    async fn work(&self) -> String {
        self.queue("work.fifo", &[]).await
    }

    /// A queue with a dead-letter queue behind it.
    async fn work_and_dead(&self, receives: &str) -> (String, String) {
        let dead = self.queue("dead.fifo", &[]).await;
        let arn = self.attribute(&dead, Name::QueueArn).await;
        let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{receives}}}"#);
        (self.queue("work.fifo", &[(Name::RedrivePolicy, &policy)]).await, dead)
    }

    async fn attribute(&self, url: &str, name: Name) -> String {
        let all = self.client.get_queue_attributes().queue_url(url).attribute_names(Name::All);
        all.send().await.unwrap().attributes.unwrap().remove(&name).unwrap()
    }

    /// Sends and answers the message's id and sequence number.
    async fn send(&self, url: &str, group: &str, body: &str) -> (String, String) {
        self.send_as(url, group, body, body).await
    }

    async fn send_as(&self, url: &str, group: &str, id: &str, body: &str) -> (String, String) {
        let send = self.client.send_message().queue_url(url).message_group_id(group);
        let answer = send.message_deduplication_id(id).message_body(body).send().await.unwrap();
        (answer.message_id.unwrap(), answer.sequence_number.unwrap())
    }

    async fn receive(&self, url: &str, most: i32) -> Vec<Message> {
        self.wait(url, most, 0).await
    }

    async fn wait(&self, url: &str, most: i32, seconds: i32) -> Vec<Message> {
        let receive = self.client.receive_message().queue_url(url).max_number_of_messages(most);
        let receive = receive.wait_time_seconds(seconds).message_attribute_names("All");
        let answer = receive.message_system_attribute_names(System::All).send().await.unwrap();
        answer.messages.unwrap_or_default()
    }

    async fn one(&self, url: &str) -> Message {
        let mut messages = self.receive(url, 1).await;
        assert_eq!(messages.len(), 1, "one message");
        messages.remove(0)
    }

    async fn delete(&self, url: &str, message: &Message) -> Result<(), String> {
        let delete = self.client.delete_message().queue_url(url);
        let outcome = delete.receipt_handle(message.receipt_handle().unwrap()).send().await;
        outcome.map(drop).map_err(|error| code(&error))
    }

    async fn hide(&self, url: &str, message: &Message, seconds: i32) -> Result<(), String> {
        let hide = self.client.change_message_visibility().queue_url(url).visibility_timeout(seconds);
        let outcome = hide.receipt_handle(message.receipt_handle().unwrap()).send().await;
        outcome.map(drop).map_err(|error| code(&error))
    }

    /// Receives and deletes until nothing comes.
    async fn drain(&self, url: &str) -> Vec<Message> {
        let mut drained = Vec::new();
        loop {
            let messages = self.receive(url, 10).await;
            if messages.is_empty() {
                return drained;
            }
            for message in messages {
                self.delete(url, &message).await.unwrap();
                drained.push(message);
            }
        }
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body().unwrap()).collect()
}

fn system<'a>(message: &'a Message, name: &System) -> &'a str {
    message.attributes().unwrap().get(name).unwrap()
}

#[tokio::test]
async fn a_queue_with_a_dead_letter_queue_shows_its_policy() {
    let world = world().await;
    let (work, dead) = world.work_and_dead("3").await;
    assert_eq!(world.attribute(&work, Name::FifoQueue).await, "true");
    let policy = world.attribute(&work, Name::RedrivePolicy).await;
    assert!(policy.contains(&world.attribute(&dead, Name::QueueArn).await), "{policy}");
    let urls = world.client.list_queues().queue_name_prefix("w").send().await.unwrap().queue_urls.unwrap();
    assert_eq!(urls, std::slice::from_ref(&work));
    let url = world.client.get_queue_url().queue_name("work.fifo").send().await.unwrap().queue_url.unwrap();
    assert_eq!(url, work);
}

#[tokio::test]
async fn the_receive_count_of_a_redrive_policy_may_be_a_string() {
    let world = world().await;
    let (work, _) = world.work_and_dead("\"3\"").await;
    assert!(world.attribute(&work, Name::RedrivePolicy).await.contains(r#""maxReceiveCount":3"#));
}

#[tokio::test]
async fn several_messages_of_one_group_come_in_one_batch() {
    let world = world().await;
    let url = world.work().await;
    for body in ["A1", "B1", "A2", "A3", "A4"] {
        world.send(&url, &body[..1], body).await;
    }
    assert_eq!(bodies(&world.receive(&url, 3).await), ["A1", "A2", "A3"], "the group's before another's");
}

#[tokio::test]
async fn a_fifo_queue_is_named_so() {
    let world = world().await;
    let create = world.client.create_queue().queue_name("work").attributes(Name::FifoQueue, "true");
    assert_eq!(code(&create.send().await.unwrap_err()), "InvalidParameterValue");
}

#[tokio::test]
async fn creating_a_queue_again_is_fine_unless_an_attribute_differs() {
    let world = world().await;
    let first = world.queue("work.fifo", &[(Name::VisibilityTimeout, "40")]).await;
    assert_eq!(world.queue("work.fifo", &[(Name::VisibilityTimeout, "40")]).await, first);
    let other = world.client.create_queue().queue_name("work.fifo").attributes(Name::VisibilityTimeout, "41");
    assert!(other.send().await.unwrap_err().as_service_error().unwrap().is_queue_name_exists());
    let set = world.client.set_queue_attributes().queue_url(&first).attributes(Name::VisibilityTimeout, "41");
    set.send().await.unwrap();
    assert_eq!(world.attribute(&first, Name::VisibilityTimeout).await, "41");
}

#[tokio::test]
async fn a_missing_queue_is_an_error_that_a_caller_can_match() {
    let world = world().await;
    let url = world.work().await + "zz";
    let error = world.client.receive_message().queue_url(&url).send().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_queue_does_not_exist());
}

#[tokio::test]
async fn messages_of_a_group_come_in_the_order_they_were_sent() {
    let world = world().await;
    let url = world.work().await;
    let mut sequence = Vec::new();
    for n in 0..4 {
        for group in ["A", "B"] {
            sequence.push(world.send(&url, group, &format!("{group}{n}")).await.1);
        }
    }
    assert!(sequence.windows(2).all(|two| two[0].len() == two[1].len() && two[0] < two[1]), "{sequence:?}");
    let drained = world.drain(&url).await;
    for group in ["A", "B"] {
        let of_group = drained.iter().filter(|message| system(message, &System::MessageGroupId) == group);
        let got: Vec<&str> = of_group.map(|message| message.body().unwrap()).collect();
        assert_eq!(got, (0..4).map(|n| format!("{group}{n}")).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_message_in_flight_holds_up_its_group_and_no_other() {
    let world = world().await;
    let url = world.work().await;
    for body in ["A1", "A2", "B1", "A3"] {
        world.send(&url, &body[..1], body).await;
    }
    let first = world.one(&url).await;
    assert_eq!(first.body(), Some("A1"));
    assert_eq!(bodies(&world.receive(&url, 10).await), ["B1"]);
    assert!(world.receive(&url, 10).await.is_empty());
    world.delete(&url, &first).await.unwrap();
    assert_eq!(bodies(&world.receive(&url, 10).await), ["A2", "A3"]);
}

#[tokio::test]
async fn deleting_part_of_a_batch_leaves_its_group_held_up() {
    let world = world().await;
    let url = world.work().await;
    for body in ["A1", "A2", "A3", "A4"] {
        world.send(&url, "A", body).await;
    }
    let batch = world.receive(&url, 3).await;
    world.delete(&url, &batch[0]).await.unwrap();
    assert!(world.receive(&url, 10).await.is_empty());
    world.hide(&url, &batch[1], 0).await.unwrap();
    assert!(world.receive(&url, 10).await.is_empty(), "A3 is still in flight");
    world.delete(&url, &batch[2]).await.unwrap();
    assert_eq!(bodies(&world.receive(&url, 10).await), ["A2", "A4"]);
}

#[tokio::test]
async fn a_second_send_with_a_deduplication_id_is_accepted_and_dropped_for_five_minutes() {
    let world = world().await;
    let url = world.work().await;
    let first = world.send_as(&url, "A", "id", "one").await;
    assert_eq!(world.send_as(&url, "A", "id", "two").await, first);
    let message = world.one(&url).await;
    assert_eq!(message.body(), Some("one"));
    world.delete(&url, &message).await.unwrap();
    world.advance(299);
    assert_eq!(world.send_as(&url, "A", "id", "three").await, first, "deleting does not forget the id");
    assert!(world.receive(&url, 10).await.is_empty());
    world.advance(1);
    assert_ne!(world.send_as(&url, "A", "id", "four").await.0, first.0);
    assert_eq!(bodies(&world.receive(&url, 10).await), ["four"]);
}

#[tokio::test]
async fn equal_bodies_are_duplicates_where_the_queue_says_so() {
    let world = world().await;
    let url = world.queue("work.fifo", &[(Name::ContentBasedDeduplication, "true")]).await;
    for body in ["same", "same", "other"] {
        let send = world.client.send_message().queue_url(&url).message_group_id("A").message_body(body);
        send.send().await.unwrap();
    }
    assert_eq!(bodies(&world.drain(&url).await), ["same", "other"]);
}

#[tokio::test]
async fn a_send_needs_a_group_and_a_deduplication_id() {
    let world = world().await;
    let url = world.work().await;
    let send = || world.client.send_message().queue_url(&url).message_body("x");
    let no_group = send().message_deduplication_id("id").send().await.unwrap_err();
    assert_eq!(code(&no_group), "MissingParameter");
    let no_id = send().message_group_id("A").send().await.unwrap_err();
    assert_eq!(code(&no_id), "InvalidParameterValue");
}

#[tokio::test]
async fn a_message_comes_again_with_a_new_receipt_when_its_visibility_ends() {
    let world = world().await;
    let url = world.work().await;
    world.send(&url, "A", "A1").await;
    world.send(&url, "A", "A2").await;
    let first = world.one(&url).await;
    assert_eq!(system(&first, &System::ApproximateReceiveCount), "1");
    world.advance(29);
    assert!(world.receive(&url, 1).await.is_empty());
    world.advance(1);
    let second = world.one(&url).await;
    assert_eq!(second.body(), Some("A1"));
    assert_eq!(system(&second, &System::ApproximateReceiveCount), "2");
    assert_ne!(first.receipt_handle(), second.receipt_handle());
    assert_eq!(
        system(&first, &System::ApproximateFirstReceiveTimestamp),
        system(&second, &System::ApproximateFirstReceiveTimestamp)
    );
}

#[tokio::test]
async fn an_expired_receipt_deletes_nothing() {
    let world = world().await;
    let url = world.work().await;
    world.send(&url, "A", "A1").await;
    let first = world.one(&url).await;
    world.advance(30);
    assert_eq!(world.delete(&url, &first).await, Err("InvalidParameterValue".to_owned()));
    let second = world.one(&url).await;
    assert_eq!(world.delete(&url, &first).await, Err("InvalidParameterValue".to_owned()), "an older receipt");
    world.delete(&url, &second).await.unwrap();
    world.delete(&url, &second).await.unwrap();
    let garbage = world.client.delete_message().queue_url(&url).receipt_handle("garbage").send().await;
    assert!(garbage.unwrap_err().as_service_error().unwrap().is_receipt_handle_is_invalid());
}

#[tokio::test]
async fn a_message_received_too_often_goes_to_the_dead_letter_queue_and_frees_its_group() {
    let world = world().await;
    let (work, dead) = world.work_and_dead("2").await;
    world.send(&work, "A", "poison").await;
    world.send(&work, "A", "next").await;
    for _ in 0..2 {
        assert_eq!(world.one(&work).await.body(), Some("poison"));
        world.advance(30);
    }
    assert_eq!(world.one(&work).await.body(), Some("next"));
    let buried = world.one(&dead).await;
    assert_eq!(buried.body(), Some("poison"));
    assert_eq!(system(&buried, &System::MessageGroupId), "A");
    let source = world.attribute(&work, Name::QueueArn).await;
    assert_eq!(system(&buried, &System::DeadLetterQueueSourceArn), source);
    assert_eq!(system(&buried, &System::ApproximateReceiveCount), "3", "counted over all queues");
}

#[tokio::test]
async fn a_worn_message_is_not_delivered_again_even_if_it_is_alone() {
    let world = world().await;
    let (work, dead) = world.work_and_dead("1").await;
    world.send(&work, "A", "poison").await;
    world.one(&work).await;
    world.advance(30);
    assert!(world.receive(&work, 1).await.is_empty());
    assert_eq!(world.attribute(&dead, Name::ApproximateNumberOfMessages).await, "1");
    assert_eq!((world.sqs.depth("work.fifo"), world.sqs.depth("dead.fifo")), ((0, 0), (1, 0)));
}

#[tokio::test]
async fn a_long_poll_ends_empty_after_its_time_and_at_once_with_a_message() {
    let world = Arc::new(world().await);
    let url = world.work().await;
    let poll = |seconds| {
        let (world, url) = (world.clone(), url.clone());
        tokio::spawn(async move { world.wait(&url, 1, seconds).await })
    };
    let empty = poll(2);
    let mut waited = Duration::ZERO;
    while !empty.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        world.clock.advance(Duration::from_millis(100));
        waited += Duration::from_millis(100);
    }
    assert!(empty.await.unwrap().is_empty());
    assert!(waited >= Duration::from_secs(2), "{waited:?}");

    // The clock stands still, so only the message can end it.
    let full = poll(20);
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(!full.is_finished());
    world.send(&url, "A", "late").await;
    assert_eq!(bodies(&full.await.unwrap()), ["late"]);
}

#[tokio::test]
async fn a_long_poll_gets_a_message_whose_visibility_ends() {
    let world = Arc::new(world().await);
    let url = world.work().await;
    world.send(&url, "A", "A1").await;
    world.one(&url).await;
    world.advance(20);
    let again = tokio::spawn({
        let (world, url) = (world.clone(), url.clone());
        async move { world.wait(&url, 1, 20).await }
    });
    while !again.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        world.clock.advance(Duration::from_millis(100));
    }
    assert_eq!(bodies(&again.await.unwrap()), ["A1"]);
}

#[tokio::test]
async fn visibility_can_be_given_back_and_shortened() {
    let world = world().await;
    let url = world.work().await;
    world.send(&url, "A", "A1").await;
    let first = world.one(&url).await;
    world.hide(&url, &first, 0).await.unwrap();
    let second = world.one(&url).await;
    world.hide(&url, &second, 1).await.unwrap();
    world.advance(1);
    let third = world.one(&url).await;
    assert_eq!(world.hide(&url, &first, 5).await, Err("InvalidParameterValue".to_owned()));
    assert_eq!(
        world.hide(&url, &third, 43_201).await,
        Err("InvalidParameterValue".to_owned()),
        "12 hours at most"
    );
    world.advance(30);
    assert_eq!(
        world.hide(&url, &third, 5).await,
        Err("AWS.SimpleQueueService.MessageNotInflight".to_owned())
    );
}

#[tokio::test]
async fn an_entry_of_a_batch_fails_by_itself() {
    let world = world().await;
    let url = world.work().await;
    world.send(&url, "A", "A1").await;
    world.send(&url, "B", "B1").await;
    let both = world.receive(&url, 10).await;
    let entry = |id: &str, handle: &str| {
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(id).receipt_handle(handle);
        entry.visibility_timeout(0).build().unwrap()
    };
    let change = world.client.change_message_visibility_batch().queue_url(&url);
    let change = change.entries(entry("a", both[0].receipt_handle().unwrap())).entries(entry("b", "garbage"));
    let changed = change.send().await.unwrap();
    assert_eq!((changed.successful()[0].id(), changed.failed()[0].id()), ("a", "b"));
    assert_eq!(changed.failed()[0].code(), "ReceiptHandleIsInvalid");
    let again = world.receive(&url, 10).await;
    assert_eq!(bodies(&again), ["A1"]);

    let entry = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().unwrap()
    };
    let delete = world.client.delete_message_batch().queue_url(&url);
    let delete =
        delete.entries(entry("a", again[0].receipt_handle().unwrap())).entries(entry("b", "garbage"));
    let deleted = delete.send().await.unwrap();
    assert_eq!((deleted.successful().len(), deleted.failed().len()), (1, 1));
    assert_eq!(world.sqs.depth("work.fifo"), (0, 1));
}

#[tokio::test]
async fn dead_letters_can_be_moved_back() {
    let world = world().await;
    let (work, dead) = world.work_and_dead("1").await;
    let (id, _) = world.send(&work, "A", "m1").await;
    world.one(&work).await;
    world.advance(30);
    assert!(world.receive(&work, 1).await.is_empty());
    let source = world.attribute(&dead, Name::QueueArn).await;
    let started = world.client.start_message_move_task().source_arn(&source).send().await.unwrap();
    assert!(started.task_handle().is_some());
    let back = world.one(&work).await;
    assert_eq!(back.body(), Some("m1"));
    assert_ne!(back.message_id(), Some(id.as_str()), "it counts as a new message");
    assert_eq!(system(&back, &System::ApproximateReceiveCount), "1");
    assert!(world.receive(&dead, 1).await.is_empty());
    let tasks = world.client.list_message_move_tasks().source_arn(&source).send().await.unwrap();
    assert_eq!(tasks.results()[0].status(), Some("COMPLETED"));
    assert_eq!(tasks.results()[0].approximate_number_of_messages_moved(), 1);

    let not_dead = world.attribute(&work, Name::QueueArn).await;
    let refused = world.client.start_message_move_task().source_arn(not_dead).send().await.unwrap_err();
    assert_eq!(code(&refused), "InvalidParameterValue");
    let missing = world.client.start_message_move_task().source_arn("arn:nope").send().await.unwrap_err();
    assert!(missing.as_service_error().unwrap().is_resource_not_found_exception());
}

#[tokio::test]
async fn a_batch_of_ten_is_sent_and_a_malformed_one_refused() {
    let world = world().await;
    let url = world.work().await;
    let entry = |id: &str| {
        let entry = SendMessageBatchRequestEntry::builder().id(id).message_body(id).message_group_id("A");
        entry.message_deduplication_id(id).build().unwrap()
    };
    let send = |ids: &[String]| {
        let entries = ids.iter().map(|id| entry(id)).collect();
        world.client.send_message_batch().queue_url(&url).set_entries(Some(entries)).send()
    };
    let ids: Vec<String> = (10..20).map(|n| n.to_string()).collect();
    assert_eq!(send(&ids).await.unwrap().successful().len(), 10);
    assert_eq!(bodies(&world.drain(&url).await), ids);

    let eleven: Vec<String> = (20..31).map(|n| n.to_string()).collect();
    let refused = send(&eleven).await.unwrap_err();
    assert!(refused.as_service_error().unwrap().is_too_many_entries_in_batch_request());
    let refused = send(&["x".to_owned(), "x".to_owned()]).await.unwrap_err();
    assert!(refused.as_service_error().unwrap().is_batch_entry_ids_not_distinct());
    let refused = send(&[]).await.unwrap_err();
    assert!(refused.as_service_error().unwrap().is_empty_batch_request());
    assert_eq!(world.sqs.depth("work.fifo"), (0, 0));
}

#[tokio::test]
async fn a_message_has_at_most_one_mebibyte() {
    let world = world().await;
    let url = world.work().await;
    for bytes in [262_145, 1_048_576] {
        world.send_as(&url, "A", &bytes.to_string(), &"x".repeat(bytes)).await;
    }
    let send = world.client.send_message().queue_url(&url).message_group_id("A");
    let long = send.message_deduplication_id("long").message_body("x".repeat(1_048_577)).send().await;
    assert_eq!(code(&long.unwrap_err()), "InvalidParameterValue");
    let entry = |id: &str| {
        let entry = SendMessageBatchRequestEntry::builder().id(id).message_group_id("A");
        entry.message_deduplication_id(id).message_body("x".repeat(600_000)).build().unwrap()
    };
    let batch = world.client.send_message_batch().queue_url(&url).entries(entry("a")).entries(entry("b"));
    assert!(batch.send().await.unwrap_err().as_service_error().unwrap().is_batch_request_too_long());
    assert_eq!(world.sqs.depth("work.fifo"), (2, 0));
}

#[tokio::test]
async fn one_message_cannot_be_delayed() {
    let world = world().await;
    let url = world.work().await;
    let send = world.client.send_message().queue_url(&url).message_group_id("A").delay_seconds(1);
    let refused = send.message_deduplication_id("id").message_body("x").send().await.unwrap_err();
    assert_eq!(code(&refused), "InvalidParameterValue");
}

#[tokio::test]
async fn a_queue_can_delay_all_its_messages() {
    let world = world().await;
    let url = world.queue("work.fifo", &[(Name::DelaySeconds, "1")]).await;
    world.send(&url, "A", "A1").await;
    assert!(world.receive(&url, 1).await.is_empty());
    assert_eq!(world.attribute(&url, Name::ApproximateNumberOfMessagesDelayed).await, "1");
    world.advance(1);
    assert_eq!(bodies(&world.receive(&url, 1).await), ["A1"]);
}

#[tokio::test]
async fn attributes_and_the_trace_header_travel_with_a_message() {
    let world = world().await;
    let url = world.work().await;
    let value = MessageAttributeValue::builder().data_type("String").string_value("attribValue 1");
    let header = MessageSystemAttributeValue::builder().data_type("String").string_value("Root=1-2-3");
    let send = world.client.send_message().queue_url(&url).message_group_id("A").message_body("x");
    let send = send.message_deduplication_id("id").message_attributes("attribName1", value.build().unwrap());
    let send = send.message_system_attributes(Sendable::AwsTraceHeader, header.build().unwrap());
    let answer = send.send().await.unwrap();
    assert_eq!(answer.md5_of_message_body(), Some("9dd4e461268c8034f5c8564e155c67a6"));
    assert_eq!(answer.md5_of_message_attributes(), Some("19e27d4e946b072f3f58da80d94fd778"));
    let got = world.one(&url).await;
    assert_eq!(got.message_attributes().unwrap()["attribName1"].string_value(), Some("attribValue 1"));
    assert_eq!(got.md5_of_body(), answer.md5_of_message_body());
    assert_eq!(got.md5_of_message_attributes(), answer.md5_of_message_attributes());
    assert_eq!(system(&got, &System::AwsTraceHeader), "Root=1-2-3");
    assert_eq!(system(&got, &System::SentTimestamp), "1790000000000");
    assert_eq!(system(&got, &System::MessageDeduplicationId), "id");
    assert_eq!(system(&got, &System::SequenceNumber), answer.sequence_number().unwrap());
}

#[tokio::test]
async fn a_queue_tells_its_depth() {
    let world = world().await;
    let url = world.work().await;
    for group in ["A", "B", "C"] {
        world.send(&url, group, group).await;
    }
    world.one(&url).await;
    assert_eq!(world.attribute(&url, Name::ApproximateNumberOfMessages).await, "2");
    assert_eq!(world.attribute(&url, Name::ApproximateNumberOfMessagesNotVisible).await, "1");
    assert_eq!(world.sqs.depth("work.fifo"), (2, 1));
    let peeked = world.sqs.peek("work.fifo");
    assert_eq!(peeked.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(), ["A", "B", "C"]);
}

#[tokio::test]
async fn a_receive_can_be_repeated_by_its_attempt_id() {
    let world = world().await;
    let url = world.work().await;
    world.send(&url, "A", "A1").await;
    let receive = || async {
        let receive = world.client.receive_message().queue_url(&url).receive_request_attempt_id("attempt");
        receive.send().await.unwrap().messages.unwrap_or_default()
    };
    let first = receive().await;
    world.advance(20);
    let second = receive().await;
    assert_eq!(first[0].receipt_handle(), second[0].receipt_handle());
    world.advance(20);
    assert!(world.receive(&url, 1).await.is_empty(), "the repetition hid it anew");
    world.delete(&url, &second[0]).await.unwrap();
    assert!(receive().await.is_empty());
}

#[tokio::test]
async fn eight_consumers_never_share_a_group_and_see_each_message_once() {
    const MESSAGES: usize = 12;
    let world = Arc::new(world().await);
    let url = world.work().await;
    let groups: Vec<String> = (0..10).map(|group| format!("g{group}")).collect();
    for n in 0..MESSAGES {
        for group in &groups {
            world.send(&url, group, &format!("{group}:{n:02}")).await;
        }
    }
    let seen = Arc::new(Mutex::new(BTreeMap::<String, (bool, Vec<String>)>::new()));
    let consumers = (0..8).map(|_| {
        let (world, url, seen) = (world.clone(), url.clone(), seen.clone());
        tokio::spawn(async move {
            while world.sqs.depth("work.fifo") != (0, 0) {
                for message in world.receive(&url, 1).await {
                    let group = system(&message, &System::MessageGroupId).to_owned();
                    {
                        let mut seen = seen.lock().unwrap();
                        let (held, bodies) = seen.entry(group.clone()).or_default();
                        assert!(!std::mem::replace(held, true), "two hold {group}");
                        bodies.push(message.body().unwrap().to_owned());
                    }
                    tokio::task::yield_now().await;
                    seen.lock().unwrap().get_mut(&group).unwrap().0 = false;
                    world.delete(&url, &message).await.unwrap();
                }
            }
        })
    });
    for consumer in consumers.collect::<Vec<_>>() {
        consumer.await.unwrap();
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), groups.len());
    for (group, (_, bodies)) in seen.iter() {
        assert_eq!(*bodies, (0..MESSAGES).map(|n| format!("{group}:{n:02}")).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_purged_queue_is_empty_and_not_purged_again_within_a_minute() {
    let world = world().await;
    let url = world.work().await;
    world.send(&url, "A", "A1").await;
    let purge = || world.client.purge_queue().queue_url(&url).send();
    purge().await.unwrap();
    assert!(world.receive(&url, 1).await.is_empty());
    assert!(purge().await.unwrap_err().as_service_error().unwrap().is_purge_queue_in_progress());
    world.advance(60);
    purge().await.unwrap();
}

#[tokio::test]
async fn messages_older_than_the_retention_period_are_gone() {
    let world = world().await;
    let url = world.queue("work.fifo", &[(Name::MessageRetentionPeriod, "60")]).await;
    world.send(&url, "A", "old").await;
    world.advance(59);
    assert_eq!(world.sqs.depth("work.fifo"), (1, 0));
    world.advance(1);
    assert!(world.receive(&url, 1).await.is_empty());
}

#[tokio::test]
async fn queues_survive_reopening_the_shelf() {
    let folder = Folder::new();
    let world = world_on(Shelf::open(&folder.file()).unwrap()).await;
    let (work, _) = world.work_and_dead("1").await;
    let first = world.send(&work, "A", "A1").await;
    for body in ["B1", "B2", "C1"] {
        world.send(&work, &body[..1], body).await;
    }
    let deleted = world.one(&work).await;
    world.delete(&work, &deleted).await.unwrap();
    let held = world.one(&work).await;
    assert_eq!(held.body(), Some("B1"));
    let before = world.sqs.peek("work.fifo");
    drop(world);

    let world = world_on(Shelf::open(&folder.file()).unwrap()).await;
    assert_eq!(world.sqs.peek("work.fifo"), before);
    let work = world.client.get_queue_url().queue_name("work.fifo").send().await.unwrap().queue_url.unwrap();
    assert_eq!(world.send(&work, "A", "A1").await, first, "the deduplication id is remembered");
    assert_eq!(bodies(&world.receive(&work, 10).await), ["C1"], "the group of B1 is held up");
    world.delete(&work, &held).await.unwrap();
    assert_eq!(bodies(&world.receive(&work, 10).await), ["B2"]);
    world.advance(30);
    assert!(world.receive(&work, 10).await.is_empty(), "the redrive policy is remembered");
    assert_eq!(world.sqs.depth("dead.fifo"), (2, 0));
}
