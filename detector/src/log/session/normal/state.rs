//! What normal sessions look like, as it is written.

use serde::{Deserialize, Serialize};

use super::super::{in_order, table};
use super::steps::Steps;
use super::{Event, Exception, Known, Normal, PAUSES};
use crate::threshold::Tail;

/// As it is written: tables least recently used first, so that reading them restores the order.
#[derive(Serialize, Deserialize)]
pub(super) struct State {
    sessions: f64,
    events: Vec<(u64, Event)>,
    profiles: Vec<(u64, Known)>,
    steps: Steps,
    tail: Tail,
    exceptions: Vec<Exception>,
    strange: f64,
    unlike: f64,
    pauses: [f64; PAUSES],
}

impl From<Normal> for State {
    fn from(normal: Normal) -> Self {
        State {
            sessions: normal.sessions,
            events: in_order(&normal.events),
            profiles: in_order(&normal.profiles),
            steps: normal.steps,
            tail: normal.tail,
            exceptions: normal.exceptions,
            strange: normal.strange,
            unlike: normal.unlike,
            pauses: normal.pauses,
        }
    }
}

impl From<State> for Normal {
    fn from(state: State) -> Self {
        Normal {
            sessions: state.sessions,
            events: table(state.events),
            profiles: table(state.profiles),
            steps: state.steps,
            tail: state.tail,
            exceptions: state.exceptions,
            strange: state.strange,
            unlike: state.unlike,
            pauses: state.pauses,
        }
    }
}
