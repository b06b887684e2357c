//! What was measured, as JSON for programs and as tables for people.

use std::fmt;
use std::fs;
use std::thread;

use serde::{Deserialize, Serialize};

use crate::cost::{Start, State};
use crate::speed::{Lane, Ratio, Speed};

/// Everything that one run measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) rounds: usize,
    pub(crate) speed: Vec<Speed>,
    pub(crate) ratios: Vec<Ratio>,
    pub(crate) start: Start,
    pub(crate) states: Vec<State>,
}

/// The same thing measured several times.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// Where it was measured, and how busy that was.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: Option<String>,
    cores: usize,
    load_before: Option<f64>,
    load_after: Option<f64>,
}

impl Spread {
    pub(crate) fn of(mut measured: Vec<f64>) -> Self {
        measured.sort_by(f64::total_cmp);
        let at = |index: usize| measured.get(index).copied().unwrap_or(f64::NAN);
        let last = measured.len().saturating_sub(1);
        Spread {
            median: f64::midpoint(at(last / 2), at(last.div_ceil(2))),
            least: at(0),
            most: at(last),
        }
    }
}

impl Machine {
    pub(crate) fn now() -> Self {
        let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
        Machine {
            processor,
            cores: thread::available_parallelism().map_or(1, usize::from),
            load_before: load(),
            load_after: None,
        }
    }

    pub(crate) fn over(self) -> Self {
        Machine {
            load_after: load(),
            ..self
        }
    }
}

impl Report {
    /// Every input in one line.
    fn formats(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:16} {:>12} {:>12} {:>10} {:>14} {:>15} {:>13}",
            "input", "items/s wasm", "and native", "MB/s wasm", "wasm / native", "reader / Value", "wasm / Value"
        )?;
        for lanes in self.speed.chunk_by(|one, next| one.input == next.input) {
            let find = |lane| lanes.iter().find(|speed| speed.lane == lane);
            let (Some(wasm), Some(native)) = (find(Lane::Wasm), find(Lane::Native)) else {
                continue;
            };
            let ratio = |of, to| {
                let mut ratios = self.ratios.iter().filter(|ratio| ratio.input == wasm.input);
                let found = ratios.find(|ratio| (ratio.of, ratio.to) == (of, to));
                found.map_or(f64::NAN, |ratio| ratio.ratio.median)
            };
            writeln!(
                f,
                "{:16} {:>12.0} {:>12.0} {:>10.1} {:>14.2} {:>15.2} {:>13.2}",
                wasm.input,
                wasm.items_per_second,
                native.items_per_second,
                wasm.megabytes_per_second,
                ratio(Lane::Wasm, Lane::Native),
                ratio(Lane::Reader, Lane::JsonValue),
                ratio(Lane::Wasm, Lane::JsonValue),
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.formats(f)?;
        writeln!(
            f,
            "\n{:16} {:24} {:>11} {:>8} {:>10} {:>7}",
            "input", "lane", "items/s", "MB/s", "ns/item", "spread"
        )?;
        for speed in &self.speed {
            writeln!(
                f,
                "{:16} {:24} {:>11.0} {:>8.1} {:>10.0} {:>7.2}",
                speed.input,
                speed.lane.name(),
                speed.items_per_second,
                speed.megabytes_per_second,
                speed.ns_per_item.median,
                speed.ns_per_item.most / speed.ns_per_item.least
            )?;
        }
        writeln!(f, "\n{:16} {:44} {:>7} {:>16}", "input", "ratio", "median", "from, to")?;
        for Ratio { input, of, to, ratio } in &self.ratios {
            writeln!(
                f,
                "{input:16} {:44} {:>7.2} {:>16}",
                format!("{} / {}", of.name(), to.name()),
                ratio.median,
                format!("{:.2}, {:.2}", ratio.least, ratio.most)
            )?;
        }
        writeln!(f)?;
        for (name, value) in self.start.rows() {
            writeln!(f, "{name:36} {value:>10.1}")?;
        }
        writeln!(
            f,
            "\n{:7} {:13} {:>8} {:>10} {:>12} {:>12} {:>11} {:>15} {:>13} {:>17}",
            "engine",
            "state",
            "events",
            "guest, MiB",
            "snapshot, KiB",
            "snapshot, ms",
            "restore, ms",
            "RSS before, MiB",
            "RSS peak, MiB",
            "with restore, MiB"
        )?;
        for state in &self.states {
            let [
                engine,
                load,
                events,
                guest,
                snapshot,
                snapshot_ms,
                restore_ms,
                before,
                peak,
                restored,
            ] = state.cells();
            writeln!(
                f,
                "{engine:7} {load:13} {events:>8} {guest:>10} {snapshot:>13} {snapshot_ms:>12} {restore_ms:>11} \
                 {before:>15} {peak:>13} {restored:>17}"
            )?;
        }
        let Machine {
            processor,
            cores,
            load_before,
            load_after,
        } = &self.machine;
        let load = |load: &Option<f64>| load.map_or_else(|| "-".to_owned(), |load| format!("{load:.2}"));
        write!(
            f,
            "\nCPU time of one thread, medians of {} rounds in turn; {}, {cores} cores, load {} before and {} after",
            self.rounds,
            processor.as_deref().unwrap_or("unknown processor"),
            load(load_before),
            load(load_after)
        )
    }
}

/// The mean number of programs that wanted to run in the last minute, where the system tells it.
fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg")
        .ok()?
        .split(' ')
        .next()?
        .parse()
        .ok()
}
