//! Requests: whatever a proxy writes, whenever it comes.

use proptest::collection::vec;
use proptest::sample::Index;

use super::exchange::{Exchange, Site};
use super::*;

/// Scores requests, and returns their verdicts.
fn verdicts(said: &mut Said, detector: &mut Detector, exchanges: &[Exchange]) -> Vec<Verdict> {
    exchanges
        .iter()
        .map(|exchange| request(said, detector, exchange))
        .collect()
}

fn request(said: &mut Said, detector: &mut Detector, exchange: &Exchange) -> Verdict {
    let verdict = exchange.with(|event| detector.observe(event, &mut said.reports));
    said.write_reports();
    let Verdict {
        surprise,
        state,
        fingerprint,
        ..
    } = verdict;
    said.out
        .extend_from_slice(format!("{surprise:?} {state:?} {fingerprint}\n").as_bytes());
    verdict
}

fn tick(said: &mut Said, detector: &mut Detector, time: Timestamp) {
    detector.tick(time, &mut said.reports);
    said.write_reports();
}

/// Bounds that the site does not fit into.
fn tight() -> Config {
    Config::from_json(r#"{"false_alarms_per_day": 200, "bounds": {"max_routes": 5}}"#).unwrap()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => ".{0,40}",
        3 => "/[a-z]{0,4}(/[a-z0-9%.?#;@:-]{0,12}){0,12}",
        1 => (".", 1..100_000_usize).prop_map(|(part, times)| part.repeat(times)),
    ]
}

fn number() -> impl Strategy<Value = Option<f64>> {
    let special = [0.0, -0.0, -1.0, 5e-324, 1e-310, 1.0, 1e300, f64::MAX, f64::MIN];
    prop_oneof![
        1 => Just(None),
        3 => proptest::sample::select(special.to_vec()).prop_map(Some),
        3 => (0.0..1e5_f64).prop_map(Some),
    ]
}

fn step() -> impl Strategy<Value = i64> {
    const SECOND: i64 = 1_000_000_000;
    prop_oneof![
        12 => 0..20 * SECOND,
        2 => Just(0),
        2 => -90 * SECOND..0,
        1 => -4_000 * 86_400 * SECOND..4_000 * 86_400 * SECOND,
        1 => any::<i64>(),
    ]
}

fn wild() -> impl Strategy<Value = (Exchange, i64, Option<i64>)> {
    let texts = vec(proptest::option::of(text()), 6);
    let numbers = (number(), number(), proptest::option::of(any::<u16>()));
    (texts, numbers, step(), proptest::option::weighted(0.1, step())).prop_map(
        |(texts, (ms, bytes, status), step, tick)| {
            let mut texts = texts.into_iter();
            let mut next = || texts.next().flatten();
            let exchange = Exchange {
                time: 0,
                method: next(),
                path: next(),
                route: next(),
                upstream: next(),
                client: next(),
                flags: next(),
                status,
                ms,
                bytes,
            };
            (exchange, step, tick)
        },
    )
}

proptest! {
    #![proptest_config(runs(200))]

    #[test]
    fn any_request_at_any_time_gets_a_finite_verdict(exchanges in vec((wild(), 1..40_usize), 1..30), start in any::<i64>()) {
        let mut detector = Detector::new(loud());
        let mut time = start;
        for ((mut exchange, step, ticked), times) in exchanges {
            let mut said = Said::default();
            for _ in 0..times {
                time = time.saturating_add(step);
                exchange.time = time;
                let verdict = request(&mut said, &mut detector, &exchange);
                prop_assert!(verdict.surprise.is_finite() && verdict.surprise.is_sign_positive(), "{verdict:?}");
            }
            if let Some(step) = ticked {
                tick(&mut said, &mut detector, Timestamp::from_nanos(time.saturating_add(step)));
            }
            said.check_reports()?;
        }
        let mut said = Said::default();
        let mut restored = Detector::restore(loud(), &detector.snapshot()).unwrap();
        restored.close(&mut said.reports);
        said.write_reports();
        said.check_reports()?;
    }
}

