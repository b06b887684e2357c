//! What goes on: states that are kept, streams that grow, and pipes that are closed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use super::{file, folder, metrics, run, stderr, stdout, watchpost};

#[test]
fn a_state_makes_two_runs_one() {
    let (folder, path) = folder();
    let state = folder.path().join("state");
    let whole = run(&["score", "--quiet", "--scores", &path]).stdout;
    let csv = metrics();
    let (header, rows) = csv.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    let mut scores = Vec::new();
    for (name, part) in ["one.csv", "two.csv"].into_iter().zip([&rows[..2405], &rows[2405..]]) {
        let path = file(&folder, name, format!("{header}\n{}\n", part.join("\n")).as_bytes());
        let output = run(&[
            "score",
            "--quiet",
            "--scores",
            "--state",
            state.to_str().unwrap(),
            &path,
        ]);
        assert!(output.status.success(), "{}", stderr(&output));
        scores.extend(stdout(&output).lines().map(surprise).collect::<Vec<_>>());
    }
    let whole: Vec<_> = std::str::from_utf8(&whole).unwrap().lines().map(surprise).collect();
    assert!(whole == scores, "stopping and going on made a difference");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        4,
        "no temporary file is left"
    );

    fs::write(&state, "nonsense").unwrap();
    let output = run(&["score", "--state", state.to_str().unwrap(), &path]);
    assert_eq!(output.status.code(), Some(1));
    let said = format!(
        "error: --state {}: this is no state of a Watchpost detector\n",
        state.display()
    );
    assert_eq!(stderr(&output), said);
    assert_eq!(
        fs::read(&state).unwrap(),
        b"nonsense",
        "what could not be read is not overwritten"
    );
}

#[test]
fn a_state_of_another_configuration_is_refused_with_what_differs() {
    let (folder, path) = folder();
    let state = folder.path().join("shop.state");
    let state = state.to_str().unwrap();
    let one = file(
        &folder,
        "one.json",
        b"{\"detector\": {\"bounds\": {\"max_series\": 50}}}",
    );
    let two = file(
        &folder,
        "two.json",
        b"{\"detector\": {\"bounds\": {\"max_series\": 60}, \"models\": {\"together\": [\"pca\", \"forest\"]}}}",
    );
    assert!(
        run(&["score", "--state", state, "--config", &one, &path])
            .status
            .success()
    );
    for engine in ["wasm", "native"] {
        let refused = run(&["score", "--engine", engine, "--state", state, "--config", &two, &path]);
        assert_eq!(refused.status.code(), Some(1));
        assert_eq!(
            stderr(&refused),
            format!(
                "error: --state {state}: the state was made with another configuration, `bounds.max_series` was 50 and \
                 is 60, `models.together` was [] and is [\"forest\", \"pca\"]: configure the same as then, or start \
                 without the state; the budget, rules and patterns may differ\n"
            )
        );
    }
}

#[test]
fn rows_that_are_older_than_the_state_are_scored_and_told() {
    let (folder, path) = folder();
    let state = folder.path().join("state");
    let state = state.to_str().unwrap();
    let first = run(&["score", "--state", state, "--scores", &path]);
    assert!(!stderr(&first).contains("older"), "{}", stderr(&first));
    let again = run(&["score", "--state", state, "--scores", &path]);
    assert!(again.status.success());
    assert_eq!(stdout(&again).lines().count(), 2880, "nothing is lost");
    assert!(
        stderr(&again).contains(
            "\n2879 of 2880 events are older than the last one of the state (2026-03-10T23:55:00Z): they were scored and \
             learned from like new ones, so that what the state has seen before now counts twice: give each event once, \
             or start without the state\n"
        ),
        "{}",
        stderr(&again)
    );
}

/// Everything about a row but its number, which starts anew with every run.
fn surprise(line: &str) -> serde_json::Value {
    let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
    row.as_object_mut().unwrap().remove("row");
    row
}

#[test]
fn a_live_stream_is_scored_line_by_line_and_can_be_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let arguments = [
        "score",
        "--scores",
        "--input",
        "text",
        "--state",
        state.to_str().unwrap(),
        "-",
    ];
    let mut child: Child = watchpost(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut rows = BufReader::new(child.stdout.take().unwrap());
    for row in 0..3 {
        writeln!(stdin, "2026-03-02T14:05:3{row}Z INFO request {row} done").unwrap();
        let mut line = String::new();
        rows.read_line(&mut line).unwrap();
        assert!(line.starts_with(&format!("{{\"row\":{row},")), "{line}");
    }
    write!(stdin, "2026-03-02T14:05:33Z INFO half a li").unwrap();
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    let mut rest = String::new();
    rows.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "half a line is not a line");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("scored 3 events"), "{}", stderr(&output));
    assert!(state.exists());
}

#[test]
fn a_closed_pipe_is_no_error() {
    let (_folder, path) = folder();
    for arguments in [
        &["score", "--scores", &path][..],
        &["demo"],
        &["config", "print"],
        &["completions", "zsh"],
    ] {
        let mut child = watchpost(arguments).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("error"), "{}", stderr(&output));
    }
}
