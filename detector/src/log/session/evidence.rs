//! What makes a session strange, for people.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::verdict::Fingerprint;

/// One thing that sets a session apart from the normal one that it is most like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SessionEvidence {
    /// An event that no normal session had.
    UnseenEvent {
        /// The template of the event's lines, at most 160 bytes of it.
        template: String,
        /// Its identity.
        template_id: Fingerprint,
        /// How often the session has it.
        count: u32,
        /// What it adds to the session's strangeness, in decades.
        surprise: f64,
    },
    /// An event that the like of the session have, and the session has not.
    MissingEvent {
        /// The template of the event's lines, at most 160 bytes of it.
        template: String,
        /// Its identity.
        template_id: Fingerprint,
        /// How often it is there at least and at most in the session's like.
        usual: (u32, u32),
        /// The share of all normal sessions that lack it.
        share: f64,
        /// What it adds to the session's strangeness, in decades.
        surprise: f64,
    },
    /// An event that came more often, or more seldom, than in the session's like.
    UnusualCount {
        /// The template of the event's lines, at most 160 bytes of it.
        template: String,
        /// Its identity.
        template_id: Fingerprint,
        /// How often the session has it.
        count: u32,
        /// How often it is there at least and at most in the session's like; 0 and 0 where they lack it.
        usual: (u32, u32),
        /// The share of all normal sessions that have it about as often as this session.
        share: f64,
        /// What it adds to the session's strangeness, in decades.
        surprise: f64,
    },
    /// An event that came right after another for the first time, while both are known.
    UnseenStep {
        /// The event before; nothing where the session begins so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        /// The template of the event; nothing where the session ends so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        template: Option<String>,
        /// What it adds to the session's strangeness, in decades.
        surprise: f64,
    },
}

impl SessionEvidence {
    /// What it adds to the session's strangeness, in decades.
    pub fn surprise(&self) -> f64 {
        match self {
            SessionEvidence::UnseenEvent { surprise, .. }
            | SessionEvidence::MissingEvent { surprise, .. }
            | SessionEvidence::UnusualCount { surprise, .. }
            | SessionEvidence::UnseenStep { surprise, .. } => *surprise,
        }
    }
}

/// In words, on one line.
impl fmt::Display for SessionEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionEvidence::UnseenEvent { template, count, .. } => {
                write!(f, "never seen before: {template} ({})", times(*count))
            }
            SessionEvidence::MissingEvent { template, usual, .. } => {
                write!(f, "missing: {template} (usually {})", Usual(*usual))
            }
            SessionEvidence::UnusualCount {
                template, count, usual, ..
            } => write!(f, "{}, usually {}: {template}", times(*count), Usual(*usual)),
            SessionEvidence::UnseenStep { after, template, .. } => match (after, template) {
                (Some(after), Some(template)) => write!(f, "new order: {template}, right after {after}"),
                (None, Some(template)) => write!(f, "begins with: {template}"),
                (Some(after), None) => write!(f, "ends after: {after}"),
                (None, None) => write!(f, "nothing in it"),
            },
        }
    }
}

fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

struct Usual((u32, u32));

impl fmt::Display for Usual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = self.0;
        if most == 0 {
            write!(f, "never")
        } else if least == most {
            write!(f, "{}", times(least))
        } else {
            write!(f, "{least} to {most} times")
        }
    }
}
