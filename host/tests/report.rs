//! `watchpost report` as its users meet it, on the log of an Envoy with two workers.
//!
//! `tests/report/envoy.log` holds what two detectors said of the simulated shop, each of half of its requests, behind the
//! prefix that Envoy writes. `cargo xtask bless` makes it and the pages anew.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use watchpost_detector::wire::Format;
use watchpost_detector::{Config, Detector, Input, Scorer};

fn watchpost(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchpost"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for variable in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "COLUMNS"] {
        command.env_remove(variable);
    }
    command
}

fn report(arguments: &[&str]) -> Output {
    watchpost(&[&["report"], arguments].concat()).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = report(&[&["--output", "json"], arguments].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)))
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/report")
        .join(name)
}

fn is_blessing() -> bool {
    std::env::var_os("WATCHPOST_BLESS").is_some_and(|value| value == "1")
}

fn log() -> String {
    static LOG: LazyLock<PathBuf> = LazyLock::new(|| {
        let path = fixture("envoy.log");
        if is_blessing() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, two_workers()).unwrap();
        }
        path
    });
    LOG.to_str().unwrap().to_owned()
}

fn two_workers() -> String {
    let arguments = "simulate requests --duration 8h --seed 4 --rate 12 --anomalies 1/hour --quiet";
    let access = watchpost(&arguments.split(' ').collect::<Vec<_>>()).output().unwrap();
    let config = Config {
        near_misses: true,
        ..Config::default()
    };
    let mut workers = [17, 18].map(|thread| {
        let mut scorer = Scorer::new(Detector::new(config.clone()));
        scorer.begin(Input::new(Format::Ndjson));
        (thread, scorer)
    });
    let mut log =
        "[2026-11-16 08:00:00.001][1][info][main] [source/server/server.cc:1089] starting main dispatch loop\n"
            .to_owned();
    for (number, line) in access.stdout.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let (thread, scorer) = &mut workers[number % 2];
        let mut said = Vec::new();
        scorer.push(line, &mut said);
        write(&mut log, *thread, &String::from_utf8(said).unwrap());
    }
    for (thread, scorer) in &mut workers {
        let mut said = Vec::new();
        scorer.finish(&mut said);
        write(&mut log, *thread, &String::from_utf8(said).unwrap());
    }
    log + "[2026-11-16 16:00:00.500][1][info][main] [source/server/server.cc:1045] exiting\n"
}

/// Writes verdicts as Envoy does.
fn write(log: &mut String, thread: u32, said: &str) {
    for line in said.lines().filter(|line| line.starts_with("{\"timestamp\"")) {
        let verdict: Value = serde_json::from_str(line).unwrap();
        let time = verdict["timestamp"]
            .as_str()
            .unwrap()
            .replace('T', " ")
            .replace('Z', ".000");
        let level = if verdict["phase"] == "onset" { "warning" } else { "info" };
        *log += &format!(
            "[{time}][{thread}][{level}][wasm] [source/extensions/common/wasm/context.cc:1370] wasm log watchpost shop \
             shop: {line}\n"
        );
    }
}

