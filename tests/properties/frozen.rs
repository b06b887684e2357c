//! Nothing is learned while learning is frozen.

use super::*;

proptest! {
    #![proptest_config(runs(32))]

    #[test]
    fn nothing_is_learned_from_rows_while_frozen(seed in any::<u64>(), between in 1..300_usize) {
        unmoved(seed, between, |event| !event.is_line())?;
    }

    #[test]
    fn nothing_is_learned_from_lines_while_frozen(seed in any::<u64>(), between in 1..300_usize) {
        unmoved(seed, between, Happening::is_line)?;
    }
}

/// Whatever came in between, the same events are as strange as they would have been without.
fn unmoved(seed: u64, between: usize, of: impl Fn(&Happening) -> bool) -> Result<(), TestCaseError> {
    let config = Config::from_json(r#"{"false_alarms_per_day": 200, "learning": "frozen"}"#).unwrap();
    let mut events = World::new(seed).take(500 + between + 200);
    let last = events[500 + between].time;
    // An hour of silence, so that what was counted in the last minutes is over.
    for event in &mut events[500 + between..] {
        event.time = event.time.max(last).plus_seconds(3_600.0);
    }
    let mut open = Detector::new(loud());
    Said::default().all(&mut open, &events[..500]);
    let snapshot = open.snapshot();
    let mut with = Detector::restore(config.clone(), &snapshot).unwrap();
    let mut without = Detector::restore(config, &snapshot).unwrap();
    for event in events[500..500 + between].iter().filter(|event| of(event)) {
        Said::default().observe(&mut with, event);
    }
    for event in events[500 + between..].iter().filter(|event| of(event)) {
        let (a, b) = (
            Said::default().observe(&mut with, event),
            Said::default().observe(&mut without, event),
        );
        prop_assert_eq!(
            a.surprise.to_bits(),
            b.surprise.to_bits(),
            "{:?}: {:?} and {:?}",
            event,
            a,
            b
        );
    }
    Ok(())
}
