//! The log of the shop: how many lines of which kind a tick brings, when, and
//! with what in their variable parts.

mod form;

use std::net::Ipv4Addr;

use super::Moment;
use super::TICK;
use super::conditions::{Conditions, Failure};
use super::jobs::{Cue, JOBS, cue};
use super::noise::Noise;
use super::phrases::{
    CARDS, CARRIERS, LOCALES, METHODS, PATHS, PHRASES, PROBES, PRODUCTS, Phrase, RESOURCES, Rate, TABLES,
};
use super::plan::{Happening, Plan, Scheduled};
use super::routes::Sample;
use super::shop::{ROUTES, Service};
use super::wire;

pub use form::Form;
use form::Said;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// Draws and writes the lines of one tick after the other.
pub(super) struct Log {
    noise: Noise,
    /// The lines of the current tick, kept to reuse their memory.
    lines: Vec<Line>,
    /// What the current line says, kept for the same reason.
    message: Vec<u8>,
    /// The time that the current line speaks of.
    duration_ms: Option<u64>,
    orders: u64,
}

/// A line that is still to be written.
struct Line {
    /// Milliseconds into the tick.
    offset: u32,
    service: Service,
    level: Level,
    text: &'static str,
}

/// What the log has to know of a service.
#[derive(Clone, Copy, Default)]
struct Activity {
    requests: f64,
    failed: f64,
    faulted: f64,
    defective: f64,
    overloaded: f64,
    /// Mean latency relative to an empty shop.
    slowness: f64,
}

