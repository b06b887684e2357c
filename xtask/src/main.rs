//! Every task of a developer as a cargo command: `cargo xtask <task>`.

mod bench;
mod browser;
mod check;
mod debian;
mod envoy;
mod eval;
mod fuzz;
mod npm;
mod process;
mod python;
mod record;
mod release;
mod test;
mod wasm;
mod www;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Every task of a developer.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Format, lints, documentation, dependencies.
    Check,
    /// Everything that is tested, or only the tests whose name contains a filter; `browser` stands for those in a browser.
    Test {
        /// Part of a test's name.
        filter: Option<String>,
    },
    /// Builds the plugins into target/wasm.
    Wasm,
    /// Builds the playground into target/www, a folder of static files and target/www.zip, and serves it on this machine.
    Www(www::Options),
    /// Writes every golden file anew: expectations, schemas, printed pages; read the difference before you keep it.
    Bless,
    /// Measures speed, memory and sizes: tables on standard error, JSON on standard output.
    Bench {
        /// Passed on to the bench, for example `--rounds 5`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        further: Vec<String>,
    },
    /// Measures a part of the detector alone, natively and in wasm, in the form in which other programs that do the same
    /// are measured: JSON on standard output.
    BenchPeers {
        /// The part: `logs` for templates of lines.
        part: String,
        /// What it reads.
        file: PathBuf,
    },
    /// Measures what watchpost costs a real Envoy, beside other filters: tables on standard error, JSON on standard output.
    BenchEnvoy(bench::envoy::Options),
    /// Measures how fast lines pass through each door to the detector, and how long one line takes there and back: tables
    /// on standard error, JSON on standard output.
    BenchDoors(bench::doors::Options),
    /// Fuzzes everything that reads bytes from outside, where there is a nightly compiler.
    Fuzz {
        /// The targets, of `tests/fuzz/targets`; all of them without one.
        targets: Vec<String>,
        /// How long each of them runs.
        #[arg(long, default_value = "60")]
        seconds: u32,
    },
    /// Builds what is released: the archive for this machine's target, and the Envoy module as an OCI image.
    Release,
    /// Records a real Envoy in front of small services that are made to fail, in real time: 67 minutes, or as the
    /// schedule says. It needs python3 and openssl.
    Record {
        /// What happens when; tests/recording/schedule.json without it, and tests/recording/smoke.json takes three
        /// minutes.
        #[arg(long)]
        schedule: Option<PathBuf>,
        /// The folder for the result, which must not be there; target/recording without it.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Measures detection quality on labelled data that is kept outside of this project.
    Eval {
        /// The folder of the data; the scripts are expected in `eval` beside it.
        data: PathBuf,
        /// Passed on to the scripts.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        further: Vec<String>,
    },
    /// Tells what leaving out one group of series at a time does to the figures on metrics.
    EvalGroups {
        /// The folder of the data; the scripts are expected in `eval` beside it.
        data: PathBuf,
        /// An earlier `watchpost` that the figures are compared with.
        #[arg(long)]
        against: Option<PathBuf>,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Check => check::run(),
        Task::Test { filter } => test::run(filter.as_deref()),
        Task::Wasm => wasm::build(),
        Task::Www(options) => www::run(&options),
        Task::Bless => test::bless(),
        Task::Bench { further } => bench::run(&further),
        Task::BenchPeers { part, file } => bench::peers(&part, &file),
        Task::BenchEnvoy(options) => bench::envoy::run(&options),
        Task::BenchDoors(options) => bench::doors::run(&options),
        Task::Fuzz { targets, seconds } => fuzz::run(&targets, seconds),
        Task::Release => release::run(),
        Task::Record { schedule, out } => record::run(schedule, out),
        Task::Eval { data, further } => eval::run(&data, &further),
        Task::EvalGroups { data, against } => eval::groups(&data, against.as_deref()),
    }
}
