//! Sessions: the lines of one request, block or trace, judged together when the session has ended.

mod evidence;
mod found;
mod normal;
mod profile;
#[cfg(test)]
mod tests;

use std::hash::BuildHasherDefault;

use lru::LruCache;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::config::Learning;
use crate::event::Timestamp;
use crate::keys::KeyHasher;
use crate::number::Bounded;
use crate::series::{MAX_LABEL_BYTES, WRONG_CLOCK};
pub use evidence::SessionEvidence;
pub(crate) use found::session_in;
use normal::Normal;
pub(crate) use normal::{ALL_EVENTS, ALL_PROFILES, ALL_STEPS};

/// The sessions that are open, and what normal ones look like.
#[derive(Debug)]
pub(crate) struct Sessions {
    open: Table<Session>,
    /// Those found in texts that have ended: what comes late belongs to nothing.
    ended: Table<()>,
    normal: Normal,
    max: usize,
    /// Sessions that were ended since there were too many.
    pub(crate) evicted: u64,
}

/// Where the name of a session is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// A field of the record.
    Given,
    /// The text: whether several lines share it has to be seen.
    Found,
}

/// A table that is walked in the order of use.
type Table<T> = LruCache<u64, T, BuildHasherDefault<KeyHasher>>;

/// What is known of a session: how often it had which event, and which step from one to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Session {
    name: String,
    origin: Origin,
    last_time: Timestamp,
    /// The longest time between two of its lines, in seconds.
    longest_gap: f64,
    lines: u64,
    /// Events, which are identities of templates, in the order in which they came first, and how often each came.
    counts: Vec<(u64, u32)>,
    /// Places in `counts`, one after the other in time.
    steps: Vec<(u8, u8)>,
    /// The place of the last event.
    last: u8,
}

/// A session that has ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    pub(crate) name: String,
    pub(crate) lines: u64,
    pub(crate) unfinished: bool,
    pub(crate) surprise: f64,
    pub(crate) anomalous: bool,
    pub(crate) evidence: Vec<SessionEvidence>,
}

/// A session is over when nothing came for so long, in seconds.
const TIMEOUT: f64 = 300.0;
/// Different events and steps that are kept of one session.
const MOST_EVENTS: usize = 64;
const MOST_STEPS: usize = 128;
/// In place of an event: the first one beyond those that are kept, what is before the first, and after the last one.
const OTHER: u8 = u8::MAX - 2;
const START: u8 = u8::MAX - 1;
const END: u8 = u8::MAX;

impl Sessions {
    pub(crate) fn new(max: usize) -> Self {
        Sessions {
            open: table(Vec::new()),
            ended: table(Vec::new()),
            normal: Normal::new(),
            max,
            evicted: 0,
        }
    }

    /// A line of a session, of this template. Where there are too many, the session that was quiet for longest ends.
    pub(crate) fn observe(
        &mut self,
        (name, origin): (&str, Origin),
        (template, text): (u64, &str),
        now: Timestamp,
        learning: Learning,
    ) -> Option<Ended> {
        self.normal.name(template, text);
        let key = xxh3_64(name.as_bytes());
        if let Some(session) = self.open.get_mut(&key) {
            session.line(template);
            session.longest_gap = now.seconds_since(session.last_time).at_least(session.longest_gap);
            session.last_time = session.last_time.max(now);
            return None;
        }
        if origin == Origin::Found && self.ended.contains(&key) {
            return None;
        }
        let evicted = if self.open.len() >= self.max {
            self.open.pop_lru()
        } else {
            None
        };
        let mut session = Session {
            name: name
                .get(..name.floor_char_boundary(MAX_LABEL_BYTES))
                .unwrap_or(name)
                .to_owned(),
            origin,
            last_time: now,
            longest_gap: 0.0,
            lines: 0,
            counts: Vec::new(),
            steps: Vec::new(),
            last: START,
        };
        session.line(template);
        self.open.put(key, session);
        let (key, session) = evicted?;
        self.evicted += 1;
        let unfinished = self.normal.may_go_on(now.seconds_since(session.last_time));
        self.end(key, session, unfinished, learning)
    }

    /// A session that has timed out by `now`, if there is one.
    pub(crate) fn expire(&mut self, now: Timestamp, learning: Learning) -> Option<Ended> {
        loop {
            let (_, oldest) = self.open.peek_lru()?;
            let quiet = now.seconds_since(oldest.last_time);
            if (-WRONG_CLOCK..TIMEOUT).contains(&quiet) {
                return None;
            }
            let (key, session) = self.open.pop_lru()?;
            if let Some(ended) = self.end(key, session, false, learning) {
                return Some(ended);
            }
        }
    }

