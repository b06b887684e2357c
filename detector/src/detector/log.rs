//! Lines of logs: what each says, how many there were of each severity in a minute, and the sessions that they are of.

use super::{Core, Detector, Report};
use crate::decide::Course;
use crate::episode::Strange;
use crate::event::{Finite, Level, LogRecord, Sample, Value};
use crate::feature;
use crate::limit;
use crate::log::{Busiest, Busy, Ended, Match, Origin, Stream, TemplateIndex, TemplateStats, Templates, session_in};
use crate::number::Bounded;
use crate::pattern::Mark;
use crate::series::{Model, Of, Series};
use crate::verdict::{Contribution, Explanation, Fingerprint, Observation, Verdict};

/// What is counted of a subject's log in each minute.
const COUNTED: [&str; 3] = ["errors_per_minute", "warnings_per_minute", "lines_per_minute"];

/// Whether a line of this level is one of those that a metric of the above counts.
fn is_counted(metric: &str, level: Level) -> bool {
    match COUNTED.iter().position(|counted| *counted == metric) {
        Some(0) => level >= Level::Error,
        Some(1) => level == Level::Warn,
        _ => true,
    }
}

/// The lines that a row of metrics is about.
#[derive(Clone, Copy)]
pub(super) enum About<'a> {
    /// None: the metrics are somebody's own.
    Nothing,
    /// The values are measured in lines of this template.
    Template(TemplateIndex),
    /// Counted were these lines of a minute.
    Lines(&'a Busiest),
}

impl About<'_> {
    /// Says which lines they were.
    pub(super) fn tell(&self, explanation: &mut Explanation, templates: &Templates, stats: &[Option<TemplateStats>]) {
        let index = match self {
            About::Nothing => return,
            About::Template(index) => *index,
            About::Lines(busiest) => {
                let Some(rise) = explanation.contributions.iter().find(|part| rises(part)) else {
                    return;
                };
                let usual = |busy: Busy| {
                    let stats = stats.get(busy.template.slot()).and_then(Option::as_ref);
                    stats.map_or(0.0, TemplateStats::usual)
                };
                let Some(busy) = busiest.most_beyond(usual, |level| is_counted(&rise.of, level)) else {
                    return;
                };
                // One that has given way to others since then has no text any more.
                if templates.text(busy.template).is_empty() {
                    return;
                }
                explanation.template_lines = Some(busy.lines);
                busy.template
            }
        };
        explanation.template = Some(templates.text(index).to_owned());
    }
}

/// Whether more was seen than expected.
fn rises(part: &Contribution) -> bool {
    let (Observation::Number(seen), Observation::Number(expected)) = (&part.observed, &part.expected.value) else {
        return false;
    };
    seen > expected
}

impl Detector {
    /// A line has a verdict of its own, and the first line of a minute has that on the minute before as well.
    pub(super) fn log(&mut self, record: &LogRecord<'_>, out: &mut Vec<Report>) -> Verdict {
        let minute = self.minute(record, out);
        let line = self.line(record, out);
        let measured = self.measured(record, &line, out);
        minute.into_iter().chain(measured).fold(line, |worst, other| {
            if other.state.is_anomalous() && other.surprise > worst.surprise {
                let template = worst.template;
                Verdict { template, ..other }
            } else {
                worst
            }
        })
    }

    /// What a line measures ("took 5021 ms") is a row of metrics of its template.
    fn measured(&mut self, record: &LogRecord<'_>, line: &Verdict, out: &mut Vec<Report>) -> Option<Verdict> {
        let index = line.template?;
        let learns = self.rules().learns();
        let Core { templates, watches, .. } = &mut self.core;
        let of = Of::Parameters(templates.id(index));
        let mut watch = watches.lend(index, templates)?;
        let values = watches.values(&mut watch, index, templates, record.message, learns);
        let verdict = (!values.is_empty() && self.core.table.has_place(of.key(record.subject.key()))).then(|| {
            let sample = Sample {
                time: record.time,
                subject: record.subject,
                values: &values,
            };
            self.row(of, &sample, About::Template(index), out)
        });
        drop(values);
        self.core.watches.give_back(index, watch);
        verdict
    }

