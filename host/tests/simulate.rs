//! `watchpost simulate` as its users meet it: streams that can be repeated and read, and a truth that is true.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn simulate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchpost"));
    command
        .arg("simulate")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str]) -> Output {
    simulate(arguments).output().unwrap()
}

fn stdout(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Unix seconds of a time on 16 November 2026.
fn seconds(stamp: &str) -> f64 {
    let part = |range: std::ops::Range<usize>| stamp[range].parse::<f64>().unwrap();
    assert_eq!(&stamp[..11], "2026-11-16T");
    1_794_787_200.0 + part(11..13) * 3600.0 + part(14..16) * 60.0 + part(17..stamp.len() - 1)
}

#[test]
fn the_same_options_give_the_same_bytes() {
    for stream in ["requests", "metrics", "logs", "all"] {
        let of = |seed| stdout(&[stream, "--duration", "20m", "--seed", seed]);
        let first = of("1");
        assert!(first.lines().count() > 500, "{stream}");
        assert_eq!(first, of("1"), "{stream}");
        assert_ne!(first, of("2"), "{stream}");
    }
}

#[test]
fn every_line_of_every_format_can_be_read() {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    type Check<'a> = &'a dyn Fn(&str) -> bool;
    let is_object = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object());
    let checks: [(&str, &str, Check); 10] = [
        ("requests", "envoy-json", &|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let keys = "bytes_received bytes_sent downstream_remote_address duration method path request_id \
                        response_code response_flags route_name start_time upstream_cluster user_agent";
            let mut found: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
            found.sort_unstable();
            found.join(" ") == keys
        }),
        ("requests", "envoy-text", &|line| {
            line.starts_with("[2026-11-16T") && line.split('"').count() == 13
        }),
        ("requests", "combined", &|line| {
            let fields = words(line);
            fields[3].starts_with("[16/Nov/2026:") && fields[8].len() == 3 && line.split('"').count() == 7
        }),
        ("metrics", "ndjson", &is_object),
        ("metrics", "csv", &|line| line.split(',').count() == 13),
        ("logs", "json", &is_object),
        ("logs", "logfmt", &|line| {
            line.starts_with("time=2026-11-16T") && line.contains(" level=") && line.contains(" msg=\"")
        }),
        ("logs", "syslog", &|line| {
            line.starts_with("<13") && words(line)[0].ends_with(">1") && words(line)[5..7] == ["-", "-"]
        }),
        ("logs", "text", &|line| words(line)[2].starts_with("service=")),
        ("logs", "envelope", &|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            ["raw_log", "service", "source", "format_type"]
                .iter()
                .all(|key| line[key].is_string())
        }),
    ];
    for (stream, format, check) in checks {
        let text = stdout(&[stream, "--format", format, "--duration", "30m", "--seed", "9"]);
        assert!(text.lines().count() > 100, "{format}");
        if let Some(line) = text.lines().find(|line| !check(line)) {
            panic!("{format}: {line}");
        }
    }
}

#[test]
fn the_truth_is_in_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let [requests, truth] = ["requests.json", "truth.json"].map(|name| folder.path().join(name));
    let output = run(&[
        "requests",
        "--kinds",
        "error-burst",
        "--duration",
        "3h",
        "--rate",
        "20",
        "--anomalies",
        "1/hour",
        "--output",
        requests.to_str().unwrap(),
        "--truth",
        truth.to_str().unwrap(),
    ]);
    assert!(output.status.success() && output.stdout.is_empty());
    let summary = String::from_utf8(output.stderr).unwrap();
    assert!(
        summary.contains("3 incidents") && summary.contains("truth.json"),
        "{summary}"
    );
    let truth: Value = serde_json::from_slice(&fs::read(truth).unwrap()).unwrap();
    let incidents = truth["incidents"].as_array().unwrap();
    assert_eq!(incidents.len(), 3);

    let mut last_end = 0.0;
    // Of each incident: requests and failures during it, and in the rest of the stream.
    let mut counts = [[0_u32; 4]; 3];
    for line in fs::read_to_string(requests).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let start = seconds(line["start_time"].as_str().unwrap());
        let end = start + line["duration"].as_f64().unwrap() / 1000.0;
        assert!(last_end <= end + 0.0005, "{line}");
        last_end = end;
        for (incident, counts) in incidents.iter().zip(&mut counts) {
            let second = |key: &str| incident[key].as_f64().unwrap();
            if incident["at_fault"][0]["route"] == line["route_name"] {
                let during = (second("onset")..second("end")).contains(&start);
                let failed = line["response_code"].as_u64().unwrap() >= 500;
                let at = if during { 0 } else { 2 };
                counts[at] += 1;
                counts[at + 1] += u32::from(failed);
            }
        }
    }
    for (incident, [requests, failed, others, others_failed]) in incidents.iter().zip(counts) {
        assert_eq!(incident["kind"], "error_burst");
        let share = f64::from(failed) / f64::from(requests);
        let usual = f64::from(others_failed) / f64::from(others);
        assert!(
            share > 0.04 && share > 3.0 * usual,
            "{incident}: {share} against {usual}"
        );
    }
}

