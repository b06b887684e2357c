//! One kind of pattern after the other.

use super::*;

#[test]
fn an_expression_alarms_at_once_and_says_why() {
    let mut watch = Watch::new(
        r#"{"name": "java-heap", "description": "The heap is full", "severity": "high",
            "when": {"regex": "ERROR.*OutOfMemory"}}"#,
    );
    assert_eq!(watch.alarms(&[(0, "started"), (1, "ERROR x OutOfMemory")]), [1]);
    let alarm = watch.onsets()[0];
    assert_eq!((alarm.kind, alarm.severity), (Kind::Pattern, Severity::High));
    let [part] = &alarm.explanation.contributions[..] else {
        panic!("{:?}", alarm.explanation)
    };
    assert_eq!((part.of.as_str(), part.model.as_str()), ("java-heap", "pattern"));
    assert_eq!(part.surprise, alarm.surprise);
    assert_eq!(part.observed, Observation::Text("ERROR x OutOfMemory".to_owned()));
    assert_eq!(alarm.explanation.patterns[0].description, "The heap is full");
    assert_eq!(alarm.surprise, alarm.threshold);
}

#[test]
fn the_budget_of_false_alarms_knows_nothing_of_patterns() {
    let rule = r#"{"name": "boom", "when": {"regex": "boom"}}"#;
    let (mut with, mut without) = (Watch::new(rule), Watch::with("{}"));
    for n in 0..300 {
        let message = if n % 40 == 0 { "boom" } else { "fine" };
        with.line(said(n * 30, message));
        without.line(said(n * 30, message));
    }
    assert!(with.onsets().len() > without.onsets().len());
    assert_eq!(with.detector.status().threshold, without.detector.status().threshold);
}

#[test]
fn only_the_service_and_the_level_that_are_asked_for() {
    let mut watch = Watch::new(r#"{"name": "boom", "service": "pay", "level": "error", "when": {"regex": "boom"}}"#);
    watch.line(said(0, "boom"));
    watch.line(Said {
        service: "pay",
        ..said(1, "boom")
    });
    assert_eq!(watch.matches("boom"), 0);
    watch.line(Said {
        service: "pay",
        level: Level::Error,
        ..said(2, "boom")
    });
    assert_eq!(watch.matches("boom"), 1);
}

#[test]
fn patterns_that_found_nothing_are_told_and_those_of_the_library_are_not() {
    let mut watch = Watch::new(
        r#"{"name": "boom", "when": {"regex": "boom"}}, {"name": "bang", "when": {"regex": "bnag"}},
           {"name": "crash", "service": "shop", "alarm": false, "when": {"regex": "carsh"}}"#,
    );
    assert_eq!(watch.detector.unused(), Vec::<String>::new());
    watch.line(said(0, "boom, bang, crash"));
    assert_eq!(
        watch.detector.unused(),
        [
            "nothing was found by the patterns `bang`, `crash`: what they look for has not come, or there is a slip in what they look for"
        ]
    );
}

#[test]
fn a_pattern_without_alarm_only_names() {
    let mut watch = Watch::new(r#"{"name": "boom", "alarm": false, "when": {"regex": "boom"}}"#);
    assert!(watch.alarms(&[(0, "boom"), (60, "boom"), (120, "boom")]).is_empty());
    assert_eq!(watch.matches("boom"), 3);
}

#[test]
fn a_phrase_is_found_with_slips() {
    for (distance, line, found) in [
        (0, "the DISK QUOTA EXCEEDED by 3", true),
        (0, "the disk quota excceeded", false),
        (1, "the disk quota excceeded", true),
        (2, "the disc quota exceded", true),
        (2, "the disc quotas exceded", false),
        (3, "disk-quota is exceeded", false),
        (4, "disk-quota is exceeded", true),
        (4, "", false),
    ] {
        let mut watch = Watch::new(&format!(
            r#"{{"name": "quota", "when": {{"fuzzy": {{"phrase": "disk quota exceeded", "distance": {distance}}}}}}}"#
        ));
        watch.line(said(0, line));
        assert_eq!(watch.matches("quota") == 1, found, "{distance} {line}");
    }
}

#[test]
fn a_phrase_is_found_in_another_order() {
    for (similarity, line, found) in [
        (1.0, "replica of shard 3 lost", true),
        (1.0, "lost shard 3 and its replica", true),
        (1.0, "lost shard 3", false),
        (0.6, "lost shard 3", true),
        (0.6, "lost everything", false),
        (0.6, "replicas are lost", false),
    ] {
        let mut watch = Watch::new(&format!(
            r#"{{"name": "shard", "when": {{"fuzzy": {{"phrase": "shard replica lost", "similarity": {similarity}}}}}}}"#
        ));
        watch.line(said(0, line));
        assert_eq!(watch.matches("shard") == 1, found, "{similarity} {line}");
    }
}

const SEQUENCE: &str = r#"{"name": "slow-start", "when": {"sequence":
    {"first": {"regex": "stopping"}, "then": {"regex": "started"}, "within_seconds": 30}}}"#;

