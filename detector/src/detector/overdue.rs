//! Lines that patterns wait for and that have not come.

use super::{Detector, Report};
use crate::decide::Course;
use crate::episode::Strange;
use crate::pattern::Mark;
use crate::verdict::{Explanation, Fingerprint};

impl Detector {
    /// Reports what is over by now without the line that was awaited: on the log in which it was awaited.
    pub(super) fn overdue(&mut self, out: &mut Vec<Report>) {
        let Some(now) = self.core.time.now else {
            return;
        };
        while self.core.patterns.is_due(now)
            && let Some(overdue) = self.core.patterns.overdue(now)
        {
            let rules = self.rules();
            let (key, time) = (overdue.series, overdue.due);
            let (core, patterns) = (&mut self.core, &self.patterns);
            let Some(found) = patterns.overdue(overdue) else {
                continue;
            };
            // A log that has given way to others has nobody to be told about.
            let Some(series) = core.table.peek_mut(key) else {
                continue;
            };
            let found = [found];
            let fingerprint = Fingerprint(key);
            if rules.scoring {
                patterns.count(&found, fingerprint, time, &mut core.patterns);
            }
            let event = Strange {
                time,
                surprise: 0.0,
                state: 0.0,
                fingerprint,
                level: None,
                above_limit: None,
                pattern: Mark::of(&found),
                named: &|| patterns.named(&found),
            };
            if !event.is_decreed() {
                continue;
            }
            let course = Course {
                key,
                labels: &series.labels,
                episode: &mut series.episode,
                pulse: &mut series.pulse,
            };
            let step = rules.decide(course, &event, &mut core.near, out, |total| {
                patterns.explain(&found, "", total, Explanation::default())
            });
            // It is no event, and what a person set is nothing to the budget of false alarms.
            if step.closed {
                core.open.retain(|open| *open != key);
            }
            if step.opened {
                core.open.push(key);
                core.counts.alarms += 1;
            }
        }
    }
}
