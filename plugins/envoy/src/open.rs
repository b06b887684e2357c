//! The episodes that are open: what a request is told about its route, its upstream or its site.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use watchpost_detector::{Anomaly, Kind, Phase, Request, Severity};

/// Episodes by the fingerprints of what they are about.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Open(BTreeMap<u64, Episode>);

/// What requests are told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Episode {
    route: Option<String>,
    method: Option<String>,
    upstream: Option<String>,
    client: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) severity: Severity,
    pub(crate) surprise: f64,
}

/// The filter state of a request that belongs to an episode.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    anomaly: bool,
    kind: Kind,
    severity: Severity,
    surprise: f64,
}

impl Episode {
    pub(crate) fn shown(&self) -> Shown {
        Shown {
            anomaly: true,
            kind: self.kind,
            severity: self.severity,
            surprise: self.surprise,
        }
    }
}

/// More are not told to requests; they are reported all the same.
const MOST: usize = 256;

impl Open {
    pub(crate) fn follow(&mut self, anomaly: &Anomaly) {
        let fingerprint = anomaly.fingerprint.0;
        match anomaly.phase {
            Phase::Onset | Phase::Worse if self.0.len() < MOST || self.0.contains_key(&fingerprint) => {
                let label = |name: &str| anomaly.subject.get(name).cloned();
                self.0.insert(
                    fingerprint,
                    Episode {
                        route: label("route"),
                        method: label("method"),
                        upstream: label("upstream"),
                        client: label("client"),
                        kind: anomaly.kind,
                        severity: anomaly.severity,
                        surprise: anomaly.surprise,
                    },
                );
            }
            Phase::Onset | Phase::Worse | Phase::Near => {}
            Phase::End | Phase::Open => {
                self.0.remove(&fingerprint);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The strangest open episode that a request belongs to, as far as the request is known.
    pub(crate) fn matching(&self, request: &Request<'_>) -> Option<&Episode> {
        if self.0.is_empty() {
            return None;
        }
        let path = request.path.map(|path| path.split(['?', '#']).next().unwrap_or(path));
        let same =
            |wanted: &Option<String>, has: Option<&str>| wanted.as_deref().is_none_or(|wanted| has == Some(wanted));
        self.0
            .values()
            .filter(|episode| {
                let route = episode.route.as_deref().is_none_or(|route| match request.route {
                    Some(name) => name == route,
                    None => path.is_some_and(|path| is_of(path, route)),
                });
                route
                    && (request.method.is_none() || same(&episode.method, request.method))
                    && same(&episode.upstream, request.upstream)
                    && same(&episode.client, request.client)
            })
            .max_by(|a, b| a.surprise.total_cmp(&b.surprise))
    }
}

/// Whether a path is of a route such as `/orders/{id}`.
fn is_of(path: &str, route: &str) -> bool {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let mut wanted = route.split('/').filter(|part| !part.is_empty());
    loop {
        match (parts.next(), wanted.next()) {
            (None, None) => return true,
            (Some(part), Some(wanted)) if fits(part, wanted) => {}
            _ => return false,
        }
    }
}

/// A placeholder takes anything; what is written around it has to be there.
fn fits(part: &str, wanted: &str) -> bool {
    match wanted.split_once("{id}") {
        Some((before, after)) => {
            let after = after.rsplit("{id}").next().unwrap_or(after);
            part.strip_prefix(before).is_some_and(|rest| rest.ends_with(after))
        }
        None => wanted == "*" || part == wanted,
    }
}
