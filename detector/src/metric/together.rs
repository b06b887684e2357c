//! How the metrics of a row go together: the state of what they belong to, compared with the states that were seen.

mod evidence;
mod following;
mod view;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use self::evidence::Evidence;
use self::following::{Following, counts_as};
use self::view::View;
use super::model::{Metric, Reading};
use crate::event::{Finite, Timestamp};
use crate::joint::JointModel;
use crate::number::Bounded;
use crate::random::Random;
use crate::threshold::{PRIOR_EVENTS, Tail};

/// From so many metrics on there is something to go together.
pub(super) const FEWEST: usize = 3;
/// So many metrics go together at most; what there is beyond is looked at by itself only.
const MOST: usize = 256;

/// What is compared: the values themselves, their distance from the same time of the days before, and their distance
/// from the last hundred. A state can be new in each of these ways while it is usual in the others: a night's load at
/// noon is a value that is often seen, and a morning that is late by an hour is far from none of the last hundred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    State,
    Season,
    Change,
}

const WAYS: [Way; 3] = [Way::State, Way::Season, Way::Change];

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Way::State => "state",
            Way::Season => "season",
            Way::Change => "change",
        }
    }
}

/// The numbers of a row in each way, in the order of the metrics; what a row lacks is no number.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Numbers([Vec<f64>; WAYS.len()]);

impl Numbers {
    /// Nothing is known of so many metrics.
    pub(super) fn clear(&mut self, metrics: usize) {
        for numbers in &mut self.0 {
            numbers.clear();
            numbers.resize(metrics, f64::NAN);
        }
    }

    pub(super) fn set(&mut self, index: usize, metric: &Metric, reading: &Reading) {
        let [state, season, change] = &mut self.0;
        let all = [
            (state, reading.value),
            (season, metric.beside_the_days(reading)),
            (change, metric.beside_the_last(reading)),
        ];
        for (numbers, number) in all {
            if let Some(slot) = numbers.get_mut(index) {
                *slot = number;
            }
        }
    }
}

/// How the metrics of one subject go together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Together {
    views: [View; WAYS.len()],
    evidence: [Evidence; WAYS.len()],
    /// How strange rows look to the models of their metrics.
    alone: Tail,
    metrics: u16,
    first: Option<Timestamp>,
    /// Rows that were learned, anomalous ones by their weight.
    learned: f64,
    /// Rows that were seen.
    rows: f64,
    /// For how many rows it has been strange; what is over is forgotten soon.
    lasting: f64,
    random: Random,
    /// Models that a configuration adds to the views.
    following: Vec<Following>,
}

/// What one row looks like beside others.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Sight {
    /// The surprise of each way, and how far the row is from those that it is most like.
    ways: [Option<Far>; WAYS.len()],
    /// What it is to each model that was added.
    following: Vec<Option<following::Sight>>,
    /// What the models of the metrics say, as it is, and what it is worth.
    alone: f64,
    worth: f64,
    pub(super) surprise: f64,
}

