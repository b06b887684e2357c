//! The text exposition format of Prometheus (0.0.4) and OpenMetrics, one scrape after the other.
//!
//! | part | what it is |
//! |---|---|
//! | `name{label="value"} 12.5` | a metric; all its labels, also `job` and `instance`, form the subject |
//! | a number behind the value | the time: milliseconds or seconds since 1970, told apart by their magnitude |
//! | `quantile="0.99"` | becomes part of the metric's name: `rpc_duration_seconds_p99`; 0 is `_min`, 1 is `_max` |
//! | `# TYPE name counter` | the metric's name ends in `_total`, also where the source leaves that out |
//! | `# TYPE name gauge` | a name that sounds like a counter's (`pool_count`) becomes `pool_count_gauge` |
//! | `name_bucket{le="0.5"}`, `name_created`, what is of type `info` | nothing: a row without content |
//! | `NaN`, `+Inf`, `-Inf` | no value: a row without content |
//! | other comments, exemplars | nothing |
//! | `# EOF` | the end of a scrape |
//!
//! One scrape is one moment: a series that comes again begins the next scrape, one interval later where no time is
//! stated. All metrics of one label set in one scrape are one event: the first line of the set stands for it, and its
//! other lines are rows without content.

mod line;

#[cfg(test)]
mod tests;

use std::hash::BuildHasherDefault;

use hashbrown::{HashMap, HashSet};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::lines::{Line, Lines};
use super::{Clock, Row, recycle, too_long, with_subject};
use crate::event::{Event, Finite, Label, Sample, Timestamp, Value};
use crate::keys::KeyHasher;
use crate::scorer::Problem;
use line::{Found, Series, Span};

/// A scrape with more lines, or with more bytes of names and labels, is read in parts.
const MOST_LINES: usize = 200_000;
const MOST_BYTES: usize = 32 << 20;

/// The reader of one input.
#[derive(Debug, Default)]
pub(crate) struct Prometheus {
    lines: Lines,
    rows: Rows,
}

impl Prometheus {
    pub(crate) fn read(&mut self, chunk: &[u8], clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Prometheus { lines, rows } = self;
        lines.read(chunk, |number, line| rows.line(number, &line, clock, each));
    }

    /// A scrape is written in one go, so one that pauses is whole.
    pub(crate) fn flush(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        self.rows.scrape.end(clock, each);
    }

    pub(crate) fn finish(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Prometheus { lines, rows } = self;
        lines.finish(|number, line| rows.line(number, &line, clock, each));
        rows.scrape.end(clock, each);
    }
}

#[derive(Debug, Default)]
struct Rows {
    series: Series,
    scrape: Scrape,
}

impl Rows {
    fn line(&mut self, number: u64, line: &Line<'_>, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let pending = match line {
            Line::TooLong => Pending::Bad(too_long(number)),
            Line::Whole(line) => match self.series.read(line) {
                Ok(found @ (Found::Value(_) | Found::Gap)) => {
                    let labels = self.series.label_key();
                    let series = xxh3_64_with_seed(self.series.metric().as_bytes(), labels);
                    if !self.scrape.seen.insert(series) {
                        self.scrape.end(clock, each);
                        self.scrape.seen.insert(series);
                    }
                    match found {
                        Found::Value(value) => self.scrape.take(&self.series, labels, value),
                        _ => Pending::Blank,
                    }
                }
                Ok(Found::Nothing) => Pending::Blank,
                Ok(Found::End) => {
                    self.scrape.lines.push(Pending::Blank);
                    self.scrape.end(clock, each);
                    return;
                }
                Err(fault) => Pending::Bad(Problem {
                    line: number,
                    field: fault.field,
                    message: fault.message,
                }),
            },
        };
        self.scrape.lines.push(pending);
        if self.scrape.lines.len() >= MOST_LINES || self.scrape.text.len() >= MOST_BYTES {
            self.scrape.end(clock, each);
        }
    }
}

