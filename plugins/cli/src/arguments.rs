//! The command line: of `watchpost score` what makes sense in a sandbox, and what only a program in a pipe needs.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::Value;
use watchpost_detector::wire::Format;
use watchpost_detector::{AlarmRate, FieldName, Interval, Pass};

use crate::Exit;
use crate::run;

/// Finds what is strange in metrics, requests and log lines: the detector of Watchpost as a WASI command.
#[derive(Debug, Parser)]
#[command(name = "watchpost-cli", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Score(Score),
}

/// Scores events from standard input or files, and writes what is strange in them to standard output.
///
/// Events are scored in the order in which they come, each before it is learned from. What was found is written before
/// the next bytes are waited for. Files need a folder that the runtime gives, as with `wasmtime run --dir .`; packed
/// files are for `watchpost score` or a pipe from `zcat`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wasmtime run watchpost-cli.wasm score < app.log
  tail -F app.log | wasmtime run --dir . watchpost-cli.wasm score --state app.state
  wasmtime run watchpost-cli.wasm score --annotate < events.ndjson > annotated.ndjson
  wasmtime run watchpost-cli.wasm score --pass anomalous --sample 100 < app.log > short.log

Exit codes:
  0  everything was read, or the reader of the output has gone
  1  something failed, or none of the rows could be read
  2  the command line or a configuration is wrong
  3  anomalies were found (only with --exit-code)")]
pub(crate) struct Score {
    /// The inputs, read one after the other; `-` or none is standard input.
    #[arg(value_name = "PATH")]
    pub(crate) files: Vec<PathBuf>,

    /// The format of the inputs; `auto` finds it out for each from its first lines.
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = formats())]
    pub(crate) input: Format,

    /// The configuration in JSON; see `watchpost config schema`.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// History that is learned from and not scored; may be given several times, in order of time.
    #[arg(long, value_name = "PATH")]
    pub(crate) warm_up: Vec<PathBuf>,

    /// The time between rows that do not tell theirs, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = interval)]
    pub(crate) interval: Interval,

    /// The CSV column that names whose row it is; may be given several times or separated by commas.
    #[arg(long, value_name = "COL", value_delimiter = ',')]
    pub(crate) subject: Vec<String>,

    /// What people said of rows, one {"row": 7, "label": "fine"} or "matters" a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) feedback: Option<PathBuf>,

    /// Prints the verdict on every row instead of the alarms.
    #[arg(long)]
    pub(crate) scores: bool,

    /// How alarms are printed: `ndjson`, one object a line, is the only way here.
    #[arg(long, value_name = "FORM", default_value = "ndjson")]
    pub(crate) output: Output,

    /// Passes every line on with its verdict in this field: JSON objects get the field, other lines become the
    /// `message` of one.
    #[arg(long, value_name = "FIELD", num_args = 0..=1, require_equals = true, default_missing_value = "watchpost",
        conflicts_with = "scores", value_parser = field)]
    pub(crate) annotate: Option<FieldName>,

    /// Passes lines on instead of printing alarms: `all`, those that are `normal`, or those that are `anomalous`; a
    /// line that cannot be read is passed on always.
    #[arg(long, value_name = "WHICH", conflicts_with = "scores", value_parser = passes())]
    pub(crate) pass: Option<Pass>,

    /// Of the lines that `--pass` leaves out, passes one in N on as well.
    #[arg(long, value_name = "N", requires = "pass")]
    pub(crate) sample: Option<NonZeroU64>,

    /// Appends what is written to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,

    /// Answers every line of standard input with `OK` on standard output, once what it gave is written; and `OK` once
    /// before the first. For rsyslog's `confirmMessages`.
    #[arg(long, requires = "write")]
    pub(crate) confirm: bool,

    /// The detector's state: gone on from when the file exists, and saved at the end and in between.
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,

    /// How often the state is saved while a stream goes on, in seconds; a runtime that is killed cannot save it.
    #[arg(long, value_name = "SECONDS", default_value = "60", requires = "state")]
    pub(crate) save_every: u64,

    /// The year of times that name none, as in syslog; otherwise the current one.
    #[arg(long, value_name = "YYYY", value_parser = clap::value_parser!(i16).range(1678..=2261))]
    pub(crate) year: Option<i16>,

    /// The budget of false alarms over all subjects together, instead of the configuration's.
    #[arg(long, value_name = "N", value_parser = alarm_rate)]
    pub(crate) false_alarms_per_day: Option<AlarmRate>,

    /// Exits with 3 when an alarm was raised or a session was anomalous.
    #[arg(long)]
    pub(crate) exit_code: bool,

    /// Prints nothing on standard error but errors and rows that could not be read.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// One JSON object a line.
    Ndjson,
}

impl Arguments {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let Command::Score(score) = self.command;
        run::score(&score)
    }
}

const FORMATS: [&str; 11] = [
    "auto",
    "ndjson",
    "csv",
    "text",
    "logfmt",
    "syslog",
    "access",
    "envoy",
    "kubernetes",
    "otlp",
    "prometheus",
];

fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(FORMATS).try_map(|name| serde_json::from_value(Value::String(name)))
}

fn passes() -> impl TypedValueParser<Value = Pass> {
    PossibleValuesParser::new(["all", "normal", "anomalous"])
        .try_map(|name| serde_json::from_value(Value::String(name)))
}

fn field(text: &str) -> Result<FieldName, String> {
    FieldName::try_from(text.to_owned())
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
