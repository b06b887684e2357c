//! A row of metrics: each has its own model, and the row has one verdict.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::channel::Look;
use super::forecast::TimeOfDay;
use super::model::{Metric, Reading};
use super::together::{FEWEST, Numbers, Sight, Together};
use super::unit::unit;
use crate::event::{Finite, Timestamp, Value};
use crate::joint::JointModel;
use crate::number::Bounded;
use crate::order;
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
    seen: Seen,
    #[serde(skip)]
    sight: Option<Sight>,
}

/// What a row looks like to those who look at all its metrics together, in the order of the metrics.
#[derive(Debug, Clone, PartialEq, Default)]
struct Seen {
    numbers: Numbers,
    /// For the models that were added.
    away: Vec<Finite>,
}

/// What a row looks like, before anything is learned from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Assessment {
    pub(crate) surprise: f64,
    /// How strange the metrics are, told before or not.
    pub(crate) state: f64,
    /// Every metric is too young to say anything.
    pub(crate) learning: bool,
    /// Metrics that were seen for the first time and what models of them count as, and metrics that were left out.
    pub(crate) added: usize,
    pub(crate) ignored: u64,
}

/// What is looked at beside each metric alone, once there are enough of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside<'a> {
    Nothing,
    /// All of them together, with these models as well.
    Together(&'a BTreeSet<JointModel>),
}

/// A metric takes part in an explanation when it is at least half as surprising as the most surprising one.
const TAKES_PART: f64 = 0.5;
const MOST_CONTRIBUTIONS: usize = 5;
/// It takes part in what is strange together when it is at least this share as far from others as the farthest.
const TAKES_PART_TOGETHER: f64 = 0.25;
/// So many metrics are brought to what is usual at most, to see whether that is enough.
const MOST_GOALS: usize = 16;

impl Row {
    pub(crate) fn new() -> Self {
        Row {
            metrics: Vec::new(),
            together: None,
            scratch: Vec::new(),
            seen: Seen::default(),
            sight: None,
        }
    }

