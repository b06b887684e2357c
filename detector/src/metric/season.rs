//! What is usual at a time: the day, the week on top of it, or another period that the values themselves show.

mod cycle;
mod search;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::forecast::Forecast;
use crate::event::Timestamp;
use crate::number::Bounded;
use cycle::{Cycle, Phase, Place, Watch};
use search::Search;

const DAY: f64 = 86_400.0;
const WEEK: f64 = 7.0 * DAY;
const HOUR: f64 = 3_600.0;

/// What the slots of a day can be, in seconds: about as long as values are apart, so that few values need few slots.
const WIDTHS: [f64; 9] = [
    21_600.0, 10_800.0, 7_200.0, 3_600.0, 1_800.0, 1_200.0, 900.0, 600.0, 300.0,
];
/// From the widest slots to the narrowest; a forged state can ask for more.
const MOST_TIMES_FINER: f64 = WIDTHS[0] / WIDTHS[8];
/// Slots of a week.
const WEEK_SLOTS: usize = 168;
/// Slots of any other period.
const FEWEST_SLOTS: usize = 3;
const MOST_SLOTS: usize = 96;
/// Of a period that was found, so many repetitions decide whether it explains anything.
const TRIAL: f64 = 6.0;
/// Today's distance from the days before is followed within about two hours.
const OFFSET_SECONDS: f64 = 7_200.0;

/// The seasons of a metric. The day is tried from the first value on and used from the second day on; when it
/// explains the metric, the week is tried on what it leaves, and when it does not, a period is searched for. Each is
/// believed as long as it leaves less to explain than there was without it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Season {
    /// The usual seconds from one value to the next; zero before there were two.
    interval: f64,
    day: Option<Pattern>,
    week: Option<Box<Pattern>>,
    found: Option<Box<Pattern>>,
    search: Option<Box<Search>>,
    shape: Shape,
}

/// The season that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) enum Shape {
    #[default]
    Day,
    Week,
    Found,
}

/// A period, and what it is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pattern {
    of: Shape,
    cycle: Cycle,
    worth: Worth,
    /// Since when it is learned, and when it last explained something, in seconds.
    since: f64,
    explained: f64,
    /// When the first of its periods began that had this length; only used of periods that were found.
    began: f64,
}

/// How much a season leaves to explain, and how much there is without it: mean squares of what is left, each measured
/// from its own slow level, so that a trend speaks for neither.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Worth {
    with: f64,
    without: f64,
    level: Level,
    level_without: Level,
    /// For how many seconds it has been measured, as far as that matters.
    age: f64,
    explains: bool,
}

/// A slow level that does not lag behind a trend: double exponential smoothing (Brown 1959).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Level {
    once: f64,
    twice: f64,
}

impl Level {
    fn at(value: f64) -> Self {
        Level {
            once: value,
            twice: value,
        }
    }

    fn now(&self) -> f64 {
        2.0 * self.once - self.twice
    }

    fn learn(&mut self, value: f64, share: f64) {
        self.once += share * (value - self.once);
        self.twice += share * (self.once - self.twice);
    }
}

impl Worth {
    /// Learns what is left with and without the season.
    fn learn(&mut self, with: f64, without: f64, seconds: f64, test: &Test, weight: f64) {
        if self.age == 0.0 {
            (self.level, self.level_without) = (Level::at(with), Level::at(without));
        }
        // Nothing is explained until it was shown for a while.
        self.age = (self.age + weight * seconds)
            .at_most(test.memory - test.doubt)
            .at_least(1e-9);
        let share = weight * seconds / (self.age + test.doubt + seconds);
        let (a, b) = (with - self.level.now(), without - self.level_without.now());
        let (a, b) = (a * a, b * b);
        let bounded = |x: f64, most: f64| if most > 0.0 { x.at_most(most) } else { x };
        let (a, b) = if self.age < test.doubt {
            (a, b)
        } else if a > 0.25 * b && b > 0.25 * a {
            // What neither knows decides nothing, however large.
            let most = 4.0 * self.without.at_least(self.with);
            (bounded(a, most), bounded(b, most))
        } else {
            // A season that was right for long is not given up because of hours in which it was not; and that it was
            // right once does not make it right.
            (bounded(a, 9.0 * self.with), bounded(b, 100.0 * self.without))
        };
        self.level.learn(with, share);
        self.level_without.learn(without, share);
        if self.without == 0.0 && self.with == 0.0 {
            (self.with, self.without) = (a.at_least(b), a.at_least(b));
        }
        self.with += share * (a - self.with);
        self.without += share * (b - self.without);
        let most = if self.explains { test.lost } else { test.believed };
        self.explains = self.with < most * self.without;
    }

