//! Where a log line says how severe it is. In prose `error` is a word like any other; a level is written in
//! capitals, in brackets, or after `level=`.

use crate::event::Level;

/// A level, and how much of the start of the text it takes up when it stands there alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) struct Found {
    pub(in crate::wire) level: Level,
    /// The length of the prefix that says the level and nothing else; 0 when it is not at the start.
    pub(in crate::wire) prefix: usize,
}

/// The level among the first words of a text; a line without a time has fewer places for one.
pub(in crate::wire) fn find(text: &str, after_time: bool) -> Option<Found> {
    const FAR: usize = 120;
    let mut words = if after_time { 8 } else { 1 };
    let mut prose = 0;
    let mut at = 0;
    while words > 0 && at < FAR {
        let rest = text.get(at..)?;
        let word = first_word(rest);
        if let Some((level, length)) = of_word(word).or_else(|| {
            let is_postgres = at > 0 && word == "LOG:" && rest.starts_with("LOG:  ");
            is_postgres.then_some((Level::Info, 0))
        }) {
            let prefix = if at == 0 { length } else { 0 };
            return Some(Found { level, prefix });
        }
        let bracketed = word.starts_with('[');
        words -= usize::from(after_time || !bracketed);
        // Two words of prose are the message, and whatever comes in it is part of it.
        prose += usize::from(is_prose(word));
        if prose == 2 || word.starts_with('"') {
            return None;
        }
        let next = rest.get(word.len()..)?;
        let after = next.trim_ascii_start();
        at += word.len() + (next.len() - after.len());
        if after.is_empty() {
            return None;
        }
    }
    None
}

/// A level in small letters before a colon, as some programs write it right behind the time or the program.
pub(super) fn before_colon(text: &str) -> Option<Found> {
    const LONGEST: usize = 11;
    let near = text.as_bytes().get(..=LONGEST).unwrap_or(text.as_bytes());
    let (name, after) = text.split_at_checked(memchr::memchr(b':', near)?)?;
    let is_level = name.len() >= 3 && name.bytes().all(|byte| byte.is_ascii_lowercase()) && after.starts_with(": ");
    let level = bracketed(name).filter(|_| is_level && name != "failure")?;
    Some(Found {
        level,
        prefix: name.len() + 1,
    })
}

/// A level in small letters in a column of its own, as zap's console and Istio write it behind the time.
pub(super) fn before_tab(text: &str) -> Option<Found> {
    const LONGEST: usize = 11;
    let near = text.as_bytes().get(..=LONGEST).unwrap_or(text.as_bytes());
    let name = text.get(..memchr::memchr(b'\t', near)?)?;
    let is_level = name.bytes().all(|byte| byte.is_ascii_lowercase());
    Some(Found {
        level: bracketed(name).filter(|_| is_level)?,
        prefix: name.len(),
    })
}

/// `nginx: [emerg] no such host`: a program that has no log yet, and what follows its name.
pub(super) fn behind_program(text: &str) -> Option<(&str, &str)> {
    const LONGEST: usize = 32;
    let near = text.as_bytes().get(..LONGEST).unwrap_or(text.as_bytes());
    let (program, rest) = text.split_at_checked(memchr::memchr(b':', near)?)?;
    let rest = rest.strip_prefix(": ")?;
    let is_program = program.len() >= 2
        && program
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'));
    (is_program && rest.starts_with('[') && find(rest, false).is_some()).then_some((program, rest))
}

/// The levels of .NET's console: four letters, a category and the number of an event, and the message on the next
/// line.
pub(super) fn of_dotnet(line: &str) -> Option<Level> {
    let is_close = line.ends_with(']') && line.as_bytes().get(4) == Some(&b':');
    is_close.then_some(())?;
    let (name, rest) = line.split_once(": ")?;
    let level = match name {
        "trce" => Level::Trace,
        "dbug" => Level::Debug,
        "info" => Level::Info,
        "warn" => Level::Warn,
        "fail" => Level::Error,
        "crit" => Level::Fatal,
        _ => return None,
    };
    let (category, event) = rest.strip_suffix(']')?.rsplit_once('[')?;
    let is_event = !category.contains(' ') && event.bytes().all(|byte| byte.is_ascii_digit());
    is_event.then_some(level)
}

/// Whether a text begins with a space and a level in capitals.
pub(super) fn stands_at(text: &[u8]) -> Option<()> {
    let text = text.strip_prefix(b" ")?.trim_ascii_start();
    let length = text.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    capitals(std::str::from_utf8(text.get(..length)?).ok()?).map(|_| ())
}

