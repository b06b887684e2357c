//! Whatever numbers and times come in, what comes out is finite.

use proptest::collection::vec;

use super::*;

proptest! {
    #![proptest_config(runs(400))]

    #[test]
    fn any_finite_row_gets_a_finite_verdict_and_leaves_a_finite_state(rows in rows()) {
        let mut detector = Detector::new(loud());
        for (number, row) in rows.iter().enumerate() {
            let mut said = Said::default();
            let verdict = said.observe(&mut detector, row);
            sound(&verdict)?;
            said.check_reports()?;
            // A state that is not finite betrays itself in the wire format, in a snapshot, or in what comes next.
            if number % 64 == 63 {
                detector = Detector::restore(loud(), &detector.snapshot()).unwrap();
            }
        }
        for minute in 1..40 {
            let last = rows.last().map_or(0, |row| row.time.nanos());
            let time = Timestamp::from_nanos(last.saturating_add(minute * MINUTE));
            let row = Happening::row(time, &[("gauge", 1.0), ("n_total", 1.0)]);
            let verdict = Said::default().observe(&mut detector, &row);
            sound(&verdict)?;
        }
    }

    #[test]
    fn any_finite_number_on_the_wire_gets_a_finite_verdict(rows in rows()) {
        let mut bytes = Vec::new();
        rows.iter().for_each(|row| row.write(&mut bytes));
        let lines = lines(&score_bytes(&bytes, Emit::All, &[bytes.len()]));
        let row = |line: Line| match line {
            Line::Row(row) => Some(row),
            _ => None,
        };
        let verdicts: Vec<_> = lines.into_iter().filter_map(row).collect();
        prop_assert_eq!(verdicts.len(), rows.len());
        for verdict in verdicts {
            prop_assert!(verdict.surprise.is_finite() && verdict.surprise >= 0.0);
            prop_assert_eq!(verdict.score.to_bits(), score(verdict.surprise).to_bits());
            prop_assert!((0.0..=1.0).contains(&verdict.score));
        }
    }

    #[test]
    fn any_line_at_any_time_gets_a_finite_verdict(
        lines in vec((any_step(), ".{0,80}", 0..8_usize, proptest::option::of(any_step())), 1..200),
    ) {
        let mut detector = Detector::new(loud());
        let mut time = 0_i64;
        for (step, message, level, tick) in lines {
            time = time.saturating_add(step);
            let line = Happening::line(Timestamp::from_nanos(time), Level::ALL.get(level).copied(), &message);
            let mut said = Said::default();
            sound(&said.observe(&mut detector, &line))?;
            if let Some(tick) = tick {
                detector.tick(Timestamp::from_nanos(time.saturating_add(tick)), &mut said.reports);
            }
            said.check_reports()?;
        }
        Detector::restore(loud(), &detector.snapshot()).unwrap();
    }
}

fn sound(verdict: &Verdict) -> Result<(), TestCaseError> {
    prop_assert!(verdict.surprise.is_finite(), "{verdict:?}");
    // A negative zero would be written `-0.0`, and whether there is one differs between targets.
    prop_assert!(verdict.surprise.is_sign_positive(), "{verdict:?}");
    let expected = 1.0 - 10_f64.powf(-verdict.surprise);
    prop_assert!((verdict.score() - expected).abs() < 1e-12, "{verdict:?}");
    prop_assert!((0.0..=1.0).contains(&verdict.score()));
    Ok(())
}

/// Stretches of constant, alternating, growing and wild values, at any times.
fn rows() -> impl Strategy<Value = Vec<Happening>> {
    let stretch = (any_value(), any_value(), 0..4_u8, 1..60_usize, any_step());
    (any::<i64>(), any::<bool>(), vec(stretch, 1..12)).prop_map(|(start, tame, stretches)| {
        let mut time = if tame { 0 } else { start };
        let mut rows = Vec::new();
        for (a, b, shape, length, step) in stretches {
            for n in 0..length {
                time = time.saturating_add(if tame { MINUTE } else { step });
                let value = match (shape, n % 2) {
                    (0, _) | (1, 0) => a,
                    (1, _) => b,
                    (2, _) => a * (n as f64 / length as f64),
                    _ => a * 1e-3 + b * (n as f64 / length as f64) * 1e-3,
                };
                rows.push(Happening::row(
                    Timestamp::from_nanos(time),
                    &[("gauge", value), ("n_total", b)],
                ));
            }
        }
        rows
    })
}

fn any_value() -> impl Strategy<Value = f64> {
    let special = [
        0.0,
        -0.0,
        1.0,
        f64::MAX,
        f64::MIN,
        1e300,
        -1e300,
        1e155,
        4e38,
        f64::MIN_POSITIVE,
        5e-324,
        -5e-324,
        1e-310,
    ];
    prop_oneof![
        2 => proptest::sample::select(special.to_vec()),
        1 => any::<f64>().prop_map(|value| if value.is_finite() { value } else { 0.0 }),
        2 => -1e3..1e3_f64,
    ]
}

fn any_step() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => Just(MINUTE),
        2 => Just(0),
        1 => Just(-MINUTE),
        1 => Just(1),
        1 => any::<i64>(),
        1 => -400 * 24 * 60 * MINUTE..400 * 24 * 60 * MINUTE,
    ]
}