#[test]
fn the_alarms_of_two_workers_are_listed_by_route_and_upstream() {
    let log = log();
    let output = report(&[&log]);
    assert!(output.status.success(), "{}", stderr(&output));
    let page = fixture("100.txt");
    if is_blessing() {
        fs::write(&page, &output.stdout).unwrap();
    }
    assert_eq!(
        stdout(&output),
        fs::read_to_string(&page).unwrap(),
        "100.txt differs; `cargo xtask bless` writes it anew"
    );
    assert!(stdout(&output).contains("seen by 2 workers"));
    assert!(
        stderr(&output).contains("2026-11-16 08:00:00 to 2026-11-16 16:00:00 (8h)"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn every_width_is_kept() {
    let log = log();
    for width in [40, 60, 80, 200] {
        let output = watchpost(&["report", &log])
            .env("COLUMNS", width.to_string())
            .output()
            .unwrap();
        for line in stdout(&output).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
            assert_eq!(line, line.trim_end());
        }
    }
}

#[test]
fn the_forms_of_output_and_of_grouping_tell_the_same_alarms() {
    let log = log();
    let told = json(&[&log]);
    let alarms = told["alarms"].as_array().unwrap();
    assert!(alarms.len() > 2);
    let lines = report(&["--output", "ndjson", &log]);
    let parsed: Vec<Value> = stdout(&lines)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(&parsed, alarms);
    for by in ["route", "upstream", "kind"] {
        let page = report(&["--by", by, &log]);
        for alarm in alarms {
            let time = alarm["timestamp"].as_str().unwrap().replace('T', " ").replace('Z', "");
            assert!(stdout(&page).contains(&time), "{by}: {time}");
        }
    }
    // What is printed is read again.
    let mut child = watchpost(&["report", "--output", "ndjson", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&lines.stdout).unwrap();
    let again = child.wait_with_output().unwrap();
    assert_eq!(stdout(&again).lines().count(), alarms.len());
}

#[test]
fn a_period_is_cut_out() {
    let log = log();
    let all = json(&[&log]);
    let count = |arguments: &[&str]| json(&[arguments, &[&log]].concat())["alarms"].as_array().unwrap().len();
    let whole = all["alarms"].as_array().unwrap().len();
    let noon = "2026-11-16T12:00:00Z";
    let (before, after) = (count(&["--until", "2026-11-16T11:59:59Z"]), count(&["--since", noon]));
    assert_eq!(before + after, whole);
    assert!(before > 0 && after > 0, "{before} {after}");
    // Four hours before the end of the log, which is half a second later.
    assert_eq!(count(&["--since", "4h"]), after);
    assert_eq!(report(&["--since", "yesterday", &log]).status.code(), Some(2));
}

#[test]
fn other_budgets_are_told_as_far_as_the_log_goes() {
    let log = log();
    let told = json(&[&log]);
    let budgets = &told["budgets"];
    assert_eq!((&budgets["now"], &budgets["told_up_to"]), (&0.1.into(), &1.0.into()));
    let rows: Vec<u64> = budgets["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["alarms"].as_u64().unwrap())
        .collect();
    assert!(rows.is_sorted() && rows[0] < rows[4], "{rows:?}");
    assert_eq!(rows[2] as usize, told["alarms"].as_array().unwrap().len());
    // The listing follows the budget that is asked for.
    for (budget, alarms) in [("0.01", rows[0]), ("1", rows[4])] {
        let listed = json(&["--false-alarms-per-day", budget, &log]);
        assert_eq!(listed["alarms"].as_array().unwrap().len() as u64, alarms, "{budget}");
    }
    // Without near misses nothing is said of larger budgets.
    let text = fs::read_to_string(&log).unwrap();
    let alarms: String = text
        .split_inclusive('\n')
        .filter(|line| !line.contains("\"phase\":\"near\""))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain.log");
    fs::write(&plain, alarms).unwrap();
    let plain = plain.to_str().unwrap();
    assert_eq!(json(&[plain])["budgets"]["rows"][4]["alarms"], Value::Null);
    assert!(stdout(&report(&[plain])).contains("cannot be told"));
}

#[test]
fn rotated_and_packed_parts_are_one_log_and_bad_lines_are_named() {
    let text = fs::read_to_string(log()).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = lines.split_at(lines.len() / 2);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(
        path("envoy.log.1.zst"),
        zstd::encode_all(old.concat().as_bytes(), 1).unwrap(),
    )
    .unwrap();
    fs::write(path("envoy.log"), new.concat()).unwrap();
    let parts = json(&[&path("envoy.log"), &path("envoy.log.1.zst")]);
    assert_eq!(parts["alarms"], json(&[&log()])["alarms"]);

    let first = lines.iter().position(|line| line.contains("{\"timestamp\"")).unwrap();
    let cut = lines[first].split_at(300).0;
    fs::write(
        path("cut.log"),
        format!("{}{cut}\n{}", lines[..first].concat(), lines[first + 1..].concat()),
    )
    .unwrap();
    let output = report(&["--quiet", &path("cut.log")]);
    assert!(output.status.success());
    assert_eq!(
        stderr(&output),
        format!("{}:{}: the verdict is cut off\n", path("cut.log"), first + 1)
    );
    fs::write(path("only.log"), cut).unwrap();
    assert_eq!(report(&[&path("only.log")]).status.code(), Some(1));
}

#[test]
fn exit_codes_are_those_of_score() {
    let log = log();
    assert_eq!(report(&["--exit-code", "--quiet", &log]).status.code(), Some(3));
    let quiet = ["--exit-code", "--since", "2026-11-16T15:59:59Z", &log];
    assert_eq!(report(&quiet).status.code(), Some(0));
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.log");
    fs::write(&other, "[2026-11-16 08:00:00.001][1][info][main] starting\n").unwrap();
    let output = report(&["--exit-code", other.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("no alarms"), "{}", stdout(&output));
    assert!(stderr(&output).contains("0 verdicts in 1 line"), "{}", stderr(&output));
}
