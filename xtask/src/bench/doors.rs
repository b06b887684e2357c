//! `cargo xtask bench-doors`: how many lines a second pass through each door to the detector, and how long one line takes
//! there and back; `cat` behind the same pipes is what nobody can be faster than.
//!
//! Only figures of one run may be compared: the doors take turns within every round, and ratios are taken within a round,
//! since the machines that this runs on are shared. Tables go to standard error, JSON to standard output.

mod door;
mod measure;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{process, test, wasm};
use door::{DOORS, Measured, Mode, Tools, Wrapping};
use measure::Figures;
use report::Report;

/// How much is measured.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often the doors take turns.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many lines of each input pass in a round.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(2..))]
    lines: u32,
    /// How many of them pass one by one, so that each is answered before the next one.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    trips: u32,
    /// The program; without it, the one of this workspace is built.
    #[arg(long, value_name = "FILE")]
    watchpost: Option<PathBuf>,
    /// The WASI command; without it, the one of this workspace is built.
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
}

/// What passes through the doors.
struct Input {
    name: &'static str,
    /// What `watchpost simulate` makes it from.
    simulate: &'static [&'static str],
    /// As the option `--input` names it.
    format: &'static str,
}

const INPUTS: [Input; 2] = [
    Input {
        name: "requests as NDJSON",
        simulate: &["requests", "--format", "envoy-json"],
        format: "ndjson",
    },
    Input {
        name: "log lines",
        simulate: &["logs", "--format", "text"],
        format: "text",
    },
];

/// An hour of either has about so many lines.
const LINES_AN_HOUR: u32 = 39_000;

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = process::target()
        .join("bench-doors")
        .join(std::process::id().to_string());
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let tools = tools(options, &folder)?;
    let mut report = Report::new(&tools, options)?;
    for input in &INPUTS {
        let plain = lines(input, options.lines, &tools)?;
        let wrapped = Wrapping::ALL.map(|wrapping| (wrapping, plain.wrapped(wrapping, input.format)));
        let mut figures: Vec<Figures> = DOORS.iter().map(|_| Figures::default()).collect();
        for round in 0..options.rounds {
            eprintln!("doors: {}, round {} of {}", input.name, round + 1, options.rounds);
            for (door, figures) in DOORS.iter().zip(&mut figures) {
                let open = |mode| door.open(&tools, input.format, mode);
                let lines = wrapped.iter().find(|(wrapping, _)| *wrapping == door.wrapping);
                let lines = lines.map_or(&plain, |(_, lines)| lines);
                let context = || format!("the door {}", door.name);
                let start = measure::pass(open(Mode::Alarms)?, lines.first()).with_context(context)?;
                figures.add_start(&start);
                let alarms = match door.measured {
                    Measured::Start => continue,
                    Measured::Annotated => None,
                    Measured::All => Some(measure::pass(open(Mode::Alarms)?, lines.all()).with_context(context)?),
                };
                let annotated = measure::pass(open(Mode::Annotate)?, lines.all()).with_context(context)?;
                // What is reported when the stream is over comes behind the last line.
                ensure!(
                    annotated.lines >= lines.count(),
                    "{} lines of {} came through the door {}",
                    annotated.lines,
                    lines.count(),
                    door.name
                );
                let trips = measure::trips(open(Mode::Annotate)?, lines.all(), options.trips).with_context(context)?;
                figures.add(lines.count() - 1, &start, alarms.as_ref(), &annotated, &trips);
            }
        }
        report.add(input.name, plain.bytes_a_line(), &figures);
    }
    report.over();
    fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    eprintln!("\n{report}");
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn tools(options: &Options, folder: &Path) -> Result<Tools> {
    let watchpost = match &options.watchpost {
        Some(program) => program.clone(),
        None => {
            let target = process::target();
            process::run(
                process::cargo()
                    .args(["build", "--locked", "--release", "--package", "watchpost"])
                    .arg("--target-dir")
                    .arg(&target),
            )?;
            target.join("release").join("watchpost")
        }
    };
    let module = match &options.module {
        Some(file) => file.clone(),
        None => watchpost_guests::build(&watchpost_guests::CLI, &wasm::folder())?.module,
    };
    let vector = watchpost_guests::build(&watchpost_guests::VECTOR, &wasm::folder())?.module;
    let fluent_bit = watchpost_guests::build(&watchpost_guests::FLUENT_BIT, &wasm::folder())?.module;
    let wasmtime = test::wasmtime()?;
    let compiled = |module: &Path, name: &str| -> Result<PathBuf> {
        let compiled = folder.join(name);
        process::run(
            Command::new(&wasmtime)
                .args(["compile", "-o"])
                .args([&compiled, module]),
        )?;
        Ok(compiled)
    };
    let (vector, compiled) = (
        compiled(&vector, "watchpost-vector.cwasm")?,
        compiled(&module, "watchpost-cli.cwasm")?,
    );
    Ok(Tools {
        watchpost,
        wasmtime,
        module,
        compiled,
        vector,
        fluent_bit,
        cache: process::target().join("cache"),
    })
}

/// Lines of an input.
struct Lines {
    text: Vec<u8>,
    first: usize,
    count: u32,
}

impl Lines {
    fn wrapped(&self, wrapping: Wrapping, format: &str) -> Lines {
        let mut wrapped = Lines {
            text: Vec::new(),
            first: 0,
            count: self.count,
        };
        for line in String::from_utf8_lossy(&self.text).lines() {
            wrapped.text.extend(wrapping.wrap(line, format).as_bytes());
            wrapped.text.push(b'\n');
            if wrapped.first == 0 {
                wrapped.first = wrapped.text.len();
            }
        }
        wrapped
    }

    fn first(&self) -> &[u8] {
        self.text.get(..self.first).unwrap_or_default()
    }

    fn all(&self) -> &[u8] {
        &self.text
    }

    fn count(&self) -> u32 {
        self.count
    }

    fn bytes_a_line(&self) -> usize {
        self.text.len() / self.count as usize
    }
}

/// The first lines of what is simulated.
fn lines(input: &Input, count: u32, tools: &Tools) -> Result<Lines> {
    let hours = count / LINES_AN_HOUR + 1;
    let output = Command::new(&tools.watchpost)
        .arg("simulate")
        .args(input.simulate)
        .args(["--seed", "1", "--anomalies", "2/hour", "--duration"])
        .arg(format!("{hours}h"))
        .output()
        .context("start watchpost")?;
    ensure!(
        output.status.success(),
        "watchpost simulate failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut text = output.stdout;
    let ends: Vec<usize> = text
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| at + 1)
        .take(count as usize)
        .collect();
    let (Some(first), Some(last)) = (ends.first().copied(), ends.last().copied()) else {
        anyhow::bail!("watchpost simulate printed nothing");
    };
    text.truncate(last);
    Ok(Lines {
        text,
        first,
        count: u32::try_from(ends.len())?,
    })
}
