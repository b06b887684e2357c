//! What it takes to start and to keep an Envoy with a module.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::figures::{Spread, number};
use super::lane::{Case, Lane};
use super::load::Pace;
use super::pinned::Core;
use super::server::{Server, Start};
use super::{Bench, Options};

/// From starting the program until it is ready.
#[derive(Debug, Serialize)]
pub(crate) struct Starting {
    pub(crate) lane: Lane,
    pub(crate) milliseconds: Spread,
    /// What all cores together had to do until then.
    pub(crate) cpu_milliseconds: Spread,
}

/// Memory of an Envoy, in bytes.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) lane: Lane,
    pub(crate) workers: u32,
    /// When it was ready.
    pub(crate) ready: u64,
    /// After some seconds of load.
    pub(crate) warm: u64,
    /// After all requests.
    pub(crate) after: u64,
    pub(crate) requests: u64,
    /// The memory of one VM, by the module's own count.
    pub(crate) guest: Option<u64>,
}

/// The lanes that are started and kept.
const LANES: [Lane; 4] = [Lane::NoFilter, Lane::EmptySdkFilter, Lane::AccessLogger, Lane::Filter];

/// What stands beside the memory of a module: more workers tell what one of them takes.
const KEPT: [(Lane, u32); 5] = [
    (Lane::NoFilter, 1),
    (Lane::NoFilter, 3),
    (Lane::AccessLogger, 1),
    (Lane::Filter, 1),
    (Lane::Filter, 3),
];

const WARM_UP_SECONDS: u32 = 5;

/// Starts Envoys, in turns.
pub(crate) fn start(bench: &Bench, rounds: u32) -> Result<Vec<Starting>> {
    let mut times: Vec<[Vec<f64>; 2]> = vec![Default::default(); LANES.len()];
    for round in 0..rounds {
        eprintln!("bench-envoy: start, round {} of {rounds}", round + 1);
        for (lane, [wall, cpu]) in LANES.into_iter().zip(&mut times) {
            let server = launch(bench, lane, 1, Core::Any)?;
            wall.push(server.start.as_secs_f64() * 1e3);
            cpu.push(server.cpu()?.as_secs_f64() * 1e3);
        }
    }
    Ok(LANES
        .into_iter()
        .zip(times)
        .map(|(lane, [wall, cpu])| Starting {
            lane,
            milliseconds: Spread::of(wall),
            cpu_milliseconds: Spread::of(cpu),
        })
        .collect())
}

/// Sends many requests, and looks how much memory there is before and after.
pub(crate) fn memory(bench: &Bench, options: &Options) -> Result<Vec<Memory>> {
    let requests = options.requests;
    KEPT.into_iter()
        .filter(|(lane, _)| options.lanes.is_empty() || options.lanes.contains(lane))
        .map(|(lane, workers)| {
            eprintln!(
                "bench-envoy: memory, {}, {workers} workers, {requests} requests",
                lane.name()
            );
            let server = launch(bench, lane, workers, Core::Measured)?;
            let ready = server.memory()?;
            let first = bench.load.send(server.listener, WARM_UP_SECONDS, Pace::Closed)?;
            let warm = server.memory()?;
            let mut done = first.requests;
            while done < requests {
                // As long as the rest will take at this speed, within what a person waits for without a sign.
                let seconds = number(requests - done) / number(first.requests) * f64::from(WARM_UP_SECONDS);
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "it is between 1 and 20"
                )]
                let seconds = seconds.ceil().clamp(1.0, 20.0) as u32;
                done += bench.load.send(server.listener, seconds, Pace::Closed)?.requests;
            }
            // The module tells every ten seconds.
            thread::sleep(Duration::from_secs(12));
            Ok(Memory {
                lane,
                workers,
                ready,
                warm,
                after: server.memory()?,
                requests: done,
                guest: server.statistic("watchpost_memory_bytes")?,
            })
        })
        .collect()
}

/// An Envoy that answers itself, since what is behind it does not matter here.
fn launch(bench: &Bench, lane: Lane, workers: u32, core: Core) -> Result<Server> {
    let nothing = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let name = format!("keeping-{}", lane.file());
    let start = Start {
        program: &bench.envoy,
        folder: &bench.folder,
        name: &name,
        workers,
        core,
        trace: false,
    };
    Server::start(&start, &lane.config(&bench.modules, Case::Direct, nothing))
}