impl Sight {
    /// How strange the row is by its metrics alone, and how strange beside others.
    pub(super) fn halves(&self) -> (f64, f64) {
        let ways = self.ways.iter().flatten().map(|far| far.surprise);
        let following = self.following.iter().flatten().map(|sight| sight.surprise);
        (self.worth, ways.chain(following).fold(0.0, Bounded::at_least))
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Far {
    distance: f64,
    surprise: f64,
}

/// States that are kept to compare with; they are from about the last `HORIZON` rows.
const ROWS: usize = 256;
const HORIZON: f64 = 65_536.0;
/// From so many rows on there is something to compare with.
const FIRST_ROWS: usize = 64;
/// Before a whole day was seen, a state may be new because of the time of the day: nothing can be stranger then than
/// there were rows to tell. Later it can be so many decades stranger.
const DAY: f64 = 86_400.0;
const MOST_BEYOND: f64 = 2.0;
/// One row in a hundred is strange.
const STRANGE: f64 = 2.0;
/// In the end it becomes usual all the same.
const LEAST_WEIGHT: f64 = 0.02;
/// What the models of the metrics say supports what is seen together up to here. Beyond, they are on their own, and so
/// many decades are taken from what they say.
const MOST_SUPPORT: f64 = 2.5;
const ALONE: f64 = 1.0;
/// How much faster than assumed the tail of what the metrics say may fall.
const STEEPEST: f32 = 4.0;

impl Together {
    pub(super) fn new(metrics: usize) -> Self {
        let metrics = metrics.min(MOST);
        Together {
            views: std::array::from_fn(|_| View::new(metrics)),
            evidence: std::array::from_fn(|_| Evidence::new()),
            alone: Tail::new(STEEPEST, PRIOR_EVENTS),
            metrics: metrics as u16,
            first: None,
            learned: 0.0,
            rows: 0.0,
            lasting: 0.0,
            random: Random::new(0, metrics as u64),
            following: Vec::new(),
        }
    }

    /// The metrics that take part.
    pub(super) fn metrics(&self) -> usize {
        usize::from(self.metrics)
    }

    /// Whether this is for so many metrics.
    pub(super) fn is_for(&self, metrics: usize) -> bool {
        self.metrics() == metrics.min(MOST)
    }

    /// The same for another number of metrics: all has to be learned anew.
    pub(super) fn begin_again(&mut self, metrics: usize) {
        let models: Vec<JointModel> = self.following.iter().map(Following::model).collect();
        *self = Together::new(metrics);
        self.following.reserve_exact(models.len());
        models.into_iter().for_each(|model| self.add(model));
    }

    /// Models were added to the views.
    pub(super) fn is_followed(&self) -> bool {
        !self.following.is_empty()
    }

    /// Adds those of the models that are missing, as long as no more metrics than `room` need their memory.
    pub(super) fn follow(&mut self, models: &BTreeSet<JointModel>, room: usize) {
        for model in models {
            let has = self.following.iter().any(|following| following.model() == *model);
            if !has && self.models_count_as(self.metrics()) + counts_as(*model, self.metrics()) <= room {
                self.following.reserve_exact(1);
                self.add(*model);
            }
        }
    }

    fn add(&mut self, model: JointModel) {
        self.following.push(Following::new(model, self.metrics()));
    }

    /// So many metrics need the memory that the added models do when there are so many metrics.
    pub(super) fn models_count_as(&self, metrics: usize) -> usize {
        let count = |following: &Following| counts_as(following.model(), metrics.min(MOST));
        self.following.iter().map(count).sum()
    }

    /// What a row looks like that looks `alone` to the models of its metrics. `away` are the deviations for
    /// the models that were added.
    pub(super) fn read(&self, time: Timestamp, numbers: &Numbers, away: &[Finite], alone: f64) -> Sight {
        let beyond = match self.first {
            Some(first) if time.seconds_since(first) >= DAY => MOST_BEYOND,
            _ => 0.0,
        };
        let mut sight = Sight {
            alone,
            following: self.following.iter().map(|following| following.read(away)).collect(),
            ..Sight::default()
        };
        let mut all = Harmonic::default();
        if alone > ALONE {
            let known = libm::log10(self.rows + 1.0);
            sight.worth = (self.alone.surprise(alone).at_most(known + MOST_BEYOND) - ALONE).at_least(0.0);
        }
        all.add(alone.at_most(MOST_SUPPORT));
        for (((view, evidence), numbers), far) in
            (self.views.iter().zip(&self.evidence).zip(&numbers.0)).zip(&mut sight.ways)
        {
            let Some(distance) = view.distance(numbers) else {
                continue;
            };
            let surprise = evidence.surprise(distance, beyond);
            all.add(surprise);
            *far = Some(Far { distance, surprise });
        }
        for following in sight.following.iter().flatten() {
            all.add(following.surprise);
        }
        sight.surprise = all.surprise().at_least(sight.worth);
        sight
    }

    /// Learns the row of which `sight` was read.
    pub(super) fn learn(&mut self, time: Timestamp, numbers: &Numbers, away: &[Finite], sight: &Sight, weight: f64) {
        if !self.fits(numbers) {
            return;
        }
        self.first.get_or_insert(time);
        // What it is worth is what it is worth while it lasts as well: models that look at what adds up stay at their
        // highest for as long as learning is guarded.
        if weight > 0.0 {
            self.rows += 1.0;
            self.alone.learn(sight.alone, 1.0);
        }
        // Rows that follow each other in a strange state are one event, not many: it must not become usual while it
        // lasts, nor make what is stranger look common.
        let strange = sight.ways.iter().flatten().any(|far| far.surprise >= STRANGE);
        self.lasting = if strange {
            self.lasting + 1.0
        } else {
            0.5 * self.lasting
        };
        let weight = weight * (1.0 / self.lasting.at_least(1.0)).at_least(LEAST_WEIGHT);
        for (evidence, far) in self.evidence.iter_mut().zip(&sight.ways) {
            if let Some(far) = far {
                evidence.learn(far.distance, weight);
            }
        }
        // Models may be younger than the row.
        for (following, sight) in self.following.iter_mut().zip(&sight.following) {
            following.learn(away, sight.as_ref(), weight);
        }
        let before = self.learned;
        self.learned += weight;
        let rows = self.views[0].rows();
        let chance = if rows < ROWS {
            weight
        } else {
            weight * ROWS as f64 / self.learned.at_most(HORIZON)
        };
        if self.random.unit() < chance {
            let place = if rows < ROWS { rows } else { self.random.below(rows) };
            for (view, numbers) in self.views.iter_mut().zip(&numbers.0) {
                view.put(place, numbers);
            }
        }
        // The scale is that of the rows that are kept: it is measured anew when their number has doubled, and then each
        // time that most of them are others.
        let due = |learned: f64| {
            if learned < HORIZON {
                libm::ilogb(learned)
            } else {
                ((learned / HORIZON) as i32).saturating_add(16)
            }
        };
        if self.views[0].rows() >= FIRST_ROWS && (self.views[0].is_young() || due(before) != due(self.learned)) {
            self.measure();
        }
    }

    /// The state that the metrics have is accepted as normal.
    pub(super) fn accept(&mut self, numbers: &Numbers) {
        let rows = self.views[0].rows();
        if !self.fits(numbers) {
            return;
        }
        for _ in 0..view::NEAREST {
            let place = self.random.below(rows);
            for (view, numbers) in self.views.iter_mut().zip(&numbers.0) {
                view.put(place, numbers);
            }
        }
    }

    /// Whether these are the numbers of its metrics: it may be younger than the row.
    fn fits(&self, numbers: &Numbers) -> bool {
        numbers.0.iter().all(|numbers| numbers.len() == self.metrics())
            && self.views.iter().all(|view| view.metrics() == self.metrics())
    }

    /// A scale that is too fine makes much of nothing: what is left when the time of the day is taken away cannot be told
    /// to less than a share of what the metric does at all, nor a change to less than a share of that.
    fn measure(&mut self) {
        let [state, season, change] = &mut self.views;
        state.measure(|_| 0.0);
        season.measure(|metric| state.range(metric) * view::LEAST_OF_RANGE);
        change.measure(|metric| season.spread(metric) * LEAST_CHANGE);
    }

    /// What finds the row strangest beside others, and for each metric how much it has to do with that.
    pub(super) fn parts(&self, numbers: &Numbers, away: &[Finite], sight: &Sight) -> (&'static str, Vec<Part>) {
        let mut most: Option<(Way, f64)> = None;
        for (way, far) in WAYS.into_iter().zip(&sight.ways) {
            if let Some(far) = far
                && far.surprise > most.map_or(0.0, |most| most.1)
            {
                most = Some((way, far.surprise));
            }
        }
        let mut strangest: Option<(&Following, f64)> = None;
        for (following, sight) in self.following.iter().zip(&sight.following) {
            let most = strangest.map_or(most.map_or(0.0, |most| most.1), |strangest| strangest.1);
            if let Some(sight) = sight
                && sight.surprise > most
            {
                strangest = Some((following, sight.surprise));
            }
        }
        if let Some((following, _)) = strangest {
            let shares = following.parts(away);
            // It need not know of any metric that has to do with it more than others.
            if shares.iter().any(|share| *share > 0.0) {
                let part = |share| Part { share, above: None };
                return (following.model().name(), shares.into_iter().map(part).collect());
            }
        }
        match most.and_then(|(way, _)| Some((way, self.views.get(way as usize)?, numbers.0.get(way as usize)?))) {
            Some((way, view, numbers)) => (way.name(), view.parts(numbers)),
            None => ("", Vec::new()),
        }
    }
}

/// A change is told to no less than this share of what is usual beside the days before.
const LEAST_CHANGE: f64 = 0.25;

/// What one metric has to do with how far a row is from others: its share, and by how much its number is above theirs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    pub(super) share: f64,
    /// Unless it is not known with which rows it is compared.
    pub(super) above: Option<f64>,
}

/// The harmonic mean of probabilities (Wilson, PNAS 2019), which holds up under dependence.
#[derive(Debug, Default)]
struct Harmonic {
    count: f64,
    most: f64,
    /// In units of 10 to the power of `most`.
    sum: f64,
}

impl Harmonic {
    fn add(&mut self, surprise: f64) {
        if surprise > self.most {
            self.sum *= libm::exp10(self.most - surprise);
            self.most = surprise;
        }
        self.sum += libm::exp10(surprise - self.most);
        self.count += 1.0;
    }

