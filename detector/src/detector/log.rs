//! Lines of logs: what each says, how many there were of each severity in a minute, and the sessions that they are of.

use super::{Detector, Report};
use crate::decide::Course;
use crate::episode::Strange;
use crate::event::{Finite, LogRecord, Sample, Value};
use crate::feature;
use crate::limit;
use crate::log::{Ended, Match, Stream, TemplateStats};
use crate::number::Bounded;
use crate::pattern::Mark;
use crate::series::{Model, Of, Series};
use crate::verdict::{Fingerprint, Verdict};

/// What is counted of a subject's log in each minute.
const COUNTED: [&str; 3] = ["errors_per_minute", "warnings_per_minute", "lines_per_minute"];

impl Detector {
    /// A line has a verdict of its own, and the first line of a minute has that on the minute before as well.
    pub(super) fn log(&mut self, record: &LogRecord<'_>, out: &mut Vec<Report>) -> Verdict {
        let minute = self.minute(record, out);
        let line = self.line(record, out);
        match minute {
            Some(minute) if minute.state.is_anomalous() && minute.surprise > line.surprise => Verdict {
                template: line.template,
                ..minute
            },
            _ => line,
        }
    }

    /// How many lines of each severity a minute had is a row of metrics like any other.
    fn minute(&mut self, record: &LogRecord<'_>, out: &mut Vec<Report>) -> Option<Verdict> {
        let key = Of::Log.key(record.subject.key());
        let Model::Log(stream) = &mut self.core.table.peek_mut(key)?.model else {
            return None;
        };
        let mut last = None;
        for (time, counts) in stream.close_minutes(record.time) {
            let values = COUNTED
                .iter()
                .zip(counts)
                .filter_map(|(metric, count)| {
                    Some(Value {
                        metric,
                        value: Finite::new(f64::from(count))?,
                    })
                })
                .collect::<Vec<_>>();
            let sample = Sample {
                time,
                subject: record.subject,
                values: &values,
            };
            last = Some(self.row(Of::Counts, &sample, out));
        }
        last
    }

    fn line(&mut self, record: &LogRecord<'_>, out: &mut Vec<Report>) -> Verdict {
        let key = Of::Log.key(record.subject.key());
        let rules = self.rules();
        let found = if rules.learns() {
            Some(self.core.templates.observe(record.message))
        } else {
            self.core.templates.find(record.message).map(Match::known)
        };
        let template = found.map_or(0, |found| self.core.templates.id(found.index));
        // The same template in another service's log is another matter.
        let fingerprint = Fingerprint(key ^ template);
        let answers = self.answers(fingerprint);
        let numbers = record.fields.iter().map(|value| (value.metric, value.value));
        let hits = self.config.rules.hits(&record.subject, numbers);
        let (core, patterns) = (&mut self.core, &self.patterns);
        core.status.evicted_templates += found.map_or(0, |found| u64::from(found.evicted));
        let (series, evicted) = core.table.get_or_insert(key, || {
            Series::new(&record.subject, Model::Log(Stream::new(record.time)))
        });
        let Series {
            labels,
            model,
            pulse,
            episode,
        } = series;
        let Model::Log(stream) = model else {
            // The kind of series is part of the key.
            return Verdict::learning(fingerprint);
        };
        pulse.event(record.time);
        pulse.beat(core.time.running);
        // A line of a kind that is unknown and not to be learned has no place among the templates.
        let mut unknown = None;
        let first = || TemplateStats::new(record.message, stream, record.time);
        let stats = match found {
            Some(found) => {
                let slot = found.index.slot();
                if slot >= core.stats.len() {
                    core.stats.resize(slot + 1, None);
                }
                let Some(stats) = core.stats.get_mut(slot) else {
                    return Verdict::learning(fingerprint);
                };
                if found.new {
                    *stats = None;
                }
                stats.get_or_insert_with(first)
            }
            None => unknown.insert(first()),
        };
        let new = found.is_none_or(|found| found.new);
        if rules.learns() {
            stats.count(new, record.time);
        }
        let assessment = stream.assess(record.level, stats);
        let surprise = (assessment.surprise + answers).at_least(0.0);
        let level = Stream::badness(record.level, stats);
        let mut found_by = patterns.observe(record, key, rules.learns(), &mut core.patterns);
        patterns.observe_surprise(&record.subject, record.level, surprise, &mut found_by);
        if rules.scoring {
            patterns.count(&found_by, fingerprint, record.time, &mut core.patterns);
        }
        let event = Strange {
            time: record.time,
            surprise,
            state: surprise,
            fingerprint,
            level: Some(level),
            above_limit: limit::farthest(&hits),
            pattern: Mark::of(&found_by),
        };
        let text = found.map(|found| core.templates.text(found.index));
        let features = || feature::of_line(Some(level), record.message, record.fields);
        let course = Course {
            key,
            labels,
            episode,
            pulse,
        };
        let step = rules.decide(course, &event, &mut core.near, out, |total| {
            if !event.is_decreed() {
                let (kind, mut explanation) = stream.explain(record.level, stats, text, &assessment, total);
                explanation.features = features();
                explanation.patterns = patterns.named(&found_by);
                return (kind, explanation);
            }
            let beyond = (surprise - rules.threshold).at_least(0.0);
            let (_, mut models) = stream.explain(record.level, stats, text, &assessment, beyond);
            if beyond == 0.0 {
                models.contributions.clear();
            }
            models.features = features();
            if hits.is_empty() {
                return patterns.explain(&found_by, record.message, total, models);
            }
            models.patterns = patterns.named(&found_by);
            limit::explain(&hits, total, surprise < rules.threshold, Some(models))
        });
        if let Some(weight) = step.weight {
            stream.learn(record.level, &assessment, weight);
        }
        stream.count(record.time, level);
        core.after(&rules, key, &step, record.time, evicted, out);
        if let Some(session) = record.session
            && let Some(ended) = self.core.sessions.observe(session, template, record.time)
        {
            self.session(&ended, out);
        }
        Verdict {
            surprise: step.surprise,
            state: step.state,
            fingerprint,
            template: found.map(|found| found.index),
        }
    }

    pub(super) fn session(&self, ended: &Ended, out: &mut Vec<Report>) {
        if self.scoring {
            out.push(Report::Session {
                session: ended.name.clone(),
                surprise: ended.surprise,
                anomalous: ended.anomalous,
            });
        }
    }
}