#[test]
fn a_line_after_another() {
    let mut watch = Watch::new(SEQUENCE);
    let lines = [
        (0, "started"),
        (10, "stopping"),
        (41, "started"),
        (50, "stopping"),
        (80, "started"),
        (81, "started"),
    ];
    assert_eq!(watch.alarms(&lines), [80]);
    assert_eq!(
        watch.onsets()[0].explanation.contributions[0].observed,
        Observation::Number(30.0)
    );
}

#[test]
fn a_sequence_is_of_one_subject() {
    let mut watch = Watch::new(SEQUENCE);
    watch.line(said(0, "stopping"));
    watch.line(Said {
        service: "pay",
        ..said(1, "started")
    });
    assert!(watch.onsets().is_empty());
    watch.line(said(2, "started"));
    assert_eq!(watch.onsets().len(), 1);
}

fn missing(by: &str) -> Watch {
    Watch::new(&format!(
        r#"{{"name": "no-receipt", "severity": "critical", "when": {{"sequence":
            {{"first": {{"regex": "charge order=(?<order>\\d+)"}}, "then": {{"regex": "receipt order=(?<order>\\d+)"}},
              "within_seconds": 30, "absent": true, "by": {by}}}}}}}"#
    ))
}

#[test]
fn a_line_without_another_is_noticed_when_its_time_is_over() {
    let mut watch = missing(r#"{"capture": "order"}"#);
    let lines = [
        (0, "charge order=1"),
        (5, "charge order=2"),
        (20, "receipt order=1"),
        (35, "idle"),
        (36, "idle"),
    ];
    assert_eq!(watch.alarms(&lines), [36]);
    let alarm = watch.onsets()[0];
    assert_eq!((alarm.kind, alarm.severity), (Kind::Pattern, Severity::Critical));
    assert_eq!(alarm.timestamp, Timestamp::from_seconds(1_000_035));
    assert_eq!(alarm.explanation.patterns[0].about.as_deref(), Some("2"));
    assert_eq!(alarm.subject["service"], "shop");
}

#[test]
fn time_alone_is_enough_for_a_line_to_be_missed() {
    let mut watch = missing(r#""subject""#);
    watch.line(said(0, "charge order=1"));
    watch.tick(30);
    assert!(watch.onsets().is_empty());
    watch.tick(31);
    assert_eq!(watch.onsets().len(), 1);
    watch.tick(500);
    assert_eq!(watch.matches("no-receipt"), 1);
}

#[test]
fn a_session_goes_through_services() {
    let mut watch = missing(r#""session""#);
    watch.line(Said {
        session: Some("a"),
        ..said(0, "charge order=1")
    });
    watch.line(Said {
        session: Some("b"),
        ..said(0, "charge order=1")
    });
    watch.line(Said {
        session: Some("a"),
        service: "mail",
        ..said(9, "receipt order=7")
    });
    watch.line(said(10, "charge order=1"));
    watch.tick(100);
    assert_eq!(watch.matches("no-receipt"), 1);
    assert_eq!(watch.onsets()[0].explanation.patterns[0].about.as_deref(), Some("b"));
}

#[test]
fn a_rate_is_so_many_lines_in_a_window() {
    let mut watch = Watch::new(
        r#"{"name": "guessing", "when": {"rate":
            {"of": {"pattern": "authentication-failure"}, "count": 5, "window_seconds": 60}}}"#,
    );
    let lines: Vec<_> = [0, 14, 28, 42, 61, 62]
        .map(|at| (at, "Failed password for root"))
        .to_vec();
    // From the second line on there are five within a minute.
    assert_eq!(watch.alarms(&lines), [62]);
}

#[test]
fn a_rate_that_has_to_last() {
    let rule = r#"{"name": "busy", "when": {"rate":
        {"of": {"regex": "refused"}, "count": 10, "window_seconds": 60, "for_seconds": 300}}}"#;
    let burst: Vec<_> = (0..60).map(|n| (n, "refused")).collect();
    assert!(Watch::new(rule).alarms(&burst).is_empty());
    let lasting: Vec<_> = (0..100).map(|n| (n * 5, "refused")).collect();
    let alarms = Watch::new(rule).alarms(&lasting);
    assert!(matches!(alarms[..], [at] if (300..420).contains(&at)), "{alarms:?}");
    // A pause begins it anew.
    let paused: Vec<_> = (0..150)
        .map(|n| (n * 5 + if n > 50 { 300 } else { 0 }, "refused"))
        .collect();
    let alarms = Watch::new(rule).alarms(&paused);
    assert!(matches!(alarms[..], [at] if at > 850), "{alarms:?}");
}

