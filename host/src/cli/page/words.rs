//! Numbers, times and names as people say them.

use std::collections::BTreeMap;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};
use watchpost_detector::{Expected, Kind, Observation, Severity, Timestamp};

/// Stands for a blank at which no line is broken, between a number and its unit, until the line is laid out.
pub(crate) const GLUE: char = '\u{a0}';

/// So many digits of a number matter.
pub(crate) const DIGITS: u32 = 3;

/// `2026-03-02 14:05:30`, in UTC.
pub(crate) fn moment(time: Timestamp) -> String {
    time.to_string()
        .chars()
        .take(19)
        .map(|c| if c == 'T' { ' ' } else { c })
        .collect()
}

/// How long something lasted, in its two greatest units: `12m 30s`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds > 0.0 && seconds < 1.0 {
        return "under 1s".to_owned();
    }
    let whole = seconds.round() as u64;
    let parts = [
        (whole / 86_400, "d"),
        (whole / 3600 % 24, "h"),
        (whole / 60 % 60, "m"),
        (whole % 60, "s"),
    ];
    let Some(first) = parts.iter().position(|(amount, _)| *amount > 0) else {
        return "0s".to_owned();
    };
    let shown = parts[first..].iter().take(2).filter(|(amount, _)| *amount > 0);
    shown
        .map(|(amount, unit)| format!("{amount}{unit}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// How much event time was covered: `14 days`, or `6h 20m` where it is less than two days.
pub(crate) fn span(seconds: f64) -> String {
    if seconds < 2.0 * 86_400.0 {
        duration(seconds)
    } else {
        format!("{} days", number(seconds / 86_400.0))
    }
}

/// `service=cart route=POST /checkout`, or `-` for the only subject. The service comes first: it is what people
/// look for, and lines are cut at their end.
pub(crate) fn subject(labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return "-".to_owned();
    }
    let mut labels: Vec<_> = labels.iter().collect();
    labels.sort_by_key(|(name, _)| !name.starts_with("service"));
    let labels: Vec<_> = labels
        .iter()
        .map(|(name, value)| format!("{}={}", plain(name), plain(value)))
        .collect();
    labels.join(" ")
}

pub(crate) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Spike => "spike",
        Kind::Dip => "dip",
        Kind::LevelShift => "level shift",
        Kind::Drift => "drift",
        Kind::TrendChange => "trend change",
        Kind::VarianceChange => "variance change",
        Kind::Stuck => "stuck",
        Kind::LogSeverity => "severe log line",
        Kind::NewTemplate => "new log template",
        Kind::LogBurst => "log burst",
        Kind::LogMissing => "missing log line",
        Kind::Silence => "silence",
        Kind::Rule => "hard limit",
        Kind::Pattern => "pattern",
        Kind::Latency => "slow",
        Kind::LatencySpread => "partly slow",
        Kind::Errors => "errors",
        Kind::RetryStorm => "retry storm",
        Kind::TrafficDrop => "missing traffic",
        Kind::TrafficSurge => "traffic surge",
        Kind::ResponseSize => "response size",
        Kind::PathScan => "path scan",
    }
}

pub(crate) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

/// How rarely normal behaviour looks this strange: `1 in 20,000`, `1 in 4 million`. Beyond a billion nobody has seen
/// enough to say more.
pub(crate) fn odds(surprise: f64) -> String {
    if surprise >= 9.0 {
        return "less than 1 in a billion".to_owned();
    }
    if surprise >= 6.0 {
        let times = two_digits(libm::pow(10.0, surprise - 6.0));
        return format!("1 in {} million", number(times));
    }
    format!("1 in {}", count(two_digits(libm::pow(10.0, surprise.max(0.0))) as u64))
}

/// `1 event`, `4,032 events`.
pub(crate) fn counted(amount: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(amount), if amount == 1 { "" } else { "s" })
}

/// The same for nouns with a plural of their own.
pub(crate) fn counted_as(amount: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(amount), if amount == 1 { one } else { many })
}

/// `1,234,567`.
pub(crate) fn count(amount: u64) -> String {
    grouped(&amount.to_string())
}

/// A number with about three digits that matter: `1,234`, `56.7`, `0.00123`, `1.2e15`.
pub(crate) fn number(value: f64) -> String {
    number_to(DIGITS, value)
}

