//! One detector, compiled twice: what is linked natively and what runs as a wasm guest write the same bytes, event
//! after event, and come to the same state.
//!
//! `WATCHPOST_PARITY_EVENTS` says how many events are compared (60,000 where it is not set); a million takes some
//! minutes, and is what a release is tried on:
//!
//! ```sh
//! WATCHPOST_PARITY_EVENTS=1000000 cargo test --release --package watchpost-tests --test parity -- --nocapture
//! ```

#[path = "quality/random.rs"]
#[allow(dead_code, reason = "shared with the other tests, of which each needs a part")]
mod random;
#[path = "quality/world.rs"]
#[allow(dead_code, reason = "shared with the other tests, of which each needs a part")]
mod world;

use std::env;

use sha2::{Digest, Sha256};
use watchpost::engine::{Choice, Engine};
use watchpost::guest::Limits;
use watchpost::simulate::{Batch, Content, Draw, Happening, Kind, Plan, RequestForm, Scheduled, Simulation, Stream};
use watchpost_detector::wire::Format;
use watchpost_detector::{Emit, Input, Status, Timestamp};
use world::World;

const EVENTS: usize = 60_000;

/// Bytes that are pushed at a time, about.
const CHUNK: usize = 1 << 16;

#[test]
fn the_shop_is_the_same_in_native_and_wasm() {
    let wanted = events();
    let mut shop = Simulation::new(plan(wanted));
    same("the shop", "", wanted, |bytes| {
        assert!(shop.tick(bytes), "the plan is long enough");
        shop.now()
    });
}

