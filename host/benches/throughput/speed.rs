//! How fast events are read and scored, by lanes that take turns.

use std::hint::black_box;
use std::time::Duration;

use anyhow::ensure;
use cpu_time::ThreadTime;
use serde::Serialize;
use watchpost::engine::{Choice, Engine};
use watchpost::guest::{Guest, Limits, Module};
use watchpost_detector::wire::{Reader, Row};
use watchpost_detector::{Emit, Input as Description};

use crate::inputs::Input;
use crate::report::Spread;

/// What is measured about an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lane {
    /// The detector that is linked in; a line is written for every row.
    Native,
    /// The guest, with its limits.
    Wasm,
    /// The guest, without limits.
    WasmUnlimited,
    /// As native, and only anomalies are written.
    NativeAnomalies,
    /// The reader alone: bytes to events.
    Reader,
    /// Every line, or the same event as a line of JSON, to a `serde_json::Value`: what reading JSON costs without
    /// knowing what is wanted of it.
    JsonValue,
}

/// What one lane took for one input, round by round.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Speed {
    pub(crate) input: &'static str,
    pub(crate) lane: Lane,
    pub(crate) items: usize,
    pub(crate) bytes: usize,
    pub(crate) ns_per_item: Spread,
    pub(crate) items_per_second: f64,
    pub(crate) megabytes_per_second: f64,
    #[serde(skip)]
    rounds: Vec<f64>,
}

/// Two lanes of one input, round by round: above 1, the first one is slower.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ratio {
    pub(crate) input: &'static str,
    pub(crate) of: Lane,
    pub(crate) to: Lane,
    pub(crate) ratio: Spread,
}

/// The modules of the engine, compiled.
pub(crate) struct Modules {
    limited: Module,
    unlimited: Module,
}

/// As much as the command line hands over at once.
pub(crate) const CHUNK: usize = 64 << 10;

const RATIOS: [(Lane, Lane); 6] = [
    (Lane::Wasm, Lane::Native),
    (Lane::Wasm, Lane::WasmUnlimited),
    (Lane::Native, Lane::NativeAnomalies),
    (Lane::Native, Lane::Reader),
    (Lane::Reader, Lane::JsonValue),
    (Lane::Wasm, Lane::JsonValue),
];

impl Modules {
    pub(crate) fn load(component: &[u8]) -> anyhow::Result<Self> {
        Ok(Modules {
            limited: Module::load(component, Limits::default())?,
            unlimited: Module::load(component, Limits::OFF)?,
        })
    }
}

impl Lane {
    const ALL: [Lane; 6] = [
        Lane::Native,
        Lane::Wasm,
        Lane::WasmUnlimited,
        Lane::NativeAnomalies,
        Lane::Reader,
        Lane::JsonValue,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Lane::Native => "native",
            Lane::Wasm => "wasm",
            Lane::WasmUnlimited => "wasm, no limits",
            Lane::NativeAnomalies => "native, anomalies only",
            Lane::Reader => "reader alone",
            Lane::JsonValue => "serde_json::Value",
        }
    }

    fn takes(self, input: &Input) -> bool {
        match self {
            Lane::WasmUnlimited | Lane::NativeAnomalies => input.closely,
            Lane::Native | Lane::Wasm | Lane::Reader | Lane::JsonValue => true,
        }
    }

    /// Does the work once, from a state that knows nothing. What is written goes to `said`, which may clear it.
    fn pass(self, modules: &Modules, input: &Input, said: &mut dyn FnMut(&mut Vec<u8>)) -> anyhow::Result<Duration> {
        let guest = |module| Guest::open(module, "", None).map(|guest| Engine::Wasm(Box::new(guest)));
        match self {
            Lane::Native | Lane::NativeAnomalies => {
                let emit = if self == Lane::Native {
                    Emit::All
                } else {
                    Emit::Anomalies
                };
                let engine = Engine::open(&Choice::Native, Limits::OFF, "", None)?;
                score(engine, emit, input, said)
            }
            Lane::Wasm => score(guest(&modules.limited)?, Emit::All, input, said),
            Lane::WasmUnlimited => score(guest(&modules.unlimited)?, Emit::All, input, said),
            Lane::Reader => read(input),
            Lane::JsonValue => parse(input),
        }
    }
}

