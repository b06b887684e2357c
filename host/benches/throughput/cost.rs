//! What an engine costs before it scores anything, and what its state costs.
//!
//! Peak memory belongs to a process and so does the cache of compiled guests, so that each of these is measured in
//! a process of its own: this program once more, with the name of a [`Task`].

use std::env;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use cpu_time::{ProcessTime, ThreadTime};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use watchpost::engine::{Choice, Engine};
use watchpost::guest::{Guest, Limits, Module};
use watchpost::simulate::{Plan, Simulation};
use watchpost_detector::Input as Description;
use watchpost_detector::wire::Format;

use crate::inputs;
use crate::report::Spread;
use crate::speed::CHUNK;

/// The engine that is built into the program.
pub(crate) static COMPONENT: &[u8] = include_bytes!(env!("WATCHPOST_ENGINE"));

/// Something to be measured in a process of its own.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Loads the module so many times, after a first time that fills the cache where there is one.
    Load { times: usize },
    /// Opens an instance so many times.
    Instantiate { times: usize },
    /// Scores something, and says what the state costs.
    Fill { with: Load, native: bool },
}

/// What a detector is filled with.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Load {
    /// The two days of the demonstration.
    Demo,
    /// So many series of one metric each, for so many minutes.
    Series { count: u32, minutes: u32 },
}

/// Sizes in bytes, and times in microseconds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Start {
    component_bytes: usize,
    component_gzip_bytes: usize,
    core_bytes: usize,
    core_gzip_bytes: usize,
    /// From the component's bytes: compiled by all cores, in time and in what all threads together took.
    open_cold_us: Spread,
    open_cold_cpu_us: Spread,
    /// From the cache.
    open_warm_us: Spread,
    open_warm_cpu_us: Spread,
    /// An instance with a detector of the default configuration, in CPU time as the other things that take one core.
    instantiate_us: Spread,
}

/// What a filled detector costs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    engine: String,
    load: String,
    events: u64,
    series: u32,
    templates: u32,
    /// Of the guest; the native engine has no memory of its own.
    guest_bytes: Option<u64>,
    snapshot_bytes: usize,
    snapshot_ms: f64,
    restore_ms: f64,
    /// Of the process, before there was an engine, at the most while it scored, and after it was restored beside
    /// the first one.
    rss_before_bytes: Option<u64>,
    rss_peak_bytes: Option<u64>,
    rss_peak_restored_bytes: Option<u64>,
}

/// What a process of its own measured of loading or opening.
#[derive(Debug, Serialize, Deserialize)]
struct Times {
    us: Spread,
    cpu_us: Spread,
}

/// Measures the sizes of the engine and what it takes to start it.
pub(crate) fn start(times: usize) -> anyhow::Result<Start> {
    let core = Path::new(env!("WATCHPOST_ENGINE")).with_file_name("watchpost-engine.core.wasm");
    let core = fs::read(&core).with_context(|| format!("read {}", core.display()))?;
    let cache = tempfile::tempdir()?;
    let cold: Times = Task::Load { times }.run(Path::new(""))?;
    let warm: Times = Task::Load { times: 10 * times }.run(cache.path())?;
    let instantiate: Times = Task::Instantiate { times: 50 * times }.run(cache.path())?;
    Ok(Start {
        component_bytes: COMPONENT.len(),
        component_gzip_bytes: gzip(COMPONENT)?,
        core_bytes: core.len(),
        core_gzip_bytes: gzip(&core)?,
        open_cold_us: cold.us,
        open_cold_cpu_us: cold.cpu_us,
        open_warm_us: warm.us,
        open_warm_cpu_us: warm.cpu_us,
        instantiate_us: instantiate.cpu_us,
    })
}

/// Measures what a state costs, in wasm and natively.
pub(crate) fn states(loads: &[Load]) -> anyhow::Result<Vec<State>> {
    // Compiling takes more memory than scoring, so the module must come from a cache.
    let cache = tempfile::tempdir()?;
    let _: Times = Task::Load { times: 1 }.run(cache.path())?;
    let tasks = [false, true]
        .into_iter()
        .flat_map(|native| loads.iter().map(move |load| Task::Fill { with: *load, native }));
    tasks.map(|task| task.run(cache.path())).collect()
}

impl Task {
    /// The first argument of a process that has to do a task; the second one is the task.
    pub(crate) const ARGUMENT: &str = "--task";

    /// Has another process do it.
    fn run<T: serde::de::DeserializeOwned>(self, cache: &Path) -> anyhow::Result<T> {
        let output = Command::new(env::current_exe()?)
            .arg(Task::ARGUMENT)
            .arg(serde_json::to_string(&self)?)
            .env("WATCHPOST_CACHE_DIR", cache)
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            bail!("the process for {self:?} failed with {}", output.status);
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("what the process for {self:?} wrote"))
    }

    /// Does it, and prints what was measured.
    pub(crate) fn perform(self) -> anyhow::Result<()> {
        let measured = match self {
            Task::Load { times } => serde_json::to_string(&load(times)?),
            Task::Instantiate { times } => serde_json::to_string(&instantiate(times)?),
            Task::Fill { with, native } => serde_json::to_string(&fill(with, native)?),
        };
        println!("{}", measured?);
        Ok(())
    }
}

fn load(times: usize) -> anyhow::Result<Times> {
    Module::load(COMPONENT, Limits::default())?;
    let (mut us, mut cpu_us) = (Vec::new(), Vec::new());
    for _ in 0..times {
        let (began, began_cpu) = (Instant::now(), ProcessTime::now());
        Module::load(COMPONENT, Limits::default())?;
        us.push(micros(began.elapsed()));
        cpu_us.push(micros(began_cpu.elapsed()));
    }
    Ok(Times {
        us: Spread::of(us),
        cpu_us: Spread::of(cpu_us),
    })
}

