//! Series that are made here, and how well the next value is forecast with the season and without.

use std::f64::consts::TAU;

use super::super::forecast::Forecasters;
use super::*;
use crate::number::Bounded;

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Nearly normal, of spread one.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// What became of a series.
struct Outcome {
    /// Mean distance from the forecast in the last third, with the season and without.
    with: f64,
    without: f64,
    /// The value from which on a season explained the metric, the last time that it began to.
    since: Option<usize>,
    /// In how many of the values of the last third a season explained it.
    explained: f64,
    period: f64,
}

/// Monday, 2026-03-02.
const START: f64 = 1_772_409_600.0;

fn moment(seconds: f64) -> TimeOfDay {
    TimeOfDay::of(Timestamp::from_nanos(((START + seconds) * 1e9) as i64))
}

/// Forecasts a series of times and values, as the model of a metric does.
fn run(series: &[(f64, f64)]) -> Outcome {
    let mut one = Forecasters::new(series[0].1);
    let mut spread = 0.0;
    let (mut with, mut without, mut explained) = (0.0, 0.0, 0);
    let mut since = None;
    let last_third = series.len() * 2 / 3;
    for (n, &(seconds, value)) in series.iter().enumerate() {
        let at = moment(seconds);
        let range = one.season.range(&at);
        let error = (value - one.forecast(range).nearest(value)).abs();
        let error_without = (value - one.forecast(None).nearest(value)).abs();
        if n >= last_third {
            with += error;
            without += error_without;
            explained += usize::from(one.season.explains());
        }
        let reach = if n < 16 || spread == 0.0 {
            f64::INFINITY
        } else {
            4.0 * spread
        };
        let before = if n == 0 { seconds } else { series[n - 1].0 };
        one.learn(&at, range, (seconds - before).at_least(0.0), value, reach, 1.0);
        let rate = (1.0 / (n + 1) as f64).at_least(1.0 / 128.0);
        spread += rate * (error.at_most(reach) - spread);
        if one.season.explains() {
            since.get_or_insert(n);
        } else {
            since = None;
        }
    }
    let count = (series.len() - last_third) as f64;
    let pattern = match one.season.shape {
        Shape::Found => one.season.found.as_ref().map(|found| found.cycle.period),
        Shape::Day => Some(DAY),
        Shape::Week => Some(WEEK),
    };
    Outcome {
        with: with / count,
        without: without / count,
        since,
        explained: explained as f64 / count,
        period: pattern.unwrap_or(0.0),
    }
}

fn series(rows: usize, interval: f64, mut value: impl FnMut(f64, &mut Random) -> f64) -> Vec<(f64, f64)> {
    let mut random = Random(7);
    (0..rows)
        .map(|n| {
            let seconds = n as f64 * interval;
            (seconds, value(seconds, &mut random))
        })
        .collect()
}

fn wave(seconds: f64, period: f64) -> f64 {
    libm::sin(TAU * seconds / period)
}

fn workday(seconds: f64) -> f64 {
    if (seconds / DAY) as u64 % 7 < 5 { 1.0 } else { 0.4 }
}

fn every(seconds: f64, period: f64, long: f64) -> f64 {
    f64::from(u8::from(seconds % period < long))
}

/// A season that is found by so many values, has this period to so many parts, and brings the error down to `share` of
/// what it is without.
fn found(series: &[(f64, f64)], by: usize, period: f64, near: f64, share: f64) {
    let outcome = run(series);
    let since = outcome.since.unwrap_or(usize::MAX);
    assert!(since <= by, "explained since {since} and not {by}");
    assert!(
        (outcome.period / period - 1.0).abs() <= near,
        "{} is not {period}",
        outcome.period
    );
    let (with, without) = (outcome.with, outcome.without);
    assert!(with <= share * without, "{with} is not {share} of {without}");
}

/// Where there is no season none is believed, and nothing is lost.
fn nothing_found(series: &[(f64, f64)]) {
    let outcome = run(series);
    assert!(
        outcome.explained < 0.05,
        "a season explains {} of it",
        outcome.explained
    );
    let (with, without) = (outcome.with, outcome.without);
    assert!(with <= 1.02 * without, "{with} with a season and {without} without");
}