/// Measures every lane of every input, `rounds` times in turn, after a round that checks that they do the same work.
pub(crate) fn measure(
    modules: &Modules,
    inputs: &[Input],
    rounds: usize,
    progress: impl Fn(usize),
) -> anyhow::Result<Vec<Speed>> {
    let mut speeds = Vec::new();
    for input in inputs {
        check(modules, input)?;
        let lanes = Lane::ALL.into_iter().filter(|lane| lane.takes(input));
        speeds.extend(lanes.map(|lane| (input, lane, Vec::with_capacity(rounds))));
    }
    for round in 0..rounds {
        progress(round);
        for (input, lane, rounds) in &mut speeds {
            let spent = lane.pass(modules, input, &mut Vec::clear)?;
            rounds.push(spent.as_secs_f64() * 1e9 / input.items as f64);
        }
    }
    Ok(speeds
        .into_iter()
        .map(|(input, lane, rounds)| Speed::new(input, lane, rounds))
        .collect())
}

/// What the lanes are to each other.
pub(crate) fn ratios(speeds: &[Speed]) -> Vec<Ratio> {
    let mut ratios = Vec::new();
    for lanes in speeds.chunk_by(|one, next| one.input == next.input) {
        let find = |lane| lanes.iter().find(|speed| speed.lane == lane);
        for (of, to) in RATIOS {
            let (Some(slower), Some(faster)) = (find(of), find(to)) else {
                continue;
            };
            // What disturbs a round disturbs both of its lanes.
            let each = slower.rounds.iter().zip(&faster.rounds).map(|(of, to)| of / to);
            ratios.push(Ratio {
                input: slower.input,
                of,
                to,
                ratio: Spread::of(each.collect()),
            });
        }
    }
    ratios
}

impl Speed {
    fn new(input: &Input, lane: Lane, rounds: Vec<f64>) -> Self {
        let ns_per_item = Spread::of(rounds.clone());
        let items_per_second = 1e9 / ns_per_item.median;
        let bytes_per_item = input.bytes.len() as f64 / input.items as f64;
        Speed {
            input: input.name,
            lane,
            items: input.items,
            bytes: input.bytes.len(),
            ns_per_item,
            items_per_second,
            megabytes_per_second: items_per_second * bytes_per_item / 1e6,
            rounds,
        }
    }
}

/// Speed is worth nothing where the work is not done: every row has its line, none is a problem, and the guest
/// says what the native engine says.
fn check(modules: &Modules, input: &Input) -> anyhow::Result<()> {
    let mut native = Vec::new();
    Lane::Native.pass(modules, input, &mut |out| native.append(out))?;
    let lines = || native.split(|byte| *byte == b'\n');
    let rows = lines().filter(|line| line.starts_with(b"{\"row\":")).count();
    let problems = lines().filter(|line| line.starts_with(b"{\"problem\":")).count();
    ensure!(
        (rows, problems) == (input.items, 0),
        "{}: {} rows went in, {rows} came out, and there were {problems} problems",
        input.name,
        input.items
    );
    for lane in [Lane::Wasm, Lane::WasmUnlimited] {
        let mut said = Vec::new();
        lane.pass(modules, input, &mut |out| said.append(out))?;
        ensure!(said == native, "{}: wasm says something else than native", input.name);
    }
    Ok(())
}

fn score(
    mut engine: Engine,
    emit: Emit,
    input: &Input,
    said: &mut dyn FnMut(&mut Vec<u8>),
) -> anyhow::Result<Duration> {
    let description = Description {
        emit,
        ..Description::new(input.format)
    };
    let mut out = Vec::new();
    let began = ThreadTime::now();
    engine.begin(&description)?;
    for chunk in input.bytes.chunks(CHUNK) {
        engine.push(chunk, &mut out)?;
        said(&mut out);
    }
    engine.finish(&mut out)?;
    engine.close(&mut out)?;
    let spent = began.elapsed();
    said(&mut out);
    Ok(spent)
}

fn read(input: &Input) -> anyhow::Result<Duration> {
    let description = Description::new(input.format);
    let mut rows = 0;
    let mut each = |row: Row<'_>| {
        rows += usize::from(matches!(black_box(row), Row::Event(_) | Row::Blank));
    };
    let began = ThreadTime::now();
    let mut reader = Reader::new(&description, None);
    for chunk in input.bytes.chunks(CHUNK) {
        reader.read(chunk, &mut each);
    }
    reader.finish(&mut each);
    let spent = began.elapsed();
    ensure!(rows == input.items, "{}: {rows} rows were read", input.name);
    Ok(spent)
}

fn parse(input: &Input) -> anyhow::Result<Duration> {
    let began = ThreadTime::now();
    let lines = input.json.as_ref().unwrap_or(&input.bytes);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        black_box(serde_json::from_slice::<serde_json::Value>(line)?);
    }
    Ok(began.elapsed())
}
