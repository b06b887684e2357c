//! What normal sessions look like, and how far from it one is.
//!
//! A session is described by what has to be changed in the normal session that it is most like: events that are added
//! or missing, counts of another order of magnitude, and steps from one event to the next that were never seen. Each
//! change costs decades of probability: at least one, and more where hardly a session has that event that often. What
//! never was in `n` sessions costs `log10(2n)`. The greatest cost counts in full; what else has changed may have the same
//! cause (a branch that is taken, an end that comes early) and adds the least. A new order is worth at least as much as it
//! is rare in this stream, and so as much as anything that never was where no session has one. That count vectors, new events and steps (bigrams) together are
//! hard to beat on logs is the finding of Landauer, Skopik and Wurzenberger (FSE 2024); steps of system events are those of
//! Forrest et al. (1996).
//!
//! What such a distance is worth is measured, as for any other model, by how far from the others normal sessions were. A
//! session that was strange when it came is so only as long as nothing like it comes again: the strangest ones are kept,
//! and compared with what came later, so that what is counted is the chance that the next one is like none (Good 1953).

mod merge;
mod state;
mod steps;

use serde::{Deserialize, Serialize};

use super::evidence::SessionEvidence;
use super::profile::{Difference, Profile, counts};
use super::{Session, Table, table};
use crate::config::Learning;
use crate::event::Timestamp;
use crate::number::Bounded;
use crate::order;
use crate::threshold::Tail;
use crate::verdict::Fingerprint;
pub(crate) use steps::ALL_STEPS;
use steps::{NEW_STEP, Steps, Taken, steps};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "state::State", into = "state::State")]
pub(super) struct Normal {
    /// Weight of the sessions seen.
    sessions: f64,
    events: Table<Event>,
    profiles: Table<Known>,
    steps: Steps,
    /// How far sessions were from those before, but for the exceptions.
    tail: Tail,
    /// The sessions that were farthest from all others, and still are.
    exceptions: Vec<Exception>,
    /// The share of sessions that were anomalous lately, and of those that were also unlike every other one.
    strange: f64,
    unlike: f64,
    /// Sessions by their longest pause: below 1 s, below 2 s, below 4 s and so on.
    pauses: [f64; PAUSES],
}

/// An event, which is a template.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Event {
    text: String,
    /// Weight of the sessions that have it, in all and by the size of its count, from 1 on.
    weight: f64,
    sizes: Vec<f64>,
}

/// A profile that sessions had.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Known {
    profile: Profile,
    weight: f64,
    past: Past,
}

/// How many sessions had something, whatever they weighed, and since when.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Past {
    seen: u32,
    since: Timestamp,
}

/// A session that was unlike all before.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Exception {
    profile: Profile,
    distance: f64,
    /// Its steps that were new, how many of them still are to all others, and what these count for.
    steps: Vec<u64>,
    new_steps: u32,
    alone: f64,
    weight: f64,
}

/// What is said of a session.
pub(super) struct Judged {
    pub(super) surprise: f64,
    pub(super) anomalous: bool,
    pub(super) evidence: Vec<SessionEvidence>,
}

/// How far a session is from the normal one that it is most like.
struct Nearest {
    distance: f64,
    /// The key of that one's profile.
    key: Option<u64>,
}

pub(crate) const ALL_EVENTS: usize = 4_096;
pub(crate) const ALL_PROFILES: usize = 1_024;
/// The last of them is beyond the time after which a session is over.
const PAUSES: usize = 10;
/// Sessions with longer pauses than that in which a session is taken to go on.
const LONGER: f64 = 0.05;
const MOST_EXCEPTIONS: usize = 32;
/// Of the text of an event, so many bytes are kept.
const MOST_TEXT: usize = 160;
/// So much of what is strange is told of a session.
const MOST_EVIDENCE: usize = 8;

