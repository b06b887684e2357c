//! Anomalies to a collector: CloudEvents 1.0 in batches of their JSON format, over HTTP through a cluster of Envoy's.

use std::collections::VecDeque;

use proxy_wasm::types::MapType;
use serde::Serialize;
use serde_json::value::RawValue;
use watchpost_detector::{Anomaly, Phase, Timestamp};

use crate::host;
use crate::metrics::Metrics;
use crate::settings;

/// One call carries so many events at most.
const MOST_IN_A_BATCH: usize = 50;

/// The waits between attempts double up to this, in seconds.
const LONGEST_WAIT: u32 = 64;

/// A batch that was refused so often in a row is dropped: one that a collector cannot read would block all others.
const MOST_ATTEMPTS: u32 = 12;

/// The events that wait for the collector, and the call that is on its way.
pub(crate) struct Collector {
    settings: settings::Collector,
    source: String,
    waiting: VecDeque<String>,
    /// The call's token, and how many events it carries, which are the first of those that wait.
    under_way: Option<(u32, usize)>,
    attempts: u32,
    /// Ticks until the next attempt.
    wait: u32,
}

#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: String,
    source: &'a str,
    r#type: &'static str,
    time: Timestamp,
    datacontenttype: &'static str,
    data: &'a RawValue,
}

impl Collector {
    pub(crate) fn new(settings: settings::Collector, source: String) -> Self {
        Collector {
            settings,
            source,
            waiting: VecDeque::new(),
            under_way: None,
            attempts: 0,
            wait: 0,
        }
    }

    /// Takes over what waits for another, whose call may still succeed: the ids tell that an event came twice.
    pub(crate) fn succeed(&mut self, other: &mut Collector) {
        self.waiting.append(&mut other.waiting);
    }

    /// Queues an anomaly, whose own JSON becomes the event's data, byte for byte.
    pub(crate) fn queue(&mut self, anomaly: &Anomaly, json: &str, metrics: &mut Metrics) {
        let Ok(data) = serde_json::from_str::<&RawValue>(json) else {
            return;
        };
        let phase = match anomaly.phase {
            Phase::Onset => "onset".to_owned(),
            // There may be several of an episode, each with more events than the one before.
            Phase::Worse => format!("worse-{}", anomaly.events),
            Phase::End | Phase::Open | Phase::Near => "end".to_owned(),
        };
        let event = CloudEvent {
            specversion: "1.0",
            // The same anomaly has the same id, however often it is sent.
            id: format!("{}-{}-{phase}", anomaly.fingerprint, anomaly.timestamp.nanos()),
            source: &self.source,
            r#type: "io.watchpost.anomaly.v1",
            time: anomaly.timestamp,
            datacontenttype: "application/json",
            data,
        };
        let Ok(event) = serde_json::to_string(&event) else {
            return;
        };
        if self.waiting.len() >= usize::from(self.settings.queue.max(1)) {
            metrics.count("watchpost_dropped", &[("of", "callout")], 1);
            // What is under way cannot be called back: the oldest that waits behind it goes, or the event itself.
            let first = self.under_way.map_or(0, |(_, count)| count);
            if self.waiting.remove(first).is_none() {
                return;
            }
        }
        self.waiting.push_back(event);
    }

    /// Sends what waits, when it is time.
    pub(crate) fn tick(&mut self, metrics: &mut Metrics) {
        self.wait = self.wait.saturating_sub(1);
        if self.under_way.is_some() || self.waiting.is_empty() || self.wait > 0 {
            return;
        }
        let count = self.waiting.len().min(MOST_IN_A_BATCH);
        let mut body = String::from("[");
        for (at, event) in self.waiting.iter().take(count).enumerate() {
            if at > 0 {
                body.push(',');
            }
            body.push_str(event);
        }
        body.push(']');
        let authority = self.settings.authority.as_deref().unwrap_or(&self.settings.cluster);
        let headers = vec![
            (":method", "POST"),
            (":path", &*self.settings.path),
            (":authority", authority),
            ("content-type", "application/cloudevents-batch+json; charset=UTF-8"),
            ("user-agent", concat!("watchpost/", env!("CARGO_PKG_VERSION"))),
        ];
        let seconds = self.settings.timeout_seconds.0;
        match host::call(&self.settings.cluster, headers, Some(body.as_bytes()), seconds) {
            Ok(token) => self.under_way = Some((token, count)),
            Err(_) => self.failed(count, metrics),
        }
    }

    /// The answer to a call, if it was one of these. Without a response there are no headers.
    pub(crate) fn answered(&mut self, token: u32, headers: usize, metrics: &mut Metrics) -> bool {
        let Some((_, count)) = self.under_way.take_if(|(expected, _)| *expected == token) else {
            return false;
        };
        let status = if headers == 0 {
            None
        } else {
            host::header(MapType::HttpCallResponseHeaders, ":status").ok()
        };
        if status.is_some_and(|status| status.first() == Some(&b'2')) {
            self.waiting.drain(..count.min(self.waiting.len()));
            self.attempts = 0;
            self.wait = 0;
            metrics.count("watchpost_callouts", &[("result", "ok")], 1);
        } else {
            self.failed(count, metrics);
        }
        true
    }

    fn failed(&mut self, count: usize, metrics: &mut Metrics) {
        self.attempts += 1;
        if self.attempts >= MOST_ATTEMPTS {
            let dropped = self.waiting.drain(..count.min(self.waiting.len())).len();
            metrics.count("watchpost_dropped", &[("of", "callout")], dropped as u64);
            self.attempts = 0;
            metrics.count("watchpost_callouts", &[("result", "failed")], 1);
        } else {
            metrics.count("watchpost_callouts", &[("result", "retried")], 1);
        }
        self.wait = (1 << self.attempts.min(6)).min(LONGEST_WAIT);
    }
}
