//! Questions to a person at a terminal.

use std::io::{BufRead, Write};

use anyhow::{Result, ensure};

/// A terminal, or what stands for one.
pub(super) struct Terminal<R, W> {
    answers: R,
    questions: W,
}

impl<R: BufRead, W: Write> Terminal<R, W> {
    pub(super) const fn new(answers: R, questions: W) -> Self {
        Self { answers, questions }
    }

    /// Asks until the answer is good; an empty one is the default.
    ///
    /// # Errors
    /// If there are no more answers.
    pub(super) fn ask(
        &mut self,
        question: &str,
        default: Option<&str>,
        check: impl Fn(&str) -> Result<()>,
    ) -> Result<String> {
        loop {
            write!(self.questions, "{question}")?;
            if let Some(default) = default.filter(|text| !text.is_empty()) {
                write!(self.questions, " [{default}]")?;
            }
            write!(self.questions, "\n> ")?;
            self.questions.flush()?;
            let mut line = String::new();
            let read = self.answers.read_line(&mut line)?;
            ensure!(
                read > 0,
                "the answers end before all is asked; give the rest with --parameter NAME=VALUE"
            );
            let answer = match (line.trim(), default) {
                ("", Some(default)) => default,
                (answer, _) => answer,
            };
            match check(answer) {
                Ok(()) => return Ok(answer.to_owned()),
                Err(wrong) => writeln!(self.questions, "{wrong}")?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_asks_again_until_the_answer_is_good() {
        let mut out = Vec::new();
        let mut terminal = Terminal::new(&b"no\n\nyes\n"[..], &mut out);
        let check = |text: &str| {
            ensure!(text == "yes", "say yes");
            Ok(())
        };
        assert_eq!(terminal.ask("Well?", None, check).unwrap(), "yes");
        assert!(terminal.ask("Well?", None, check).is_err(), "nobody answers any more");
        let mut terminal = Terminal::new(&b"\n"[..], Vec::new());
        assert_eq!(terminal.ask("Well?", Some("yes"), check).unwrap(), "yes");
        assert_eq!(String::from_utf8(out).unwrap().matches("say yes").count(), 2);
    }
}
