//! `watchpost config`: what is in effect, what is wrong with a file, and what can be written into one.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use watchpost_detector::{Anomaly, Document};

use super::document;
use super::exit::Exit;

/// Prints, checks and describes configurations.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watchpost config print > watchpost.json
  watchpost config check watchpost.json watchpost.yaml
  watchpost config schema > watchpost.schema.json")]
pub(crate) struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Prints the configuration in effect as JSON, with every default filled in.
    #[command(after_help = "\
Examples:
  watchpost config print
  watchpost config print --config watchpost.toml")]
    Print {
        /// The configuration to complete with defaults, in JSON, YAML or TOML by its extension.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Checks configurations and prints each mistake as file:line:column: field: message.
    #[command(after_help = "\
Exits with 0 when all files are fine and with 2 when one is not.

Examples:
  watchpost config check watchpost.yaml
  watchpost config check conf.d/*.json")]
    Check {
        /// The configurations to check, in JSON, YAML or TOML by their extensions.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Prints a JSON schema: of the configuration, of the events read as NDJSON, or of the verdicts written.
    #[command(after_help = "\
Examples:
  watchpost config schema > watchpost.schema.json
  watchpost config schema verdict")]
    Schema {
        /// What to describe.
        #[arg(default_value = "config")]
        of: Described,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Described {
    /// A configuration file.
    Config,
    /// A line of `--input ndjson`.
    Event,
    /// An anomaly, as `--output ndjson` prints it.
    Verdict,
}

impl ConfigCommand {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        match &self.action {
            Action::Print { config } => print(&document::load(config.as_deref())?),
            Action::Check { files } => check(files),
            Action::Schema { of } => print(&match of {
                Described::Config => schemars::schema_for!(Document),
                Described::Event => event_schema(),
                Described::Verdict => schemars::schema_for!(Anomaly),
            }),
        }
    }
}

fn print(value: &impl serde::Serialize) -> anyhow::Result<Exit> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Fine)
}

fn check(files: &[PathBuf]) -> anyhow::Result<Exit> {
    let mut exit = Exit::Fine;
    for file in files {
        if let Err(invalid) = document::load(Some(file)) {
            writeln!(anstream::stderr(), "{invalid}")?;
            exit = Exit::Usage;
        }
    }
    Ok(exit)
}

/// The place for the detector's schema of events, which are read by hand and have no serde type to derive it from.
fn event_schema() -> schemars::Schema {
    schemars::json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Event",
        "type": "object"
    })
}
