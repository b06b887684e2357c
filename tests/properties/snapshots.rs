//! A snapshot is the whole state, and nothing else is one.

use proptest::collection::vec;
use proptest::sample::Index;

use super::*;

/// The bytes before the state itself: magic, version, bounds and models.
const HEADER: usize = 28;

proptest! {
    #![proptest_config(runs(48))]

    #[test]
    fn a_snapshot_at_any_event_is_as_if_there_had_been_none(
        seed in any::<u64>(), length in 20..900_usize, cut in any::<Index>(), tight in any::<bool>(),
    ) {
        let config = if tight { small() } else { loud() };
        let events = World::new(seed).take(length);
        let cut = cut.index(length);
        let mut whole = Detector::new(config.clone());
        let mut before = Said::default();
        before.all(&mut whole, &events[..cut]);
        let mut restored = Detector::restore(config, &whole.snapshot()).unwrap();
        let (mut expected, mut found) = (Said::default(), Said::default());
        for (said, detector) in [(&mut expected, &mut whole), (&mut found, &mut restored)] {
            said.all(detector, &events[cut..]);
            let later = events[length - 1].time.plus_seconds(7_200.0);
            detector.tick(later, &mut said.reports);
            said.write_reports();
        }
        prop_assert!(expected.text() == found.text(), "{}", difference(&expected.text(), &found.text()));
        prop_assert!(whole.snapshot() == restored.snapshot(), "the states differ");
        prop_assert_eq!(whole.status(), restored.status());
        for (said, detector) in [(&mut expected, &mut whole), (&mut found, &mut restored)] {
            detector.close(&mut said.reports);
            said.write_reports();
        }
        prop_assert!(expected.text() == found.text(), "{}", difference(&expected.text(), &found.text()));
    }

    #[test]
    fn a_scorer_goes_on_from_a_snapshot_with_the_same_bytes(
        seed in any::<u64>(), length in 20..600_usize, cut in any::<Index>(),
    ) {
        let events = World::new(seed).take(length);
        let cut = cut.index(length);
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        events[..cut].iter().for_each(|event| event.write(&mut head));
        events[cut..].iter().for_each(|event| event.write(&mut tail));
        let input = Input { emit: Emit::Anomalies, ..Input::new(Format::Ndjson) };
        let document = r#"{"detector": {"false_alarms_per_day": 200}}"#;
        let mut scorer = Scorer::open(document, None).unwrap();
        let mut expected = Vec::new();
        scorer.begin(input.clone());
        scorer.push(&head, &mut expected);
        let mut found = expected.clone();
        let snapshot = scorer.snapshot();
        scorer.push(&tail, &mut expected);
        scorer.finish(&mut expected);
        scorer.close(&mut expected);
        let mut scorer = Scorer::open(document, Some(&snapshot)).unwrap();
        scorer.begin(input);
        scorer.push(&tail, &mut found);
        scorer.finish(&mut found);
        scorer.close(&mut found);
        let (expected, found) = (String::from_utf8(expected).unwrap(), String::from_utf8(found).unwrap());
        // Only who goes on can tell what is older than the state.
        let is_told = |line: &&str| !line.contains(" older than the last one of the state ");
        let found: String = found.split_inclusive('\n').filter(is_told).collect();
        prop_assert!(expected == found, "{}", difference(&expected, &found));
    }

    #[test]
    fn what_is_no_snapshot_is_refused(bytes in vec(any::<u8>(), 0..400), begins_well in any::<bool>()) {
        let mut snapshot = if begins_well { Detector::new(loud()).snapshot()[..HEADER].to_vec() } else { Vec::new() };
        snapshot.extend_from_slice(&bytes);
        prop_assert!(Detector::restore(loud(), &snapshot).is_err());
        prop_assert!(Scorer::open("", Some(&snapshot)).is_err());
    }

    #[test]
    fn a_damaged_snapshot_is_refused(
        seed in 0..4_u64,
        flips in vec((any::<Index>(), 0..8_u8), 1..4),
        cut in proptest::option::of(any::<Index>()),
    ) {
        let good = lived(loud(), seed, 300).snapshot();
        let mut bytes = good.clone();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if bytes != good {
            let refused = Detector::restore(loud(), &bytes).err();
            let named = matches!(refused, Some(
                SnapshotError::Damaged
                | SnapshotError::Configuration { .. }
                | SnapshotError::Version { .. }
                | SnapshotError::Foreign
            ));
            prop_assert!(named, "{refused:?}");
        }
    }

}