/// One normal session in 1,000 may be called anomalous: sessions are counted, not timed. Surprise is known to about an
/// eighth of a decade, the grain in which it is measured, and what is so near to it is anomalous.
const THRESHOLD: f64 = 3.0 - 0.125;
/// Of fewer sessions than these, none is told from the others.
const FIRST_SESSIONS: f64 = 20.0;
/// What is assumed of distances weighs as much as so many sessions: one or two strange ones in a short history, which may
/// hold anomalies, are no proof that such are normal.
const ASSUMED: f32 = 5_000.0;
/// What any change costs at least, in decades.
const CHANGE: f64 = 1.0;
/// What sessions of this weight had is known. A little less than one, since weights are sums.
const KNOWN: f64 = 0.99;
/// What is just anomalous is learned with this weight, and what is more so with less: something that is a little
/// unusual becomes normal when it comes ten times, something that is very much so does not.
const SUSPECT: f64 = 0.1;
/// The share of anomalous sessions is that of about so many.
const LATELY: f64 = 100.0;
/// What more than this share of sessions do is normal, and so it is to be unlike every other session where more than that
/// share is.
const MOST: f64 = 0.5;
const MANY: f64 = 0.2;
/// What came so often, for so many seconds, is normal however strange it was: nobody has minded it for a week.
const OFTEN: u32 = 20;
const LONG: f64 = 7.0 * 86_400.0;
/// Exceptions are forgotten with so many sessions.
const MEMORY: f64 = 2_000.0;

impl Normal {
    pub(super) fn new() -> Self {
        Normal {
            sessions: 0.0,
            events: table(Vec::new()),
            profiles: table(Vec::new()),
            steps: Steps::new(),
            // A decade of cost is never worth more than a decade of surprise.
            tail: Tail::new(1.0, ASSUMED),
            exceptions: Vec::new(),
            strange: 0.0,
            unlike: 0.0,
            pauses: [0.0; PAUSES],
        }
    }

    /// Whether a session that has been quiet for so many seconds may go on, as far as the pauses of others tell.
    pub(super) fn may_go_on(&self, quiet: f64) -> bool {
        let mut longer = self.pauses.iter().sum::<f64>();
        let most = LONGER * longer;
        let mut pause = 1.0;
        for sessions in self.pauses {
            longer -= sessions;
            if longer <= most {
                break;
            }
            pause *= 2.0;
        }
        quiet < pause
    }

    /// Remembers what an event is called.
    pub(super) fn name(&mut self, event: u64, text: &str) {
        if self.events.get(&event).is_some() {
            return;
        }
        if self.events.len() >= ALL_EVENTS {
            self.events.pop_lru();
        }
        let text = text.get(..text.floor_char_boundary(MOST_TEXT)).unwrap_or(text);
        self.events.put(
            event,
            Event {
                text: text.to_owned(),
                weight: 0.0,
                sizes: Vec::new(),
            },
        );
    }

