//! A recorded run: who was asked, and what came, a line for each case. It replays without a network.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use connectors::model::{Model, Price, Tokens};
use domain::{Digest, advice::PROMPT_VERSION};
use sandbox::model::INVENTED;
use serde::{Deserialize, Serialize};

use super::{ask::Whom, cases::Labelled};

/// Who was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// The vendor's name of the model.
    pub(super) model: String,
    /// The mode, if it was the stand-in.
    pub(super) stand_in: Option<String>,
    /// The version of the questions.
    pub(super) prompt: String,
    /// Millionths of a US dollar for a million tokens that are read.
    read: u64,
    /// The same for tokens that are written.
    written: u64,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    /// The digest of what was asked.
    pub(super) input: Digest,
    pub(super) outcome: Outcome,
    /// How long it took.
    pub(super) millis: u64,
}

/// An answer, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Answered { text: String, read: u64, written: u64 },
    Unanswered { why: String },
}

/// A whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recording {
    pub(super) header: Header,
    /// In the order of the cases.
    pub(super) answers: Vec<Answer>,
}

impl Header {
    pub(super) fn of(model: &Model, whom: Whom) -> Self {
        let stand_in = match whom {
            Whom::StandIn(mode) => Some(mode.as_str().to_owned()),
            Whom::Configured => None,
        };
        let Price { input: read, output: written } = model.price();
        let (model, prompt) = (model.id().to_owned(), PROMPT_VERSION.to_owned());
        Self { model, stand_in, prompt, read, written }
    }

    /// What these tokens cost, in millionths of a US dollar.
    pub(super) fn cost(&self, tokens: Tokens) -> u64 {
        Price { input: self.read, output: self.written }.of(tokens)
    }

    /// What the stand-in makes up, whatever it is asked.
    pub(super) fn lures(&self) -> &'static [&'static str] {
        if self.stand_in.is_some() { &INVENTED } else { &[] }
    }
}

impl Recording {
    /// Reads a record of exactly these cases.
    ///
    /// # Errors
    /// If it is none, or other questions were asked.
    pub(super) fn read(file: &Path, cases: &[Labelled]) -> Result<Self> {
        let name = file.display();
        let text = fs::read_to_string(file)
            .with_context(|| format!("cannot read `{name}`; name a file that `--record` wrote"))?;
        let wrong = || format!("`{name}` is no record of an evaluation; make one with --record");
        let mut lines = text.lines();
        let header: Header = serde_json::from_str(lines.next().unwrap_or_default()).with_context(wrong)?;
        let answers: Result<Vec<Answer>, _> = lines.map(serde_json::from_str).collect();
        let answers = answers.with_context(wrong)?;
        let asked = cases.iter().map(|case| case.brief.digest(&header.model));
        ensure!(
            asked.eq(answers.iter().map(|answer| answer.input)),
            "`{name}` holds answers to other questions: cases, prompt or policy changed since; record it again"
        );
        Ok(Self { header, answers })
    }

    /// Writes it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let mut text = serde_json::to_string(&self.header)? + "\n";
        for answer in &self.answers {
            text.push_str(&serde_json::to_string(answer)?);
            text.push('\n');
        }
        fs::write(file, text).with_context(|| format!("cannot write `{}`", file.display()))
    }
}
