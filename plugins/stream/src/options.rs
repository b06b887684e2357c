//! The options that every command has.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::Value;
use watchpost_detector::{AlarmRate, Interval, Pass};

/// How a stream is judged, what of it is passed on, and where its state is.
#[derive(Debug, Args)]
pub struct Options {
    /// The configuration in JSON; see `watchpost config schema`.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The time between rows that do not tell theirs, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = interval)]
    pub interval: Interval,

    /// Which lines are passed on: `all`, those that are `normal`, or those that are `anomalous`; a
    /// line that cannot be read is passed on always.
    #[arg(long, value_name = "WHICH", value_parser = passes())]
    pub pass: Option<Pass>,

    /// Of the lines that `--pass` leaves out, passes one in N on as well.
    #[arg(long, value_name = "N", requires = "pass")]
    pub sample: Option<NonZeroU64>,

    /// The detector's state: gone on from when the file exists, and saved at the end and in between.
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,

    /// How often the state is saved while a stream goes on, in seconds; a runtime that is killed cannot save it.
    #[arg(long, value_name = "SECONDS", default_value = "60", requires = "state")]
    pub save_every: u64,

    /// The year of times that name none, as in syslog; otherwise the current one, or the one before where that would be in
    /// the future.
    #[arg(long, value_name = "YYYY", value_parser = clap::value_parser!(i16).range(1678..=2261))]
    pub year: Option<i16>,

    /// The budget of false alarms over all subjects together, instead of the configuration's.
    #[arg(long, value_name = "N", value_parser = alarm_rate)]
    pub false_alarms_per_day: Option<AlarmRate>,

    /// Prints nothing on standard error but errors and rows that could not be read.
    #[arg(long, short)]
    pub quiet: bool,
}

fn passes() -> impl TypedValueParser<Value = Pass> {
    PossibleValuesParser::new(["all", "normal", "anomalous"])
        .try_map(|name| serde_json::from_value(Value::String(name)))
}

fn interval(text: &str) -> Result<Interval, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "give a number of seconds, for example 60".to_owned())?;
    Interval::try_from(seconds)
}

fn alarm_rate(text: &str) -> Result<AlarmRate, String> {
    let rate: f64 = text
        .parse()
        .map_err(|_| "give a number of alarms a day, for example 0.1".to_owned())?;
    AlarmRate::try_from(rate)
}
