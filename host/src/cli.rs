//! The command line: what every subcommand shares, and one file for each of them.

mod completions;
mod config;
mod console;
mod demo;
mod document;
mod embed;
mod engine;
pub(crate) mod exit;
mod input;
mod page;
mod report;
mod run;
mod score;
mod simulate;
mod size;
mod state;
mod time;
mod vector;
mod verdicts;

use clap::{Parser, Subcommand, ValueEnum};

use console::Console;
use exit::Exit;

/// Finds what is strange in metrics, requests and log lines, where they arise.
///
/// Watchpost learns what is normal for every subject it sees, scores each event before it learns from it, and
/// spends one budget of false alarms over all of them. Every alarm says what was seen, what was expected, and
/// what would have been normal.
#[derive(Debug, Parser)]
#[command(name = "watchpost", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,

    /// Prints nothing on standard error but errors and rows that could not be read.
    #[arg(long, short, global = true)]
    quiet: bool,

    /// Whether to use colours; `auto` does on a terminal unless NO_COLOR is set.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
}

const EXAMPLES: &str = "\
Examples:
  watchpost demo                 two days of a small shop, with three things going wrong
  watchpost score metrics.csv    the episodes in a file, as a table
  tail -f app.log | watchpost score --output ndjson -
                                 each alarm as soon as it is raised

Exit codes:
  0    done
  1    something failed, or none of the rows could be read
  2    the command line or a configuration is wrong
  3    anomalies were found (only with --exit-code)
  6    the engine reached a limit of its sandbox
  130  interrupted; what was done so far was printed and saved";

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Score(score::Score),
    Report(report::Report),
    Simulate(simulate::Simulate),
    Vector(vector::Vector),
    Size(size::Size),
    Run(run::Run),
    Embed(embed::Embed),
    Config(config::ConfigCommand),
    Completions(completions::Completions),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Also into pipes and files.
    Always,
    /// Not at all.
    Never,
}

impl Arguments {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        match self.color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
        let console = Console::new(self.quiet);
        match self.command {
            Command::Demo(demo) => demo.run(&console),
            Command::Score(score) => score.run(&console),
            Command::Report(report) => report.run(&console),
            Command::Simulate(simulate) => simulate.run(&console),
            Command::Vector(vector) => vector.run(&console),
            Command::Size(size) => size.run(),
            Command::Run(run) => run.run(&console),
            Command::Embed(embed) => embed.run(&console),
            Command::Config(config) => config.run(&console),
            Command::Completions(completions) => completions.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    /// Help is documentation: everything that can be given is explained, and every command shows how it is used.
    #[test]
    fn every_option_is_explained_and_every_command_has_an_example() {
        fn check(command: &clap::Command) {
            assert!(
                command.get_about().is_some(),
                "{} has no description",
                command.get_name()
            );
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(
                    help.len() > 15,
                    "{} of {}: {help:?}",
                    argument.get_id(),
                    command.get_name()
                );
            }
            assert!(
                command
                    .get_after_help()
                    .is_some_and(|help| help.to_string().contains("watchpost")),
                "{} shows no example",
                command.get_name()
            );
            command.get_subcommands().for_each(check);
        }
        check(&Arguments::command());
    }
}
