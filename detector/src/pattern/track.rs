//! What is remembered for patterns: what was found, sequences that are open, and counts over time.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasherDefault;

use lru::LruCache;
use serde::{Deserialize, Serialize};

use super::compiled::FEW_LINES;
use crate::event::Timestamp;
use crate::keys::KeyHasher;
use crate::number::Bounded;
use crate::series::{MAX_LABEL_BYTES, WRONG_CLOCK};
use crate::verdict::{Fingerprint, Label};

/// Sequences, counts and pauses that are followed at once at most, over all patterns.
pub(crate) const MOST_TRACKS: usize = 10_000;

/// What a track needs at most and in ordinary use, in bytes: itself with its place in the table, which doubles when it is
/// full, and in the list of what is due; at most the longest text that it is about and the times of the lines of a rate,
/// usually one or the other of a few words.
pub(crate) const TRACK_BYTES: (u64, u64) = {
    const BLOCK: usize = 16;
    const SLOT: usize = 40;
    const DUE: usize = 2 * size_of::<(Timestamp, u64)>();
    const TIMES: usize = FEW_LINES as usize * size_of::<Timestamp>();
    let itself = size_of::<(u64, Track)>() + 2 * size_of::<usize>() + BLOCK + SLOT;
    let held = if TIMES > size_of::<Window>() {
        TIMES
    } else {
        size_of::<Window>()
    };
    let most = itself + DUE + MAX_LABEL_BYTES + held + 2 * BLOCK;
    (most as u64, (itself + DUE + 2 * BLOCK) as u64)
};

/// So many things are remembered with the patterns that found them, for what people say of them.
const MOST_REMEMBERED: usize = 1_000;
/// What two patterns found is told of both, and of more only of the first.
const MOST_OF_ONE: usize = 4;

/// What is remembered for patterns.
#[derive(Debug)]
pub(crate) struct PatternState {
    tallies: BTreeMap<u64, Tally>,
    tracks: LruCache<u64, Track, BuildHasherDefault<KeyHasher>>,
    /// When something is due of which track.
    due: BTreeSet<(Timestamp, u64)>,
    remembered: LruCache<u64, Vec<u64>, BuildHasherDefault<KeyHasher>>,
    since: Option<Timestamp>,
    /// Tracks that were dropped to stay within the bound.
    pub(crate) evicted: u64,
}

/// What was found of one pattern.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) matches: u64,
    pub(super) last: Option<Timestamp>,
    pub(super) fine: u64,
    pub(super) matters: u64,
}

/// What is followed for one pattern: of a subject, of a session, or of what lines hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Track {
    rule: u64,
    series: u64,
    about: Option<String>,
    due: Option<Timestamp>,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum What {
    /// The first line of a sequence has come.
    Open(Timestamp),
    /// The last line that is awaited again.
    Last(Timestamp),
    Times(Vec<Timestamp>),
    Window(Box<Window>),
    Beats(Beats),
}

/// Whose track it is.
pub(super) struct Whose<'a> {
    pub(super) key: u64,
    pub(super) rule: u64,
    pub(super) series: u64,
    pub(super) about: Option<&'a str>,
    pub(super) time: Timestamp,
}

/// A time that is over: of a sequence without its second line, or of lines that did not come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Overdue {
    pub(super) rule: u64,
    pub(crate) series: u64,
    pub(super) about: Option<String>,
    /// When it began, and when it was over.
    pub(super) since: Timestamp,
    pub(crate) due: Timestamp,
}

impl Default for PatternState {
    fn default() -> Self {
        PatternState {
            tallies: BTreeMap::new(),
            tracks: LruCache::unbounded_with_hasher(BuildHasherDefault::default()),
            due: BTreeSet::new(),
            remembered: LruCache::unbounded_with_hasher(BuildHasherDefault::default()),
            since: None,
            evicted: 0,
        }
    }
}

impl PatternState {
    /// Time before which nothing was seen at all is no time without matches.
    pub(super) fn begin(&mut self, time: Timestamp) {
        self.since.get_or_insert(time);
    }

    pub(super) fn count(&mut self, id: u64, about: Fingerprint, time: Timestamp) {
        let tally = self.tallies.entry(id).or_default();
        tally.matches += 1;
        tally.last = tally.last.max(Some(time));
        if let Some(known) = self.remembered.get_mut(&about.0) {
            if known.len() < MOST_OF_ONE && !known.contains(&id) {
                known.push(id);
            }
            return;
        }
        if self.remembered.len() >= MOST_REMEMBERED {
            self.remembered.pop_lru();
        }
        self.remembered.put(about.0, vec![id]);
    }

