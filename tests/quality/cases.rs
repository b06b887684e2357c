//! The cases: trouble that has to be seen, and what looks like it and is none. Two days of ordinary life come
//! before all trouble; nothing here knows of any model, and the demonstration's shop is not used.

use super::stream::{DAY, HOUR, MINUTE, Stream, Trouble, daily, workday};

/// A metric a minute, for three days: its usual value, and what the trouble makes of it.
fn gauge(
    stream: &mut Stream,
    trouble: Trouble,
    mut usual: impl FnMut(&mut Stream, i64) -> f64,
    mut spoil: impl FnMut(f64, i64) -> f64,
) {
    for time in (0..3 * DAY).step_by(60) {
        let value = usual(stream, time);
        let value = if trouble.holds(time) { spoil(value, time) } else { value };
        stream.row(time, "shop", &[("value", value)]);
    }
}

fn noise(stream: &mut Stream, mean: f64, spread: f64) -> f64 {
    mean + spread * stream.random.normal()
}

pub(crate) fn spike(stream: &mut Stream) {
    let trouble = stream.trouble(MINUTE);
    gauge(stream, trouble, |s, _| noise(s, 100.0, 5.0), |_, _| 300.0);
}

pub(crate) fn dip_of_traffic(stream: &mut Stream) {
    // In the daytime: at night there is little to lose.
    let at = 2 * DAY + 9 * HOUR + stream.random.below(600) as i64 * MINUTE;
    let trouble = stream.trouble_at(at, 6 * MINUTE);
    gauge(
        stream,
        trouble,
        |s, t| noise(s, 500.0 + 300.0 * daily(t), 20.0),
        |_, _| 0.0,
    );
}

pub(crate) fn level_shift(stream: &mut Stream) {
    let trouble = stream.trouble(2 * HOUR);
    gauge(stream, trouble, |s, _| noise(s, 50.0, 2.0), |value, _| value + 12.0);
}

pub(crate) fn small_level_shift(stream: &mut Stream) {
    let trouble = stream.trouble(3 * HOUR);
    gauge(stream, trouble, |s, _| noise(s, 50.0, 2.0), |value, _| value + 4.0);
}

pub(crate) fn drift(stream: &mut Stream) {
    let trouble = stream.trouble_at(2 * DAY + 6 * HOUR, 8 * HOUR);
    gauge(
        stream,
        trouble,
        |s, _| noise(s, 400.0, 4.0),
        |value, t| value + 100.0 * trouble.part(t),
    );
}

pub(crate) fn variance_burst(stream: &mut Stream) {
    let trouble = stream.trouble(HOUR);
    gauge(stream, trouble, |s, _| noise(s, 0.0, 1.0), |value, _| 5.0 * value);
}

pub(crate) fn stuck(stream: &mut Stream) {
    let trouble = stream.trouble(HOUR);
    gauge(stream, trouble, |s, _| noise(s, 20.0, 0.5), |_, _| 20.3);
}

pub(crate) fn missing_peak(stream: &mut Stream) {
    peak_missing_on(stream, 4);
}

pub(crate) fn missing_peak_later(stream: &mut Stream) {
    peak_missing_on(stream, 9);
}

fn peak_missing_on(stream: &mut Stream, day: i64) {
    let trouble = stream.trouble_at(day * DAY + 10 * HOUR, 12 * HOUR);
    stream.known_from = 2 * DAY;
    for time in (0..(day + 1) * DAY).step_by(300) {
        let load = if trouble.holds(time) { 0.0 } else { daily(time).max(0.0) };
        let value = noise(stream, 100.0 + 80.0 * load, 4.0);
        stream.row(time, "shop", &[("orders", value)]);
    }
}

pub(crate) fn counter_jump(stream: &mut Stream) {
    let trouble = stream.trouble(20 * MINUTE);
    counter(stream, |time| if trouble.holds(time) { 4.0 } else { 1.0 }, |_| false);
}

