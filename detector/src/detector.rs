//! Route, score, decide, learn.

mod core;
mod log;
mod missing;
mod overdue;
mod unused;

use serde::{Deserialize, Serialize};

use self::log::About;
use crate::config::Config;
use crate::decide::{Course, Rules};
use crate::episode::Strange;
use crate::event::{Event, Request, Sample, Timestamp};
use crate::feature;
use crate::feedback::Feedback;
use crate::limit::{self, HardLimits};
use crate::log::{Awaited, Parameter, SessionEvidence, Sessions, TemplateStats, Templates, Vectors, Watches};
use crate::metric::{Beside, Row, is_counter};
use crate::near::{NEAR_BUDGET, NearMisses};
use crate::number::Bounded;
use crate::pattern::{Mark, PatternReport, PatternState, Patterns};
use crate::request::{Context, Traffic, method};
use crate::series::{Model, Of, RunningTime, Series, Table};
use crate::snapshot::{self, SnapshotError};
use crate::threshold::Budget;
use crate::verdict::{Anomaly, Fingerprint, Label, State, Verdict};

/// Scores events one by one and learns from each after it was scored.
///
/// ```
/// use watchpost_detector::{Config, Detector, Event, Finite, Report, Sample, Subject, Timestamp, Value};
///
/// let mut detector = Detector::new(Config::default());
/// let mut reports = Vec::new();
/// for minute in 0..600 {
///     let latency = if minute == 599 { 950.0 } else { 20.0 + f64::from(minute % 7) };
///     let values = [Value { metric: "latency_ms", value: Finite::new(latency).unwrap() }];
///     let event = Event::Sample(Sample {
///         time: Timestamp::from_seconds(i64::from(minute) * 60),
///         subject: Subject::default(),
///         values: &values,
///     });
///     detector.observe(&event, &mut reports);
/// }
/// let [Report::Anomaly(alarm)] = &reports[..] else { panic!("one alarm") };
/// assert_eq!(alarm.explanation.contributions[0].of, "latency_ms");
/// ```
#[derive(Debug)]
pub struct Detector {
    config: Config,
    patterns: Patterns,
    core: Core,
    scoring: bool,
    /// The limits that nothing was compared with yet.
    unmet: HardLimits,
}

/// Everything that a snapshot holds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Core {
    time: RunningTime,
    table: Table,
    templates: Templates,
    stats: Vec<Option<TemplateStats>>,
    watches: Watches,
    vectors: Vectors,
    awaited: Awaited,
    sessions: Sessions,
    traffic: Traffic,
    budget: Budget,
    /// Keys of series with an open episode, in the order of their onsets.
    open: Vec<u64>,
    near: NearMisses,
    feedback: Feedback,
    patterns: PatternState,
    counts: Counts,
    scored_since: Option<Timestamp>,
    /// The minute in which sessions and silence were looked at last.
    minute: i64,
}

/// What is counted of all series together.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Counts {
    events: u64,
    alarms: u64,
    days: f64,
    evicted_templates: u64,
    ignored_metrics: u64,
}

/// What a detector reports beside its verdicts.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// An episode begins, becomes worse or ends.
    Anomaly(Box<Anomaly>),
    /// A session has ended.
    Session {
        /// The session.
        session: String,
        /// `−log10 p`.
        surprise: f64,
        /// Whether fewer than one in 1,000 normal sessions look at least this strange.
        anomalous: bool,
        /// Lines of the session.
        lines: u64,
        /// Whether it may not have ended, since the input did or it had to give way: what it lacks is then no evidence.
        unfinished: bool,
        /// Of what is anomalous, what sets it apart, the strangest first: at most eight things.
        evidence: Vec<SessionEvidence>,
    },
}