    fn surprise(&self) -> f64 {
        (self.most + libm::log10(self.sum / self.count.at_least(1.0))).at_least(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_finds_what_does_not_go_together_and_is_named_for_it() {
        for model in JointModel::ALL {
            let mut together = Together::new(8);
            together.follow(&BTreeSet::from([model]), usize::MAX);
            // The views see nothing.
            let mut numbers = Numbers::default();
            numbers.clear(8);
            let (mut state, mut seconds) = (1, 0);
            let mut next = || {
                seconds += 60;
                Timestamp::from_seconds(seconds)
            };
            for _ in 0..3_000 {
                let (time, row) = (next(), following::tests::row(&mut state, 8));
                let sight = together.read(time, &numbers, &row, 0.0);
                together.learn(time, &numbers, &row, &sight, 1.0);
            }
            // No metric is far beyond what was seen of it, and the last two are not where those that they follow are.
            let strange = [0.0, 0.0, 6.0, 6.0, 0.0, 0.0, -6.0, -6.0];
            let strange: Vec<_> = strange.into_iter().filter_map(Finite::new).collect();
            let sight = together.read(next(), &numbers, &strange, 0.0);
            let (name, parts) = together.parts(&numbers, &strange, &sight);
            println!("{name}: {} {parts:?}", sight.surprise);
            assert_eq!(name, model.name());
            assert!(sight.surprise > 1.5, "{name}: {}", sight.surprise);
            let share = |metrics: [usize; 4]| {
                metrics
                    .iter()
                    .filter_map(|metric| parts.get(*metric))
                    .map(|part| part.share)
                    .sum::<f64>()
            };
            assert!(share([2, 3, 6, 7]) > share([0, 1, 4, 5]), "{name}: {parts:?}");
        }
    }

    #[test]
    fn models_are_added_as_long_as_there_is_room_for_them() {
        let all = BTreeSet::from(JointModel::ALL);
        let mut together = Together::new(20);
        for room in 0..200 {
            together.follow(&all, room);
            assert!(together.models_count_as(20) <= room);
        }
        assert_eq!(together.following.len(), JointModel::ALL.len());
        // As documented.
        let counts = JointModel::ALL.map(|model| counts_as(model, 20));
        assert_eq!(counts, [9, 16, 2, 15, 5, 12, 13]);
        assert_eq!(together.models_count_as(20), counts.iter().sum::<usize>());
        together.begin_again(400);
        assert_eq!(together.following.len(), JointModel::ALL.len());
        assert_eq!(together.models_count_as(400), together.models_count_as(MOST));
    }
}
