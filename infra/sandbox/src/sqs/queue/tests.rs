use super::*;

fn queue(name: &str, value: &str) -> Queue {
    let settings = Settings::default().with(&[(name.to_owned(), value.to_owned())].into()).unwrap();
    Queue::new("work.fifo".to_owned(), settings, 0)
}

fn send(queue: &mut Queue, group: &str, id: &str, now: i64) -> Sent {
    let draft = Draft {
        body: id.to_owned(),
        attributes: BTreeMap::new(),
        trace_header: None,
        group: group.to_owned(),
        deduplication_id: Some(id.to_owned()),
    };
    queue.send(draft, format!("message {group} {id} {now}"), now).unwrap()
}

fn pull(queue: &mut Queue, now: i64) -> Vec<String> {
    let pull = Pull { most: 10, ..Pull::default() };
    queue.pull(&pull, now).messages.into_iter().map(|message| message.body).collect()
}

#[test]
fn the_scope_of_deduplication_is_the_queue_or_the_group() {
    for (scope, same) in [("queue", true), ("messageGroup", false)] {
        let mut queue = queue("DeduplicationScope", scope);
        let first = send(&mut queue, "A", "id", 0);
        assert_eq!(send(&mut queue, "B", "id", 1) == first, same, "{scope}");
    }
}

#[test]
fn a_delayed_message_holds_up_those_behind_it_and_none_before_it() {
    let mut queue = queue("DelaySeconds", "10");
    send(&mut queue, "A", "1", 0);
    send(&mut queue, "A", "2", 5_000);
    queue.head.settings.delay = 0;
    send(&mut queue, "A", "3", 6_000);
    assert_eq!(pull(&mut queue, 10_000), ["1"]);
    queue.purge(10_000).unwrap();
    queue.head.settings.delay = 10;
    send(&mut queue, "A", "4", 10_000);
    queue.head.settings.delay = 0;
    send(&mut queue, "A", "5", 10_000);
    assert_eq!(pull(&mut queue, 19_999), [""; 0]);
    assert_eq!(pull(&mut queue, 20_000), ["4", "5"]);
}

#[test]
fn what_is_forgotten_is_also_to_be_unsaved() {
    let mut queue = queue("MessageRetentionPeriod", "600");
    send(&mut queue, "A", "1", 0);
    let attempt = Pull { most: 1, attempt: Some("attempt".to_owned()), ..Pull::default() };
    assert_eq!(queue.pull(&attempt, 0).messages.len(), 1);
    queue.unsaved.clear();
    queue.forget(REMEMBERED);
    let gone = [Row::Sent("1".to_owned()), Row::Attempt("attempt".to_owned())];
    assert_eq!(queue.unsaved, gone.into());
    queue.unsaved.clear();
    queue.forget(600_000);
    assert_eq!(queue.unsaved, [Row::Message(1)].into());
}