    /// Ends the session that was quiet for longest, as far as it has come.
    pub(crate) fn finish(&mut self, learning: Learning) -> Option<Ended> {
        loop {
            let now = self.open.peek_mru()?.1.last_time;
            let (key, session) = self.open.pop_lru()?;
            let unfinished = self.normal.may_go_on(now.seconds_since(session.last_time));
            if let Some(ended) = self.end(key, session, unfinished, learning) {
                return Some(ended);
            }
        }
    }

    /// A template was found to be the same as an older one: what was known of it is known of that one.
    pub(crate) fn merge(&mut self, younger: u64, older: u64) {
        if self.normal.merge(younger, older) {
            for (_, session) in &mut self.open {
                session.merge(younger, older);
            }
        }
    }

    /// Nothing is said of a line that turned out to be alone.
    fn end(&mut self, key: u64, session: Session, unfinished: bool, learning: Learning) -> Option<Ended> {
        if session.origin == Origin::Found {
            if session.lines < 2 {
                return None;
            }
            if self.ended.len() >= self.max {
                self.ended.pop_lru();
            }
            self.ended.put(key, ());
        }
        let judged = self.normal.judge(&session, unfinished, learning);
        Some(Ended {
            name: session.name,
            lines: session.lines,
            unfinished,
            surprise: judged.surprise,
            anomalous: judged.anomalous,
            evidence: judged.evidence,
        })
    }
}

impl Session {
    fn line(&mut self, template: u64) {
        self.lines = self.lines.saturating_add(1);
        let place = match self.counts.iter().position(|(event, _)| *event == template) {
            Some(place) => {
                if let Some((_, count)) = self.counts.get_mut(place) {
                    *count = count.saturating_add(1);
                }
                place as u8
            }
            None if self.counts.len() < MOST_EVENTS => {
                self.counts.push((template, 1));
                (self.counts.len() - 1) as u8
            }
            None => OTHER,
        };
        self.step(place);
    }

    fn step(&mut self, to: u8) {
        let step = (self.last, to);
        self.last = to;
        if self.steps.len() < MOST_STEPS && !self.steps.contains(&step) {
            self.steps.push(step);
        }
    }

    /// The event at a place, where there is one.
    fn event(&self, place: u8) -> Option<u64> {
        self.counts.get(usize::from(place)).map(|(event, _)| *event)
    }

    fn merge(&mut self, younger: u64, older: u64) {
        let place = |event| self.counts.iter().position(|(known, _)| *known == event);
        let Some(from) = place(younger) else {
            return;
        };
        let Some(to) = place(older) else {
            if let Some((event, _)) = self.counts.get_mut(from) {
                *event = older;
            }
            return;
        };
        let (_, count) = self.counts.remove(from);
        let moved = |place: u8| match usize::from(place) {
            special if special >= MOST_EVENTS => place,
            place => {
                let place = if place == from { to } else { place };
                (place - usize::from(place > from)) as u8
            }
        };
        if let Some((_, sum)) = self.counts.get_mut(usize::from(moved(to as u8))) {
            *sum = sum.saturating_add(count);
        }
        self.last = moved(self.last);
        for (from, to) in std::mem::take(&mut self.steps) {
            let step = (moved(from), moved(to));
            if !self.steps.contains(&step) {
                self.steps.push(step);
            }
        }
    }
}

/// The state as it is written: least recently used first, so that reading it restores the order.
#[derive(Serialize, Deserialize)]
struct State {
    open: Vec<(u64, Session)>,
    ended: Vec<(u64, ())>,
    normal: Normal,
    max: u64,
    evicted: u64,
}

impl Serialize for Sessions {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        State {
            open: in_order(&self.open),
            ended: in_order(&self.ended),
            normal: self.normal.clone(),
            max: self.max as u64,
            evicted: self.evicted,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sessions {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let state = State::deserialize(deserializer)?;
        Ok(Sessions {
            open: table(state.open),
            ended: table(state.ended),
            normal: state.normal,
            max: state.max as usize,
            evicted: state.evicted,
        })
    }
}

/// What a table holds, least recently used first.
fn in_order<T: Clone>(table: &Table<T>) -> Vec<(u64, T)> {
    table.iter().rev().map(|(key, value)| (*key, value.clone())).collect()
}

fn table<T>(entries: Vec<(u64, T)>) -> Table<T> {
    let mut table = LruCache::unbounded_with_hasher(BuildHasherDefault::default());
    for (key, value) in entries {
        table.put(key, value);
    }
    table
}
