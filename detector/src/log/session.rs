//! Sessions: the lines of one request, block or trace, judged when the session has ended.

use std::hash::BuildHasherDefault;

use lru::LruCache;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::event::Timestamp;
use crate::keys::KeyHasher;
use crate::series::{MAX_LABEL_BYTES, WRONG_CLOCK};
use crate::threshold::{PRIOR_EVENTS, Tail};

/// The sessions that are open, and what normal ones look like: which template follows which.
///
/// A session is as strange as its rarest step, counted in sessions that have it; the idea of n-grams of system
/// events is that of Forrest et al. (1996), and Landauer et al. (FSE 2024) found it to be hard to beat on logs.
#[derive(Debug)]
pub(crate) struct Sessions {
    open: LruCache<u64, Session, BuildHasherDefault<KeyHasher>>,
    /// In how many sessions each step was seen.
    steps: LruCache<u64, u32, BuildHasherDefault<KeyHasher>>,
    seen: f64,
    tail: Tail,
    max: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Session {
    name: String,
    last_template: u64,
    last_time: Timestamp,
    steps: Vec<u64>,
}

/// A session that has ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    pub(crate) name: String,
    pub(crate) surprise: f64,
    pub(crate) anomalous: bool,
}

/// A session is over when nothing came for so long, in seconds.
const TIMEOUT: f64 = 300.0;
/// Different steps that are kept of one session, and of all.
const MOST_STEPS: usize = 128;
pub(crate) const ALL_STEPS: usize = 65_536;
/// One normal session in so many may be called anomalous: sessions are counted, not timed.
const FALSE_ALARM: f64 = 1_000.0;
/// Before so many sessions were seen, every step is new.
const FIRST_SESSIONS: f64 = 30.0;

impl Sessions {
    pub(crate) fn new(max: usize) -> Self {
        Sessions {
            open: LruCache::unbounded_with_hasher(BuildHasherDefault::default()),
            steps: LruCache::unbounded_with_hasher(BuildHasherDefault::default()),
            seen: 0.0,
            tail: Tail::new(2.0, PRIOR_EVENTS),
            max,
        }
    }

    /// A line of a session. Where there are too many, the session that was quiet for longest ends.
    pub(crate) fn observe(&mut self, name: &str, template: u64, now: Timestamp) -> Option<Ended> {
        let key = xxh3_64(name.as_bytes());
        if let Some(session) = self.open.get_mut(&key) {
            session.step(template);
            session.last_time = session.last_time.max(now);
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
            last_template: 0,
            last_time: now,
            steps: Vec::new(),
        };
        session.step(template);
        self.open.put(key, session);
        evicted.map(|(_, session)| self.judge(session))
    }

    /// A session that has timed out by `now`, if there is one.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Option<Ended> {
        let (_, oldest) = self.open.peek_lru()?;
        let quiet = now.seconds_since(oldest.last_time);
        if (-WRONG_CLOCK..TIMEOUT).contains(&quiet) {
            return None;
        }
        self.finish()
    }

    /// Ends the session that was quiet for longest.
    pub(crate) fn finish(&mut self) -> Option<Ended> {
        let (_, session) = self.open.pop_lru()?;
        Some(self.judge(session))
    }

    fn judge(&mut self, mut session: Session) -> Ended {
        // How a session ends is a step, too.
        session.step(u64::MAX);
        let (mut rarest, mut unseen) = (0.0_f64, 0.0);
        for step in &session.steps {
            let count = f64::from(self.steps.peek(step).copied().unwrap_or(0));
            unseen += f64::from(u8::from(count == 0.0));
            rarest = rarest.max(-libm::log10((count + 0.5) / (self.seen + 1.0)));
        }
        let nominal = (rarest + libm::log10(1.0 + unseen)).max(0.0);
        let surprise = if self.seen < FIRST_SESSIONS {
            0.0
        } else {
            self.tail.surprise(nominal)
        };
        let anomalous = surprise >= libm::log10(FALSE_ALARM);
        // What is anomalous does not become normal by being seen.
        if !anomalous {
            self.seen += 1.0;
            if self.seen > FIRST_SESSIONS {
                self.tail.learn(nominal, 1.0);
            }
            for step in session.steps {
                match self.steps.get_mut(&step) {
                    Some(count) => *count = count.saturating_add(1),
                    None => {
                        if self.steps.len() >= ALL_STEPS {
                            self.steps.pop_lru();
                        }
                        self.steps.put(step, 1);
                    }
                }
            }
        }
        Ended {
            name: session.name,
            surprise,
            anomalous,
        }
    }
}

impl Session {
    fn step(&mut self, template: u64) {
        let mut bytes = [0; 16];
        let (from, to) = bytes.split_at_mut(8);
        from.copy_from_slice(&self.last_template.to_le_bytes());
        to.copy_from_slice(&template.to_le_bytes());
        let step = xxh3_64(&bytes);
        self.last_template = template;
        if self.steps.len() < MOST_STEPS && !self.steps.contains(&step) {
            self.steps.push(step);
        }
    }
}

/// The state as it is written: least recently used first, so that reading it restores the order.
#[derive(Serialize, Deserialize)]
struct State {
    open: Vec<(u64, Session)>,
    steps: Vec<(u64, u32)>,
    seen: f64,
    tail: Tail,
    max: u64,
}

impl Serialize for Sessions {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        State {
            open: self
                .open
                .iter()
                .rev()
                .map(|(key, session)| (*key, session.clone()))
                .collect(),
            steps: self.steps.iter().rev().map(|(step, count)| (*step, *count)).collect(),
            seen: self.seen,
            tail: self.tail.clone(),
            max: self.max as u64,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sessions {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let state = State::deserialize(deserializer)?;
        let mut sessions = Sessions::new(state.max as usize);
        for (key, session) in state.open {
            sessions.open.put(key, session);
        }
        for (step, count) in state.steps {
            sessions.steps.put(step, count);
        }
        sessions.seen = state.seen;
        sessions.tail = state.tail;
        Ok(sessions)
    }
}