    /// A person has said something of what patterns have found, perhaps.
    pub(crate) fn answer(&mut self, about: Fingerprint, label: Label) {
        for id in self.remembered.peek(&about.0).into_iter().flatten() {
            let tally = self.tallies.entry(*id).or_default();
            match label {
                Label::Fine => tally.fine += 1,
                Label::Matters => tally.matters += 1,
            }
        }
    }

    pub(super) fn tally(&self, id: u64) -> Tally {
        self.tallies.get(&id).copied().unwrap_or_default()
    }

    /// What was counted of patterns that a configuration no longer has is forgotten.
    pub(super) fn keep(&mut self, is_known: impl Fn(u64) -> bool) {
        self.tallies.retain(|id, _| is_known(*id));
    }

    /// Whether anything may be over by now.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.due.first().is_some_and(|(due, _)| *due < now)
    }

    /// What is over by now, the oldest first. A sequence whose second line was to come has only become void.
    pub(crate) fn overdue(&mut self, now: Timestamp) -> Option<Overdue> {
        while self.is_due(now) {
            let (due, key) = self.due.pop_first()?;
            if let Some(track) = self.tracks.pop(&key)
                && let What::Open(since) | What::Last(since) = track.what
            {
                return Some(Overdue {
                    rule: track.rule,
                    series: track.series,
                    about: track.about,
                    since,
                    due,
                });
            }
        }
        None
    }

    /// The first line of a sequence: the sequence is over, one way or the other, after `within` seconds. Where the second
    /// line is the one to be missed, those that come first in the meantime wait with it; where it is the one to come,
    /// the last of them counts.
    pub(super) fn open(&mut self, whose: &Whose<'_>, within: f64, absent: bool) {
        if absent
            && matches!(
                self.tracks.get(&whose.key),
                Some(Track {
                    what: What::Open(_),
                    ..
                })
            )
        {
            return;
        }
        self.await_until(whose, within, What::Open(whose.time));
    }

    /// The second line: how long after the first one it came, if it belongs to one.
    pub(super) fn answered(&mut self, key: u64, time: Timestamp, within: f64) -> Option<f64> {
        let Some(What::Open(since)) = self.tracks.peek(&key).map(|track| &track.what) else {
            return None;
        };
        let elapsed = time.seconds_since(*since);
        if !(0.0..=within).contains(&elapsed) {
            return None;
        }
        let track = self.tracks.pop(&key)?;
        if let Some(due) = track.due {
            self.due.remove(&(due, key));
        }
        Some(elapsed)
    }

    /// A line whose absence is noticed after `within` seconds.
    pub(super) fn awaits(&mut self, whose: &Whose<'_>, within: f64) {
        self.await_until(whose, within, What::Last(whose.time));
    }

    fn await_until(&mut self, whose: &Whose<'_>, within: f64, what: What) {
        let due = whose.time.plus_seconds(within);
        let track = self.track(whose, || what.clone());
        let before = track.due.replace(due);
        track.what = what;
        track.series = whose.series;
        if let Some(before) = before {
            self.due.remove(&(before, whose.key));
        }
        self.due.insert((due, whose.key));
    }

    /// The last lines, up to so many: how many of them came within so many seconds.
    pub(super) fn recent(&mut self, whose: &Whose<'_>, most: usize, within: f64) -> usize {
        let track = self.track(whose, || What::Times(Vec::new()));
        let What::Times(times) = &mut track.what else {
            return 0;
        };
        if times.len() >= most {
            times.remove(0);
        }
        times.push(whose.time);
        let recent = |time: &&Timestamp| (0.0..=within).contains(&whose.time.seconds_since(**time));
        times.iter().filter(recent).count()
    }

    pub(super) fn window(&mut self, whose: &Whose<'_>, seconds: f64) -> Option<&mut Window> {
        let since = self.since.unwrap_or(whose.time);
        let track = self.track(whose, || {
            What::Window(Box::new(Window::new(since, whose.time, seconds)))
        });
        match &mut track.what {
            What::Window(window) => Some(window),
            _ => None,
        }
    }

    pub(super) fn beats(&mut self, whose: &Whose<'_>) -> Option<&mut Beats> {
        let track = self.track(whose, || {
            What::Beats(Beats {
                last: None,
                gap: 0.0,
                run: 0,
            })
        });
        match &mut track.what {
            What::Beats(beats) => Some(beats),
            _ => None,
        }
    }

    fn track(&mut self, whose: &Whose<'_>, what: impl FnOnce() -> What) -> &mut Track {
        if !self.tracks.contains(&whose.key)
            && self.tracks.len() >= MOST_TRACKS
            && let Some((key, track)) = self.tracks.pop_lru()
        {
            self.evicted += 1;
            if let Some(due) = track.due {
                self.due.remove(&(due, key));
            }
        }
        self.tracks.get_or_insert_mut(whose.key, || Track {
            rule: whose.rule,
            series: whose.series,
            about: whose.about.map(crate::series::shortened),
            due: None,
            what: what(),
        })
    }
}