const SPIKE: &str = r#"{"name": "spike", "when": {"spike":
    {"of": {"regex": "refused"}, "window_seconds": 60, "factor": 4, "least": 10}}}"#;

#[test]
fn a_spike_is_far_more_than_usual() {
    let mut watch = Watch::new(SPIKE);
    let usual: Vec<_> = (0..600).map(|n| (n * 10, "refused")).collect();
    assert!(watch.alarms(&usual).is_empty());
    let burst: Vec<_> = (0..60).map(|n| (6_000 + n, "refused")).collect();
    let alarms = watch.alarms(&burst);
    assert!(matches!(alarms[..], [at] if at < 6_030), "{alarms:?}");
    let Observation::Number(usual) = watch.onsets()[0].explanation.contributions[0].expected.value else {
        panic!("{:?}", watch.reports)
    };
    assert!((4.0..8.0).contains(&usual), "{usual}");
}

#[test]
fn what_never_came_before_is_a_spike_once_there_is_enough_of_it() {
    let mut watch = Watch::new(SPIKE);
    watch.line(said(0, "started"));
    let burst: Vec<_> = (0..20).map(|n| (600 + n, "refused")).collect();
    assert_eq!(watch.alarms(&burst), [609]);
    // Where nothing is known of the time before, nothing is more than usual.
    assert!(Watch::new(SPIKE).alarms(&burst).is_empty());
}

#[test]
fn growth_is_ever_more() {
    let rule = r#"{"name": "growing", "when": {"growth":
        {"of": {"regex": "retry"}, "window_seconds": 600, "threshold": 0.8}}}"#;
    let lines = |count: &dyn Fn(i64) -> i64| -> Vec<(i64, &str)> {
        let minute = |at: i64| (0..count(at)).map(move |n| (at * 60 + n, "retry"));
        (0..30).flat_map(minute).collect()
    };
    assert!(Watch::new(rule).alarms(&lines(&|_| 5)).is_empty());
    assert!(Watch::new(rule).alarms(&lines(&|minute| 5 + minute % 3)).is_empty());
    let alarms = Watch::new(rule).alarms(&lines(&|minute| 1 + minute));
    assert!(matches!(alarms[..], [at] if (600..1_300).contains(&at)), "{alarms:?}");
}

#[test]
fn growth_of_a_number_in_the_lines() {
    let rule = r#"{"name": "leak", "when": {"growth": {"of": {"regex": "heap used (?<mb>[0-9.]+) MB"},
        "window_seconds": 600, "threshold": 0.9, "value": "mb"}}}"#;
    let run = |number: &dyn Fn(i64) -> f64| {
        let mut watch = Watch::new(rule);
        for n in 0..60 {
            watch.line(said(n * 30, &format!("heap used {} MB", number(n))));
        }
        watch.matches("leak")
    };
    assert_eq!(run(&|n| [300.0, 280.0, 310.0][n as usize % 3]), 0);
    assert!(run(&|n| 300.0 + 2.0 * n as f64) > 0);
}

#[test]
fn periodic_is_at_regular_times() {
    let rule = r#"{"name": "beacon", "when": {"periodic": {"of": {"regex": "hello"}, "times": 5, "tolerance": 0.05}}}"#;
    let regular: Vec<_> = (0..10).map(|n| (n * 60 + n % 2, "hello")).collect();
    assert_eq!(Watch::new(rule).alarms(&regular).len(), 1);
    let mut random = Random::new(1, 0);
    let mut at = 0;
    let irregular: Vec<_> = (0..200)
        .map(|_| {
            at += 5 + random.below(200) as i64;
            (at, "hello")
        })
        .collect();
    assert!(Watch::new(rule).alarms(&irregular).is_empty());
    let every = r#"{"name": "beacon", "when": {"periodic":
        {"of": {"regex": "hello"}, "times": 5, "every_seconds": 300}}}"#;
    assert!(Watch::new(every).alarms(&regular).is_empty());
}

