//! Whatever is asked for, and however often: memory and metrics stay bounded.

use std::time::Duration;

use serde_json::{Value, json};

use super::admin::{self, Metrics};
use super::bootstrap::{LISTENER, Listener, Plugin, answered, bootstrap};
use super::load::flood;
use super::process::{Envoy, WHOLE_MACHINE, folder, module};

const CONNECTIONS: u64 = 16;

/// The memory of a worker's VM, in bytes, may be so much. It is what `max_routes` routes of the default configuration
/// can take, and what the module begins with.
const MOST_MEMORY: f64 = 200e6;

/// Metrics of ours at most: they are never freed.
const MOST_METRICS: usize = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_requests_leave_the_memory_as_it_was() {
    let _machine = WHOLE_MACHINE.lock().await;
    let routes = (0..50).map(|n| answered(&format!("r{n}"), &format!("/r{n}/"), 200));
    let envoy = start(routes.collect()).await;
    let client = envoy.client(LISTENER).await;
    // One in a hundred asks for what does not exist.
    let path = |number: u64| match number % 100 {
        99 => format!("/missing/{number}.php"),
        _ => format!("/r{}/{number}", number % 50),
    };
    let mut seen = Vec::new();
    let begin = resident(&envoy).await;
    for part in 0..5 {
        let requests = part * 200_000..(part + 1) * 200_000;
        let tally = flood(&client, CONNECTIONS, requests, path).await;
        assert_eq!(tally[&200] + tally[&404], 200_000, "{tally:?}");
        let (metrics, resident) = resident(&envoy).await;
        let memory = metrics.sum("watchpost_memory_bytes", &[]);
        println!(
            "{:>9} requests: {memory:>10} bytes in the VM, {resident:>10} in Envoy",
            (part + 1) * 200_000
        );
        seen.push((memory, resident));
    }
    let (metrics, _) = resident(&envoy).await;
    assert_eq!(metrics.sum("watchpost_requests", &[]), 1_000_000.0);
    println!("at the start: {} in Envoy", begin.1);
    assert_eq!(seen[0].0, seen[4].0, "the VM has grown: {seen:?}");
    assert!(seen[4].0 > 0.0 && seen[4].0 < MOST_MEMORY, "{seen:?}");
    // Envoy itself keeps some of what it once needed.
    assert!(seen[4].1 < seen[0].1 + seen[0].1 / 10, "Envoy has grown: {seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_routes_and_ten_thousand_paths_fit() {
    let _machine = WHOLE_MACHINE.lock().await;
    let mut routes: Vec<Value> = (0..10_000)
        .map(|n| {
            let mut route = answered(&format!("route-{n}"), "/", 200);
            route["match"] = json!({"path": format!("/named/{n}")});
            route
        })
        .collect();
    routes.push(answered("", "/", 200));
    let envoy = start(routes).await;
    let client = envoy.client(LISTENER).await;
    let (before, begin) = resident(&envoy).await;

    // Each of them often enough to be known, and to fail sometimes.
    let named = |number: u64| format!("/named/{}", number % 10_000);
    let tally = flood(&client, CONNECTIONS, 0..50_000, named).await;
    assert_eq!(tally[&200], 50_000, "{tally:?}");
    let (of_names, after_names) = resident(&envoy).await;

    let words = |number: u64| format!("/{}/{}/{}", letters(number % 100), letters(number / 7), letters(number));
    let tally = flood(&client, CONNECTIONS, 0..50_000, words).await;
    assert_eq!(tally[&200], 50_000, "{tally:?}");
    let (of_paths, after_paths) = resident(&envoy).await;

    let memory = |metrics: &Metrics| metrics.sum("watchpost_memory_bytes", &[]);
    let known = |metrics: &Metrics| metrics.sum("watchpost_routes", &[]);
    for (what, metrics, resident) in [
        ("at the start", &before, begin),
        ("10,000 routes", &of_names, after_names),
        ("10,000 paths", &of_paths, after_paths),
    ] {
        println!(
            "{what}: {} routes known, {} metrics, {} bytes in the VM, {resident} in Envoy",
            known(metrics),
            metrics.ours().count(),
            memory(metrics)
        );
    }
    assert!(
        known(&of_paths) > 500.0,
        "the routes are not known: {}",
        known(&of_paths)
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
async fn start(routes: Vec<Value>) -> Envoy {
    let module = module();
    let document = json!({"envoy": {"service": "shop"}});
    let listener = Listener::new(routes).with_filter(&Plugin::new("watchpost", &module, &document));
    Envoy::start(folder(), &bootstrap(&[listener], &[], &[]), 1).await
}

/// The metrics, once they are handed over, and the memory that Envoy has.
async fn resident(envoy: &Envoy) -> (Metrics, u64) {
    tokio::time::sleep(Duration::from_secs(3)).await;
    (admin::metrics(envoy.admin()).await, envoy.resident())
}

/// A word for a number, so that it is not taken for an identifier.
fn letters(number: u64) -> String {
    let mut word = String::from("w");
    let mut rest = number;
    loop {
        word.push(char::from(b'a' + (rest % 26) as u8));
        rest /= 26;
        if rest == 0 {
            return word;
        }
    }
}
