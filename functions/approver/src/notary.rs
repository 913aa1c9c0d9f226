//! The hourly checkpoint: signs where every chain of both tables ends, so that a tail that somebody cuts
//! off later shows to whoever has the public key.

use std::collections::BTreeMap;

use anyhow::Result;
use domain::{
    Timestamp,
    trail::{Head, MOST_HEADS, Statement, chain_name},
};

use crate::turn::Turn;

/// How long an entry may take from its time to the index, in seconds, unless `CHECKPOINT_LAG_SECONDS`
/// says otherwise: longer than any function runs, and than the index lags.
pub(crate) const LAG: i64 = 300;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) signed: usize,
    pub(crate) chains: usize,
}

/// Signs a checkpoint over the chains that grew since the last one; several if they are too many for
/// one. A chain that is named twice does no harm, so a run that dies half-way is made up for by the next.
pub(crate) async fn run(turn: Turn<'_>) -> Result<Report> {
    let app = turn.app;
    let (now, mut last) = (turn.now(), app.approvals.last_checkpoint().await?);
    let until = now.plus(-app.checkpoint_lag);
    // An entry of the last second may have come after it was read.
    let from = last.as_ref().map_or(Timestamp::from_seconds(0), |last| last.statement.until);
    if until <= from {
        return Ok(Report::default());
    }
    let (mut heads, proposals) =
        tokio::try_join!(app.cases.grown(from, until), app.approvals.grown(from, until))?;
    heads.extend(proposals);
    let mut report = Report { signed: 0, chains: heads.len() };
    for (part, is_last) in parts(heads) {
        // Only the last one says that all is in it.
        let statement = Statement::after(last.as_ref(), if is_last { until } else { from }, now, part);
        let signed = statement.sign(&turn.keys.signer);
        if !app.approvals.put_checkpoint(&signed).await? {
            // Another run is at it.
            return Ok(report);
        }
        turn.checkpoint("checkpoint_signed")?;
        report.signed += 1;
        last = Some(signed);
    }
    turn.metrics.count("checkpoints_signed", u64::try_from(report.signed).unwrap_or(u64::MAX));
    Ok(report)
}

/// The heads by the names of their chains, in parts of at most [`MOST_HEADS`]; at least one part.
fn parts(heads: BTreeMap<String, Head>) -> Vec<(BTreeMap<String, Head>, bool)> {
    let mut rest: BTreeMap<String, Head> =
        heads.into_iter().map(|(subject, head)| (chain_name(&subject), head)).collect();
    let mut parts = Vec::new();
    while let Some(split) = rest.keys().nth(MOST_HEADS).cloned() {
        let after = rest.split_off(&split);
        parts.push((std::mem::replace(&mut rest, after), false));
    }
    parts.push((rest, true));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chain_is_in_exactly_one_part_and_only_the_last_part_closes() {
        for count in [0, 1, MOST_HEADS, MOST_HEADS + 1, 2 * MOST_HEADS + 5] {
            let heads = (0..count).map(|number| (format!("ap_{number}"), Head::START)).collect();
            let parts = parts(heads);
            assert_eq!(parts.iter().map(|(part, _)| part.len()).sum::<usize>(), count);
            assert!(parts.iter().all(|(part, _)| part.len() <= MOST_HEADS));
            assert_eq!(parts.iter().filter(|(_, last)| *last).count(), 1);
            assert!(parts.last().unwrap().1);
        }
    }
}
