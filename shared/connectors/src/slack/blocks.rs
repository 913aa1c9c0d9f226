//! The few blocks that our messages are made of: <https://docs.slack.dev/reference/block-kit/blocks>.
//!
//! All text is `plain_text`, so neither a customer's words nor ours can mention, link or format
//! anything, and is cut to what Slack takes. Links are buttons, whose addresses are ours alone.

use serde::Serialize;

use super::text;

/// A block. Made by its functions, which keep Slack's limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Block(Kind);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Kind {
    Header {
        text: Text,
    },
    Section {
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<Text>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        fields: Vec<Text>,
    },
    Context {
        elements: Vec<Text>,
    },
    Actions {
        elements: Vec<Button>,
    },
    Divider,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Text {
    #[serde(rename = "type")]
    kind: &'static str,
    text: String,
    emoji: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Button {
    #[serde(rename = "type")]
    kind: &'static str,
    action_id: String,
    text: Text,
    url: String,
}

impl Block {
    /// A heading of up to 150 characters.
    pub fn header(words: &str) -> Self {
        Self(Kind::Header { text: Text::new(text::plain(words, 150)) })
    }

    /// Text of up to 3000 characters, with its paragraphs.
    pub fn section(words: &str) -> Self {
        Self(Kind::Section { text: Some(Text::new(text::paragraphs(words, 3000))), fields: Vec::new() })
    }

    /// Up to ten facts with their names, side by side; each up to 2000 characters with its name.
    pub fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let fields = facts
            .into_iter()
            .take(10)
            .map(|(name, value)| {
                let value = some(text::plain(value, 1899));
                Text::new(format!("{}\n{value}", text::plain(name, 100)))
            })
            .collect();
        Self(Kind::Section { text: None, fields })
    }

    /// Up to ten small remarks, of up to 2000 characters each.
    pub fn context<'a>(remarks: impl IntoIterator<Item = &'a str>) -> Self {
        let elements =
            remarks.into_iter().take(10).map(|words| Text::new(text::plain(words, 2000))).collect();
        Self(Kind::Context { elements })
    }

    /// Up to five buttons that open a page of ours, each with its words (up to 75 characters) and its
    /// address. An address beyond 3000 characters, which Slack refuses, is left out with its button.
    pub fn links<'a>(links: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let elements = links
            .into_iter()
            .filter(|(_, url)| url.chars().count() <= 3000)
            .take(5)
            .enumerate()
            .map(|(index, (words, url))| Button {
                kind: "button",
                action_id: format!("link_{index}"),
                text: Text::new(text::plain(words, 75)),
                url: url.to_owned(),
            })
            .collect();
        Self(Kind::Actions { elements })
    }

    /// A line.
    pub const fn divider() -> Self {
        Self(Kind::Divider)
    }

    /// Whether it was made of nothing; Slack refuses such a block, so it is not sent.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Kind::Section { text, fields } => text.is_none() && fields.is_empty(),
            Kind::Context { elements } => elements.is_empty(),
            Kind::Actions { elements } => elements.is_empty(),
            Kind::Header { .. } | Kind::Divider => false,
        }
    }
}

impl Text {
    fn new(text: String) -> Self {
        Self { kind: "plain_text", text: some(text), emoji: false }
    }
}

/// Slack refuses a text without a character.
fn some(text: String) -> String {
    if text.is_empty() { "–".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_written_as_block_kit_has_them() {
        let blocks = [
            Block::header("Payment failed"),
            Block::section("<!here> please\n\nlook"),
            Block::facts([("Invoice", "in_1"), ("Amount", "")]),
            Block::context(["rule `retry.soft`"]),
            Block::links([("Open the case", "https://console.example.test/a/ap_1")]),
            Block::divider(),
        ];
        insta::assert_json_snapshot!(blocks, @r#"
        [
          {
            "type": "header",
            "text": {
              "type": "plain_text",
              "text": "Payment failed",
              "emoji": false
            }
          },
          {
            "type": "section",
            "text": {
              "type": "plain_text",
              "text": "&lt;!here&gt; please\n\nlook",
              "emoji": false
            }
          },
          {
            "type": "section",
            "fields": [
              {
                "type": "plain_text",
                "text": "Invoice\nin_1",
                "emoji": false
              },
              {
                "type": "plain_text",
                "text": "Amount\n–",
                "emoji": false
              }
            ]
          },
          {
            "type": "context",
            "elements": [
              {
                "type": "plain_text",
                "text": "rule `retry.soft`",
                "emoji": false
              }
            ]
          },
          {
            "type": "actions",
            "elements": [
              {
                "type": "button",
                "action_id": "link_0",
                "text": {
                  "type": "plain_text",
                  "text": "Open the case",
                  "emoji": false
                },
                "url": "https://console.example.test/a/ap_1"
              }
            ]
          },
          {
            "type": "divider"
          }
        ]
        "#);
    }

    #[test]
    fn nothing_is_longer_than_slack_takes() {
        let long = "<&>".repeat(2000);
        let shown = |block: Block| serde_json::to_value(block).unwrap();
        let length = |value: &serde_json::Value| value.as_str().unwrap().chars().count();
        assert!(length(&shown(Block::header(&long))["text"]["text"]) <= 150);
        assert!(length(&shown(Block::section(&long))["text"]["text"]) <= 3000);
        let facts = shown(Block::facts(vec![(long.as_str(), long.as_str()); 12]));
        assert_eq!(facts["fields"].as_array().unwrap().len(), 10);
        assert!(length(&facts["fields"][0]["text"]) <= 2000);
        let links = shown(Block::links([(long.as_str(), "https://a.example.test"), ("b", long.as_str())]));
        assert_eq!(links["elements"].as_array().unwrap().len(), 1);
        assert!(length(&links["elements"][0]["text"]["text"]) <= 75);
    }
}