    /// Judges a session that has ended, then learns from it. Of one that is `unfinished`, what it has not is no evidence,
    /// and nothing is learned.
    pub(super) fn judge(&mut self, session: &Session, unfinished: bool, learning: Learning) -> Judged {
        let profile = Profile::new(&session.counts);
        let steps = steps(session, unfinished);
        let nearest = self.nearest(&profile, unfinished, KNOWN);
        let new = steps.iter().filter(|step| self.is_new(step)).collect::<Vec<_>>();
        let new_order = self.steps.cost(self.sessions, 0.0);
        let nominal = strangeness(nearest.distance, new.len(), new_order);
        let surprise = if self.sessions < FIRST_SESSIONS || nominal == 0.0 {
            0.0
        } else {
            self.calibrated().surprise(nominal)
        };
        let excess = surprise - THRESHOLD;
        let anomalous = excess >= 0.0;
        let judged = Judged {
            surprise,
            anomalous,
            evidence: if anomalous {
                self.evidence(session, &profile, &nearest, &new, unfinished)
            } else {
                Vec::new()
            },
        };
        if unfinished || learning == Learning::Frozen {
            return judged;
        }
        let pause = (self.pauses.iter_mut().enumerate())
            .find(|(place, _)| session.longest_gap < f64::from(1u32 << place) || *place == PAUSES - 1);
        if let Some((_, sessions)) = pause {
            *sessions += 1.0;
        }
        let unlike = anomalous && {
            let never = new.iter().filter(|step| !self.steps.has(step.key)).count();
            strangeness(self.nearest(&profile, false, 0.0).distance, never, new_order) >= THRESHOLD
        };
        let new = new.iter().map(|step| step.key).collect::<Vec<_>>();
        self.strange += (f64::from(u8::from(anomalous)) - self.strange) / LATELY;
        self.unlike += (f64::from(u8::from(unlike)) - self.unlike) / LATELY;
        let key = profile.key();
        let weight = match learning {
            Learning::Guarded if anomalous && !self.is_usual(key, &new, session.last_time, unlike) => {
                SUSPECT * libm::pow(10.0, -excess)
            }
            _ => 1.0,
        };
        let singular = self.profiles.peek(&key).is_none_or(|known| known.weight < 2.0)
            || steps.iter().any(|step| self.steps.weight(step.key) < 2.0);
        self.learn(&profile, key, session.last_time, weight);
        self.steps.learn(&steps, &new, session.last_time, weight);
        let exception = (nominal > 0.0).then(|| Exception {
            profile: profile.clone(),
            distance: nearest.distance,
            new_steps: new.len() as u32,
            alone: if new.is_empty() { 0.0 } else { weight },
            steps: new,
            weight,
        });
        if singular {
            self.compare_again(&profile, weight);
        }
        self.calibrate(exception, weight);
        judged
    }

    #[cfg(test)]
    /// How many events, profiles, steps and exceptions are kept.
    pub(super) fn sizes(&self) -> (usize, usize, usize, usize) {
        let Normal {
            events,
            profiles,
            steps,
            exceptions,
            ..
        } = self;
        (events.len(), profiles.len(), steps.len(), exceptions.len())
    }

    /// The nearest of the profiles that sessions of at least this weight had.
    fn nearest(&self, profile: &Profile, unfinished: bool, weight: f64) -> Nearest {
        let key = profile.key();
        if self.profiles.peek(&key).is_some_and(|known| known.weight >= weight) {
            return Nearest {
                distance: 0.0,
                key: Some(key),
            };
        }
        let mut nearest = Nearest {
            distance: f64::INFINITY,
            key: None,
        };
        for (key, known) in &self.profiles {
            if known.weight >= weight {
                let distance = self.distance(profile, &known.profile, unfinished, nearest.distance);
                if distance < nearest.distance {
                    nearest = Nearest {
                        distance,
                        key: Some(*key),
                    };
                }
            }
        }
        if nearest.key.is_none() {
            nearest.distance = 0.0;
        }
        nearest
    }

    /// What it costs to make one profile of another one, as far as it is less than `most`.
    fn distance(&self, profile: &Profile, other: &Profile, unfinished: bool, most: f64) -> f64 {
        let (mut greatest, mut others) = (0.0, 0.0);
        for difference in profile.differences(other) {
            let cost = self.cost(&difference, unfinished);
            if cost == 0.0 {
                continue;
            }
            if greatest > 0.0 {
                others += CHANGE;
            }
            greatest = cost.at_least(greatest);
            if greatest + others >= most {
                break;
            }
        }
        greatest + others
    }

    fn cost(&self, difference: &Difference, unfinished: bool) -> f64 {
        let Difference { event, here, there } = *difference;
        if unfinished && here < there {
            return 0.0;
        }
        let rare = 0.0 - libm::log10(self.share(event, here));
        let cost = if here > 0 && there > 0 {
            rare.at_most(f64::from(here.abs_diff(there)))
        } else {
            rare
        };
        cost.at_least(CHANGE)
    }

