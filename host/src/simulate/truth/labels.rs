//! The truth as it is written beside a stream.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::{Harmless, Incident, Kind, incident};
use crate::simulate::conditions;
use crate::simulate::plan::{Happening, Plan};
use crate::simulate::truth::harmless;

/// Everything that is true of a stream.
#[derive(Clone, Debug, Serialize)]
pub struct Labels {
    /// The seed of the stream.
    pub seed: u64,
    /// Its first moment, in unix seconds.
    pub start: i64,
    /// The first moment after it, in unix seconds.
    pub end: i64,
    /// What should be reported, in the order of time.
    pub incidents: Vec<Label>,
    /// What should not be reported, in the order of time.
    pub harmless: Vec<Harmless>,
}

/// An incident, and where it can be seen.
#[derive(Clone, Debug, Serialize)]
pub struct Label {
    /// What went wrong.
    #[serde(flatten)]
    pub incident: Incident,
    /// From here on, in unix seconds, it can be seen at all: later than its
    /// start where it comes slowly.
    pub onset: i64,
    /// The client at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Ipv4Addr>,
    /// The streams in which it can be seen.
    pub shows_in: &'static [&'static str],
}

impl Labels {
    /// The truth about a plan that ends at `end`.
    pub fn of(plan: &Plan, end: i64) -> Self {
        let mut events: Vec<_> = plan.events.iter().collect();
        events.sort_by_key(|event| event.start);
        let label = |event| {
            let incident = incident(event)?;
            Some(Label {
                onset: conditions::onset(event),
                client: match event.what {
                    Happening::PathScan { client, .. } => Some(client),
                    _ => None,
                },
                shows_in: shows_in(incident.kind),
                incident,
            })
        };
        Self {
            seed: plan.seed,
            start: plan.start,
            end,
            incidents: events.iter().copied().filter_map(label).collect(),
            harmless: events.into_iter().filter_map(harmless).collect(),
        }
    }
}

/// Where one can see an incident of a kind: slow routes only show in the log
/// of services that complain about them, so that does not count.
fn shows_in(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::PathScan => &["requests", "logs"],
        Kind::MemoryLeak => &["metrics"],
        Kind::ErrorBurst | Kind::RetryStorm | Kind::LostUpstream => &["requests", "metrics", "logs"],
        Kind::SlowRoute
        | Kind::LatencyRegression
        | Kind::SlowUpstream
        | Kind::SilentRoute
        | Kind::LatencySplit
        | Kind::SlowDrift => &["requests", "metrics"],
    }
}