/// The letters of Android and klog.
pub(super) fn of_android(letter: u8) -> Option<Level> {
    Some(match letter {
        b'V' => Level::Trace,
        b'D' => Level::Debug,
        b'I' => Level::Info,
        b'W' => Level::Warn,
        b'E' => Level::Error,
        b'F' | b'A' => Level::Fatal,
        _ => return None,
    })
}

/// The numbers of syslog (RFC 5424), of which a priority holds the lowest three bits.
pub(in crate::wire) fn of_priority(priority: u16) -> Level {
    match priority & 7 {
        0..=2 => Level::Fatal,
        3 => Level::Error,
        4 => Level::Warn,
        5 => Level::Notice,
        6 => Level::Info,
        _ => Level::Debug,
    }
}

/// A word up to the next space, or a part in brackets that may hold some.
pub(super) fn first_word(text: &str) -> &str {
    let from = match text.as_bytes().first() {
        Some(b'[') => text.bytes().take(120).position(|byte| byte == b']').unwrap_or(0),
        _ => 0,
    };
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    let length = match rest {
        [b']', b'[', ..] => 1,
        _ => rest
            .iter()
            .position(|byte| matches!(byte, b' ' | b'\t'))
            .unwrap_or(rest.len()),
    };
    text.get(..from + length).unwrap_or(text)
}

/// The level that a word is, and the length of what says only that; 0 when the word says more.
fn of_word(word: &str) -> Option<(Level, usize)> {
    match word.as_bytes().first()? {
        b'[' => {
            let (inside, after) = word.get(1..)?.split_once(']')?;
            let name = inside.rsplit_once(':').map_or(inside, |(_, name)| name).trim();
            // Apache has eight of them: `[rewrite:trace3]`.
            let name = match name.strip_suffix(|last: char| ('1'..='8').contains(&last)) {
                Some("trace") => "trace",
                _ => name,
            };
            let length = if name.len() == inside.trim().len() {
                word.len() - after.len()
            } else {
                0
            };
            Some((bracketed(name)?, length))
        }
        b'<' => {
            let (inside, after) = word.get(1..)?.split_once('>')?;
            Some((bracketed(inside)?, word.len() - after.len()))
        }
        b'A'..=b'Z' => {
            let length = word.bytes().take_while(u8::is_ascii_uppercase).count();
            let (name, after) = word.split_at_checked(length)?;
            if let Some(tag) = after.strip_prefix('/')
                && let [letter] = name.as_bytes()
            {
                return is_tag(tag).then_some(()).and_then(|()| Some((of_android(*letter)?, 2)));
            }
            let length = match after.as_bytes() {
                [] => length,
                [b':' | b',' | b'|', ..] => length + 1,
                [b']', ..] => 0,
                // `WARN[0012]` of logrus on a terminal.
                [b'[', seconds @ .., b']'] if seconds.iter().all(u8::is_ascii_digit) => word.len(),
                // `INFO/MainProcess` of Celery.
                [b'/', b'A'..=b'Z', ..] => 0,
                _ => return None,
            };
            Some((capitals(name)?, length))
        }
        b'a'..=b'z' if word.ends_with(':') => {
            // `production.ERROR:` of Laravel.
            let (_channel, name) = word.strip_suffix(':')?.rsplit_once('.')?;
            let is_capital = name.bytes().all(|byte| byte.is_ascii_uppercase());
            Some((capitals(name).filter(|_| is_capital)?, 0))
        }
        b'l' | b's' => {
            let (key, value) = word.split_once('=')?;
            if !matches!(key, "level" | "lvl" | "severity") {
                return None;
            }
            let value = value.trim_matches(['"', '\'', ',', ';']);
            Some((Level::parse(value)?, word.len()))
        }
        _ => None,
    }
}

/// A single letter is too little to go by.
fn capitals(name: &str) -> Option<Level> {
    (name.len() >= 3).then(|| Level::parse(name)).flatten()
}

/// `[config]` is what a line is about, not how severe it is.
fn bracketed(name: &str) -> Option<Level> {
    let is_word = matches!(name, "config" | "fine" | "finer" | "finest");
    if is_word { None } else { capitals(name) }
}

/// `Tag:` or `Tag(`, as in `E/Tag( 123): …`, unlike in `I/O error`.
fn is_tag(text: &str) -> bool {
    let length = text
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
        .count();
    length >= 2 && matches!(text.as_bytes().get(length), Some(b':' | b'('))
}

fn is_prose(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_alphabetic()) && word.bytes().any(|byte| byte.is_ascii_lowercase())
}
