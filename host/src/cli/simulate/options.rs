//! What can be given on the command line, and what is said when it makes no sense.

use std::str::FromStr;

use clap::ValueEnum;
use watchpost::simulate::{Content, Kind, LogForm, MetricForm, RequestForm};

use crate::cli::time::instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StreamName {
    /// A line for each request, as the proxy of every service writes it when the request ends.
    Requests,
    /// Rows of what processes and routes measure, every half minute.
    Metrics,
    /// What the services say.
    Logs,
    /// All three, in the order of time.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatName {
    /// Envoy's access log as JSON.
    EnvoyJson,
    /// Envoy's access log as it is by default.
    EnvoyText,
    /// The combined access log of nginx and Apache.
    #[value(aliases = ["nginx", "apache"])]
    Combined,
    /// One JSON object a line.
    #[value(alias = "json")]
    Ndjson,
    /// A table with a header.
    Csv,
    /// Pairs of keys and values.
    Logfmt,
    /// RFC 5424.
    Syslog,
    /// Time, level, service and message.
    Text,
    /// A line within an object that says how to read it.
    Envelope,
}

/// What a stream is written as.
pub(super) fn content(stream: StreamName, format: Option<FormatName>) -> Result<Content, String> {
    let formats: &[(FormatName, Content)] = match stream {
        StreamName::Requests => &[
            (FormatName::EnvoyJson, Content::Requests(RequestForm::EnvoyJson)),
            (FormatName::EnvoyText, Content::Requests(RequestForm::EnvoyText)),
            (FormatName::Combined, Content::Requests(RequestForm::Combined)),
        ],
        StreamName::Metrics => &[
            (FormatName::Ndjson, Content::Metrics(MetricForm::Ndjson)),
            (FormatName::Csv, Content::Metrics(MetricForm::Csv)),
        ],
        StreamName::Logs => &[
            (FormatName::Ndjson, Content::Logs(LogForm::Json)),
            (FormatName::Logfmt, Content::Logs(LogForm::Logfmt)),
            (FormatName::Syslog, Content::Logs(LogForm::Syslog)),
            (FormatName::Text, Content::Logs(LogForm::Text)),
            (FormatName::Envelope, Content::Logs(LogForm::Envelope)),
        ],
        StreamName::All => &[(FormatName::Ndjson, Content::All)],
    };
    let format = format.unwrap_or(formats[0].0);
    let known = formats.iter().find(|(known, _)| *known == format);
    known.map(|(_, content)| *content).ok_or_else(|| {
        let names: Vec<String> = formats.iter().map(|(format, _)| named(format)).collect();
        format!(
            "`{}` cannot be written as {}; its formats are: {}",
            named(&stream),
            named(&format),
            names.join(", ")
        )
    })
}

fn named(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value().expect("no value is hidden");
    value.get_name().to_owned()
}

pub(super) fn kind(text: &str) -> Result<Kind, String> {
    let name = text.trim().replace('-', "_");
    Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
        let names = Kind::ALL.map(Kind::name);
        format!("the kinds are: {}", names.join(", "))
    })
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    number(text)
        .filter(|rate| *rate > 0.0 && *rate <= MAX_RATE)
        .ok_or_else(|| format!("give a number a second above 0 and up to {MAX_RATE}, for example 10"))
}

/// A tick is held in memory at once.
const MAX_RATE: f64 = 50_000.0;

pub(super) fn speed(text: &str) -> Result<f64, String> {
    number(text)
        .filter(|speed| *speed >= 0.001 && *speed <= 1e6)
        .ok_or_else(|| "give a factor above 0, for example 60 for a minute a second".to_owned())
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// So often a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frequency(f64);

impl Frequency {
    pub(super) fn per_day(self) -> f64 {
        self.0
    }
}

impl FromStr for Frequency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (amount, times) = match text.split_once('/') {
            None => (text, Some(1.0)),
            Some((amount, "d" | "day")) => (amount, Some(1.0)),
            Some((amount, "h" | "hour")) => (amount, Some(24.0)),
            Some((amount, _)) => (amount, None),
        };
        number(amount)
            .zip(times)
            .map(|(amount, times)| amount * times)
            .filter(|per_day| (0.0..=1e4).contains(per_day))
            .map(Frequency)
            .ok_or_else(|| "give a number from 0 on, a day or an hour, for example 8/day or 1/hour".to_owned())
    }
}

/// When a stream begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Start {
    Now,
    /// Unix seconds.
    At(i64),
}

impl Start {
    /// 2026-11-16T08:00:00Z: a Monday morning, with an ordinary amount of traffic.
    pub(super) const DEFAULT: Start = Start::At(1_794_816_000);

    pub(super) fn seconds(self, now: i64) -> i64 {
        match self {
            Start::Now => now,
            Start::At(seconds) => seconds,
        }
    }
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Start::Now);
        }
        instant(text)
            .map(jiff::Timestamp::as_second)
            .filter(|seconds| YEARS.contains(seconds))
            .map(Start::At)
            .ok_or_else(|| "give a time from 1970 to 2200 such as 2026-11-20T09:00:00Z, or now".to_owned())
    }
}

/// Ten years later is still a time that can be read back.
const YEARS: std::ops::Range<i64> = 0..7_258_118_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_are_read_and_refused() {
        let often = |text: &str| text.parse::<Frequency>().ok().map(Frequency::per_day);
        assert_eq!(
            (often("12"), often("12/day"), often("0.5/hour")),
            (Some(12.0), Some(12.0), Some(12.0))
        );
        assert_eq!(
            (often("-1"), often("1/year"), often("nan/h"), often("/h")),
            (None, None, None, None)
        );
    }

    #[test]
    fn starts_are_read_with_and_without_a_zone() {
        let monday = Ok(Start::DEFAULT);
        assert_eq!("2026-11-16T08:00:00Z".parse(), monday);
        assert_eq!("2026-11-16 08:00:00".parse(), monday);
        assert_eq!("2026-11-16T09:00:00+01:00".parse(), monday);
        assert!("2026-11-16".parse::<Start>().is_ok());
        assert!("yesterday".parse::<Start>().is_err());
        assert!("1969-12-31".parse::<Start>().is_err());
    }
}
