//! Kinds of lines that came regularly and have stopped, while their log goes on.

use super::{Detector, Report};
use crate::decide::Course;
use crate::episode::Strange;
use crate::log::{AwaitedKind, Look};
use crate::number::Bounded;
use crate::verdict::{Explanation, Fingerprint, Kind};

/// So many are looked at when time goes on; the others have their turn with the next event.
const MOST_LOOKS: usize = 8;

impl Detector {
    /// Reports what should have come by now, on its log. The event that makes time go on is not scored yet, so that a
    /// line that comes at last is still missing.
    pub(super) fn missing(&mut self, out: &mut Vec<Report>) {
        let Some(now) = self.core.time.now else {
            return;
        };
        if !self.core.awaited.is_due(now) {
            return;
        }
        let rules = self.rules();
        // What is not to be learned from does not make time go on for anything either.
        if !rules.learns() {
            return;
        }
        for _ in 0..MOST_LOOKS {
            let core = &mut self.core;
            let among = core.awaited.len();
            let Some((fingerprint, awaited)) = core.awaited.due(now) else {
                break;
            };
            // A log that has given way to others has nobody to be told about.
            let Some(series) = core.table.peek_mut(awaited.log) else {
                core.awaited.forget(fingerprint);
                continue;
            };
            let (surprise, quiet, usual) = match awaited.look(now, series.pulse.lived(), among) {
                Look::Later(time) => {
                    core.awaited.look_at(fingerprint, time);
                    continue;
                }
                Look::Forgotten => {
                    core.awaited.forget(fingerprint);
                    continue;
                }
                Look::Away { surprise, quiet, usual } => (surprise, quiet, usual),
            };
            let about = Fingerprint(fingerprint);
            let surprise = (surprise + core.feedback.on(about)).at_least(0.0);
            let (key, template) = (awaited.log, awaited.template);
            let is_missing = surprise >= rules.threshold;
            if is_missing {
                awaited.tell();
            }
            core.awaited.look_at(fingerprint, AwaitedKind::again(now, quiet));
            if !is_missing {
                continue;
            }
            // A template that has given way to others cannot be told.
            let Some(index) = core.templates.by_identity().get(&template).copied() else {
                core.awaited.forget(fingerprint);
                continue;
            };
            let event = Strange {
                time: now,
                surprise,
                state: surprise,
                fingerprint: about,
                level: None,
                above_limit: None,
                pattern: None,
                named: &Vec::new,
            };
            let course = Course {
                key,
                labels: &series.labels,
                episode: &mut series.episode,
                pulse: &mut series.pulse,
            };
            let text = core.templates.text(index);
            let step = rules.decide(course, &event, &mut core.near, out, |total| {
                let mut explanation = Explanation::silence(total, quiet, usual);
                explanation.template = Some(text.to_owned());
                if let Some(part) = explanation.contributions.first_mut() {
                    "time since the last line of this kind".clone_into(&mut part.of);
                }
                (Kind::LogMissing, explanation)
            });
            if step.closed {
                core.open.retain(|open| *open != key);
            }
            if step.opened {
                core.open.push(key);
                core.counts.alarms += u64::from(rules.scoring);
            }
            if step.charged {
                core.budget.alarm();
            }
        }
    }
}
