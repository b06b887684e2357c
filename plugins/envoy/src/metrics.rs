//! Envoy's statistics. A counter is summed up here and handed over once a second: a request costs an addition.
//!
//! Envoy never frees a statistic, so there is a bound on how many there are. Labels are part of a name, in a form that
//! the `stats_tags` of the examples take apart.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proxy_wasm::types::MetricType;

use crate::host;

/// Labelled counters that are kept apart; what comes later is counted under the label values `other`.
const MOST_LABELLED: usize = 500;

/// A label's value is not longer than this, in bytes.
const MOST_VALUE: usize = 128;

/// Every statistic without labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Of {
    Requests,
    Anomalous,
    Heartbeat,
    OpenEpisodes,
    Routes,
    MemoryBytes,
}

impl Of {
    fn name(self) -> &'static str {
        match self {
            Of::Requests => "watchpost_requests",
            Of::Anomalous => "watchpost_anomalous_requests",
            Of::Heartbeat => "watchpost_heartbeat",
            Of::OpenEpisodes => "watchpost_open_episodes",
            Of::Routes => "watchpost_routes",
            Of::MemoryBytes => "watchpost_memory_bytes",
        }
    }

    fn kind(self) -> MetricType {
        match self {
            Of::Requests | Of::Anomalous | Of::Heartbeat => MetricType::Counter,
            Of::OpenEpisodes | Of::Routes | Of::MemoryBytes => MetricType::Gauge,
        }
    }
}

/// The statistics of one instance.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    plain: BTreeMap<Of, Metric>,
    labelled: BTreeMap<String, Metric>,
}

#[derive(Debug, Default)]
struct Metric {
    /// As Envoy knows it.
    id: Option<u32>,
    pending: i64,
}

impl Metric {
    fn flush(&mut self, kind: MetricType, name: &str) {
        if self.pending == 0 && self.id.is_some() {
            return;
        }
        if self.id.is_none() {
            self.id = host::define_metric(kind, name).ok();
        }
        if let Some(id) = self.id
            && self.pending != 0
            && host::add_to_metric(id, self.pending).is_ok()
        {
            self.pending = 0;
        }
    }
}

impl Metrics {
    pub(crate) fn add(&mut self, of: Of, amount: i64) {
        self.plain.entry(of).or_default().pending += amount;
    }

    /// Sets a gauge, which all workers share: the last one to write wins.
    pub(crate) fn set(&mut self, of: Of, value: u64) {
        let metric = self.plain.entry(of).or_default();
        if metric.id.is_none() {
            metric.id = host::define_metric(of.kind(), of.name()).ok();
        }
        if let Some(id) = metric.id {
            let _ = host::record_metric(id, value);
        }
    }

    /// Counts some more of these; labels in the order in which their tags are taken out of the name.
    pub(crate) fn count(&mut self, name: &str, labels: &[(&str, &str)], amount: u64) {
        let mut full = labelled(name, labels.iter().copied());
        if !self.labelled.contains_key(&full) && self.labelled.len() >= MOST_LABELLED {
            full = labelled(name, labels.iter().map(|(label, _)| (*label, "other")));
        }
        self.labelled.entry(full).or_default().pending += i64::try_from(amount).unwrap_or(i64::MAX);
    }

    /// Hands everything over that was counted since the last time.
    pub(crate) fn flush(&mut self) {
        for (of, metric) in &mut self.plain {
            metric.flush(of.kind(), of.name());
        }
        for (name, metric) in &mut self.labelled {
            metric.flush(MetricType::Counter, name);
        }
    }
}

/// `name.route=.=/cart;.;kind=.=latency;.;`: a form in which dots may be in a value.
fn labelled<'a>(name: &str, labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut full = name.to_owned();
    for (at, (label, value)) in labels.enumerate() {
        let end = value.floor_char_boundary(MOST_VALUE);
        // What ends a label in this form has to be another text in a value.
        let value = value.get(..end).unwrap_or(value).replace(";.;", ";_;");
        // Writing to a string cannot fail.
        let _ = write!(full, "{}{label}=.={value};.;", if at == 0 { "." } else { "" });
    }
    full
}
