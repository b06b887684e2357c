//! The command line: of `watchpost score` what makes sense in a sandbox, and what only a program in a pipe needs.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::Value;
use watchpost_detector::FieldName;
use watchpost_detector::wire::Format;
use watchpost_stream::{Exit, Options};

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

    /// History that is learned from and not scored; may be given several times, in order of time.
    #[arg(long, value_name = "PATH")]
    pub(crate) warm_up: Vec<PathBuf>,

    /// The CSV column that names whose row it is; may be given several times or separated by commas.
    #[arg(long, value_name = "COL", value_delimiter = ',')]
    pub(crate) subject: Vec<String>,

    /// What people said of rows, one {"row": 7, "label": "fine"} or "matters" a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) feedback: Option<PathBuf>,

    /// Prints the verdict on every row instead of the alarms.
    #[arg(long, conflicts_with = "pass")]
    pub(crate) scores: bool,

    /// How alarms are printed: `ndjson`, one object a line, is the only way here.
    #[arg(long, value_name = "FORM", default_value = "ndjson")]
    pub(crate) output: Output,

    /// Passes every line on with its verdict in this field: JSON objects get the field, other lines become the
    /// `message` of one.
    #[arg(long, value_name = "FIELD", num_args = 0..=1, require_equals = true, default_missing_value = "watchpost",
        conflicts_with = "scores", value_parser = field)]
    pub(crate) annotate: Option<FieldName>,

    /// Appends what is written to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,

    /// Answers every line of standard input with `OK` on standard output, once what it gave is written; and `OK` once
    /// before the first. For rsyslog's `confirmMessages`.
    #[arg(long, requires = "write")]
    pub(crate) confirm: bool,

    /// Exits with 3 when an alarm was raised or a session was anomalous.
    #[arg(long)]
    pub(crate) exit_code: bool,

    #[command(flatten)]
    pub(crate) options: Options,
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

const FORMATS: [&str; 12] = [
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
    "native-json",
];

fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(FORMATS).try_map(|name| serde_json::from_value(Value::String(name)))
}

fn field(text: &str) -> Result<FieldName, String> {
    FieldName::try_from(text.to_owned())
}
