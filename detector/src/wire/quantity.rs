//! Numbers with a unit, as people and programs write them.
//!
//! | written | read as |
//! |---|---|
//! | `5000ms`, `1.5s`, `250us`, `250µs`, `3 min`, `2m30s`, `1h2m3.5s` | milliseconds |
//! | `512B`, `10kB` (1,000 each), `1.2GiB` (1,024 each), `64Mi` | bytes |
//! | `30%` | 30 |
//! | `1,234`, `1,234.5` | the number |
//!
//! The name of a bare number tells its unit: `latency_ms`, `request_seconds`, `durationMs`, `heap_bytes`, `size_kb`.

#[cfg(test)]
mod tests;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dimension {
    /// Milliseconds.
    Duration,
    /// Bytes.
    Size,
    /// Parts of a hundred.
    Percent,
    /// Nothing in particular.
    None,
}

/// A number and what it counts, in milliseconds, bytes or percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quantity {
    pub(crate) value: f64,
    pub(crate) dimension: Dimension,
}

/// Reads a text that is a number with or without a unit, and nothing else.
pub(crate) fn read(text: &str) -> Option<Quantity> {
    const LONGEST: usize = 40;
    let text = text.trim();
    let first = *text.as_bytes().first()?;
    if text.len() > LONGEST || !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) {
        return None;
    }
    let (number, unit) = number(text)?;
    let quantity = of_unit(number, unit.trim_start());
    let quantity = quantity.or_else(|| parts_of_a_duration(text))?;
    quantity.value.is_finite().then_some(quantity)
}

/// The unit that a name tells for bare numbers: what they count, and how many milliseconds or bytes each is.
pub(super) fn unit_of_name(name: &str) -> Option<(Dimension, f64)> {
    let (_, ending) = split_unit(name)?;
    unit(ending)
}

/// A name without the unit at its end, and that ending: `request_time` and `ms`, `duration` and `Ms`.
pub(crate) fn split_unit(name: &str) -> Option<(&str, &str)> {
    const CAMEL: [&str; 10] = [
        "Ms", "Millis", "Seconds", "Secs", "Micros", "Nanos", "Bytes", "Us", "Ns", "Percent",
    ];
    if let Some(at) = memchr::memrchr3(b'_', b'.', b'-', name.as_bytes()) {
        let (head, ending) = (name.get(..at)?, name.get(at + 1..)?);
        if !head.is_empty() && ending_unit(ending) {
            return Some((head, ending));
        }
    }
    CAMEL.iter().find_map(|ending| {
        let head = name.strip_suffix(ending)?;
        let before = head.bytes().next_back()?;
        (before.is_ascii_lowercase() || before.is_ascii_digit()).then_some((head, *ending))
    })
}

/// A single `b`, `d`, `h` or `m` at the end of a name is a letter like any other.
fn ending_unit(ending: &str) -> bool {
    !matches!(ending, "b" | "B" | "d" | "h" | "m" | "M" | "day" | "days" | "byte") && unit(ending).is_some()
}

fn of_unit(number: f64, written: &str) -> Option<Quantity> {
    let (dimension, each) = match written {
        "" => (Dimension::None, 1.0),
        "%" => (Dimension::Percent, 1.0),
        written => unit(written)?,
    };
    Some(Quantity {
        value: number * each,
        dimension,
    })
}

pub(crate) fn unit(written: &str) -> Option<(Dimension, f64)> {
    let mut lower = [0; 12];
    let lower = lower.get_mut(..written.len())?;
    lower.copy_from_slice(written.as_bytes());
    lower.make_ascii_lowercase();
    let lower = std::str::from_utf8(lower).ok()?;
    const KIB: f64 = 1_024.0;
    Some(match lower {
        "ns" | "nanos" | "nsec" | "nanoseconds" => (Dimension::Duration, 1e-6),
        "us" | "µs" | "μs" | "usec" | "micros" | "microseconds" => (Dimension::Duration, 1e-3),
        "ms" | "msec" | "msecs" | "millis" | "milliseconds" => (Dimension::Duration, 1.0),
        "s" | "sec" | "secs" | "second" | "seconds" => (Dimension::Duration, 1e3),
        "m" | "min" | "mins" | "minute" | "minutes" if written != "M" => (Dimension::Duration, 6e4),
        "h" | "hr" | "hrs" | "hour" | "hours" => (Dimension::Duration, 3.6e6),
        "d" | "day" | "days" => (Dimension::Duration, 8.64e7),
        "b" | "byte" | "bytes" => (Dimension::Size, 1.0),
        "kb" => (Dimension::Size, 1e3),
        "mb" => (Dimension::Size, 1e6),
        "gb" => (Dimension::Size, 1e9),
        "tb" => (Dimension::Size, 1e12),
        "kib" | "ki" => (Dimension::Size, KIB),
        "mib" | "mi" => (Dimension::Size, KIB * KIB),
        "gib" | "gi" => (Dimension::Size, KIB * KIB * KIB),
        "tib" | "ti" => (Dimension::Size, KIB * KIB * KIB * KIB),
        "percent" | "pct" => (Dimension::Percent, 1.0),
        _ => return None,
    })
}

/// A number at the start of a text, and what follows it.
fn number(text: &str) -> Option<(f64, &str)> {
    let bytes = text.as_bytes();
    let sign = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut end = sign + digits(sign);
    let mut groups = false;
    while bytes.get(end) == Some(&b',') {
        // One to three digits, then groups of three: anything else is a list or a decimal comma.
        if digits(end + 1) != 3 || end - sign > 3 && !groups {
            return None;
        }
        groups = true;
        end += 4;
    }
    if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    let (written, rest) = text.split_at_checked(end)?;
    let value = if groups {
        written.replace(',', "").parse().ok()?
    } else {
        written.parse().ok()?
    };
    Some((value, rest))
}

/// `2m30s` of Go.
fn parts_of_a_duration(text: &str) -> Option<Quantity> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    let mut sum = 0.0;
    while !rest.is_empty() {
        let (value, after) = number(rest)?;
        let length = after.bytes().take_while(|byte| !byte.is_ascii_digit()).count();
        let (written, after) = after.split_at_checked(length)?;
        let Some((Dimension::Duration, each)) = unit(written) else {
            return None;
        };
        sum += value * each;
        rest = after;
    }
    Some(Quantity {
        value: sign * sum,
        dimension: Dimension::Duration,
    })
}