proptest! {
    #![proptest_config(runs(24))]

    #[test]
    fn a_snapshot_at_any_request_is_as_if_there_had_been_none(
        seed in any::<u64>(), length in 2_000..14_000_usize, cut in any::<Index>(), few in any::<bool>(),
    ) {
        let config = if few { tight() } else { loud() };
        let exchanges = Site::new(seed).take(length);
        let cut = cut.index(length);
        let mut whole = Detector::new(config.clone());
        verdicts(&mut Said::default(), &mut whole, &exchanges[..cut]);
        let mut restored = Detector::restore(config, &whole.snapshot()).unwrap();
        let (mut expected, mut found) = (Said::default(), Said::default());
        for (said, detector) in [(&mut expected, &mut whole), (&mut found, &mut restored)] {
            verdicts(said, detector, &exchanges[cut..]);
            tick(said, detector, exchanges[length - 1].at(3_600));
        }
        prop_assert!(expected.text() == found.text(), "{}", difference(&expected.text(), &found.text()));
        prop_assert!(whole.snapshot() == restored.snapshot(), "the states differ");
        prop_assert_eq!(whole.status(), restored.status());
    }

    /// Who ticks says that time has come to somewhere. Where it has been before, that is nothing new.
    #[test]
    fn ticks_at_times_that_have_passed_change_nothing(seed in any::<u64>(), late in 0..86_000_i64) {
        let exchanges = Site::new(seed).take(6_000);
        let (mut without, mut with) = (Detector::new(loud()), Detector::new(loud()));
        let (mut expected, mut found) = (Said::default(), Said::default());
        let mut latest = i64::MIN;
        for (number, exchange) in exchanges.iter().enumerate() {
            request(&mut expected, &mut without, exchange);
            request(&mut found, &mut with, exchange);
            latest = latest.max(exchange.time);
            if number % 7 == 0 {
                let past = latest - late * (number as i64 % 3) * 500_000_000;
                tick(&mut found, &mut with, Timestamp::from_nanos(past));
            }
        }
        prop_assert!(expected.text() == found.text(), "{}", difference(&expected.text(), &found.text()));
        prop_assert!(without.snapshot() == with.snapshot(), "the states differ");
    }

    #[test]
    fn contributions_sum_to_the_surprise_and_severity_never_falls(seed in any::<u64>()) {
        let mut detector = Detector::new(loud());
        let mut said = Said::default();
        let mut site = Site::new(seed);
        verdicts(&mut said, &mut detector, &site.take(9_000));
        verdicts(&mut said, &mut detector, &site.healthy(9_000));
        verdicts(&mut said, &mut detector, &site.failing(2_000));
        detector.close(&mut said.reports);
        let mut onsets = 0;
        for anomaly in said.anomalies() {
            let sum: f64 = anomaly.explanation.contributions.iter().map(|part| part.surprise).sum();
            prop_assert!((sum - anomaly.surprise).abs() < 1e-6 * anomaly.surprise.max(1.0), "{anomaly:?}");
            onsets += usize::from(anomaly.phase == Phase::Onset);
            let begun = said.anomalies().find(|other| {
                other.phase == Phase::Onset
                    && (other.fingerprint, other.timestamp) == (anomaly.fingerprint, anomaly.timestamp)
            });
            if let Some(begun) = begun {
                let risen = begun.severity <= anomaly.severity && begun.surprise <= anomaly.surprise;
                prop_assert!(risen, "{begun:?} became {anomaly:?}");
            }
        }
        prop_assert!(onsets > 0, "a site with trouble has alarms");
    }

    #[test]
    fn nothing_is_learned_from_requests_while_frozen(seed in any::<u64>(), between in 1..4_000_usize) {
        let frozen = Config::from_json(r#"{"false_alarms_per_day": 200, "learning": "frozen"}"#).unwrap();
        let mut site = Site::new(seed);
        let mut open = Detector::new(loud());
        verdicts(&mut Said::default(), &mut open, &site.take(12_000));
        let snapshot = open.snapshot();
        let mut with = Detector::restore(frozen.clone(), &snapshot).unwrap();
        let mut without = Detector::restore(frozen, &snapshot).unwrap();
        verdicts(&mut Said::default(), &mut with, &site.take(between));
        // Half an hour later the windows have forgotten what came in between.
        site.pause(1_800);
        let later = Timestamp::from_nanos(site.now());
        tick(&mut Said::default(), &mut with, later);
        tick(&mut Said::default(), &mut without, later);
        for exchange in site.healthy(300) {
            let (a, b) = (
                request(&mut Said::default(), &mut with, &exchange),
                request(&mut Said::default(), &mut without, &exchange),
            );
            let trouble = a.state.is_anomalous() || b.state.is_anomalous();
            prop_assert!(trouble || a.surprise.to_bits() == b.surprise.to_bits(), "{exchange:?}: {a:?} and {b:?}");
        }
        prop_assert_eq!(with.status().routes, without.status().routes);
    }
}

/// Ticks every ten seconds for an hour and a half, and returns what was said and when a silence of the site began.
fn alone(detector: &mut Detector, from: Timestamp) -> (Said, Option<f64>) {
    let mut said = Said::default();
    for second in (0..5_400).step_by(10) {
        tick(&mut said, detector, from.plus_seconds(f64::from(second)));
    }
    let silence = said.anomalies().find(|anomaly| {
        let whole = !anomaly.subject.contains_key("route") && !anomaly.subject.contains_key("upstream");
        anomaly.kind == Kind::TrafficDrop && anomaly.phase == Phase::Onset && whole
    });
    let silence = silence.map(|silence| silence.timestamp.seconds_since(from));
    (said, silence)
}

#[test]
fn time_alone_reports_that_a_site_falls_silent() {
    let mut detector = Detector::new(Config::default());
    let mut site = Site::new(3);
    let mut said = Said::default();
    verdicts(&mut said, &mut detector, &site.healthy(40_000));
    assert_eq!(said.anomalies().count(), 0, "{}", said.text());
    let (said, silence) = alone(&mut detector, Timestamp::from_nanos(site.now()));
    assert!(
        silence.is_some_and(|wait| wait <= 150.0),
        "{silence:?}: {}",
        said.text()
    );
    // Its members are silent because it is.
    let onsets = said.anomalies().filter(|anomaly| anomaly.phase == Phase::Onset);
    assert_eq!(onsets.count(), 1, "{}", said.text());
}

#[test]
fn time_alone_closes_windows_and_ends_episodes() {
    let mut detector = Detector::new(Config::default());
    let mut site = Site::new(3);
    verdicts(&mut Said::default(), &mut detector, &site.healthy(40_000));
    let mut said = Said::default();
    verdicts(&mut said, &mut detector, &site.failing(1_500));
    let begun = |anomaly: &Anomaly| anomaly.kind == Kind::Errors && anomaly.phase == Phase::Onset;
    assert!(said.anomalies().any(begun), "{}", said.text());
    let from = Timestamp::from_nanos(site.now());
    let mut copy = Detector::restore(Config::default(), &detector.snapshot()).unwrap();
    let (said, silence) = alone(&mut detector, from);
    let ended = |anomaly: &Anomaly| anomaly.kind == Kind::Errors && anomaly.phase == Phase::End;
    assert!(said.anomalies().any(ended), "{}", said.text());
    // As long as one of its upstreams is in trouble, nothing is said of how much a site should have.
    assert!(
        silence.is_some_and(|wait| wait <= 720.0),
        "{silence:?}: {}",
        said.text()
    );
    // One tick over all that time comes to the same end.
    let mut said = Said::default();
    tick(&mut said, &mut copy, from.plus_seconds(5_400.0));
    assert!(said.anomalies().any(ended), "{}", said.text());
}

#[test]
fn history_is_learned_without_alarms() {
    let mut detector = Detector::new(loud());
    detector.set_scoring(false);
    let mut said = Said::default();
    let mut site = Site::new(4);
    let history = site.healthy(30_000);
    let spoilt = site.failing(1_500);
    let told = verdicts(&mut said, &mut detector, &history);
    verdicts(&mut said, &mut detector, &spoilt);
    assert!(told.iter().all(|verdict| !verdict.state.is_anomalous()));
    assert!(said.reports.is_empty(), "{}", said.text());
    detector.set_scoring(true);
    let verdicts = verdicts(&mut said, &mut detector, &site.healthy(50));
    assert!(
        verdicts.iter().all(|verdict| verdict.state != State::Learning),
        "it was learned from"
    );
}

/// Whose trouble a person calls fine has to be worse to be an alarm, and nobody else's has.
#[test]
fn an_answer_raises_the_bar_of_its_route_and_of_no_other() {
    let mut before = Detector::new(Config::default());
    let mut site = Site::new(5);
    verdicts(&mut Said::default(), &mut before, &site.healthy(40_000));
    let snapshot = before.snapshot();
    let trouble = site.slow_route(2_500);
    let onsets = |answers: i32, about: Option<Fingerprint>| {
        let mut detector = Detector::restore(Config::default(), &snapshot).unwrap();
        for _ in 0..answers {
            detector.feedback(about.unwrap(), FeedbackLabel::Fine);
        }
        let mut said = Said::default();
        verdicts(&mut said, &mut detector, &trouble);
        let onsets = said.anomalies().filter(|anomaly| anomaly.phase == Phase::Onset);
        onsets.cloned().collect::<Vec<_>>()
    };
    let plain = onsets(0, None);
    let alarm = plain.iter().find(|alarm| alarm.subject.contains_key("route")).unwrap();
    let fine = onsets(4, Some(alarm.fingerprint));
    let again = fine.iter().find(|other| other.fingerprint == alarm.fingerprint);
    assert!(again.is_none_or(|again| again.timestamp > alarm.timestamp), "{again:?}");
    assert_eq!(onsets(4, Some(Fingerprint(1))), plain, "an answer on something else");
}
