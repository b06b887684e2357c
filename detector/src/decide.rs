//! From surprise to episodes: whether an event is anomalous, and how much is learned from it.

use crate::config::Learning;
use crate::detector::Report;
use crate::episode::{Episode, HYSTERESIS, Strange};
use crate::near::NearMisses;
use crate::series::{Pulse, Series};
use crate::verdict::{Explanation, Kind, Phase, State};

/// What is anomalous is learned with this weight while learning is guarded: a little, so that what keeps coming
/// is known in the end.
const GUARDED_WEIGHT: f64 = 0.1;

/// An episode is accepted as normal after so many usual gaps between events at the earliest: three values of an hourly
/// metric are no new level.
const LEAST_VALUES: f64 = 24.0;

/// What decides whether an event is anomalous.
pub(crate) struct Rules {
    pub(crate) threshold: f64,
    /// What a near miss reaches, where they are told.
    pub(crate) near: Option<f64>,
    pub(crate) alarms_per_day: f64,
    pub(crate) accept_after: f64,
    pub(crate) learning: Learning,
    pub(crate) scoring: bool,
}

/// Whose behaviour is decided on, and what is going on with it.
pub(crate) struct Course<'a> {
    pub(crate) key: u64,
    pub(crate) labels: &'a [(String, String)],
    pub(crate) episode: &'a mut Option<Box<Episode>>,
    pub(crate) pulse: &'a mut Pulse,
}

/// What was decided.
pub(crate) struct Step {
    pub(crate) state: State,
    /// The surprise of the event: what the models found, and at least the threshold where a person set that it is anomalous.
    pub(crate) surprise: f64,
    /// How much is learned from the event.
    pub(crate) weight: Option<f64>,
    pub(crate) opened: bool,
    /// The models would have raised an alarm, so that the budget of false alarms is charged. It is not charged for
    /// what a person set.
    pub(crate) charged: bool,
    pub(crate) closed: bool,
    /// The episode lasted so long that its level is normal from now on.
    pub(crate) accepted: bool,
}

impl Rules {
    /// Whether anything is learned from events.
    pub(crate) fn learns(&self) -> bool {
        !self.scoring || self.learning != Learning::Frozen
    }

    /// How sessions are learned from: those of history are taken as they are.
    pub(crate) fn of_sessions(&self) -> Learning {
        if self.scoring { self.learning } else { Learning::Open }
    }

    /// Decides on one event of a series, and reports the episode that ends, begins or becomes worse with it.
    pub(crate) fn decide(
        &self,
        mut course: Course<'_>,
        event: &Strange<'_>,
        near: &mut NearMisses,
        out: &mut Vec<Report>,
        explain: impl FnOnce(f64) -> (Kind, Explanation),
    ) -> Step {
        let mut step = Step {
            state: State::Normal,
            surprise: event.surprise,
            weight: match self.learning {
                // History is given to be learned from, whatever is done later.
                Learning::Frozen if self.scoring => None,
                Learning::Frozen | Learning::Guarded | Learning::Open => Some(1.0),
            },
            opened: false,
            charged: false,
            closed: false,
            accepted: false,
        };
        let Course {
            key,
            labels,
            ref mut episode,
            ref mut pulse,
        } = course;
        let spoke = std::mem::take(&mut pulse.silent);
        if !self.scoring {
            return step;
        }
        if event.is_decreed() {
            step.surprise = step.surprise.max(self.threshold);
        }
        if let Some(open) = episode {
            let over = open.is_over(event.time, pulse.every()) || spoke && open.is_silence();
            // What a person set does not become normal by lasting.
            let long = self.accept_after.max(LEAST_VALUES * pulse.every());
            let is_old = open.strange_for(event.time).is_some_and(|seconds| seconds >= long);
            step.accepted = !over && !event.is_decreed() && is_old;
            if over || step.accepted {
                self.report(open, Phase::End, labels, out);
                **episode = None;
                step.closed = true;
            }
        }
        if let Some(open) = episode {
            // A log line is a statement of its own and no measure of a state that wavers. But the alarm has raised the
            // threshold, and the same line once more is as much of the episode as the one that began it.
            let least = if event.level.is_some() {
                self.threshold.min(open.threshold())
            } else {
                self.threshold - HYSTERESIS
            };
            if step.surprise.max(event.state) >= least {
                step.charged =
                    open.is_decree_only() && event.surprise > open.surprise() && event.surprise >= self.threshold;
                if open.add(event, explain) {
                    self.report(open, Phase::Worse, labels, out);
                }
                step.state = State::Anomalous { onset: false };
            }
        } else if step.surprise >= self.threshold && !step.accepted {
            let (kind, explanation) = explain(step.surprise);
            let begun = Episode::begin(event, self.threshold, kind, explanation);
            step.charged = event.surprise >= self.threshold;
            self.report(&begun, Phase::Onset, labels, out);
            **episode = Some(Box::new(begun));
            near.forget(key);
            step.opened = true;
            step.state = State::Anomalous { onset: true };
        } else if !step.accepted {
            near.look(self, &course, event, out, explain);
        }
        if step.state.is_anomalous() && self.learning == Learning::Guarded {
            step.weight = Some(GUARDED_WEIGHT);
        }
        step
    }

    /// An episode that is evicted with its series ends.
    pub(crate) fn report_evicted(&self, series: &Series, out: &mut Vec<Report>) {
        if let Some(episode) = &series.episode {
            self.report(episode, Phase::End, &series.labels, out);
        }
    }

    pub(crate) fn report(&self, episode: &Episode, phase: Phase, labels: &[(String, String)], out: &mut Vec<Report>) {
        if self.scoring {
            out.push(Report::Anomaly(Box::new(episode.report(phase, labels))));
        }
    }
}