pub(crate) fn counter_restart(stream: &mut Stream) {
    let at: Vec<i64> = (0..3)
        .map(|day| day * DAY + stream.random.below(1440) as i64 * MINUTE)
        .collect();
    counter(stream, |_| 1.0, |time| at.contains(&time));
}

fn counter(stream: &mut Stream, factor: impl Fn(i64) -> f64, restarts: impl Fn(i64) -> bool) {
    let mut total = 1e6;
    for time in (0..3 * DAY).step_by(30) {
        if restarts(time) {
            total = 0.0;
        }
        total += (factor(time) * noise(stream, 300.0, 15.0)).round();
        stream.row(time, "shop", &[("requests_total", total)]);
    }
}

const FORTY: [&str; 40] = [
    "m00", "m01", "m02", "m03", "m04", "m05", "m06", "m07", "m08", "m09", "m10", "m11", "m12", "m13", "m14", "m15",
    "m16", "m17", "m18", "m19", "m20", "m21", "m22", "m23", "m24", "m25", "m26", "m27", "m28", "m29", "m30", "m31",
    "m32", "m33", "m34", "m35", "m36", "m37", "m38", "m39",
];

pub(crate) fn two_of_forty(stream: &mut Stream) {
    let trouble = stream.trouble(30 * MINUTE);
    stream.names(None, &["m11", "m29"]);
    forty(stream, |time| trouble.holds(time));
}

pub(crate) fn forty_in_peace(stream: &mut Stream) {
    forty(stream, |_| false);
}

fn forty(stream: &mut Stream, trouble: impl Fn(i64) -> bool) {
    for time in (0..3 * DAY).step_by(120) {
        let load = noise(stream, 0.0, 1.0);
        let bad = trouble(time);
        let values: Vec<(&str, f64)> = FORTY
            .iter()
            .enumerate()
            .map(|(n, name)| {
                // Every second one follows the common load.
                let common = if n % 2 == 0 { load } else { 0.0 };
                let away = if bad && (n == 11 || n == 29) { 8.0 } else { 0.0 };
                (*name, 100.0 + 3.0 * (noise(stream, 0.0, 1.0) + common + away))
            })
            .collect();
        stream.row(time, "shop", &values);
    }
}

pub(crate) fn errors_of_few_requests(stream: &mut Stream) {
    let trouble = stream.trouble(15 * MINUTE);
    gauge(stream, trouble, |s, _| stream_of_errors(s), |_, _| 0.3);
}

pub(crate) fn rare_errors(stream: &mut Stream) {
    peace(stream, stream_of_errors);
}

/// Mostly none, now and then one in fifty.
fn stream_of_errors(stream: &mut Stream) -> f64 {
    if stream.random.below(30) == 0 {
        0.02 * (1.0 + stream.random.unit())
    } else {
        0.0
    }
}

pub(crate) fn slow_requests(stream: &mut Stream) {
    let trouble = stream.trouble(30 * MINUTE);
    gauge(
        stream,
        trouble,
        |s, _| 40.0 + 4.0 * s.random.heavy().abs(),
        |value, _| 2.0 * value,
    );
}

pub(crate) fn slow_by_and_by(stream: &mut Stream) {
    let trouble = stream.trouble(2 * HOUR);
    gauge(
        stream,
        trouble,
        |s, _| 40.0 + 2.0 * s.random.normal(),
        |value, t| value * (1.0 + trouble.part(t)),
    );
}

pub(crate) const TEN: [&str; 10] = [
    "auth", "cart", "mail", "maps", "news", "pay", "search", "shop", "stock", "users",
];

pub(crate) fn one_of_ten(stream: &mut Stream) {
    let trouble = stream.trouble(10 * MINUTE);
    stream.names(Some("pay"), &["latency_ms"]);
    ten(stream, |time, name| trouble.holds(time) && name == "pay", |_, _| false);
}