    /// The share of sessions that have an event so often.
    fn share(&self, event: u64, size: u8) -> f64 {
        let known = self.events.peek(&event);
        let weight = match size.checked_sub(1) {
            None => self.sessions - known.map_or(0.0, |event| event.weight),
            Some(place) => known.map_or(0.0, |event| event.sizes.get(usize::from(place)).copied().unwrap_or(0.0)),
        };
        ((weight.at_least(0.0) + 0.5) / (self.sessions + 1.0)).at_most(1.0)
    }

    /// Whether a step is new although what it joins is known: otherwise it says nothing that its events do not.
    fn is_new(&self, step: &Taken) -> bool {
        let known = |event: Option<u64>| {
            event.is_none_or(|event| self.events.peek(&event).is_some_and(|event| event.weight >= KNOWN))
        };
        known(step.from) && known(step.to) && self.steps.weight(step.key) < KNOWN
    }

    /// Whether what looks anomalous is how sessions are: most of them, or each in its own way, or for long.
    fn is_usual(&self, key: u64, new: &[u64], now: Timestamp, unlike: bool) -> bool {
        let long = self.profiles.peek(&key).is_some_and(|known| known.past.is_long(now))
            && new.iter().all(|step| self.steps.is_long(*step, now));
        long || self.strange > MOST || unlike && self.unlike > MANY
    }

    /// How far normal sessions are from the others.
    fn calibrated(&self) -> Tail {
        let mut tail = self.tail.clone();
        for exception in &self.exceptions {
            tail.learn(self.nominal(exception), exception.weight);
        }
        tail
    }

    /// How strange an exception is, beside all other sessions.
    fn nominal(&self, exception: &Exception) -> f64 {
        let new_order = self.steps.cost(self.sessions, exception.alone);
        strangeness(exception.distance, exception.new_steps as usize, new_order)
    }

    fn learn(&mut self, profile: &Profile, key: u64, now: Timestamp, weight: f64) {
        self.sessions += weight;
        for (event, size) in &profile.0 {
            if let Some(event) = self.events.get_mut(event) {
                event.weight += weight;
                let place = usize::from(size.saturating_sub(1));
                if event.sizes.len() <= place {
                    event.sizes.resize(place + 1, 0.0);
                }
                if let Some(sum) = event.sizes.get_mut(place) {
                    *sum += weight;
                }
            }
        }
        match self.profiles.get_mut(&key) {
            Some(known) => {
                known.weight += weight;
                known.past.again();
            }
            None => {
                if self.profiles.len() >= ALL_PROFILES {
                    self.profiles.pop_lru();
                }
                self.profiles.put(
                    key,
                    Known {
                        profile: profile.clone(),
                        weight,
                        past: Past::new(now),
                    },
                );
            }
        }
    }

    /// Exceptions are none any longer when something like them has come.
    fn compare_again(&mut self, profile: &Profile, weight: f64) {
        let mut exceptions = std::mem::take(&mut self.exceptions);
        exceptions.retain_mut(|exception| {
            if weight >= KNOWN {
                let distance = self.distance(&exception.profile, profile, false, exception.distance);
                exception.distance = exception.distance.at_most(distance);
            }
            let alone = |step: &&u64| self.steps.weight(**step) - exception.weight < KNOWN;
            exception.new_steps = exception.steps.iter().filter(alone).count() as u32;
            exception.alone = exception
                .steps
                .iter()
                .filter(alone)
                .map(|step| self.steps.alone(*step))
                .sum();
            let stays = self.nominal(exception) > 0.0;
            if !stays {
                self.tail.learn(0.0, exception.weight);
            }
            stays
        });
        self.exceptions = exceptions;
    }

    fn calibrate(&mut self, exception: Option<Exception>, weight: f64) {
        if self.sessions > MEMORY {
            self.exceptions
                .iter_mut()
                .for_each(|exception| exception.weight *= 1.0 - 1.0 / MEMORY);
        }
        let Some(exception) = exception else {
            self.tail.learn(0.0, weight);
            return;
        };
        self.exceptions.push(exception);
        if self.exceptions.len() <= MOST_EXCEPTIONS {
            return;
        }
        let strange = (self.exceptions.iter().enumerate()).map(|(place, exception)| (place, self.nominal(exception)));
        if let Some((least, nominal)) = strange.min_by(|(_, a), (_, b)| a.total_cmp(b)) {
            let least = self.exceptions.remove(least);
            self.tail.learn(nominal, least.weight);
        }
    }

