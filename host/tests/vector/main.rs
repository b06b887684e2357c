//! `watchpost vector` between a sink and a source that speak Vector's protocol over real sockets.

#![cfg(unix)]

mod events;
mod peers;
mod wire;

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};
use tempfile::TempDir;
use tonic::Code;
use tonic::codec::CompressionEncoding;

use events::{LOG, TRACE, all_kinds, batch, log_line, logs};
use peers::{Downstream, Program, Upstream};
use wire::{int, len};

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let limited = tokio::time::timeout(Duration::from_secs(300), test);
        limited.await.expect("the test does not end")
    })
}

/// Waits until it is so.
async fn until(what: impl Fn() -> bool) {
    while !what() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What `watchpost score` says of the same lines.
fn scored(lines: &str, arguments: &[&str]) -> Vec<Value> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_watchpost"))
        .args(["score", "--quiet", "--annotate", "--input", "ndjson"])
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let lines = lines.to_owned();
    let feeder = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert!(output.status.success());
    let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap()["watchpost"].clone());
    // What is open at the end of the input is told on a line of its own.
    lines.filter(|verdict| verdict.get("row").is_some()).collect()
}

fn verdicts(objects: &[Map<String, Value>]) -> Vec<Value> {
    objects.iter().map(|object| object["watchpost"].clone()).collect()
}

fn rows(downstream: &Downstream) -> Vec<i64> {
    let verdicts = verdicts(&downstream.objects());
    verdicts
        .iter()
        .map(|verdict| verdict["row"].as_i64().unwrap())
        .collect()
}

/// Without the numbers of the rows, which every run counts anew.
fn without_rows(mut verdicts: Vec<Value>) -> Vec<Value> {
    for verdict in &mut verdicts {
        verdict.as_object_mut().unwrap().remove("row");
    }
    verdicts
}

#[track_caller]
fn assert_same(verdicts: &[Value], expected: &[Value]) {
    assert_eq!(verdicts.len(), expected.len());
    for (n, (verdict, expected)) in verdicts.iter().zip(expected).enumerate() {
        assert_eq!(verdict, expected, "event {n}");
    }
}

fn state(folder: &TempDir) -> String {
    folder.path().join("vector.state").to_str().unwrap().to_owned()
}

#[test]
fn every_kind_of_event_stays_what_it_was_but_for_the_field() {
    let downstream = Downstream::new();
    let program = Program::start(downstream.address, &["--annotate", "verdict"]);
    let events = all_kinds();
    run(async {
        // What a newer Vector may send beside its events stays as well.
        let events = batch(&events.iter().map(|(_, event)| event.clone()).collect::<Vec<_>>());
        let request = [len(50, "before"), events, int(51, 7)].concat();
        Upstream::of(&program).push(request).await.unwrap();
    });
    let taken = downstream.taken();
    let fields = wire::fields(&taken[0]);
    assert_eq!((fields[0], fields.last().unwrap().0), ((50, &b"before"[..]), 51));
    let passed = &fields[1..fields.len() - 1];
    assert_eq!(passed.len(), events.len());
    for ((what, before), (_, after)) in events.iter().zip(passed) {
        let kinds = if *what == "an event that is broken" {
            Vec::new()
        } else {
            wire::fields(before)
        };
        let is_annotated = match kinds.first() {
            // It has no place for a field.
            Some((LOG, _)) => *what != "a log that is a text",
            Some((kind, _)) => *kind == TRACE,
            None => false,
        };
        if !is_annotated {
            assert_eq!(after, before, "{what}");
            continue;
        }
        let [(kind, grown)] = wire::fields(after)[..] else {
            panic!("{what}")
        };
        assert_eq!(kind, kinds[0].0);
        let addition = grown.strip_prefix(kinds[0].1).unwrap_or_else(|| panic!("{what}"));
        let addition = match (*what, &wire::fields(addition)[..]) {
            // The value that comes again is one with the first, and so are the objects that they are.
            ("a log whose value is an object", [(2, value)]) => wire::object(wire::fields(value)[0].1),
            (_, [(1, _)]) => wire::object(addition),
            (_, other) => panic!("{what}: {other:?}"),
        };
        let names: Vec<&String> = addition.keys().collect();
        assert_eq!(names, ["verdict"], "{what}");
        assert_eq!(addition["verdict"]["anomaly"], false, "{what}: {addition:?}");
    }
}

