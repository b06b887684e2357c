//! What the engine wrote, taken apart: lines that are passed on as they are, and episodes that are reported
//! at the end.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;
use watchpost_detector::wire::Format;
use watchpost_detector::{Anomaly, Fingerprint, Phase, Problem, SessionVerdict, Timestamp};

/// One line of the engine's output.
pub(crate) enum Said<'a> {
    /// The verdict on a row: its bytes, with the end of the line.
    Row(&'a [u8]),
    /// The verdict on a session: its bytes, and what they say.
    Session(&'a [u8], SessionVerdict),
    /// An episode begins, becomes worse or ends: its bytes, and what they say.
    Anomaly(&'a [u8], Box<Anomaly>),
    /// A row could not be read.
    Problem(Problem),
    /// Something that the user should know; with a format, that this one was found.
    Note(String, Option<Format>),
    /// Nothing was learned from the feedback on this row.
    Unused(String, u64),
}

/// The lines of what the engine wrote.
///
/// The first field tells which line it is. Rows, which may come by the million, are not parsed.
pub(crate) fn lines(written: &[u8]) -> impl Iterator<Item = anyhow::Result<Said<'_>>> {
    written.split_inclusive(|&byte| byte == b'\n').map(|line| {
        if line.starts_with(b"{\"row\"") {
            return Ok(Said::Row(line));
        }
        parse(line).with_context(|| format!("the engine wrote a line that it should not: {}", line.escape_ascii()))
    })
}

fn parse(line: &[u8]) -> serde_json::Result<Said<'_>> {
    #[derive(Deserialize)]
    struct OfProblem {
        problem: Problem,
    }
    #[derive(Deserialize)]
    struct OfNote {
        note: String,
        row: Option<u64>,
        format: Option<Format>,
    }
    Ok(if line.starts_with(b"{\"problem\"") {
        Said::Problem(serde_json::from_slice::<OfProblem>(line)?.problem)
    } else if line.starts_with(b"{\"note\"") {
        let OfNote { note, row, format } = serde_json::from_slice(line)?;
        match row {
            Some(row) => Said::Unused(note, row),
            None => Said::Note(note, format),
        }
    } else if line.starts_with(b"{\"session\"") {
        Said::Session(line, serde_json::from_slice(line)?)
    } else {
        Said::Anomaly(line, serde_json::from_slice(line)?)
    })
}

/// Every episode of a run, each as it was last reported.
#[derive(Debug, Default)]
pub(crate) struct Episodes(BTreeMap<(Timestamp, Fingerprint), Anomaly>);

impl Episodes {
    /// What is said later of an episode takes the place of its onset, which tells less. What no end follows (the engine
    /// was stopped) stays, as an episode that is still open.
    pub(crate) fn report(&mut self, mut anomaly: Anomaly) {
        // What was no alarm is no episode either.
        if anomaly.phase == Phase::Near {
            return;
        }
        if matches!(anomaly.phase, Phase::Onset | Phase::Worse) {
            anomaly.phase = Phase::Open;
        }
        let key = (anomaly.timestamp, anomaly.fingerprint);
        // Which row it began with the onset knows best: later it is worked out from the time.
        if let Some(onset) = self.0.get(&key) {
            anomaly.row = onset.row;
        }
        self.0.insert(key, anomaly);
    }

    /// In the order of their onsets.
    pub(crate) fn into_sorted(self) -> Vec<Anomaly> {
        self.0.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONSET: &str = r#"{"timestamp":"2026-03-02T14:05:30Z","subject":{},"kind":"spike","anomaly_type":"pattern","severity":"high","score":0.9,"surprise":1.0,"threshold":1.0,"phase":"onset","seconds":0.0,"events":1,"peak":"2026-03-02T14:05:30Z","fingerprint":"00000000000000ff","explanation":{"contributions":[],"counterfactual":[]}}"#;

    #[test]
    fn every_kind_of_line_is_told_apart() {
        let written = format!(
            "{}\n{}\n{}\n{}\n{ONSET}\n",
            r#"{"row":0,"score":0.1}"#,
            r#"{"session":"a","score":0.9,"surprise":1.0,"anomaly":true}"#,
            r#"{"problem":{"line":3,"field":"cpu","message":"not a number"}}"#,
            r#"{"note":"rows without a time"}"#,
        );
        let said: Vec<_> = lines(written.as_bytes()).map(Result::unwrap).collect();
        assert!(matches!(said[0], Said::Row(b"{\"row\":0,\"score\":0.1}\n")));
        assert!(matches!(&said[1], Said::Session(_, verdict) if verdict.anomaly));
        assert!(matches!(&said[2], Said::Problem(problem) if problem.line == 3));
        assert!(matches!(&said[3], Said::Note(note, None) if note == "rows without a time"));
        let unused = lines(br#"{"note":"no event","row":7}"#).next().unwrap();
        assert!(matches!(unused, Ok(Said::Unused(note, 7)) if note == "no event"));
        assert!(matches!(&said[4], Said::Anomaly(line, _) if line.strip_suffix(b"\n") == Some(ONSET.as_bytes())));
        assert!(lines(b"{\"timestamp\":1}\n").next().unwrap().is_err());
    }

    #[test]
    fn the_end_of_an_episode_replaces_its_onset() {
        let onset: Anomaly = serde_json::from_str(ONSET).unwrap();
        let end = Anomaly {
            phase: Phase::End,
            seconds: 60.0,
            ..onset.clone()
        };
        let other = Anomaly {
            fingerprint: Fingerprint(1),
            ..onset.clone()
        };
        let mut episodes = Episodes::default();
        episodes.report(onset);
        episodes.report(end.clone());
        episodes.report(other.clone());
        assert_eq!(
            episodes.into_sorted(),
            [
                Anomaly {
                    phase: Phase::Open,
                    ..other
                },
                end
            ]
        );
    }
}
