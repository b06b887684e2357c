//! The figures, for people and for programs.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::calls::{Cost, Passing};
use super::figures::{Size, Spread, number};
use super::keeping::{Memory, Starting};
use super::lane::Case;
use super::overhead::Overhead;
use super::{pinned, server};

/// All that was measured; what was not is empty.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) sizes: Vec<Size>,
    pub(crate) overhead: Vec<Overhead>,
    pub(crate) hostcalls: Vec<Cost>,
    pub(crate) requests: Vec<Passing>,
    pub(crate) start: Vec<Starting>,
    pub(crate) memory: Vec<Memory>,
}

/// Where it was measured, and how busy that was with other things.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    envoy: String,
    processor: String,
    cores: usize,
    pinned: bool,
    /// The mean number of threads that wanted to run in the minute before, at the beginning and at the end.
    load: [String; 2],
}

impl Machine {
    pub(crate) fn now(envoy: &Path) -> Result<Self> {
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = processors.lines().find_map(|line| line.strip_prefix("model name"));
        Ok(Machine {
            envoy: server::version(envoy)?,
            processor: model
                .map_or("unknown", |model| model.trim_start_matches([' ', '\t', ':']))
                .to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            pinned: pinned::cores().is_some(),
            load: [load(), String::new()],
        })
    }

    /// It is over.
    pub(crate) fn over(&mut self) {
        self.load[1] = load();
    }
}

impl Report {
    pub(crate) fn new(machine: Machine, sizes: Vec<Size>) -> Self {
        Report {
            machine,
            sizes,
            overhead: Vec::new(),
            hostcalls: Vec::new(),
            requests: Vec::new(),
            start: Vec::new(),
            memory: Vec::new(),
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Machine {
            envoy,
            processor,
            cores,
            pinned,
            load: [before, after],
        } = &self.machine;
        let apart = if *pinned { "on a core of its own" } else { "not pinned" };
        writeln!(
            f,
            "Envoy {envoy}, one worker, {apart}; {processor}, {cores} cores, load {before} before, {after} after"
        )?;
        for case in [Case::Direct, Case::Proxied] {
            let rows: Vec<&Overhead> = self.overhead.iter().filter(|row| row.case == case).collect();
            if !rows.is_empty() {
                writeln!(f)?;
                overhead(f, case.name(), &rows)?;
            }
        }
        if !self.hostcalls.is_empty() {
            writeln!(f, "\n{:<52} {:>8}", "hostcalls at the end of a proxied request", "ns")?;
            for Cost { name, nanoseconds, .. } in &self.hostcalls {
                writeln!(f, "{name:<52} {nanoseconds:>8.0}")?;
            }
        }
        for Passing { lane, entries, calls } in &self.requests {
            writeln!(f, "\n{}, per request", lane.name())?;
            for (what, counts) in [("Envoy enters", entries), ("the module calls", calls)] {
                for (name, count) in counts {
                    writeln!(f, "  {what:<17} {name:<40} {count:>8.3}")?;
                }
            }
        }
        if !self.start.is_empty() {
            writeln!(
                f,
                "\n{:<38} {:>22} {:>22}",
                "start until ready", "ms (min … max)", "CPU ms (min … max)"
            )?;
            let spread = |of: &Spread| format!("{:.0} ({:.0} … {:.0})", of.median, of.min, of.max);
            for row in &self.start {
                let (wall, cpu) = (spread(&row.milliseconds), spread(&row.cpu_milliseconds));
                writeln!(f, "{:<38} {wall:>22} {cpu:>22}", row.lane.name())?;
            }
        }
        if !self.memory.is_empty() {
            writeln!(f)?;
            memory(f, &self.memory)?;
        }
        writeln!(f, "\n{:<38} {:>10} {:>10}", "size", "bytes", "gzip")?;
        for Size { module, raw, gzip } in &self.sizes {
            writeln!(f, "{module:<38} {raw:>10} {gzip:>10}")?;
        }
        Ok(())
    }
}

fn overhead(f: &mut Formatter<'_>, case: &str, rows: &[&Overhead]) -> fmt::Result {
    writeln!(
        f,
        "{case:<38} {:>8} {:>22} {:>6} {:>9} {:>19} {:>8} {:>9} {:>9}",
        "CPU µs", "more µs (min … max)", "times", "req/s", "ratio (min … max)", "p99 µs", "mod. CPU", "mod. p99"
    )?;
    for row in rows {
        let more = format!(
            "{:+.1} ({:+.1} … {:+.1})",
            row.cpu_more.median, row.cpu_more.min, row.cpu_more.max
        );
        let ratio = format!(
            "{:.2} ({:.2} … {:.2})",
            row.requests_ratio.median, row.requests_ratio.min, row.requests_ratio.max
        );
        writeln!(
            f,
            "{:<38} {:>8.1} {more:>22} {:>6.2} {:>9.0} {ratio:>19} {:>8.0} {:>9.1} {:>9.0}",
            row.lane.name(),
            row.cpu.median,
            row.cpu_ratio.median,
            row.requests_per_second.median,
            row.saturated_p99.median,
            row.moderate_cpu.median,
            row.moderate_p99.median,
        )?;
    }
    let moderate = rows.first().map_or(0.0, |row| row.moderate_requests_per_second.median);
    writeln!(
        f,
        "medians of rounds; p99 at saturation is mostly waiting; mod.: at {moderate:.0} requests a second"
    )
}

fn memory(f: &mut Formatter<'_>, rows: &[Memory]) -> fmt::Result {
    let megabytes = |bytes: u64| number(bytes) / 1e6;
    writeln!(
        f,
        "{:<34} {:>7} {:>8} {:>8} {:>8} {:>10} {:>10}",
        "resident memory, MB", "workers", "ready", "warm", "after", "requests", "guest"
    )?;
    for row in rows {
        let guest = row
            .guest
            .map_or_else(|| "-".to_owned(), |guest| format!("{:.2}", megabytes(guest)));
        writeln!(
            f,
            "{:<34} {:>7} {:>8.1} {:>8.1} {:>8.1} {:>10} {guest:>10}",
            row.lane.name(),
            row.workers,
            megabytes(row.ready),
            megabytes(row.warm),
            megabytes(row.after),
            row.requests,
        )?;
    }
    Ok(())
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
