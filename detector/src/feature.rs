//! Named features: what a window of values or a log line is like, in numbers that people know.
//!
//! Pure functions of what they are given. Verdicts do not depend on them: explanations name them, and hosts that want
//! a table of features get the same ones.

use std::collections::BTreeMap;

use crate::event::{Level, Timestamp, Value};
use crate::log::errors;

mod text;

pub(crate) use text::{is_one_of, parts};

pub use text::{memory_usage, response_time};

/// One value of a window, and when it was.
pub type Point = (Timestamp, f64);

/// The words that failures are most often told with, as they are counted by [`keywords`].
pub const KEYWORDS: [&str; 4] = ["timeout", "connection", "failed", "exception"];

/// The arithmetic mean; `None` of nothing.
pub fn mean(window: &[Point]) -> Option<f64> {
    let count = window.len() as f64;
    // Divided before they are added: the sum of finite numbers may be none.
    let mean = window.iter().map(|(_, value)| value / count).sum();
    (!window.is_empty()).then_some(mean)
}

/// The standard deviation of the population: of these values and no others, so that one value has a deviation of 0.
/// `None` of nothing, or of values too far apart for a number to tell.
pub fn std(window: &[Point]) -> Option<f64> {
    let mean = mean(window)?;
    let scale = window.iter().map(|(_, value)| (value - mean).abs()).fold(0.0, f64::max);
    if scale == 0.0 {
        return Some(0.0);
    }
    let count = window.len() as f64;
    // In units of the largest deviation, whose square could be too large or too small.
    let squares: f64 = window
        .iter()
        .map(|(_, value)| (value - mean) / scale)
        .map(|part| part * part / count)
        .sum();
    finite(scale * libm::sqrt(squares))
}

/// The least value; `None` of nothing.
pub fn min(window: &[Point]) -> Option<f64> {
    window.iter().map(|(_, value)| *value).reduce(f64::min)
}

/// The greatest value; `None` of nothing.
pub fn max(window: &[Point]) -> Option<f64> {
    window.iter().map(|(_, value)| *value).reduce(f64::max)
}

/// The value in the middle, of an even number the mean of the two; `None` of nothing.
pub fn median(window: &[Point]) -> Option<f64> {
    let mut values: Vec<f64> = window.iter().map(|(_, value)| *value).collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *values.get(middle.checked_sub(1)?)?;
    Some(lower / 2.0 + upper / 2.0)
}

/// The slope of the line that fits the values best (least squares), per second, whatever the times between them.
/// `None` when all of them are of the same time.
pub fn slope(window: &[Point]) -> Option<f64> {
    let (first, _) = window.first()?;
    let seconds = |time: &Timestamp| time.seconds_since(*first);
    let count = window.len() as f64;
    let middle: f64 = window.iter().map(|(time, _)| seconds(time) / count).sum();
    let level = mean(window)?;
    let (mut along, mut across) = (0.0, 0.0);
    for (time, value) in window {
        let away = seconds(time) - middle;
        across += away * away;
        along += away * (value - level);
    }
    (across > 0.0).then(|| along / across).and_then(finite)
}

/// How fast the last value changed from the one before it, per second. `None` when there is none before, or none
/// earlier.
pub fn rate_of_change(window: &[Point]) -> Option<f64> {
    let [.., (before, from), (now, to)] = window else {
        return None;
    };
    let seconds = now.seconds_since(*before);
    (seconds > 0.0).then(|| (to - from) / seconds).and_then(finite)
}

/// How many standard deviations of the window a value is above its mean; 0 when the window is constant.
pub fn normalised(value: f64, window: &[Point]) -> Option<f64> {
    let (mean, std) = (mean(window)?, std(window)?);
    if std > 0.0 {
        finite((value - mean) / std)
    } else {
        Some(0.0)
    }
}