const MINUTE: f64 = 60.0;
const ROWS_A_DAY: usize = 1440;

#[test]
fn a_period_is_found_whatever_it_is() {
    let sine = |rows: usize, interval: f64, period: f64| {
        series(rows, interval, move |t, r| {
            100.0 + 10.0 * wave(t, period * interval) + r.normal()
        })
    };
    found(&sine(2000, MINUTE, 37.0), 150, 37.0 * MINUTE, 0.001, 0.2);
    found(&sine(4000, MINUTE, 37.4), 150, 37.4 * MINUTE, 0.003, 0.2);
    found(&sine(3000, 1.0, 150.0), 1000, 150.0, 0.01, 0.9);
    found(&sine(300, DAY, 7.0), 150, WEEK, 0.0, 0.2);
    found(&sine(600, HOUR, 11.0), 300, 11.0 * HOUR, 0.001, 0.2);
}

#[test]
fn jobs_that_come_again_are_found() {
    let job = |every_seconds: f64, long: f64| {
        series(4 * ROWS_A_DAY, MINUTE, move |t, r| {
            50.0 + 30.0 * every(t, every_seconds, long) + r.normal()
        })
    };
    found(&job(HOUR, MINUTE), 600, HOUR, 0.0, 0.75);
    found(&job(HOUR, 3.0 * MINUTE), 600, HOUR, 0.0, 0.5);
    found(&job(2.0 * HOUR, 10.0 * MINUTE), 600, 2.0 * HOUR, 0.0, 0.4);
}

#[test]
fn the_day_is_found_on_the_second_day() {
    let day = |days: usize, rows: usize| {
        series(days * rows, DAY / rows as f64, |t, r| {
            500.0 + 300.0 * wave(t, DAY) + 20.0 * r.normal()
        })
    };
    found(&day(6, ROWS_A_DAY), ROWS_A_DAY * 3 / 2, DAY, 0.0, 0.95);
    found(&day(10, 288), 288 * 3 / 2, DAY, 0.0, 0.85);
    found(&day(15, 24), 24 * 3 / 2 + 1, DAY, 0.0, 0.1);
}

#[test]
fn the_week_is_found_with_its_second_weekend() {
    for (rows, share) in [(288, 0.9), (48, 0.3)] {
        let traffic = series(35 * rows, DAY / rows as f64, |t, r| {
            workday(t) * (500.0 + 300.0 * wave(t, DAY)) + 15.0 * r.normal()
        });
        found(&traffic, 14 * rows, WEEK, 0.0, share);
    }
}

#[test]
fn a_trend_does_not_hide_the_season() {
    let rising = series(14 * 96, 900.0, |t, r| {
        500.0 + 100.0 * wave(t, DAY) + 60.0 * t / DAY + 5.0 * r.normal()
    });
    let outcome = run(&rising);
    assert_eq!(outcome.explained, 1.0);
    assert!(outcome.with <= 0.8 * outcome.without);
}

#[test]
fn where_there_is_no_season_none_is_believed() {
    let day = 5 * ROWS_A_DAY;
    nothing_found(&series(day, MINUTE, |_, r| 100.0 + 5.0 * r.normal()));
    nothing_found(&series(20 * 288, 300.0, |_, r| 100.0 + 5.0 * r.normal()));
    nothing_found(&series(800, HOUR, |_, r| 100.0 + 5.0 * r.normal()));
    nothing_found(&series(day, MINUTE, |_, r| f64::from(u8::from(r.unit() < 0.03))));
    nothing_found(&series(day, MINUTE, |_, _| 5.0));
    let mut level = 0.0;
    nothing_found(&series(day, MINUTE, |_, r| {
        level += r.normal();
        level
    }));
    let mut level = 0.0;
    nothing_found(&series(day, MINUTE, |_, r| {
        level += 0.2 * r.normal() - 0.01 * level;
        level + r.normal()
    }));
}

