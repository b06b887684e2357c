//! Numbers for subjects, series and groups, so that columns can refer to them, and what the numbers mean.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use watchpost_detector::{Group, Subject, unit};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Has no number: there are too many of its kind.
pub(crate) const NONE: u32 = u32::MAX;

const MOST_SUBJECTS: usize = 10_000;
const MOST_SERIES: usize = 20_000;
const MOST_GROUPS: usize = 20_000;

/// All that has a number.
#[derive(Debug, Default)]
pub(crate) struct Names {
    by_key: HashMap<u64, u32>,
    subjects: Vec<Metrics>,
    /// By a hash of the metric's name, seeded with the subject.
    by_metric: HashMap<u64, u32>,
    by_group: HashMap<(u32, u64), u32>,
    texts: Vec<Text>,
    new: News,
    changed: Vec<u32>,
}

/// The metrics of a subject in the order in which they came first, which is mostly that in which they come again.
#[derive(Debug, Default)]
struct Metrics {
    series: Vec<(Box<str>, u32)>,
    next: usize,
}

/// The text of a template or a route.
#[derive(Debug)]
struct Text {
    subject: u32,
    kind: &'static str,
    text: Box<str>,
    is_news: bool,
}

/// What is new.
#[derive(Debug, Default, Serialize)]
pub(crate) struct News {
    subjects: Vec<NewSubject>,
    series: Vec<NewSeries>,
    groups: Vec<NewGroup>,
}

#[derive(Debug, Serialize)]
struct NewSubject {
    index: u32,
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct NewSeries {
    index: u32,
    subject: u32,
    metric: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct NewGroup {
    index: u32,
    subject: u32,
    kind: &'static str,
    text: String,
}

impl Names {
    /// The number of a subject.
    pub(crate) fn subject(&mut self, subject: &Subject<'_>) -> u32 {
        let key = subject.key();
        if let Some(index) = self.by_key.get(&key) {
            return *index;
        }
        if self.subjects.len() >= MOST_SUBJECTS {
            return NONE;
        }
        let index = self.subjects.len() as u32;
        let labels = subject.labels().iter();
        let labels = labels.map(|label| (label.name.to_owned(), label.value.to_owned()));
        self.new.subjects.push(NewSubject {
            index,
            labels: labels.collect(),
        });
        self.subjects.push(Metrics::default());
        self.by_key.insert(key, index);
        index
    }

    /// The number of a metric of a subject, if there is one more.
    pub(crate) fn series(&mut self, subject: u32, metric: &str) -> Option<u32> {
        let metrics = self.subjects.get_mut(subject as usize)?;
        let at = std::mem::take(&mut metrics.next);
        if let Some((_, index)) = metrics.series.get(at).filter(|(name, _)| **name == *metric) {
            metrics.next = (at + 1) % metrics.series.len();
            return Some(*index);
        }
        let key = xxh3_64_with_seed(metric.as_bytes(), u64::from(subject));
        if let Some(index) = self.by_metric.get(&key) {
            // Where it stood in the order is looked up no further: the next one begins from the first again.
            return Some(*index);
        }
        let count = self.by_metric.len();
        if count >= MOST_SERIES {
            return None;
        }
        let index = count as u32;
        self.by_metric.insert(key, index);
        metrics.series.push((metric.into(), index));
        self.new.series.push(NewSeries {
            index,
            subject,
            metric: metric.to_owned(),
            unit: unit(metric),
        });
        Some(index)
    }

    /// The number of a template or a route of a subject.
    pub(crate) fn group(&mut self, subject: u32, group: Group<'_>) -> u32 {
        let key = match group {
            Group::Template { id, .. } => id,
            Group::Route { method, route } => {
                let method = xxh3_64_with_seed(method.unwrap_or_default().as_bytes(), 1);
                xxh3_64_with_seed(route.as_bytes(), method)
            }
        };
        if let Some(index) = self.by_group.get(&(subject, key)) {
            // A template becomes more general with time.
            if let Group::Template { text, .. } = group
                && let Some(known) = self.texts.get_mut(*index as usize)
                && *known.text != *text
            {
                known.text = text.into();
                if !std::mem::replace(&mut known.is_news, true) {
                    self.changed.push(*index);
                }
            }
            return *index;
        }
        if self.texts.len() >= MOST_GROUPS {
            return NONE;
        }
        let index = self.texts.len() as u32;
        let (kind, text) = match group {
            Group::Template { text, .. } => ("template", text.into()),
            Group::Route { method, route } => ("route", route_text(method, route).into_boxed_str()),
        };
        self.texts.push(Text {
            subject,
            kind,
            text,
            is_news: true,
        });
        self.by_group.insert((subject, key), index);
        self.changed.push(index);
        index
    }

    /// What is new since the last time.
    pub(crate) fn take(&mut self) -> News {
        let mut new = std::mem::take(&mut self.new);
        for index in self.changed.drain(..) {
            if let Some(known) = self.texts.get_mut(index as usize) {
                known.is_news = false;
                new.groups.push(NewGroup {
                    index,
                    subject: known.subject,
                    kind: known.kind,
                    text: known.text.clone().into_string(),
                });
            }
        }
        new
    }
}

/// Some logs name their routes with the method.
fn route_text(method: Option<&str>, route: &str) -> String {
    match method {
        Some(method) if !route.starts_with(method) => format!("{method} {route}"),
        _ => route.to_owned(),
    }
}