impl Log {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            noise: Noise::new(seed, 1),
            lines: Vec::new(),
            message: Vec::new(),
            duration_ms: None,
            orders: 480_000,
        }
    }

    /// Writes the lines of a tick, in the order of time.
    pub(super) fn step(&mut self, plan: &Plan, moment: &Moment, samples: &[Sample], form: Form, out: &mut Vec<u8>) {
        let Moment {
            from: now,
            ref calendar,
            ref conditions,
        } = *moment;
        let activities = activities(samples, conditions.failure);
        let scanned = conditions.scan.map_or(0.0, |(_, per_second)| per_second * TICK as f64);
        self.lines.clear();
        for phrase in PHRASES {
            let mean = plan.verbosity * mean(phrase, &activities[phrase.service as usize], scanned);
            let speaks = mean > 0.0 && plan.released(phrase.service, phrase.since, now);
            // A process that is starting answers no requests to speak of.
            let uptime = conditions.services[phrase.service as usize].uptime;
            if speaks && uptime.is_none_or(|uptime| uptime >= Scheduled::STARTING) {
                for _ in 0..self.noise.poisson(mean) {
                    self.lines.push(Line {
                        offset: self.noise.below(1000 * TICK as u32),
                        service: phrase.service,
                        level: phrase.level,
                        text: phrase.text,
                    });
                }
            }
        }
        for job in JOBS {
            self.prompt(job.cues, job.elapsed(now), None);
        }
        for event in &plan.events {
            if let Some((service, restarted)) = event.restart() {
                let last_words = match event.what {
                    Happening::MemoryLeak { .. } => KILLED,
                    _ => STOPPED,
                };
                self.prompt(last_words, now - restarted, Some(service));
                self.prompt(STARTED, now - restarted, Some(service));
            }
        }
        self.lines.sort_by_key(|line| line.offset);
        let lines = std::mem::take(&mut self.lines);
        for line in &lines {
            let slowness = activities[line.service as usize].slowness;
            let mut message = std::mem::take(&mut self.message);
            message.clear();
            self.duration_ms = None;
            self.say(&mut message, plan, conditions, line, slowness, now);
            let said = Said {
                second: now + i64::from(line.offset / 1000),
                millisecond: line.offset % 1000,
                service: line.service,
                level: line.level,
                message: &message,
                duration_ms: self.duration_ms,
            };
            said.write(form, calendar, out);
            self.message = message;
        }
        self.lines = lines;
    }

    /// When the lines of the latest tick were said, in milliseconds into it.
    pub(super) fn offsets(&self) -> impl Iterator<Item = u32> {
        self.lines.iter().map(|line| line.offset)
    }

    /// Queues the cues of something that started `elapsed` seconds before this
    /// tick, as far as they fall into it.
    fn prompt(&mut self, cues: &[Cue], elapsed: i64, service: Option<Service>) {
        for cue in cues {
            if (elapsed..elapsed + TICK).contains(&cue.after) {
                // The start of a second keeps cues in their order.
                let jitter = self.noise.below(900);
                self.lines.push(Line {
                    offset: (cue.after - elapsed) as u32 * 1000 + jitter,
                    service: service.unwrap_or(cue.service),
                    level: cue.level,
                    text: cue.text,
                });
            }
        }
    }

    fn say(&mut self, out: &mut Vec<u8>, plan: &Plan, conditions: &Conditions, line: &Line, slowness: f64, now: i64) {
        let mut rest = line.text;
        while let Some((before, after)) = rest.split_once('{') {
            out.extend_from_slice(before.as_bytes());
            let Some((variable, after)) = after.split_once('}') else {
                break;
            };
            match variable {
                "service" => out.extend_from_slice(line.service.profile().name.as_bytes()),
                "version" => out.extend_from_slice(plan.version(line.service, now).as_bytes()),
                "pod" => {
                    out.extend_from_slice(line.service.profile().name.as_bytes());
                    out.push(b'-');
                    self.hex(out, 5);
                }
                "ms" | "long" => {
                    // What is only said of slow things names a long time.
                    let (usual, spread) = match variable {
                        "ms" => (42.0, 0.9),
                        _ => (900.0, 0.4),
                    };
                    let duration = usual * slowness.max(1.0) * self.noise.lognormal(spread);
                    let duration = duration.max(1.0) as u64;
                    self.duration_ms = Some(duration);
                    wire::integer(out, duration);
                }
                "scanner" => {
                    let client = conditions.scan.map_or(Ipv4Addr::UNSPECIFIED, |(client, _)| client);
                    wire::address(out, client);
                }
                other => self.fill(out, other),
            }
            rest = after;
        }
        out.extend_from_slice(rest.as_bytes());
    }

    fn fill(&mut self, out: &mut Vec<u8>, variable: &str) {
        match variable {
            "number" => wire::integer(out, u64::from(1_000 + self.noise.below(98_000))),
            "small" => wire::integer(out, u64::from(1 + self.noise.below(9))),
            "bytes" => {
                let size = 18_000.0 * self.noise.lognormal(1.1);
                wire::integer(out, size as u64);
            }
            "amount" => {
                let cents = 4_800.0 * self.noise.lognormal(0.7);
                wire::decimal(out, cents.round() / 100.0, 2);
            }
            "percent" => {
                wire::integer(out, u64::from(self.noise.below(100)));
                out.extend_from_slice(b" %");
            }
            "order" => {
                self.orders += 1;
                out.extend_from_slice(b"ORD-2026-");
                wire::integer(out, self.orders);
            }
            "sku" => {
                out.extend_from_slice(b"SKU-");
                wire::integer(out, u64::from(10_000 + self.noise.below(9_000)));
            }
            "coupon" => {
                out.extend_from_slice(b"SPRING");
                wire::integer(out, u64::from(10 + self.noise.below(80)));
            }
            "hex" => self.hex(out, 8),
            "uuid" => {
                for (position, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
                    if position > 0 {
                        out.push(b'-');
                    }
                    self.hex(out, length);
                }
            }
            "ip" => {
                for part in 0..4 {
                    if part > 0 {
                        out.push(b'.');
                    }
                    wire::integer(out, u64::from(1 + self.noise.below(222)));
                }
            }
            "path" => self.pick(out, PATHS),
            "probe" => self.pick(out, PROBES),
            "path_id" => {
                self.pick(out, RESOURCES);
                wire::integer(out, u64::from(1_000 + self.noise.below(90_000)));
            }
            "product" => self.pick(out, PRODUCTS),
            "locale" => self.pick(out, LOCALES),
            "carrier" => self.pick(out, CARRIERS),
            "card" => self.pick(out, CARDS),
            "table" => self.pick(out, TABLES),
            "method" => self.pick(out, METHODS),
            _ => out.push(b'?'),
        }
    }

    fn hex(&mut self, out: &mut Vec<u8>, length: usize) {
        for _ in 0..length {
            out.push(b"0123456789abcdef"[self.noise.below(16) as usize]);
        }
    }

    fn pick(&mut self, out: &mut Vec<u8>, words: &[&str]) {
        let word = words[self.noise.below(words.len() as u32) as usize];
        out.extend_from_slice(word.as_bytes());
    }
}