    /// How far values usually are from what is usual.
    fn error(&self) -> Option<f64> {
        (self.with > 0.0).then(|| self.with.sqrt())
    }
}

/// When a season is believed.
struct Test {
    /// The share of the mean square that it has to leave at most, and at which it is believed no more.
    believed: f64,
    lost: f64,
    /// For how many seconds it is remembered what it left, and for how many it is taken to have explained nothing.
    memory: f64,
    doubt: f64,
}

const DAY_TEST: Test = Test {
    believed: BELIEVED,
    lost: LOST,
    memory: DAY,
    doubt: 0.5 * DAY,
};
/// The week differs from the day on few of its days: it is kept as long as it does no harm.
const WEEK_TEST: Test = Test { lost: 1.1, ..DAY_TEST };
/// Of the distance these are 0.7 and 0.9.
const BELIEVED: f64 = 0.49;
const LOST: f64 = 0.81;

impl Pattern {
    fn new(of: Shape, cycle: Cycle, since: f64) -> Self {
        Pattern {
            of,
            cycle,
            worth: Worth::default(),
            since,
            explained: since,
            began: since,
        }
    }

    fn ready(&self, seconds: f64) -> bool {
        seconds - self.since >= self.cycle.period + self.cycle.width()
    }

    /// How a period is tested that was found in values at this interval.
    fn test(&self, interval: f64) -> Test {
        let period = self.cycle.period;
        Test {
            memory: (8.0 * period).at_least(128.0 * interval),
            doubt: (2.0 * period).at_least(16.0 * interval),
            ..DAY_TEST
        }
    }

    /// The cycle is late by so much: its period is longer than was thought.
    fn correct(&mut self, seconds: f64, late: f64) {
        let periods = ((seconds - self.began) / self.cycle.period).at_least(1.0);
        self.began = seconds - phase(seconds - self.began, self.cycle.period);
        // By half, since a phase that wanders is not a period that is wrong.
        self.cycle.lengthen(0.5 * late / periods);
    }

    fn error(&self) -> f64 {
        self.worth.error().unwrap_or(0.0)
    }
}

