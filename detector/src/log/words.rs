//! How bad the words of a line sound.
//!
//! The list is taken from documented vocabularies, before any labelled log was looked at: the severities of
//! syslog (RFC 5424, section 6.2.1) and their abbreviations in syslog.h; the levels of log4j, Python's logging and
//! OpenTelemetry; the descriptions of POSIX error numbers (`Connection refused`, `No space left`, `Broken pipe`,
//! `Permission denied`, `Operation timed out`, …); the signals that end a program (`Segmentation fault`, `Aborted`,
//! `Killed`); HTTP's reason phrases of 4xx and 5xx; and the words that failures are named with in the exceptions
//! of Java's and Python's standard libraries.

use crate::event::Level;

/// Stems in alphabetical order: a word sounds as bad as the longest stem that it begins with.
const STEMS: [(&str, Level); 83] = [
    ("abort", Level::Error),
    ("alert", Level::Error),
    ("bad", Level::Warn),
    ("broken", Level::Error),
    ("cannot", Level::Error),
    ("conflict", Level::Warn),
    ("corrupt", Level::Fatal),
    ("couldn", Level::Error),
    ("crash", Level::Fatal),
    ("crit", Level::Fatal),
    ("dead", Level::Error),
    ("deadlock", Level::Fatal),
    ("degraded", Level::Warn),
    ("denied", Level::Error),
    ("deprecat", Level::Warn),
    ("died", Level::Error),
    ("disallow", Level::Error),
    ("discard", Level::Warn),
    ("disconnect", Level::Warn),
    ("down", Level::Warn),
    ("drop", Level::Warn),
    ("duplicate", Level::Warn),
    ("emerg", Level::Fatal),
    ("err", Level::Error),
    ("evict", Level::Warn),
    ("exceed", Level::Error),
    ("exception", Level::Error),
    ("exhaust", Level::Error),
    ("expire", Level::Warn),
    ("fail", Level::Error),
    ("fatal", Level::Fatal),
    ("fault", Level::Error),
    ("forbid", Level::Error),
    ("hang", Level::Error),
    ("hung", Level::Error),
    ("illegal", Level::Error),
    ("improper", Level::Warn),
    ("inaccessib", Level::Error),
    ("incompatib", Level::Error),
    ("incomplete", Level::Warn),
    ("inconsisten", Level::Error),
    ("incorrect", Level::Warn),
    ("insufficient", Level::Error),
    ("interrupt", Level::Warn),
    ("intrusion", Level::Fatal),
    ("invalid", Level::Error),
    ("kill", Level::Error),
    ("late", Level::Warn),
    ("leak", Level::Error),
    ("lost", Level::Error),
    ("malformed", Level::Error),
    ("mismatch", Level::Error),
    ("missing", Level::Warn),
    ("oom", Level::Fatal),
    ("overflow", Level::Error),
    ("overload", Level::Error),
    ("panic", Level::Fatal),
    ("problem", Level::Warn),
    ("refuse", Level::Error),
    ("reject", Level::Error),
    ("reset", Level::Warn),
    ("retry", Level::Warn),
    ("segfault", Level::Fatal),
    ("segmentation", Level::Fatal),
    ("severe", Level::Error),
    ("slow", Level::Warn),
    ("stale", Level::Warn),
    ("starv", Level::Error),
    ("stuck", Level::Error),
    ("suspicious", Level::Error),
    ("terminat", Level::Warn),
    ("throttl", Level::Warn),
    ("timeout", Level::Error),
    ("traceback", Level::Error),
    ("unable", Level::Error),
    ("unauthori", Level::Error),
    ("unavailable", Level::Error),
    ("uncaught", Level::Error),
    ("uncorrectable", Level::Fatal),
    ("unexpected", Level::Warn),
    ("unreachable", Level::Error),
    ("violat", Level::Error),
    ("warn", Level::Warn),
];

/// Words that begin like a stem and mean something else.
const HARMLESS: [&str; 10] = [
    "badge",
    "download",
    "downloaded",
    "downloading",
    "dropdown",
    "latency",
    "later",
    "latest",
    "killbill",
    "lateral",
];

/// The words that take back the one after them: "no errors", "without failure", "0 failed".
const NEGATIONS: [&str; 5] = ["no", "not", "without", "zero", "0"];

/// Words that say that what was bad is over: "recovered from error", "error corrected".
const MENDED: [&str; 4] = ["corrected", "recovered", "resolved", "succeeded"];

