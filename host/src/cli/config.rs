//! `watchpost config`: what is in effect, what is wrong with a file, and what can be written into one.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use watchpost_detector::{Config, Detector, Document, Line};

use super::console::Console;
use super::document;
use super::exit::Exit;
use super::page::words;

/// Prints, checks and describes configurations.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watchpost config print > watchpost.json
  watchpost config check watchpost.json watchpost.yaml
  watchpost config patterns
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
    /// Checks configurations and prints the first mistake of each as file:line:column: field: message, and of what is fine what
    /// it sets.
    #[command(after_help = "\
Exits with 0 when all files are fine and with 2 when one is not. With --quiet nothing is said of what is fine.

Examples:
  watchpost config check watchpost.yaml
  watchpost config check conf.d/*.json")]
    Check {
        /// The configurations to check, in JSON, YAML or TOML by their extensions.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Lists the patterns that are looked for in log lines: name, severity, whether it alarms, and what it means.
    #[command(after_help = "\
Examples:
  watchpost config patterns
  watchpost config patterns --config watchpost.yaml")]
    Patterns {
        /// The configuration that has patterns of its own or changes those of the library.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
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
    pub(crate) fn run(&self, console: &Console) -> anyhow::Result<Exit> {
        match &self.action {
            Action::Print { config } => print(&document::load(config.as_deref())?),
            Action::Check { files } => check(files, console),
            Action::Patterns { config } => write(&patterns(document::load(config.as_deref())?)),
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

fn check(files: &[PathBuf], console: &Console) -> anyhow::Result<Exit> {
    let mut exit = Exit::Fine;
    for file in files {
        match document::load(Some(file)) {
            Ok(document) => console.note(format_args!("{}: {}", file.display(), sets(&document))),
            Err(invalid) => {
                writeln!(anstream::stderr(), "{invalid}")?;
                exit = Exit::Usage;
            }
        }
    }
    Ok(exit)
}

/// What a document that is fine sets, in one line.
fn sets(document: &Document) -> String {
    let Document { detector } = document;
    if *detector == Config::default() {
        return "fine; everything is as it is by default".to_owned();
    }
    let budget = words::number(detector.false_alarms_per_day.per_day());
    let limits = words::counted(detector.rules.len() as u64, "limit");
    let all = Detector::new(detector.clone()).patterns();
    let library = all.iter().filter(|pattern| pattern.library).count();
    let own = words::counted((all.len() - library) as u64, "pattern");
    let models = detector.models.together.iter().chain(&detector.models.lines).count() as u64;
    format!(
        "fine; {budget} false alarms a day, {limits}, {own} of its own and {library} of the library, {}",
        words::counted(models, "model")
    )
}

/// The patterns of a configuration, a line each.
fn patterns(document: Document) -> String {
    let mut page = String::new();
    for pattern in Detector::new(document.detector).patterns() {
        let alarm = if pattern.alarm { "alarms" } else { "" };
        let severity = words::severity(pattern.severity);
        page.push_str(&format!(
            "{:24} {severity:9} {alarm:7} {}",
            pattern.name, pattern.description
        ));
        page.truncate(page.trim_end().len());
        page.push('\n');
    }
    page
}
