//! `watchpost score --preview`: what feedback would change is told, and nothing is changed by that.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Files of a test, and the program run on them.
struct Desk(TempDir);

impl Desk {
    fn new(files: &[(&str, &str)]) -> Desk {
        let desk = Desk(tempfile::tempdir().unwrap());
        for (name, text) in files {
            fs::write(desk.0.path().join(name), text).unwrap();
        }
        desk
    }

    fn score(&self, arguments: &[&str], stdin: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchpost"));
        for variable in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "COLUMNS"] {
            command.env_remove(variable);
        }
        let mut child = command
            .current_dir(self.0.path())
            .args(["score", "--engine", "native"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that needs no input does not read any.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    }
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}{}", stdout(output), stderr(output)))
}

/// Two days of a metric in minutes, with a spike at noon of each.
fn metrics() -> String {
    let mut csv = "timestamp,latency_ms\n".to_owned();
    let mut noise = 1_u32;
    for minute in 0..2880_u32 {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let spike = if minute % 1440 >= 720 && minute % 1440 < 725 {
            90.0
        } else {
            0.0
        };
        let value = 40.0 + spike + f64::from(noise >> 16) / 6553.6;
        csv += &format!("{},{value:.2}\n", 1_772_460_000 + 60 * minute);
    }
    csv
}

/// So many marks on a row.
fn marks(row: u64, label: &str, times: usize) -> String {
    format!("{{\"row\": {row}, \"label\": \"{label}\"}}\n").repeat(times)
}

#[test]
fn an_alarm_that_would_no_longer_be_raised_is_told_in_every_form() {
    let csv = metrics();
    let fine = marks(722, "fine", 3);
    let desk = Desk::new(&[("metrics.csv", &csv), ("marks", &fine)]);
    let alarms = json(&desk.score(&["--output", "json", "metrics.csv"], ""));
    let alarms = alarms["episodes"].as_array().unwrap();
    let [_, second] = &alarms[..] else {
        panic!("two alarms: {alarms:#?}")
    };

    let preview = ["--feedback", "marks", "--preview"];
    let table = desk.score(&[&preview[..], &["metrics.csv"]].concat(), "");
    assert!(table.status.success(), "{}", stderr(&table));
    let text = stdout(&table);
    assert!(text.starts_with("1 of 2 alarms would no longer be raised"), "{text}");
    assert!(text.contains("of 2,880 verdicts change\n"), "{text}");
    let below = text.split("no longer raised:\n").nth(1).unwrap();
    assert!(below.starts_with("  2026-03-04 "), "{text}");

    let report = json(&desk.score(&[&preview[..], &["--output", "json", "metrics.csv"]].concat(), ""));
    assert_eq!(report["summary"]["alarms"], 2);
    assert_eq!(report["summary"]["gone"], 1);
    assert_eq!(report["summary"]["verdicts"], 2880);
    let gone = report["alarms"]
        .as_array()
        .unwrap()
        .iter()
        .find(|alarm| alarm["change"] == "gone");
    assert_eq!(gone.unwrap()["before"], *second);

    // A stream says the same as a file, one change a line, the summary last.
    let lines = desk.score(&[&preview[..], &["--output", "ndjson", "-"]].concat(), &csv);
    let lines: Vec<Value> = stdout(&lines)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (last, changes) = lines.split_last().unwrap();
    assert_eq!(last["summary"], report["summary"]);
    assert_eq!(changes, report["alarms"].as_array().unwrap());
}

#[test]
fn what_would_be_new_or_other_is_told() {
    let mut csv = metrics();
    // Too small to be told, unless somebody has said that it matters.
    csv += &format!("{},57\n", 1_772_460_000 + 60 * 2880);
    let desk = Desk::new(&[("metrics.csv", &csv), ("marks", &marks(722, "matters", 2))]);
    let preview = ["--feedback", "marks", "--preview", "metrics.csv"];
    let report = json(&desk.score(&[&preview[..], &["--output", "json"]].concat(), ""));
    let changes = report["alarms"].as_array().unwrap();
    let summary = &report["summary"];
    assert!(summary["new"].as_u64().unwrap() > 0, "{summary}");
    let changed = changes.iter().find(|change| change["change"] == "changed").unwrap();
    assert!(
        changed["after"]["events"].as_u64() > changed["before"]["events"].as_u64(),
        "{changed:#}"
    );
    let text = desk.score(&preview, "");
    let text = stdout(&text).replace('\n', " ");
    assert!(text.contains(" would be new;") && text.contains(" new:  "), "{text}");
    assert!(text.contains("without the marks: "), "{text}");
}

