//! `cargo bench -p watchpost --bench throughput`, or `cargo xtask bench`: how fast events are scored end to end on
//! one core, natively and in wasm, and what starting and keeping an engine costs.
//!
//! Only figures of one run may be divided. Lanes take turns within a round, and times are CPU times of the thread
//! that works, since the machines that this runs on are shared. Tables go to standard error, JSON to standard output.
//!
//! `--rounds N` sets how often. Without `--bench`, which Cargo passes for `cargo bench` only, or with `--test`, it is
//! a test: every lane runs once on a few lines, and nothing is printed, since it would mean nothing.

mod cost;
mod inputs;
mod report;
mod speed;

use std::env;

use anyhow::Context;
use cost::{COMPONENT, Load, Task};
use report::{Machine, Report};
use speed::Modules;

/// How much is measured.
struct Extent {
    rounds: usize,
    /// Of each input.
    bytes: usize,
    /// How often the module is compiled; what is faster is repeated more often.
    loads: usize,
    states: &'static [Load],
}

const BENCH: Extent = Extent {
    rounds: 15,
    bytes: 3_000_000,
    loads: 5,
    states: &[
        Load::Demo,
        Load::Series {
            count: 1,
            minutes: 2_000,
        },
        Load::Series {
            count: 100,
            minutes: 1_500,
        },
        Load::Series {
            count: 1_000,
            minutes: 200,
        },
        Load::Series {
            count: 10_000,
            minutes: 60,
        },
    ],
};

const TEST: Extent = Extent {
    rounds: 1,
    bytes: 20_000,
    loads: 1,
    states: &[Load::Series { count: 10, minutes: 20 }],
};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [first, task] = &arguments[..]
        && first == Task::ARGUMENT
    {
        return serde_json::from_str::<Task>(task)?.perform();
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let is_bench = has("--bench") && !has("--test");
    // As the other tests, it runs unless others were asked for.
    let is_asked_for = |filter: &String| filter.starts_with('-') || "throughput".contains(filter.as_str());
    if !is_bench && !arguments.is_empty() && !arguments.iter().any(is_asked_for) {
        return Ok(());
    }
    let mut extent = if is_bench { BENCH } else { TEST };
    if let Some(at) = arguments.iter().position(|argument| argument == "--rounds") {
        let rounds = arguments.get(at + 1).and_then(|rounds| rounds.parse().ok());
        extent.rounds = rounds
            .filter(|rounds| *rounds > 0)
            .context("--rounds takes a whole number above 0")?;
    }
    let report = measure(&extent)?;
    let (table, json) = (report.to_string(), serde_json::to_string(&report)?);
    if is_bench {
        eprintln!("\n{table}");
        println!("{json}");
    }
    Ok(())
}

fn measure(extent: &Extent) -> anyhow::Result<Report> {
    let machine = Machine::now();
    let modules = Modules::load(COMPONENT)?;
    let inputs = inputs::all(extent.bytes)?;
    let speed = speed::measure(&modules, &inputs, extent.rounds, |round| {
        eprintln!("throughput: round {} of {}", round + 1, extent.rounds);
    })?;
    eprintln!("throughput: starting engines");
    let start = cost::start(extent.loads)?;
    eprintln!("throughput: filling engines");
    let states = cost::states(extent.states)?;
    Ok(Report {
        rounds: extent.rounds,
        ratios: speed::ratios(&speed),
        speed,
        start,
        states,
        machine: machine.over(),
    })
}
