//! Kinds of lines that come regularly, so that it is noticed when one of them stops while its log goes on: a heartbeat, a
//! job that runs every hour, a checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::event::Timestamp;
use crate::number::Bounded;
use crate::series::Pulse;

/// The kinds of lines that have come often, and when each is to be looked at next.
///
/// A line that comes pushes nothing back in the queue: whether it was needed at all to look is seen when its turn comes.
/// So a line costs a look-up, and the queue a look at its first entry.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Awaited {
    /// By the fingerprint of their lines: a template of one log.
    kinds: BTreeMap<u64, Kind>,
    queue: BTreeSet<(Timestamp, u64)>,
}

/// One kind of lines in one log.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kind {
    /// The series of its log, and its template's identity.
    pub(crate) log: u64,
    pub(crate) template: u64,
    /// In the time in which the log itself has had lines: a pause of the whole log says nothing of one kind.
    pulse: Pulse,
    /// The times of its first and its last line, and how many gaps were between its lines and how long they were together,
    /// in seconds; those that were told are not counted.
    first: Timestamp,
    last: Timestamp,
    gaps: u32,
    seconds: f64,
    /// Its absence has been told.
    is_told: bool,
}

/// What is to be said of a kind of lines whose turn has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Look {
    /// It may be away for this time, but not much longer.
    Later(Timestamp),
    /// It has been away for longer than it was ever there.
    Forgotten,
    /// It has been away for so many seconds, and used to come every so many: that is so surprising.
    Away { surprise: f64, quiet: f64, usual: f64 },
}

/// So many kinds are awaited; when there are more, those that came later are not.
pub(crate) const MOST_AWAITED: usize = 1024;
/// A pause shorter than this is never called silence, in seconds, and neither is one of so many usual gaps.
const SHORTEST: f64 = 120.0;
const FEWEST_GAPS: f64 = 2.0;
/// Lines of a kind within so many seconds are one beat: what comes more often than that costs no more.
const SAME: f64 = 5.0;
/// Before a kind was there for a day nobody knows whether it sleeps at night. One that has been away for longer than it
/// was ever there is forgotten, but not within a day.
const DAY: f64 = 86_400.0;
/// What is away is looked at again after this share of the time that it has been away.
const AGAIN: f64 = 0.125;

impl Awaited {
    /// A line of a kind came, at this time and at this moment of its log's own time.
    pub(crate) fn came(&mut self, fingerprint: u64, log: u64, template: u64, time: Timestamp, lived: f64) {
        let is_full = self.kinds.len() >= MOST_AWAITED;
        let kind = match self.kinds.get_mut(&fingerprint) {
            Some(kind) => kind,
            None if is_full => return,
            None => {
                self.queue.insert((time.plus_seconds(SHORTEST), fingerprint));
                self.kinds.entry(fingerprint).or_insert_with(|| Kind {
                    log,
                    template,
                    pulse: Pulse::new(),
                    first: time,
                    last: time,
                    gaps: 0,
                    seconds: 0.0,
                    is_told: false,
                })
            }
        };
        let was_told = std::mem::take(&mut kind.is_told);
        let quiet = kind.pulse.quiet(lived);
        if was_told || quiet.is_none_or(|quiet| quiet >= SAME) {
            kind.pulse.beat(lived);
            kind.pulse.silent = false;
            kind.gaps = kind.gaps.saturating_add(u32::from(!was_told && quiet.is_some()));
        }
        // How often it comes is not told by the time for which it was away.
        if !was_told {
            kind.seconds += time.seconds_since(kind.last).at_least(0.0);
        }
        kind.last = kind.last.max(time);
    }

    /// Whether the turn of one has come.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.queue.first().is_some_and(|(due, _)| *due <= now)
    }

    /// Takes out of the queue what is due at this time.
    pub(crate) fn due(&mut self, now: Timestamp) -> Option<(u64, &mut Kind)> {
        if !self.is_due(now) {
            return None;
        }
        let (_, fingerprint) = self.queue.pop_first()?;
        self.kinds.get_mut(&fingerprint).map(|kind| (fingerprint, kind))
    }

    /// How many kinds are awaited: the most surprising of so many is what is told.
    pub(crate) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Looks at a kind again, at this time.
    pub(crate) fn look_at(&mut self, fingerprint: u64, time: Timestamp) {
        self.queue.insert((time, fingerprint));
    }

    pub(crate) fn forget(&mut self, fingerprint: u64) {
        self.kinds.remove(&fingerprint);
        self.queue.retain(|(_, queued)| *queued != fingerprint);
    }

    /// A template has become part of another one, and has no more lines of its own.
    pub(crate) fn forget_template(&mut self, template: u64) {
        let kinds = &mut self.kinds;
        kinds.retain(|_, kind| kind.template != template);
        self.queue.retain(|(_, queued)| kinds.contains_key(queued));
    }
}

impl Kind {
    /// What there is to say of it, among so many kinds, at this moment of its log's own time.
    pub(crate) fn look(&self, now: Timestamp, lived: f64, among: usize) -> Look {
        let away = now.seconds_since(self.last);
        let usual = self.usual();
        let least = SHORTEST.at_least(FEWEST_GAPS * usual);
        if away < least {
            return Look::Later(self.last.plus_seconds(least));
        }
        let known = self.last.seconds_since(self.first);
        if away > known.at_least(DAY) {
            return Look::Forgotten;
        }
        let quiet = self.pulse.quiet(lived).unwrap_or(0.0);
        if self.is_told || known < DAY || !self.pulse.is_regular() || quiet < SHORTEST {
            return Look::Later(now.plus_seconds(SHORTEST.at_least(AGAIN * away)));
        }
        let surprise = self.pulse.surprise(quiet) - libm::log10(among.max(1) as f64);
        Look::Away {
            surprise: surprise.at_least(0.0),
            quiet: away,
            usual,
        }
    }

    /// When it is to be looked at again if its absence is not surprising enough yet.
    pub(crate) fn again(now: Timestamp, quiet: f64) -> Timestamp {
        now.plus_seconds((AGAIN * quiet).at_least(1.0))
    }

    /// Its absence is surprising: it is told once, and its return is no measure of how often it comes.
    pub(crate) fn tell(&mut self) {
        self.is_told = true;
        self.pulse.silent = true;
    }

    /// The usual time between its lines, in seconds.
    fn usual(&self) -> f64 {
        self.seconds / f64::from(self.gaps.max(1))
    }
}

#[cfg(test)]
mod tests;