#[test]
fn a_preview_leaves_the_state_as_it_is_and_goes_on_from_it() {
    let csv = metrics();
    let (first, second) = csv.split_at(csv.match_indices('\n').nth(1440).unwrap().0 + 1);
    let second = format!("timestamp,latency_ms\n{second}");
    let desk = Desk::new(&[
        ("first.csv", first),
        ("second.csv", &second),
        ("marks", &marks(0, "fine", 3)),
    ]);
    let state = desk.0.path().join("state");
    let preview = [
        "--feedback",
        "marks",
        "--preview",
        "--state",
        "state",
        "--output",
        "json",
    ];
    desk.score(&[&preview[..], &["first.csv"]].concat(), "");
    assert!(!state.exists());
    assert!(desk.score(&["--state", "state", "first.csv"], "").status.success());
    let saved = fs::read(&state).unwrap();
    let report = json(&desk.score(&[&preview[..], &["second.csv"]].concat(), ""));
    // Without the state the first minutes would only be learned from.
    assert_eq!(report["summary"]["gone"], 1, "{report:#}");
    assert_eq!(fs::read(&state).unwrap(), saved);
}

#[test]
fn a_mark_that_came_to_nothing_is_told_with_its_line_and_why() {
    let log = "\
2026-03-02T14:00:00Z INFO up

2026-03-02T14:00:02Z ERROR failed
java.lang.IllegalStateException: no
\tat shop.Cart.add(Cart.java:17)
";
    let marks = [2, 1, 3, 9].map(|row| marks(row, "fine", 1)).concat();
    let desk = Desk::new(&[("app.log", log), ("marks", &marks)]);
    let output = desk.score(
        &[
            "--feedback",
            "marks",
            "--preview",
            "--output",
            "json",
            "--quiet",
            "app.log",
        ],
        "",
    );
    let report = json(&output);
    let why = |at: usize| report["unused"][at]["unused"].as_str().unwrap_or_default().to_owned();
    assert_eq!(report["summary"]["marks_unused"], 3, "{report:#}");
    assert_eq!(
        [0, 1, 2].map(|at| report["unused"][at]["line"].as_u64().unwrap()),
        [2, 3, 4]
    );
    assert!(why(0).ends_with("row 1: the row is blank"), "{}", why(0));
    assert!(
        why(1).ends_with("row 3: the row continues row 2, which is the one to answer"),
        "{}",
        why(1)
    );
    assert!(
        why(2).ends_with("row 9: there are only 5 rows, counted from 0 over all inputs"),
        "{}",
        why(2)
    );
    // A run without a preview says it as well.
    let plain = desk.score(&["--feedback", "marks", "--quiet", "app.log"], "");
    assert_eq!(stderr(&plain), stderr(&output));
    assert!(
        stderr(&plain).starts_with("marks:2: nothing is learned from"),
        "{}",
        stderr(&plain)
    );
}

#[test]
fn exit_codes_tell_whether_something_would_change() {
    let fine = marks(722, "fine", 3);
    let last = marks(2879, "fine", 1);
    let wrong = "{\"row\": 1, \"label\": \"fine\"}\n{\"row\": 2, \"label\": \"finr\"}\n";
    let desk = Desk::new(&[
        ("metrics.csv", &metrics()),
        ("marks", &fine),
        ("last", &last),
        ("wrong", wrong),
        ("empty", "\n"),
    ]);
    let preview = |marks: &str| desk.score(&["--feedback", marks, "--preview", "--exit-code", "metrics.csv"], "");
    assert_eq!(preview("marks").status.code(), Some(3));
    let unchanged = preview("last");
    assert_eq!(unchanged.status.code(), Some(0));
    assert_eq!(
        stdout(&unchanged),
        "all 2 alarms would stay as they are; 0 of 2,880 verdicts change\n\
         A mark counts from the row after it on, so that the row that it is on stays as it is.\n"
    );
    let mistake = preview("wrong");
    assert_eq!(mistake.status.code(), Some(2));
    assert_eq!(
        stderr(&mistake),
        "error: wrong:2:26: label: `finr` is none of the choices: did you mean `fine`?\n"
    );
    let empty = desk.score(&["--feedback", "empty", "--preview", "metrics.csv"], "");
    assert_eq!(empty.status.code(), Some(2));
    assert_eq!(
        stderr(&empty),
        "error: empty: there are no marks in it, so that there is nothing to preview: give it lines such as {\"row\": 17, \
         \"label\": \"fine\"}\n"
    );
    assert_eq!(desk.score(&["--preview", "metrics.csv"], "").status.code(), Some(2));
    let both = ["--feedback", "marks", "--preview", "--scores", "metrics.csv"];
    assert_eq!(desk.score(&both, "").status.code(), Some(2));
}