/// All features of a metric's last values, the last one normalised, each as `<metric>_<feature>`. Those that cannot
/// be told are left out.
pub fn of_window(metric: &str, window: &[Point]) -> BTreeMap<String, f64> {
    let last = window.last().map(|(_, value)| *value);
    [
        ("mean", mean(window)),
        ("std", std(window)),
        ("min", min(window)),
        ("max", max(window)),
        ("median", median(window)),
        ("slope", slope(window)),
        ("rate_of_change", rate_of_change(window)),
        ("normalised", last.and_then(|value| normalised(value, window))),
    ]
    .into_iter()
    // A negative zero is written with its sign, which says nothing.
    .filter_map(|(feature, value)| Some((format!("{metric}_{feature}"), value? + 0.0)))
    .collect()
}

/// The length of a message in characters.
pub fn message_length(message: &str) -> usize {
    message.chars().count()
}

/// How many words of a message are about errors: those that sound like an error or worse, and [`KEYWORDS`]. A word
/// that is taken back ("no errors") does not count.
pub fn error_keywords(message: &str) -> usize {
    errors(message, |word| KEYWORDS.iter().any(|keyword| tells(word, keyword))).count()
}

/// How often each of [`KEYWORDS`] is told of by the words of a message: `failed` also by "failure" and "fails", and
/// any of them as a part of a name such as `ConnectionTimeoutException`.
pub fn keywords(message: &str) -> [(&'static str, usize); KEYWORDS.len()] {
    KEYWORDS.map(|keyword| {
        let words = message.split(|c: char| !c.is_ascii_alphanumeric());
        (keyword, words.filter(|word| tells(word, keyword)).count())
    })
}

/// Levels as numbers: 1 for debug and trace, 2 for info and notice, 3 for a warning, 4 for an error, 5 for what is
/// critical or fatal. A line that claims no level counts as info.
pub fn level_severity(level: Option<Level>) -> u8 {
    match level.unwrap_or(Level::Info) {
        Level::Trace | Level::Debug => 1,
        Level::Info | Level::Notice => 2,
        Level::Warn => 3,
        Level::Error => 4,
        Level::Fatal => 5,
    }
}

/// The features of a log line: `message_length`, `error_keywords`, `level_severity`, `response_time` (ms) and
/// `memory_usage`, the last two only where the line tells.
pub fn of_line(level: Option<Level>, message: &str, fields: &[Value<'_>]) -> BTreeMap<String, f64> {
    [
        ("message_length", Some(message_length(message) as f64)),
        ("error_keywords", Some(error_keywords(message) as f64)),
        ("level_severity", Some(f64::from(level_severity(level)))),
        ("response_time", response_time(message, fields)),
        ("memory_usage", memory_usage(message, fields)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value? + 0.0)))
    .collect()
}

/// How many lines there are of each level. Lines of several services are counted apart by who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LevelCounts {
    counts: [u64; Level::ALL.len()],
    lines: u64,
}

impl LevelCounts {
    /// The lines of a level.
    pub fn of(&self, level: Level) -> u64 {
        self.counts.get(level as usize).copied().unwrap_or(0)
    }

    /// All lines, also those that claim no level.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The share of lines that claim an error or worse; 0 when there are no lines.
    pub fn error_rate(&self) -> f64 {
        let errors = self.of(Level::Error) + self.of(Level::Fatal);
        errors as f64 / self.lines.max(1) as f64
    }
}

impl Extend<Option<Level>> for LevelCounts {
    fn extend<T: IntoIterator<Item = Option<Level>>>(&mut self, levels: T) {
        for level in levels {
            self.lines += 1;
            if let Some(count) = level.and_then(|level| self.counts.get_mut(level as usize)) {
                *count += 1;
            }
        }
    }
}

impl FromIterator<Option<Level>> for LevelCounts {
    fn from_iter<T: IntoIterator<Item = Option<Level>>>(levels: T) -> Self {
        let mut counts = LevelCounts::default();
        counts.extend(levels);
        counts
    }
}

fn tells(word: &str, keyword: &str) -> bool {
    let stem = if keyword == "failed" { "fail" } else { keyword };
    let (word, stem) = (word.as_bytes(), stem.as_bytes());
    word.windows(stem.len()).any(|part| part.eq_ignore_ascii_case(stem))
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests;
