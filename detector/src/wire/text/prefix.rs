//! A log line, taken apart from its start.

use super::level;
use super::stamp::{self, Layout, Stamp};
use crate::event::{Level, Timestamp};
use crate::wire::{service, syslog};

/// The parts of a line.
#[derive(Debug)]
pub(in crate::wire) struct Parts<'a> {
    pub(in crate::wire) time: Option<Timestamp>,
    pub(in crate::wire) level: Option<Level>,
    pub(in crate::wire) service: Option<&'a str>,
    /// The start of the message where the time stands in its middle, as in access logs.
    pub(in crate::wire) before: &'a str,
    pub(in crate::wire) message: &'a str,
    /// Whether the level is only a word in small letters at the start, which counts where nothing else tells one.
    pub(in crate::wire) guessed: bool,
    /// Whether it begins with what only the first line of a record has: a time or a priority.
    pub(super) stamped: bool,
}

impl<'a> Parts<'a> {
    /// A text that says nothing about itself.
    pub(in crate::wire) fn of_message(message: &'a str) -> Self {
        Parts {
            time: None,
            level: None,
            service: None,
            before: "",
            message,
            guessed: false,
            stamped: false,
        }
    }
}

/// Takes a line apart; further lines behind it stay in the message.
pub(in crate::wire) fn read(text: &str, year: i16) -> Parts<'_> {
    let mut parts = Parts::of_message(text);
    let priority = syslog::priority(text);
    if let Some((priority, rest)) = priority {
        parts.level = Some(level::of_priority(priority));
        parts.message = rest;
        parts.stamped = true;
        if let Some(found) = rest.strip_prefix("1 ").and_then(|rest| syslog::rfc5424(rest, year)) {
            parts.time = found.time;
            parts.service = found.service;
            parts.message = found.text;
            return parts;
        }
    }
    let text = parts.message;
    let mut of_second_line = None;
    if let Some(stamp) = stamp::leading(text.as_bytes(), year) {
        parts.time = Some(stamp.time);
        parts.level = parts.level.or(stamp.level);
        parts.message = without_separator(rest_of(text, &stamp));
        if stamp.layout == Layout::Java {
            of_second_line = parts
                .message
                .split_once('\n')
                .and_then(|(_, line)| level::find(line, false));
        }
        program(stamp.layout, priority.is_some(), &mut parts);
        of_klog(year, &mut parts);
    } else if let Some((before, time, after)) = stamp::within(text) {
        parts.time = Some(time);
        parts.before = before;
        parts.message = after;
        parts.service = service::of_text(after);
        parts.stamped = true;
        return parts;
    } else {
        behind(text, year, &mut parts);
        if priority.is_some()
            && let Some((program, message)) = syslog::program_alone(parts.message)
        {
            parts.service = Some(program);
            parts.message = message.trim_start();
        } else if priority.is_none()
            && parts.time.is_none()
            && let Some((program, rest)) = level::behind_program(text)
        {
            parts.service = Some(program);
            parts.message = rest;
        }
    }
    let after_time = parts.time.is_some() || priority.is_some();
    // A time without a date is none, but the level is where it would be behind one.
    let behind_clock = if after_time { None } else { time_of_day(text) };
    parts.stamped = after_time || behind_clock.is_some();
    let is_program = parts.service.is_some();
    // Brackets and words before the level may name the service.
    if parts.service.is_none() {
        parts.service = service::of_text(first_line(parts.message));
    }
    let found = of_second_line.or_else(|| find(&parts, is_program, behind_clock));
    if let Some(found) = found
        && (parts.level.is_none() || parts.level == Some(found.level))
    {
        parts.level = Some(found.level);
        parts.guessed = !parts.stamped && level::find(first_line(parts.message), false).is_none();
        if found.prefix > 0 && of_second_line.is_none() {
            let (said, rest) = parts
                .message
                .split_at_checked(found.prefix)
                .unwrap_or((parts.message, ""));
            let message = without_separator(rest);
            // Ruby's logger has the name of a program there, or none.
            parts.message = message.strip_prefix("-- : ").unwrap_or(message);
            if parts.service.is_none() {
                parts.service = service::behind_level(said, rest, text.starts_with('['));
            }
        } else if parts.service.is_none() && parts.stamped {
            parts.service = service::before_level(parts.message);
        }
    }
    parts
}

/// Whether a line begins with what only the first line of a record has: a time or a priority.
pub(super) fn is_stamped(line: &str, year: i16) -> bool {
    match line.as_bytes().first() {
        None | Some(b' ' | b'\t') => false,
        Some(b'<') if syslog::priority(line).is_some() => true,
        _ => {
            let bytes = line.as_bytes();
            stamp::leading(bytes, year).is_some()
                || time_of_day(line).is_some()
                || stamp::within(line).is_some()
                || is_behind(line, year)
        }
    }
}

/// klog's level and time behind those of a runtime or of syslog, whose time counts.
fn of_klog(year: i16, parts: &mut Parts<'_>) {
    if parts.level.is_none()
        && let [b'I' | b'W' | b'E' | b'F', b'0'..=b'9', ..] = parts.message.as_bytes()
        && let Some(stamp) = stamp::leading(parts.message.as_bytes(), year)
    {
        parts.level = stamp.level;
        parts.message = rest_of(parts.message, &stamp).trim_start();
    }
}