#[test]
fn verdicts_are_those_of_score_on_the_same_lines() {
    let downstream = Downstream::new();
    let program = Program::start(downstream.address, &[]);
    run(async {
        let upstream = Upstream::of(&program);
        for start in (0..800).step_by(50) {
            upstream.push(logs(start..start + 50)).await.unwrap();
        }
    });
    let verdicts = verdicts(&downstream.objects());
    let lines: String = (0..800).map(log_line).collect();
    assert_eq!(verdicts, scored(&lines, &[]));
    assert_eq!(verdicts[350]["anomaly"], true);
    assert_eq!(verdicts[350]["reports"][0]["severity"], "critical");
    let (status, said) = program.end();
    assert!(status.success(), "{said}");
    assert!(said.contains("passed 800 of 800 events on"), "{said}");
}

#[test]
fn events_are_chosen_and_alarms_are_events_of_their_own() {
    let downstream = Downstream::new();
    let program = Program::start(
        downstream.address,
        &["--pass", "anomalous", "--sample", "100", "--verdicts", "events"],
    );
    run(async {
        let upstream = Upstream::of(&program);
        upstream.push(logs(0..150)).await.unwrap();
        // Nothing of it is passed on, and so there is nothing to deliver.
        upstream.push(logs(150..160)).await.unwrap();
        assert_eq!(downstream.taken().len(), 1);
        upstream.push(logs(160..400)).await.unwrap();
    });
    let objects = downstream.objects();
    let ids: Vec<_> = objects.iter().filter_map(|object| object.get("id")?.as_i64()).collect();
    assert_eq!(ids, [0, 100, 200, 300, 350]);
    let alarm = objects.last().unwrap();
    assert_eq!(alarm["watchpost"]["severity"], "critical");
    let message = alarm["message"].as_str().unwrap();
    assert!(
        message.starts_with("critical ") && message.ends_with("service=shop: onset"),
        "{message}"
    );
    assert!(objects[0].get("watchpost").is_none());
}

#[test]
fn a_batch_is_acknowledged_when_the_downstream_has_it() {
    let downstream = Downstream::new();
    downstream.hold();
    let program = Program::start(downstream.address, &[]);
    run(async {
        let upstream = Upstream::of(&program);
        let pushed = tokio::spawn({
            let upstream = upstream.clone();
            async move { upstream.push(logs(0..10)).await }
        });
        until(|| downstream.waiting() == 1).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!pushed.is_finished());
        downstream.let_go(1);
        pushed.await.unwrap().unwrap();
        assert_eq!(downstream.taken().len(), 1);
    });
}

/// The program must not learn twice from what it sends twice.
#[test]
fn a_batch_that_comes_again_is_not_judged_again() {
    let downstream = Downstream::new();
    let program = Program::start(downstream.address, &[]);
    run(async {
        let upstream = Upstream::of(&program);
        let codes = [Code::Unavailable, Code::Internal, Code::ResourceExhausted];
        downstream.answer(&codes);
        for code in codes {
            let status = upstream.push(logs(0..10)).await.unwrap_err();
            assert_eq!((status.code(), status.message()), (code, "said the downstream"));
        }
        // Another one gets past it, and is judged after it.
        upstream.push(logs(10..20)).await.unwrap();
        upstream.push(logs(0..10)).await.unwrap();
        upstream.push(logs(20..30)).await.unwrap();
        // The same bytes once more are other events: the first ones were delivered.
        upstream.push(logs(0..10)).await.unwrap();
    });
    let order: Vec<i64> = (10..20).chain(0..10).chain(20..40).collect();
    assert_eq!(rows(&downstream), order);
    let (_, said) = program.end();
    assert!(
        said.contains("delivered 4 batches; 3 times the downstream did not take one"),
        "{said}"
    );
}

#[test]
fn a_batch_that_the_upstream_no_longer_waits_for_is_kept() {
    let downstream = Downstream::new();
    downstream.hold();
    let program = Program::start(downstream.address, &[]);
    run(async {
        let upstream = Upstream::of(&program);
        let waiting = upstream.push(logs(0..10));
        assert!(tokio::time::timeout(Duration::from_millis(500), waiting).await.is_err());
        // Nobody waits for the downstream's answer either.
        until(|| downstream.waiting() == 0).await;
        downstream.let_go(100);
        upstream.push(logs(0..10)).await.unwrap();
        upstream.push(logs(10..20)).await.unwrap();
    });
    assert_eq!(rows(&downstream), (0..20).collect::<Vec<_>>());
}