fn number_to(digits: u32, value: f64) -> String {
    let size = value.abs();
    // What is as small as this is left over from forgetting, and means nothing.
    let text = if size < 1e-12 {
        "0".to_owned()
    } else if !(1e-4..1e12).contains(&size) {
        return format!("{value:.*e}", digits as usize - 1);
    } else {
        let digits_before = libm::floor(libm::log10(size)) as i32 + 1;
        format!(
            "{value:.*}",
            usize::try_from(digits as i32 - digits_before).unwrap_or(0)
        )
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let whole = grouped(whole);
    if fraction.is_empty() {
        whole
    } else {
        format!("{whole}.{fraction}")
    }
}

/// A value in its unit, scaled to be read: `812 ms`, `1.2 GiB`, `3.5 %`.
pub(crate) fn quantity(value: f64, unit: Option<&str>) -> String {
    quantity_to(DIGITS, value, unit)
}

/// The same with so many digits that matter.
pub(crate) fn quantity_to(digits: u32, value: f64, unit: Option<&str>) -> String {
    let (scaled, unit) = match unit {
        Some("ns") => seconds(value / 1e9),
        Some("us") => seconds(value / 1e6),
        Some("ms") => seconds(value / 1e3),
        Some("s") => seconds(value),
        Some("B") => bytes(value),
        Some("1") => (value * 100.0, "%"),
        Some("C") => (value, "°C"),
        Some(unit) => (value, unit),
        None => (value, ""),
    };
    let number = number_to(digits, scaled);
    match (unit, &*number) {
        ("", _) => number,
        ("times seen", "1") => "seen once".to_owned(),
        ("times seen", _) => format!("seen {number} times"),
        ("values alike", "1") => "1 value alike".to_owned(),
        // A rate: what is counted goes without saying.
        (unit, _) => match unit.strip_prefix("1/") {
            Some(time) => format!("{number}/{time}"),
            None => format!("{number} {unit}"),
        },
    }
}

/// The text in one piece, wherever lines are broken.
pub(crate) fn glued(text: &str) -> String {
    text.replace(' ', GLUE.encode_utf8(&mut [0; 2]))
}

fn unglued(text: &str) -> String {
    text.replace(GLUE, " ")
}

/// What was seen, in one piece where it is a number.
pub(crate) fn observation(digits: u32, observation: &Observation, unit: Option<&str>) -> String {
    match observation {
        Observation::Level(level) => level.name().to_owned(),
        Observation::Number(value) => glued(&quantity_to(digits, *value, unit)),
        Observation::Text(text) => plain(text),
    }
}

/// What was expected, with the usual range where there is one: `204 ms (180 to 230 ms)`.
pub(crate) fn expected(expected: &Expected, unit: Option<&str>) -> String {
    let value = observation(DIGITS, &expected.value, unit);
    let quantity = |value| glued(&quantity(value, unit));
    match (expected.low, expected.high) {
        (Some(low), Some(high)) => {
            let [low, high] = [low, high].map(quantity);
            // A unit that both ends have is told once.
            let low = match (low.split_once(GLUE), high.split_once(GLUE)) {
                (Some((number, of_low)), Some((_, of_high))) if of_low == of_high => number,
                _ => &*low,
            };
            format!("{value} ({low} to {high})")
        }
        (Some(low), None) => format!("{value} (from {})", quantity(low)),
        (None, Some(high)) => format!("{value} (up to {})", quantity(high)),
        (None, None) => value,
    }
}

/// Text from the input without what would move the cursor or change colours: logs may hold anything.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let kept = (!c.is_control()).then_some(c);
            escaped.into_iter().flatten().chain(kept)
        })
        .collect()
}

/// The text in at most so many columns, with `…` in place of what does not fit.
pub(crate) fn shortened(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return unglued(text);
    }
    let mut left = columns.saturating_sub(1);
    let mut short: String = text
        .chars()
        .take_while(|c| {
            let width = c.width().unwrap_or(0);
            let fits = width <= left;
            left = left.saturating_sub(width);
            fits
        })
        .collect();
    short.truncate(short.trim_end().len());
    if columns > 0 {
        short.push('…');
    }
    unglued(&short)
}

/// The text in so many lines at most, broken at blanks but not at [`GLUE`]; `…` stands for what is left then.
pub(crate) fn wrapped(text: &str, columns: usize, most_lines: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while lines.len() + 1 < most_lines && rest.width() > columns {
        let fitting = rest
            .match_indices(' ')
            .map(|(at, _)| at)
            .take_while(|at| rest[..*at].width() <= columns);
        let Some(end) = fitting.last() else {
            break;
        };
        lines.push(unglued(&rest[..end]));
        rest = rest[end..].trim_start();
    }
    lines.push(shortened(rest, columns));
    lines
}

