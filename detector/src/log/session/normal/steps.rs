//! Which event came right after which in normal sessions, and how seldom that is new.
//!
//! What a new order is worth depends on the stream: where the lines of several threads mix, some order or other is always
//! new; where each session goes the same way, a way of its own is as improbable as anything that never was. How probable
//! it is that the next session has a new order is told by the sessions that went a way which no other one went (Good 1953).

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::super::{END, OTHER, START, Session, Table, in_order, table};
use super::{CHANGE, KNOWN, Past};
use crate::event::Timestamp;
use crate::number::Bounded;

/// The steps of all sessions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "State", into = "State")]
pub(super) struct Steps {
    known: Table<Step>,
    /// Weight of the sessions that took a step which no other one took; part of it, where others took some of its steps.
    alone: f64,
}

/// One event right after another.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Step {
    from: u64,
    to: u64,
    weight: f64,
    /// Its part in what one session alone did.
    alone: f32,
    past: Past,
}

/// A step that a session took.
pub(super) struct Taken {
    pub(super) key: u64,
    /// Nothing where the session begins.
    pub(super) from: Option<u64>,
    /// Nothing where it ends.
    pub(super) to: Option<u64>,
}

pub(crate) const ALL_STEPS: usize = 65_536;
/// What a new step costs at least: what is out of its place makes one into it and one out of it.
pub(super) const NEW_STEP: f64 = CHANGE / 2.0;

impl Steps {
    pub(super) fn new() -> Self {
        Steps {
            known: table(Vec::new()),
            alone: 0.0,
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// The weight of the sessions that took a step.
    pub(super) fn weight(&self, step: u64) -> f64 {
        self.known.peek(&step).map_or(0.0, |step| step.weight)
    }

    /// The part of a step in what one session alone did.
    pub(super) fn alone(&self, step: u64) -> f64 {
        self.known.peek(&step).map_or(0.0, |step| f64::from(step.alone))
    }

    /// Whether sessions took a step so often for so long that somebody would have minded.
    pub(super) fn is_long(&self, step: u64, now: Timestamp) -> bool {
        self.known.peek(&step).is_some_and(|step| step.past.is_long(now))
    }

    /// Whether any session took a step, however little it weighed.
    pub(super) fn has(&self, step: u64) -> bool {
        self.known.contains(&step)
    }

    /// What it costs to have a new order, in decades, among so many sessions. Some of what one session alone did may
    /// `not_count`.
    pub(super) fn cost(&self, sessions: f64, not_count: f64) -> f64 {
        let new = (self.alone - not_count).at_least(0.0);
        (0.0 - libm::log10((new + 0.5) / (sessions + 1.0))).at_least(NEW_STEP)
    }

    /// Learns the steps of a session, some of which may be `new`: between events that are known.
    pub(super) fn learn(&mut self, steps: &[Taken], new: &[u64], now: Timestamp, weight: f64) {
        let part = (weight / new.len() as f64) as f32;
        for taken in steps {
            let own = if new.contains(&taken.key) { part } else { 0.0 };
            self.alone += f64::from(own);
            match self.known.get_mut(&taken.key) {
                Some(step) => {
                    step.weight += weight;
                    step.alone += own;
                    step.past.again();
                    if step.weight >= 2.0 * KNOWN {
                        self.alone -= f64::from(std::mem::take(&mut step.alone));
                    }
                }
                None => {
                    if self.known.len() >= ALL_STEPS {
                        // What one session alone took still did happen, where it is forgotten which step that was.
                        self.known.pop_lru();
                    }
                    self.known.put(
                        taken.key,
                        Step {
                            from: taken.from.unwrap_or(u64::from(START)),
                            to: taken.to.unwrap_or(u64::from(END)),
                            weight,
                            alone: own,
                            past: Past::new(now),
                        },
                    );
                }
            }
        }
    }

    /// Has one event stand for another as well.
    pub(super) fn merge(&mut self, younger: u64, older: u64) {
        let named = |event| if event == younger { older } else { event };
        let steps = in_order(&self.known);
        self.known.clear();
        for (_, step) in steps {
            let step = Step {
                from: named(step.from),
                to: named(step.to),
                ..step
            };
            let key = key(step.from, step.to);
            match self.known.get_mut(&key) {
                Some(same) => {
                    same.weight += step.weight;
                    same.alone += step.alone;
                    same.past.join(step.past);
                    if same.weight >= 2.0 * KNOWN {
                        self.alone -= f64::from(std::mem::take(&mut same.alone));
                    }
                }
                None => {
                    self.known.put(key, step);
                }
            }
        }
    }
}

/// The steps of a session, with that to its end, as far as they are told apart.
pub(super) fn steps(session: &Session, unfinished: bool) -> Vec<Taken> {
    let end = (!unfinished).then_some((session.last, END));
    session
        .steps
        .iter()
        .copied()
        .chain(end)
        .filter(|(from, to)| *from != OTHER && *to != OTHER)
        .map(|(from, to)| {
            let (from, to) = (session.event(from), session.event(to));
            Taken {
                key: key(from.unwrap_or(u64::from(START)), to.unwrap_or(u64::from(END))),
                from,
                to,
            }
        })
        .collect()
}

fn key(from: u64, to: u64) -> u64 {
    let mut bytes = [0; 16];
    let (first, second) = bytes.split_at_mut(8);
    first.copy_from_slice(&from.to_le_bytes());
    second.copy_from_slice(&to.to_le_bytes());
    xxh3_64(&bytes)
}

/// As it is written: least recently used first, so that reading it restores the order.
#[derive(Serialize, Deserialize)]
struct State {
    known: Vec<(u64, Step)>,
    alone: f64,
}

impl From<Steps> for State {
    fn from(steps: Steps) -> Self {
        State {
            known: in_order(&steps.known),
            alone: steps.alone,
        }
    }
}

impl From<State> for Steps {
    fn from(state: State) -> Self {
        Steps {
            known: table(state.known),
            alone: state.alone,
        }
    }
}
