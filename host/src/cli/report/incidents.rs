//! From the lines of several workers to incidents: all that is said of an episode is one, and what several workers saw at the
//! same time is one incident.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use watchpost_detector::{Anomaly, Fingerprint, Kind, Phase, Timestamp};

use super::lines::Voice;

/// Who said something: the log, without what rotation makes of its name, and the voice in it.
pub(super) type Witness = (usize, Voice);

/// An episode is open until nothing strange has come for so many seconds, …
const OPEN_AFTER: f64 = 600.0;
/// … and one whose end was never written for so many at most: by default, what lasts longer is accepted as normal.
const LONGEST: f64 = 3.0 * 3600.0;

/// What went on at a time, whoever saw it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Incident {
    #[serde(flatten)]
    pub(super) anomaly: Anomaly,
    /// How many workers raised the alarm.
    pub(super) workers: usize,
    /// How far it is beyond the threshold for the worker who found it strangest, in decades; infinite above a hard limit,
    /// which no budget has a say in.
    #[serde(skip)]
    pub(super) beyond: f64,
}

impl Incident {
    pub(super) fn is_near(&self) -> bool {
        self.anomaly.phase == Phase::Near
    }

    /// Whether the log tells how strange it became.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.anomaly.phase, Phase::End | Phase::Near)
    }
}

/// Every episode of which something was read.
#[derive(Debug, Default)]
pub(super) struct Episodes(BTreeMap<Identity, Said>);

type Identity = (Fingerprint, Timestamp, bool);

/// The lines about one episode. Slots of time end for all workers at once, so that several can begin an episode of the
/// same fingerprint at the same time.
#[derive(Debug, Default)]
struct Said {
    open: BTreeMap<Witness, Anomaly>,
    over: BTreeMap<Witness, Anomaly>,
}

/// One episode, of one worker or of several that are in step.
struct Episode {
    anomaly: Anomaly,
    witnesses: BTreeSet<Witness>,
    workers: usize,
}

impl Episodes {
    pub(super) fn add(&mut self, anomaly: Anomaly, witness: Witness) {
        let near = anomaly.phase == Phase::Near;
        let said = self
            .0
            .entry((anomaly.fingerprint, anomaly.timestamp, near))
            .or_default();
        let list = match anomaly.phase {
            Phase::Onset | Phase::Worse | Phase::Open => &mut said.open,
            Phase::End | Phase::Near => &mut said.over,
        };
        // A line that is there twice, as where two parts of a rotated log overlap, says nothing new.
        let latest = list.entry(witness).or_insert_with(|| anomaly.clone());
        if anomaly.events >= latest.events {
            *latest = anomaly;
        }
    }

    /// All incidents, in the order of their onsets.
    pub(super) fn into_incidents(self) -> Vec<Incident> {
        let mut of_fingerprint: BTreeMap<Fingerprint, Vec<Episode>> = BTreeMap::new();
        for ((fingerprint, ..), said) in self.0 {
            of_fingerprint
                .entry(fingerprint)
                .or_default()
                .extend(said.into_episode());
        }
        let mut incidents: Vec<Incident> = of_fingerprint.into_values().flat_map(together).collect();
        incidents.sort_by_key(|incident| (incident.anomaly.timestamp, incident.anomaly.fingerprint));
        incidents
    }
}

impl Said {
    fn into_episode(self) -> Option<Episode> {
        // A worker that was restarted goes on from its state under another name: its onset has one voice, and its end
        // another.
        let workers = self.open.len().max(self.over.len());
        let is_over = self.over.len() == workers;
        let witnesses: BTreeSet<Witness> = self.open.keys().chain(self.over.keys()).cloned().collect();
        let anomalies = if is_over {
            self.over.into_values().collect()
        } else {
            self.over.into_values().chain(self.open.into_values()).collect()
        };
        Some(Episode {
            anomaly: in_one(anomalies, is_over)?,
            witnesses,
            workers,
        })
    }
}

impl Episode {
    fn end(&self) -> Timestamp {
        self.anomaly.timestamp.plus_seconds(self.anomaly.seconds)
    }

