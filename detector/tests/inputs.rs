//! Requests that come in several inputs, and in inputs with gaps: what a folder of access logs is.

use watchpost_detector::wire::Format;
use watchpost_detector::{Anomaly, Input, Kind, Line, Phase, Scorer, Timestamp};

const START: i64 = 1_795_165_200;

/// A request every half second of these seconds, to one of three routes; `status` tells how each ends.
fn log(seconds: impl Iterator<Item = i64>, status: impl Fn(i64) -> u16) -> String {
    let mut log = String::new();
    for second in seconds {
        for half in 0..2 {
            let n = 2 * second + half;
            let route = ["/cart", "/search", "/pay"][(n * 7919 % 3) as usize];
            let time = Timestamp::from_nanos((START * 2 + n) * 500_000_000);
            let (status, took) = (status(n), 20 + n * 7919 % 13);
            log.push_str(&format!(
                "{{\"timestamp\":\"{time}\",\"method\":\"GET\",\"path\":\"{route}\",\"status\":{status},\"duration_ms\":{took}}}\n"
            ));
        }
    }
    log
}

fn alarms(inputs: &[String]) -> Vec<Anomaly> {
    let mut scorer = Scorer::open("", None).unwrap();
    let mut out = Vec::new();
    for input in inputs {
        scorer.begin(Input::new(Format::Ndjson));
        scorer.push(input.as_bytes(), &mut out);
        scorer.finish(&mut out);
    }
    let lines = String::from_utf8(out).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter_map(|line| match line {
            Line::Anomaly(anomaly) if anomaly.phase == Phase::Onset => Some(*anomaly),
            _ => None,
        })
        .collect()
}

/// One in two fails in ten minutes of the second hour.
fn trouble(n: i64) -> u16 {
    if (2 * 4_000..2 * 4_600).contains(&n) && n % 2 == 0 {
        502
    } else {
        200
    }
}

#[test]
fn a_second_log_of_the_same_hours_is_judged() {
    let found = alarms(&[log(0..7_200, |_| 200), log(0..7_200, trouble)]);
    assert!(!found.is_empty());
    for alarm in &found {
        let since = alarm.timestamp.seconds_since(Timestamp::from_seconds(START));
        assert!((4_000.0..4_700.0).contains(&since), "{alarm:?}");
        assert!(matches!(alarm.kind, Kind::Errors | Kind::RetryStorm), "{alarm:?}");
    }
}

#[test]
fn the_end_of_one_log_beside_a_longer_one_is_no_silence() {
    let lines: String = (0..4_000)
        .map(|n| {
            let time = Timestamp::from_seconds(START + 3 * n);
            format!("{{\"timestamp\":\"{time}\",\"level\":\"info\",\"message\":\"request {n} was answered\"}}\n")
        })
        .collect();
    let found = alarms(&[log(0..7_200, |_| 200), lines]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn windows_do_not_reach_over_the_gaps_of_a_log() {
    let minutes = || (0..30).flat_map(|hour| hour * 3_600..hour * 3_600 + 60);
    let found = alarms(&[log(minutes(), |_| 200)]);
    assert!(found.is_empty(), "{found:?}");
}