/// Where a detector stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// Events scored, history not counted.
    pub events: u64,
    /// Alarms raised.
    pub alarms: u64,
    /// Event time that was scored, in days.
    pub days: f64,
    /// The surprise that an event has to reach now.
    pub threshold: f64,
    /// Subjects that have models.
    pub series: u32,
    /// Templates of log lines.
    pub templates: u32,
    /// Routes of requests.
    pub routes: u32,
    /// Series that were evicted to stay within the bounds.
    pub evicted_series: u64,
    /// Templates that were evicted to stay within the bounds.
    pub evicted_templates: u64,
    /// Routes, upstreams and sites of requests that were evicted to stay within the bounds.
    pub evicted_routes: u64,
    /// Sessions that were ended early since too many were open at once.
    pub evicted_sessions: u64,
    /// Metrics that were left out because their subject has too many.
    pub ignored_metrics: u64,
    /// Patterns that are looked for.
    pub patterns: u32,
    /// Sequences and counts of patterns that were dropped to stay within the bounds.
    pub evicted_tracks: u64,
    /// What was found of each pattern that was found or that people said something of, since the state began.
    pub found: Vec<PatternReport>,
}

/// Sessions that are open at once at most.
pub(crate) const MOST_SESSIONS: usize = 10_000;

impl Detector {
    /// A detector that has seen nothing.
    pub fn new(config: Config) -> Self {
        let core = Core {
            time: RunningTime::default(),
            table: Table::new(&config.bounds),
            templates: Templates::new(config.bounds.max_templates.get()),
            stats: Vec::new(),
            watches: Watches::default(),
            vectors: Vectors::default(),
            awaited: Awaited::default(),
            sessions: Sessions::new(MOST_SESSIONS),
            traffic: Traffic::new(),
            budget: Budget::new(),
            open: Vec::new(),
            near: NearMisses::default(),
            feedback: Feedback::default(),
            patterns: PatternState::default(),
            counts: Counts::default(),
            scored_since: None,
            minute: i64::MIN,
        };
        Detector {
            patterns: Patterns::new(&config.patterns),
            unmet: config.rules.clone(),
            config,
            core,
            scoring: true,
        }
    }

    /// A detector that goes on where another one stopped. What the configuration says of budget, learning and near
    /// misses may differ from then.
    ///
    /// # Errors
    /// When the snapshot is damaged, of a version that cannot be read, or made under other bounds.
    pub fn restore(config: Config, snapshot: &[u8]) -> Result<Self, SnapshotError> {
        let mut core: Core = snapshot::read(&config, snapshot)?;
        let patterns = Patterns::new(&config.patterns);
        patterns.forget_others(&mut core.patterns);
        Ok(Detector {
            patterns,
            core,
            unmet: config.rules.clone(),
            config,
            scoring: true,
        })
    }