proptest! {
    #![proptest_config(runs(3_000))]

    /// A checksum keeps accidents out, not intentions.
    #[test]
    fn a_forged_snapshot_is_refused_or_works(
        seed in 0..4_u64, forgeries in vec((any::<Index>(), forgery()), 1..4),
    ) {
        let mut bytes = lived(loud(), seed, 300).snapshot();
        let body = HEADER..bytes.len() - 4;
        for (at, forgery) in forgeries {
            let at = body.start + at.index(body.len() - forgery.len());
            bytes[at..at + forgery.len()].copy_from_slice(&forgery);
        }
        let checksum = crc32fast::hash(&bytes[..body.end]).to_le_bytes();
        bytes[body.end..].copy_from_slice(&checksum);
        if let Ok(mut detector) = Detector::restore(loud(), &bytes) {
            let mut said = Said::default();
            said.all(&mut detector, &World::new(seed).take(400)[300..]);
            detector.close(&mut said.reports);
        }
    }
}

/// Single bytes, and numbers that no model ever has.
fn forgery() -> impl Strategy<Value = Vec<u8>> {
    let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -1.0, 0.0];
    prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        proptest::sample::select(numbers.to_vec()).prop_map(|number| number.to_le_bytes().to_vec()),
    ]
}

#[test]
fn a_snapshot_under_other_bounds_is_refused_and_under_another_budget_is_not() {
    let snapshot = lived(loud(), 1, 300).snapshot();
    let refused = Detector::restore(small(), &snapshot).unwrap_err();
    assert!(matches!(refused, SnapshotError::Configuration { .. }), "{refused:?}");
    let told = refused.to_string();
    for field in [
        "series` was 10000 and is 4,",
        "metrics` was 20000 and is 9,",
        "templates` was 10000 and is 6:",
    ] {
        assert!(told.contains(&format!("`bounds.max_{field}")), "{told}");
    }
    assert!(!told.contains("max_routes"), "{told}");
    let quiet = Detector::restore(Config::default(), &snapshot).unwrap();
    let loud = Detector::restore(loud(), &snapshot).unwrap();
    assert!(quiet.status().threshold > loud.status().threshold);
}

/// An episode is told once, whole, by whoever sees its end: stopping within it changes no verdict, neither while it lasts
/// nor after.
#[test]
fn a_snapshot_within_an_open_episode_goes_on_with_it() {
    let row = |minute: i64| {
        let strange = (600..640).contains(&minute);
        let value = if strange { 95.0 } else { 20.0 + (minute * 7 % 5) as f64 };
        Happening::row(Timestamp::from_seconds(1_800_000_000 + minute * 60), &[("cpu", value)])
    };
    let line = |minute: i64| {
        let time = Timestamp::from_seconds(1_800_000_030 + minute * 60);
        let strange = (600..640).contains(&minute);
        let (level, text) = if strange {
            (Level::Fatal, "out of memory, killed")
        } else {
            (Level::Info, "request done")
        };
        Happening::line(time, Some(level), text)
    };
    for event in [&row as &dyn Fn(i64) -> Happening, &line] {
        let events: Vec<Happening> = (0..900).map(event).collect();
        let mut whole = Detector::new(loud());
        let mut expected = Said::default();
        expected.all(&mut whole, &events);
        whole.close(&mut expected.reports);
        expected.write_reports();
        let mut phases = (expected.anomalies().map(|anomaly| anomaly.phase)).filter(|phase| *phase != Phase::Worse);
        assert_eq!((phases.next(), phases.next()), (Some(Phase::Onset), Some(Phase::End)));
        for cut in [601, 620, 639] {
            let mut detector = Detector::new(loud());
            let mut found = Said::default();
            found.all(&mut detector, &events[..cut]);
            let last = found.anomalies().last().map(|anomaly| anomaly.phase);
            let is_open = matches!(last, Some(Phase::Onset | Phase::Worse));
            assert!(is_open, "the episode is open after {cut} events, and {last:?}");
            let mut detector = Detector::restore(loud(), &detector.snapshot()).unwrap();
            found.all(&mut detector, &events[cut..]);
            detector.close(&mut found.reports);
            found.write_reports();
            assert!(
                expected.text() == found.text(),
                "{}",
                difference(&expected.text(), &found.text())
            );
        }
    }
}
