//! A row of metrics: each has its own model, and the row has one verdict.

use serde::{Deserialize, Serialize};

use super::channel::Look;
use super::forecast::TimeOfDay;
use super::model::{Metric, Reading};
use super::together::{COUNTS_AS, FEWEST, Sight, Together};
use super::unit::unit;
use crate::event::{Finite, Timestamp, Value};
use crate::number::Bounded;
use crate::series::MAX_LABEL_BYTES;
use crate::verdict::{Contribution, Expected, Explanation, Kind, Observation, Substitution};

/// The metrics of one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    metrics: Vec<Metric>,
    together: Option<Box<Together>>,
    #[serde(skip)]
    scratch: Vec<Option<Reading>>,
    #[serde(skip)]
    deviations: Vec<Finite>,
    #[serde(skip)]
    sight: Option<Sight>,
}

/// What a row looks like, before anything is learned from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Assessment {
    pub(crate) surprise: f64,
    /// How strange the metrics are, told before or not.
    pub(crate) state: f64,
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
            together: None,
            scratch: Vec::new(),
            deviations: Vec::new(),
            sight: None,
        }
    }

    /// What a row looks like. Metrics that were never seen before get a model, up to `max` of them.
    pub(crate) fn assess(&mut self, time: Timestamp, values: &[Value<'_>], max: usize, forest: bool) -> Assessment {
        let (mut added, mut ignored) = (0, 0);
        let at = TimeOfDay::of(time);
        let mut readings = std::mem::take(&mut self.scratch);
        readings.clear();
        for (position, value) in values.iter().enumerate() {
            match self.find(position, value.metric) {
                Some(index) => readings.push(self.metrics.get(index).and_then(|m| m.read(&at, value.value.value()))),
                None if self.metrics() < max && value.metric.len() <= MAX_LABEL_BYTES => {
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
        let mut deviations = std::mem::take(&mut self.deviations);
        self.sight = self.together(values, &readings, &mut deviations);
        let sight = self.sight.as_ref();
        let surprise = with_sight(combine(&readings, |reading| reading.news), readings.len(), sight);
        let state = with_sight(combine(&readings, |reading| reading.surprise), readings.len(), sight);
        self.deviations = deviations;
        self.scratch = readings;
        if forest {
            added += self.follow_together(max);
        }
        Assessment {
            surprise,
            state,
            learning,
            added,
            ignored,
        }
    }

    /// What a row would look like with other values, where nothing is to be learned from it.
    fn what_if(&self, time: Timestamp, values: &[Value<'_>]) -> f64 {
        let at = TimeOfDay::of(time);
        let readings: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(position, value)| {
                let metric = self.metrics.get(self.find(position, value.metric)?)?;
                metric.read(&at, value.value.value())
            })
            .collect();
        let sight = self.together(values, &readings, &mut Vec::new());
        with_sight(
            combine(&readings, |reading| reading.news),
            readings.len(),
            sight.as_ref(),
        )
    }

    /// Sees to it that there is a forest for the metrics that there are, and returns what it adds to their number.
    fn follow_together(&mut self, max: usize) -> usize {
        let metrics = self.metrics.len();
        match &mut self.together {
            Some(together) => {
                if !together.is_for(metrics) {
                    **together = Together::new(metrics);
                }
                0
            }
            None if metrics >= FEWEST && metrics + COUNTS_AS <= max => {
                self.together = Some(Box::new(Together::new(metrics)));
                COUNTS_AS
            }
            None => 0,
        }
    }

    /// How the deviations of a row look together. They are in the order of the metrics.
    fn together(
        &self,
        values: &[Value<'_>],
        readings: &[Option<Reading>],
        deviations: &mut Vec<Finite>,
    ) -> Option<Sight> {
        let together = self.together.as_ref()?;
        deviations.clear();
        deviations.resize(together.metrics(), Finite::default());
        for ((position, value), reading) in values.iter().enumerate().zip(readings) {
            if let Some(index) = self.find(position, value.metric)
                && let (Some(metric), Some(slot), Some(reading)) =
                    (self.metrics.get(index), deviations.get_mut(index), reading)
            {
                *slot = metric.away(reading).unwrap_or_default();
            }
        }
        together.read(deviations)
    }

    /// Learns the row that was assessed last.
    pub(crate) fn learn(&mut self, time: Timestamp, values: &[Value<'_>], weight: f64) {
        let at = TimeOfDay::of(time);
        let readings = std::mem::take(&mut self.scratch);
        for ((position, value), reading) in values.iter().enumerate().zip(&readings) {
            if let Some(index) = self.find(position, value.metric)
                && let Some(metric) = self.metrics.get_mut(index)
            {
                metric.learn(&at, value.value.value(), reading.as_ref(), weight);
            }
        }
        self.scratch = readings;
        if let Some(together) = &mut self.together {
            together.learn(&self.deviations, self.sight.as_ref(), weight);
        }
    }

    /// The level that the row has now is accepted as normal.
    pub(crate) fn restart(&mut self) {
        self.metrics.iter_mut().for_each(Metric::restart);
    }

    /// Its metrics, and the forest as so many.
    pub(crate) fn metrics(&self) -> usize {
        self.metrics.len() + self.together.as_ref().map_or(0, |_| COUNTS_AS)
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
        let joint = self.joint(values, greatest);
        let sum: f64 = parts.iter().chain(&joint).map(|part| part.2).sum();
        let contributions: Vec<_> = parts
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
            .chain(joint.iter().map(|(metric, reading, part)| Contribution {
                of: metric.name.clone(),
                model: "forest".to_owned(),
                surprise: if sum > 0.0 { surprise * part / sum } else { 0.0 },
                observed: Observation::Number(reading.value),
                expected: Expected {
                    value: Observation::Number(metric.level(reading)),
                    low: None,
                    high: None,
                },
                unit: unit(&metric.name).map(str::to_owned),
            }))
            .collect();
        let mut goals: Vec<Goal<'_>> = parts
            .iter()
            .map(|(metric, reading, _)| Goal {
                metric: metric.name.as_str(),
                unremarkable: metric.unremarkable(reading),
                enough: (reading.look != Look::Point).then(|| metric.not_adding(reading)),
            })
            .collect();
        for (metric, reading, _) in &joint {
            if goals.iter().all(|goal| goal.metric != metric.name) {
                goals.push(Goal {
                    metric: metric.name.as_str(),
                    unremarkable: metric.level(reading),
                    enough: None,
                });
            }
        }
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

    /// The metrics that make the row strange to the forest, where that is among what is strangest, each with its share
    /// of the forest's surprise.
    fn joint(&self, values: &[Value<'_>], greatest: f64) -> Vec<(&Metric, &Reading, f64)> {
        let (Some(together), Some(sight)) = (&self.together, &self.sight) else {
            return Vec::new();
        };
        if sight.surprise <= 0.0 || sight.surprise < TAKES_PART * greatest {
            return Vec::new();
        }
        let influences = together.influences(&self.deviations);
        let mut parts: Vec<(&Metric, &Reading, f64)> = values
            .iter()
            .enumerate()
            .zip(&self.scratch)
            .filter_map(|((position, value), reading)| {
                let index = self.find(position, value.metric)?;
                Some((self.metrics.get(index)?, reading.as_ref()?, *influences.get(index)?))
            })
            .collect();
        parts.sort_by(|a, b| b.2.total_cmp(&a.2));
        let most = parts.first().map_or(0.0, |part| part.2);
        parts.retain(|part| part.2 > 0.0 && part.2 >= TAKES_PART * most);
        parts.truncate(MOST_CONTRIBUTIONS);
        let sum: f64 = parts.iter().map(|part| part.2).sum();
        for part in &mut parts {
            part.2 *= sight.surprise / sum;
        }
        parts
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
fn combine(readings: &[Option<Reading>], of: impl Fn(&Reading) -> f64) -> f64 {
    let mut known = readings.iter().flatten();
    let Some(first) = known.next() else {
        return 0.0;
    };
    let (mut count, mut sum) = (1.0, power(of(first)));
    for reading in known {
        count += 1.0;
        sum += power(of(reading));
    }
    let mean = if count == 1.0 {
        of(first)
    } else if sum == count {
        0.0
    } else {
        libm::log10(sum.at_most(f64::MAX) / count).at_least(0.0)
    };
    mean.at_least(mean_of_three(readings, of))
}

/// What is as likely as not strange at all is common, and needs no power of ten to say so.
fn power(surprise: f64) -> f64 {
    if surprise == 0.0 { 1.0 } else { libm::exp10(surprise) }
}

/// The surprise of a row with what the forest makes of it: again the harmonic mean of the probabilities, in which the
/// forest counts as much as one of the metrics.
fn with_sight(surprise: f64, metrics: usize, sight: Option<&Sight>) -> f64 {
    let Some(sight) = sight else { return surprise };
    let (metrics, most) = (metrics as f64, surprise.at_least(sight.surprise));
    let sum = metrics * libm::exp10(surprise - most) + libm::exp10(sight.surprise - most);
    (most + libm::log10(sum / (metrics + 1.0))).at_least(0.0)
}

/// Three metrics that are strange together are as strange as they are on average, however many others are not: for
/// independent metrics that is far too modest, and for metrics that always move together it is right.
fn mean_of_three(readings: &[Option<Reading>], of: impl Fn(&Reading) -> f64) -> f64 {
    let mut greatest = [0.0; 3];
    for reading in readings.iter().flatten() {
        let mut surprise = of(reading);
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
        Look::Point | Look::Shape if reading.value >= reading.forecast => Kind::Spike,
        Look::Point | Look::Shape => Kind::Dip,
        Look::Shift | Look::Lasting => Kind::LevelShift,
        Look::Drift => Kind::Drift,
        Look::Stuck => Kind::Stuck,
    }
}