#[test]
fn absence_is_noticed_once_and_awaited_again() {
    let rule = r#"{"name": "no-beat", "when": {"absence": {"of": {"regex": "heartbeat"}, "within_seconds": 90}}}"#;
    let mut watch = Watch::new(rule);
    watch.tick(0);
    watch.tick(1_000);
    for n in 0..10 {
        watch.line(said(1_000 + n * 60, "heartbeat"));
    }
    assert_eq!(watch.matches("no-beat"), 0);
    watch.tick(1_540 + 91);
    watch.tick(5_000);
    assert_eq!(watch.matches("no-beat"), 1);
    watch.line(said(6_000, "heartbeat"));
    watch.tick(6_091);
    assert_eq!(watch.matches("no-beat"), 2);
}

#[test]
fn whatever_is_so_surprising() {
    let rule = r#"{"name": "odd", "alarm": true, "when": {"surprise": 1.5}}"#;
    let (mut with, mut without) = (Watch::new(rule), Watch::with("{}"));
    for watch in [&mut with, &mut without] {
        for n in 0..500 {
            watch.line(said(n * 60, "GET /cart took 12 ms"));
        }
        watch.line(Said {
            level: Level::Warn,
            ..said(30_000, "the cache is slow")
        });
    }
    assert!(without.onsets().is_empty());
    let [alarm] = with.onsets()[..] else {
        panic!("{:?}", with.reports)
    };
    assert_eq!(alarm.explanation.patterns[0].name, "odd");

    // And a row of metrics.
    let mut watch = Watch::new(r#"{"name": "odd", "when": {"surprise": 2}}"#);
    for n in 0..400 {
        let value = if n == 399 { 27.0 } else { 20.0 + (n % 7) as f64 };
        let values = [Value {
            metric: "latency_ms",
            value: Finite::new(value).unwrap(),
        }];
        let event = Event::Sample(Sample {
            time: Timestamp::from_seconds(n * 60),
            subject: Subject::default(),
            values: &values,
        });
        watch.detector.observe(&event, &mut watch.reports);
    }
    let matches = watch.matches("odd");
    assert!(matches <= 20, "{matches}");
    assert_eq!(watch.onsets().is_empty(), matches == 0);
}

#[test]
fn what_people_say_is_counted_of_the_patterns_that_found_it() {
    let mut watch = Watch::new(r#"{"name": "boom", "when": {"regex": "boom"}}"#);
    let verdict = watch.line(said(0, "boom: connection refused"));
    let other = watch.line(said(1, "all is well"));
    watch.detector.feedback(verdict.fingerprint, FeedbackLabel::Matters);
    watch.detector.feedback(verdict.fingerprint, FeedbackLabel::Fine);
    watch.detector.feedback(other.fingerprint, FeedbackLabel::Fine);
    for report in watch.detector.patterns() {
        let answered = ["boom", "connection-refused"].contains(&report.name.as_str());
        assert_eq!(
            (report.fine, report.matters),
            if answered { (1, 1) } else { (0, 0) },
            "{report:?}"
        );
        assert_eq!(report.success_rate, answered.then_some(0.5));
    }
}

#[test]
fn history_counts_nothing_and_alarms_nobody() {
    let mut watch = Watch::new(SEQUENCE);
    watch.detector.set_scoring(false);
    watch.line(said(0, "stopping"));
    watch.line(said(1, "started"));
    watch.line(said(5, "stopping"));
    watch.detector.set_scoring(true);
    assert_eq!(watch.matches("slow-start"), 0);
    // What began in history may end after it.
    assert_eq!(watch.alarms(&[(8, "started")]), [8]);
}

#[test]
fn what_is_followed_is_bounded_and_the_oldest_gives_way() {
    let mut watch = missing(r#"{"capture": "order"}"#);
    for n in 0..MOST_TRACKS + 7 {
        watch.line(said(0, &format!("charge order={n}")));
    }
    assert_eq!(watch.detector.status().evicted_tracks, 7);
    watch.tick(100);
    assert_eq!(watch.matches("no-receipt"), MOST_TRACKS as u64);
}
