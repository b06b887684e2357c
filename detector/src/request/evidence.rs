//! What speaks for trouble, and how it is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::client::{Scan, WINDOW};
use super::reference::Reference;
use super::window::{SLOT, Sums};
use crate::verdict::{Contribution, Expected, Explanation, Kind, Observation, Substitution};

/// Kinds of trouble that explain each other: when an upstream is slow, so are its routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Family {
    Errors,
    ClientErrors,
    Latency,
    Traffic,
    Surge,
    Size,
}

impl Family {
    pub(super) const COUNT: usize = 6;
    pub(super) const ALL: [Family; Family::COUNT] = [
        Family::Errors,
        Family::ClientErrors,
        Family::Latency,
        Family::Traffic,
        Family::Surge,
        Family::Size,
    ];
}

/// What a window looks like against what is usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Evidence {
    pub(super) family: Family,
    pub(super) kind: Kind,
    pub(super) surprise: f64,
    /// How large the change is, in a measure that members of a group share: the logarithm of a ratio for durations and
    /// sizes, a difference of shares for errors, a share that is missing for traffic.
    pub(super) effect: f64,
    pub(super) sums: Sums,
    /// Which of the windows it is seen in.
    pub(super) window: usize,
    /// The usual share or number, where the family has one.
    pub(super) expected: f64,
}

/// With fewer requests than this nothing can be said of the rest of a group.
const LEAST_OF_REST: f64 = 10.0;

impl Evidence {
    /// It is seen in one of the windows up to two minutes.
    pub(super) fn is_recent(&self) -> bool {
        self.window < 2
    }

    /// How large the same change is in what is left of a group, whose own usual rate of requests in a slot is given
    /// beside that of the member that was left out; `None` when too little is left to tell.
    pub(super) fn effect_in(&self, rest: &Sums, group: Option<f64>, member: Option<f64>) -> Option<f64> {
        let enough = |count: f64| (count >= LEAST_OF_REST).then_some(count);
        Some(match (self.family, self.kind) {
            (Family::Latency, Kind::Latency) => rest.ratio / enough(rest.timed)?,
            (Family::Latency, _) => (rest.all_slow - rest.slow_expected) / enough(rest.timed)?,
            (Family::Errors, _) => rest.server_errors / enough(rest.requests)? - self.expected,
            (Family::ClientErrors, _) => rest.client_errors / enough(rest.requests)? - self.expected,
            (Family::Traffic | Family::Surge, _) => {
                let expected = enough((group? - member?) * rest.slots)?;
                match self.family {
                    Family::Traffic => 1.0 - rest.requests / expected,
                    _ => rest.requests / expected,
                }
            }
            (Family::Size, _) => rest.size_ratio / enough(rest.sized)?,
        })
    }

    /// The evidence in words and numbers.
    pub(super) fn explain(
        &self,
        surprise: f64,
        reference: Option<&Reference>,
        usual: Option<f64>,
    ) -> (Kind, Explanation) {
        let sums = &self.sums;
        let seconds = sums.slots * SLOT as f64;
        let share = |count: f64, all: f64| count / all.max(1.0);
        let (of, observed, expected, unit) = match (self.family, self.kind) {
            (Family::Latency, Kind::Latency) => {
                let ratio = libm::exp(sums.ratio / sums.timed.max(1.0));
                match reference {
                    Some(reference) => (
                        "typical duration",
                        reference.usual() * ratio,
                        reference.usual(),
                        Some("ms"),
                    ),
                    // The routes of a group have durations of their own.
                    None => ("duration, times the usual", ratio, 1.0, None),
                }
            }
            (Family::Latency, _) => (
                "slow requests",
                100.0 * share(sums.all_slow, sums.timed),
                100.0 * self.expected,
                Some("%"),
            ),
            (Family::Errors, _) => (
                "server errors",
                100.0 * share(sums.server_errors, sums.requests),
                100.0 * self.expected,
                Some("%"),
            ),
            (Family::ClientErrors, _) => (
                "client errors",
                100.0 * share(sums.client_errors, sums.requests),
                100.0 * self.expected,
                Some("%"),
            ),
            (Family::Traffic | Family::Surge, _) => (
                "requests per minute",
                sums.requests * 60.0 / seconds,
                self.expected * 60.0 / seconds,
                None,
            ),
            (Family::Size, _) => (
                "response size, times the usual",
                libm::exp(sums.size_ratio / sums.sized.max(1.0)),
                1.0,
                None,
            ),
        };
        let repeats =
            self.family == Family::Errors && usual.is_some_and(|usual| sums.requests > REPEATED * usual * sums.slots);
        let model = match self.family {
            Family::Latency if self.kind == Kind::Latency => "latency",
            Family::Latency => "spread",
            Family::Errors | Family::ClientErrors => "errors",
            Family::Traffic | Family::Surge => "rate",
            Family::Size => "size",
        };
        let contribution = Contribution {
            of: of.to_owned(),
            model: model.to_owned(),
            surprise,
            observed: Observation::Number(observed),
            expected: Expected {
                value: Observation::Number(expected),
                low: None,
                high: None,
            },
            unit: unit.map(str::to_owned),
        };
        let explanation = Explanation {
            contributions: vec![contribution],
            features: sums.features(),
            ..Explanation::default()
        };
        (if repeats { Kind::RetryStorm } else { self.kind }, explanation)
    }
}

/// Requests fail and there are so many times more of them than usual: they are repeated because they fail.
const REPEATED: f64 = 1.3;

impl Scan {
    pub(super) fn explain(&self, surprise: f64, threshold: f64) -> (Kind, Explanation) {
        let mut features = BTreeMap::new();
        features.extend([
            ("window_seconds".to_owned(), WINDOW as f64 * SLOT as f64),
            ("requests".to_owned(), self.requests),
            ("paths".to_owned(), self.paths),
        ]);
        let explanation = Explanation {
            contributions: vec![Contribution {
                of: "requests for what does not exist".to_owned(),
                model: "scan".to_owned(),
                surprise,
                observed: Observation::Number(self.requests),
                expected: Expected {
                    value: Observation::Number(self.usual),
                    low: None,
                    high: None,
                },
                unit: None,
            }],
            counterfactual: vec![Substitution {
                of: "requests for what does not exist".to_owned(),
                value: self.most_below(threshold),
            }],
            features,
            ..Explanation::default()
        };
        (Kind::PathScan, explanation)
    }
}
