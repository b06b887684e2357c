//! What hostcalls cost, and which of them a request takes.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Bench;
use super::lane::{Case, Lane, upstream};
use super::load::Pace;
use super::pinned::Core;
use super::server::{Server, Start};

/// How often the sequences of the guest have their turn. A turn of all of them is some 10,000 requests.
const TURNS: usize = 10;

/// A sequence of calls at the end of a proxied request, as the guest `hostcalls` measures it.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Cost {
    pub(crate) name: String,
    /// Without the two readings of the clock around it, which are the first sequence.
    pub(crate) nanoseconds: f64,
    count: u64,
    /// Attributes are absent where a client went away, which happens when the load ends.
    refused: u64,
}

/// What passes between Envoy and a module for one request of a known route.
#[derive(Debug, Serialize)]
pub(crate) struct Passing {
    pub(crate) lane: Lane,
    /// How often Envoy enters the module, per request.
    pub(crate) entries: BTreeMap<String, f64>,
    /// How often the module calls Envoy, per request.
    pub(crate) calls: BTreeMap<String, f64>,
}

/// The sequences, measured in a filter.
pub(crate) fn costs(bench: &Bench) -> Result<Vec<Cost>> {
    #[derive(Deserialize)]
    struct Line {
        sequences: Vec<Cost>,
    }
    const PREFIX: &str = "hostcalls: ";
    let server = start(bench, Lane::Hostcalls, false)?;
    let lines = loop {
        bench.load.send(server.envoy.listener, 5, Pace::Closed)?;
        let lines = server.envoy.log_text()?;
        let turns = lines.matches(PREFIX).count();
        eprintln!("bench-envoy: hostcalls, turn {turns} of {TURNS}");
        if turns >= TURNS {
            break lines;
        }
    };
    let last = lines.lines().rev().find_map(|line| line.split_once(PREFIX));
    let (_, json) = last.context("the guest said nothing")?;
    let mut costs: Vec<Cost> = serde_json::from_str::<Line>(json)?.sequences;
    let clocks = costs.first().map_or(0.0, |first| first.nanoseconds);
    for cost in costs.iter_mut().skip(1) {
        cost.nanoseconds -= clocks;
    }
    Ok(costs)
}

/// The calls of every lane that runs a module.
pub(crate) fn counts(bench: &Bench) -> Result<Vec<Passing>> {
    [
        Lane::EmptySdkFilter,
        Lane::AccessLogger,
        Lane::AccessLoggerToService,
        Lane::Filter,
        Lane::FilterToService,
    ]
    .into_iter()
    .map(|lane| {
        let server = start(bench, lane, true)?;
        let seen = bench.load.send(server.envoy.listener, 3, Pace::Moderate)?;
        eprintln!("bench-envoy: calls of {} over {} requests", lane.name(), seen.requests);
        count(lane, &server.envoy.log_text()?)
    })
    .collect()
}

struct Running {
    envoy: Server,
    _upstream: Server,
}

fn start(bench: &Bench, lane: Lane, trace: bool) -> Result<Running> {
    let start = bench.start("upstream");
    let behind = Server::start(&start, &upstream())?;
    let name = format!("calls-{}", lane.file());
    let config = lane.config(&bench.modules, Case::Proxied, behind.listener);
    let start = Start {
        name: &name,
        core: Core::Measured,
        trace,
        ..start
    };
    Ok(Running {
        envoy: Server::start(&start, &config)?,
        _upstream: behind,
    })
}

/// Counts the lines of Envoy's trace in the second half of the requests. What happens on a tick is spread over the
/// requests between two of them.
fn count(lane: Lane, trace: &str) -> Result<Passing> {
    let is_end = |line: &str| line.contains("[host->vm] proxy_on_log(");
    let lines: Vec<&str> = trace.lines().filter(|line| line.contains("[trace][wasm]")).collect();
    let ends: Vec<usize> = (0..lines.len())
        .filter(|index| lines.get(*index).is_some_and(|line| is_end(line)))
        .collect();
    let half = ends.len() / 2;
    let (Some(from), Some(to)) = (ends.get(half), ends.last()) else {
        anyhow::bail!("no request of {} is in the trace", lane.name());
    };
    let mut entries = BTreeMap::new();
    let mut calls = BTreeMap::new();
    for line in lines.get(*from..*to).unwrap_or_default() {
        let (counted, rest) = if let Some((_, rest)) = line.split_once("[host->vm] ") {
            (&mut entries, rest)
        } else if let Some((_, rest)) = line.split_once("[vm->host] ") {
            (&mut calls, rest)
        } else {
            continue;
        };
        let name = rest.split('(').next().unwrap_or(rest).trim_start_matches("env.");
        *counted.entry(name.to_owned()).or_insert(0.0) += 1.0;
    }
    let requests = super::figures::number((ends.len() - half - 1) as u64).max(1.0);
    for count in entries.values_mut().chain(calls.values_mut()) {
        *count /= requests;
    }
    Ok(Passing { lane, entries, calls })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_between_the_ends_of_requests() {
        let request = "x [trace][wasm] y [host->vm] proxy_on_log(3)\n\
            x [trace][wasm] y [vm->host] env.proxy_get_property(1, 2, 3, 4)\n\
            x [trace][wasm] y [host->vm] malloc(8)\n\
            x [trace][wasm] y [host<-vm] malloc return: 8\n\
            x [trace][wasm] y [vm<-host] env.proxy_get_property return: 0\n";
        let passing = count(Lane::Filter, &request.repeat(5)).unwrap();
        assert_eq!(passing.calls, BTreeMap::from([("proxy_get_property".to_owned(), 1.0)]));
        assert_eq!(
            passing.entries,
            BTreeMap::from([("malloc".to_owned(), 1.0), ("proxy_on_log".to_owned(), 1.0)])
        );
    }
}
