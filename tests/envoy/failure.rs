//! The module fails in the middle of traffic, under each policy that Envoy has for that. What is asserted here is what
//! the plugin's documentation promises, and no more.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::admin;
use super::bootstrap::{LISTENER, Listener, Plugin, VM_ID, answered, bootstrap, file_access_log};
use super::load::Client;
use super::process::{Envoy, folder, module, until};
use super::trap::with_trap;

/// The call that traps.
const CALLS: u32 = 60;

/// An Envoy whose module traps in the end.
struct Doomed {
    envoy: Envoy,
    client: Client,
}

impl Doomed {
    async fn start(export: &str, calls: u32, policy: &str) -> Self {
        let files = folder();
        let module = trapped(&files, export, calls);
        let document = json!({"envoy": {"service": "shop", "checkpoint_seconds": 1}});
        let mut plugin = Plugin::new("watchpost", &module, &document);
        plugin.policy = policy;
        let listener = Listener::new(vec![answered("here", "/", 200)])
            .with_filter(&plugin)
            .with_access_log(file_access_log(&files.path().join("access.json")));
        let envoy = Envoy::start(files, &bootstrap(&[listener], &[], &[]), 1).await;
        let client = envoy.client(LISTENER).await;
        Doomed { envoy, client }
    }

    /// The statuses of so many requests, one after the other.
    async fn ask(&self, count: u32, pause: Duration) -> Vec<u16> {
        let mut statuses = Vec::new();
        for _ in 0..count {
            statuses.push(self.client.get("/", None).await.expect("Envoy answers").status);
            tokio::time::sleep(pause).await;
        }
        statuses
    }

    async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        admin::metrics(self.envoy.admin()).await.sum(name, labels)
    }

    /// Heartbeats in a while, of all VMs together.
    async fn beats(&self) -> f64 {
        let before = self.metric("watchpost_heartbeat", &[]).await;
        tokio::time::sleep(Duration::from_secs(6)).await;
        self.metric("watchpost_heartbeat", &[]).await - before
    }

    async fn reloads(&self) -> BTreeMap<String, u64> {
        let stats = admin::stats(self.envoy.admin()).await;
        let ours = stats.into_iter().filter(|(name, _)| name.contains("vm_reload"));
        ours.map(|(name, value)| (name.rsplit('.').next().unwrap_or_default().to_owned(), value))
            .collect()
    }

    async fn checkpoint(&self) {
        until("a checkpoint is saved", async || {
            let saved = self.metric("watchpost_checkpoints", &[("result", "saved")]).await;
            (saved >= 1.0).then_some(())
        })
        .await;
    }
}

fn trapped(files: &TempDir, export: &str, calls: u32) -> std::path::PathBuf {
    let path = files.path().join("trapped.wasm");
    let bytes = fs::read(module()).expect("the module is there");
    fs::write(&path, with_trap(&bytes, export, calls)).expect("the folder is ours");
    path
}