    /// What sets a session apart, the strangest first.
    fn evidence(
        &self,
        session: &Session,
        profile: &Profile,
        nearest: &Nearest,
        new: &[&Taken],
        unfinished: bool,
    ) -> Vec<SessionEvidence> {
        let like = nearest.key.and_then(|key| self.profiles.peek(&key));
        let nothing = Profile::default();
        let like = like.map_or(&nothing, |known| &known.profile);
        let mut evidence = Vec::new();
        for difference in profile.differences(like) {
            let surprise = self.cost(&difference, unfinished);
            let Difference { event, here, there } = difference;
            if surprise == 0.0 {
                continue;
            }
            let template = self.text(event);
            let template_id = Fingerprint(event);
            let count = session.count(event);
            let share = self.share(event, here);
            let known = self.events.peek(&event).is_some_and(|event| event.weight >= KNOWN);
            evidence.push(if here == 0 {
                SessionEvidence::MissingEvent {
                    template,
                    template_id,
                    usual: counts(there),
                    share,
                    surprise,
                }
            } else if known {
                SessionEvidence::UnusualCount {
                    template,
                    template_id,
                    count,
                    usual: counts(there),
                    share,
                    surprise,
                }
            } else {
                SessionEvidence::UnseenEvent {
                    template,
                    template_id,
                    count,
                    surprise,
                }
            });
        }
        // The first one stands for what the new order adds where it is stranger than all the rest.
        let rest = nearest.distance + NEW_STEP * (new.len() as f64 - 1.0);
        let first = (self.steps.cost(self.sessions, 0.0) - rest).at_least(NEW_STEP);
        let costs = std::iter::once(first).chain(std::iter::repeat(NEW_STEP));
        evidence.extend(
            new.iter()
                .zip(costs)
                .map(|(step, surprise)| SessionEvidence::UnseenStep {
                    after: step.from.map(|event| self.text(event)),
                    template: step.to.map(|event| self.text(event)),
                    surprise,
                }),
        );
        order::sort_by_key(&mut evidence, |evidence| order::falling(evidence.surprise()));
        evidence.truncate(MOST_EVIDENCE);
        evidence
    }

    fn text(&self, event: u64) -> String {
        self.events
            .peek(&event)
            .map_or_else(String::new, |event| event.text.clone())
    }
}

impl Past {
    fn new(now: Timestamp) -> Self {
        Past { seen: 1, since: now }
    }

    fn again(&mut self) {
        self.seen = self.seen.saturating_add(1);
    }

    /// Whether it came so often for so long that somebody would have minded.
    fn is_long(&self, now: Timestamp) -> bool {
        self.seen >= OFTEN && now.seconds_since(self.since) >= LONG
    }

    fn join(&mut self, other: Past) {
        self.seen = self.seen.saturating_add(other.seen);
        self.since = self.since.min(other.since);
    }
}

impl Session {
    fn count(&self, event: u64) -> u32 {
        self.counts
            .iter()
            .find(|(known, _)| *known == event)
            .map_or(0, |(_, count)| *count)
    }
}

/// What changes claim together, in decades: no less than having a `new_order` at all does, where there are new steps.
/// Beyond five decades more is hardly stranger, and nothing claims more than nine: as far as it can be measured how often
/// that is reached.
fn strangeness(distance: f64, new_steps: usize, new_order: f64) -> f64 {
    let mut sum = distance + NEW_STEP * new_steps as f64;
    if new_steps > 0 {
        sum = sum.at_least(new_order);
    }
    if sum <= 5.0 { sum } else { 9.0 - 20.0 / sum }
}
