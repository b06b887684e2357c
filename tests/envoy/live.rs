//! What is found in live traffic, with the default configuration: five faults at once, each of which has to be seen and
//! named, and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use watchpost_detector::Timestamp;

use super::admin::{self, Metrics};
use super::bootstrap::{LISTENER, Listener, Plugin, VM_ID, bootstrap, file_access_log};
use super::lines::{lines, verdicts};
use super::load::{Load, Tally};
use super::process::{Envoy, MACHINE, folder, module, until};
use super::replay::compare;
use super::shop::Shop;
use super::site::{Fault, SERVICE, hour_until};

/// How long nothing is wrong, so that a false alarm has its chance.
const QUIET: Duration = Duration::from_secs(60);

/// What came of a run: everything that the plugin and Envoy have written, and what was asked.
pub(super) struct Run {
    pub(super) log: String,
    pub(super) accesses: Vec<Value>,
    pub(super) snapshot: Vec<u8>,
    pub(super) tally: Tally,
    pub(super) metrics: Metrics,
    pub(super) faults_began: Timestamp,
}

/// One process sees all requests, whichever worker has them; the workers show what it found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_sees_five_faults_at_once_and_names_them() {
    let run = run("service", |snapshot| {
        let module = module();
        let service = json!({"envoy": {
            "mode": "service",
            "service": SERVICE,
            "warm_start": {"snapshot": snapshot},
            "journal": true,
        }});
        let worker = json!({"envoy": {"service": SERVICE, "forward_to": VM_ID}});
        (
            Plugin::new("watchpost", &module, &worker).filter(),
            vec![Plugin::new("watchpost-service", &module, &service).service()],
        )
    })
    .await;
    check(&run);
    let (exchanges, verdicts) = compare(&run.log, Some(&run.snapshot));
    assert_eq!(exchanges, run.accesses.len(), "the journal has every request once");
    assert!(verdicts >= Fault::ALL.len());
}

/// What every way to run the plugin has to come to.
pub(super) fn check(run: &Run) {
    let lines = lines(&run.log);
    let verdicts = verdicts(&lines);
    let onsets: Vec<_> = verdicts.iter().filter(|verdict| verdict.is_onset()).collect();
    for verdict in &onsets {
        assert_eq!(verdict.line.level, "warning", "{:?}", verdict.line);
        assert_eq!(
            verdict.anomaly.subject.get("service").map(String::as_str),
            Some(SERVICE)
        );
        assert!(
            verdict.line.time > run.faults_began,
            "an alarm while nothing was wrong: {}",
            verdict.line.message
        );
        assert!(
            Fault::ALL.iter().any(|fault| fault.is_named_by(&verdict.anomaly)),
            "nobody did that: {}",
            verdict.line.message
        );
    }
    for fault in Fault::ALL {
        let (label, value, _) = fault.truth();
        let of_ours = |verdict: &&&super::lines::Verdict<'_>| fault.is_named_by(&verdict.anomaly);
        let kind = onsets.iter().find(of_ours).map(|verdict| verdict.anomaly.kind);
        let kind = serde_json::to_value(kind.expect("the run waited for it")).expect("a kind has a name");
        let labels = match label {
            "client" => vec![("kind", kind.as_str().expect("a name"))],
            _ => vec![("kind", kind.as_str().expect("a name")), (label, value)],
        };
        let counted = run.metrics.sum("watchpost_alarms", &labels);
        assert!(
            counted >= 1.0,
            "no alarm is counted with {labels:?}: {:#?}",
            run.metrics.ours().collect::<Vec<_>>()
        );
    }
    check_accesses(run);
    let asked = run.tally.all() as f64;
    assert_eq!(
        run.metrics.sum("watchpost_requests", &[]),
        asked,
        "requests counted, and made"
    );
}

