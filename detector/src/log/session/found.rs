//! The request, block or trace that a line names in its text.
//!
//! A wrong key makes noise, so that only what says what it is counts:
//! - a name that means one and its value, `request_id=…`, `traceId: …`, `Correlation ID: …`;
//! - a UUID in brackets of its own, also after `req-` (`[req-5a2050e7-…]`);
//! - such a word and a long number, `blk_-1608999687919862906`, `req_81236712634`.
//!
//! Whether lines share it, only time tells: what is found in one line alone is no session.

use memchr::{memchr_iter, memchr2_iter};

/// Names of requests and traces, in small letters and without what joins their words. Each ends with `id`.
const NAMES: [&str; 15] = [
    "requestid",
    "reqid",
    "xrequestid",
    "httprequestid",
    "traceid",
    "xtraceid",
    "xb3traceid",
    "correlationid",
    "xcorrelationid",
    "sessionid",
    "transactionid",
    "txnid",
    "invocationid",
    "operationid",
    "blockid",
];
const LONGEST_NAME: usize = 24;
/// An identity has a digit, and so many bytes.
const SHORTEST: usize = 4;
const LONGEST: usize = 128;
/// So many bytes of a message are looked at.
const LOOKED_AT: usize = 2_048;
const UUID: usize = 36;
/// Words that mean a request, a block or a trace, before a number of so many digits. Jobs, containers and hosts have such
/// numbers as well, but what is done for them is not one thing after another.
const WORDS: [&str; 8] = ["blk", "block", "req", "request", "trace", "txn", "session", "corr"];
const DIGITS: usize = 8;

/// What a message says it belongs to, where it says so.
pub(crate) fn session_in(message: &str) -> Option<&str> {
    let message = message.get(..message.floor_char_boundary(LOOKED_AT)).unwrap_or(message);
    let bytes = message.as_bytes();
    memchr2_iter(b'=', b':', bytes)
        .find_map(|at| named(message, at))
        .or_else(|| memchr_iter(b'[', bytes).find_map(|at| bracketed(message.get(at + 1..)?)))
        .or_else(|| memchr_iter(b'_', bytes).find_map(|at| numbered(message, at)))
}

/// The value of a name that ends before `at`.
fn named(message: &str, at: usize) -> Option<&str> {
    let before = message.as_bytes().get(..at)?;
    let before = before.strip_suffix(b" ").unwrap_or(before);
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    let end = before.len();
    if !before.get(end.checked_sub(2)?..)?.eq_ignore_ascii_case(b"id") {
        return None;
    }
    let mut name = [0; LONGEST_NAME];
    let mut free = LONGEST_NAME;
    let mut spaces = 0;
    for byte in before.iter().rev() {
        match byte {
            b'_' | b'-' | b'.' => continue,
            // `Request ID`.
            b' ' if free == LONGEST_NAME - 2 && spaces == 0 => {
                spaces = 1;
                continue;
            }
            byte if byte.is_ascii_alphanumeric() => {}
            _ => break,
        }
        let Some(place) = free.checked_sub(1) else {
            break;
        };
        *name.get_mut(place)? = byte.to_ascii_lowercase();
        free = place;
    }
    let name = name.get(free..)?;
    if !NAMES.iter().any(|known| known.as_bytes() == name) {
        return None;
    }
    let value = message.get(at + 1..)?;
    let value = value.strip_prefix(' ').unwrap_or(value);
    identity(value.trim_start_matches(['"', '\'', '[', '(', '<', '{']))
}

/// The identity that a text begins with.
fn identity(text: &str) -> Option<&str> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let end = text.bytes().position(|byte| !is_part(&byte)).unwrap_or(text.len());
    let value = text.get(..end)?.trim_end_matches(['.', '-', '_']);
    let digits = value.bytes().any(|byte| byte.is_ascii_digit());
    let something = value.bytes().any(|byte| !matches!(byte, b'0' | b'-' | b'.'));
    ((SHORTEST..=LONGEST).contains(&value.len()) && digits && something).then_some(value)
}

/// The UUID that a bracket begins with, alone or with other words after it, as OpenStack writes them.
fn bracketed(text: &str) -> Option<&str> {
    let prefix = if text.starts_with("req-") { 4 } else { 0 };
    let value = text.get(..prefix + UUID)?;
    let uuid = value.as_bytes().get(prefix..)?;
    let is_uuid = uuid.iter().enumerate().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    let ends = matches!(text.as_bytes().get(prefix + UUID), Some(b']' | b' ' | b','));
    let something = uuid.iter().any(|byte| !matches!(byte, b'0' | b'-'));
    (is_uuid && ends && something).then_some(value)
}

/// The word around `_` at `at`, where a long number follows.
fn numbered(message: &str, at: usize) -> Option<&str> {
    let bytes = message.as_bytes();
    let after = bytes.get(at + 1..)?;
    let sign = usize::from(after.first() == Some(&b'-'));
    let digits = after
        .get(sign..)?
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits < DIGITS {
        return None;
    }
    let letters = (bytes.get(..at)?.iter().rev())
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    let start = at - letters;
    // A word of its own: what is glued to something else may be a file or a host.
    let begins = start == 0
        || bytes
            .get(start - 1)
            .is_some_and(|byte| matches!(byte, b' ' | b'[' | b'(' | b'<' | b'"' | b'\'' | b'=' | b':' | b','));
    let word = message.get(start..at)?;
    if !begins || !WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)) {
        return None;
    }
    let rest = after.get(sign + digits..)?;
    let tail = rest
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
        .count();
    let ends = !matches!(rest.get(tail), Some(b'-' | b'@' | b'%'));
    let end = at + 1 + sign + digits + tail;
    (ends && end - start <= LONGEST)
        .then(|| message.get(start..end))
        .flatten()
}
