//! Levels by name and by number.

use crate::event::Level;

/// A level as libraries name it: `INFO`, `Information`, `DEBUG-4` of slog, `D2` of MongoDB, `LogLevel.ERROR`, or one of
/// the numbers in quotes.
pub(super) fn of_name(text: &str) -> Option<Level> {
    let text = text.trim();
    if let Some(level) = Level::parse(text) {
        return Some(level);
    }
    if let Ok(number) = text.parse() {
        return of_number(number, "level", false);
    }
    let text = text.rsplit('.').next()?;
    let name = text.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | ':'));
    if let Some(level) = Level::parse(name) {
        return Some(level);
    }
    // Winston, loguru, zap and Kubernetes' events have words of their own.
    Some(match name {
        name if name.eq_ignore_ascii_case("silly") => Level::Trace,
        name if name.eq_ignore_ascii_case("http") => Level::Info,
        name if name.eq_ignore_ascii_case("success") => Level::Info,
        name if name.eq_ignore_ascii_case("normal") => Level::Info,
        // As log15 spells them, which Grafana uses.
        name if name.eq_ignore_ascii_case("eror") => Level::Error,
        name if name.eq_ignore_ascii_case("dbug") => Level::Debug,
        name if name.eq_ignore_ascii_case("dpanic") => Level::Fatal,
        name if name.eq_ignore_ascii_case("exception") => Level::Error,
        _ => return None,
    })
}

/// A number called `level` or `severity`: those of pino and bunyan, of Monolog, of Google's cloud, and of syslog where
/// nothing else can be meant.
pub(super) fn of_number(number: i64, name: &str, is_gelf: bool) -> Option<Level> {
    let is_severity = name.ends_with("everity");
    match number {
        0..=7 if is_gelf || is_severity => of_priority(number),
        10..=69 => Some(match number / 10 {
            1 => Level::Trace,
            2 => Level::Debug,
            3 => Level::Info,
            4 => Level::Warn,
            5 => Level::Error,
            _ => Level::Fatal,
        }),
        100..=800 if is_severity => Some(match number / 100 {
            1 => Level::Debug,
            2 => Level::Info,
            3 => Level::Notice,
            4 => Level::Warn,
            5 => Level::Error,
            _ => Level::Fatal,
        }),
        100..=600 => Some(match number / 50 {
            2 | 3 => Level::Debug,
            4 => Level::Info,
            5 => Level::Notice,
            6 | 7 => Level::Warn,
            8 | 9 => Level::Error,
            _ => Level::Fatal,
        }),
        _ => None,
    }
}

/// The numbers of syslog (RFC 5424).
pub(super) fn of_priority(number: i64) -> Option<Level> {
    Some(match number {
        0..=2 => Level::Fatal,
        3 => Level::Error,
        4 => Level::Warn,
        5 => Level::Notice,
        6 => Level::Info,
        7 => Level::Debug,
        _ => return None,
    })
}

/// The numbers of OpenTelemetry's log data model.
pub(super) fn of_opentelemetry(number: i64) -> Option<Level> {
    Some(match number {
        1..=4 => Level::Trace,
        5..=8 => Level::Debug,
        9..=12 => Level::Info,
        13..=16 => Level::Warn,
        17..=20 => Level::Error,
        21..=24 => Level::Fatal,
        _ => return None,
    })
}

/// The numbers of Python's logging.
pub(super) fn of_python(number: i64) -> Option<Level> {
    Some(match number {
        1..=9 => Level::Trace,
        10..=19 => Level::Debug,
        20..=29 => Level::Info,
        30..=39 => Level::Warn,
        40..=49 => Level::Error,
        50..=59 => Level::Fatal,
        _ => return None,
    })
}

/// The numbers of Logback.
pub(super) fn of_logback(number: i64) -> Option<Level> {
    Some(match number {
        5_000 => Level::Trace,
        10_000 => Level::Debug,
        20_000 => Level::Info,
        30_000 => Level::Warn,
        40_000 => Level::Error,
        _ => return None,
    })
}
