//! The bounded table of series: what is known of each subject, the least recently seen evicted first.

use std::hash::BuildHasherDefault;

use lru::LruCache;
use serde::{Deserialize, Serialize};

use crate::config::Bounds;
use crate::episode::Episode;
use crate::event::{Subject, Timestamp};
use crate::keys::KeyHasher;
use crate::log::Stream;
use crate::metric::Row;
use crate::number::Bounded;
use crate::threshold::{PRIOR_EVENTS, Tail};

/// What is kept of a label's name and of its value, in bytes.
pub(crate) const MAX_LABEL_BYTES: usize = 256;

/// Labels of a subject that are kept.
const MOST_LABELS: usize = 16;

/// What is known of one subject's metrics, or of its log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) model: Model,
    pub(crate) pulse: Pulse,
    pub(crate) episode: Option<Box<Episode>>,
}

/// The closed set of models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Model {
    Row(Row),
    Log(Stream),
}

impl Model {
    fn metrics(&self) -> usize {
        match self {
            Model::Row(row) => row.metrics(),
            Model::Log(_) => 0,
        }
    }
}

/// The kinds of series that a subject can have. They are part of the key, since a service has metrics and a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Metrics,
    Log,
    /// What is counted of a log.
    Counts,
    /// What the lines of a template measure, by the template's identity.
    Parameters(u64),
}

impl Of {
    pub(crate) fn key(self, subject: u64) -> u64 {
        match self {
            Of::Metrics => subject,
            // Any different constants do.
            Of::Log => subject.rotate_left(32) ^ 0x6c6f_675f_6c69_6e65,
            Of::Counts => subject.rotate_left(16) ^ 0x636f_756e_7473_5f5f,
            Of::Parameters(template) => subject.rotate_left(48) ^ template ^ 0x7061_7261_6d65_7465,
        }
    }
}

impl Series {
    pub(crate) fn new(subject: &Subject<'_>, model: Model) -> Self {
        Series {
            labels: labels_of(subject),
            model,
            pulse: Pulse::new(),
            episode: None,
        }
    }
}

/// The labels of a subject, as they are kept to be shown.
pub(crate) fn labels_of(subject: &Subject<'_>) -> Vec<(String, String)> {
    subject
        .labels()
        .iter()
        .take(MOST_LABELS)
        .map(|label| (shortened(label.name), shortened(label.value)))
        .collect()
}

/// Labels are for people; the key of a series covers them whole.
pub(crate) fn shortened(text: &str) -> String {
    text.get(..text.floor_char_boundary(MAX_LABEL_BYTES))
        .unwrap_or(text)
        .to_owned()
}

/// How regularly a series has events, so that its silence can be told from its usual pauses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pulse {
    /// The times of its first and its last event, on the detector's own running time.
    first: Option<f64>,
    last: Option<f64>,
    mean: f64,
    /// The mean square of the gaps.
    square: f64,
    gaps: f64,
    /// The time in which it has had events, in seconds of event time: a pause counts as a minute at most.
    lived: f64,
    /// The last event and the mean time between events, in event time.
    last_time: Option<Timestamp>,
    every: f64,
    tail: Tail,
    pub(crate) silent: bool,
}

/// Before so many gaps nobody knows what is regular.
const FIRST_GAPS: f64 = 30.0;
/// A silence can be surprising by so many decades for each decade of times that it was seen not to happen.
const MOST_OF_A_GAP: f64 = 3.0;
/// The mean gap forgets with this many gaps.
const GAPS: f64 = 256.0;

impl Pulse {
    pub(crate) fn new() -> Self {
        Pulse {
            first: None,
            last: None,
            mean: 0.0,
            square: 0.0,
            gaps: 0.0,
            lived: 0.0,
            last_time: None,
            every: 0.0,
            tail: Tail::new(4.0, PRIOR_EVENTS),
            silent: false,
        }
    }

    /// An event came.
    pub(crate) fn event(&mut self, time: Timestamp) {
        let seconds = self.last_time.map_or(0.0, |last| time.seconds_since(last));
        if seconds > 0.0 {
            self.lived += seconds.at_most(LONGEST_PAUSE);
            let rate = if self.every == 0.0 { 1.0 } else { 1.0 / GAPS };
            // A pause of a whole day does not make a series rare.
            self.every += rate * (seconds.at_most(86_400.0) - self.every);
        }
        let late = (-WRONG_CLOCK..=0.0).contains(&seconds);
        if !late || self.last_time.is_none() {
            self.last_time = Some(time);
        }
    }

