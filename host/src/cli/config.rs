//! `watchpost config`: what is in effect, what is wrong with a file, and what can be written into one.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use watchpost_detector::{Document, Line};

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
    /// Prints a JSON schema: of the configuration, of the events read as NDJSON, or of the lines written.
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
    /// A line that the engine writes: an anomaly, the verdict on a row or a session, a problem, a note.
    Verdict,
}

/// The schema of events is written by hand, as their reader is: it borrows from the line and has no serde type that a
/// schema could be derived from.
const EVENT: &str = include_str!("config/event.schema.json");

impl ConfigCommand {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        match &self.action {
            Action::Print { config } => print(&document::load(config.as_deref())?),
            Action::Check { files } => check(files),
            Action::Schema { of } => match of {
                Described::Config => print(&schemars::schema_for!(Document)),
                Described::Event => write(EVENT),
                Described::Verdict => print(&schemars::schema_for!(Line)),
            },
        }
    }
}

fn print(value: &impl serde::Serialize) -> anyhow::Result<Exit> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    write(&text)
}

fn write(text: &str) -> anyhow::Result<Exit> {
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
