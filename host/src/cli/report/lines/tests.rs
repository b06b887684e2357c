use super::*;

const VERDICT: &str = r#"{"timestamp":"2026-11-21T12:00:10Z","subject":{"route":"POST /pay"},"kind":"latency","anomaly_type":"performance","severity":"high","score":0.99,"surprise":5.5,"threshold":4.5,"phase":"onset","seconds":0.0,"events":1,"peak":"2026-11-21T12:00:10Z","fingerprint":"00000000000000ff","explanation":{"contributions":[],"counterfactual":[]}}"#;

const PREFIX: &str = "[2026-11-21 12:00:11.123][17][warning][wasm] [source/extensions/common/wasm/context.cc:1370] wasm log watchpost shop vm: ";

fn voice(thread: &str, instance: &str) -> Voice {
    Voice {
        thread: thread.to_owned(),
        instance: instance.to_owned(),
    }
}

fn said(line: &str) -> Voice {
    match find(line) {
        Some(Found::Verdict(anomaly, voice)) if anomaly.surprise == 5.5 => voice,
        other => panic!("{line}: {other:?}"),
    }
}

fn in_json(thread: &str, message: &str) -> String {
    let line = serde_json::json!({
        "level": "warning", "time": "2026-11-21T12:00:11.123456Z", "scope": "envoy wasm",
        "msg": message, "thread": thread,
    });
    line.to_string()
}

#[test]
fn verdicts_are_found_in_every_form_of_log() {
    assert_eq!(said(VERDICT), Voice::default());
    assert_eq!(said(&format!("{PREFIX}{VERDICT}")), voice("17", "watchpost shop vm"));
    let istio = format!(
        "2026-11-21T12:00:11.123456Z\twarning\tenvoy wasm external/envoy/source/context.cc:1370\twasm log shop: {VERDICT}\tthread=23"
    );
    assert_eq!(said(&istio), voice("23", "shop"));
    let json = in_json("23", &format!("wasm log shop: {VERDICT}"));
    assert_eq!(said(&json), voice("23", "shop"));
    let container = serde_json::json!({"log": format!("{PREFIX}{VERDICT}\n"), "stream": "stderr"}).to_string();
    assert_eq!(said(&container), voice("17", "watchpost shop vm"));
    let both = serde_json::json!({"log": format!("{json}\n"), "stream": "stderr"}).to_string();
    assert_eq!(said(&both), voice("23", "shop"));
    let cri = format!("2026-11-21T12:00:11.123456789Z stderr F {json}");
    assert_eq!(said(&cri), voice("23", "shop"));
    let parsed = format!(r#"{{"time":"2026-11-21T12:00:11Z","msg":{VERDICT}}}"#);
    assert_eq!(said(&parsed), Voice::default());
    assert_eq!(
        said(&VERDICT.replace("\":", "\": ").replace(",\"", ", \"")),
        Voice::default()
    );
}

#[test]
fn other_lines_are_passed_over() {
    for line in [
        "",
        "[2026-11-21 12:00:11.123][17][info][main] [source/server/server.cc:1] starting main dispatch loop",
        r#"{"timestamp":"2026-11-21T12:00:10Z","method":"GET","path":"/","status":200}"#,
        r#"{"timestamp":"2026-11-21T12:00:10Z"}"#,
        r#"{"timestamp":1795165200,"message":"a"}"#,
        r#"app said {"timestamp":"2026-11-21T12:00:10Z","level":"info"}"#,
        r#"{"log":"{\"timestamp\":\"2026-11-21T12:00:10Z\",\"level\":\"info\"}\n"}"#,
        r#"{"log":"{\"timestamp\":\"2026-11-21T12:00:10Z\",\"lev"#,
        r#"watchpost: the field "timestamp" is no field"#,
        r#"journal 3 {"exchange":{"time":"2026-11-21T12:00:10Z"},"verdict":{"row":1,"score":0.1}}"#,
    ] {
        assert_eq!(find(line), None, "{line}");
    }
}

#[test]
fn a_verdict_that_cannot_be_read_is_named_wherever_it_was_cut() {
    let json = in_json("17", VERDICT);
    let container = serde_json::json!({"log": format!("{json}\n")}).to_string();
    for (line, from) in [
        (format!("{PREFIX}{VERDICT}"), PREFIX.len() + 14),
        (json.clone(), json.find("subject").unwrap() + 10),
    ] {
        for end in from..line.len() - 2 {
            let cut = line.get(..end).unwrap();
            let found = find(cut);
            let is_whole = matches!(found, Some(Found::Verdict(..))) && cut.ends_with("}}");
            let is_named = found == Some(Found::Broken("the verdict is cut off".to_owned()));
            assert!(is_named || is_whole, "{cut}: {found:?}");
        }
    }
    assert!(matches!(find(&container), Some(Found::Verdict(..))));
    let other = VERDICT.replace("\"latency\"", "\"tardiness\"");
    let Some(Found::Broken(why)) = find(&other) else {
        panic!("{other}")
    };
    assert!(
        why.starts_with("this is no verdict of this version: `tardiness` is none of the choices"),
        "{why}"
    );
    let Some(Found::Broken(why)) = find(&VERDICT.replace(",\"surprise\":5.5", "")) else {
        panic!()
    };
    assert!(why.contains("`surprise`"), "{why}");
}

#[test]
fn the_time_of_a_line_is_read_in_every_form_of_log() {
    let seconds = |line: &str| time(line).map(|time| time.nanos() / 1_000_000_000);
    let then = Some(1_795_262_411);
    assert_eq!(seconds(PREFIX), then);
    assert_eq!(seconds("2026-11-21T12:00:11.123456Z\tinfo\tenvoy main"), then);
    assert_eq!(seconds(&in_json("1", "starting")), then);
    assert_eq!(seconds(VERDICT), None);
    assert_eq!(seconds("starting"), None);
    assert_eq!(seconds("[17] starting"), None);
}
