//! The figures, for people and for programs.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;

use super::super::envoy::figures::Spread;
use super::Options;
use super::door::{DOORS, NATIVE, Tools};
use super::measure::{Figures, Speed};

/// All that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    wasmtime: String,
    cores: usize,
    rounds: u32,
    lines: u32,
    /// The mean number of threads that wanted to run in the minute before, at the beginning and at the end.
    load: [String; 2],
    inputs: Vec<Table>,
}

/// An input through every door; what is not measured of one is null.
#[derive(Debug, Serialize)]
struct Table {
    input: &'static str,
    bytes_a_line: usize,
    doors: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    door: &'static str,
    start_milliseconds: Spread,
    alarms: Way,
    annotated: Way,
    trip_microseconds: Spread,
    trip_p99_microseconds: Spread,
}

/// One mode of a door.
#[derive(Debug, Serialize)]
struct Way {
    lines_a_second: Spread,
    cpu_microseconds_a_line: Spread,
    /// How many times as long a line takes as through `watchpost score`, each round by itself.
    times: Spread,
    cpu_times: Spread,
}

impl Report {
    pub(crate) fn new(tools: &Tools, options: &Options) -> Result<Self> {
        let output = Command::new(&tools.wasmtime)
            .arg("--version")
            .output()
            .context("start wasmtime")?;
        Ok(Report {
            wasmtime: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            rounds: options.rounds,
            lines: options.lines,
            load: [load(), String::new()],
            inputs: Vec::new(),
        })
    }

    /// What came out of the doors, in their order.
    pub(crate) fn add(&mut self, input: &'static str, bytes_a_line: usize, figures: &[Figures]) {
        let native = DOORS
            .iter()
            .position(|door| door.name == NATIVE)
            .and_then(|at| figures.get(at));
        let doors = DOORS
            .iter()
            .zip(figures)
            .map(|(door, figures)| {
                let native = native.unwrap_or(figures);
                Row {
                    door: door.name,
                    start_milliseconds: Spread::of(figures.start.iter().map(|seconds| seconds * 1e3)),
                    alarms: Way::of(&figures.alarms, &native.alarms),
                    annotated: Way::of(&figures.annotated, &native.annotated),
                    trip_microseconds: Spread::of(figures.trip.iter().copied()),
                    trip_p99_microseconds: Spread::of(figures.trip_p99.iter().copied()),
                }
            })
            .collect();
        self.inputs.push(Table {
            input,
            bytes_a_line,
            doors,
        });
    }

    /// It is over.
    pub(crate) fn over(&mut self) {
        self.load[1] = load();
    }
}

impl Way {
    fn of(speeds: &[Speed], native: &[Speed]) -> Self {
        let rounds = || speeds.iter().zip(native);
        Way {
            lines_a_second: Spread::of(speeds.iter().map(|speed| speed.lines_a_second)),
            cpu_microseconds_a_line: Spread::of(speeds.iter().map(|speed| speed.cpu_microseconds_a_line)),
            times: Spread::of(rounds().map(|(own, native)| native.lines_a_second / own.lines_a_second)),
            cpu_times: Spread::of(
                rounds().map(|(own, native)| own.cpu_microseconds_a_line / native.cpu_microseconds_a_line),
            ),
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [before, after] = &self.load;
        writeln!(
            f,
            "{}; {} rounds of {} lines, medians (min … max); {} cores, load {before} before, {after} after",
            self.wasmtime, self.rounds, self.lines, self.cores
        )?;
        for table in &self.inputs {
            for (mode, way) in [
                ("alarms", (|row| &row.alarms) as fn(&Row) -> &Way),
                ("annotated", |row| &row.annotated),
            ] {
                writeln!(
                    f,
                    "\n{:<48} {:>28} {:>22} {:>12} {:>10}",
                    format!("{}, {} bytes each, {mode}", table.input, table.bytes_a_line),
                    "lines/s",
                    "time of watchpost's",
                    "CPU µs/line",
                    "CPU times"
                )?;
                for row in &table.doors {
                    let way = way(row);
                    if way.lines_a_second.median.is_nan() {
                        continue;
                    }
                    let (speed, times) = (&way.lines_a_second, &way.times);
                    writeln!(
                        f,
                        "{:<48} {:>28} {:>22} {:>12.2} {:>10.2}",
                        row.door,
                        format!("{:.0} ({:.0} … {:.0})", speed.median, speed.min, speed.max),
                        format!("{:.2} ({:.2} … {:.2})", times.median, times.min, times.max),
                        way.cpu_microseconds_a_line.median,
                        way.cpu_times.median
                    )?;
                }
            }
            writeln!(
                f,
                "\n{:<48} {:>28} {:>22} {:>22}",
                format!("{}, one by one", table.input),
                "start and end, ms",
                "there and back, µs",
                "p99, µs"
            )?;
            for row in &table.doors {
                let spread = |of: &Spread| match of.median.is_nan() {
                    true => String::new(),
                    false => format!("{:.0} ({:.0} … {:.0})", of.median, of.min, of.max),
                };
                writeln!(
                    f,
                    "{:<48} {:>28} {:>22} {:>22}",
                    row.door,
                    spread(&row.start_milliseconds),
                    spread(&row.trip_microseconds),
                    spread(&row.trip_p99_microseconds)
                )?;
            }
        }
        Ok(())
    }
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
