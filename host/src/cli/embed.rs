//! `watchpost embed`: writes a configuration and a state into the module for Fluent Bit.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use watchpost::guest::{Answer, Filter, Given, Limits, Shape};
use watchpost_detector::Timestamp;

use super::console::Console;
use super::document;
use super::exit::{Exit, Usage};

/// Writes a configuration and a state into the module for Fluent Bit, which has no other way to be told anything.
///
/// The module is started once to see that it takes them. What it was given before is replaced.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watchpost embed --config fluent-bit.yaml watchpost-fluent-bit.wasm -o ours.wasm
  watchpost score --state app.state last-week.ndjson
  watchpost embed --state app.state watchpost-fluent-bit.wasm -o warm.wasm

A configuration has the field `detector`, as everywhere, and `relay`: {\"pass\": \"all\", \"sample\": null, \
\"annotate\": \"watchpost\", \"only_strange\": false}. A state belongs to the configuration that it was made with.")]
pub(crate) struct Embed {
    /// The module, `watchpost-fluent-bit.wasm`.
    #[arg(value_name = "MODULE")]
    module: PathBuf,

    /// The configuration, in JSON, YAML or TOML by its extension; the defaults without it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The state to start from, as `watchpost score --state` saves it; without it the module begins with nothing.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Where the new module is written.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

impl Embed {
    pub(crate) fn run(&self, console: &Console) -> anyhow::Result<Exit> {
        let name = self.module.display();
        let module = fs::read(&self.module).with_context(|| format!("cannot read {name}"))?;
        let refused = |why: String| Usage(format!("{name}: {why}"));
        let function = match Shape::of(&module).map_err(|error| refused(error.to_string()))? {
            Shape::Filter(functions) if functions.len() == 1 => functions.concat(),
            _ => return Err(refused("this is not the module for Fluent Bit".to_owned()).into()),
        };
        let given = Given {
            config: self
                .config
                .as_deref()
                .map(document::in_json)
                .transpose()?
                .unwrap_or_default(),
            state: match &self.state {
                Some(path) => Some(fs::read(path).with_context(|| format!("cannot read {}", path.display()))?),
                None => None,
            },
        };
        let embedded = given.write(&module).map_err(|error| refused(error.to_string()))?;
        self.check(&embedded, &function)?;
        fs::write(&self.output, &embedded).with_context(|| format!("cannot write {}", self.output.display()))?;
        console.summary(format_args!("{}: {} bytes", self.output.display(), embedded.len()));
        Ok(Exit::Fine)
    }

    /// The module itself knows best what it takes: it says so in place of a verdict.
    fn check(&self, embedded: &[u8], function: &str) -> anyhow::Result<()> {
        let mut filter = Filter::load(embedded, function, Limits::default(), None)
            .with_context(|| self.module.display().to_string())?;
        let answer = filter.call("", Timestamp::default(), b"{}");
        let problem = match &answer {
            Answer::Record(record) => {
                let record: serde_json::Value = serde_json::from_slice(record)?;
                record["watchpost"]["problem"].as_str().map(str::to_owned)
            }
            Answer::LeftOut => None,
            Answer::Dropped(why) => Some(why.clone()),
        };
        match problem {
            None => Ok(()),
            Some(why) => {
                let files: Vec<String> = [&self.config, &self.state]
                    .into_iter()
                    .flatten()
                    .map(|path| path.display().to_string())
                    .collect();
                // The module was given JSON in one line: where in that it is says nothing of the file.
                let why = why
                    .split_once("field `")
                    .map_or(why.clone(), |(_, at)| format!("field `{at}"));
                Err(Usage(format!("{}: {why}", files.join(", "))).into())
            }
        }
    }
}