#[test]
fn what_is_refused_for_ever_is_handed_back() {
    let downstream = Downstream::new();
    let program = Program::start(downstream.address, &["--largest-batch", "1"]);
    run(async {
        let upstream = Upstream::of(&program);
        downstream.answer(&[Code::DataLoss]);
        let status = upstream.push(logs(0..10)).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::DataLoss, "said the downstream")
        );
        upstream.push(logs(10..20)).await.unwrap();
        let status = upstream.push(vec![0x0a, 0xff]).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        let status = upstream.push(vec![0; 1 << 20 | 1]).await.unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange, "{status}");
        let status = upstream
            .call("/vector.Vector/PullEvents", Bytes::new())
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{status}");
    });
    assert_eq!(rows(&downstream), (10..20).collect::<Vec<_>>());
    assert!(program.end().1.contains("1 was refused"));
}

#[test]
fn a_downstream_that_is_not_there_may_come_and_go() {
    let place = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let program = Program::start(place, &[]);
    run(async {
        let upstream = Upstream::of(&program);
        assert!(!upstream.is_healthy().await);
        let status = upstream.push(logs(0..10)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
    });
    let first = Downstream::at(place);
    run(async {
        let upstream = Upstream::of(&program);
        upstream.push(logs(0..10)).await.unwrap();
        assert!(upstream.is_healthy().await);
        first.be_unhealthy();
        assert!(!upstream.is_healthy().await);
        // It goes away while it has a batch.
        first.hold();
        let pushed = tokio::spawn(async move { upstream.push(logs(10..20)).await });
        until(|| first.waiting() == 1).await;
        first.stop();
        let status = pushed.await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
    });
    let second = Downstream::at(place);
    run(async { Upstream::of(&program).push(logs(10..20)).await.unwrap() });
    assert_eq!(rows(&first), (0..10).collect::<Vec<_>>());
    assert_eq!(rows(&second), (10..20).collect::<Vec<_>>());
    // Both times it says so once, and when it goes on.
    let (_, said) = program.end();
    let lines = |text: &str| said.lines().filter(|line| line.contains(text)).count();
    assert_eq!(
        lines("a batch was not delivered and is handed back to the upstream"),
        2,
        "{said}"
    );
    assert_eq!(lines("the downstream cannot be reached"), 2, "{said}");
    assert_eq!(lines("batches are delivered again"), 2, "{said}");
}

#[test]
fn what_forwards_to_itself_is_refused() {
    let place = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_watchpost"))
        .args(["vector", "--listen", &place, "--forward", &format!("http://{place}")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("this is the address of --listen"), "{said}");
}

#[test]
fn batches_stay_in_order_and_wait_their_turn() {
    let downstream = Downstream::new();
    downstream.hold();
    let program = Program::start(downstream.address, &[]);
    run(async {
        let upstream = Upstream::of(&program);
        let mut pushed = Vec::new();
        for n in 0..40 {
            let upstream = upstream.clone();
            pushed.push(tokio::spawn(
                async move { upstream.push(logs(10 * n..10 * n + 10)).await },
            ));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        until(|| downstream.waiting() == 16).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(downstream.waiting(), 16);
        for _ in 0..40 {
            downstream.let_go(1);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for pushed in pushed {
            pushed.await.unwrap().unwrap();
        }
    });
    assert_eq!(downstream.most_waiting(), 16);
    assert_eq!(rows(&downstream), (0..400).collect::<Vec<_>>());
}

#[test]
fn batches_may_be_packed() {
    let downstream = Downstream::new();
    let program = Program::start(downstream.address, &[]);
    run(async {
        let upstream = Upstream::of(&program);
        upstream.push(logs(0..10)).await.unwrap();
        for packing in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
            upstream.clone().packing(packing).push(logs(0..10)).await.unwrap();
        }
    });
    let gzip = || Some("gzip".to_owned());
    assert_eq!(downstream.packings(), [None, gzip(), gzip()]);
    assert_eq!(rows(&downstream), (0..30).collect::<Vec<_>>());
}

#[test]
fn the_end_waits_for_what_is_on_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(&folder);
    let lines: String = (0..400).map(log_line).collect();
    let expected = without_rows(scored(&lines, &[]));
    let downstream = Downstream::new();
    for half in [0..340, 340..400] {
        let mut program = Program::start(downstream.address, &["--state", &state]);
        run(async {
            downstream.hold();
            let upstream = Upstream::of(&program);
            let pushed = tokio::spawn({
                let upstream = upstream.clone();
                async move { upstream.push(logs(half)).await }
            });
            until(|| downstream.waiting() == 1).await;
            program.terminate();
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert!(program.is_running());
            downstream.let_go(tokio::sync::Semaphore::MAX_PERMITS);
            pushed.await.unwrap().unwrap();
        });
        let (status, said) = program.wait();
        assert!(status.success(), "{said}");
    }
    // The second half was judged by what the first one had taught.
    assert_same(&without_rows(verdicts(&downstream.objects())), &expected);
}

/// What is in the state was delivered: nothing is learned from twice when it comes again, and nothing is left out.
#[test]
fn the_state_knows_only_what_was_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(&folder);
    let lines: String = (0..400).map(log_line).collect();
    let expected = without_rows(scored(&lines, &[]));
    for crash in [true, false] {
        let _ = std::fs::remove_file(&state);
        let downstream = Downstream::new();
        let mut program = Program::start(downstream.address, &["--state", &state, "--save-every", "0"]);
        run(async {
            let upstream = Upstream::of(&program);
            upstream.push(logs(0..340)).await.unwrap();
            // Saved once it is delivered, which is told to the detector after the answer.
            until(|| std::fs::exists(&state).unwrap()).await;
            downstream.answer(&[Code::Unavailable]);
            upstream.push(logs(340..400)).await.unwrap_err();
        });
        if crash {
            program.crash();
        } else {
            let (status, said) = program.end();
            assert!(status.success(), "{said}");
            assert!(said.contains("1 batch was not delivered"), "{said}");
        }
        let program = Program::start(downstream.address, &["--state", &state]);
        run(async { Upstream::of(&program).push(logs(340..400)).await.unwrap() });
        assert_same(&without_rows(verdicts(&downstream.objects())), &expected);
    }
}

/// A crash in the middle of many events, over and over: nothing that was acknowledged is lost, and what comes twice are
/// at most the batches that were on their way.
#[test]
fn nothing_that_was_acknowledged_is_lost() {
    const EVENTS: usize = 20_000;
    const SIZE: usize = 100;
    const SENDERS: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let state = state(&folder);
    let arguments = ["--state", &state, "--save-every", "1"];
    let downstream = Downstream::new();
    let place = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut program = Program::at(place, downstream.address, &arguments);
    let (mut crashes, mut batches) = (0, Vec::new());
    run(async {
        let upstream = Upstream::of(&program);
        let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        for _ in 0..SENDERS {
            let (upstream, next) = (upstream.clone(), Arc::clone(&next));
            batches.push(tokio::spawn(async move {
                loop {
                    let start = next.fetch_add(SIZE, std::sync::atomic::Ordering::SeqCst);
                    if start >= EVENTS {
                        return;
                    }
                    let batch = Bytes::from(logs(start..start + SIZE));
                    while upstream.push(batch.clone()).await.is_err() {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            }));
        }
        for part in 1..4 {
            until(|| downstream.taken().len() >= part * EVENTS / SIZE / 4).await;
            program.crash();
            program = Program::at(place, downstream.address, &arguments);
            crashes += 1;
        }
        for sender in batches {
            sender.await.unwrap();
        }
    });
    let mut times = BTreeMap::new();
    for object in downstream.objects() {
        *times.entry(object["id"].as_i64().unwrap()).or_insert(0) += 1;
    }
    assert_eq!(times.len(), EVENTS, "events are lost");
    let doubles = times.values().sum::<usize>() - EVENTS;
    println!("{crashes} crashes, {doubles} of {EVENTS} events came twice");
    assert!(doubles <= crashes * SENDERS * SIZE, "{doubles}");
    let (status, said) = program.end();
    assert!(status.success(), "{said}");
}
