//! The program as its users meet it: exit codes, streams, and files that are kept.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};

use flate2::write::GzEncoder;
use tempfile::TempDir;

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

/// Runs to the end, with this on standard input.
fn fed(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that ends early does not read everything.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}

fn run(arguments: &[&str]) -> Output {
    watchpost(arguments).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Ten days of a metric with a day in its course, and a spike of an hour on the ninth.
fn metrics() -> String {
    let mut csv = "timestamp,latency_ms\n".to_owned();
    let mut noise = 1_u32;
    for row in 0..2880_u32 {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let wave = (f64::from(row) / 288.0 * std::f64::consts::TAU).sin();
        let mut value = 200.0 + 20.0 * wave + f64::from(noise >> 16) / 6553.6;
        if (2400..2412).contains(&row) {
            value += 400.0;
        }
        let (day, minute) = (row / 288 + 1, row % 288 * 5);
        csv += &format!("2026-03-{day:02} {:02}:{:02}:00,{value:.3}\n", minute / 60, minute % 60);
    }
    csv
}

/// A folder with `metrics.csv` in it, and the file's path.
fn folder() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "metrics.csv", metrics().as_bytes());
    (folder, path)
}

fn file(folder: &TempDir, name: &str, content: &[u8]) -> String {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_episode_is_found_and_told_in_every_form() {
    let (_folder, path) = folder();
    let table = run(&["score", &path]);
    assert!(table.status.success(), "{}", stderr(&table));
    assert!(
        stdout(&table).contains("2026-03-09 08:00:00") && stdout(&table).contains("latency_ms"),
        "{}",
        stdout(&table)
    );
    assert!(stderr(&table).contains(": read as CSV") && stderr(&table).contains("scored 2,880 events"));

    let lines = run(&["score", "--quiet", "--output", "ndjson", &path]);
    assert_eq!(stderr(&lines), "");
    let printed = stdout(&lines);
    let mut onsets = 0;
    for line in printed.lines() {
        let anomaly: watchpost_detector::Anomaly = serde_json::from_str(line).unwrap();
        match anomaly.phase {
            watchpost_detector::Phase::Onset => onsets += 1,
            phase => assert_eq!(phase, watchpost_detector::Phase::Worse),
        }
    }
    let report: serde_json::Value = serde_json::from_slice(&run(&["score", "--output", "json", &path]).stdout).unwrap();
    assert_eq!(report["episodes"].as_array().unwrap().len(), onsets);
    assert_eq!(report["status"]["events"], 2880);

    let rows = run(&["score", "--scores", &path]);
    assert_eq!(stdout(&rows).lines().count(), 2880);
    assert!(stdout(&rows).starts_with("{\"row\":0,"));
}

#[test]
fn exit_codes_are_as_documented() {
    let (folder, path) = folder();
    let code = |arguments: &[&str]| run(arguments).status.code().unwrap();
    assert_eq!(code(&["score", &path]), 0);
    assert_eq!(code(&["score", "--exit-code", &path]), 3);
    let quiet = file(&folder, "quiet.csv", b"latency_ms\n1\n1\n");
    assert_eq!(code(&["score", "--exit-code", &quiet]), 0);
    assert_eq!(code(&["score", "--nonsense"]), 2);
    assert_eq!(code(&["score", "--interval", "0", &path]), 2);
    assert_eq!(code(&["score", "--warm-up", "-", "-"]), 2);
    let config = file(&folder, "bad.json", b"{\"detector\": {\"bounds\": {\"max_serie\": 1}}}");
    assert_eq!(code(&["score", "--config", &config, &path]), 2);
    assert_eq!(code(&["score", "--state", &format!("{path}/no/state"), &path]), 1);
    let broken = file(&folder, "broken.ndjson", b"not\njson\n");
    assert_eq!(code(&["score", "--input", "ndjson", &broken]), 1);
    assert_eq!(code(&["score", "--engine", &path, &path]), 1);
}

#[test]
fn inputs_that_are_not_there_are_named_before_anything_is_scored() {
    let (folder, path) = folder();
    let output = run(&["score", "--output", "ndjson", &path, "missing.csv"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "");
    assert!(
        stderr(&output).starts_with("error: missing.csv: there is no such file"),
        "{}",
        stderr(&output)
    );
    let near = run(&["score", &path.replace("metrics", "metric")]);
    assert_eq!(near.status.code(), Some(1));
    assert!(
        stderr(&near).contains(&format!("did you mean {path}?")),
        "{}",
        stderr(&near)
    );
    let none = run(&["score", &format!("{}/*.log", folder.path().display())]);
    assert_eq!(none.status.code(), Some(1));
    assert!(
        stderr(&none).contains("no file matches this pattern"),
        "{}",
        stderr(&none)
    );
}

#[test]
fn folders_and_patterns_stand_for_their_files() {
    let (folder, path) = folder();
    let root = folder.path().display();
    file(&folder, ".hidden.csv", b"not,read\n");
    file(&folder, "logo.png", b"\x89PNG\r\n\x1a\n\0");
    let expected = run(&["score", "--scores", "--quiet", &path]).stdout;
    let whole = run(&["score", "--scores", &root.to_string()]);
    assert!(whole.stdout == expected, "{}", stderr(&whole));
    assert!(stderr(&whole).contains("logo.png (a picture)"), "{}", stderr(&whole));
    assert!(run(&["score", "--scores", "--quiet", &format!("{root}/*.c?v")]).stdout == expected);

    let parts: Vec<String> = [("app.log", 3), ("app.log.1", 2), ("app.log.2", 1)]
        .iter()
        .map(|(name, minute)| {
            file(
                &folder,
                name,
                format!("2026-03-02T14:0{minute}:00Z INFO up\n").as_bytes(),
            )
        })
        .collect();
    let rotated = run(&["score", "--output", "json", &parts[0], &parts[1], &parts[2]]);
    assert!(
        stderr(&rotated).contains("app.log: its parts are read oldest first"),
        "{}",
        stderr(&rotated)
    );
    let report: serde_json::Value = serde_json::from_slice(&rotated.stdout).unwrap();
    assert_eq!(report["input"][0]["name"], *parts[2]);
    assert_eq!(report["input"][2]["name"], *parts[0]);

    for minute in 0..9 {
        let row = format!("{{\"time\": \"2026-03-02T14:0{minute}:00Z\", \"a\": 1}}\n");
        file(&folder, &format!("{minute}.ndjson"), row.as_bytes());
    }
    let many = run(&["score", &format!("{root}/*.ndjson")]);
    assert!(
        stderr(&many).contains("2.ndjson and 6 more: read as JSON"),
        "{}",
        stderr(&many)
    );
    let empty = file(&folder, "empty.log", b"");
    assert!(stderr(&run(&["score", &empty])).contains("empty.log: it is empty"));
}

#[test]
fn rows_that_cannot_be_read_are_named_and_the_others_are_scored() {
    let (folder, _) = folder();
    let rows: String = (0..30).map(|row| format!("{row},x\n")).collect();
    let path = file(
        &folder,
        "some.csv",
        format!("a,b\n1,2\n{rows}3,4\n").replace("0,x", "0,x,y").as_bytes(),
    );
    let output = run(&["score", "--quiet", &path]);
    assert!(output.status.success(), "{}", stderr(&output));
    let first = stderr(&output).lines().next().unwrap();
    assert!(first.starts_with(&format!("{path}:3: ")), "{first}");
}

#[test]
fn alarms_are_told_beside_the_budget() {
    let (folder, path) = folder();
    let output = run(&["score", &path]);
    let last = stderr(&output).lines().last().unwrap();
    assert!(
        last.starts_with("2 alarms in 10 days, 0.2 a day (budget: 0.1 false alarms a day)"),
        "{last}"
    );
    // Twelve hours after a history.
    let csv = metrics();
    let rows: Vec<&str> = csv.lines().collect();
    let warm_up = file(&folder, "history.csv", rows[..2350].join("\n").as_bytes());
    let hours = file(
        &folder,
        "hours.csv",
        format!("{}\n{}\n", rows[0], rows[2350..2495].join("\n")).as_bytes(),
    );
    let output = run(&["score", "--warm-up", &warm_up, &hours]);
    let last = stderr(&output).lines().last().unwrap();
    assert_eq!(last, "1 alarm in 12h (budget: 0.1 false alarms a day)");
}

#[test]
fn what_came_close_is_told_with_the_budget_that_would_have_reported_it() {
    let lines = (0..360).flat_map(|n| {
        let time = format!("2026-11-20 {:02}:{:02}:{:02}", 9 + n / 360, n / 6 % 60, n % 6 * 10);
        let info = format!(
            "{time} INFO  GET /cart/{} took {} ms\n",
            n * 37 % 1000,
            10 + n * 13 % 17
        );
        let errors = if (240..246).contains(&n) { 12 } else { 0 };
        let error = move |k| format!("{time} ERROR payment refused by acquirer for order {}\n", n * 12 + k);
        std::iter::once(info).chain((0..errors).map(error))
    });
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "app.log", lines.collect::<String>().as_bytes());
    let output = run(&["score", &path]);
    assert!(stdout(&output).starts_with("no anomalies in "), "{}", stdout(&output));
    let told = stderr(&output);
    assert!(
        told.contains("\n1 near miss, which a larger budget would have reported:\n"),
        "{told}"
    );
    let near = told
        .lines()
        .find(|line| line.starts_with("  2026-11-20 09:40:00  severe log line: payment refused"));
    let near = near.unwrap_or_else(|| panic!("{told}"));
    let budget = near.rsplit(['(', ')', ' ']).find(|word| !word.is_empty()).unwrap();
    assert!(near.ends_with(&format!("(--false-alarms-per-day {budget})")), "{near}");

    let output = run(&["score", "--false-alarms-per-day", budget, &path]);
    assert!(
        stdout(&output).contains("payment refused by acquirer"),
        "{}",
        stdout(&output)
    );
    assert!(!stderr(&output).contains("near miss"), "{}", stderr(&output));
    for form in ["json", "ndjson"] {
        let output = run(&["score", "--output", form, &path]);
        assert!(!stderr(&output).contains("near miss"), "{form}: {}", stderr(&output));
    }
}

#[test]
fn nothing_is_found_in_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let broken = file(&folder, "broken.ndjson", b"not\njson\n");
    for form in ["table", "ndjson"] {
        let output = run(&["score", "--input", "ndjson", "--output", form, &broken]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(stdout(&output), "");
        assert!(!stderr(&output).contains("no anomalies"), "{}", stderr(&output));
        assert!(stderr(&output).contains("error: none of the rows could be read"));
    }
    let empty = file(&folder, "empty.log", b"");
    let output = run(&["score", &empty]);
    assert!(output.status.success());
    assert_eq!(stdout(&output), "no events: there was nothing to score\n");
    let cut = file(&folder, "cut.gz", b"\x1f\x8b\x08\0\0\0");
    let output = run(&["score", &cut]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_subject_that_is_not_there_is_a_mistake_of_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        &folder,
        "some.csv",
        b"time,service,cpu\n2026-03-02,cart,1\n2026-03-03,cart,2\n",
    );
    for form in [&["--output", "json"][..], &["--output", "table"], &["--scores"]] {
        for (column, fault) in [
            (
                "servce",
                "there is no column \"servce\" for the subject: there are time, service, cpu",
            ),
            (
                "time",
                "\"time\" is the time of a row and cannot be part of its subject",
            ),
        ] {
            let output = run(&[&["score", "--quiet", "--subject", column, &path], form].concat());
            assert_eq!(output.status.code(), Some(2));
            assert_eq!(stdout(&output), "");
            assert_eq!(stderr(&output), format!("error: --subject: {path}: {fault}\n"));
        }
    }
    assert!(run(&["score", "--subject", "service", &path]).status.success());
}

#[test]
fn tables_are_told_from_logs() {
    for input in ["name;cpu\nx;1,5\ny;2\n", "name\tcpu\nx\t1.5\ny\t2\n", "cpu\n1\n2\n"] {
        let output = fed(&mut watchpost(&["score", "--scores", "-"]), input.as_bytes());
        let said = stderr(&output);
        assert!(said.contains("stdin: read as CSV"), "{said}");
        assert!(!said.contains("could not be read"), "{said}");
        assert_eq!(stdout(&output).lines().count(), 2);
    }
}

#[test]
fn packing_and_pipes_change_nothing() {
    let (folder, path) = folder();
    let expected = run(&["score", "--scores", "--quiet", &path]).stdout;
    let csv = metrics();
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(csv.as_bytes()).unwrap();
    let gzip = encoder.finish().unwrap();
    let zstd = zstd::encode_all(csv.as_bytes(), 1).unwrap();
    for (name, content) in [("a.csv.gz", &gzip), ("b.zst", &zstd), ("misnamed.log", &gzip)] {
        let path = file(&folder, name, content);
        assert!(
            run(&["score", "--scores", "--quiet", &path]).stdout == expected,
            "{name}"
        );
    }
    for content in [csv.as_bytes(), &gzip, &zstd] {
        assert!(fed(&mut watchpost(&["score", "--scores", "--quiet", "-"]), content).stdout == expected);
        assert!(fed(&mut watchpost(&["score", "--scores", "--quiet"]), content).stdout == expected);
    }
    let native = run(&["score", "--scores", "--quiet", "--engine", "native", &path]);
    assert!(native.stdout == expected, "the engines differ");
}

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

#[test]
fn what_was_configured_for_nothing_is_told_once() {
    let (folder, path) = folder();
    let config = file(
        &folder,
        "config.json",
        br#"{"detector": {
            "models": {"together": ["forest"]},
            "rules": {"__default__": {"latency_ms": 9000, "latency": 900}},
            "patterns": {"rules": [{"name": "boom", "when": {"regex": "boom"}}]}
        }}"#,
    );
    let output = run(&["score", "--config", &config, &path]);
    for told in [
        "\n`models.together` was not used: no subject has three metrics or more: leave it out, or give a subject more of \
         them\n",
        "\nnothing was compared with the limits of `__default__.latency`: no such number came: look for a slip in the \
         service or in the field, or leave them out\n",
        "\nnothing was looked at for the patterns `boom`: no log lines came: give a log, or leave them out\n",
    ] {
        assert_eq!(stderr(&output).matches(told).count(), 1, "{told}: {}", stderr(&output));
    }
    assert_eq!(stderr(&run(&["score", "--quiet", "--config", &config, &path])), "");
    let log = file(&folder, "app.log", b"2026-03-02T14:00:00Z INFO up\n");
    let config = file(
        &folder,
        "pay.json",
        br#"{"detector": {"patterns": {"rules": [
            {"name": "boom", "service": "pay", "when": {"regex": "boom"}},
            {"name": "bang", "when": {"regex": "bang"}}]}}}"#,
    );
    let output = run(&["score", "--config", &config, &log]);
    assert!(
        stderr(&output).contains("for the patterns `boom` (`pay`): nothing came of these services"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_was_found_of_patterns_is_told_and_kept_with_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let state = state.to_str().unwrap();
    let lines = |minutes: std::ops::Range<u32>| -> String {
        minutes
            .map(|minute| format!("2026-03-02T14:{minute:02}:00Z ERROR connection refused by 10.0.0.1\n"))
            .collect()
    };
    let config = file(
        &folder,
        "config.json",
        br#"{"detector": {"patterns": {"rules": [{"name": "lost", "alarm": false, "when": {"regex": "10.0.0.1"}}]}}}"#,
    );
    let one = file(&folder, "one.log", lines(0..20).as_bytes());
    let feedback = file(&folder, "feedback.ndjson", b"{\"row\": 3, \"label\": \"matters\"}\n");
    let first = run(&[
        "score",
        "--config",
        &config,
        "--state",
        state,
        "--feedback",
        &feedback,
        &one,
    ]);
    assert!(
        stderr(&first).contains(
            "\npatterns found: lost (20, mattered 1 of 1 times), connection-refused (20, mattered 1 of 1 times)\n"
        ),
        "{}",
        stderr(&first)
    );
    let two = file(&folder, "two.log", lines(20..25).as_bytes());
    let second = run(&["score", "--config", &config, "--state", state, "--output", "json", &two]);
    assert!(
        stderr(&second).contains("patterns found: lost (5, "),
        "{}",
        stderr(&second)
    );
    let report: serde_json::Value = serde_json::from_slice(&second.stdout).unwrap();
    let found = report["status"]["found"].as_array().unwrap();
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!((&found[0]["name"], &found[0]["matches"]), (&"lost".into(), &25.into()));
    assert_eq!(
        (&found[0]["last"], &found[0]["success_rate"]),
        (&"2026-03-02T14:24:00Z".into(), &1.0.into())
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

#[test]
fn colours_are_for_those_who_want_them() {
    let (_folder, path) = folder();
    let coloured = |command: &mut Command| command.output().unwrap().stdout.contains(&0x1b);
    assert!(!coloured(&mut watchpost(&["score", &path])), "a pipe is no terminal");
    assert!(coloured(&mut watchpost(&["score", "--color", "always", &path])));
    assert!(coloured(watchpost(&["score", &path]).env("CLICOLOR_FORCE", "1")));
    assert!(!coloured(
        watchpost(&["score", &path])
            .env("NO_COLOR", "1")
            .env("CLICOLOR_FORCE", "0")
    ));
    assert!(!coloured(
        watchpost(&["score", "--color", "never", &path]).env("CLICOLOR_FORCE", "1")
    ));
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        assert!(
            output.status.success() && stdout(&output).contains("false-alarms-per-day"),
            "{shell}"
        );
    }
}

#[test]
fn configurations_are_printed_checked_and_described() {
    let (folder, _) = folder();
    let printed = run(&["config", "print"]);
    let good = file(&folder, "good.json", &printed.stdout);
    let checked = run(&["config", "check", &good]);
    assert!(checked.status.success(), "{}", stderr(&checked));
    assert_eq!(
        stderr(&checked),
        format!("{good}: fine; everything is as it is by default\n")
    );
    assert_eq!(stderr(&run(&["config", "check", "--quiet", &good])), "");
    let ours = file(
        &folder,
        "ours.json",
        br#"{"detector": {
            "false_alarms_per_day": 2,
            "rules": {"web": {"response_time": 1500}},
            "patterns": {
                "change": {"timeout": {"off": true}, "panic": {"alarm": true}},
                "rules": [{"name": "boom", "description": "It went up", "severity": "high", "when": {"regex": "boom"}}]
            }
        }}"#,
    );
    assert_eq!(
        stderr(&run(&["config", "check", &ours])),
        format!("{ours}: fine; 2 false alarms a day, 1 limit, 1 pattern of its own and 34 of the library, 1 model\n")
    );
    let listed = run(&["config", "patterns", "--config", &ours]);
    let listed: Vec<&str> = stdout(&listed).lines().collect();
    assert_eq!(listed.len(), 35);
    assert_eq!(listed[0], "boom                     high      alarms  It went up");
    assert!(listed.contains(&"disk-full                high              A disk or a quota is full"));
    assert!(
        listed
            .iter()
            .any(|line| line.starts_with("panic                    critical  alarms "))
    );
    let printed: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(printed["detector"]["false_alarms_per_day"], 0.1);

    file(&folder, "bad.yaml", b"detector:\n  learning: quickly\n");
    file(&folder, "bad.toml", b"[detector]\naccept_after_minutes = 0\n");
    let checked = watchpost(&["config", "check", "bad.yaml", "good.json", "bad.toml", "none.json"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(checked.status.code(), Some(2));
    assert_eq!(
        stderr(&checked),
        "bad.yaml:2:13: detector.learning: `quickly` is none of the choices: write `guarded`, `open` or `frozen`\n\
         good.json: fine; everything is as it is by default\n\
         bad.toml:2:24: detector.accept_after_minutes: 0 is not a time in minutes: give a whole number from 1 to \
         525600 (a year)\n\
         none.json: cannot be read: No such file or directory (os error 2)\n"
    );
    for of in ["config", "event", "verdict"] {
        let schema: serde_json::Value = serde_json::from_slice(&run(&["config", "schema", of]).stdout).unwrap();
        assert!(schema["$schema"].is_string(), "{of}");
    }
}

#[test]
fn the_memory_of_a_configuration_is_told_and_so_is_what_it_cost() {
    let (folder, _) = folder();
    let default = run(&["size"]);
    assert!(default.status.success(), "{}", stderr(&default));
    for part in [
        "series  ",
        "templates of log lines",
        "everything",
        "The wasm guest may use",
    ] {
        assert!(stdout(&default).contains(part), "{part}: {}", stdout(&default));
    }
    assert!(stdout(&default).ends_with("\nThe wasm guest may use 640 MiB: enough for all of this.\n"));
    let small = file(&folder, "small.yaml", b"detector:\n  bounds:\n    max_series: 1\n");
    let size = run(&["size", "--config", &small]);
    assert!(stdout(&size).contains("enough for all of this"), "{}", stdout(&size));

    let rows = "{\"service\": \"a\", \"cpu\": 1}\n{\"service\": \"b\", \"cpu\": 1}\n";
    let scored = fed(
        &mut watchpost(&["score", "--input", "ndjson", "--config", &small]),
        rows.as_bytes(),
    );
    assert!(
        stderr(&scored).contains("1 subject was forgotten to stay within `bounds.max_series`"),
        "{}",
        stderr(&scored)
    );
}

/// The outage in the episode of a chatty rule.
#[test]
fn a_stream_tells_at_once_what_becomes_worse_and_a_table_what_matters_most() {
    let case = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cases/patterns-in-one-episode");
    let [config, input] = ["config.json", "input.ndjson"].map(|file| format!("{case}/{file}"));
    let stream = run(&["score", "--quiet", "--config", &config, "--output", "ndjson", &input]);
    let told: Vec<(String, String)> = stdout(&stream)
        .lines()
        .map(|line| {
            let anomaly: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            (
                format!("{} {}", text(&anomaly["phase"]), text(&anomaly["severity"])),
                text(&anomaly["explanation"]["contributions"][0]["of"]),
            )
        })
        .collect();
    let told: Vec<(&str, &str)> = told.iter().map(|(what, of)| (&**what, &**of)).collect();
    assert_eq!(
        told,
        [
            ("onset low", "cache-miss"),
            ("worse high", "payment-gateway-down"),
            ("worse critical", "level"),
        ]
    );
    let table = run(&["score", "--config", &config, &input]);
    let page = stdout(&table);
    assert!(page.contains("critical  severe log line in service=cart"), "{page}");
    assert!(page.contains("payment-gateway-down (6 events): "), "{page}");
    assert!(page.contains("cache-miss (60 events)"), "{page}");
    assert!(stderr(&table).contains("1 alarm in"), "{}", stderr(&table));
}

#[test]
fn feedback_that_is_wrong_is_named_by_line() {
    let (folder, path) = folder();
    let feedback = file(
        &folder,
        "feedback",
        b"{\"row\": 1, \"label\": \"fine\"}\n{\"row\": -2}\n",
    );
    let output = run(&["score", "--feedback", &feedback, &path]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains(&format!("{feedback}:2:")),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_demonstration_ends_with_what_it_measured() {
    let quiet = run(&["demo", "--quiet"]);
    assert!(quiet.status.success(), "{}", stderr(&quiet));
    assert_eq!(stdout(&quiet).lines().count(), 1);
    let native = run(&["demo", "--quiet", "--engine", "native"]);
    let digest = |output: &Output| stdout(output).trim_end().rsplit_once(' ').unwrap().1.to_owned();
    assert_eq!(digest(&quiet), digest(&native), "the engines differ");
    let whole = run(&["demo"]);
    assert!(stdout(&whole).contains("search leaks memory"));
    let last = stdout(&whole).lines().last().unwrap();
    let fields: Vec<&str> = last.split(' ').step_by(2).collect();
    assert_eq!(
        fields,
        [
            "found",
            "false_alarms",
            "lead_time_seconds",
            "events_per_second",
            "guest_memory",
            "sha256"
        ]
    );
    assert_eq!(digest(&whole), digest(&quiet));
}

#[test]
fn the_recording_is_shown_like_the_simulated_days() {
    let whole = run(&["demo", "--recording", "--engine", "native"]);
    assert!(whole.status.success(), "{}", stderr(&whole));
    let page = stdout(&whole);
    for told in [
        "cart crashes: found by",
        "the bank's certificate expires: ",
        "203.0.113.77 scans for paths: ",
    ] {
        assert!(page.contains(told), "{page}");
    }
    let simulated = run(&["demo", "--quiet", "--engine", "native"]);
    let names = |output: &Output| -> Vec<String> {
        let page = stdout(output);
        let fields = page.lines().last().unwrap().split(' ');
        fields.step_by(2).map(str::to_owned).collect()
    };
    assert_eq!(names(&whole), names(&simulated));
}