fn is_behind(line: &str, year: i16) -> bool {
    second_stamp(line, year).is_some()
}

fn first_line(text: &str) -> &str {
    memchr::memchr(b'\n', text.as_bytes())
        .and_then(|end| text.get(..end))
        .unwrap_or(text)
}

fn rest_of<'a>(text: &'a str, stamp: &Stamp<'_>) -> &'a str {
    text.len()
        .checked_sub(stamp.rest.len())
        .and_then(|at| text.get(at..))
        .unwrap_or_default()
}

fn find(parts: &Parts<'_>, is_program: bool, behind_clock: Option<&str>) -> Option<level::Found> {
    let line = first_line(parts.message);
    let after_time = parts.stamped && behind_clock.is_none();
    if let Some(found) = level::find(line, after_time) {
        return Some(found);
    }
    if after_time {
        return level::before_tab(line).or_else(|| {
            level::before_colon(line).map(|found| level::Found {
                // Behind a program it is the program's own text.
                prefix: if is_program { 0 } else { found.prefix },
                ..found
            })
        });
    }
    if let Some(rest) = behind_clock {
        return level::find(rest, true).map(|found| level::Found { prefix: 0, ..found });
    }
    let of_line = if line.starts_with("panic: ") {
        Some(Level::Fatal)
    } else {
        level::of_dotnet(line).or_else(|| level::before_colon(line).map(|found| found.level))
    };
    of_line.map(|level| level::Found { level, prefix: 0 })
}

/// What follows `09:00:00.123 ` or `[09:00:00 `.
fn time_of_day(text: &str) -> Option<&str> {
    let text = text.strip_prefix('[').unwrap_or(text);
    let mut cursor = crate::wire::time::Cursor(text.as_bytes());
    (text.as_bytes().get(5) == Some(&b':')).then_some(())?;
    cursor.time_of_day()?;
    cursor.one_of(b" ]")?;
    text.get(text.len().checked_sub(cursor.0.len())?..)
}

/// A time behind a level, a thread in brackets or the name of a file.
fn behind<'a>(text: &'a str, year: i16, parts: &mut Parts<'a>) {
    let Some((at, stamp)) = second_stamp(text, year) else {
        return;
    };
    parts.time = Some(stamp.time);
    parts.message = without_separator(rest_of(text, &stamp));
    let before = text.get(..at).unwrap_or_default();
    parts.before = match level::find(before, false) {
        Some(found) if found.prefix > 0 && parts.level.is_none() => {
            parts.level = Some(found.level);
            before.get(found.prefix..).unwrap_or_default().trim_start()
        }
        _ => before,
    };
}

/// Where a time stands behind one or two words that are no prose, and the time.
fn second_stamp(text: &str, year: i16) -> Option<(usize, Stamp<'_>)> {
    const WORDS: usize = 2;
    let mut at = 0;
    for _ in 0..WORDS {
        let rest = text.get(at..)?;
        let word = level::first_word(rest);
        let is_prefix = word.starts_with('[')
            || level::find(word, false).is_some()
            || word.bytes().any(|byte| byte.is_ascii_digit() || byte == b'.')
            || word.bytes().all(|byte| byte.is_ascii_uppercase());
        if !is_prefix || word.len() > 100 {
            return None;
        }
        let after = rest.get(word.len()..)?;
        at += word.len() + (after.len() - after.trim_start().len());
        let next = text.as_bytes().get(at..)?;
        if let [b'0'..=b'9', ..] | [b'[', b'0'..=b'9', ..] = next
            && let Some(stamp) = stamp::leading(next, year)
            && (is_date(next) || is_date(stamp.rest.trim_ascii_start()))
        {
            return Some((at, stamp));
        }
    }
    None
}

/// `2026-11-20`, `2026/11/20`, or, behind the Unix time of a supercomputer, `2026.11.20`: without it a time may be a
/// number of another kind.
fn is_date(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"[").unwrap_or(text);
    matches!(text, [_, _, _, _, b'-' | b'/' | b'.', _, _, b'-' | b'/' | b'.', ..])
}

/// `host program[17]: ` of syslog. After other times it takes the process to be sure of it.
fn program(layout: Layout, has_priority: bool, parts: &mut Parts<'_>) {
    let is_syslog = match layout {
        Layout::Syslog => true,
        Layout::Iso => has_priority,
        Layout::Java | Layout::Other => return,
    };
    let found = syslog::host_and_program(parts.message, !is_syslog)
        .or_else(|| is_syslog.then(|| syslog::program_alone(parts.message)).flatten());
    if let Some((program, message)) = found {
        parts.service = Some(program);
        parts.message = message.trim_start();
    }
}

/// What is between the parts of a prefix: spaces, or a dash, a bar or a colon with spaces after it.
fn without_separator(text: &str) -> &str {
    let text = text.trim_ascii_start();
    match text.as_bytes() {
        [b'-' | b'|' | b':' | b',', rest @ ..] => match rest {
            [] => "",
            [b' ' | b'\t', ..] => text.get(1..).unwrap_or_default().trim_ascii_start(),
            _ => text,
        },
        _ => text,
    }
}