#[test]
fn a_season_that_ends_is_believed_no_more() {
    let ends = series(9000, MINUTE, |t, r| {
        let on = f64::from(u8::from(t < 3000.0 * MINUTE));
        100.0 + on * 10.0 * wave(t, 40.0 * MINUTE) + r.normal()
    });
    nothing_found(&ends);
}

#[test]
fn a_clock_that_is_put_forward_shifts_the_day() {
    let summer = series(20 * 288, 300.0, |t, r| {
        let forward = if t > 10.0 * DAY { HOUR } else { 0.0 };
        500.0 + 300.0 * wave(t + forward, DAY) + 10.0 * r.normal()
    });
    found(&summer, 288 * 3 / 2, DAY, 0.0, 0.85);
}

/// One bad day is hardly seen in what is usual on the next.
#[test]
fn one_bad_day_is_not_the_season() {
    let bad = |from: f64| {
        series(9 * 288, 300.0, move |t, r| {
            let bad = (from..from + 6.0 * HOUR).contains(&t);
            500.0 + 300.0 * wave(t, DAY) + if bad { 600.0 } else { 0.0 } + 10.0 * r.normal()
        })
    };
    let usual = |series: &[(f64, f64)]| {
        let mut one = Forecasters::new(0.0);
        for pair in series.windows(2) {
            let [(before, _), (seconds, value)] = [pair[0], pair[1]];
            let at = moment(seconds);
            let range = one.season.range(&at);
            one.learn(&at, range, seconds - before, value, 40.0, 1.0);
        }
        assert!(one.season.explains());
        one.season.usual(&moment(9.0 * DAY + 12.0 * HOUR)).unwrap()
    };
    let (with, without) = (usual(&bad(7.0 * DAY + 10.0 * HOUR)), usual(&bad(99.0 * DAY)));
    assert!((with - without).abs() < 200.0, "{with} {without}");
}

/// Gaps, values that come late or twice, and intervals of all sizes.
#[test]
fn a_season_is_found_in_values_that_come_irregularly() {
    let mut random = Random(3);
    let mut time = 0.0;
    let mut rough = Vec::new();
    for _ in 0..9000 {
        time += match random.unit() {
            x if x < 0.02 => 0.0,
            x if x < 0.021 => 3.0 * HOUR,
            _ => 30.0 + 60.0 * random.unit(),
        };
        let late = if random.unit() < 0.02 { 100.0 } else { 0.0 };
        let at: f64 = time - late;
        rough.push((at, 100.0 + 10.0 * wave(at, 2400.0) + random.normal()));
    }
    let outcome = run(&rough);
    assert!(outcome.explained > 0.95, "{}", outcome.explained);
    assert!(outcome.with < 0.4 * outcome.without);
}

/// What comes seldom needs few slots.
#[test]
fn memory_is_that_of_the_pace() {
    let slots = |interval: f64| {
        let mut season = Season::default();
        for n in 0..20 {
            season.learn(
                &moment(f64::from(n) * interval),
                if n > 0 { interval } else { 0.0 },
                1.0,
                1.0,
            );
        }
        season.day.map_or(0, |day| (DAY / day.cycle.width()) as usize)
    };
    assert_eq!(
        [1.0, 60.0, 300.0, 900.0, HOUR, DAY].map(slots),
        [288, 288, 288, 96, 24, 0]
    );
}

/// Whatever comes, what is kept stays finite.
#[test]
fn extreme_values_and_times_do_no_harm() {
    let mut random = Random(11);
    let mut season = Season::default();
    let mut time = 0.0;
    for n in 0..30_000 {
        let step = match random.unit() {
            x if x < 0.01 => 0.0,
            x if x < 0.02 => 1e-9,
            x if x < 0.021 => -3.0 * DAY,
            x if x < 0.022 => 40.0 * DAY,
            _ => 900.0,
        };
        time += step;
        let value = match random.unit() {
            x if x < 0.01 => 1e30,
            x if x < 0.02 => -1e30,
            _ => wave(f64::from(n), 40.0),
        };
        let at = moment(time);
        assert!(
            season
                .range(&at)
                .is_none_or(|range| range.low.is_finite() && range.high.is_finite())
        );
        season.learn(&at, step.at_least(0.0), value, 1.0);
    }
}
