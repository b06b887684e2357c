//! What a limit flags, what it says of it, and what it leaves alone.

use proptest::prelude::*;

use super::*;
use crate::random::Random;
use crate::{
    Anomaly, AnomalyType, Config, Detector, Event, FeedbackLabel, Label, Learning, Level, LogRecord, Phase, Report,
    Sample, State, Timestamp, Verdict,
};

/// The example of the documentation.
const RULES: &str = r#"{"rules": {
    "web_server": {"response_time": 1500, "error_rate": 0.1},
    "database": {"query_time_ms": 3000},
    "batch": {},
    "__default__": {"cpu_usage_percent": 95}
}}"#;

fn config(text: &str) -> Config {
    Config::from_json(text).unwrap()
}

/// A detector and what it reported.
struct Watch {
    detector: Detector,
    reports: Vec<Report>,
    minute: i64,
}

impl Watch {
    fn new(config: &str) -> Self {
        Watch {
            detector: Detector::new(self::config(config)),
            reports: Vec::new(),
            minute: 0,
        }
    }

    fn row(&mut self, service: Option<&str>, values: &[(&str, f64)]) -> Verdict {
        let mut labels: Vec<Label<'_>> = service
            .map(|value| Label { name: "service", value })
            .into_iter()
            .collect();
        let values: Vec<Value<'_>> = values.iter().map(|(metric, number)| value(metric, *number)).collect();
        let event = Event::Sample(Sample {
            time: self.next(),
            subject: Subject::new(&mut labels),
            values: &values,
        });
        self.detector.observe(&event, &mut self.reports)
    }

    fn line(&mut self, service: &str, level: Level, message: &str, fields: &[(&str, f64)]) -> Verdict {
        let mut labels = [Label {
            name: "service",
            value: service,
        }];
        let fields: Vec<Value<'_>> = fields.iter().map(|(name, number)| value(name, *number)).collect();
        let event = Event::Log(LogRecord {
            time: self.next(),
            subject: Subject::new(&mut labels),
            level: Some(level),
            message,
            session: None,
            fields: &fields,
        });
        self.detector.observe(&event, &mut self.reports)
    }

    fn next(&mut self) -> Timestamp {
        self.minute += 1;
        Timestamp::from_seconds(self.minute * 60)
    }

    fn anomalies(&self) -> Vec<&Anomaly> {
        self.reports
            .iter()
            .filter_map(|report| match report {
                Report::Anomaly(anomaly) => Some(&**anomaly),
                Report::Session { .. } => None,
            })
            .collect()
    }
}

fn value<'a>(metric: &'a str, number: f64) -> Value<'a> {
    Value {
        metric,
        value: Finite::new(number).unwrap(),
    }
}

fn parts(anomaly: &Anomaly) -> f64 {
    anomaly.explanation.contributions.iter().map(|part| part.surprise).sum()
}

#[test]
fn what_is_above_its_limit_is_anomalous_from_the_first_event_on() {
    for (service, field, number, anomalous) in [
        (Some("web_server"), "response_time", 1600.0, true),
        (Some("web_server"), "response_time", 1500.0, false),
        (Some("web_server"), "error_rate", 0.11, true),
        (Some("database"), "query_time_ms", 4000.0, true),
        (Some("database"), "response_time", 4000.0, false),
        (Some("cart"), "cpu_usage_percent", 98.0, true),
        (Some("cart"), "cpu_usage_percent", 95.0, false),
        (None, "cpu_usage_percent", 98.0, true),
        // A service that has an entry uses nothing else.
        (Some("web_server"), "cpu_usage_percent", 98.0, false),
        (Some("batch"), "cpu_usage_percent", 98.0, false),
    ] {
        let mut watch = Watch::new(RULES);
        let verdict = watch.row(service, &[(field, number)]);
        let expected = if anomalous {
            State::Anomalous { onset: true }
        } else {
            State::Learning
        };
        assert_eq!(verdict.state, expected, "{service:?} {field} {number}");
        let mut watch = Watch::new(RULES);
        let verdict = watch.line(service.unwrap_or("none"), Level::Info, "served", &[(field, number)]);
        assert_eq!(verdict.state.is_anomalous(), anomalous, "{service:?} {field} {number}");
    }
}