    /// How many lines of each severity a minute had is a row of metrics like any other.
    fn minute(&mut self, record: &LogRecord<'_>, out: &mut Vec<Report>) -> Option<Verdict> {
        let key = Of::Log.key(record.subject.key());
        let Model::Log(stream) = &mut self.core.table.peek_mut(key)?.model else {
            return None;
        };
        let mut last = None;
        for (time, counts, busiest) in stream.close_minutes(record.time) {
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
            last = Some(self.row(Of::Counts, &sample, About::Lines(&busiest), out));
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
        for (younger, older) in self.core.templates.take_absorbed() {
            self.core.sessions.merge(younger, older);
            self.core.awaited.forget_template(younger);
        }
        // The same template in another service's log is another matter.
        let fingerprint = Fingerprint(key ^ template);
        let numbers = record.fields.iter().map(|value| (value.metric, value.value));
        let hits = self.config.rules.hits(&record.subject, numbers);
        self.unmet
            .met(&record.subject, record.fields.iter().map(|value| value.metric));
        let (core, patterns) = (&mut self.core, &self.patterns);
        core.counts.evicted_templates += found.map_or(0, |found| u64::from(found.evicted));
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
        let first = || TemplateStats::new(record.message, record.level, stream, record.time);
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
            if stats.is_old() {
                (core.awaited).came(fingerprint.0, key, template, record.time, pulse.lived());
            }
        }
        let text = found.map(|found| core.templates.text(found.index));
        if rules.learns()
            && stats.is_due()
            && let Some(text) = text
        {
            let unlike = core.vectors.look(&self.config.models.lines, text, stats.is_first());
            stats.looked(unlike);
        }
        let answers = core.feedback.on_line(fingerprint, key, text, &mut stats.alike);
        let onset = episode.as_ref().map(|episode| episode.onset());
        let assessment = stream.assess(record.level, stats, onset);
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
            state: (assessment.state + answers).at_least(0.0),
            fingerprint,
            level: Some(level),
            above_limit: limit::farthest(&hits),
            pattern: Mark::of(&found_by),
            named: &|| patterns.named(&found_by),
        };
        let vectors = &core.vectors;
        let features = || feature::of_line(Some(level), record.message, record.fields);
        let course = Course {
            key,
            labels,
            episode,
            pulse,
        };
        let step = rules.decide(course, &event, &mut core.near, out, |total| {
            if !event.is_decreed() {
                let (kind, mut explanation) = stream.explain(record.level, stats, text, vectors, &assessment, total);
                explanation.features = features();
                return (kind, explanation);
            }
            let beyond = (surprise - rules.threshold).at_least(0.0);
            let (_, mut models) = stream.explain(record.level, stats, text, vectors, &assessment, beyond);
            if beyond == 0.0 {
                models.contributions.clear();
            }
            models.features = features();
            if hits.is_empty() {
                return patterns.explain(&found_by, record.message, total, models);
            }
            limit::explain(&hits, total, surprise < rules.threshold, Some(models))
        });
        if let Some(weight) = step.weight {
            if step.opened || step.closed {
                stream.turn(step.accepted);
            }
            stream.learn(record.level, new, &assessment, weight < 1.0);
        }
        stream.count(record.time, level, found.map(|found| found.index));
        core.after(&rules, key, &step, record.time, evicted, out);
        let session = match record.session {
            Some(given) => Some((given, Origin::Given)),
            None => session_in(record.message).map(|found| (found, Origin::Found)),
        };
        if let Some(session) = session
            && let Some(ended) = {
                let text = found.map_or(record.message, |found| self.core.templates.text(found.index));
                let learning = rules.of_sessions();
                (self.core.sessions).observe(session, (template, text), record.time, learning)
            }
        {
            self.session(ended, out);
        }
        Verdict {
            surprise: step.surprise,
            state: step.state,
            fingerprint,
            template: found.map(|found| found.index),
        }
    }

    pub(super) fn session(&self, ended: Ended, out: &mut Vec<Report>) {
        if self.scoring {
            out.push(Report::Session {
                session: ended.name,
                surprise: ended.surprise,
                anomalous: ended.anomalous,
                lines: ended.lines,
                unfinished: ended.unfinished,
                evidence: ended.evidence,
            });
        }
    }
}