pub(crate) fn ten_in_peace(stream: &mut Stream) {
    ten(stream, |_, _| false, |_, _| false);
}

pub(crate) fn silence(stream: &mut Stream) {
    let trouble = stream.trouble(30 * MINUTE);
    stream.names(Some("stock"), &[]);
    ten(
        stream,
        |_, _| false,
        |time, name| trouble.holds(time) && name == "stock",
    );
}

/// The whole feed pauses, for example because the collector is restarted: nobody in particular is silent.
pub(crate) fn pause_of_all(stream: &mut Stream) {
    let pause = 2 * DAY + stream.random.below(1200) as i64 * MINUTE;
    ten(
        stream,
        |_, _| false,
        |time, _| (pause..pause + 20 * MINUTE).contains(&time),
    );
}

fn ten(stream: &mut Stream, slow: impl Fn(i64, &str) -> bool, silent: impl Fn(i64, &str) -> bool) {
    for time in (0..3 * DAY).step_by(120) {
        for name in TEN {
            let latency = noise(stream, 30.0, 2.0) * if slow(time, name) { 3.0 } else { 1.0 };
            let cpu = noise(stream, 40.0 + 10.0 * daily(time), 3.0);
            if !silent(time, name) {
                stream.row(time, name, &[("latency_ms", latency), ("cpu_percent", cpu)]);
            }
        }
    }
}

/// One metric a minute for three days in which nothing happens.
fn peace(stream: &mut Stream, mut value: impl FnMut(&mut Stream) -> f64) {
    for time in (0..3 * DAY).step_by(60) {
        let value = value(stream);
        stream.row(time, "shop", &[("value", value)]);
    }
}

pub(crate) fn plain_noise(stream: &mut Stream) {
    peace(stream, |s| noise(s, 50.0, 5.0));
}

/// Learned from for two days, and from then on only judged.
pub(crate) fn plain_noise_frozen(stream: &mut Stream) {
    for time in (0..4 * DAY).step_by(60) {
        if time == 2 * DAY {
            stream.freeze();
        }
        let value = noise(stream, 50.0, 5.0);
        stream.row(time, "shop", &[("value", value)]);
    }
}

pub(crate) fn level_shift_frozen(stream: &mut Stream) {
    let trouble = stream.trouble(2 * HOUR);
    for time in (0..3 * DAY).step_by(60) {
        if time == 2 * DAY {
            stream.freeze();
        }
        let shift = if trouble.holds(time) { 20.0 } else { 0.0 };
        let value = noise(stream, 50.0 + shift, 2.0);
        stream.row(time, "shop", &[("value", value)]);
    }
}

pub(crate) fn heavy_tails(stream: &mut Stream) {
    peace(stream, |s| 50.0 + 5.0 * s.random.heavy());
}

pub(crate) fn slow_walk(stream: &mut Stream) {
    // It returns to where it came from within some hours.
    let mut away = 0.0;
    peace(stream, |s| {
        away += 0.3 * s.random.normal() - away / 300.0;
        noise(s, 50.0 + away, 1.0)
    });
}

pub(crate) fn walk_without_home(stream: &mut Stream) {
    let mut level = 1000.0;
    peace(stream, |s| {
        level += 0.5 * s.random.normal();
        level
    });
}

pub(crate) fn whole_numbers(stream: &mut Stream) {
    peace(stream, |s| s.random.count(3.0) as f64);
}

pub(crate) fn constant(stream: &mut Stream) {
    peace(stream, |_| 16.0);
}

pub(crate) fn season(stream: &mut Stream) {
    stream.known_from = 2 * DAY;
    for time in (0..5 * DAY).step_by(60) {
        let value = noise(stream, 500.0 + 300.0 * daily(time), 20.0);
        stream.row(time, "shop", &[("requests", value)]);
    }
}

