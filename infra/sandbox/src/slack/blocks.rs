//! Block Kit: what a message's blocks may hold.
//!
//! The limits are those of <https://docs.slack.dev/reference/block-kit/blocks> and the pages below
//! it. Checked in depth: header, section, context, actions with buttons, image, markdown, divider.
//! Other kinds and elements only have to be known ones.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::arguments::Refusal;

/// The most blocks in one message.
const MOST_BLOCKS: usize = 50;
const OTHER_BLOCKS: [&str; 6] = ["context_actions", "file", "input", "rich_text", "table", "video"];
const OTHER_ELEMENTS: [&str; 18] = [
    "channels_select",
    "checkboxes",
    "conversations_select",
    "datepicker",
    "datetimepicker",
    "external_select",
    "image",
    "multi_channels_select",
    "multi_conversations_select",
    "multi_external_select",
    "multi_static_select",
    "multi_users_select",
    "overflow",
    "radio_buttons",
    "static_select",
    "timepicker",
    "users_select",
    "workflow_button",
];

/// The blocks if Slack would take them.
pub(super) fn check(given: &Value) -> Result<Vec<Value>, Refusal> {
    let blocks = given.as_array().ok_or("invalid_blocks_format")?;
    let mut checker = Checker::default();
    if blocks.len() > MOST_BLOCKS {
        checker.wrong("/blocks", &format!("no more than {MOST_BLOCKS} items allowed"));
    }
    for (index, block) in blocks.iter().enumerate() {
        checker.block(block, &format!("/blocks/{index}"));
    }
    if checker.wrong.is_empty() {
        Ok(blocks.clone())
    } else {
        Err(Refusal::because("invalid_blocks", checker.wrong))
    }
}

/// Collects everything that is wrong, each with a JSON pointer to it, as Slack reports it.
#[derive(Default)]
struct Checker {
    wrong: Vec<String>,
    block_ids: BTreeSet<String>,
}

/// Which kinds of text object a place takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    Plain,
    Any,
}

impl Checker {
    fn wrong(&mut self, at: &str, what: &str) {
        self.wrong.push(format!("{what} [json-pointer:{at}]"));
    }

