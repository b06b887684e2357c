//! Syslog: RFC 3164, RFC 5424, what rsyslog writes to files, and journald's short outputs.
//!
//! | part | how it is written |
//! |---|---|
//! | priority | `<34>` gives the level: its lowest three bits |
//! | RFC 5424 | `<165>1 2026-11-20T09:00:00Z db01 cart 71 ID47 [origin ip="10.0.0.7"] message`, `-` for what is not known; the structured data is read over |
//! | RFC 3164 | `Nov 20 09:00:00 db01 cart[71]: message`, also without the host, with decimals, with a year, or with an RFC 3339 time |
//! | journald | the same; `short-full` with a weekday before the date |
//! | message | itself JSON, logfmt, an access log or plain text; after `@cee:` JSON |
//!
//! The program is the service. A line without such a header is read as plain text.

#[cfg(test)]
mod tests;

use super::text::level;
use super::text::stamp::{self, Layout};
use crate::event::{Level, Timestamp};

/// The header of a line, and what follows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) time: Option<Timestamp>,
    pub(super) level: Option<Level>,
    pub(super) service: Option<&'a str>,
    pub(super) text: &'a str,
}

/// The parts of a line that has a header of syslog.
pub(super) fn read(line: &str, year: i16) -> Option<Message<'_>> {
    let mut message = Message {
        time: None,
        level: None,
        service: None,
        text: line,
    };
    if let Some((priority, rest)) = priority(line) {
        message.level = Some(level::of_priority(priority));
        message.text = rest;
        if let Some(found) = rest.strip_prefix("1 ").and_then(|rest| rfc5424(rest, year)) {
            return Some(Message {
                level: message.level,
                ..found
            });
        }
    }
    let mut needs_process = false;
    match stamp::leading(message.text.as_bytes(), year) {
        Some(stamp) if matches!(stamp.layout, Layout::Syslog | Layout::Iso) => {
            // RFC 3339, as rsyslog writes it, is certain enough; other times are those of any program.
            let is_certain = message.level.is_some() || message.text.as_bytes().get(10) == Some(&b'T');
            needs_process = stamp.layout == Layout::Iso && !is_certain;
            message.time = Some(stamp.time);
            message.text = message.text.get(message.text.len() - stamp.rest.len()..)?.trim_start();
        }
        _ if message.level.is_none() => return None,
        _ => {}
    }
    let found = host_and_program(message.text, needs_process)
        .or_else(|| (!needs_process).then(|| program_alone(message.text)).flatten());
    if let Some((program, rest)) = found {
        message.service = Some(program);
        message.text = rest;
    }
    if let Some(rest) = message.text.trim_start().strip_prefix("@cee:") {
        message.text = rest.trim_start();
    }
    Some(message)
}

/// `<34>`.
pub(super) fn priority(line: &str) -> Option<(u16, &str)> {
    let (number, rest) = line.strip_prefix('<')?.split_once('>')?;
    if number.len() > 3 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = number.parse().ok()?;
    (number < 192).then_some((number, rest))
}

/// `TIME HOST PROGRAM PROCESS MESSAGE-ID DATA MESSAGE`, where `-` stands for what is not known.
pub(super) fn rfc5424(text: &str, year: i16) -> Option<Message<'_>> {
    let (time, rest) = text.split_once(' ')?;
    let time = match time {
        "-" => None,
        time => Some(stamp::leading(time.as_bytes(), year)?.time),
    };
    let (_host, rest) = rest.split_once(' ')?;
    let (program, rest) = rest.split_once(' ')?;
    let (_process, rest) = rest.split_once(' ')?;
    let (_id, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let text = structured_data(rest).unwrap_or(rest);
    Some(Message {
        time,
        level: None,
        service: (program != "-").then_some(program),
        text: text.strip_prefix('\u{feff}').unwrap_or(text),
    })
}

/// What follows `-` or `[id name="value"][…]`; in a value a backslash escapes quotes and brackets.
fn structured_data(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('-') {
        return rest.is_empty().then_some(rest).or_else(|| rest.strip_prefix(' '));
    }
    let mut quoted = false;
    let mut escaped = false;
    let mut open = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if open => quoted = !quoted,
            _ if quoted => {}
            b'[' if !open => open = true,
            b']' if open => open = false,
            b' ' if !open => return text.get(at + 1..),
            _ if !open => return None,
            _ => {}
        }
    }
    (!open && !text.is_empty()).then_some("")
}

/// `host program[17]: `; after times that other logs have, too, it takes the process to be sure of it.
pub(super) fn host_and_program(text: &str, needs_process: bool) -> Option<(&str, &str)> {
    let (host, rest) = text.split_once(' ')?;
    let (tag, rest) = match rest.split_once(' ') {
        Some((tag, rest)) => (tag, rest),
        None => (rest, ""),
    };
    let program = program_of(tag, needs_process)?;
    let host_is_level = level::find(host, false).is_some() || (host.len() > 2 && Level::parse(host).is_some());
    (!host_is_level && !host.ends_with(':')).then_some((program, rest))
}

/// `program[17]: `, as a daemon writes it to the socket of its own machine.
pub(super) fn program_alone(text: &str) -> Option<(&str, &str)> {
    let (tag, rest) = text.split_once(' ').unwrap_or((text, ""));
    let program = program_of(tag, false)?;
    Level::parse(program).is_none().then_some((program, rest))
}

fn program_of(tag: &str, needs_process: bool) -> Option<&str> {
    const LONGEST: usize = 64;
    let tag = tag.strip_suffix(':')?;
    let program = match tag.split_once('[') {
        Some((program, process)) => {
            let process = process.strip_suffix(']')?;
            process.bytes().all(|byte| byte.is_ascii_digit()).then_some(program)?
        }
        None if needs_process => return None,
        None => tag,
    };
    let is_program = program.chars().next().is_some_and(char::is_alphabetic)
        && program.len() <= LONGEST
        && program
            .chars()
            .all(|sign| sign.is_alphanumeric() || matches!(sign, '.' | '_' | '-' | '/' | '(' | ')' | '@' | '+' | ':'));
    is_program.then_some(program)
}