/// The names that levels go by in lines: of RFC 5424, syslog.h, log4j, `java.util.logging` and Python's logging.
const LEVEL_NAMES: [&str; 12] = [
    "alert",
    "crit",
    "critical",
    "emerg",
    "emergency",
    "err",
    "error",
    "fatal",
    "panic",
    "severe",
    "warn",
    "warning",
];

/// The worst that the words of a text say, and the word that says it; `None` when nothing sounds bad.
pub(crate) fn worst(text: &str) -> Option<(Level, &str)> {
    worst_beside(text, None)
}

/// The same of a line that claims a level. Where the text still holds the name of it, that is the claim and no second
/// witness: the first word that says the level and no more is passed over.
pub(crate) fn worst_beside(text: &str, claimed: Option<Level>) -> Option<(Level, &str)> {
    let mut worst: Option<(Level, &str)> = None;
    let mut negated = false;
    let mut claimed = claimed;
    for word in text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        if is_one_of(word, &MENDED) {
            // One step less: it is over, but it has happened.
            worst = worst.map(|(_, word)| (Level::Warn, word));
        }
        let level = level(word);
        if claimed.is_some() && level == claimed && is_one_of(word, &LEVEL_NAMES) {
            claimed = None;
            continue;
        }
        if let Some(level) = level
            && !negated
            && worst.is_none_or(|(known, _)| level > known)
        {
            worst = Some((level, word));
        }
        negated = is_one_of(word, &NEGATIONS);
    }
    worst
}

/// The words that sound like an error or worse, or are `also` about errors, and are not taken back.
pub(crate) fn errors(text: &str, also: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
    let mut negated = false;
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .filter(move |word| {
            let taken_back = std::mem::replace(&mut negated, is_one_of(word, &NEGATIONS));
            !taken_back && (level(word) >= Some(Level::Error) || also(word))
        })
}

fn level(word: &str) -> Option<Level> {
    let mut lower = [0; 16];
    let length = word.len().min(lower.len());
    let lower = lower.get_mut(..length)?;
    lower.copy_from_slice(word.as_bytes().get(..length)?);
    lower.make_ascii_lowercase();
    let lower = std::str::from_utf8(lower).ok()?;
    if HARMLESS.contains(&lower) {
        return None;
    }
    // A name such as IOException or SQLTimeoutError ends in the word that counts.
    if lower.len() > 9 && (lower.ends_with("exception") || lower.ends_with("error")) || word.ends_with("Exception") {
        return Some(Level::Error);
    }
    let after = STEMS.partition_point(|(stem, _)| *stem <= lower);
    STEMS
        .get(..after)?
        .iter()
        .rev()
        .take_while(|(stem, _)| stem.as_bytes().first() == lower.as_bytes().first())
        .find(|(stem, _)| lower.starts_with(stem))
        .map(|(_, level)| *level)
}

fn is_one_of(word: &str, list: &[&str]) -> bool {
    list.iter().any(|one| word.eq_ignore_ascii_case(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_are_in_order() {
        assert!(STEMS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn words_sound_as_they_should() {
        for (text, expected) in [
            ("connection refused by peer", Some(Level::Error)),
            ("Connection timed out, retrying", Some(Level::Warn)),
            ("kernel PANIC - not syncing", Some(Level::Fatal)),
            ("java.io.IOException: disk full", Some(Level::Error)),
            ("finished with no errors", None),
            ("cache parity error corrected", Some(Level::Warn)),
            ("download finished, latest version", None),
            ("deadlock found", Some(Level::Fatal)),
            ("user logged in", None),
            ("", None),
        ] {
            assert_eq!(worst(text).map(|(level, _)| level), expected, "{text}");
        }
    }

    #[test]
    fn the_name_of_the_level_is_no_second_witness() {
        let words = |text, level| worst_beside(text, Some(level)).map(|(_, word)| word);
        assert_eq!(words("KERNEL FATAL machine state register", Level::Fatal), None);
        assert_eq!(words("ERROR: request took 5 s", Level::Error), None);
        assert_eq!(words("WARNING disk is slow", Level::Warn), Some("slow"));
        assert_eq!(words("FATAL error while loading", Level::Fatal), Some("error"));
        // Said twice, it is said in the words as well; and what is no name of a level is not a claim.
        assert_eq!(words("ERROR page error", Level::Error), Some("error"));
        assert_eq!(words("failed to start", Level::Error), Some("failed"));
    }
}
