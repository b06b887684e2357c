//! What is the same to a user is the same to the detector.

use proptest::collection::vec;
use proptest::sample::Index;

use super::*;

proptest! {
    #![proptest_config(runs(48))]

    #[test]
    fn labels_in_any_order_are_the_same_subject(
        labels in proptest::collection::btree_map("[a-z]{1,6}", ".{0,12}", 0..6),
        order in any::<u64>(),
        seed in any::<u64>(),
    ) {
        let sorted: Vec<(String, String)> = labels.into_iter().collect();
        let mut random = Random::new(order);
        let mut mixed = sorted.clone();
        let (mut first, mut second) = (Detector::new(loud()), Detector::new(loud()));
        let (mut expected, mut found) = (Said::default(), Said::default());
        for mut event in World::new(seed).take(200) {
            event.labels.clone_from(&sorted);
            expected.observe(&mut first, &event);
            for at in (1..mixed.len()).rev() {
                mixed.swap(at, random.below(at as u64 + 1) as usize);
            }
            event.labels.clone_from(&mixed);
            found.observe(&mut second, &event);
        }
        prop_assert!(expected.text() == found.text(), "{}", difference(&expected.text(), &found.text()));
        prop_assert_eq!(second.status(), first.status());
    }

    #[test]
    fn bytes_may_be_split_anywhere(
        seed in any::<u64>(), length in 1..300_usize, cuts in vec(any::<Index>(), 0..30),
    ) {
        let mut bytes = Vec::new();
        World::new(seed).take(length).iter().for_each(|event| event.write(&mut bytes));
        let expected = score_bytes(&bytes, Emit::All, &[bytes.len()]);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        prop_assert!(score_bytes(&bytes, Emit::All, &ends) == expected);
    }

    #[test]
    fn feedback_is_about_its_fingerprint_and_nothing_else(
        seed in any::<u64>(), which in any::<Index>(), matters in any::<bool>(),
    ) {
        let events = World::new(seed).take(700);
        let mut without = Detector::new(loud());
        Said::default().all(&mut without, &events[..500]);
        let about = &events[which.index(500)];
        let snapshot = without.snapshot();
        let mut with = Detector::restore(loud(), &snapshot).unwrap();
        let mut copy = Detector::restore(loud(), &snapshot).unwrap();
        let fingerprint = Said::default().observe(&mut copy, about).fingerprint;
        with.feedback(fingerprint, if matters { FeedbackLabel::Matters } else { FeedbackLabel::Fine });
        let mut direct = true;
        for event in &events[500..] {
            let (a, b) = (Said::default().observe(&mut without, event), Said::default().observe(&mut with, event));
            prop_assert_eq!(a.fingerprint, b.fingerprint);
            if a.fingerprint == fingerprint {
                let moved = if matters { a.surprise + 2.0 } else { (a.surprise - 2.0).max(0.0) };
                // What the answer made of the first one is learned from, so that later ones may differ.
                let moved = (b.surprise - moved).abs() < 1e-9;
                prop_assert!(!direct || a.state == State::Learning || moved, "{a:?} {b:?}");
                direct = false;
            } else if direct {
                prop_assert_eq!(a, b);
            } else if event.labels != about.labels || event.is_line() != about.is_line() {
                // Alarms are paid from one budget, but what is strange is so for everybody else as before.
                prop_assert_eq!(a.surprise.to_bits(), b.surprise.to_bits());
            }
        }
    }
}

#[test]
fn an_answer_takes_an_alarm_back_and_is_kept_in_the_snapshot() {
    let (mut detector, mut row) = Past {
        seed: 5,
        metrics: 1,
        rows: 300,
    }
    .live();
    row.values[0].1 += 30.0;
    let probe = |detector: &Detector| {
        let mut detector = Detector::restore(loud(), &detector.snapshot()).unwrap();
        Said::default().observe(&mut detector, &row)
    };
    let before = probe(&detector);
    assert!(before.state.is_anomalous());
    let answer = FeedbackLabel::Fine;
    (0..4).for_each(|_| detector.feedback(before.fingerprint, answer));
    assert!(!probe(&detector).state.is_anomalous());
    assert_eq!(probe(&detector).surprise, (before.surprise - 8.0).max(0.0));
    detector.feedback(Fingerprint(1), FeedbackLabel::Matters);
    assert!(!probe(&detector).state.is_anomalous());
}