fn instantiate(times: usize) -> anyhow::Result<Times> {
    let module = Module::load(COMPONENT, Limits::default())?;
    let (mut us, mut cpu_us) = (Vec::new(), Vec::new());
    for _ in 0..times {
        let (began, began_cpu) = (Instant::now(), ThreadTime::now());
        let guest = Guest::open(&module, "", None)?;
        us.push(micros(began.elapsed()));
        cpu_us.push(micros(began_cpu.elapsed()));
        drop(guest);
    }
    Ok(Times {
        us: Spread::of(us),
        cpu_us: Spread::of(cpu_us),
    })
}

fn fill(with: Load, native: bool) -> anyhow::Result<State> {
    let limits = Limits {
        // So that what a state needs is measured, and not whether it is allowed.
        memory_bytes: Limits::OFF.memory_bytes,
        ..Limits::default()
    };
    let module = if native {
        None
    } else {
        Some(Module::load(COMPONENT, limits)?)
    };
    let open = |snapshot: Option<&[u8]>| match &module {
        Some(module) => Guest::open(module, "", snapshot).map(|guest| Engine::Wasm(Box::new(guest))),
        None => Engine::open(&Choice::Native, limits, "", snapshot),
    };
    let rss_before_bytes = resident("VmRSS:");
    let mut engine = open(None)?;
    with.feed(&mut engine)?;
    let rss_peak_bytes = resident("VmHWM:");
    let guest_bytes = engine.memory_bytes();
    let status = engine.status()?;
    let began = ThreadTime::now();
    let snapshot = engine.snapshot()?;
    let snapshot_ms = micros(began.elapsed()) / 1e3;
    let began = ThreadTime::now();
    let restored = open(Some(&snapshot))?;
    let restore_ms = micros(began.elapsed()) / 1e3;
    let rss_peak_restored_bytes = resident("VmHWM:");
    drop(restored);
    Ok(State {
        engine: if native { "native" } else { "wasm" }.to_owned(),
        load: with.to_string(),
        events: status.events,
        series: status.series,
        templates: status.templates,
        guest_bytes,
        snapshot_bytes: snapshot.len(),
        snapshot_ms,
        restore_ms,
        rss_before_bytes,
        rss_peak_bytes,
        rss_peak_restored_bytes,
    })
}

impl Load {
    /// Hands everything to an engine, generated on the way so that it takes no memory.
    fn feed(self, engine: &mut Engine) -> anyhow::Result<()> {
        let (mut bytes, mut out) = (Vec::new(), Vec::new());
        let mut push = |engine: &mut Engine, bytes: &mut Vec<u8>| {
            for chunk in bytes.chunks(CHUNK) {
                engine.push(chunk, &mut out)?;
                out.clear();
            }
            bytes.clear();
            anyhow::Ok(())
        };
        match self {
            Load::Demo => {
                engine.begin(&Description::new(Format::Ndjson))?;
                let mut shop = Simulation::new(Plan::demo());
                while shop.tick(&mut bytes) {
                    push(engine, &mut bytes)?;
                }
            }
            Load::Series { count, minutes } => {
                engine.begin(&Description::new(Format::Csv))?;
                bytes.extend_from_slice(inputs::SERIES_HEADER.as_bytes());
                let mut random = inputs::random();
                for minute in 0..minutes {
                    inputs::series(&mut bytes, &mut random, count, minute);
                    push(engine, &mut bytes)?;
                }
            }
        }
        engine.finish(&mut Vec::new())?;
        Ok(())
    }
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Load::Demo => f.write_str("demo"),
            Load::Series { count, .. } => write!(f, "{count} series"),
        }
    }
}

/// A figure of this process, where the system tells it as Linux does.
fn resident(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

fn gzip(bytes: &[u8]) -> std::io::Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The lines of the table.
impl Start {
    pub(crate) fn rows(&self) -> [(&'static str, f64); 9] {
        [
            ("component, KB", self.component_bytes as f64 / 1e3),
            ("component, gzip, KB", self.component_gzip_bytes as f64 / 1e3),
            ("core module, KB", self.core_bytes as f64 / 1e3),
            ("core module, gzip, KB", self.core_gzip_bytes as f64 / 1e3),
            ("open cold, ms", self.open_cold_us.median / 1e3),
            ("open cold, CPU of all threads, ms", self.open_cold_cpu_us.median / 1e3),
            ("open warm, ms", self.open_warm_us.median / 1e3),
            ("open warm, CPU of all threads, ms", self.open_warm_cpu_us.median / 1e3),
            ("instantiate and configure, µs", self.instantiate_us.median),
        ]
    }
}

impl State {
    pub(crate) fn cells(&self) -> [String; 10] {
        let megabytes = |bytes: Option<u64>| {
            bytes.map_or_else(
                || "-".to_owned(),
                |bytes| format!("{:.1}", bytes as f64 / f64::from(1 << 20)),
            )
        };
        [
            self.engine.clone(),
            self.load.clone(),
            self.events.to_string(),
            megabytes(self.guest_bytes),
            format!("{:.1}", self.snapshot_bytes as f64 / 1024.0),
            format!("{:.2}", self.snapshot_ms),
            format!("{:.2}", self.restore_ms),
            megabytes(self.rss_before_bytes),
            megabytes(self.rss_peak_bytes),
            megabytes(self.rss_peak_restored_bytes),
        ]
    }
}