/// Tenths of a window, and the one that is not over.
const TENTHS: usize = 11;
/// How many windows of the past make up what is usual: a day of windows of five minutes.
const USUAL_WINDOWS: f64 = 288.0;
/// So many windows have to be known before anything is more than usual.
const FIRST_WINDOWS: f64 = 3.0;
/// What is a spike is learned from a little, so that it becomes usual in the end.
const WEIGHT_OF_SPIKES: f64 = 0.1;

/// Lines, and a number that they hold, in tenths of a window; and how many there usually are in one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Window {
    began: Timestamp,
    latest: Timestamp,
    /// The tenth that is open, counted from the epoch, and the ten before it, the latest first.
    tenth: i64,
    counts: [u32; TENTHS],
    sums: [f64; TENTHS],
    /// When the window began that is counted for what is usual, and its lines so far.
    whole: Timestamp,
    lines: f64,
    usual: f64,
    windows: f64,
    /// Since when there are enough lines.
    enough_since: Option<Timestamp>,
}

impl Window {
    fn new(since: Timestamp, now: Timestamp, seconds: f64) -> Self {
        let before = (now.seconds_since(since) / seconds).at_least(0.0);
        Window {
            began: now,
            latest: now,
            tenth: tenth(now, seconds),
            counts: [0; TENTHS],
            sums: [0.0; TENTHS],
            whole: now,
            lines: 0.0,
            usual: 0.0,
            windows: libm::floor(before).at_most(USUAL_WINDOWS),
            enough_since: None,
        }
    }

    /// A line has come, with a number perhaps. Tells whether a tenth of the window was over before it.
    pub(super) fn add(&mut self, time: Timestamp, seconds: f64, number: Option<f64>) -> bool {
        let now = tenth(time, seconds);
        if time.seconds_since(self.latest) < -WRONG_CLOCK {
            *self = Window {
                usual: self.usual,
                windows: self.windows,
                ..Window::new(time, time, seconds)
            };
        }
        self.latest = self.latest.max(time);
        let passed = usize::try_from(now - self.tenth).unwrap_or(0);
        if passed > 0 {
            self.tenth = now;
            let kept = TENTHS.saturating_sub(passed);
            self.counts.copy_within(..kept, TENTHS - kept);
            self.sums.copy_within(..kept, TENTHS - kept);
            self.counts.iter_mut().take(passed).for_each(|count| *count = 0);
            self.sums.iter_mut().take(passed).for_each(|sum| *sum = 0.0);
        }
        if let Some(count) = self.counts.first_mut() {
            *count = count.saturating_add(1);
        }
        if let Some(sum) = self.sums.first_mut() {
            *sum += number.unwrap_or(0.0);
        }
        passed > 0
    }

    /// The lines of the last ten tenths.
    pub(super) fn count(&self) -> f64 {
        self.counts.iter().take(TENTHS - 1).map(|count| f64::from(*count)).sum()
    }

    /// How many lines are usual where there are now `factor` times as many, or more. Windows that are over are learned
    /// from first, unless nothing is to be learned.
    pub(super) fn spike(&mut self, time: Timestamp, seconds: f64, factor: f64, learns: bool) -> Option<f64> {
        let elapsed = time.seconds_since(self.whole);
        let over = libm::floor(elapsed / seconds).at_most(USUAL_WINDOWS);
        if over >= 1.0 {
            let mut lines = std::mem::take(&mut self.lines);
            let mut left = if learns { over } else { 0.0 };
            while left > 0.0 {
                self.windows = (self.windows + 1.0).at_most(USUAL_WINDOWS);
                let is_spike = self.windows > FIRST_WINDOWS && lines > factor * self.usual.at_least(1.0);
                let weight = if is_spike { WEIGHT_OF_SPIKES } else { 1.0 };
                self.usual += weight * (lines - self.usual) / self.windows;
                lines = 0.0;
                left -= 1.0;
            }
            self.whole = time;
        }
        self.lines += 1.0;
        (self.windows >= FIRST_WINDOWS && self.count() >= factor * self.usual).then_some(self.usual)
    }

