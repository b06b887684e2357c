//! A recording: what real services behind a real Envoy sent while things happened to them, and the truth about it.
//! `cargo xtask record` makes one; what is built in is that of `tests/recording/`.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};

use serde::{Deserialize, Serialize};

static LINES: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/recording/recording.ndjson.zst"
));
static TRUTH: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/recording/truth.json"));

/// The lines of the recording, in the order of time: access log, log lines and metrics, each a JSON object.
///
/// # Errors
/// When the recording cannot be unpacked.
pub fn lines() -> io::Result<impl BufRead> {
    Ok(BufReader::new(zstd::Decoder::with_buffer(LINES)?))
}

/// What is true of a recording. Times are unix seconds.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    /// Its first moment.
    pub start: i64,
    /// The first moment after it.
    pub end: i64,
    /// Until then nothing happens, for a detector to learn from.
    pub history_end: i64,
    /// How many lines there are until then.
    pub history_lines: u64,
    /// How many lines there are.
    pub lines: u64,
    /// What was made to fail, in the order of time.
    pub incidents: Vec<Incident>,
    /// What shows and is no fault, in the order of time.
    pub harmless: Vec<Harmless>,
}

impl Truth {
    /// The truth about the recording that is built in.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn built_in() -> serde_json::Result<Self> {
        serde_json::from_str(TRUTH)
    }
}

/// Something that was made to fail.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// What happened, in a few words that name who.
    pub name: String,
    /// The fault, by the name of its class in `tests/recording/events.py`.
    pub kind: String,
    /// It begins.
    pub start: i64,
    /// It shows.
    pub onset: i64,
    /// Users notice.
    pub impact: i64,
    /// It is repaired.
    pub end: i64,
    /// Where the cause is: an alarm here is right.
    pub at_fault: Vec<Subject>,
    /// Not at fault, but touched.
    pub affected: Vec<Subject>,
    /// The client at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// What was done, with its numbers.
    pub description: String,
    /// Of requests, metrics and logs those in which it can be seen.
    pub shows_in: Vec<String>,
}

/// A service or a route of it; the site as a whole is neither.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The service, which the access log calls an upstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The name that the proxy has for a route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
}

/// Something that was meant to happen.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Harmless {
    /// What it was, in a few words.
    pub name: String,
    /// The kind of it.
    pub kind: String,
    /// It begins.
    pub start: i64,
    /// It is over.
    pub end: i64,
    /// Whose it is, or nobody's where the whole shop is concerned.
    pub service: Option<String>,
}

impl Incident {
    /// Whether the subject of an alarm is at fault.
    pub fn is_fault_of(&self, subject: &BTreeMap<String, String>) -> bool {
        match subject.get("client") {
            Some(client) => self.client.as_ref() == Some(client),
            None => self.at_fault.iter().any(|at_fault| at_fault.is(subject)),
        }
    }

    /// Whether the subject of an alarm is at fault, or suffers from it.
    pub fn touches(&self, subject: &BTreeMap<String, String>) -> bool {
        let is_client = subject.contains_key("client");
        self.is_fault_of(subject) || (!is_client && self.affected.iter().any(|affected| affected.is(subject)))
    }
}

impl Subject {
    /// Whether the labels of an alarm are those of this: requests are of an upstream, metrics and logs of a service.
    fn is(&self, labels: &BTreeMap<String, String>) -> bool {
        let service = labels.get("service").or_else(|| labels.get("upstream"));
        service == self.service.as_ref() && labels.get("route") == self.route.as_ref()
    }
}