    /// What a row looks like. Metrics that were never seen before get a model, up to `max` of them.
    pub(crate) fn assess(
        &mut self,
        time: Timestamp,
        values: &[Value<'_>],
        max: usize,
        beside: Beside<'_>,
    ) -> Assessment {
        let (before, mut ignored) = (self.metrics(), 0);
        let at = TimeOfDay::of(time);
        let mut readings = std::mem::take(&mut self.scratch);
        readings.clear();
        for (position, value) in values.iter().enumerate() {
            match self.find(position, value.metric) {
                Some(index) => readings.push(self.metrics.get(index).and_then(|m| m.read(&at, value.value.value()))),
                None if value.metric.len() <= MAX_LABEL_BYTES && self.counted(self.metrics.len() + 1) <= max => {
                    self.metrics.reserve_exact(1);
                    self.metrics.push(Metric::new(value.metric, beside != Beside::Nothing));
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
        let mut seen = std::mem::take(&mut self.seen);
        let state = combine(&readings, |reading| reading.surprise);
        self.sight = self.together(time, values, &readings, state, &mut seen);
        let surprise = told_by(&readings, self.sight.as_ref());
        let state = self
            .sight
            .as_ref()
            .map_or(state, |sight| sight.surprise.at_least(state));
        self.seen = seen;
        self.scratch = readings;
        if let Beside::Together(models) = beside {
            self.follow_together(max, models);
        }
        Assessment {
            surprise,
            state,
            learning,
            added: self.metrics() - before,
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
        let state = combine(&readings, |reading| reading.surprise);
        let sight = self.together(time, values, &readings, state, &mut Seen::default());
        told_by(&readings, sight.as_ref())
    }

    /// Sees to it that the metrics that there are get looked at together.
    fn follow_together(&mut self, max: usize, models: &BTreeSet<JointModel>) {
        let metrics = self.metrics.len();
        if metrics < FEWEST {
            return;
        }
        let together = self.together.get_or_insert_with(|| Box::new(Together::new(metrics)));
        if !together.is_for(metrics) {
            together.begin_again(metrics);
        }
        together.follow(models, max.saturating_sub(metrics));
    }

    /// How a row looks whose metrics look `alone` to their models.
    fn together(
        &self,
        time: Timestamp,
        values: &[Value<'_>],
        readings: &[Option<Reading>],
        alone: f64,
        seen: &mut Seen,
    ) -> Option<Sight> {
        let together = self.together.as_ref()?;
        seen.numbers.clear(together.metrics());
        seen.away.clear();
        if together.is_followed() {
            seen.away.resize(together.metrics(), Finite::default());
        }
        for ((position, value), reading) in values.iter().enumerate().zip(readings) {
            if let Some(index) = self.find(position, value.metric)
                && let (Some(metric), Some(reading)) = (self.metrics.get(index), reading)
            {
                seen.numbers.set(index, metric, reading);
                if let Some(slot) = seen.away.get_mut(index) {
                    *slot = metric.away(reading).unwrap_or_default();
                }
            }
        }
        Some(together.read(time, &seen.numbers, &seen.away, alone))
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
        if let (Some(together), Some(sight)) = (&mut self.together, &self.sight) {
            together.learn(time, &self.seen.numbers, &self.seen.away, sight, weight);
        }
    }

    /// The level that the row has now is accepted as normal.
    pub(crate) fn restart(&mut self) {
        self.metrics.iter_mut().for_each(Metric::restart);
        if let (Some(together), Some(_)) = (&mut self.together, &self.sight) {
            together.accept(&self.seen.numbers);
        }
    }

    /// Its metrics, and the models that look at them together as so many as need their memory.
    pub(crate) fn metrics(&self) -> usize {
        self.counted(self.metrics.len())
    }

    /// Whether there are enough of them to be looked at together.
    pub(crate) fn is_together(&self) -> bool {
        self.together.is_some()
    }

    /// The same if there were so many metrics.
    fn counted(&self, metrics: usize) -> usize {
        let models = self
            .together
            .as_ref()
            .map_or(0, |together| together.models_count_as(metrics));
        metrics + models
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
        order::sort_by_key(&mut parts, |part| order::falling(part.2));
        let Some(&(strongest_metric, strongest, greatest)) = parts.first() else {
            return (Kind::Spike, Explanation::default());
        };
        parts.retain(|part| part.2 >= TAKES_PART * greatest);
        parts.truncate(MOST_CONTRIBUTIONS);
        let joint = self.joint(values);
        let (alone, beside) = self.sight.as_ref().map_or((greatest, 0.0), |sight| {
            let (worth, beside) = sight.halves();
            (worth.at_least(combine(&self.scratch, |reading| reading.news)), beside)
        });
        if alone < TAKES_PART * beside && !joint.is_empty() {
            parts.clear();
        } else {
            // What they say is worth as much as rows that look like this are rare.
            // Where all that is strange is what they add to the rest, they are as they are.
            let worth = if greatest > 0.0 && alone > 0.0 {
                alone / greatest
            } else {
                1.0
            };
            parts.iter_mut().for_each(|part| part.2 *= worth);
        }
        let kind = match joint.first() {
            Some(first) if parts.is_empty() && first.above < 0.0 => Kind::Dip,
            Some(_) if parts.is_empty() => Kind::Spike,
            _ => strongest_metric.kind(strongest),
        };
        let sum: f64 = parts
            .iter()
            .map(|part| part.2)
            .chain(joint.iter().map(|part| part.surprise))
            .sum();
        let share = |part: f64| if sum > 0.0 { surprise * part / sum } else { 0.0 };
        let contributions: Vec<_> = parts
            .iter()
            .map(|(metric, reading, part)| {
                let (observed, expected) = metric.seen_and_expected(reading);
                let (low, high) = metric.usual_range(reading);
                let of_values = !matches!(reading.look, Look::Stuck);
                Contribution {
                    of: metric.name.clone(),
                    model: reading.look.name().to_owned(),
                    surprise: share(*part),
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
            .chain(
                joint
                    .iter()
                    .filter(|part| part.surprise > 0.0)
                    .map(|part| Contribution {
                        of: part.metric.name.clone(),
                        model: part.model.to_owned(),
                        surprise: share(part.surprise),
                        observed: Observation::Number(part.reading.value),
                        expected: Expected {
                            value: Observation::Number(part.reading.value - part.above),
                            low: None,
                            high: None,
                        },
                        unit: unit(&part.metric.name).map(str::to_owned),
                    }),
            )
            .collect();
        let mut goals: Vec<Goal<'_>> = parts
            .iter()
            .map(|(metric, reading, _)| Goal {
                metric: metric.name.as_str(),
                unremarkable: metric.unremarkable(reading),
                enough: metric.enough(reading),
            })
            .collect();
        for part in &joint {
            if goals.iter().all(|goal| goal.metric != part.metric.name) {
                goals.push(Goal {
                    metric: part.metric.name.as_str(),
                    unremarkable: part.reading.value - part.above,
                    enough: None,
                });
            }
        }
        let explanation = Explanation {
            contributions,
            // No value says how long a metric may stay the same.
            counterfactual: if strongest.look == Look::Stuck && !parts.is_empty() {
                Vec::new()
            } else {
                self.counterfactual(time, values, &goals, threshold)
            },
            template: None,
            template_lines: None,
            line: None,
            patterns: Vec::new(),
            features: parts
                .first()
                .map(|(metric, reading, _)| (*metric, *reading))
                .or(joint.first().map(|part| (part.metric, part.reading)))
                .map_or_else(Default::default, |(metric, reading)| {
                    metric.features(time, reading.value)
                }),
        };
        (kind, explanation)
    }

    /// The metrics that make the row strange beside others, where that is among what is strangest, each with its share
    /// of that surprise; those that contribute sum to it, and the others, which have little to do with it, follow.
    fn joint(&self, values: &[Value<'_>]) -> Vec<Joined<'_>> {
        let (Some(together), Some(sight)) = (&self.together, &self.sight) else {
            return Vec::new();
        };
        let (alone, beside) = sight.halves();
        if beside <= 0.0 || beside < TAKES_PART * alone {
            return Vec::new();
        }
        let (model, found) = together.parts(&self.seen.numbers, &self.seen.away, sight);
        let mut parts: Vec<Joined<'_>> = values
            .iter()
            .enumerate()
            .zip(&self.scratch)
            .filter_map(|((position, value), reading)| {
                let index = self.find(position, value.metric)?;
                let (metric, reading, part) = (self.metrics.get(index)?, reading.as_ref()?, found.get(index)?);
                Some(Joined {
                    metric,
                    reading,
                    model,
                    surprise: part.share,
                    above: part.above.unwrap_or(reading.value - metric.level(reading)),
                })
            })
            .filter(|part| part.surprise > 0.0)
            .collect();
        order::sort_by_key(&mut parts, |part| order::falling(part.surprise));
        parts.truncate(MOST_GOALS);
        let most = parts.first().map_or(0.0, |part| part.surprise);
        let mut sum = 0.0;
        for (place, part) in parts.iter_mut().enumerate() {
            if place >= MOST_CONTRIBUTIONS || part.surprise < TAKES_PART_TOGETHER * most {
                part.surprise = 0.0;
            }
            sum += part.surprise;
        }
        for part in &mut parts {
            part.surprise *= beside / sum;
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

/// A metric that makes a row strange beside others.
#[derive(Clone, Copy)]
struct Joined<'a> {
    metric: &'a Metric,
    reading: &'a Reading,
    /// What found it.
    model: &'static str,
    surprise: f64,
    /// By how much its value is above that of the rows that this one is most like.
    above: f64,
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

/// The surprise of a row: what metrics look like together is a state, which is as strange as it is for as long as it
/// lasts, and what is news of one metric is no less for being beside others.
fn told_by(readings: &[Option<Reading>], sight: Option<&Sight>) -> f64 {
    let news = combine(readings, |reading| reading.news);
    sight.map_or(news, |sight| sight.surprise.at_least(news))
}

/// The metrics of a row by themselves: the harmonic mean of their probabilities (Wilson, PNAS 2019),
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
