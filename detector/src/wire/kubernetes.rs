//! What the tools around containers put before a container's line: the runtimes' own format (CRI), `kubectl logs
//! --prefix`, stern, and docker compose. What follows is the line of the program, in whatever format that writes.
//!
//! | source | how it is written |
//! |---|---|
//! | CRI | `2026-11-20T09:00:00.123456789Z stderr F payload`; after `P` the next line of the same stream goes on |
//! | kubectl | `[pod/cart-7f9c5d8b6-x2x4z/app] payload`: the service is the pod's name without its hashes |
//! | stern | `cart-7f9c5d8b6-x2x4z app payload` |
//! | docker compose | `cart-1  \| payload`: the service without its number; `cart-1 exited with code 137` |
//!
//! Lines of several containers or streams that come in between each other are joined apart; the rows are then in
//! the order in which the records end. `stderr` is no level.

#[cfg(test)]
mod tests;

use super::service;
use super::time::Cursor;
use crate::event::{Level, Timestamp};

/// A line of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Output<'a> {
    /// What tells its source from others: lines are joined only with lines of the same.
    pub(super) source: &'a str,
    pub(super) time: Option<Timestamp>,
    pub(super) service: Option<&'a str>,
    pub(super) text: &'a str,
    /// Whether the next line of the same source goes on where this one stops.
    pub(super) partial: bool,
}

/// The time, the stream and the payload of a line in CRI.
pub(super) fn cri(line: &str) -> Option<Output<'_>> {
    let mut cursor = Cursor(line.as_bytes());
    let time = cursor.date_time()?;
    cursor.byte(b' ')?;
    let rest = line.get(line.len().checked_sub(cursor.0.len())?..)?;
    let (source, rest) = rest.split_once(' ')?;
    if !matches!(source, "stdout" | "stderr") {
        return None;
    }
    let (tags, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let partial = match tags.split(':').next()? {
        "P" => true,
        "F" => false,
        _ => return None,
    };
    Some(Output {
        source,
        time: Some(time),
        service: None,
        text,
        partial,
    })
}

/// The container's name before a line.
pub(super) fn prefixed(line: &str) -> Option<Output<'_>> {
    match line.as_bytes().first()? {
        b'[' => kubectl(line),
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => compose(line).or_else(|| stern(line)).or_else(|| exited(line)),
        _ => None,
    }
}

fn kubectl(line: &str) -> Option<Output<'_>> {
    let (names, rest) = line.strip_prefix("[pod/")?.split_once(']')?;
    let (pod, container) = names.split_once('/')?;
    (is_name(pod) && is_name(container)).then_some(Output {
        source: names,
        time: None,
        service: Some(service::of_pod(pod)),
        text: rest.strip_prefix(' ').unwrap_or(rest),
        partial: false,
    })
}

/// The names are padded to the longest one and a blank; without that much a number must tell a container.
fn compose(line: &str) -> Option<Output<'_>> {
    const LONGEST: usize = 64;
    let near = line.as_bytes().get(..2 * LONGEST).unwrap_or(line.as_bytes());
    let (name, rest) = line.split_at_checked(memchr::memchr(b'|', near)?)?;
    let rest = rest.strip_prefix('|')?;
    let padded = name;
    let name = name.trim_end_matches(' ');
    let padding = padded.len() - name.len();
    let is_numbered = service::of_compose(name).len() < name.len();
    if padding < if is_numbered { 1 } else { 2 } || !is_name(name) || !(rest.is_empty() || rest.starts_with(' ')) {
        return None;
    }
    // Levels, dates and columns of numbers may be lined up with bars, too.
    let is_container = name.bytes().any(|byte| byte.is_ascii_alphabetic()) && Level::parse(name).is_none();
    is_container.then_some(Output {
        source: name,
        time: None,
        service: Some(service::of_compose(name)),
        text: rest.strip_prefix(' ').unwrap_or(rest),
        partial: false,
    })
}

/// `cart-1 exited with code 137`, which compose says itself.
fn exited(line: &str) -> Option<Output<'_>> {
    let (name, rest) = line.split_at_checked(memchr::memchr(b' ', line.as_bytes())?)?;
    let code = rest.strip_prefix(" exited with code ")?;
    let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_digit());
    (is_code && is_name(name) && service::of_compose(name).len() < name.len()).then_some(Output {
        source: name,
        time: None,
        service: Some(service::of_compose(name)),
        text: line,
        partial: false,
    })
}

fn stern(line: &str) -> Option<Output<'_>> {
    // Of nearly all lines the first word tells that they are none.
    let (pod, rest) = line.split_at_checked(memchr::memchr(b' ', line.as_bytes())?)?;
    if !service::is_pod_of_deployment(pod) || !is_name(pod) {
        return None;
    }
    let rest = rest.strip_prefix(' ')?;
    let (container, text) = rest.split_once(' ').unwrap_or((rest, ""));
    is_name(container).then_some(Output {
        source: pod,
        time: None,
        service: Some(service::of_pod(pod)),
        text,
        partial: false,
    })
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