pub(crate) fn week(stream: &mut Stream) {
    stream.known_from = 8 * DAY;
    for time in (0..22 * DAY).step_by(600) {
        let load = 0.4 + 0.6 * workday(time);
        let value = noise(stream, (500.0 + 300.0 * daily(time)) * load, 20.0);
        stream.row(time, "shop", &[("requests", value)]);
    }
}

/// A job runs at every full hour for five minutes.
pub(crate) fn hourly_job(stream: &mut Stream) {
    stream.known_from = DAY;
    for time in (0..3 * DAY).step_by(60) {
        let busy = if time % HOUR < 5 * MINUTE { 60.0 } else { 0.0 };
        let value = noise(stream, 20.0 + busy, 2.0);
        stream.row(time, "shop", &[("cpu_percent", value)]);
    }
}

/// A disk that fills over a day and is cleaned up at night.
pub(crate) fn sawtooth(stream: &mut Stream) {
    stream.known_from = 2 * DAY;
    for time in (0..5 * DAY).step_by(60) {
        let filled = (time - 2 * HOUR).rem_euclid(DAY) as f64 / DAY as f64;
        let value = noise(stream, 30.0 + 30.0 * filled, 0.2);
        stream.row(time, "shop", &[("disk_percent", value)]);
    }
}

pub(crate) fn gaps_and_twins(stream: &mut Stream) {
    for time in (0..3 * DAY).step_by(60) {
        let value = noise(stream, 50.0, 5.0);
        match stream.random.below(20) {
            0 => {}
            1 => {
                stream.row(time, "shop", &[("value", value)]);
                stream.row(time, "shop", &[("value", value)]);
            }
            2 => stream.row(time - 90, "shop", &[("value", value)]),
            _ => stream.row(time, "shop", &[("value", value)]),
        }
    }
}

/// A counter of which now and then a row comes late.
pub(crate) fn late_counter(stream: &mut Stream) {
    let mut total = 0.0;
    let mut held: Option<(i64, f64)> = None;
    for time in (0..3 * DAY).step_by(60) {
        total += noise(stream, 600.0, 20.0).round();
        if held.is_none() && stream.random.below(200) == 0 {
            held = Some((time, total));
            continue;
        }
        stream.row(time, "shop", &[("requests_total", total)]);
        if let Some((then, value)) = held.filter(|(then, _)| *then < time - MINUTE) {
            stream.row(then, "shop", &[("requests_total", value)]);
            held = None;
        }
    }
}

/// What a program logs in ordinary life: about five lines a minute, by chance, and an error in three hundred.
fn ordinary_lines(stream: &mut Stream, time: i64, service: &str) {
    for _ in 0..stream.random.count(5.0) {
        let second = time + stream.random.below(60) as i64;
        let number = stream.random.below(90_000);
        let (level, message) = match stream.random.below(300) {
            0 => ("error", format!("error: request {number} timed out after 3000 ms")),
            1..=3 => ("warn", format!("retry {} of request {number}", number % 3 + 1)),
            4..=150 => ("info", format!("served request {number} in {} ms", number / 900)),
            151..=230 => ("info", format!("cache miss for item {number}")),
            _ => ("debug", format!("connection {number} kept alive")),
        };
        stream.line(second, service, level, &message);
    }
}

/// Three days of lines in order of time, and what is said beside them in a minute.
fn log(stream: &mut Stream, mut beside: impl FnMut(&mut Stream, i64)) {
    for time in (0..3 * DAY).step_by(60) {
        ordinary_lines(stream, time, "shop");
        beside(stream, time);
    }
}

pub(crate) fn ordinary_log(stream: &mut Stream) {
    log(stream, |_, _| {});
}

pub(crate) fn error_burst(stream: &mut Stream) {
    let trouble = stream.trouble(10 * MINUTE);
    log(stream, |s, time| {
        if trouble.holds(time) {
            for n in 0..15 {
                let number = s.random.below(90_000);
                s.line(
                    time + 4 * n,
                    "shop",
                    "error",
                    &format!("error: request {number} timed out after 3000 ms"),
                );
            }
        }
    });
}