const AT_ONCE: Duration = Duration::ZERO;
const SLOWLY: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn closed_means_that_nothing_is_served_any_more() {
    let doomed = Doomed::start("proxy_on_log", CALLS, "FAIL_CLOSED").await;
    let beats = doomed.beats().await;
    assert_eq!(
        doomed.ask(CALLS, AT_ONCE).await,
        vec![200; CALLS as usize],
        "the response is out before the log"
    );
    assert_eq!(
        doomed.ask(20, SLOWLY).await,
        vec![503; 20],
        "the worker has no plugin any more"
    );
    let after = doomed.beats().await;
    assert!(
        after + 3.0 < beats,
        "a dead VM still beats: {beats} and then {after} in six seconds"
    );
    assert_eq!(doomed.ask(5, SLOWLY).await, vec![503; 5], "nothing brings it back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn open_means_that_nothing_is_seen_any_more() {
    let doomed = Doomed::start("proxy_on_log", CALLS, "FAIL_OPEN").await;
    let beats = doomed.beats().await;
    assert_eq!(
        doomed.ask(CALLS + 40, AT_ONCE).await,
        vec![200; CALLS as usize + 40],
        "requests are not affected"
    );
    let counted = doomed.metric("watchpost_requests", &[]).await;
    let after = doomed.beats().await;
    assert!(
        after + 3.0 < beats,
        "a dead VM still beats: {beats} and then {after} in six seconds"
    );
    assert_eq!(doomed.ask(20, SLOWLY).await, vec![200; 20]);
    assert_eq!(
        doomed.metric("watchpost_requests", &[]).await,
        counted,
        "it is off for ever"
    );
    let verdicts = verdicts(&doomed.envoy.stop().await);
    assert_eq!(verdicts.len(), CALLS as usize + 60);
    assert!(verdicts[..CALLS as usize - 1].iter().all(Option::is_some));
    assert!(verdicts[CALLS as usize..].iter().all(Option::is_none));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn reload_means_that_it_goes_on_from_the_last_checkpoint() {
    let doomed = Doomed::start("proxy_on_log", CALLS, "FAIL_RELOAD").await;
    assert_eq!(doomed.ask(CALLS - 5, SLOWLY).await, vec![200; CALLS as usize - 5]);
    doomed.checkpoint().await;
    let beats = doomed.beats().await;
    assert_eq!(
        doomed.ask(5, AT_ONCE).await,
        vec![200; 5],
        "the response is out before the log"
    );
    until("the module is loaded again", async || {
        let served = doomed.ask(1, SLOWLY).await == [200];
        let reloads = doomed.reloads().await;
        (served && reloads["vm_reload_success"] >= 1).then_some(())
    })
    .await;
    assert_eq!(doomed.ask(20, SLOWLY).await, vec![200; 20], "it is back");
    let restored = doomed.metric("watchpost_checkpoints", &[("result", "restored")]).await;
    assert!(restored >= 1.0, "it has begun anew");
    // It fails again and again, and comes back each time.
    for reload in 2..=3 {
        let mut lost = 0;
        until("the module is loaded once more", async || {
            lost += doomed
                .ask(1, AT_ONCE)
                .await
                .iter()
                .filter(|status| **status != 200)
                .count();
            (doomed.reloads().await["vm_reload_success"] >= reload).then_some(())
        })
        .await;
        println!("reload {reload}: {lost} requests lost; {:?}", doomed.reloads().await);
    }
    until("requests are served again", async || {
        (doomed.ask(1, SLOWLY).await == [200]).then_some(())
    })
    .await;
    let after = doomed.beats().await;
    assert!(
        (after - beats).abs() <= 2.0,
        "{beats} beats in six seconds before, and {after} now"
    );
    let verdicts = verdicts(&doomed.envoy.stop().await);
    let last = verdicts
        .last()
        .and_then(Option::as_ref)
        .expect("the last request has a verdict");
    let row = last["row"].as_u64().expect("a verdict has a row");
    assert!(row > u64::from(CALLS) / 2, "it has begun anew: row {row}");
}

/// What fails before the response is out costs that one request, whatever the policy.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_trap_before_the_response_costs_one_request() {
    let doomed = Doomed::start("proxy_on_response_headers", 5, "FAIL_OPEN").await;
    assert_eq!(
        doomed.ask(10, AT_ONCE).await,
        [200, 200, 200, 200, 503, 200, 200, 200, 200, 200]
    );
}

/// A service has no requests of its own that could fail: those that report to it go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_service_that_fails_costs_no_request() {
    let files = folder();
    let whole = module();
    let broken = trapped(&files, "proxy_on_tick", 4);
    let service = json!({"envoy": {"mode": "service", "service": "shop"}});
    let worker = json!({"envoy": {"service": "shop", "forward_to": VM_ID}});
    let listener =
        Listener::new(vec![answered("here", "/", 200)]).with_filter(&Plugin::new("watchpost", &whole, &worker));
    let services = [Plugin::new("watchpost-service", &broken, &service).service()];
    let envoy = Envoy::start(files, &bootstrap(&[listener], &[], &services), 2).await;
    let client = envoy.client(LISTENER).await;
    let doomed = Doomed { envoy, client };
    assert_eq!(doomed.ask(100, SLOWLY).await, vec![200; 100]);
    let log = doomed.envoy.log();
    assert!(log.contains("unreachable"), "the service did not fail");
    // A queue that nobody reads would grow for ever.
    until("what the service does not read is dropped, and counted", async || {
        assert_eq!(doomed.ask(1, SLOWLY).await, [200]);
        let dropped = doomed.metric("watchpost_dropped", &[("of", "queue")]).await;
        (dropped >= 10.0).then_some(())
    })
    .await;
}

/// The verdicts in the access log, in the order of the requests.
fn verdicts(files: &TempDir) -> Vec<Option<Value>> {
    let path: &Path = files.path();
    let text = fs::read_to_string(path.join("access.json")).expect("Envoy writes an access log");
    let verdict = |line: &str| {
        let access: Value = serde_json::from_str(line).expect("Envoy writes JSON");
        let verdict = access["verdict"].as_str()?;
        Some(serde_json::from_str(verdict).expect("a verdict is JSON"))
    };
    text.lines().map(verdict).collect()
}
