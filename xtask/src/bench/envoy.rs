//! `cargo xtask bench-envoy`: what watchpost costs a real Envoy, beside what else one might put there.
//!
//! Only figures of one run may be compared: lanes take turns within every round, and differences and ratios are taken
//! between neighbours, since the machines that this runs on are shared. Tables go to standard error, JSON to standard
//! output.

mod calls;
pub(crate) mod figures;
mod keeping;
mod lane;
mod load;
mod overhead;
mod pinned;
mod report;
mod server;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::{envoy, process, wasm};
use lane::{Case, Lane, Modules};
use load::Load;
use pinned::Core;
use report::{Machine, Report};
use server::Start;

/// How much is measured.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often the lanes take turns.
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long each of them has load in a round, in each of two ways.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// After how many requests memory is measured.
    #[arg(long, default_value_t = 1_000_000)]
    requests: u64,
    /// What is measured.
    #[arg(long, value_delimiter = ',', default_value = "overhead,calls,memory,start")]
    parts: Vec<Part>,
    /// Which lanes are compared with no filter, and looked at for memory; all of them without one.
    #[arg(long, value_delimiter = ',')]
    lanes: Vec<Lane>,
    /// Where requests end.
    #[arg(long, value_delimiter = ',', default_value = "direct,proxied")]
    cases: Vec<Case>,
    /// The module; without it, the one of this workspace is built.
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// The program; without it, the pinned one is installed below the target directory.
    #[arg(long, value_name = "FILE")]
    envoy: Option<PathBuf>,
}

/// What can be measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Time on a core, requests per second and latency of every lane.
    Overhead,
    /// What hostcalls cost, and which of them a request takes.
    Calls,
    /// Memory after many requests.
    Memory,
    /// Time until Envoy is ready.
    Start,
}

/// What everything that is measured needs.
struct Bench {
    envoy: PathBuf,
    modules: Modules,
    load: Load,
    /// Where configurations and logs go; when something fails they are kept for whoever wonders.
    folder: PathBuf,
}

impl Bench {
    /// How an Envoy is started beside the measured one.
    fn start<'a>(&'a self, name: &'a str) -> Start<'a> {
        Start {
            program: &self.envoy,
            folder: &self.folder,
            name,
            workers: 1,
            core: Core::Others,
            trace: false,
        }
    }
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<()> {
    // Of this run alone, since others may be under way.
    let folder = process::target()
        .join("bench-envoy")
        .join(std::process::id().to_string());
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let bench = Bench {
        envoy: match &options.envoy {
            Some(program) => program.clone(),
            None => envoy::binary()?,
        },
        modules: modules(options.module.as_deref())?,
        load: Load::new(&folder)?,
        folder,
    };
    let wants = |part| options.parts.contains(&part);
    let machine = Machine::now(&bench.envoy)?;
    let mut report = Report::new(machine, figures::sizes(&bench.modules)?);
    if wants(Part::Calls) {
        report.hostcalls = calls::costs(&bench)?;
        report.requests = calls::counts(&bench)?;
    }
    if wants(Part::Overhead) {
        report.overhead = overhead::measure(&bench, options)?;
    }
    if wants(Part::Start) {
        report.start = keeping::start(&bench, options.rounds)?;
    }
    if wants(Part::Memory) {
        report.memory = keeping::memory(&bench, options)?;
    }
    report.machine.over();
    fs::remove_dir_all(&bench.folder).with_context(|| format!("remove {}", bench.folder.display()))?;
    eprintln!("\n{report}");
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn modules(watchpost: Option<&Path>) -> Result<Modules> {
    let watchpost = match watchpost {
        Some(file) => file.to_path_buf(),
        None => watchpost_guests::build(&watchpost_guests::ENVOY, &wasm::folder())?.module,
    };
    let envoy = watchpost_guests::ENVOY;
    let guests = watchpost_guests::cargo_dir(&wasm::folder(), envoy.target, envoy.features);
    process::run(
        process::cargo()
            .args(["build", "--quiet", "--locked", "--profile", "guest"])
            .args(["--target", watchpost_guests::ENVOY.target])
            .args([
                "--package",
                "watchpost-empty-filter",
                "--package",
                "watchpost-hostcalls",
            ])
            .env("CARGO_TARGET_DIR", &guests),
    )?;
    let built = |name: &str| {
        guests
            .join("wasm32-unknown-unknown/guest")
            .join(name)
            .canonicalize()
            .with_context(|| format!("there is no {name}"))
    };
    Ok(Modules {
        watchpost: watchpost
            .canonicalize()
            .with_context(|| format!("there is no {}", watchpost.display()))?,
        empty: built("watchpost_empty_filter.wasm")?,
        hostcalls: built("watchpost_hostcalls.wasm")?,
    })
}