/// The access log has a verdict on every request, and those of the faults are anomalous. What a service tells is about
/// open episodes alone: a request of none has nothing.
fn check_accesses(run: &Run) {
    let mut by_route: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    let mut without = 0;
    let told = run
        .accesses
        .iter()
        .any(|access| access["verdict"].as_str().is_some_and(|text| text.contains("kind")));
    for access in &run.accesses {
        let route = access["route"].as_str().unwrap_or("-");
        let Some(verdict) = access["verdict"].as_str() else {
            without += 1;
            by_route.entry(route).or_default()[0] += 1;
            continue;
        };
        let verdict: Value = serde_json::from_str(verdict).unwrap_or_else(|error| panic!("{error}: {verdict}"));
        let score = access["score"].as_str().and_then(|score| score.parse::<f64>().ok());
        assert!(score.is_some_and(|score| (0.0..=1.0).contains(&score)), "{access}");
        // An alarm is carried by the request that comes first when it is raised, whatever that asks for.
        if verdict["onset"] == true {
            continue;
        }
        let anomalous = verdict["anomaly"].as_bool().unwrap_or_else(|| panic!("{verdict}"));
        by_route.entry(route).or_default()[usize::from(anomalous)] += 1;
    }
    println!("requests in the access log by route, normal and anomalous: {by_route:?}; without a verdict: {without}");
    assert!(
        told || without == 0,
        "{without} requests without a verdict in the access log"
    );
    for route in ["search", "checkout", "pay", "refund"] {
        assert!(
            by_route[route][1] > 0,
            "no request of {route} is anomalous: {by_route:?}"
        );
    }
    for route in ["home", "product", "profile"] {
        assert_eq!(by_route[route][1], 0, "requests of {route} are anomalous: {by_route:?}");
    }
}

/// Makes normal traffic, then all faults, until each is named; prints how long that took.
pub(super) async fn run(name: &str, plugin: impl FnOnce(&str) -> (Value, Vec<Value>)) -> Run {
    let _machine = MACHINE.read().await;
    let shop = Shop::open().await;
    let files = folder();
    let accesses = files.path().join("access.json");
    let snapshot = hour_until(now());
    let (filter, services) = plugin(&BASE64_STANDARD.encode(&snapshot));
    let mut listener = Listener::new(Shop::routes()).with_access_log(file_access_log(&accesses));
    listener.filters.push(filter);
    let config = bootstrap(&[listener], &shop.clusters(), &services);
    let envoy = Envoy::start(files, &config, 2).await;
    let client = envoy.client(LISTENER).await;
    let load = Load::start(&client, 3);
    tokio::time::sleep(QUIET).await;

    let faults_began = now();
    shop.set(&Fault::ALL);
    load.set(&Fault::ALL);
    for fault in Fault::ALL {
        until(
            &format!("a verdict that names {:?} for {fault:?}", fault.truth()),
            async || first(&envoy.log(), fault).map(drop),
        )
        .await;
    }
    // Requests are to show what was found.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let tally = load.stop().await;
    // Metrics are handed over once a second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let metrics = admin::metrics(envoy.admin()).await;
    let log_path = envoy.path("log");
    let files = envoy.stop().await;
    let log = fs::read_to_string(&log_path).expect("the folder is still there");
    let accesses = fs::read_to_string(&accesses).expect("Envoy writes an access log");
    drop(files);
    println!("{name}: {} requests, {} bytes of state", tally.all(), snapshot.len());
    println!("  {:<8} {:>16}  named", "fault", "first verdict");
    for fault in Fault::ALL {
        let (time, named) = first(&log, fault).expect("it was there before");
        let after = time.seconds_since(faults_began);
        println!("  {:<8} {after:>14.1} s  {named}", format!("{fault:?}"));
    }
    Run {
        accesses: accesses
            .lines()
            .map(|line| serde_json::from_str(line).expect("Envoy writes JSON"))
            .collect(),
        log,
        snapshot,
        tally,
        metrics,
        faults_began,
    }
}

/// When the first verdict on a fault was logged, and whom it names.
fn first(log: &str, fault: Fault) -> Option<(Timestamp, String)> {
    let verdicts = verdicts(&lines(log));
    let verdict = verdicts
        .iter()
        .find(|verdict| verdict.is_onset() && fault.is_named_by(&verdict.anomaly))?;
    let kind = serde_json::to_value(verdict.anomaly.kind).expect("a kind has a name");
    let kind = kind.as_str().expect("a name");
    Some((verdict.line.time, format!("{} ({kind})", verdict.named())))
}

pub(super) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock that is set");
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).expect("before the year 2262"))
}