/// What has come of a scrape: it is handed on when it is whole.
#[derive(Debug, Default)]
struct Scrape {
    lines: Vec<Pending>,
    points: Vec<Point>,
    groups: Vec<Group>,
    /// The names and labels of the points, one after the other.
    text: String,
    labels: Vec<(Span, Span)>,
    /// The series of this scrape, and the group of each label set; never iterated.
    seen: HashSet<u64, BuildHasherDefault<KeyHasher>>,
    by_labels: HashMap<u64, usize, BuildHasherDefault<KeyHasher>>,
    sample_labels: Vec<Label<'static>>,
    sample_values: Vec<Value<'static>>,
}

/// A line of the scrape.
#[derive(Debug)]
enum Pending {
    Blank,
    /// The first of a label set.
    Group(usize),
    Bad(Problem),
}

#[derive(Debug)]
struct Group {
    time: Option<Timestamp>,
    /// Where its labels are.
    labels: (usize, usize),
    first: usize,
    last: usize,
}

#[derive(Debug)]
struct Point {
    metric: Span,
    value: Finite,
    /// The next one of the same group.
    next: Option<usize>,
}

impl Scrape {
    fn take(&mut self, series: &Series, labels: u64, value: Finite) -> Pending {
        // Times that differ are different moments, also within a scrape, as in a federated one.
        let key = series
            .time
            .map_or(labels, |time| xxh3_64_with_seed(&time.nanos().to_le_bytes(), labels));
        let metric = self.keep(series.metric());
        let at = self.points.len();
        self.points.push(Point {
            metric,
            value,
            next: None,
        });
        let known = self.by_labels.get(&key).copied();
        if let Some(group) = known.and_then(|group| self.groups.get_mut(group)) {
            if let Some(last) = self.points.get_mut(group.last) {
                last.next = Some(at);
            }
            group.last = at;
            return Pending::Blank;
        }
        let start = self.labels.len();
        for (name, label) in series.labels() {
            let label = (self.keep(name), self.keep(label));
            self.labels.push(label);
        }
        self.by_labels.insert(key, self.groups.len());
        self.groups.push(Group {
            time: series.time,
            labels: (start, self.labels.len()),
            first: at,
            last: at,
        });
        Pending::Group(self.groups.len() - 1)
    }

    fn keep(&mut self, text: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(text);
        (start, self.text.len())
    }

    /// The scrape is whole: hands on its lines.
    fn end(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let mut moment = None;
        let mut lines = std::mem::take(&mut self.lines);
        for line in lines.drain(..) {
            match line {
                Pending::Blank => each(Row::Blank),
                Pending::Bad(problem) => each(Row::Bad(problem)),
                Pending::Group(group) => self.hand_on(group, &mut moment, clock, each),
            }
        }
        self.lines = lines;
        self.points.clear();
        self.groups.clear();
        self.text.clear();
        self.labels.clear();
        self.seen.clear();
        self.by_labels.clear();
    }

    fn hand_on(
        &mut self,
        group: usize,
        moment: &mut Option<Timestamp>,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        let Some(group) = self.groups.get(group) else {
            return;
        };
        let text = |(start, end): Span| self.text.get(start..end).unwrap_or_default();
        let mut labels: Vec<Label<'_>> = std::mem::take(&mut self.sample_labels);
        let spans = self.labels.get(group.labels.0..group.labels.1).unwrap_or_default();
        labels.extend(spans.iter().map(|(name, value)| Label {
            name: text(*name),
            value: text(*value),
        }));
        let mut values: Vec<Value<'_>> = std::mem::take(&mut self.sample_values);
        let mut next = Some(group.first);
        while let Some(point) = next.and_then(|at| self.points.get(at)) {
            values.push(Value {
                metric: text(point.metric),
                value: point.value,
            });
            next = point.next;
        }
        let time = match group.time {
            Some(time) => clock.time(Some(time)),
            // One scrape is one moment, however many of its lines do not say which.
            None => *moment.get_or_insert_with(|| clock.time(None)),
        };
        with_subject(&labels, |subject| {
            each(Row::Event(Event::Sample(Sample {
                time,
                subject,
                values: &values,
            })));
        });
        self.sample_labels = recycle(labels);
        self.sample_values = recycle(values);
    }
}
