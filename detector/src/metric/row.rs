//! A row of metrics: each has its own model, and the row has one verdict.

use serde::{Deserialize, Serialize};

use super::channel::Look;
use super::model::{Metric, Reading};
use super::unit::unit;
use crate::event::{Finite, Timestamp, Value};
use crate::series::MAX_LABEL_BYTES;
use crate::verdict::{Contribution, Expected, Explanation, Kind, Observation, Substitution};

/// The metrics of one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    metrics: Vec<Metric>,
    #[serde(skip)]
    scratch: Vec<Option<Reading>>,
}

/// What a row looks like, before anything is learned from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Assessment {
    pub(crate) surprise: f64,
    /// Every metric is too young to say anything.
    pub(crate) learning: bool,
    /// Metrics that were seen for the first time, and metrics that were left out.
    pub(crate) added: usize,
    pub(crate) ignored: u64,
}

/// A metric takes part in an explanation when it is at least half as surprising as the most surprising one.
const TAKES_PART: f64 = 0.5;
const MOST_CONTRIBUTIONS: usize = 5;

impl Row {
    pub(crate) fn new() -> Self {
        Row {
            metrics: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// What a row looks like. Metrics that were never seen before get a model, up to `max` of them.
    pub(crate) fn assess(&mut self, time: Timestamp, values: &[Value<'_>], max: usize) -> Assessment {
        let (mut added, mut ignored) = (0, 0);
        let mut readings = std::mem::take(&mut self.scratch);
        readings.clear();
        for (position, value) in values.iter().enumerate() {
            match self.find(position, value.metric) {
                Some(index) => readings.push(self.metrics.get(index).and_then(|m| m.read(time, value.value.value()))),
                None if self.metrics.len() < max && value.metric.len() <= MAX_LABEL_BYTES => {
                    added += 1;
                    self.metrics.reserve_exact(1);
                    self.metrics.push(Metric::new(value.metric));
                    readings.push(None);
                }
                None => {
                    ignored += 1;
                    readings.push(None);
                }
            }
        }
        let learning = values
            .iter()
            .enumerate()
            .filter_map(|(position, value)| self.metrics.get(self.find(position, value.metric)?))
            .all(Metric::is_learning);
        let surprise = combine(&readings);
        self.scratch = readings;
        Assessment {
            surprise,
            learning,
            added,
            ignored,
        }
    }

    /// What a row would look like with other values, where nothing is to be learned from it.
    fn what_if(&self, time: Timestamp, values: &[Value<'_>]) -> f64 {
        let readings: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(position, value)| {
                let metric = self.metrics.get(self.find(position, value.metric)?)?;
                metric.read(time, value.value.value())
            })
            .collect();
        combine(&readings)
    }

    /// Learns the row that was assessed last.
    pub(crate) fn learn(&mut self, time: Timestamp, values: &[Value<'_>], weight: f64) {
        let readings = std::mem::take(&mut self.scratch);
        for ((position, value), reading) in values.iter().enumerate().zip(&readings) {
            if let Some(index) = self.find(position, value.metric)
                && let Some(metric) = self.metrics.get_mut(index)
            {
                metric.learn(time, value.value.value(), reading.as_ref(), weight);
            }
        }
        self.scratch = readings;
    }

    /// The level that the row has now is accepted as normal.
    pub(crate) fn restart(&mut self) {
        self.metrics.iter_mut().for_each(Metric::restart);
    }

    pub(crate) fn metrics(&self) -> usize {
        self.metrics.len()
    }

    /// Why the row that was assessed last is strange, and what kind of thing it is.
    pub(crate) fn explain(
        &self,
        time: Timestamp,
        values: &[Value<'_>],
        surprise: f64,
        threshold: f64,
    ) -> (Kind, Explanation) {
        let mut parts: Vec<(&Metric, &Reading, f64)> = values
            .iter()
            .enumerate()
            .zip(&self.scratch)
            .filter_map(|((position, value), reading)| {
                let metric = self.metrics.get(self.find(position, value.metric)?)?;
                let reading = reading.as_ref()?;
                Some((metric, reading, reading.surprise))
            })
            .collect();
        // Ties are left in the order of the row, so that the order is the same everywhere.
        parts.sort_by(|a, b| b.2.total_cmp(&a.2));
        let Some(&(_, strongest, greatest)) = parts.first() else {
            return (Kind::Spike, Explanation::default());
        };
        let kind = kind(strongest);
        parts.retain(|part| part.2 >= TAKES_PART * greatest);
        parts.truncate(MOST_CONTRIBUTIONS);
        let sum: f64 = parts.iter().map(|part| part.2).sum();
        let contributions = parts
            .iter()
            .map(|(metric, reading, part)| {
                let (observed, expected) = metric.seen_and_expected(reading);
                let (low, high) = metric.usual_range(reading);
                let of_values = !matches!(reading.look, Look::Stuck);
                Contribution {
                    of: metric.name.clone(),
                    model: reading.look.name().to_owned(),
                    surprise: if sum > 0.0 { surprise * part / sum } else { 0.0 },
                    observed: Observation::Number(observed),
                    expected: Expected {
                        value: Observation::Number(expected),
                        low: (reading.look == Look::Point).then_some(low),
                        high: (reading.look == Look::Point).then_some(high),
                    },
                    unit: if of_values {
                        unit(&metric.name).map(str::to_owned)
                    } else {
                        Some("values alike".to_owned())
                    },
                }
            })
            .collect();
        let goals: Vec<Goal<'_>> = parts
            .iter()
            .map(|(metric, reading, _)| Goal {
                metric: metric.name.as_str(),
                unremarkable: metric.unremarkable(reading),
                enough: (reading.look != Look::Point).then(|| metric.not_adding(reading)),
            })
            .collect();
        let explanation = Explanation {
            contributions,
            // No value says how long a metric may stay the same.
            counterfactual: if strongest.look == Look::Stuck {
                Vec::new()
            } else {
                self.counterfactual(time, values, &goals, threshold)
            },
            template: None,
            features: parts.first().map_or_else(Default::default, |(metric, reading, _)| {
                metric.features(time, reading.value)
            }),
        };
        (kind, explanation)
    }

    /// The nearest values that would not have been flagged: metrics are brought to what is unremarkable one by
    /// one, the strangest first, until the row is no longer strange; the last one only as far as is needed.
    fn counterfactual(
        &self,
        time: Timestamp,
        values: &[Value<'_>],
        goals: &[Goal<'_>],
        threshold: f64,
    ) -> Vec<Substitution> {
        let mut changed = values.to_vec();
        let mut substitutions: Vec<Substitution> = Vec::new();
        for &Goal {
            metric: name,
            unremarkable: goal,
            enough,
        } in goals
        {
            let counter = self.metrics.iter().any(|m| m.name == name && m.is_counter());
            let Some(slot) = changed.iter().position(|value| value.metric == name) else {
                continue;
            };
            let (Some(value), false) = (Finite::new(goal), counter) else {
                continue;
            };
            let Some(from) = changed.get(slot).map(|value| value.value.value()) else {
                continue;
            };
            set(&mut changed, slot, value);
            if self.what_if(time, &changed) >= threshold {
                substitutions.push(Substitution {
                    of: name.to_owned(),
                    value: goal,
                });
                continue;
            }
            // What lasts is over when nothing adds to it, which is a better goal than the last value that did not
            // tip it over.
            if let Some((enough, value)) = enough.and_then(|enough| Some((enough, Finite::new(enough)?))) {
                set(&mut changed, slot, value);
                if self.what_if(time, &changed) < threshold {
                    substitutions.push(Substitution {
                        of: name.to_owned(),
                        value: enough,
                    });
                    return substitutions;
                }
            }
            // `fine` is not flagged, `strange` is: bring them together.
            let (mut fine, mut strange) = (goal, from);
            for _ in 0..48 {
                let middle = 0.5 * (fine + strange);
                let Some(value) = Finite::new(middle) else { break };
                set(&mut changed, slot, value);
                if self.what_if(time, &changed) < threshold {
                    fine = middle;
                } else {
                    strange = middle;
                }
            }
            substitutions.push(Substitution {
                of: name.to_owned(),
                value: fine,
            });
            return substitutions;
        }
        Vec::new()
    }

    /// Rows mostly have their metrics in the same order: the position is tried first.
    fn find(&self, position: usize, name: &str) -> Option<usize> {
        if self.metrics.get(position).is_some_and(|metric| metric.name == name) {
            return Some(position);
        }
        self.metrics.iter().position(|metric| metric.name == name)
    }
}

/// What a metric is brought to in a counterfactual: a value that is unremarkable and, for what lasts, one that is
/// enough.
#[derive(Clone, Copy)]
struct Goal<'a> {
    metric: &'a str,
    unremarkable: f64,
    enough: Option<f64>,
}

fn set(values: &mut [Value<'_>], slot: usize, value: Finite) {
    if let Some(changed) = values.get_mut(slot) {
        changed.value = value;
    }
}

/// The surprise of a row: the harmonic mean of the probabilities of its metrics (Wilson, PNAS 2019),
/// which holds up under dependence, and which, unlike the least probability, several strange metrics raise.
fn combine(readings: &[Option<Reading>]) -> f64 {
    let mut known = readings.iter().flatten();
    let Some(first) = known.next() else {
        return 0.0;
    };
    let (mut count, mut sum) = (1.0, libm::exp10(first.surprise));
    for reading in known {
        count += 1.0;
        sum += libm::exp10(reading.surprise);
    }
    let mean = if count == 1.0 {
        first.surprise
    } else {
        libm::log10(sum.min(f64::MAX) / count).max(0.0)
    };
    mean.max(mean_of_three(readings))
}

/// Three metrics that are strange together are as strange as they are on average, however many others are not: for
/// independent metrics that is far too modest, and for metrics that always move together it is right.
fn mean_of_three(readings: &[Option<Reading>]) -> f64 {
    let mut greatest = [0.0; 3];
    for reading in readings.iter().flatten() {
        let mut surprise = reading.surprise;
        for place in &mut greatest {
            if surprise > *place {
                std::mem::swap(place, &mut surprise);
            }
        }
    }
    greatest.iter().sum::<f64>() / 3.0
}

fn kind(reading: &Reading) -> Kind {
    match reading.look {
        Look::Point if reading.value >= reading.forecast => Kind::Spike,
        Look::Point => Kind::Dip,
        Look::Shift | Look::Lasting => Kind::LevelShift,
        Look::Drift => Kind::Drift,
        Look::Stuck => Kind::Stuck,
    }
}