/// What every process says when it is replaced. The service is that of the
/// event, whatever the table says.
const STOPPED: &[Cue] = &[
    cue(0, Service::Gateway, Level::Info, "received SIGTERM, shutting down"),
    cue(
        2,
        Service::Gateway,
        Level::Info,
        "drained {small} connections in {ms} ms",
    ),
];

const STARTED: &[Cue] = &[
    cue(9, Service::Gateway, Level::Info, "starting {service} {version}"),
    cue(
        11,
        Service::Gateway,
        Level::Info,
        "configuration loaded from /etc/{service}/config.yaml",
    ),
    cue(
        16,
        Service::Gateway,
        Level::Info,
        "connected to database shop in {ms} ms",
    ),
    cue(21, Service::Gateway, Level::Info, "listening on :8080"),
    cue(27, Service::Gateway, Level::Info, "warming caches"),
    cue(
        64,
        Service::Gateway,
        Level::Info,
        "caches warm, {number} entries in {number} ms",
    ),
];

const KILLED: &[Cue] = &[cue(
    -2,
    Service::Gateway,
    Level::Error,
    "container {pod} killed: out of memory, exit code 137",
)];

/// Lines of one kind to expect in a tick.
fn mean(phrase: &Phrase, activity: &Activity, scanned: f64) -> f64 {
    match phrase.rate {
        Rate::Hourly(count) => count * TICK as f64 / 3600.0,
        Rate::Request(share) => share * activity.requests,
        // Above a fixed threshold a distribution thickens much faster than
        // its median moves.
        Rate::Slow(share) => share * activity.requests * libm::pow(activity.slowness, 3.0),
        Rate::Failure(share) => share * activity.failed,
        Rate::Fault(share) => share * activity.faulted,
        Rate::Defect(share) => share * activity.defective,
        Rate::Overload(share) => share * activity.overloaded,
        Rate::Scan(share) => share * scanned,
    }
}

/// Lines that the shop of the demonstration says in a second at such a demand.
pub(super) fn usual_lines_per_second(demand: f64) -> f64 {
    let mut samples = [Sample::default(); ROUTES.len()];
    for (route, sample) in ROUTES.iter().zip(&mut samples) {
        if route.since.is_none() {
            let requests = route.peak_rate() * demand * TICK as f64;
            sample.requests = requests as u32;
            sample.failed = (requests * route.errors) as u32;
            sample.median = 1.0;
        }
    }
    let activities = activities(&samples, Failure::Unreachable);
    let lines = PHRASES.iter().filter(|phrase| phrase.since.is_none());
    let means = lines.map(|phrase| mean(phrase, &activities[phrase.service as usize], 0.0));
    means.sum::<f64>() / TICK as f64
}

/// In the order of [`Service::ALL`]. The database sees the statements that the
/// other services make while they answer.
fn activities(samples: &[Sample], failure: Failure) -> [Activity; Service::ALL.len()] {
    let mut activities = [Activity::default(); Service::ALL.len()];
    for (route, sample) in ROUTES.iter().zip(samples) {
        let requests = f64::from(sample.requests);
        let statements = requests * route.service.profile().statements;
        for (service, share) in [(route.service, requests), (Service::Postgres, statements)] {
            let activity = &mut activities[service as usize];
            activity.requests += share;
            activity.slowness += share * sample.median;
        }
        let activity = &mut activities[route.service as usize];
        // The gateway only sees that a request failed, not why.
        let own = if route.service == Service::Gateway {
            0
        } else {
            sample.faulted
        };
        activity.failed += f64::from(sample.failed - own);
        let faulted = match failure {
            Failure::Unreachable | Failure::Death => &mut activity.faulted,
            Failure::Defect => &mut activity.defective,
            Failure::Overload => &mut activity.overloaded,
        };
        *faulted += f64::from(own);
    }
    for activity in &mut activities {
        activity.slowness /= activity.requests.max(1.0);
    }
    activities
}