pub(crate) fn fatal_line(stream: &mut Stream) {
    let trouble = stream.trouble(MINUTE);
    log(stream, |s, time| {
        if time == trouble.from {
            s.line(time + 1, "shop", "fatal", "out of memory: worker 17 was killed");
        }
    });
}

pub(crate) fn new_error_after_deploy(stream: &mut Stream) {
    let trouble = stream.trouble(HOUR);
    log(stream, |s, time| {
        if trouble.holds(time) {
            s.line(
                time + 2,
                "shop",
                "error",
                &format!("null pointer in discount of order {}", time % 9999),
            );
        }
    });
}

pub(crate) fn flood_of_lines(stream: &mut Stream) {
    let trouble = stream.trouble(10 * MINUTE);
    log(stream, |s, time| {
        if trouble.holds(time) {
            for n in 0..100 {
                let number = s.random.below(90_000);
                s.line(time + n / 2, "shop", "info", &format!("cache miss for item {number}"));
            }
        }
    });
}

pub(crate) fn silent_log(stream: &mut Stream) {
    let trouble = stream.trouble(30 * MINUTE);
    stream.names(Some("shop"), &[]);
    for time in (0..3 * DAY).step_by(60) {
        for service in ["mail", "pay", "shop"] {
            if !(service == "shop" && trouble.holds(time)) {
                ordinary_lines(stream, time, service);
            }
        }
    }
}

/// New versions say new things, of which none is bad.
pub(crate) fn new_lines_after_deploy(stream: &mut Stream) {
    let deploys: Vec<i64> = (0..3)
        .map(|day| day * DAY + (60 + stream.random.below(1300) as i64) * MINUTE)
        .collect();
    log(stream, |s, time| {
        for (version, deploy) in deploys.iter().enumerate() {
            if time == *deploy {
                for (n, what) in [
                    "shutting down",
                    "listening on port 8080",
                    "migrations are up to date",
                    "ready",
                ]
                .iter()
                .enumerate()
                {
                    s.line(time + n as i64, "shop", "info", what);
                }
            }
            if time > *deploy && s.random.below(4) == 0 {
                let said = [
                    "coupon applied to order",
                    "stock synced with warehouse",
                    "banner rotated for campaign",
                ][version];
                s.line(time + 7, "shop", "info", &format!("{said} {}", time / 60));
            }
        }
    });
}

/// A backup that writes two hundred lines, every night at three.
pub(crate) fn nightly_backup(stream: &mut Stream) {
    stream.known_from = 2 * DAY;
    for time in (0..5 * DAY).step_by(60) {
        ordinary_lines(stream, time, "shop");
        if time % DAY == 3 * HOUR {
            for n in 0..200 {
                stream.line(time + n / 4, "shop", "info", &format!("copied chunk {n} of backup"));
            }
        }
    }
}

/// Orders that take the same five steps, in sessions; some skip one, and a few do what no order ever does. Returns
/// the sessions that are strange.
pub(crate) fn sessions(stream: &mut Stream) -> Vec<String> {
    let mut strange = Vec::new();
    for number in 0..3000 {
        let time = number * 40;
        let name = format!("order-{number}");
        let mut steps = vec![
            "cart opened",
            "address checked",
            "payment accepted",
            "parcel packed",
            "parcel sent",
        ];
        if stream.random.below(10) == 0 {
            steps.remove(1);
        }
        if number > 1500 && stream.random.below(100) == 0 {
            match stream.random.below(3) {
                0 => steps.swap(2, 3),
                1 => steps.truncate(2),
                _ => steps.insert(3, "payment reversed by bank"),
            }
            strange.push(name.clone());
        }
        for (n, step) in steps.iter().enumerate() {
            stream.step(time + 5 * n as i64, &name, step);
        }
    }
    strange
}
