//! What a configuration can cost in memory, before anything is started with it.

use crate::config::{Bounds, Config};
use crate::log::{VECTOR_BYTES, VECTOR_WIDTH};

/// One part of a detector's memory: so many of something, each of so many bytes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// What it is, in words.
    pub name: &'static str,
    /// How many there can be.
    pub count: u64,
    /// What one of them needs at most, in bytes.
    pub most_bytes: u64,
    /// What one of them needs in ordinary use, in bytes.
    pub usual_bytes: u64,
}

// Measured with an allocator that counts (`tests/memory.rs` holds them to it), for 64-bit hosts; a wasm guest needs
// less, since its pointers are half as long.
const SERIES: (u64, u64) = (22_000, 1_200);
// Of which the states that a subject's metrics are compared with are 770 bytes.
const METRIC: (u64, u64) = (10_150, 8_000);
/// Models over all metrics of a subject count as so many metrics as need their memory when they are looked at alone.
pub(crate) const USUAL_METRIC: usize = 5_800;
const TEMPLATE: (u64, u64) = (6_000, 900);
const ROUTE: (u64, u64) = (27_000, 13_000);
const UPSTREAM: (u64, u64) = (17_000, 4_500);
// Nearly all of it is paths that exist, of which a site remembers up to 4,096.
const SITE: (u64, u64) = (250_000, 3_000);
const ANSWER: (u64, u64) = (40, 24);
const AWAITED: (u64, u64) = (600, 250);
const SESSION: (u64, u64) = (2_200, 400);
const EVENT: (u64, u64) = (700, 300);
const PROFILE: (u64, u64) = (1_400, 400);
const STEP: (u64, u64) = (120, 120);
const LIMIT: (u64, u64) = (1_000, 100);
/// What is known of the scores of one model.
const VECTOR_MODEL: usize = 1_000;
// Labels and an explanation, which a series has as well.
const NEAR: (u64, u64) = (22_000, 2_000);

/// What a detector with this configuration can need, part by part. It is reached only by traffic that fills every
/// bound.
pub fn footprint(config: &Config) -> Vec<Part> {
    let Bounds {
        max_series,
        max_metrics,
        max_templates,
        max_routes,
    } = &config.bounds;
    let part = |name, count: u64, (most_bytes, usual_bytes)| Part {
        name,
        count,
        most_bytes,
        usual_bytes,
    };
    let mut parts = vec![
        part("series", u64::from(max_series.get()), SERIES),
        part("metrics of all series", u64::from(max_metrics.get()), METRIC),
        part("templates of log lines", u64::from(max_templates.get()), TEMPLATE),
        part("routes of requests", u64::from(max_routes.get()), ROUTE),
        part("upstreams of requests", u64::from(max_routes.get()), UPSTREAM),
        part(
            "sites of requests",
            crate::request::most_sites(max_routes.get() as usize) as u64,
            SITE,
        ),
        part("open sessions", crate::detector::MOST_SESSIONS as u64, SESSION),
        part(
            "kinds of lines that are awaited",
            crate::log::MOST_AWAITED as u64,
            AWAITED,
        ),
        part("answers of people", crate::feedback::MOST_FEEDBACK as u64, ANSWER),
        part("events of sessions", crate::log::ALL_EVENTS as u64, EVENT),
        part("profiles of sessions", crate::log::ALL_PROFILES as u64, PROFILE),
        part("steps of sessions", crate::log::ALL_STEPS as u64, STEP),
        part(
            "tracks of patterns",
            crate::pattern::MOST_TRACKS as u64,
            crate::pattern::TRACK_BYTES,
        ),
    ];
    if !config.models.lines.is_empty() {
        let models = config.models.lines.iter();
        let bytes = models
            .map(|model| model.most_bytes(VECTOR_WIDTH) + VECTOR_MODEL)
            .sum::<usize>()
            + VECTOR_BYTES;
        parts.push(part("words of log lines", 1, (bytes as u64, bytes as u64)));
    }
    if !config.rules.is_empty() {
        parts.push(part("hard limits", config.rules.len() as u64, LIMIT));
    }
    if config.near_misses {
        parts.push(part("open near misses", crate::near::MOST_NEAR as u64, NEAR));
    }
    parts
}