    fn is_over(&self) -> bool {
        self.anomaly.phase != Phase::Open
    }

    fn shares(&self, other: &Episode) -> bool {
        !self.witnesses.is_disjoint(&other.witnesses)
    }
}

/// The incidents of one fingerprint, from its episodes in the order of time.
fn together(mut episodes: Vec<Episode>) -> Vec<Incident> {
    episodes.sort_by_key(|episode| episode.anomaly.timestamp);
    // What has no end is over at the latest when the same worker begins anew.
    let ends: Vec<Timestamp> = episodes
        .iter()
        .enumerate()
        .map(|(at, episode)| {
            if episode.is_over() {
                return episode.end();
            }
            let longest = episode.anomaly.timestamp.plus_seconds(LONGEST);
            let again = episodes.iter().skip(at + 1).find(|later| later.shares(episode));
            again.map_or(longest, |later| later.anomaly.timestamp.min(longest))
        })
        .collect();
    let mut groups: Vec<(Timestamp, Vec<Episode>)> = Vec::new();
    for (episode, end) in episodes.into_iter().zip(ends) {
        if let Some((last, group)) = groups.last_mut() {
            // Of one worker, one episode after another are two incidents, unless somebody else saw no end between them.
            let is_again = group.iter().any(|other| other.shares(&episode));
            let grace = if is_again { 0.0 } else { OPEN_AFTER };
            if episode.anomaly.timestamp < last.plus_seconds(grace) {
                *last = (*last).max(end);
                group.push(episode);
                continue;
            }
        }
        groups.push((end, vec![episode]));
    }
    groups.into_iter().filter_map(|(_, group)| incident(group)).collect()
}

fn incident(group: Vec<Episode>) -> Option<Incident> {
    let beyond = group.iter().map(|episode| beyond(&episode.anomaly));
    let beyond = beyond.fold(f64::NEG_INFINITY, f64::max);
    let has_alarm = group.iter().any(|episode| episode.anomaly.phase != Phase::Near);
    let told: Vec<Episode> = group
        .into_iter()
        .filter(|episode| !has_alarm || episode.anomaly.phase != Phase::Near)
        .collect();
    let is_over = told.iter().all(Episode::is_over);
    let in_step = told.iter().map(|episode| episode.workers).max()?;
    let apart: BTreeSet<&Witness> = told.iter().flat_map(|episode| episode.witnesses.iter()).collect();
    // One episode alone knows better how many there were: witnesses change their names.
    let workers = if told.len() == 1 { in_step } else { apart.len() };
    Some(Incident {
        anomaly: in_one(told.into_iter().map(|episode| episode.anomaly).collect(), is_over)?,
        workers,
        beyond,
    })
}

fn beyond(anomaly: &Anomaly) -> f64 {
    // What somebody has decreed depends on no threshold.
    if matches!(anomaly.kind, Kind::Rule | Kind::Pattern) {
        f64::INFINITY
    } else {
        anomaly.surprise - anomaly.threshold
    }
}

/// What several anomalies come to: the strangest one, from the first onset to the last end.
fn in_one(anomalies: Vec<Anomaly>, is_over: bool) -> Option<Anomaly> {
    let onset = anomalies.iter().map(|anomaly| anomaly.timestamp).min()?;
    let ends = anomalies
        .iter()
        .map(|anomaly| anomaly.timestamp.plus_seconds(anomaly.seconds));
    let end = ends.max()?;
    let events = anomalies.iter().map(|anomaly| anomaly.events).sum();
    let severity = anomalies.iter().map(|anomaly| anomaly.severity).max()?;
    let strangest = anomalies
        .into_iter()
        .reduce(|best, next| if next.surprise > best.surprise { next } else { best })?;
    let phase = match strangest.phase {
        Phase::Near => Phase::Near,
        _ if is_over => Phase::End,
        _ => Phase::Open,
    };
    Some(Anomaly {
        timestamp: onset,
        seconds: end.seconds_since(onset),
        events,
        severity,
        phase,
        ..strangest
    })
}

#[cfg(test)]
pub(crate) mod tests;