    /// Whether there are so many lines, and have been for so long.
    pub(super) fn enough(&mut self, time: Timestamp, enough: bool, seconds: f64) -> bool {
        if !enough {
            self.enough_since = None;
            return false;
        }
        let since = *self.enough_since.get_or_insert(time);
        time.seconds_since(since) >= seconds
    }

    /// The share of the steps from one tenth to the next that go up, over a whole window that is over; `None` before there
    /// is one, and where the last tenth is no higher than the first.
    pub(super) fn rising(&self, seconds: f64, by_value: bool) -> Option<f64> {
        if self.latest.seconds_since(self.began) < seconds {
            return None;
        }
        let tenths = self.counts.iter().zip(&self.sums).skip(1).rev();
        let mut first = None;
        let mut last: Option<f64> = None;
        let mut rises = 0_u32;
        for (count, sum) in tenths {
            let value = match (by_value, count) {
                (false, count) => f64::from(*count),
                // Nothing was said: as it was.
                (true, 0) => match last {
                    Some(last) => last,
                    None => continue,
                },
                (true, count) => sum / f64::from(*count),
            };
            rises += u32::from(last.is_some_and(|last| value > last));
            first.get_or_insert(value);
            last = Some(value);
        }
        (last? > first?).then(|| f64::from(rises) / (TENTHS - 2) as f64)
    }
}

fn tenth(time: Timestamp, seconds: f64) -> i64 {
    time.nanos().div_euclid(((seconds * 1e8) as i64).max(1))
}

/// Lines that come at regular times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Beats {
    last: Option<Timestamp>,
    gap: f64,
    run: u32,
}

/// Lines that are closer than this are one, in seconds.
const SAME_BEAT: f64 = 1.0;

impl Beats {
    /// A line has come: how often in a row the time from one to the next was the same by now, and what it was.
    pub(super) fn add(&mut self, time: Timestamp, every: Option<f64>, tolerance: f64) -> (u32, f64) {
        let Some(last) = self.last else {
            self.last = Some(time);
            return (0, 0.0);
        };
        let gap = time.seconds_since(last);
        if (-WRONG_CLOCK..SAME_BEAT).contains(&gap) {
            return (0, 0.0);
        }
        self.last = Some(time);
        let expected = every.unwrap_or(self.gap);
        if gap > 0.0 && (gap - expected).abs() <= tolerance * expected {
            self.run = self.run.saturating_add(1);
            self.gap += (gap - self.gap) / f64::from(self.run);
        } else {
            self.run = u32::from(every.is_none() && gap > 0.0);
            self.gap = gap.at_least(0.0);
        }
        (self.run, self.gap)
    }
}

/// The state as it is written: least recently used first, so that reading it restores the order.
#[derive(Serialize, Deserialize)]
struct State {
    tallies: BTreeMap<u64, Tally>,
    tracks: Vec<(u64, Track)>,
    remembered: Vec<(u64, Vec<u64>)>,
    since: Option<Timestamp>,
    evicted: u64,
}

impl Serialize for PatternState {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        State {
            tallies: self.tallies.clone(),
            tracks: self
                .tracks
                .iter()
                .rev()
                .map(|(key, track)| (*key, track.clone()))
                .collect(),
            remembered: self
                .remembered
                .iter()
                .rev()
                .map(|(key, ids)| (*key, ids.clone()))
                .collect(),
            since: self.since,
            evicted: self.evicted,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PatternState {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let state = State::deserialize(deserializer)?;
        let mut patterns = PatternState {
            tallies: state.tallies,
            since: state.since,
            evicted: state.evicted,
            ..PatternState::default()
        };
        for (key, track) in state.tracks {
            patterns.due.extend(track.due.map(|due| (due, key)));
            patterns.tracks.put(key, track);
        }
        for (key, ids) in state.remembered {
            patterns.remembered.put(key, ids);
        }
        Ok(patterns)
    }
}
