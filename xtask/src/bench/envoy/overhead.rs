//! What each lane costs.

use anyhow::Result;
use serde::Serialize;

use super::figures::{Spread, number};
use super::lane::{Case, Lane, upstream};
use super::load::Pace;
use super::pinned::Core;
use super::server::{Server, Start};
use super::{Bench, Options};

/// Enough for V8 to compile what is hot and for the detector to know the routes.
const WARM_UP_SECONDS: u32 = 2;

/// One lane in one case. Times are microseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Overhead {
    pub(crate) case: Case,
    pub(crate) lane: Lane,
    /// Time of Envoy on a core for a request, under as much load as it takes.
    pub(crate) cpu: Spread,
    /// How much more that is than without a filter, in the same round.
    pub(crate) cpu_more: Spread,
    /// That as a part of what no filter takes in the same round: what remains comparable on a busy machine, on which
    /// everything takes more.
    pub(crate) cpu_ratio: Spread,
    pub(crate) requests_per_second: Spread,
    /// That as a part of what is done without a filter in the same round.
    pub(crate) requests_ratio: Spread,
    /// Under as much load as it takes: mostly waiting for a turn.
    pub(crate) saturated_p99: Spread,
    /// The time on a core for a request under moderate load, when caches are colder and more wakeups are needed.
    pub(crate) moderate_cpu: Spread,
    pub(crate) moderate_requests_per_second: Spread,
    pub(crate) moderate_p99: Spread,
}

/// What one lane did in one round.
#[derive(Debug, Clone, Copy)]
struct Round {
    closed: Done,
    moderate: Done,
}

#[derive(Debug, Clone, Copy)]
struct Done {
    cpu: f64,
    per_second: f64,
    p99: f64,
}

/// Measures the lanes, one case after the other.
pub(crate) fn measure(bench: &Bench, options: &Options) -> Result<Vec<Overhead>> {
    let mut lanes = options.lanes.clone();
    if lanes.is_empty() {
        lanes.extend(Lane::COMPARED);
    }
    // What everything is compared with stands first.
    lanes.retain(|lane| *lane != Lane::NoFilter);
    lanes.insert(0, Lane::NoFilter);
    let mut all = Vec::new();
    for case in &options.cases {
        all.extend(measure_case(bench, *case, &lanes, options.rounds, options.seconds)?);
    }
    Ok(all)
}

fn measure_case(bench: &Bench, case: Case, lanes: &[Lane], rounds: u32, seconds: u32) -> Result<Vec<Overhead>> {
    let start = bench.start("upstream");
    let behind = Server::start(&start, &upstream())?;
    let mut servers = Vec::new();
    for lane in lanes {
        let name = format!("{}-{}", case.name(), lane.file());
        let config = lane.config(&bench.modules, case, behind.listener);
        let start = Start {
            name: &name,
            core: Core::Measured,
            ..start
        };
        servers.push(Server::start(&start, &config)?);
    }
    for server in &servers {
        bench.load.send(server.listener, WARM_UP_SECONDS, Pace::Closed)?;
    }
    let mut done: Vec<Vec<Round>> = vec![Vec::new(); servers.len()];
    for round in 0..rounds {
        eprintln!("bench-envoy: {}, round {} of {rounds}", case.name(), round + 1);
        for (server, done) in servers.iter().zip(&mut done) {
            done.push(Round {
                closed: once(bench, server, seconds, Pace::Closed)?,
                moderate: once(bench, server, seconds, Pace::Moderate)?,
            });
        }
    }
    let Some(plain) = done.first().cloned() else {
        return Ok(Vec::new());
    };
    Ok(lanes
        .iter()
        .zip(&done)
        .map(|(lane, rounds)| overhead(case, *lane, rounds, &plain))
        .collect())
}

fn once(bench: &Bench, server: &Server, seconds: u32, pace: Pace) -> Result<Done> {
    let (before, seen) = bench.load.send_after(|| server.cpu(), server.listener, seconds, pace)?;
    let cpu = server.cpu()?.saturating_sub(before);
    Ok(Done {
        cpu: cpu.as_secs_f64() * 1e6 / number(seen.requests),
        per_second: number(seen.requests) / number(seen.microseconds) * 1e6,
        p99: number(seen.p99),
    })
}

fn overhead(case: Case, lane: Lane, rounds: &[Round], plain: &[Round]) -> Overhead {
    let paired = || rounds.iter().zip(plain);
    Overhead {
        case,
        lane,
        cpu: Spread::of(rounds.iter().map(|round| round.closed.cpu)),
        cpu_more: Spread::of(paired().map(|(round, plain)| round.closed.cpu - plain.closed.cpu)),
        cpu_ratio: Spread::of(paired().map(|(round, plain)| round.closed.cpu / plain.closed.cpu)),
        requests_per_second: Spread::of(rounds.iter().map(|round| round.closed.per_second)),
        requests_ratio: Spread::of(paired().map(|(round, plain)| round.closed.per_second / plain.closed.per_second)),
        saturated_p99: Spread::of(rounds.iter().map(|round| round.closed.p99)),
        moderate_cpu: Spread::of(rounds.iter().map(|round| round.moderate.cpu)),
        moderate_requests_per_second: Spread::of(rounds.iter().map(|round| round.moderate.per_second)),
        moderate_p99: Spread::of(rounds.iter().map(|round| round.moderate.p99)),
    }
}