    fn object<'v>(&mut self, value: &'v Value, at: &str) -> Option<&'v Map<String, Value>> {
        let object = value.as_object();
        if object.is_none() {
            self.wrong(at, "must be an object");
        }
        object
    }

    fn block(&mut self, value: &Value, at: &str) {
        let Some(block) = self.object(value, at) else { return };
        if let Some(id) = self.string(block, "block_id", at, 255)
            && !self.block_ids.insert(id.to_owned())
        {
            self.wrong(&format!("{at}/block_id"), "must be unique within a message");
        }
        match kind(block) {
            "section" => self.section(block, at),
            "header" => {
                self.only(block, &["text"], at);
                self.text(block, "text", at, 150, Text::Plain);
            }
            "divider" => self.only(block, &[], at),
            "context" => {
                self.only(block, &["elements"], at);
                self.each(block, "elements", at, 10, |checker, element, at| match kind_of(element) {
                    "image" => checker.image(element, at),
                    _ => checker.text_object(element, at, usize::MAX, Text::Any),
                });
            }
            "actions" => {
                self.only(block, &["elements"], at);
                let mut ids = BTreeSet::new();
                self.each(block, "elements", at, 25, |checker, element, at| {
                    checker.element(element, at);
                    let id = element.get("action_id").and_then(Value::as_str);
                    if id.is_some_and(|id| !ids.insert(id.to_owned())) {
                        checker.wrong(&format!("{at}/action_id"), "must be unique within a block");
                    }
                });
            }
            "image" => self.image(value, at),
            "markdown" => {
                self.only(block, &["text"], at);
                self.required_string(block, "text", at, 12_000);
            }
            other if OTHER_BLOCKS.contains(&other) => {}
            other => self.wrong(&format!("{at}/type"), &format!("unsupported type: {other}")),
        }
    }

    fn section(&mut self, block: &Map<String, Value>, at: &str) {
        self.only(block, &["accessory", "expand", "fields", "text"], at);
        if block.contains_key("fields") {
            self.each(block, "fields", at, 10, |checker, field, at| {
                checker.text_object(field, at, 2_000, Text::Any);
            });
        } else if !block.contains_key("text") {
            self.wrong(at, "must define either `text` or `fields`");
        }
        if block.contains_key("text") {
            self.text(block, "text", at, 3_000, Text::Any);
        }
        if let Some(accessory) = block.get("accessory") {
            self.element(accessory, &format!("{at}/accessory"));
        }
    }

    fn element(&mut self, value: &Value, at: &str) {
        let Some(element) = self.object(value, at) else { return };
        match kind(element) {
            "button" => {
                let known = ["accessibility_label", "action_id", "confirm", "style", "text", "url", "value"];
                self.only(element, &known, at);
                self.text(element, "text", at, 75, Text::Plain);
                self.string(element, "action_id", at, 255);
                self.string(element, "value", at, 2_000);
                self.string(element, "url", at, 3_000);
                let style = self.string(element, "style", at, 7);
                if style.is_some_and(|style| !matches!(style, "primary" | "danger")) {
                    self.wrong(&format!("{at}/style"), "must be a valid enum value");
                }
            }
            other if OTHER_ELEMENTS.contains(&other) => {}
            other => self.wrong(&format!("{at}/type"), &format!("unsupported type: {other}")),
        }
    }

    fn image(&mut self, value: &Value, at: &str) {
        let Some(image) = self.object(value, at) else { return };
        self.required_string(image, "alt_text", at, 2_000);
        if !image.contains_key("slack_file") {
            self.required_string(image, "image_url", at, 3_000);
        }
    }

    /// A list that must be there, with one to `most` entries.
    fn each(
        &mut self,
        holder: &Map<String, Value>,
        name: &str,
        at: &str,
        most: usize,
        mut check: impl FnMut(&mut Self, &Value, &str),
    ) {
        let at = format!("{at}/{name}");
        match holder.get(name).and_then(Value::as_array).map(Vec::as_slice) {
            None | Some([]) => self.wrong(&at, "must provide at least 1 item"),
            Some(list) => {
                if list.len() > most {
                    self.wrong(&at, &format!("no more than {most} items allowed"));
                }
                for (index, item) in list.iter().enumerate() {
                    check(self, item, &format!("{at}/{index}"));
                }
            }
        }
    }

    fn text(&mut self, holder: &Map<String, Value>, name: &str, at: &str, longest: usize, takes: Text) {
        match holder.get(name) {
            Some(text) => self.text_object(text, &format!("{at}/{name}"), longest, takes),
            None => self.wrong(at, &format!("missing required field: {name}")),
        }
    }

    /// <https://docs.slack.dev/reference/block-kit/composition-objects/text-object>.
    fn text_object(&mut self, value: &Value, at: &str, longest: usize, takes: Text) {
        let Some(text) = self.object(value, at) else { return };
        match kind(text) {
            "plain_text" => self.only(text, &["text", "emoji"], at),
            "mrkdwn" if takes == Text::Any => self.only(text, &["text", "verbatim"], at),
            other => self.wrong(&format!("{at}/type"), &format!("unsupported type: {other}")),
        }
        self.required_string(text, "text", at, longest);
    }

    fn required_string(&mut self, holder: &Map<String, Value>, name: &str, at: &str, longest: usize) {
        match self.string(holder, name, at, longest) {
            Some("") => self.wrong(&format!("{at}/{name}"), "must be more than 0 characters"),
            Some(_) => {}
            None if holder.contains_key(name) => {}
            None => self.wrong(at, &format!("missing required field: {name}")),
        }
    }

    /// A string of at most `longest` characters, if it is there.
    fn string<'v>(
        &mut self,
        holder: &'v Map<String, Value>,
        name: &str,
        at: &str,
        longest: usize,
    ) -> Option<&'v str> {
        let at = format!("{at}/{name}");
        let string = holder.get(name)?.as_str();
        match string {
            None => self.wrong(&at, "must be a string"),
            Some(text) if text.chars().count() > longest => {
                self.wrong(&at, &format!("must be less than {} characters", longest + 1));
            }
            Some(_) => {}
        }
        string
    }

    /// Slack takes no fields that it does not know.
    fn only(&mut self, holder: &Map<String, Value>, known: &[&str], at: &str) {
        for name in holder.keys() {
            if !matches!(name.as_str(), "type" | "block_id") && !known.contains(&name.as_str()) {
                self.wrong(at, &format!("invalid additional property: {name}"));
            }
        }
    }
}

fn kind(object: &Map<String, Value>) -> &str {
    object.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn kind_of(value: &Value) -> &str {
    value.get("type").and_then(Value::as_str).unwrap_or_default()
}
