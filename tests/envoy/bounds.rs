//! Whatever is asked for, and however often: memory and metrics stay bounded.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use watchpost_detector::{Config, Detector, Event, Finite, Label, Request, Subject, Timestamp};
use watchpost_tests::letters;

use super::admin::{self, Metrics};
use super::bootstrap::{LISTENER, Listener, Plugin, answered, bootstrap};
use super::live::now;
use super::load::flood;
use super::process::{Envoy, MACHINE, folder, module};
use super::site::SERVICE;
use crate::random::Random;

const CONNECTIONS: u64 = 16;

/// So much memory may the VM of a worker have, in bytes.
const MOST_MEMORY: f64 = 64e6;

/// A VM that has not grown by more has not grown: histograms of durations fill for as long as the machine finds new
/// ones, and an episode here and there has to be kept. Eight hundred thousand requests that each left two bytes would
/// come to more.
const FLAT: f64 = 24.0 * 65_536.0;

/// Routes that are asked for a million times.
const ROUTES: u64 = 50;

/// Metrics of ours at most: they are never freed.
const MOST_METRICS: usize = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_requests_leave_the_memory_as_it_was() {
    let _machine = MACHINE.write().await;
    let routes = (0..ROUTES).map(|n| answered(&format!("r{n}"), &format!("/r{n}/"), 200));
    let state = BASE64_STANDARD.encode(a_quarter_until(now()));
    let document = json!({"envoy": {"service": SERVICE, "warm_start": {"snapshot": state}}});
    let envoy = start(routes.collect(), &document).await;
    let client = envoy.client(LISTENER).await;
    // One in a hundred asks for what does not exist.
    let path = |number: u64| match number % 100 {
        99 => format!("/missing/{}.ico", number / 100 % 5),
        _ => format!("/r{}/{number}", number % ROUTES),
    };
    println!("        0 requests: {} in Envoy", envoy.resident());
    let mut seen = Vec::new();
    let mut flooded = 0;
    for until in [200_000, 1_000_000] {
        let start = Instant::now();
        let tally = flood(&client, CONNECTIONS, flooded..until, path).await;
        assert_eq!(tally[&200] + tally[&404], until - flooded, "{tally:?}");
        let rate = (until - flooded) as f64 / start.elapsed().as_secs_f64();
        flooded = until;
        let (metrics, resident) = resident(&envoy).await;
        let memory = metrics.sum("watchpost_memory_bytes", &[]);
        println!("{until:>9} requests, {rate:.0} a second: {memory} bytes in the VM, {resident} in Envoy");
        seen.push((memory, resident));
    }
    let (metrics, _) = resident(&envoy).await;
    assert_eq!(metrics.sum("watchpost_requests", &[]), 1_000_000.0);
    assert!(seen[1].0 > 0.0 && seen[1].0 < MOST_MEMORY, "{seen:?}");
    assert!(seen[1].0 <= seen[0].0 + FLAT, "the VM has grown: {seen:?}");
    // Envoy itself keeps some of what it once needed.
    assert!(seen[1].1 < seen[0].1 + seen[0].1 / 10, "Envoy has grown: {seen:?}");
}

/// The state of a detector that has seen these routes for a quarter of an hour: it keeps the slots of ten minutes, and
/// until it has them all it grows.
fn a_quarter_until(end: Timestamp) -> Vec<u8> {
    let mut detector = Detector::new(Config::default());
    let (mut random, mut reports) = (Random::new(5), Vec::new());
    detector.set_scoring(false);
    for number in 0..900 * ROUTES {
        let mut labels = [Label {
            name: "service",
            value: SERVICE,
        }];
        let (path, name) = (
            format!("/r{}/{number}", number % ROUTES),
            format!("r{}", number % ROUTES),
        );
        let request = Request {
            time: end.plus_seconds(number as f64 / ROUTES as f64 - 900.0),
            subject: Subject::new(&mut labels),
            method: Some("GET"),
            path: Some(&path),
            route: Some(&name),
            upstream: None,
            client: None,
            status: Some(200),
            duration: Finite::new(0.03 * (0.5 * random.normal()).exp()),
            bytes: None,
            flags: None,
        };
        detector.observe(&Event::Request(request), &mut reports);
    }
    detector.snapshot()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_routes_paths_and_alarms_fit() {
    let _machine = MACHINE.write().await;
    let mut routes: Vec<Value> = (0..10_000)
        .map(|n| {
            // Every fourth of them fails, and by the rule below that is an alarm.
            let mut route = answered(&format!("route-{n}"), "/", if n % 4 == 0 { 503 } else { 200 });
            route["match"] = json!({"path": format!("/named/{n}")});
            route
        })
        .collect();
    routes.push(answered("", "/", 200));
    let document = json!({"detector": {"rules": {SERVICE: {"status": 499}}}, "envoy": {"service": SERVICE}});
    let envoy = start(routes, &document).await;
    let client = envoy.client(LISTENER).await;
    let (before, begin) = resident(&envoy).await;

    let named = |number: u64| format!("/named/{}", number % 10_000);
    let tally = flood(&client, CONNECTIONS, 0..30_000, named).await;
    assert_eq!(tally[&200] + tally[&503], 30_000, "{tally:?}");
    let (of_names, after_names) = resident(&envoy).await;

    let words = |number: u64| format!("/{}/{}/{}", letters(number % 100), letters(number / 7), letters(number));
    let tally = flood(&client, CONNECTIONS, 0..30_000, words).await;
    assert_eq!(tally[&200], 30_000, "{tally:?}");
    let (of_paths, after_paths) = resident(&envoy).await;

    let memory = |metrics: &Metrics| metrics.sum("watchpost_memory_bytes", &[]);
    let known = |metrics: &Metrics| metrics.sum("watchpost_routes", &[]);
    for (what, metrics, resident) in [
        ("at the start", &before, begin),
        ("10,000 routes", &of_names, after_names),
        ("10,000 paths", &of_paths, after_paths),
    ] {
        println!(
            "{what}: {} routes known, {} alarms, {} metrics, {} bytes in the VM, {resident} in Envoy",
            known(metrics),
            metrics.sum("watchpost_alarms", &[]),
            metrics.ours().count(),
            memory(metrics)
        );
    }
    assert!(
        known(&of_paths) > 500.0,
        "the routes are not known: {}",
        known(&of_paths)
    );
    assert!(
        of_paths.sum("watchpost_alarms", &[]) >= 2_500.0,
        "every route that failed is an alarm"
    );
    assert!(memory(&of_paths) < MOST_MEMORY, "{} bytes", memory(&of_paths));
    let count = of_paths.ours().count();
    assert!(count < MOST_METRICS, "{count} metrics");
    // There is one VM for the worker and one for the main thread, and the heap of V8 around them.
    assert!(
        after_paths - begin < 2 * MOST_MEMORY as u64,
        "Envoy has grown by {} bytes",
        after_paths - begin
    );
}

/// One worker, so that the gauge of the memory is that of its VM.
async fn start(routes: Vec<Value>, document: &Value) -> Envoy {
    let module = module();
    let listener = Listener::new(routes).with_filter(&Plugin::new("watchpost", &module, document));
    Envoy::start(folder(), &bootstrap(&[listener], &[], &[]), 1).await
}

/// The metrics, once they are handed over, and the memory that Envoy has.
async fn resident(envoy: &Envoy) -> (Metrics, u64) {
    // Gauges are set every ten seconds.
    tokio::time::sleep(Duration::from_secs(12)).await;
    (admin::metrics(envoy.admin()).await, envoy.resident())
}