#[test]
fn a_request_has_numbers_that_can_have_a_limit() {
    let request = Request {
        time: Timestamp::default(),
        subject: Subject::default(),
        method: None,
        path: None,
        route: None,
        upstream: None,
        client: None,
        status: Some(503),
        duration: Finite::new(1600.0),
        bytes: None,
        flags: None,
    };
    let numbers: Vec<(&str, f64)> = of_request(&request)
        .map(|(name, number)| (name, number.value()))
        .collect();
    assert_eq!(
        numbers,
        [("response_time", 1600.0), ("duration_ms", 1600.0), ("status", 503.0)]
    );
    let limits = config(r#"{"rules": {"__default__": {"status": 499, "bytes": 1}}}"#).rules;
    assert_eq!(limits.hits(&request.subject, of_request(&request)).len(), 1);
}

#[test]
fn the_limit_explains_what_is_above_it() {
    let mut watch = Watch::new(RULES);
    let verdict = watch.row(Some("a"), &[("cpu_usage_percent", 98.0), ("queue", 3.0)]);
    let [alarm] = watch.anomalies()[..] else {
        panic!("one alarm")
    };
    assert_eq!(alarm.kind, Kind::Rule);
    assert_eq!(alarm.surprise, alarm.threshold);
    assert_eq!(alarm.surprise, verdict.surprise);
    let [part] = &alarm.explanation.contributions[..] else {
        panic!("one piece of evidence")
    };
    assert_eq!((part.of.as_str(), part.model.as_str()), ("cpu_usage_percent", "rule"));
    assert_eq!(part.observed, Observation::Number(98.0));
    assert_eq!(part.expected.high, Some(95.0));
    assert_eq!(part.unit.as_deref(), Some("%"));
    let [fine] = &alarm.explanation.counterfactual[..] else {
        panic!("one value to change")
    };
    assert_eq!((fine.of.as_str(), fine.value), ("cpu_usage_percent", 95.0));
    assert_eq!(alarm.explanation.features["cpu_usage_percent_max"], 98.0);
    assert_eq!(alarm.anomaly_type, AnomalyType::Performance);
}

#[test]
fn consecutive_hits_are_one_episode_that_the_farthest_explains_and_that_is_never_accepted() {
    let mut watch = Watch::new(RULES);
    for n in 0..600 {
        let verdict = watch.row(None, &[("cpu_usage_percent", if n == 300 { 99.5 } else { 97.0 })]);
        assert_eq!(verdict.state, State::Anomalous { onset: n == 0 }, "{n}");
    }
    for _ in 0..20 {
        watch.row(None, &[("cpu_usage_percent", 60.0)]);
    }
    // After half an hour it matters more.
    let [onset, worse, end] = watch.anomalies()[..] else {
        panic!("{:#?}", watch.anomalies())
    };
    let phases = [onset, worse, end].map(|anomaly| anomaly.phase);
    assert_eq!(phases, [Phase::Onset, Phase::Worse, Phase::End]);
    assert!(worse.severity > onset.severity);
    assert_eq!((end.kind, end.peak), (Kind::Rule, Timestamp::from_seconds(301 * 60)));
    assert!(end.events >= 600 && end.severity >= onset.severity);
}

/// A limit far below what is usual: every row is above it, and every minute would be an alarm.
#[test]
fn limits_do_not_touch_the_budget() {
    let (mut with, mut without) = (
        Watch::new(r#"{"rules": {"__default__": {"cpu": 1}}}"#),
        Watch::new("{}"),
    );
    for n in 0..4_000 {
        let cpu = if n % 40 < 20 { 0.5 } else { 1.5 } + f64::from(n * 7919 % 101) / 1000.0;
        with.row(None, &[("cpu", cpu)]);
        without.row(None, &[("cpu", cpu)]);
    }
    assert!(with.detector.status().alarms > 90, "{:?}", with.detector.status());
    assert_eq!(with.detector.status().threshold, without.detector.status().threshold);
}

/// Whichever of both comes first, there is one alarm, and the budget is charged for what the models find.
#[test]
fn a_strange_row_above_its_limit_is_one_alarm_with_the_limit_first() {
    let spike = |config: &str, above: bool| {
        let mut watch = Watch::new(config);
        let mut random = Random::new(1, 0);
        for _ in 0..600 {
            let [latency, queue] = [7, 5].map(|most| random.below(most) as f64);
            watch.row(None, &[("latency_ms", 20.0 + latency), ("queue", queue)]);
        }
        if above {
            watch.row(None, &[("latency_ms", 22.0), ("queue", 6.0)]);
        }
        watch.row(None, &[("latency_ms", 900.0), ("queue", 3.0)]);
        watch
    };
    let models = spike("{}", false);
    for (config, above) in [
        (r#"{"rules": {"__default__": {"latency_ms": 500}}}"#, false),
        (r#"{"rules": {"__default__": {"latency_ms": 500, "queue": 5}}}"#, true),
    ] {
        let mut both = spike(config, above);
        let told = both.anomalies();
        let [alarm, worse @ ..] = &told[..] else {
            panic!("an alarm")
        };
        assert_eq!((alarm.kind, alarm.phase), (Kind::Rule, Phase::Onset));
        // Slightly above one limit, then strange and far above the other.
        assert_eq!(worse.len(), usize::from(above), "{worse:#?}");
        assert!(worse.iter().all(|anomaly| anomaly.phase == Phase::Worse));
        both.detector.close(&mut both.reports);
        let open = *both.anomalies().last().unwrap();
        assert_eq!(open.kind, Kind::Rule);
        let models_alarm = models.anomalies()[0];
        assert_eq!(models_alarm.kind, Kind::Spike);
        assert!((open.surprise - models_alarm.surprise).abs() < 0.1 && (parts(open) - open.surprise).abs() < 1e-9);
        let names: Vec<(&str, &str)> = open
            .explanation
            .contributions
            .iter()
            .map(|part| (part.of.as_str(), part.model.as_str()))
            .collect();
        assert_eq!(names[0], ("latency_ms", "rule"));
        assert!(names[1].0 == "latency_ms" && names[1].1 != "rule", "{names:?}");
        // At the limit the models would still flag it: what they ask for is less, and clears both.
        let [fine] = &open.explanation.counterfactual[..] else {
            panic!("{open:#?}")
        };
        assert!(fine.value < 500.0, "{open:#?}");
        let charged = both.detector.status().threshold - models.detector.status().threshold;
        assert!(charged.abs() < 0.01, "{charged}");
    }
}

#[test]
fn a_limit_that_is_reached_in_an_open_episode_is_said() {
    let mut watch = Watch::new(r#"{"rules": {"__default__": {"queue": 5}}}"#);
    // Noise: what comes round again is a season, and breaks one where a cycle is cut off.
    let mut random = Random::new(1, 0);
    for _ in 0..600 {
        let [latency, queue] = [7, 5].map(|most| random.below(most) as f64);
        watch.row(None, &[("latency_ms", 20.0 + latency), ("queue", queue)]);
    }
    watch.row(None, &[("latency_ms", 900.0), ("queue", 3.0)]);
    watch.row(None, &[("latency_ms", 23.0), ("queue", 6.0)]);
    watch.detector.close(&mut watch.reports);
    let [onset, worse, open] = watch.anomalies()[..] else {
        panic!("{:#?}", watch.anomalies())
    };
    let kinds = [onset, worse, open].map(|anomaly| anomaly.kind);
    assert_eq!(kinds, [Kind::Spike, Kind::Rule, Kind::Rule]);
    assert_eq!(worse.phase, Phase::Worse, "it is told at once");
    assert_eq!(onset.surprise, open.surprise);
    assert!((parts(open) - open.surprise).abs() < 1e-9, "{open:#?}");
}

#[test]
fn a_line_above_its_limit_says_so_with_its_features() {
    let mut watch = Watch::new(RULES);
    let fields = [("response_time", 1600.0), ("memory_usage", 12.0)];
    watch.line("web_server", Level::Warn, "Database connection slow", &fields);
    let [alarm] = watch.anomalies()[..] else {
        panic!("one alarm")
    };
    assert_eq!((alarm.kind, alarm.anomaly_type), (Kind::Rule, AnomalyType::Performance));
    assert_eq!(alarm.explanation.template.as_deref(), Some("Database connection slow"));
    assert_eq!(alarm.explanation.counterfactual[0].value, 1500.0);
    let features: Vec<f64> = alarm.explanation.features.values().copied().collect();
    assert_eq!(features, [1.0, 3.0, 12.0, 24.0, 1600.0]);
    // A line that is strange besides, and one that is only strange.
    watch.line(
        "web_server",
        Level::Fatal,
        "Database corrupt",
        &[("response_time", 1600.0)],
    );
    watch.line("cart", Level::Fatal, "Database corrupt", &[("response_time", 1600.0)]);
    watch.detector.close(&mut watch.reports);
    let [_, worse, strange, both, _] = watch.anomalies()[..] else {
        panic!("{:#?}", watch.anomalies())
    };
    assert_eq!((worse.kind, worse.phase), (Kind::Rule, Phase::Worse));
    assert_eq!(
        (strange.kind, strange.anomaly_type),
        (Kind::LogSeverity, AnomalyType::Error)
    );
    assert_eq!(strange.explanation.features["level_severity"], 5.0);
    assert_eq!(
        (both.kind, both.explanation.contributions[0].model.as_str()),
        (Kind::Rule, "rule")
    );
    assert!(
        both.explanation.contributions.len() > 1 && both.explanation.counterfactual.is_empty(),
        "{both:#?}"
    );
    assert!((parts(both) - both.surprise).abs() < 1e-9);
}

/// What is left out of a counterfactual would make it wrong.
#[test]
fn with_more_limits_than_are_named_there_is_no_counterfactual() {
    let names: Vec<String> = (0..6).map(|n| format!("m{n}")).collect();
    let limits: Vec<String> = names.iter().map(|name| format!(r#""{name}": 1"#)).collect();
    let mut watch = Watch::new(&format!(r#"{{"rules": {{"__default__": {{{}}}}}}}"#, limits.join(",")));
    let values: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 2.0)).collect();
    watch.row(None, &values);
    let alarm = watch.anomalies()[0];
    assert_eq!(alarm.explanation.contributions.len(), 5);
    assert!(alarm.explanation.counterfactual.is_empty());
    assert!((parts(alarm) - alarm.surprise).abs() < 1e-9);
}

#[test]
fn limits_hold_while_nothing_is_learned_and_whatever_people_said() {
    let mut watch = Watch::new(RULES);
    for _ in 0..100 {
        watch.row(None, &[("cpu_usage_percent", 50.0)]);
    }
    let mut frozen = config(RULES);
    frozen.learning = Learning::Frozen;
    watch.detector = Detector::restore(frozen.clone(), &watch.detector.snapshot()).unwrap();
    for _ in 0..4 {
        let about = watch.row(None, &[("cpu_usage_percent", 50.0)]).fingerprint;
        watch.detector.feedback(about, FeedbackLabel::Fine);
    }
    assert_eq!(
        watch.row(None, &[("cpu_usage_percent", 96.0)]).state,
        State::Anomalous { onset: true }
    );
    // The episode goes on where it was left.
    watch.detector = Detector::restore(frozen, &watch.detector.snapshot()).unwrap();
    assert_eq!(
        watch.row(None, &[("cpu_usage_percent", 96.0)]).state,
        State::Anomalous { onset: false }
    );
    // History raises no alarms.
    let mut watch = Watch::new(RULES);
    watch.detector.set_scoring(false);
    watch.row(None, &[("cpu_usage_percent", 96.0)]);
    assert!(watch.reports.is_empty());
}

#[test]
fn mistakes_are_named_where_they_are() {
    let many: Vec<String> = (0..1_001).map(|n| format!(r#""m{n}": 1"#)).collect();
    let spread: Vec<String> = (0..501).map(|n| format!(r#""s{n}": {{"a": 1, "b": 2}}"#)).collect();
    let long = "x".repeat(257);
    for (rules, field, message) in [
        (
            r#"{"web": {"cpu": "high"}}"#.to_owned(),
            "rules.web.cpu",
            "this is the text",
        ),
        (r#"{"web": {"cpu": 1e999}}"#.to_owned(), "rules.web.cpu", "too large"),
        (r#"{"web": 95}"#.to_owned(), "rules.web", "an object by name"),
        (r#"{"": {"cpu": 95}}"#.to_owned(), "rules", "a name is empty"),
        (r#"{"web": {"": 95}}"#.to_owned(), "rules.web", "a name is empty"),
        (format!(r#"{{"{long}": {{}}}}"#), "rules", "257 bytes"),
        (r#"{"web": {}, "web": {}}"#.to_owned(), "rules", "`web` is there twice"),
        (format!(r#"{{"web": {{{}}}}}"#, many.join(",")), "rules.web", "too many"),
        (format!("{{{}}}", spread.join(",")), "rules", "1002 limits"),
    ] {
        let error = Config::from_json(&format!(r#"{{"rules": {rules}}}"#)).unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field), "{error}");
        assert!(error.message.contains(message), "{error}");
    }
    let infinite =
        serde::de::value::MapDeserializer::<_, serde::de::value::Error>::new([("b", f64::INFINITY)].into_iter());
    let error = Named::<Limit>::deserialize(infinite).unwrap_err();
    assert!(error.to_string().contains("inf is not a limit"), "{error}");
}

#[test]
fn a_configuration_is_written_as_it_was_read() {
    let rules = config(RULES).rules;
    assert_eq!((rules.len(), rules.is_empty()), (4, false));
    let text = serde_json::to_string(&rules).unwrap();
    assert_eq!(serde_json::from_str::<HardLimits>(&text).unwrap(), rules);
    assert!(
        text.contains(r#""web_server":{"error_rate":0.1,"response_time":1500.0}"#),
        "{text}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any numbers, any limits: the parts sum to the surprise, and the counterfactual clears.
    #[test]
    fn parts_sum_and_the_counterfactual_clears(
        past in 0..60_usize,
        rows in proptest::collection::vec((-1e3..1e3_f64, any::<f64>(), any::<bool>()), 1..40),
        limits in (-1e3..1e3_f64, -1e3..1e3_f64),
    ) {
        let (a, b) = limits;
        let text = format!(r#"{{"false_alarms_per_day": 200, "rules": {{"__default__": {{"a": {a}, "b": {b}}}}}}}"#);
        let mut watch = Watch::new(&text);
        for n in 0..past {
            watch.row(None, &[("a", a - 1.0 - (n % 7) as f64), ("b", b - 1.0)]);
        }
        for (x, y, as_it_was) in rows {
            let y = if as_it_was || !y.is_finite() { b } else { y };
            let before = watch.detector.snapshot();
            let reported = watch.reports.len();
            let verdict = watch.row(None, &[("a", x), ("b", y)]);
            prop_assert!(verdict.surprise.is_finite());
            prop_assert_eq!(verdict.state.is_anomalous() || x <= a && y <= b, true, "{} {}", x, y);
            let fresh: Vec<Anomaly> = watch.anomalies().into_iter().skip(reported).cloned().collect();
            for anomaly in &fresh {
                prop_assert!((parts(anomaly) - anomaly.surprise).abs() <= 1e-9 * anomaly.surprise, "{anomaly:#?}");
                let text = serde_json::to_string(anomaly).unwrap();
                prop_assert!(serde_json::from_str::<Anomaly>(&text).is_ok(), "{text}");
            }
            let Some(onset) = fresh.iter().find(|anomaly| anomaly.phase == Phase::Onset) else { continue };
            if onset.explanation.counterfactual.is_empty() {
                continue;
            }
            let fine = |of: &str, was: f64| {
                let substitution = onset.explanation.counterfactual.iter().find(|fine| fine.of == of);
                substitution.map_or(was, |fine| fine.value)
            };
            let mut again = Watch::new(&text);
            again.detector = Detector::restore(config(&text), &before).unwrap();
            again.minute = watch.minute - 1;
            let verdict = again.row(None, &[("a", fine("a", x)), ("b", fine("b", y))]);
            prop_assert!(!verdict.state.is_anomalous(), "{onset:#?}");
        }
    }
}

/// A service with limits of its own has nothing to do with those of the others.
#[test]
fn limits_that_nothing_came_for_are_named() {
    let mut watch = Watch::new(r#"{"rules": {"__default__": {"cpu": 1, "disk": 1}, "web": {"cpu": 2, "mem": 1}}}"#);
    assert!(watch.detector.unused().is_empty(), "nothing came at all");
    watch.row(Some("web"), &[("cpu", 0.5), ("disk", 0.5)]);
    watch.row(Some("db"), &[("cpu", 0.5)]);
    let [told] = &watch.detector.unused()[..] else {
        panic!("{:?}", watch.detector.unused())
    };
    assert!(
        told.starts_with("nothing was compared with the limits of `__default__.disk`, `web.mem`: no such number came"),
        "{told}"
    );
}
