//! Times and sizes that a log line tells, in its fields or in its words.

use crate::event::Value;

/// A unit by its names, with what it is worth.
type Unit = (&'static [&'static str], f64);

const TIMES: [Unit; 6] = [
    (&["ns", "nanos", "nanosecond", "nanoseconds"], 1e-6),
    (&["us", "µs", "μs", "micros", "microsecond", "microseconds"], 1e-3),
    (&["ms", "msec", "msecs", "millis", "millisecond", "milliseconds"], 1.0),
    (&["s", "sec", "secs", "second", "seconds"], 1e3),
    (&["m", "min", "mins", "minute", "minutes"], 60e3),
    (&["h", "hour", "hours"], 3600e3),
];

const SIZES: [Unit; 9] = [
    (&["b", "byte", "bytes"], 1.0),
    (&["k", "kb"], 1e3),
    (&["m", "mb"], 1e6),
    (&["g", "gb"], 1e9),
    (&["tb"], 1e12),
    (&["kib", "ki"], 1024.0),
    (&["mib", "mi"], 1024.0 * 1024.0),
    (&["gib", "gi"], 1024.0 * 1024.0 * 1024.0),
    (&["%", "percent", "pct", "ratio"], 1.0),
];

/// Words of a field's name that make it a time that something took, and words that make a `time` one.
const TIME_FIELDS: [&str; 5] = ["duration", "latency", "elapsed", "took", "rt"];
const TIME_OF: [&str; 6] = ["response", "request", "query", "upstream", "processing", "execution"];

/// Words that tell of memory, and words of a name that make it memory which is not used.
const MEMORY: [&str; 4] = ["memory", "mem", "rss", "heap"];
const NOT_USED: [&str; 6] = ["total", "limit", "free", "available", "max", "requested"];

/// Words near a time that make it the time that something took, and words that make it one that lies ahead.
const TOOK: [&str; 13] = [
    "after", "took", "takes", "taken", "taking", "elapsed", "duration", "latency", "time", "within", "timeout",
    "waited", "response",
];
const AHEAD: [&str; 8] = [
    "retry", "retrying", "next", "sleep", "sleeping", "wait", "waiting", "expires",
];

/// How many words before a number say what it is.
const NEAR: usize = 3;

/// How long something took, in milliseconds: from a field such as `response_time`, `duration_ms` or `latency_seconds`,
/// or else from the words ("after 30s", "took 250 ms", "in 1.5 seconds"). The value of a field is in milliseconds
/// unless its name ends in another unit. `None` where the line does not tell.
pub fn response_time(message: &str, fields: &[Value<'_>]) -> Option<f64> {
    let field = fields.iter().find(|field| {
        let has = |list: &[&str]| parts(field.metric).any(|part| is_one_of(part, list));
        has(&TIME_FIELDS) || has(&["time"]) && has(&TIME_OF)
    });
    field.and_then(|field| of_field(field, &TIMES)).or_else(|| {
        told(message, &TIMES, &|before, _| {
            let ahead = before.iter().any(|word| is_one_of(word, &AHEAD));
            let took = before.iter().any(|word| is_one_of(word, &TOOK));
            let within = before.last().is_some_and(|word| is_one_of(word, &["in", "for"]));
            !ahead && (took || within)
        })
    })
}

/// How much memory is used: in bytes where a unit of size is told, and as it stands (a percentage, mostly) where none
/// is. From a field such as `memory_usage`, `rss_bytes` or `heap_mb`, or else from the words ("memory at 92%", "heap
/// 1.5 GiB", "512 MB of memory"). `None` where the line does not tell.
pub fn memory_usage(message: &str, fields: &[Value<'_>]) -> Option<f64> {
    let field = fields.iter().find(|field| {
        let has = |list: &[&str]| parts(field.metric).any(|part| is_one_of(part, list));
        has(&MEMORY) && !has(&NOT_USED)
    });
    field.and_then(|field| of_field(field, &SIZES)).or_else(|| {
        told(message, &SIZES, &|before, after| {
            let mut near = before.iter().chain(after);
            near.any(|word| is_one_of(word, &MEMORY))
        })
    })
}

/// The value of a field in the unit that its name ends in, if it ends in one.
fn of_field(field: &Value<'_>, units: &[Unit]) -> Option<f64> {
    let unit = parts(field.metric).last().and_then(|part| worth(part, units));
    let value = field.value.value() * unit.unwrap_or(1.0);
    value.is_finite().then_some(value)
}

/// The words of a name: `response_time_ms` and `responseTimeMs` have the same three.
pub(crate) fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_alphanumeric()).flat_map(|word| {
        let mut rest = word;
        std::iter::from_fn(move || {
            let mut small = false;
            let end = rest.find(|c: char| {
                let begins = small && c.is_ascii_uppercase();
                small = !c.is_ascii_uppercase();
                begins
            });
            let (part, more) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
            rest = more;
            (!part.is_empty()).then_some(part)
        })
    })
}

/// The first number with a unit whose neighbouring words, up to three before and two after, say that it is meant.
fn told(message: &str, units: &[Unit], meant: &dyn Fn(&[&str], &[&str]) -> bool) -> Option<f64> {
    let words: Vec<&str> = message
        .split(|c: char| !(c.is_alphanumeric() || c == '.' || c == '%'))
        .map(|word| word.trim_matches('.'))
        .filter(|word| !word.is_empty())
        .take(MOST_WORDS)
        .collect();
    words.iter().enumerate().find_map(|(position, word)| {
        let digits = word
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(word.len());
        let (number, unit) = word.split_at_checked(digits)?;
        let number: f64 = number.parse().ok()?;
        let (unit, end) = if unit.is_empty() {
            (*words.get(position + 1)?, position + 2)
        } else {
            (unit, position + 1)
        };
        let value = number * worth(unit, units)?;
        let before = words.get(position.saturating_sub(NEAR)..position)?;
        let after = words.get(end..(end + 2).min(words.len())).unwrap_or(&[]);
        (value.is_finite() && meant(before, after)).then_some(value)
    })
}

/// What is looked at of a line, in words: who tells what it took does not wait for the thousandth.
const MOST_WORDS: usize = 256;

fn worth(unit: &str, units: &[Unit]) -> Option<f64> {
    units
        .iter()
        .find(|(names, _)| is_one_of(unit, names))
        .map(|(_, worth)| *worth)
}

/// Called and not inlined: the lists are many, and each would become code of its own.
#[inline(never)]
pub(crate) fn is_one_of(word: &str, list: &[&str]) -> bool {
    list.iter().any(|one| word.eq_ignore_ascii_case(one))
}
