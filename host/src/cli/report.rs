//! `watchpost report`: the alarms that a detector inside a proxy has written into its log.

mod budgets;
mod incidents;
mod lines;
mod listing;
mod reading;

use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use serde::Serialize;
use watchpost_detector::{AlarmRate, Role, Timestamp};

use super::console::Console;
use super::document;
use super::exit::Exit;
use super::input;
use super::page::{Output, words};
use super::score::alarm_rate;
use super::time::{Span, instant};
use budgets::Budgets;
use incidents::Incident;
use reading::{InputReport, Reading};

/// Lists the alarms in Envoy's own log by route and upstream, and what another budget would have fired.
///
/// Reads the verdict lines that the Envoy module writes, as text, as JSON or as Istio's proxy log, and passes over
/// everything else. The onset and the end of an episode are one alarm, and so is what several workers saw at the same
/// time. Files may be packed with gzip or zstd; the parts of a rotated log are read oldest first. The NDJSON of `score`
/// is read as well.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watchpost report envoy.log
  watchpost report --since 24h '/var/log/envoy/*.log*'
  watchpost report --since 2026-11-20T18:00:00Z --until 2026-11-21T06:00:00Z --by upstream envoy.log
  kubectl logs deploy/shop -c istio-proxy | watchpost report -
  watchpost report --false-alarms-per-day 1 --output ndjson envoy.log

Which alarms a larger budget would have fired can only be told from near misses, which the detector writes when its \
configuration has `near_misses`. A verdict line that cannot be read is named and left out; only when none can be read \
is the exit code 1.")]
pub(crate) struct Report {
    /// The logs: files, folders and patterns; `-` or none is standard input.
    #[arg(value_name = "PATH")]
    files: Vec<PathBuf>,

    /// Only alarms from then on: a time in RFC 3339, or a span before the end of the log, such as 24h.
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,

    /// Only alarms up to then, given in the same way.
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,

    /// What alarms are listed together by; otherwise by route and upstream, as far as they name them.
    #[arg(long, value_name = "WHAT")]
    by: Option<By>,

    /// Lists what this budget of false alarms would have fired, instead of what was.
    #[arg(long, value_name = "N", value_parser = alarm_rate)]
    false_alarms_per_day: Option<AlarmRate>,

    /// The configuration that the detectors had, which tells their budget; otherwise the default is taken for it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// How alarms are printed: a `table`, one alarm a line as `ndjson`, or one `json` object.
    #[arg(long, value_name = "FORM", default_value = "table")]
    output: Output,

    /// Exits with 3 when there was an alarm in the period.
    #[arg(long)]
    exit_code: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// The route, whatever serves it.
    Route,
    /// The upstream, whatever the route.
    Upstream,
    /// What kind of thing happened.
    Kind,
}

/// One end of a period.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Moment {
    At(Timestamp),
    BeforeEnd(Span),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(nanos) = instant(text).and_then(|instant| i64::try_from(instant.as_nanosecond()).ok()) {
            return Ok(Moment::At(Timestamp::from_nanos(nanos)));
        }
        text.parse()
            .map(Moment::BeforeEnd)
            .map_err(|_| "give a time such as 2026-11-20T09:00:00Z, or a span such as 24h or 30m".to_owned())
    }
}

impl Moment {
    fn of(self, end: Timestamp) -> Timestamp {
        match self {
            Moment::At(time) => time,
            Moment::BeforeEnd(span) => end.plus_seconds(-(span.seconds() as f64)),
        }
    }
}

/// What is told of a period.
#[derive(Serialize)]
struct Told<'a> {
    period: Option<Period>,
    alarms: &'a [&'a Incident],
    budgets: &'a Budgets,
    input: &'a [InputReport],
}

/// From the first to the last time that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Period {
    since: Timestamp,
    until: Timestamp,
}

impl Report {
    pub(crate) fn run(&self, console: &Console) -> anyhow::Result<Exit> {
        let detector = document::load(self.config.as_deref())?.detector;
        let stdin = [PathBuf::from("-")];
        let files = if self.files.is_empty() { &stdin[..] } else { &self.files };
        let sources = input::find(&[(files, Role::Score)], console)?;
        let total = sources.iter().map(input::Source::size).sum::<Option<u64>>();
        let console = console.with_bytes(total);
        let mut reading = Reading::new(&console);
        input::read(
            sources,
            watchpost_detector::wire::Format::Text,
            console.bar(),
            |message| {
                reading.hear(message);
                Ok(())
            },
        )?;
        console.bar().finish_and_clear();

        let read = reading.finish();
        let period = read.span.map(|(first, last)| Period {
            since: self.since.map_or(first, |since| since.of(last)),
            until: self.until.map_or(last, |until| until.of(last)),
        });
        let near_misses_told = detector.near_misses || read.incidents.iter().any(Incident::is_near);
        let within = |incident: &&Incident| {
            let time = incident.anomaly.timestamp;
            let early = self.since.is_some() && period.is_some_and(|period| time < period.since);
            let late = self.until.is_some() && period.is_some_and(|period| time > period.until);
            !early && !late
        };
        let incidents: Vec<&Incident> = read.incidents.iter().filter(within).collect();
        let now = detector.false_alarms_per_day;
        let budgets = Budgets::of(&incidents, now, self.false_alarms_per_day, near_misses_told);
        let budget = self.false_alarms_per_day.unwrap_or(now).per_day();
        let alarms: Vec<&Incident> = incidents
            .into_iter()
            .filter(|incident| incident.fires(budget, now.per_day()))
            .collect();

        let told = Told {
            period,
            alarms: &alarms,
            budgets: &budgets,
            input: &read.inputs,
        };
        self.print(&told)?;
        let found = !alarms.is_empty();
        read.summarise(&console, period);
        match read.outcome()? {
            Exit::Fine if self.exit_code && found => Ok(Exit::Found),
            exit => Ok(exit),
        }
    }

    fn print(&self, told: &Told<'_>) -> anyhow::Result<()> {
        let mut text = Vec::new();
        match self.output {
            Output::Table => {
                listing::write(
                    told,
                    self.by,
                    self.false_alarms_per_day,
                    super::page::width(),
                    &mut text,
                )?;
                let mut stdout = anstream::stdout().lock();
                stdout.write_all(&text)?;
                return Ok(stdout.flush()?);
            }
            Output::Ndjson => {
                for alarm in told.alarms {
                    serde_json::to_writer(&mut text, alarm)?;
                    text.push(b'\n');
                }
            }
            Output::Json => {
                serde_json::to_writer_pretty(&mut text, told)?;
                text.push(b'\n');
            }
        }
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&text)?;
        Ok(stdout.flush()?)
    }
}

impl Period {
    /// `2026-11-16 08:00:00 to 2026-11-16 14:00:00 (6h)`.
    fn told(self) -> String {
        let seconds = self.until.seconds_since(self.since).max(0.0);
        let [since, until] = [self.since, self.until].map(words::moment);
        format!("{since} to {until} ({})", words::span(seconds))
    }
}
