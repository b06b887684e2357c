//! Which rows were flagged, and what was told of the episodes that they belong to.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use watchpost_detector::{Anomaly, Event, Fingerprint, Group, Phase, State, Subject, Verdict};

const MOST_ROWS: usize = 100_000;
const MOST_EPISODES: usize = 10_000;

/// What was told, and the rows that it was told of.
#[derive(Debug, Default)]
pub(crate) struct Episodes {
    rows: BTreeMap<u64, Flagged>,
    all: Vec<Episode>,
    /// By what it is about and when it began.
    by_onset: HashMap<(u64, i64), usize>,
    open: Vec<usize>,
    /// The one that began with the event that comes next.
    begun: Option<usize>,
}

#[derive(Debug)]
struct Flagged {
    surprise: f64,
    score: f64,
    onset: bool,
    episode: Option<usize>,
}

#[derive(Debug)]
struct Episode {
    fingerprint: Fingerprint,
    subject: BTreeMap<String, String>,
    /// As it was told last.
    line: Box<str>,
}

/// The verdict on a row.
#[derive(Debug, Serialize)]
struct Verdicted {
    row: u64,
    surprise: f64,
    score: f64,
    anomaly: bool,
    onset: bool,
}

impl Episodes {
    /// An anomaly is told, before the event that it is told with is seen.
    pub(crate) fn tell(&mut self, anomaly: &Anomaly, line: &[u8]) {
        if anomaly.phase == Phase::Near {
            // It has no rows.
            return;
        }
        let key = (anomaly.fingerprint.0, anomaly.timestamp.nanos());
        let index = match self.by_onset.get(&key) {
            Some(index) => *index,
            None if self.all.len() >= MOST_EPISODES => return,
            None => {
                self.all.push(Episode {
                    fingerprint: anomaly.fingerprint,
                    subject: anomaly.subject.clone(),
                    line: Box::default(),
                });
                let index = self.all.len() - 1;
                self.by_onset.insert(key, index);
                self.open.push(index);
                index
            }
        };
        if let (Some(episode), Ok(line)) = (self.all.get_mut(index), str::from_utf8(line)) {
            episode.line = line.trim_end().into();
        }
        match anomaly.phase {
            Phase::Onset => self.begun = Some(index),
            Phase::End | Phase::Open => self.open.retain(|open| *open != index),
            Phase::Worse | Phase::Near => {}
        }
    }

    /// An event is seen.
    pub(crate) fn see(&mut self, row: u64, event: &Event<'_>, verdict: &Verdict, group: Option<Group<'_>>) {
        let begun = self.begun.take();
        let State::Anomalous { onset } = verdict.state else {
            return;
        };
        let known = self.rows.get(&row);
        if known.is_some_and(|known| known.surprise >= verdict.surprise)
            || (known.is_none() && self.rows.len() >= MOST_ROWS)
        {
            return;
        }
        let flagged = Flagged {
            surprise: verdict.surprise,
            score: verdict.score(),
            onset,
            episode: self.of(event, verdict, group, begun.filter(|_| onset)),
        };
        self.rows.insert(row, flagged);
    }

    /// The episode that an event belongs to. Of requests it may be that of their upstream, their site or their client; and
    /// one that is told when a slot closes begins with whatever request comes next.
    fn of(
        &self,
        event: &Event<'_>,
        verdict: &Verdict,
        group: Option<Group<'_>>,
        begun: Option<usize>,
    ) -> Option<usize> {
        let open = || self.open.iter().rev().copied();
        let episode = |index: usize| self.all.get(index);
        open()
            .find(|index| episode(*index).is_some_and(|episode| episode.fingerprint == verdict.fingerprint))
            .or(begun)
            .or_else(|| open().find(|index| episode(*index).is_some_and(|episode| is_part(event, group, episode))))
    }

    /// What is known of a row, as JSON.
    pub(crate) fn explain(&self, row: f64) -> Option<String> {
        let row = (row >= 0.0).then_some(row as u64)?;
        let flagged = self.rows.get(&row)?;
        let verdict = Verdicted {
            row,
            surprise: flagged.surprise,
            score: flagged.score,
            anomaly: true,
            onset: flagged.onset,
        };
        let mut text = serde_json::to_string(&verdict).ok()?;
        if let Some(episode) = flagged.episode.and_then(|index| self.all.get(index)) {
            text.pop();
            text += ",\"told\":";
            text += &episode.line;
            text.push('}');
        }
        Some(text)
    }
}

/// Whether all that an episode says of its subject is true of this event.
fn is_part(event: &Event<'_>, group: Option<Group<'_>>, episode: &Episode) -> bool {
    let (subject, upstream, client) = match event {
        Event::Sample(sample) => (sample.subject, None, None),
        Event::Log(record) => (record.subject, None, None),
        Event::Request(request) => (request.subject, request.upstream, request.client),
    };
    let (method, route) = match group {
        Some(Group::Route { method, route }) => (method, Some(route)),
        Some(Group::Template { .. }) | None => (None, None),
    };
    episode.subject.iter().all(|(name, value)| {
        let value = Some(value.as_str());
        match name.as_str() {
            "upstream" if upstream == value => true,
            "client" if client == value => true,
            "method" if method == value => true,
            "route" if route == value => true,
            _ => label(&subject, name) == value,
        }
    })
}

fn label<'a>(subject: &Subject<'a>, name: &str) -> Option<&'a str> {
    let label = subject.labels().iter().find(|label| label.name == name)?;
    Some(label.value)
}
