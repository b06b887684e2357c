//! Near misses: what a larger budget of false alarms would have reported.
//!
//! They are watched beside the episodes and told when they are over. Nothing else knows of them: what is learned, which
//! alarms are raised and what the budget is charged with are the same with and without.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::decide::{Course, Rules};
use crate::detector::Report;
use crate::episode::{Episode, HYSTERESIS, Strange};
use crate::event::Timestamp;
use crate::verdict::{Explanation, Kind, Phase};

/// A near miss has reached the threshold of a budget that is so many times as large: as much strangeness below the
/// threshold as still belongs to an episode, so that what comes just after one is a part of it and no miss.
pub const NEAR_BUDGET: f64 = 10.0;

/// So many are open at once at most.
pub(crate) const MOST_NEAR: usize = 1_000;

/// The near misses that are not over yet, by the key of their series.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct NearMisses(BTreeMap<u64, Near>);

#[derive(Debug, Serialize, Deserialize)]
struct Near {
    labels: Vec<(String, String)>,
    /// The usual time between events of its series, in seconds.
    every: f64,
    episode: Episode,
}

impl NearMisses {
    /// An event has come that raises no alarm and belongs to no episode.
    pub(crate) fn look(
        &mut self,
        rules: &Rules,
        course: &Course<'_>,
        event: &Strange<'_>,
        out: &mut Vec<Report>,
        explain: impl FnOnce(f64) -> (Kind, Explanation),
    ) {
        let Some(least) = rules.near else {
            return;
        };
        let is_over = |near: &Near| near.episode.is_over(event.time, near.every);
        if self.0.get(&course.key).is_some_and(is_over) {
            out.extend(self.0.remove(&course.key).map(Near::report));
        }
        match self.0.get_mut(&course.key) {
            Some(near) if event.surprise >= least - HYSTERESIS => {
                near.every = course.pulse.every();
                near.episode.add_near(event, rules.threshold, explain);
            }
            None if event.surprise >= least => {
                self.make_room(out);
                let (kind, explanation) = explain(event.surprise);
                let near = Near {
                    labels: course.labels.to_vec(),
                    every: course.pulse.every(),
                    episode: Episode::begin_near(event, rules.threshold, kind, explanation),
                };
                self.0.insert(course.key, near);
            }
            _ => {}
        }
    }

    /// An alarm was raised: what came before it was no miss.
    pub(crate) fn forget(&mut self, key: u64) {
        self.0.remove(&key);
    }

    /// Reports those that are over by now. A state may hold some that its configuration no longer asks for.
    pub(crate) fn end(&mut self, rules: &Rules, now: Timestamp, out: &mut Vec<Report>) {
        if rules.near.is_none() {
            self.clear();
        }
        let over = self.0.extract_if(.., |_, near| near.episode.is_over(now, near.every));
        out.extend(over.map(|(_, near)| near.report()));
    }

    /// Everything is over: reports all.
    pub(crate) fn close(&mut self, rules: &Rules, out: &mut Vec<Report>) {
        if rules.near.is_none() {
            self.clear();
        }
        out.extend(std::mem::take(&mut self.0).into_values().map(Near::report));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Where there are too many, the one that has been quiet for the longest is told early.
    fn make_room(&mut self, out: &mut Vec<Report>) {
        if self.0.len() < MOST_NEAR {
            return;
        }
        let quiet = self.0.iter().min_by_key(|(_, near)| near.episode.last_event());
        if let Some(key) = quiet.map(|(key, _)| *key) {
            out.extend(self.0.remove(&key).map(Near::report));
        }
    }
}

impl Near {
    fn report(self) -> Report {
        Report::Anomaly(Box::new(self.episode.report(Phase::Near, &self.labels)))
    }
}