    /// The time in which it has had events so far, in seconds.
    pub(crate) fn lived(&self) -> f64 {
        self.lived
    }

    /// Whether there were enough events to tell, and they come at least as evenly as they would at random.
    pub(crate) fn is_regular(&self) -> bool {
        self.gaps >= FIRST_GAPS && self.square <= (1.0 + MOST_OF_RANDOM) * self.mean * self.mean
    }

    /// The usual event time between events, in seconds.
    pub(crate) fn every(&self) -> f64 {
        self.every
    }

    /// An event came whose absence would be noticed.
    pub(crate) fn beat(&mut self, running: f64) {
        if let Some(last) = self.last {
            let gap = running - last;
            // Several events at the same time are one beat.
            if gap <= 0.0 {
                return;
            }
            let nominal = self.nominal(gap);
            // A silence that ends by itself says nothing of how often events come, but that there are silences.
            if self.silent {
                self.tail.learn(nominal, 1.0);
            } else {
                self.gaps += 1.0;
                let rate = (1.0 / self.gaps).at_least(1.0 / GAPS);
                self.mean += rate * (gap - self.mean);
                self.square += rate * (gap * gap - self.square);
                let nominal = self.nominal(gap);
                self.tail.learn(nominal, 1.0);
            }
        }
        self.first.get_or_insert(running);
        self.last = Some(running);
    }

    /// How long it has been silent, in seconds of running time; `None` when its events are not awaited.
    pub(crate) fn quiet(&self, running: f64) -> Option<f64> {
        self.last.map(|last| running - last)
    }

    /// How surprising it is that nothing came for so long.
    pub(crate) fn surprise(&self, quiet: f64) -> f64 {
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return 0.0;
        };
        if self.gaps < FIRST_GAPS {
            return 0.0;
        }
        // However regular events are, nothing is known of times longer than they have been coming.
        let times = (last - first) / quiet.at_least(1e-9);
        let known = MOST_OF_A_GAP * libm::log10(1.0 + times);
        self.tail.surprise(self.nominal(quiet)).at_most(known)
    }

    /// How long it has been silent and how much time there usually is between two of its events, in seconds of event time:
    /// what people compare with their clocks. What is judged is running time, in which nobody's pauses count.
    pub(crate) fn told(&self, now: Timestamp) -> (f64, f64) {
        let away = self.last_time.map_or(0.0, |last| now.seconds_since(last));
        (away, self.every)
    }

    /// Gaps of events that come at random follow an exponential distribution. Where they vary more than that, the rate
    /// varies itself, by a gamma distribution (Gamma–Poisson), and gaps follow the one of Lomax (1954), whose tail is
    /// much longer. What is really so is what the tail measures.
    fn nominal(&self, gap: f64) -> f64 {
        let mean = self.mean.at_least(1e-9);
        // The variance of Lomax's distribution is shape / (shape − 2) times its squared mean.
        let variation = self.square / (mean * mean) - 1.0;
        if variation <= MOST_OF_RANDOM {
            return gap / mean / std::f64::consts::LN_10;
        }
        let shape = 2.0 * variation / (variation - 1.0);
        shape * libm::log10(1.0 + gap / (mean * (shape - 1.0)))
    }
}

/// Gaps that vary more than this, as the variance by the squared mean, do not come from one rate. At random it is 1.
const MOST_OF_RANDOM: f64 = 1.1;

/// The table.
#[derive(Debug)]
pub(crate) struct Table {
    series: LruCache<u64, Box<Series>, BuildHasherDefault<KeyHasher>>,
    max: usize,
    /// Metrics that have a model, over all series.
    metrics: usize,
    max_metrics: usize,
    pub(crate) evicted: u64,
}

