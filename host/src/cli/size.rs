//! `watchpost size`: the memory that a configuration can need, before anything is started with it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use watchpost::guest::Limits;
use watchpost_detector::{Part, footprint};

use super::document;
use super::exit::Exit;
use super::page::words;

/// Prints how much memory a detector can need under a configuration, in ordinary use and at most.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  watchpost size
  watchpost size --config watchpost.yaml

Memory is a function of the configuration, never of the traffic: each line is a bound, what one of it needs, and what \
all of it needs once the traffic has filled it. What is usual was measured; the most is what hostile input can make \
of it. The figures are those of the native engine; the wasm guest, whose pointers are half as long, needs less.")]
pub(crate) struct Size {
    /// The configuration, in JSON, YAML or TOML by its extension; without it, the default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Size {
    pub(crate) fn run(&self) -> anyhow::Result<Exit> {
        let document = document::load(self.config.as_deref())?;
        let page = page(&footprint(&document.detector), Limits::default().memory_bytes)?;
        std::io::stdout().write_all(page.as_bytes())?;
        Ok(Exit::Fine)
    }
}

/// The parts, a line each, what they add up to, and how that compares with the guest's limit, in bytes.
fn page(parts: &[Part], limit: u64) -> Result<String, std::fmt::Error> {
    let mut page = String::new();
    let name = parts.iter().map(|part| part.name.len()).max().unwrap_or(0) + 2;
    writeln!(
        page,
        "{:name$}{:>10}{:>14}{:>14}{:>14}{:>14}",
        "", "bound", "each, usually", "at most", "all, usually", "at most"
    )?;
    let (mut usually, mut at_most) = (0_u64, 0_u64);
    for part in parts {
        let usual = part.count.saturating_mul(part.usual_bytes);
        let most = part.count.saturating_mul(part.most_bytes);
        let [each, each_at_most, all, all_at_most] = [part.usual_bytes, part.most_bytes, usual, most].map(bytes);
        let bound = words::count(part.count);
        writeln!(
            page,
            "{:name$}{bound:>10}{each:>14}{each_at_most:>14}{all:>14}{all_at_most:>14}",
            part.name
        )?;
        usually = usually.saturating_add(usual);
        at_most = at_most.saturating_add(most);
    }
    let (all, all_at_most) = (bytes(usually), bytes(at_most));
    let rest = name + 10 + 2 * 14;
    writeln!(page, "{:rest$}{all:>14}{all_at_most:>14}", "everything")?;
    let verdict = if at_most <= limit {
        "enough for all of this"
    } else if usually <= limit {
        "enough for what is usual and less than the most"
    } else {
        "less than what is usual: lower the bounds, or give --no-limits"
    };
    writeln!(page, "\nThe wasm guest may use {}: {verdict}.", bytes(limit))?;
    Ok(page)
}

fn bytes(amount: u64) -> String {
    words::quantity(amount as f64, Some("B"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_added_up_and_compared_with_the_limit() {
        let parts = [
            Part {
                name: "series",
                count: 10_000,
                most_bytes: 4096,
                usual_bytes: 1024,
            },
            Part {
                name: "templates of log lines",
                count: 2048,
                most_bytes: 2048,
                usual_bytes: 512,
            },
        ];
        let told = |limit| page(&parts, limit).unwrap();
        assert_eq!(
            told(1 << 20),
            "                             bound each, usually       at most  all, usually       at most\n\
             series                      10,000         1 KiB         4 KiB      9.77 MiB      39.1 MiB\n\
             templates of log lines       2,048         512 B         2 KiB         1 MiB         4 MiB\n\
             everything                                                          10.8 MiB      43.1 MiB\n\
             \n\
             The wasm guest may use 1 MiB: less than what is usual: lower the bounds, or give --no-limits.\n"
        );
        assert!(told(16 << 20).ends_with("16 MiB: enough for what is usual and less than the most.\n"));
        assert!(told(64 << 20).ends_with("64 MiB: enough for all of this.\n"));
    }

    #[test]
    fn columns_are_as_wide_as_their_longest_name() {
        let parts = footprint(&watchpost_detector::Config::default());
        let page = page(&parts, 1 << 30).unwrap();
        let widths: Vec<usize> = page.lines().take(parts.len() + 2).map(str::len).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{page}");
    }

    #[test]
    fn no_configuration_is_too_large_to_be_told() {
        let huge = Part {
            name: "series",
            count: u64::MAX,
            most_bytes: u64::MAX,
            usual_bytes: 1,
        };
        assert!(page(&[huge, huge], 1).is_ok_and(|page| page.contains("everything")));
    }
}