    /// The whole state as bytes: versioned, with a checksum.
    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::write(&self.config, &self.core)
    }

    /// Scores an event, then learns from it. Episodes that begin or end with it, and sessions that have timed
    /// out by its time, are added to `out`.
    pub fn observe(&mut self, event: &Event<'_>, out: &mut Vec<Report>) -> Verdict {
        if self.core.time.event(event.time()) {
            self.time_went_on(out);
            self.overdue(out);
            self.missing(out);
        }
        if self.scoring {
            self.core.counts.events += 1;
            let since = *self.core.scored_since.get_or_insert(event.time());
            let days = event.time().seconds_since(since) / 86_400.0;
            self.core.counts.days = self.core.counts.days.at_least(days);
        }
        match event {
            Event::Sample(sample) => self.sample(sample, out),
            Event::Log(record) => self.log(record, out),
            Event::Request(request) => self.request(request, out),
        }
    }

    /// Time goes on, whether or not events come: windows close, sessions time out, silence is noticed.
    pub fn tick(&mut self, now: Timestamp, out: &mut Vec<Report>) {
        if self.core.time.tick(now) {
            self.in_traffic(out, |traffic, context, out| traffic.advance(now, true, context, out));
            self.time_went_on(out);
            self.overdue(out);
            self.missing(out);
        }
    }

    /// Everything is over: what is open is reported as it stands.
    pub fn close(&mut self, out: &mut Vec<Report>) {
        let rules = self.rules();
        self.core.close(&rules, out);
        while let Some(ended) = self.core.sessions.finish(rules.of_sessions()) {
            self.session(ended, out);
        }
    }

    /// Learns what a person said of a verdict or an anomaly: it changes what is said of the same template of the same
    /// log, less of similar lines of that log of which nobody has said anything, or of the metrics of the same subject;
    /// and of nothing else. Takes effect at once and is part of the snapshot.
    pub fn feedback(&mut self, about: Fingerprint, label: Label) {
        let Core {
            patterns,
            feedback,
            table,
            templates,
            ..
        } = &mut self.core;
        patterns.answer(about, label);
        // A fingerprint of a line is its log's key and its template's identity.
        let logs = table
            .oldest_first()
            .filter(|(_, series)| matches!(series.model, Model::Log(_)));
        let ids = templates.by_identity();
        let line = logs
            .map(|(log, _)| log)
            .find_map(|log| Some((log, *ids.get(&(log ^ about.0))?)));
        feedback.answer(about, label, line.map(|(log, index)| (log, templates.text(index))));
    }

    /// Whether events are scored and alarms raised, or history is learned from.
    pub fn set_scoring(&mut self, scoring: bool) {
        if scoring != self.scoring {
            self.core.forget_episodes();
        }
        self.scoring = scoring;
    }

    /// Another input begins, which need not go on where the one before it stopped.
    pub fn begin_input(&mut self) {
        self.core.traffic.begin();
    }

    /// As it was configured.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The time of the latest event.
    pub fn now(&self) -> Option<Timestamp> {
        self.core.time.now
    }

    /// Where the detector stands.
    pub fn status(&self) -> Status {
        let Counts {
            events,
            alarms,
            days,
            evicted_templates,
            ignored_metrics,
        } = self.core.counts;
        let reports = self.patterns.reports(&self.core.patterns);
        Status {
            events,
            alarms,
            days,
            threshold: self.rules().threshold,
            series: self.core.table.len() as u32,
            templates: self.core.templates.len() as u32,
            routes: self.core.traffic.routes() as u32,
            evicted_series: self.core.table.evicted,
            evicted_templates,
            evicted_routes: self.core.traffic.evicted,
            evicted_sessions: self.core.sessions.evicted,
            ignored_metrics,
            patterns: self.patterns.len() as u32,
            evicted_tracks: self.core.patterns.evicted,
            found: reports
                .filter(|report| report.matches + report.fine + report.matters > 0)
                .collect(),
        }
    }

    /// What was found of each pattern, and what people said of it.
    pub fn patterns(&self) -> Vec<PatternReport> {
        self.patterns.reports(&self.core.patterns).collect()
    }

    /// The template of a log verdict: its text, and an identity that stays when the text becomes more general.
    pub fn template(&self, verdict: &Verdict) -> Option<(&str, u64)> {
        let index = verdict.template?;
        Some((self.core.templates.text(index), self.core.templates.id(index)))
    }

    /// The method and the route of the request that was observed last.
    pub(crate) fn route(&self, last: &Request<'_>) -> (Option<&'static str>, &str) {
        (method(last.method), self.core.traffic.last_route())
    }

    /// What the message of a log verdict has where its template has `<*>`, in the order of the message: worked out on
    /// demand. Empty for any other verdict, and for a template that has been given up since.
    pub fn parameters<'m>(&self, verdict: &Verdict, message: &'m str) -> Vec<Parameter<'m>> {
        verdict
            .template
            .map_or_else(Vec::new, |index| self.core.templates.parameters(index, message))
    }

    fn sample(&mut self, sample: &Sample<'_>, out: &mut Vec<Report>) -> Verdict {
        self.row(Of::Metrics, sample, About::Nothing, out)
    }

    /// Scores a row of metrics; the lines that it is about explain it.
    fn row(&mut self, of: Of, sample: &Sample<'_>, about: About<'_>, out: &mut Vec<Report>) -> Verdict {
        let key = of.key(sample.subject.key());
        let fingerprint = Fingerprint(key);
        let answers = self.answers(fingerprint);
        let rules = self.rules();
        let max = self.config.bounds.max_metrics.get() as usize;
        let numbers = sample.values.iter().map(|value| (value.metric, value.value));
        let limits = &self.config.rules;
        let hits = limits.hits(&sample.subject, numbers);
        self.unmet
            .met(&sample.subject, sample.values.iter().map(|value| value.metric));
        // What is counted of a log is three numbers that say much the same.
        let beside = match of {
            Of::Metrics => Beside::Together(&self.config.models.together),
            _ => Beside::Nothing,
        };
        let (core, patterns) = (&mut self.core, &self.patterns);
        let (series, evicted) = core
            .table
            .get_or_insert(key, || Series::new(&sample.subject, Model::Row(Row::new())));
        let Series {
            labels,
            model,
            pulse,
            episode,
        } = series;
        let Model::Row(row) = model else {
            // The kind of series is part of the key.
            return Verdict::learning(fingerprint);
        };
        pulse.event(sample.time);
        // What is counted of a log falls silent when the log does: once is enough.
        if of == Of::Metrics {
            pulse.beat(core.time.running);
        }
        let assessment = row.assess(sample.time, sample.values, max, beside);
        core.counts.ignored_metrics += assessment.ignored;
        let surprise = if assessment.learning {
            0.0
        } else {
            (assessment.surprise + answers).at_least(0.0)
        };
        let mut found = Vec::new();
        patterns.observe_surprise(&sample.subject, None, surprise, &mut found);
        if self.scoring {
            patterns.count(&found, fingerprint, sample.time, &mut core.patterns);
        }
        let event = Strange {
            time: sample.time,
            surprise,
            state: if assessment.learning {
                0.0
            } else {
                (assessment.state + answers).at_least(0.0)
            },
            fingerprint,
            level: None,
            above_limit: limit::farthest(&hits),
            pattern: Mark::of(&found),
            named: &|| patterns.named(&found),
        };
        // An answer moves the surprise, and with it where the counterfactual has to come to.
        let target = rules.threshold - answers;
        let course = Course {
            key,
            labels,
            episode,
            pulse,
        };
        let (templates, stats) = (&core.templates, &core.stats);
        let step = rules.decide(course, &event, &mut core.near, out, |total| {
            if hits.is_empty() {
                let alarms = event.is_decreed();
                let parts = if alarms {
                    (surprise - rules.threshold).at_least(0.0)
                } else {
                    total
                };
                let (kind, explanation) = row.explain(sample.time, sample.values, parts, target);
                let mut explanation = limits.keep(&sample.subject, explanation);
                about.tell(&mut explanation, templates, stats);
                if !alarms {
                    return (kind, explanation);
                }
                if parts == 0.0 {
                    explanation.contributions.clear();
                }
                return patterns.explain(&found, "", total, explanation);
            }
            let beyond = surprise - rules.threshold;
            let lowered = limit::at_limits(sample.values, &hits);
            let models = (beyond > 0.0).then(|| row.explain(sample.time, &lowered, beyond, target).1);
            // The row that was assessed last has to stay as it is: what is only tried, is tried on a copy.
            let mut copy = row.clone();
            let clears = copy.assess(sample.time, &lowered, max, beside).surprise < target;
            let (kind, mut explanation) = limit::explain(&hits, total, clears, models);
            if let Some(first) = sample.values.iter().find(|value| limit::is_first(&hits, value.metric)) {
                copy.assess(sample.time, &[*first], max, beside);
                explanation.features = copy.explain(sample.time, &[*first], 0.0, f64::INFINITY).1.features;
                // The first value of all has nothing before it; of a counter it is not yet a rate.
                if explanation.features.is_empty() && !is_counter(first.metric) {
                    explanation.features = feature::of_window(first.metric, &[(sample.time, first.value.value())]);
                }
            }
            about.tell(&mut explanation, templates, stats);
            (kind, limits.keep(&sample.subject, explanation))
        });
        if let Some(weight) = step.weight {
            row.learn(sample.time, sample.values, weight);
        }
        if step.accepted && step.weight.is_some() {
            row.restart();
        }
        core.after(&rules, key, &step, sample.time, evicted, out);
        let mut added = assessment.added;
        while let Some((_, evicted)) = core.table.make_room(std::mem::take(&mut added)) {
            rules.report_evicted(&evicted, out);
        }
        Verdict {
            surprise: step.surprise,
            state: if assessment.learning && !event.is_decreed() {
                State::Learning
            } else {
                step.state
            },
            fingerprint,
            template: None,
        }
    }

    fn request(&mut self, request: &Request<'_>, out: &mut Vec<Report>) -> Verdict {
        let max = self.config.bounds.max_routes.get() as usize;
        let hits = self.config.rules.hits(&request.subject, limit::of_request(request));
        let names = limit::of_request(request).map(|(name, _)| name);
        self.unmet.met(&request.subject, names);
        let said = self.in_traffic(out, |traffic, context, out| {
            traffic.observe(request, &hits, max, context, out)
        });
        Verdict {
            surprise: said.surprise,
            state: if self.scoring { said.state } else { State::Normal },
            fingerprint: said.fingerprint,
            template: None,
        }
    }

    /// Lends requests what their decisions need.
    fn in_traffic<T>(
        &mut self,
        out: &mut Vec<Report>,
        then: impl FnOnce(&mut Traffic, &mut Context<'_>, &mut Vec<Report>) -> T,
    ) -> T {
        let rules = self.rules();
        let Core {
            traffic,
            budget,
            near,
            feedback,
            counts,
            ..
        } = &mut self.core;
        let mut context = Context {
            rules: &rules,
            budget,
            near,
            answers: &|about| feedback.on(about),
            alarms: 0,
        };
        let result = then(traffic, &mut context, out);
        counts.alarms += context.alarms;
        result
    }

    /// What people said of the like of it, in decades.
    fn answers(&self, about: Fingerprint) -> f64 {
        self.core.feedback.on(about)
    }

    fn rules(&self) -> Rules {
        let alarms_per_day = self.config.false_alarms_per_day.per_day();
        let threshold = |alarms_per_day| self.core.budget.threshold(alarms_per_day);
        let near = self.config.near_misses && self.scoring;
        Rules {
            threshold: threshold(alarms_per_day),
            near: near.then(|| threshold(NEAR_BUDGET * alarms_per_day)),
            alarms_per_day,
            accept_after: self.config.accept_after_minutes.seconds(),
            learning: self.config.learning,
            scoring: self.scoring,
        }
    }

    /// What has to be looked at once a minute, however many events there are.
    fn time_went_on(&mut self, out: &mut Vec<Report>) {
        let Some(now) = self.core.time.now else {
            return;
        };
        let minute = now.nanos().div_euclid(60_000_000_000);
        if minute == self.core.minute {
            return;
        }
        self.core.minute = minute;
        self.in_traffic(out, |traffic, context, out| traffic.advance(now, false, context, out));
        let rules = self.rules();
        while let Some(ended) = self.core.sessions.expire(now, rules.of_sessions()) {
            self.session(ended, out);
        }
        self.core.silence(&rules, now, out);
        self.core.end_episodes(&rules, now, out);
        self.core.near.end(&rules, now, out);
    }
}
