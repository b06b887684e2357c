//! A log line, taken apart from its start.

use super::level;
use super::stamp::{self, Layout};
use crate::event::{Level, Timestamp};

/// The parts of a line.
#[derive(Debug)]
pub(in super::super) struct Parts<'a> {
    pub(in super::super) time: Option<Timestamp>,
    pub(in super::super) level: Option<Level>,
    pub(in super::super) service: Option<&'a str>,
    /// The start of the message where the time stands in its middle, as in access logs.
    pub(in super::super) before: &'a str,
    pub(in super::super) message: &'a str,
}

/// Takes a line apart.
pub(in super::super) fn read(line: &str, year: i16) -> Parts<'_> {
    let mut parts = Parts {
        time: None,
        level: None,
        service: None,
        before: "",
        message: line,
    };
    let priority = priority(line);
    if let Some((priority, rest)) = priority {
        parts.level = Some(level::of_priority(priority));
        parts.message = rest;
        if let Some(rest) = rest.strip_prefix("1 ")
            && rfc5424(rest, year, &mut parts).is_some()
        {
            return parts;
        }
    }
    let text = parts.message;
    if let Some(stamp) = stamp::leading(text.as_bytes(), year) {
        parts.time = Some(stamp.time);
        parts.level = parts.level.or(stamp.level);
        let rest = text.get(text.len() - stamp.rest.len()..).unwrap_or_default();
        parts.message = without_separator(rest);
        program(stamp.layout, &mut parts);
    } else if let Some((before, time, after)) = stamp::within(text) {
        parts.time = Some(time);
        parts.before = before;
        parts.message = after;
        parts.service = service(after);
        return parts;
    }
    let after_time = parts.time.is_some() || priority.is_some();
    if let Some(found) = level::find(parts.message, after_time)
        && (parts.level.is_none() || parts.level == Some(found.level))
    {
        parts.level = Some(found.level);
        if found.prefix > 0 {
            let rest = parts.message.get(found.prefix..).unwrap_or_default();
            parts.message = without_separator(rest);
        }
    }
    parts.service = parts.service.or_else(|| service(parts.message));
    parts
}

/// `<34>` of syslog.
fn priority(line: &str) -> Option<(u16, &str)> {
    let (number, rest) = line.strip_prefix('<')?.split_once('>')?;
    if number.len() > 3 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = number.parse().ok()?;
    (number < 192).then_some((number, rest))
}

/// `TIME HOST PROGRAM PROCESS MESSAGE-ID DATA MESSAGE`, where `-` stands for what is not known.
fn rfc5424<'a>(text: &'a str, year: i16, parts: &mut Parts<'a>) -> Option<()> {
    let (time, rest) = text.split_once(' ')?;
    let time = match time {
        "-" => None,
        time => Some(stamp::leading(time.as_bytes(), year)?.time),
    };
    let (_host, rest) = rest.split_once(' ')?;
    let (program, rest) = rest.split_once(' ')?;
    let (_process, rest) = rest.split_once(' ')?;
    let (_id, rest) = rest.split_once(' ')?;
    parts.time = time;
    parts.service = (program != "-").then_some(program);
    let message = rest.strip_prefix("- ").unwrap_or(rest);
    parts.message = message.strip_prefix('\u{feff}').unwrap_or(message);
    Some(())
}

/// `host program[17]: ` of syslog. After other times it takes the process to be sure of it.
fn program<'a>(layout: Layout, parts: &mut Parts<'a>) {
    let needs_process = match layout {
        Layout::Syslog => false,
        Layout::Iso => true,
        Layout::Other => return,
    };
    if let Some((program, message)) = host_and_program(parts.message, needs_process) {
        parts.service = Some(program);
        parts.message = message;
    }
}

fn host_and_program(text: &str, needs_process: bool) -> Option<(&str, &str)> {
    let (host, rest) = text.split_once(' ')?;
    let (tag, rest) = match rest.split_once(' ') {
        Some((tag, rest)) => (tag, rest.trim_start()),
        None => (rest, ""),
    };
    let tag = tag.strip_suffix(':')?;
    let program = match tag.split_once('[') {
        Some((program, process)) => {
            let process = process.strip_suffix(']')?;
            process.bytes().all(|byte| byte.is_ascii_digit()).then_some(program)?
        }
        None if needs_process => return None,
        None => tag,
    };
    let is_program = program.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && program.len() <= 64
        && program
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-/()@+:".contains(&byte));
    let host_is_level = level::find(host, false).is_some();
    (is_program && !host_is_level).then_some((program, rest))
}

/// `service=cart` or `app="cart"`.
fn service(text: &str) -> Option<&str> {
    const FAR: usize = 256;
    const LONGEST: usize = 64;
    let near = text.as_bytes().get(..FAR).unwrap_or(text.as_bytes());
    memchr::memchr_iter(b'=', near).find_map(|at| {
        let (before, after) = text.split_at_checked(at)?;
        let key = before.rsplit([' ', '\t', ',', '[', '{', '(']).next()?;
        if !matches!(key, "service" | "app") {
            return None;
        }
        let after = after.get(1..)?;
        let value = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?.0,
            None => after.split([' ', '\t', ',', ';', ']', '}', ')']).next()?,
        };
        (!value.is_empty() && value.len() <= LONGEST).then_some(value)
    })
}

/// What is between the parts of a prefix: spaces, or a dash, a bar or a colon with spaces after it.
fn without_separator(text: &str) -> &str {
    let text = text.trim_start();
    let mut rest = text.chars();
    match rest.next() {
        Some('-' | '|' | ':' | ',') => match rest.as_str() {
            "" => "",
            after if after.starts_with([' ', '\t']) => after.trim_start(),
            _ => text,
        },
        _ => text,
    }
}
