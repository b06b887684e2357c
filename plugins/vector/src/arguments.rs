//! The command line.

use std::net::SocketAddr;

use clap::{Parser, ValueEnum};
use watchpost_detector::FieldName;
use watchpost_stream::Options;

/// Finds what is strange in Vector's events: reads them in `native_json`, one a line, and writes them with their verdicts.
///
/// Logs and traces get a field; metrics that are anomalous get a tag, `<field>_anomaly`. What is no event of Vector's is
/// passed on as it came.
#[derive(Debug, Parser)]
#[command(
    name = "watchpost-vector",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  wasmtime run watchpost-vector.wasm < events.ndjson > annotated.ndjson
  wasmtime run -S inherit-network watchpost-vector.wasm --listen 127.0.0.1:9471
  wasmtime run --dir /var/lib/watchpost watchpost-vector.wasm --state /var/lib/watchpost/app.state
  wasmtime run watchpost-vector.wasm --emit log < events.ndjson

Exit codes:
  0  everything was read, or the reader of the output has gone
  1  something failed, none of the events could be read, or the command line or a configuration is wrong"
)]
pub(crate) struct Arguments {
    /// Takes events from connections to this address, as many as come, instead of from standard input; for ever.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,

    /// The field of verdicts in logs and traces, and how the tag of metrics begins.
    #[arg(long, value_name = "FIELD", default_value = "watchpost", value_parser = field,
        conflicts_with_all = ["verbatim", "emit"])]
    pub(crate) field: FieldName,

    /// Passes events on without their verdicts: to choose them by `--pass`.
    #[arg(long)]
    pub(crate) verbatim: bool,

    /// Writes what is told of episodes and sessions as events of their own, and passes nothing on.
    #[arg(long, value_name = "KIND", conflicts_with_all = ["pass", "verbatim"])]
    pub(crate) emit: Option<Emit>,

    #[command(flatten)]
    pub(crate) options: Options,
}

/// What a verdict of its own is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Emit {
    /// A log, with all that is known.
    Log,
    /// A gauge, `watchpost_score`: the score of the episode of a subject, and 0 when it is over.
    Metric,
}

fn field(text: &str) -> Result<FieldName, String> {
    FieldName::try_from(text.to_owned())
}