/// Alarms, episodes that end, sessions and late rows are what parity is about, and here are many of them.
#[test]
fn a_lively_world_is_the_same_in_native_and_wasm() {
    let status = same_world(r#"{"detector": {"false_alarms_per_day": 30}}"#);
    assert!(status.alarms > 100, "{status:?}");
}

#[test]
fn a_world_that_does_not_fit_is_the_same_in_native_and_wasm() {
    let status = same_world(
        r#"{"detector": {"bounds": {"max_series": 5, "max_metrics": 9, "max_templates": 6}, "learning": "open"}}"#,
    );
    assert!(
        status.evicted_series > 100 && status.evicted_templates > 100,
        "{status:?}"
    );
}

/// Requests are judged when time goes on, so that the ticks matter most here.
#[test]
fn requests_are_the_same_in_native_and_wasm() {
    let draw = Draw {
        seed: 20_261_120,
        start: 1_794_816_000,
        seconds: 6 * 3600,
        calm: 3600,
        incidents_per_day: 24.0,
        harmless_per_day: 8.0,
        kinds: vec![Kind::ErrorBurst, Kind::SlowUpstream, Kind::PathScan, Kind::SilentRoute],
    };
    let rate = 10.0;
    let mut stream = Stream::new(
        draw.plan().unwrap(),
        Content::Requests(RequestForm::EnvoyJson),
        rate,
        draw.seconds,
    );
    let mut batch = Batch::default();
    let mut reached = draw.start;
    let status = same("requests", "", events(), |bytes| {
        if stream.tick(&mut batch) {
            bytes.extend_from_slice(batch.bytes());
            reached = batch.lines().last().map_or(reached, |(moment, _)| moment / 1_000_000);
        }
        reached
    });
    assert!(status.routes > 5 && status.alarms > 0, "{status:?}");
}

fn same_world(document: &str) -> Status {
    let mut world = World::new(20_261_120);
    same("a lively world", document, events(), |bytes| {
        let event = world.next();
        event.write(bytes);
        event.time.nanos() / 1_000_000_000
    })
}

fn events() -> usize {
    env::var("WATCHPOST_PARITY_EVENTS").map_or(EVENTS, |text| {
        text.parse().expect("WATCHPOST_PARITY_EVENTS is a number of events")
    })
}

/// Compares two engines on events, of which `more` appends some and returns the time in seconds that they reach.
fn same(name: &str, document: &str, wanted: usize, mut more: impl FnMut(&mut Vec<u8>) -> i64) -> Status {
    let mut engines = [Choice::Native, Choice::Wasm].map(|choice| {
        let mut engine = Engine::open(&choice, Limits::default(), document, None).unwrap();
        let input = Input {
            emit: Emit::All,
            ..Input::new(Format::Ndjson)
        };
        engine.begin(&input).unwrap();
        Side {
            engine,
            out: Vec::new(),
            hash: Sha256::new(),
        }
    });
    let (mut events, mut lines, mut bytes) = (0, 0, Vec::new());
    while events < wanted {
        let seconds = more(&mut bytes);
        if bytes.len() < CHUNK {
            continue;
        }
        events += count(&bytes);
        for side in &mut engines {
            side.engine.push(&bytes, &mut side.out).unwrap();
            // What time does by itself is compared as well.
            let later = Timestamp::from_seconds(seconds + 90);
            side.engine.tick(later, &mut side.out).unwrap();
        }
        bytes.clear();
        lines += compare(&mut engines, events);
    }
    for side in &mut engines {
        side.engine.finish(&mut side.out).unwrap();
    }
    let [native, wasm] = &mut engines;
    let status = native.engine.status().unwrap();
    assert_eq!(status, wasm.engine.status().unwrap());
    assert!(
        native.engine.snapshot().unwrap() == wasm.engine.snapshot().unwrap(),
        "the states differ after {events} events"
    );
    for side in &mut engines {
        side.engine.close(&mut side.out).unwrap();
    }
    lines += compare(&mut engines, events);
    let [native, wasm] = engines.map(|side| format!("{:x?}", side.hash.finalize()));
    assert_eq!(native, wasm);
    println!(
        "{name}: {events} events, {lines} lines, {} alarms, the same in native and wasm",
        status.alarms
    );
    assert!(lines >= events, "{lines} lines for {events} events");
    status
}

struct Side {
    engine: Engine,
    out: Vec<u8>,
    hash: Sha256,
}

/// Compares what has been said since the last time, and returns how many lines that was.
fn compare(sides: &mut [Side; 2], events: usize) -> usize {
    let [native, wasm] = sides;
    if native.out != wasm.out {
        let split = |out: &[u8]| {
            String::from_utf8_lossy(out)
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let (left, right) = (split(&native.out), split(&wasm.out));
        let at = left
            .iter()
            .zip(&right)
            .position(|(a, b)| a != b)
            .unwrap_or(left.len().min(right.len()));
        panic!(
            "before event {events}:\nnative {:?}\nwasm   {:?}",
            left.get(at),
            right.get(at)
        );
    }
    for side in [native, wasm] {
        side.hash.update(&side.out);
    }
    let lines = count(&sides[0].out);
    sides.iter_mut().for_each(|side| side.out.clear());
    lines
}

fn count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// The two days of the demonstration, over and over, for as long as it takes.
fn plan(events: usize) -> Plan {
    const FEWEST_A_DAY: usize = 20_000;
    let demo = Plan::demo();
    let length = demo.seconds;
    let rounds = (events / FEWEST_A_DAY + 2).div_ceil((length / 86_400) as usize);
    let moved = |event: &Scheduled, by: i64| Scheduled {
        start: event.start + by,
        end: event.end + by,
        what: event.what,
    };
    // A version is deployed once; trouble comes back.
    let again = |event: &&Scheduled| !matches!(event.what, Happening::Deploy { .. });
    let mut scheduled = demo.events.clone();
    for round in 1..rounds as i64 {
        scheduled.extend(
            demo.events
                .iter()
                .filter(again)
                .map(|event| moved(event, round * length)),
        );
    }
    Plan {
        seconds: rounds as i64 * length,
        events: scheduled,
        ..demo
    }
}