fn seconds(value: f64) -> (f64, &'static str) {
    match value.abs() {
        size if size >= 7200.0 => (value / 3600.0, "h"),
        size if size >= 120.0 => (value / 60.0, "min"),
        size if size >= 1.0 || size == 0.0 => (value, "s"),
        size if size >= 1e-3 => (value * 1e3, "ms"),
        size if size >= 1e-6 => (value * 1e6, "µs"),
        _ => (value * 1e9, "ns"),
    }
}

fn bytes(value: f64) -> (f64, &'static str) {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scaled = value;
    let mut unit = 0;
    while scaled.abs() >= 1024.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    (scaled, UNITS[unit])
}

/// The two digits that matter of a number from 1 on.
fn two_digits(value: f64) -> f64 {
    let step = libm::pow(10.0, libm::floor(libm::log10(value.max(1.0))) - 1.0);
    libm::round(value / step) * step
}

fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut text = sign.to_owned();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangeness_is_told_as_odds() {
        let told = [0.0, 1.0, 2.5, 4.301, 5.99999, 6.6, 9.0, 14.2, 308.7].map(odds);
        assert_eq!(
            told,
            [
                "1 in 1",
                "1 in 10",
                "1 in 320",
                "1 in 20,000",
                "1 in 1,000,000",
                "1 in 4 million",
                "less than 1 in a billion",
                "less than 1 in a billion",
                "less than 1 in a billion"
            ]
        );
    }

    #[test]
    fn values_are_told_in_units_that_fit() {
        assert_eq!(quantity(812.0, Some("ms")), "812 ms");
        assert_eq!(quantity(1250.0, Some("ms")), "1.25 s");
        assert_eq!(quantity(600.0, Some("s")), "10 min");
        assert_eq!(quantity(0.00004, Some("s")), "40 µs");
        assert_eq!(quantity(0.0, Some("ms")), "0 s");
        assert_eq!(quantity(1_288_490_188.8, Some("B")), "1.2 GiB");
        assert_eq!(quantity(512.0, Some("B")), "512 B");
        assert_eq!(quantity(0.035, Some("1")), "3.5 %");
        assert_eq!(quantity(-1234.5, None), "-1,234");
        assert_eq!(quantity(71.25, Some("C")), "71.2 °C");
        assert_eq!(quantity(106.0, Some("1/min")), "106/min");
        assert_eq!(quantity(2.5, Some("1/s")), "2.5/s");
        assert_eq!(
            [1.0, 12.0].map(|value| quantity(value, Some("values alike"))),
            ["1 value alike", "12 values alike"]
        );
        assert_eq!(
            [1.0, 3.0].map(|value| quantity(value, Some("times seen"))),
            ["seen once", "seen 3 times"]
        );
        assert_eq!(quantity_to(4, 0.30764, Some("1")), "30.76 %");
        assert_eq!(quantity_to(4, 1.2344e-9, None), "1.234e-9");
        assert_eq!(
            [0.00123, 1e-9, 3.7e15, 99.96].map(number),
            ["0.00123", "1.00e-9", "3.70e15", "100"]
        );
    }

    #[test]
    fn times_are_told_in_two_units() {
        let told = [0.0, 0.25, 30.0, 750.0, 3600.0, 5000.0, 90_000.0].map(duration);
        assert_eq!(told, ["0s", "under 1s", "30s", "12m 30s", "1h", "1h 23m", "1d 1h"]);
        assert_eq!(span(14.0 * 86_400.0), "14 days");
        assert_eq!(moment(Timestamp::from_seconds(1_772_460_330)), "2026-03-02 14:05:30");
    }

    #[test]
    fn text_is_cut_by_what_it_shows() {
        assert_eq!(shortened("checkout", 8), "checkout");
        assert_eq!(shortened("checkout", 7), "checko…");
        assert_eq!(shortened("カート", 6), "カート");
        assert_eq!(shortened("カート", 5), "カー…");
        assert_eq!(shortened("カート", 4), "カ…");
        assert_eq!(shortened("a b", 0), "");
        assert_eq!(wrapped("one two three", 7, 2), ["one two", "three"]);
        assert_eq!(wrapped("one two three four", 7, 2), ["one two", "three…"]);
        assert_eq!(wrapped("indivisible", 7, 2), ["indivi…"]);
        assert_eq!(wrapped("took 12 ms", 7, 2), ["took 12", "ms"]);
        assert_eq!(wrapped(&format!("took {}", glued("12 ms")), 7, 2), ["took", "12 ms"]);
        assert_eq!(plain("\u{1b}[31mred\n"), "\\u{1b}[31mred\\n");
    }
}
