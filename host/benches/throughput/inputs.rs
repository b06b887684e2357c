//! What is read: the same bytes in every run.

use std::io::Write;

use anyhow::Context;
use jiff::Timestamp;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::Deserialize;
use watchpost::simulate::{Plan, Simulation};
use watchpost_detector::wire::Format;

/// One input.
pub(crate) struct Input {
    pub(crate) name: &'static str,
    pub(crate) format: Format,
    pub(crate) bytes: Vec<u8>,
    /// Rows, of which the header of a table is none.
    pub(crate) items: usize,
}

/// Every kind of input, each of about so many bytes.
pub(crate) fn all(size: usize) -> anyhow::Result<Vec<Input>> {
    let (metrics, logs) = shop(size);
    let text = text(&logs)?;
    Ok(vec![
        Input::new("ndjson metrics", Format::Ndjson, metrics),
        Input::new("ndjson logs", Format::Ndjson, logs),
        Input::new("text logs", Format::Text, text),
        Input::new("csv, 2 columns", Format::Csv, csv(size, 1)),
        Input::new("csv, 20 columns", Format::Csv, csv(size, 19)),
    ])
}

/// The header of [`series`].
pub(crate) const SERIES_HEADER: &str = "timestamp,host,load\n";

/// The rows of so many series at one minute, each of one metric.
pub(crate) fn series(out: &mut Vec<u8>, random: &mut Pcg64Mcg, count: u32, minute: u32) {
    let time = time(minute);
    for host in 0..count {
        let load = 40.0 + f64::from(host % 17) + 8.0 * noise(random);
        line(out, format_args!("{time},host-{host:05},{load:.3}\n"));
    }
}

pub(crate) fn random() -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(7)
}

impl Input {
    fn new(name: &'static str, format: Format, bytes: Vec<u8>) -> Self {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        let header = usize::from(format == Format::Csv);
        Input {
            name,
            format,
            bytes,
            items: lines - header,
        }
    }
}

/// The metrics and the log lines of the simulated shop, apart from each other.
fn shop(size: usize) -> (Vec<u8>, Vec<u8>) {
    let mut shop = Simulation::new(Plan::demo());
    let (mut metrics, mut logs) = (Vec::new(), Vec::new());
    let mut tick = Vec::new();
    while (metrics.len() < size || logs.len() < size) && shop.tick(&mut tick) {
        for event in tick.split_inclusive(|byte| *byte == b'\n') {
            let is_log = event.windows(11).any(|window| window == b"\"message\":\"");
            let kept = if is_log { &mut logs } else { &mut metrics };
            if kept.len() < size {
                kept.extend_from_slice(event);
            }
        }
        tick.clear();
    }
    (metrics, logs)
}

/// The same log as programs write it to a file.
fn text(logs: &[u8]) -> anyhow::Result<Vec<u8>> {
    #[derive(Deserialize)]
    struct Log<'a> {
        timestamp: &'a str,
        service: &'a str,
        level: &'a str,
        message: std::borrow::Cow<'a, str>,
    }
    let mut text = Vec::new();
    for event in serde_json::Deserializer::from_slice(logs).into_iter() {
        let Log {
            timestamp,
            service,
            level,
            message,
        } = event.context("the simulation writes JSON")?;
        let level = level.to_ascii_uppercase();
        line(
            &mut text,
            format_args!("{timestamp} shop-1 {service}[17]: {level} {message}\n"),
        );
    }
    Ok(text)
}

/// A table of one subject: a time, and so many metrics with a daily rhythm of their own.
fn csv(size: usize, metrics: u32) -> Vec<u8> {
    let mut random = random();
    let mut out = b"timestamp".to_vec();
    for metric in 0..metrics {
        line(&mut out, format_args!(",metric_{metric}"));
    }
    out.push(b'\n');
    let mut minute = 0;
    while out.len() < size {
        line(&mut out, format_args!("{}", time(minute)));
        for metric in 0..metrics {
            let hour = f64::from(minute + 100 * metric) / 60.0;
            let rhythm = libm::sin(hour * std::f64::consts::TAU / 24.0);
            let value = 100.0 * f64::from(metric + 1) + 20.0 * rhythm + 5.0 * noise(&mut random);
            line(&mut out, format_args!(",{value:.3}"));
        }
        out.push(b'\n');
        minute += 1;
    }
    out
}

/// About normal, with a spread of about one.
fn noise(random: &mut Pcg64Mcg) -> f64 {
    let uniform = |random: &mut Pcg64Mcg| f64::from(random.next_u32()) / f64::from(u32::MAX) - 0.5;
    2.0 * (uniform(random) + uniform(random) + uniform(random))
}

fn time(minute: u32) -> Timestamp {
    const START: i64 = 1_772_409_600; // 2026-03-02T00:00:00Z
    Timestamp::from_second(START + 60 * i64::from(minute)).expect("a few years from 2026 there are times as well")
}

fn line(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a Vec takes every byte");
}
