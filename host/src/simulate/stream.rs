//! One kind of what the shop sends, or all of it, in the order of time.

use super::exchanges::Exchanges;
use super::plan::{Plan, usual_demand, usual_requests_per_second};
use super::{Moment, Simulation, TICK, exchanges, logs, rows};

/// What a stream is made of, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Single requests.
    Requests(exchanges::Form),
    /// Rows of metrics.
    Metrics(rows::Form),
    /// Log lines.
    Logs(logs::Form),
    /// All three, as one JSON object a line.
    All,
}

/// The shop, seen through what it sends.
pub struct Stream {
    simulation: Simulation,
    exchanges: Exchanges,
    content: Content,
    /// Unix microseconds of the first moment that is not written.
    end: i64,
    scratch: [Batch; 3],
}

/// Lines, each with its moment.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Unix microseconds, and where the line ends.
    ends: Vec<(i64, usize)>,
}

const SECOND: i64 = 1_000_000;

impl Stream {
    /// A stream that follows a plan, with so many requests a second, or log
    /// lines where only these are asked for, on average over a week. What
    /// ends later than `seconds` after the start is left out.
    pub fn new(mut plan: Plan, content: Content, rate: f64, seconds: i64) -> Self {
        if let Content::Logs(_) = content {
            plan.verbosity = rate / logs::usual_lines_per_second(usual_demand());
        } else {
            plan.scale = rate / usual_requests_per_second();
        }
        Self {
            exchanges: Exchanges::new(&plan),
            end: (plan.start + seconds) * SECOND,
            simulation: Simulation::new(plan),
            content,
            scratch: Default::default(),
        }
    }

    /// What stands above the first line.
    pub fn header(&self) -> Vec<u8> {
        let mut header = Vec::new();
        if self.content == Content::Metrics(rows::Form::Csv) {
            rows::header(&mut header);
        }
        header
    }

    /// Replaces `batch` with the lines of the next tick, or returns false at
    /// the end.
    pub fn tick(&mut self, batch: &mut Batch) -> bool {
        batch.clear();
        let Some(moment) = self.simulation.step() else {
            return false;
        };
        match self.content {
            Content::Requests(form) => self.requests(form, &moment, batch),
            Content::Metrics(form) => self.metrics(form, &moment, batch),
            Content::Logs(form) => self.logs(form, &moment, batch),
            Content::All => {
                let [mut lines, mut requests, mut rows] = std::mem::take(&mut self.scratch);
                self.logs(logs::Form::Json, &moment, &mut lines);
                self.requests(exchanges::Form::EnvoyJson, &moment, &mut requests);
                self.metrics(rows::Form::Ndjson, &moment, &mut rows);
                batch.merge(&[&lines, &requests, &rows]);
                self.scratch = [lines, requests, rows];
            }
        }
        batch.cut(self.end);
        true
    }

    /// The part of the stream that is done, from 0 to 1.
    pub fn progress(&self) -> f64 {
        self.simulation.progress()
    }

    fn logs(&mut self, form: logs::Form, moment: &Moment, batch: &mut Batch) {
        batch.clear();
        self.simulation.say(moment, form, &mut batch.bytes);
        let newlines = batch.bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let times = self.simulation.log.offsets();
        let ends = newlines.zip(times).map(|((position, _), offset)| {
            let time = moment.from * SECOND + i64::from(offset) * 1000;
            (time, position + 1)
        });
        batch.ends.extend(ends);
    }

    fn requests(&mut self, form: exchanges::Form, moment: &Moment, batch: &mut Batch) {
        batch.clear();
        let samples = &self.simulation.routes.samples;
        self.exchanges.step(&moment.conditions, samples, moment.from);
        let Batch { bytes, ends } = batch;
        let until = moment.from + TICK;
        self.exchanges
            .write(form, bytes, &moment.calendar, until, |time, bytes| {
                ends.push((time, bytes.len()));
            });
    }

    fn metrics(&mut self, form: rows::Form, moment: &Moment, batch: &mut Batch) {
        batch.clear();
        self.simulation.report(moment, form, &mut batch.bytes);
        // Rows say what was in the time before them: the one at the end still
        // belongs to the stream.
        let time = (moment.from + TICK) * SECOND - 1;
        let newlines = batch.bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        batch.ends.extend(newlines.map(|(position, _)| (time, position + 1)));
    }
}

impl Batch {
    /// All lines.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many lines there are.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// Each line, newline included, with its moment in unix microseconds.
    pub fn lines(&self) -> impl Iterator<Item = (i64, &[u8])> {
        self.ends.iter().enumerate().map(|(position, &(time, end))| {
            let start = position.checked_sub(1).map_or(0, |before| self.ends[before].1);
            (time, &self.bytes[start..end])
        })
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn merge(&mut self, parts: &[&Batch]) {
        self.clear();
        let mut lines: Vec<_> = parts.iter().flat_map(|part| part.lines()).collect();
        lines.sort_by_key(|(time, _)| *time);
        for (time, line) in lines {
            self.bytes.extend_from_slice(line);
            self.ends.push((time, self.bytes.len()));
        }
    }

    /// Leaves out what is not before `end`.
    fn cut(&mut self, end: i64) {
        let kept = self.ends.partition_point(|(time, _)| *time < end);
        self.ends.truncate(kept);
        self.bytes.truncate(self.ends.last().map_or(0, |(_, length)| *length));
    }
}

#[cfg(test)]
mod tests;
