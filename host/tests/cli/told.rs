//! What is found and how it is told: tables, JSON, streams, and what is said beside them.

use std::process::Command;

use super::{file, folder, metrics, run, stderr, stdout, watchpost};

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
