//! Times and spans of time as they are given on the command line.

use std::str::FromStr;

/// An instant in RFC 3339, of UTC where it names no zone.
pub(crate) fn instant(text: &str) -> Option<jiff::Timestamp> {
    let utc = jiff::tz::TimeZone::UTC;
    let zoned = text.parse::<jiff::Timestamp>().ok();
    let plain = || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(utc).ok();
    zoned.or_else(|| plain().map(|zoned| zoned.timestamp()))
}

/// A length of time above nothing, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span(i64);

impl Span {
    pub(crate) fn hours(hours: i64) -> Self {
        Span(hours * 3600)
    }

    pub(crate) fn days(days: i64) -> Self {
        Span(days * 86_400)
    }

    pub(crate) fn seconds(self) -> i64 {
        self.0
    }
}

/// Ten years.
const LONGEST: i64 = 3_660 * 86_400;

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut rest = text.trim();
        let mut seconds: i64 = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (amount, after) = rest.split_at(digits);
            let unit = match after.bytes().next() {
                Some(b's') => 1,
                Some(b'm') => 60,
                Some(b'h') => 3600,
                Some(b'd') => 86_400,
                Some(b'w') => 604_800,
                _ => return Err(Self::advice()),
            };
            let amount: i64 = amount.parse().map_err(|_| Self::advice())?;
            seconds = amount
                .checked_mul(unit)
                .and_then(|part| part.checked_add(seconds))
                .ok_or_else(Self::advice)?;
            rest = after[1..].trim_start();
        }
        match seconds {
            1..=LONGEST => Ok(Span(seconds)),
            _ => Err(Self::advice()),
        }
    }
}

impl Span {
    fn advice() -> String {
        "give a span above 0 and up to ten years, for example 6h, 30m or 1d12h".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_refused() {
        let span = |text: &str| text.parse::<Span>().ok().map(Span::seconds);
        assert_eq!(span("6h"), Some(21_600));
        assert_eq!(span("1d12h"), Some(129_600));
        assert_eq!(span("1h 30m"), Some(5_400));
        for text in [
            "",
            "0",
            "0h",
            "6",
            "h",
            "-1h",
            "6ä",
            "1y",
            "99999999999999999999d",
            "9999999w",
        ] {
            assert_eq!(span(text), None, "{text}");
        }
    }
}
