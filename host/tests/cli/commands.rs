//! What else the program does, and how it ends.

use std::process::Output;

use super::{fed, file, folder, run, stderr, stdout, watchpost};

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