impl Season {
    /// Whether the time explains the metric, so that taking it away leaves less to explain.
    pub(super) fn explains(&self) -> bool {
        match self.shape {
            Shape::Day => self.day.as_ref().is_some_and(|day| day.worth.explains),
            // They are chosen only while they do.
            Shape::Week | Shape::Found => true,
        }
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// How fast the distance from what is usual is followed, in seconds.
    pub(super) fn follow(&self) -> f64 {
        match (&self.found, self.shape) {
            (Some(found), Shape::Found) => found.cycle.period.at_most(OFFSET_SECONDS),
            _ => OFFSET_SECONDS,
        }
    }

    /// The usual value at a time, once the season was seen.
    pub(super) fn usual(&self, at: &TimeOfDay) -> Option<f64> {
        let range = |pattern: &Pattern| pattern.cycle.usual(&place(pattern, at));
        self.with(at, range, |usual, week| usual + week)
    }

    /// The values at this time and around it: things that happen every day are rarely on time to the minute.
    pub(super) fn range(&self, at: &TimeOfDay) -> Option<Forecast> {
        let range = |pattern: &Pattern| pattern.cycle.range(&place(pattern, at), pattern.error());
        let (low, high) = self.with(at, range, |(low, high), week| (low + week, high + week))?;
        Some(Forecast { low, high })
    }

    fn with<T>(&self, at: &TimeOfDay, of: impl Fn(&Pattern) -> Option<T>, and: impl Fn(T, f64) -> T) -> Option<T> {
        if let (Some(found), Shape::Found) = (&self.found, self.shape) {
            return of(found);
        }
        let day = self.day.as_ref().filter(|day| day.ready(at.seconds))?;
        let usual = of(day)?;
        Some(match (&self.week, self.shape) {
            (Some(week), Shape::Week) => and(usual, week.cycle.usual(&place(week, at)).unwrap_or(0.0)),
            _ => usual,
        })
    }

    /// Learns a value that came `seconds` after the last one.
    pub(super) fn learn(&mut self, at: &TimeOfDay, seconds: f64, value: f64, weight: f64) {
        if seconds > 0.0 {
            self.pace(at, seconds);
        }
        let Some(day) = &mut self.day else {
            if seconds > 0.0 {
                self.other(at, seconds, value, weight, None);
                self.choose();
            }
            return;
        };
        let moment = place(day, at);
        if seconds <= 0.0 && !day.cycle.is_open(&moment) {
            // A late value, whose time is over.
            return;
        }
        let usual = if day.ready(at.seconds) {
            day.cycle.usual(&moment)
        } else {
            None
        };
        if let Some(usual) = usual {
            day.worth.learn(value - usual, value, seconds, &DAY_TEST, weight);
            if day.worth.explains {
                day.explained = at.seconds;
            }
        }
        let mut above = 0.0;
        if let (Some(week), Some(usual)) = (&mut self.week, usual) {
            let moment = place(week, at);
            let known = if week.ready(at.seconds) {
                week.cycle.usual(&moment)
            } else {
                None
            };
            if let Some(known) = known {
                let (with, without) = (value - usual - known, value - usual);
                week.worth.learn(with, without, seconds, &WEEK_TEST, weight);
                if self.shape == Shape::Week {
                    above = known;
                }
            }
            let error = week.worth.error();
            week.cycle
                .learn(&moment, value - usual, weight, error, 0.0, Watch::Nothing);
        }
        // An hour is what clocks are put forward and back by.
        let watch = if day.worth.explains {
            Watch::Clock((HOUR / day.cycle.width()) as usize)
        } else {
            Watch::Nothing
        };
        let (error, level) = (day.worth.error(), day.worth.level.now());
        if let Phase::Shifted(seconds) = day.cycle.learn(&moment, value - above, weight, error, level, watch)
            && let Some(week) = &mut self.week
        {
            week.cycle.shift(seconds);
        }
        self.other(at, seconds, value, weight, usual);
        self.choose();
    }

    /// Follows the pace of the values, and has the day in slots of that pace.
    fn pace(&mut self, at: &TimeOfDay, seconds: f64) {
        if self.interval == 0.0 {
            self.interval = seconds;
        } else {
            self.interval += (seconds.at_most(4.0 * self.interval) - self.interval) / 16.0;
        }
        let interval = self.interval;
        match &mut self.day {
            Some(day) if interval >= 0.55 * day.cycle.width() || day.cycle.width() <= 300.0 => {}
            Some(day) => {
                let times = day.cycle.width() / width(interval);
                if times % 1.0 == 0.0 && times <= MOST_TIMES_FINER {
                    day.cycle.refine(times as usize);
                } else {
                    self.day = None;
                }
            }
            None if interval <= DAY / 4.0 => {
                let width = width(interval);
                let single = interval >= 0.9 * width;
                let cycle = Cycle::new(DAY, (DAY / width) as usize, at.day, single);
                self.day = Some(Pattern::new(Shape::Day, cycle, at.seconds));
            }
            None => {}
        }
    }

    /// Whatever else there is to be tried: the week where the day explains the metric, another period otherwise.
    fn other(&mut self, at: &TimeOfDay, seconds: f64, value: f64, weight: f64, usual: Option<f64>) {
        let explained = self.day.as_ref().is_some_and(|day| day.worth.explains);
        // A weekend is not the end of the day's season.
        let over = self.day.as_ref().is_none_or(|day| at.seconds - day.explained > WEEK);
        if explained {
            self.search = None;
            if self.week.is_none() && usual.is_some() {
                let cycle = Cycle::new(WEEK, WEEK_SLOTS, 0.0, false);
                self.week = Some(Box::new(Pattern::new(Shape::Week, cycle, at.seconds)));
            }
            if self.shape != Shape::Found {
                self.found = None;
            }
        } else if over && self.shape != Shape::Week {
            self.week = None;
        }
        if seconds <= 0.0 {
            return;
        }
        if let Some(found) = &mut self.found {
            let moment = place(found, at);
            if let Some(usual) = found.cycle.usual(&moment) {
                let test = found.test(self.interval);
                found.worth.learn(value - usual, value, seconds, &test, weight);
            }
            let (error, level) = (found.worth.error(), found.worth.level.now());
            let watch = if found.worth.explains {
                Watch::Drift
            } else {
                Watch::Nothing
            };
            if let Phase::Shifted(late) = found.cycle.learn(&moment, value, weight, error, level, watch) {
                found.correct(at.seconds, late);
            }
            if found.worth.explains {
                found.explained = at.seconds;
            } else if at.seconds - found.explained > (TRIAL * found.cycle.period).at_least(64.0 * self.interval) {
                self.found = None;
            }
        } else if self.week.is_none() {
            let search = self.search.get_or_insert_default();
            if let Some(period) = search.push(at.seconds, value, self.interval) {
                let slots = ((period / self.interval + 0.5) as usize).clamp(FEWEST_SLOTS, MOST_SLOTS);
                let single = period / slots as f64 <= 1.1 * self.interval;
                let cycle = Cycle::new(period, slots, 0.0, single);
                let mut found = Pattern::new(Shape::Found, cycle, at.seconds);
                for (time, value) in search.history() {
                    let moment = place_at(&found, time);
                    found.cycle.learn(&moment, value, 1.0, None, 0.0, Watch::Nothing);
                }
                self.found = Some(Box::new(found));
                self.search = None;
            }
        }
    }

    /// Chooses the season that leaves least.
    fn choose(&mut self) {
        let day = self.day.as_ref().map(|day| day.worth);
        let day_explains = day.is_some_and(|day| day.explains);
        let week = self.week.as_ref().map(|week| week.worth).filter(|week| week.explains);
        let share = if self.shape == Shape::Week { LOST } else { BELIEVED };
        let week = week.zip(day).is_some_and(|(week, day)| week.with < share * day.without);
        let found = self
            .found
            .as_ref()
            .map(|found| found.worth)
            .filter(|found| found.explains);
        // With some play, so that it stays decided.
        let play = if self.shape == Shape::Found { 1.2 } else { 0.8 };
        self.shape = match (found, day) {
            (Some(found), Some(day)) if (day_explains || week) && found.with > play * day.with => {
                if week {
                    Shape::Week
                } else {
                    Shape::Day
                }
            }
            (Some(_), _) => Shape::Found,
            _ if week => Shape::Week,
            _ => Shape::Day,
        };
    }
}

/// The width of the slots of a day for values at such intervals.
fn width(interval: f64) -> f64 {
    let fits = |width: &&f64| **width <= 1.1 * interval;
    WIDTHS.iter().find(fits).copied().unwrap_or(300.0)
}

fn place(pattern: &Pattern, at: &TimeOfDay) -> Place {
    match pattern.of {
        Shape::Day => pattern.cycle.place(at.day),
        Shape::Week => pattern.cycle.place(at.week),
        Shape::Found => place_at(pattern, at.seconds),
    }
}

fn place_at(pattern: &Pattern, seconds: f64) -> Place {
    pattern
        .cycle
        .place(phase(seconds - pattern.began, pattern.cycle.period))
}

/// How far a time is into its period.
fn phase(seconds: f64, period: f64) -> f64 {
    let periods = seconds / period;
    let part = periods - (periods as i64) as f64;
    let part = if part < 0.0 { part + 1.0 } else { part };
    part * period
}

/// A moment, as the seasons need it: the same for all metrics of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeOfDay {
    pub(super) time: Timestamp,
    /// Seconds since 1970, of the day and of the week.
    seconds: f64,
    day: f64,
    week: f64,
}

impl TimeOfDay {
    pub(super) fn of(time: Timestamp) -> Self {
        let of = |nanos: i64| (nanos / 1000) as f64 / 1e6;
        TimeOfDay {
            time,
            seconds: of(time.nanos()),
            day: of(time.nanos().rem_euclid(86_400_000_000_000)),
            week: of(time.nanos().rem_euclid(604_800_000_000_000)),
        }
    }
}
