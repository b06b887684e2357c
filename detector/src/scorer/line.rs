//! What is written of an input: one JSON object a line.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::log::SessionEvidence;
use crate::verdict::{Anomaly, Fingerprint, State, Verdict};
use crate::wire::Format;

/// A row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// The line of the input, from 1.
    pub line: u64,
    /// The field or column at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
}

/// One line of what a scorer writes. Every line is one JSON object, and its first field tells which it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Line {
    /// The verdict on a row.
    Row(RowVerdict<'static>),
    /// A line that continues the record of an earlier row, whose verdict is that row's.
    Continues {
        /// The row, counted from 0 over all scored inputs.
        row: u64,
        /// The row that it continues.
        continues: u64,
    },
    /// The verdict on a session, after its last row.
    Session(SessionVerdict),
    /// A row that could not be read.
    Problem {
        /// What is wrong with it.
        problem: Problem,
    },
    /// Something that the user should know, for example that an interval was assumed.
    Note {
        /// In words.
        note: String,
        /// The row, when the note tells that nothing was learned from the feedback on it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        row: Option<u64>,
        /// The format, when the note tells which one was found.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format: Option<Format>,
    },
    /// An episode begins, becomes worse or ends.
    Anomaly(Box<Anomaly>),
}

/// The verdict on a row, as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RowVerdict<'a> {
    /// The row, counted from 0 over all scored inputs.
    pub row: u64,
    /// `1 − 10^(−surprise)`.
    pub score: f64,
    /// `−log10 p`.
    pub surprise: f64,
    /// Whether the row belongs to an open episode.
    pub anomaly: bool,
    /// Whether the row is the first of one.
    pub onset: bool,
    /// For log lines, the template that the line belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Cow<'a, str>>,
    /// Its identity, which stays when the text becomes more general.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_id: Option<Fingerprint>,
}

impl RowVerdict<'_> {
    /// Of a row of which nothing is said.
    pub(super) fn blank(row: u64) -> Self {
        RowVerdict {
            row,
            score: 0.0,
            surprise: 0.0,
            anomaly: false,
            onset: false,
            template: None,
            template_id: None,
        }
    }

    /// What is written of this verdict; a log line has its template besides.
    pub fn new(row: u64, verdict: &Verdict) -> Self {
        RowVerdict {
            score: verdict.score(),
            surprise: verdict.surprise,
            anomaly: verdict.state.is_anomalous(),
            onset: verdict.state == State::Anomalous { onset: true },
            ..RowVerdict::blank(row)
        }
    }
}

/// The verdict on a session, as it is written when the session has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionVerdict {
    /// The session.
    pub session: String,
    /// `1 − 10^(−surprise)`.
    pub score: f64,
    /// `−log10 p`.
    pub surprise: f64,
    /// Whether the session is anomalous.
    pub anomaly: bool,
    /// Lines of the session.
    #[serde(default)]
    pub lines: u64,
    /// Whether the session may not have ended: what it lacks is then no evidence.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfinished: bool,
    /// What sets an anomalous session apart, the strangest first: at most eight things.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<SessionEvidence>,
}
