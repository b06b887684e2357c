//! `watchpost run`: runs a module as the host would that it was made for.

mod records;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use watchpost::guest::{Command, Filter, Limits, Shape};
use watchpost_detector::{Interval, Role};

use super::console::Console;
use super::exit::{Exit, Usage};
use super::input;
use super::score::interval;
use records::Records;

/// Runs a wasm module as the host would that it was made for: a command of WASI, or a filter of Fluent Bit.
///
/// What it is is told by what it exports. A command gets the standard streams, what stands behind `--` as its arguments,
/// and the folders of `--dir`; its exit code becomes that of `watchpost`. A filter gets records from files or standard
/// input, one after the other as the agent hands them over, and what it makes of them goes to standard output.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watchpost run --dir . watchpost-cli.wasm -- score --state app.state < app.log
  watchpost run watchpost-fluent-bit.wasm app.ndjson > annotated.ndjson

A line that is no JSON object becomes the record {\"log\": …}, as it does in the agent. A record for which the filter \
traps, or returns anything but a JSON object, is left out as the agent leaves it out, and named; the exit code is then 1. \
A record for which it returns an empty text is left out because the filter wants that. The time that goes with a record \
is one interval after that of the record before it, from 1970 on: what counts is the record's own, where it has one.

Exit codes:
  0    done
  1    the module cannot be loaded, it trapped, or records were dropped
  2    the command line is wrong, or the module is nothing that can be run
  6    a command reached its limit of memory or of fuel
  n    whatever a command ends with")]
pub(crate) struct Run {
    /// The module, a wasm file: a core module or a component.
    #[arg(value_name = "MODULE")]
    module: PathBuf,

    /// The records for a filter, as JSON objects one a line: files, folders and patterns; `-` or none is standard input.
    #[arg(value_name = "PATH")]
    files: Vec<PathBuf>,

    /// The arguments of a command.
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,

    /// A folder that a command may read and write, and what it sees it as; may be given several times.
    #[arg(long, value_name = "FOLDER[::NAME]", value_parser = folder)]
    dir: Vec<(PathBuf, String)>,

    /// A variable for the environment of a command, which is empty otherwise; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,

    /// Lets a command open sockets and look up names.
    #[arg(long)]
    network: bool,

    /// The most memory that the module may have, in MiB.
    #[arg(long, value_name = "MIB", default_value = "640", value_parser = clap::value_parser!(u64).range(1..=4096))]
    memory: u64,

    /// How many instructions a command may take altogether, or a filter for one record. Without it a command may take as
    /// many as it likes, and a filter some hundred times what a record of the same length should take.
    #[arg(long, value_name = "N")]
    fuel: Option<u64>,

    /// The tag of the records that a filter gets.
    #[arg(long, default_value = "watchpost")]
    tag: String,

    /// The function of a filter, as `function_name` in the agent's configuration; needed when it has several.
    #[arg(long, value_name = "NAME")]
    function: Option<String>,

    /// The time between records that a filter gets, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = interval)]
    interval: Interval,
}

impl Run {
    pub(crate) fn run(&self, console: &Console) -> anyhow::Result<Exit> {
        let name = self.module.display();
        let bytes = fs::read(&self.module).with_context(|| format!("cannot read {name}"))?;
        let shape = Shape::of(&bytes).map_err(|error| Usage(format!("{name}: {error}")))?;
        match &shape {
            Shape::Command | Shape::Component => self.command(&bytes, &shape),
            Shape::Filter(functions) => self.filter(&bytes, functions, console),
            Shape::Engine => Err(self.refused("this is an engine: run it with `watchpost score --engine FILE`")),
            Shape::ProxyWasm => {
                Err(self
                    .refused("this is a proxy-wasm module, which `watchpost run` does not drive yet: run it in Envoy"))
            }
            _ => Err(self.refused("this is nothing that `watchpost run` drives")),
        }
    }

    fn refused(&self, why: &str) -> anyhow::Error {
        Usage(format!("{}: {why}", self.module.display())).into()
    }

    fn command(&self, bytes: &[u8], shape: &Shape) -> anyhow::Result<Exit> {
        if let Some(argument) = self.files.first() {
            let argument = argument.display();
            return Err(self.refused(&format!(
                "this is a command, whose arguments stand behind `--`: write `-- {argument}`"
            )));
        }
        let name = self
            .module
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let command = Command {
            arguments: [name].into_iter().chain(self.arguments.iter().cloned()).collect(),
            environment: self.env.clone(),
            folders: self.dir.clone(),
            network: self.network,
            memory_bytes: self.memory << 20,
            fuel: self.fuel,
        };
        let code = command
            .run(bytes, shape)
            .with_context(|| self.module.display().to_string())?;
        // As a shell would see it.
        Ok(Exit::Program(code as u8))
    }

    fn filter(&self, bytes: &[u8], functions: &[String], console: &Console) -> anyhow::Result<Exit> {
        if !self.arguments.is_empty() || !self.dir.is_empty() || !self.env.is_empty() || self.network {
            let why = "this is a filter of Fluent Bit, which has no arguments, folders, environment or network";
            return Err(self.refused(why));
        }
        let function = match (&self.function, functions) {
            (Some(function), functions) if functions.contains(function) => function,
            (None, [function]) => function,
            (_, functions) => {
                let functions = functions.join(", ");
                return Err(self.refused(&format!("name one of its functions with `--function`: {functions}")));
            }
        };
        let limits = Limits {
            memory_bytes: self.memory << 20,
            ..Limits::default()
        };
        let filter =
            Filter::load(bytes, function, limits, self.fuel).with_context(|| self.module.display().to_string())?;
        if filter.has_small_heap() {
            console.problem(format_args!(
                "{}: it does not export `malloc` and `free`: the agent has {} bytes for a tag and a record, and larger \
                 records arrive as null pointers",
                self.module.display(),
                Filter::OWN_HEAP
            ));
        }
        let stdin = [PathBuf::from("-")];
        let files = if self.files.is_empty() { &stdin[..] } else { &self.files };
        let sources = input::find(&[(files, Role::Score)], console)?;
        Records::new(filter, &self.tag, self.interval, console).pass(sources)
    }
}

fn folder(text: &str) -> Result<(PathBuf, String), String> {
    let (folder, name) = text.split_once("::").unwrap_or((text, text));
    if folder.is_empty() || name.is_empty() {
        return Err("give a folder, and after `::` what the command sees it as".to_owned());
    }
    Ok((Path::new(folder).to_owned(), name.to_owned()))
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("give a name and a value, for example TZ=UTC".to_owned()),
    }
}