#[test]
fn a_stream_lasts_as_long_as_it_was_told() {
    let text = stdout(&["logs", "--format", "text", "--duration", "45s", "--rate", "100"]);
    let last = seconds(text.lines().last().unwrap().split(' ').next().unwrap());
    assert!((1_794_816_040.0..1_794_816_045.0).contains(&last), "{last}");
    assert!(text.starts_with("2026-11-16T08:00:00."));
    let later = stdout(&["logs", "--duration", "1m", "--start", "2026-11-16 09:00:10"]);
    assert!(later.starts_with("{\"timestamp\":\"2026-11-16T09:00:0"));
}

#[test]
fn what_makes_no_sense_is_refused_with_advice() {
    let cases: [(&[&str], &str); 10] = [
        (&["requests", "--duration", "0"], "for example 6h"),
        (&["requests", "--duration", "-3h"], "for example 6h"),
        (&["requests", "--rate", "-1"], "above 0"),
        (&["requests", "--anomalies", "often"], "8/day"),
        (&["requests", "--anomalies", "100/hour"], "give a longer --duration"),
        (&["requests", "--kinds", "flood"], "path_scan"),
        (&["requests", "--kinds", "memory_leak"], "minutes at least"),
        (&["requests", "--calm", "6h"], "shorter than --duration"),
        (
            &["metrics", "--format", "syslog"],
            "`metrics` cannot be written as syslog; its formats are: ndjson, csv",
        ),
        (&["logs", "--speed", "2"], "--follow"),
    ];
    for (arguments, advice) in cases {
        let output = run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(
            said.contains(advice) && output.stdout.is_empty(),
            "{arguments:?}: {said}"
        );
    }
    let nowhere = run(&["logs", "--output", "/no/such/folder/logs"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("/no/such/folder/logs"));
}

#[test]
fn a_reader_that_leaves_ends_the_stream_quietly() {
    let mut child = simulate(&["all", "--duration", "30d"]).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with('{'));
    drop(reader);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[cfg(unix)]
#[test]
fn a_stream_in_time_goes_on_until_it_is_interrupted() {
    // Some 300 lines a second of the test: enough to see several batches.
    let mut child = simulate(&["logs", "--follow", "--speed", "30", "--rate", "10"])
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let started = std::time::Instant::now();
    let mut line = String::new();
    for _ in 0..600 {
        line.clear();
        reader.read_line(&mut line).unwrap();
    }
    // It may begin half a minute before now, which takes no time; the rest is 20 to 60 s of the shop at any hour.
    assert!(started.elapsed().as_secs_f64() > 0.3, "{:?}", started.elapsed());
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert!(rest.is_empty() || rest.ends_with('\n'));
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn what_is_simulated_can_be_scored() {
    let folder = tempfile::tempdir().unwrap();
    for (stream, format) in [
        ("metrics", "csv"),
        ("metrics", "ndjson"),
        ("logs", "ndjson"),
        ("logs", "syslog"),
        ("logs", "logfmt"),
        ("logs", "text"),
    ] {
        let path = folder.path().join(format!("{stream}.{format}"));
        let path = path.to_str().unwrap();
        assert!(
            run(&[stream, "--format", format, "--duration", "1h", "--output", path])
                .status
                .success()
        );
        let output = Command::new(env!("CARGO_BIN_EXE_watchpost"))
            .args(["score", "--scores", path])
            .output()
            .unwrap();
        assert!(output.status.success());
        let verdicts = String::from_utf8(output.stdout).unwrap();
        let rows = fs::read_to_string(path).unwrap().lines().count() - usize::from(format == "csv");
        assert_eq!(
            verdicts.lines().filter(|line| line.starts_with("{\"row\"")).count(),
            rows,
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
