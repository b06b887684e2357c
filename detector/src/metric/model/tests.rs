use super::*;
use crate::verdict::Kind;

/// Numbers that are the same in every run: a linear congruence for the uniform ones, the sum of twelve for normal ones.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        let (mut product, mut count) = (self.uniform(), 0.0);
        while product > libm::exp(-mean) {
            product *= self.uniform();
            count += 1.0;
        }
        count
    }
}

/// What a metric says of values, a minute apart, that go on where others were learned.
struct Watched {
    metric: Metric,
    minute: i64,
}

impl Watched {
    fn new() -> Self {
        Watched {
            metric: Metric::new("value", true),
            minute: 0,
        }
    }

    fn value(&mut self, value: f64) -> Option<Reading> {
        self.minute += 1;
        let at = TimeOfDay::of(Timestamp::from_seconds(1_700_000_000 + 60 * self.minute));
        let reading = self.metric.read(&at, value);
        self.metric.learn(&at, value, reading.as_ref(), 1.0);
        reading
    }

    fn surprise(&mut self, value: f64) -> f64 {
        self.value(value).map_or(0.0, |reading| reading.surprise)
    }
}

#[test]
fn rare_errors_are_no_news_and_bursts_are() {
    let (mut noise, mut watched) = (Noise(3), Watched::new());
    let mut strange = 0;
    for n in 0..4_000 {
        let surprise = watched.surprise(noise.poisson(0.05));
        strange += u32::from(n > 1_000 && surprise > 3.0);
    }
    assert!(strange <= 6, "{strange}");
    assert!(watched.surprise(1.0) < 2.0);
    let burst = watched.surprise(8.0);
    assert!(burst > 3.0, "{burst}");
}

#[test]
fn values_that_scatter_otherwise_are_a_change_of_variance() {
    for factor in [2.6, 0.2] {
        let (mut noise, mut watched) = (Noise(5), Watched::new());
        for _ in 0..6_000 {
            watched.value(100.0 + 5.0 * noise.normal());
        }
        let mut greatest: f64 = 0.0;
        for _ in 0..80 {
            // No value by itself is strange.
            let away = if factor > 1.0 {
                13.0 * (noise.uniform() - 0.5).signum()
            } else {
                factor * 5.0 * noise.normal()
            };
            let reading = watched.value(100.0 + away).unwrap();
            if reading.look == Look::Variance {
                greatest = greatest.at_least(reading.surprise);
                assert_eq!(watched.metric.kind(&reading), Kind::VarianceChange);
                let (seen, expected) = watched.metric.seen_and_expected(&reading);
                assert_eq!(seen > expected, factor > 1.0, "{seen} {expected}");
            }
        }
        assert!(greatest > 2.0, "{factor}: {greatest}");
    }
}

#[test]
fn an_even_rise_is_a_trend_and_a_step_is_a_level() {
    for (rise, step, expected) in [(3.0, 0.0, Kind::TrendChange), (0.0, 12.0, Kind::LevelShift)] {
        let (mut noise, mut watched) = (Noise(7), Watched::new());
        for _ in 0..3_000 {
            watched.value(100.0 + 2.0 * noise.normal());
        }
        let mut last = None;
        for n in 0..8 {
            last = watched.value(100.0 + step + rise * f64::from(n + 1) + 0.5 * noise.normal());
        }
        let reading = Reading {
            look: Look::Lasting,
            ..last.unwrap()
        };
        assert_eq!(watched.metric.kind(&reading), expected);
    }
}

#[test]
fn a_strange_shape_expects_what_came_there_before() {
    let mut watched = Watched::new();
    // A peak every eleven minutes, and one that does not come.
    let usual = |n: i64| if n % 11 == 0 { 60.0 } else { 10.0 };
    let mut noise = Noise(9);
    for n in 0..1_100 {
        watched.value(usual(n) + noise.uniform());
    }
    let at = TimeOfDay::of(Timestamp::from_seconds(1_700_000_000 + 60 * 1_101));
    let reading = watched.metric.read(&at, 10.0).unwrap();
    let as_shape = Reading {
        look: Look::Shape,
        ..reading
    };
    let expected = watched.metric.unremarkable(&as_shape);
    assert!((expected - 60.5).abs() < 6.0, "{expected}");
    assert_eq!(watched.metric.kind(&as_shape), Kind::Dip);
    assert_eq!(watched.metric.seen_and_expected(&as_shape), (10.0, expected));
}

/// A season is found in the middle of it, and the level of some hours is another one.
#[test]
fn no_value_is_expected_that_is_far_from_all_that_were_seen() {
    const LOOKS: [Look; 5] = [Look::Point, Look::Shift, Look::Drift, Look::Lasting, Look::Shape];
    let (mut noise, mut watched) = (Noise(11), Watched::new());
    let (mut least, mut most): (f64, f64) = (f64::INFINITY, f64::NEG_INFINITY);
    for minute in 0..12 * 1_440 {
        let hour = f64::from(minute % 1_440) / 60.0;
        let peak = if (9.0..18.0).contains(&hour) { 18.0 } else { 0.0 };
        let lasting = if (8_000..8_300).contains(&minute) { 5.0 } else { 0.0 };
        let value = 61.0 + peak + lasting + noise.normal();
        (least, most) = (least.at_most(value), most.at_least(value));
        let at = TimeOfDay::of(Timestamp::from_seconds(1_700_000_000 + 60 * i64::from(minute)));
        if let Some(reading) = watched.metric.read(&at, value) {
            // Before a whole day was seen, nobody asks what a drift is compared with.
            let looks = if minute > 1_440 { &LOOKS[..] } else { &[] };
            for look in looks {
                let reading = Reading { look: *look, ..reading };
                let (_, expected) = watched.metric.seen_and_expected(&reading);
                assert!(
                    (least - 15.0..most + 15.0).contains(&expected),
                    "minute {minute}, {look:?}: {expected} of {least} to {most}"
                );
            }
            watched.metric.learn(&at, value, Some(&reading), 1.0);
        } else {
            watched.metric.learn(&at, value, None, 1.0);
        }
    }
    assert!(watched.metric.seasonal, "the season was found on the way");
}

#[test]
fn what_is_expected_of_counts_is_not_negative_and_a_trend_goes_on() {
    let (mut noise, mut watched) = (Noise(13), Watched::new());
    for _ in 0..2_000 {
        watched.value(noise.poisson(1.5));
    }
    let reading = watched.value(12.0).unwrap();
    let (low, high) = watched.metric.usual_range(&reading);
    assert!(low >= 0.0 && high > 1.0, "{low} {high}");
    let mut rising = Watched::new();
    for n in 0..2_000 {
        rising.value(f64::from(n) + 0.1 * noise.normal());
    }
    let reading = rising.value(2_050.0).unwrap();
    let as_point = Reading {
        look: Look::Point,
        ..reading
    };
    let expected = rising.metric.seen_and_expected(&as_point).1;
    assert!((expected - 2_000.0).abs() < 3.0, "{expected}");
}
