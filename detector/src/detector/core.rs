//! What concerns all series of a detector at once: what a decision means for the rest, silence, and episodes that end.

use super::{Core, Report};
use crate::decide::{Course, Rules, Step};
use crate::episode::{Episode, Strange};
use crate::event::Timestamp;
use crate::series::Series;
use crate::verdict::{Explanation, Fingerprint, Kind, Phase};

/// A pause shorter than this is never called silence, in seconds.
const SHORTEST_SILENCE: f64 = 120.0;

impl Core {
    /// What a step means for the detector as a whole.
    pub(super) fn after(
        &mut self,
        rules: &Rules,
        key: u64,
        step: &Step,
        time: Timestamp,
        evicted: Option<Box<Series>>,
        out: &mut Vec<Report>,
    ) {
        if step.closed {
            self.open.retain(|open| *open != key);
        }
        if step.opened {
            self.open.push(key);
            if rules.scoring {
                self.counts.alarms += 1;
            }
        }
        if step.charged {
            self.budget.alarm();
        }
        self.budget.event(time, rules.alarms_per_day);
        if let Some(series) = evicted {
            rules.report_evicted(&series, out);
        }
    }

    /// Series that reported regularly and have stopped. They are the least recently seen, so that the table is
    /// walked from that end, and only as far as there is silence.
    pub(super) fn silence(&mut self, rules: &Rules, now: Timestamp, out: &mut Vec<Report>) {
        let running = self.time.running;
        for (key, series) in self.table.oldest_first() {
            let Series {
                labels, pulse, episode, ..
            } = series;
            let quiet = pulse.quiet(running);
            if quiet.is_some_and(|quiet| quiet < SHORTEST_SILENCE) {
                break;
            }
            let Some(quiet) = quiet else {
                continue;
            };
            if pulse.silent {
                if let Some(episode) = episode.as_mut().filter(|episode| episode.is_silence())
                    && episode.last(now)
                {
                    rules.report(episode, Phase::Worse, labels, out);
                }
                continue;
            }
            let surprise = pulse.surprise(quiet);
            if !rules.scoring {
                continue;
            }
            let event = Strange {
                time: now,
                surprise,
                state: surprise,
                fingerprint: Fingerprint(key),
                level: None,
                above_limit: None,
                pattern: None,
                named: &Vec::new,
            };
            if surprise < rules.threshold {
                if episode.is_none() {
                    let (away, usual) = pulse.told(now);
                    let explain = |total| (Kind::Silence, Explanation::silence(total, away, usual));
                    let course = Course {
                        key,
                        labels,
                        episode,
                        pulse,
                    };
                    self.near.look(rules, &course, &event, out, explain);
                }
                continue;
            }
            pulse.silent = true;
            if episode.is_some() {
                continue;
            }
            let (away, usual) = pulse.told(now);
            let begun = Episode::begin(
                &event,
                rules.threshold,
                Kind::Silence,
                Explanation::silence(surprise, away, usual),
            );
            out.push(Report::Anomaly(Box::new(begun.report(Phase::Onset, labels))));
            *episode = Some(Box::new(begun));
            self.near.forget(key);
            self.open.push(key);
            self.counts.alarms += 1;
            self.budget.alarm();
        }
    }

    /// Everything is over: what is open is reported as it stands.
    pub(super) fn close(&mut self, rules: &Rules, out: &mut Vec<Report>) {
        for key in std::mem::take(&mut self.open) {
            if let Some(series) = self.table.peek_mut(key)
                && let Some(episode) = series.episode.take()
            {
                out.push(Report::Anomaly(Box::new(episode.report(Phase::Open, &series.labels))));
            }
        }
        self.traffic.close(rules, out);
        self.near.close(rules, out);
    }

    /// Episodes of history are nobody's business later.
    pub(super) fn forget_episodes(&mut self) {
        for key in std::mem::take(&mut self.open) {
            if let Some(series) = self.table.peek_mut(key) {
                series.episode = None;
            }
        }
        self.traffic.forget_episodes();
        self.near.clear();
    }

    pub(super) fn end_episodes(&mut self, rules: &Rules, now: Timestamp, out: &mut Vec<Report>) {
        let Core { open, table, .. } = self;
        open.retain(|key| {
            // An evicted series has reported the end of its episode already.
            let Some(series) = table.peek_mut(*key) else {
                return false;
            };
            let over = series.episode.as_ref().is_some_and(|episode| {
                episode.is_over(now, series.pulse.every())
                    || episode.is_silence() && episode.age(now) >= rules.accept_after
            });
            if over && let Some(episode) = series.episode.take() {
                rules.report(&episode, Phase::End, &series.labels, out);
            }
            series.episode.is_some()
        });
    }
}
