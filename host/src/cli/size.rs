//! `watchpost size`: the memory that a configuration can need, before anything is started with it.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use watchpost_detector::Config;

use super::document;
use super::exit::Exit;
use super::report::words;

/// Prints how much memory a detector can need at most under a configuration.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watchpost size
  watchpost size --config watchpost.yaml

Memory is a function of the configuration, never of the traffic: each line is a bound and what one of it can cost.")]
pub(crate) struct Size {
    /// The configuration, in JSON, YAML or TOML by its extension; without it, the default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Size {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        let document = document::load(self.config.as_deref())?;
        let parts = footprint(&document.detector);
        let mut page = Vec::new();
        writeln!(page, "{:24}{:>14}{:>16}{:>16}", "", "at most", "each", "together")?;
        for (name, count, each) in &parts {
            let together = total([&(*name, *count, *each)]);
            let [each, together] = [*each, together].map(|bytes| words::quantity(bytes as f64, Some("B")));
            writeln!(page, "{name:24}{:>14}{each:>16}{together:>16}", words::count(*count))?;
        }
        let all = words::quantity(total(&parts) as f64, Some("B"));
        writeln!(page, "{:54}{all:>16}", "everything")?;
        std::io::stdout().write_all(&page)?;
        Ok(Exit::Fine)
    }
}

fn total<'a>(parts: impl IntoIterator<Item = &'a (&'static str, u64, u64)>) -> u64 {
    parts.into_iter().fold(0, |sum, (_, count, each)| {
        sum.saturating_add(count.saturating_mul(*each))
    })
}

/// The place for `watchpost_detector::footprint`, which will know what each bound costs: until then the bounds, and
/// nothing about their cost.
fn footprint(config: &Config) -> Vec<(&'static str, u64, u64)> {
    let bounds = &config.bounds;
    let [series, metrics, templates] =
        [bounds.max_series, bounds.max_metrics, bounds.max_templates].map(|bound| u64::from(bound.get()));
    vec![
        ("series", series, 0),
        ("metrics of all series", series.saturating_mul(metrics), 0),
        ("templates", templates, 0),
    ]
}