impl Table {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Table {
            series: LruCache::unbounded_with_hasher(BuildHasherDefault::default()),
            max: bounds.max_series.get() as usize,
            metrics: 0,
            max_metrics: bounds.max_metrics.get() as usize,
            evicted: 0,
        }
    }

    /// A series has got so many new metrics. Returns the series that have to go for them, one at a time.
    pub(crate) fn make_room(&mut self, new_metrics: usize) -> Option<(u64, Box<Series>)> {
        self.metrics += new_metrics;
        // The series that was used last stays: it has no more metrics than there may be.
        (self.metrics > self.max_metrics && self.series.len() > 1)
            .then(|| self.evict())
            .flatten()
    }

    /// Whether there is a series with this key, or room for one that others must not be evicted for.
    pub(crate) fn has_place(&self, key: u64) -> bool {
        self.series.contains(&key) || 2 * self.series.len() < self.max && 2 * self.metrics < self.max_metrics
    }

    fn evict(&mut self) -> Option<(u64, Box<Series>)> {
        let (key, series) = self.series.pop_lru()?;
        self.metrics -= series.model.metrics();
        self.evicted += 1;
        Some((key, series))
    }

    /// The series with this key, made if there is none yet. Returns the one that had to go for it as well.
    pub(crate) fn get_or_insert(
        &mut self,
        key: u64,
        make: impl FnOnce() -> Series,
    ) -> (&mut Series, Option<Box<Series>>) {
        let mut evicted = None;
        if !self.series.contains(&key) && self.series.len() >= self.max {
            evicted = self.evict().map(|(_, series)| series);
        }
        (self.series.get_or_insert_mut(key, || Box::new(make())), evicted)
    }

    /// A series, without counting as a use of it.
    pub(crate) fn peek_mut(&mut self, key: u64) -> Option<&mut Series> {
        self.series.peek_mut(&key).map(|series| &mut **series)
    }

    /// The series from the least recently seen to the most recently seen.
    pub(crate) fn oldest_first(&mut self) -> impl Iterator<Item = (u64, &mut Series)> {
        self.series.iter_mut().rev().map(|(key, series)| (*key, &mut **series))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Series> {
        self.series.iter().map(|(_, series)| &**series)
    }

    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }
}

/// The table as it is written: the least recently seen first, so that reading it restores the order.
#[derive(Serialize, Deserialize)]
struct State<S> {
    series: Vec<(u64, S)>,
    evicted: u64,
    max: u64,
    max_metrics: u64,
}

impl Serialize for Table {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        State {
            series: self.series.iter().rev().map(|(key, series)| (*key, series)).collect(),
            evicted: self.evicted,
            max: self.max as u64,
            max_metrics: self.max_metrics as u64,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let state = State::<Box<Series>>::deserialize(deserializer)?;
        let mut table = Table {
            series: LruCache::unbounded_with_hasher(BuildHasherDefault::default()),
            max: state.max as usize,
            metrics: 0,
            max_metrics: state.max_metrics as usize,
            evicted: state.evicted,
        };
        for (key, series) in state.series {
            table.metrics += series.model.metrics();
            table.series.put(key, series);
        }
        Ok(table)
    }
}

/// Time as the detector lives it: event time, without the pauses in which nothing at all came.
///
/// When the whole feed pauses, that says nothing of a single series, so that a pause counts as a minute at most;
/// only a tick from outside says that time really went on.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct RunningTime {
    pub(crate) now: Option<Timestamp>,
    pub(crate) running: f64,
}

const LONGEST_PAUSE: f64 = 60.0;

/// An event that is so many seconds late is not late: the one before it had a wrong clock.
pub(crate) const WRONG_CLOCK: f64 = 86_400.0;

impl RunningTime {
    /// An event came; late events do not turn time back. Returns whether time went on.
    pub(crate) fn event(&mut self, time: Timestamp) -> bool {
        self.advance(time, LONGEST_PAUSE)
    }

    /// Somebody says that time has come to here.
    pub(crate) fn tick(&mut self, time: Timestamp) -> bool {
        self.advance(time, f64::INFINITY)
    }

    fn advance(&mut self, time: Timestamp, longest: f64) -> bool {
        let Some(now) = self.now else {
            self.now = Some(time);
            return true;
        };
        let seconds = time.seconds_since(now);
        if seconds < -WRONG_CLOCK {
            self.now = Some(time);
            return true;
        }
        if seconds <= 0.0 {
            return false;
        }
        self.running += seconds.at_most(longest);
        self.now = Some(time);
        true
    }
}
