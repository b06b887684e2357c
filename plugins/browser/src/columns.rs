//! What was seen as columns: one entry an event, and the values of all of them in long form.

use js_sys::{Float64Array, Object, Reflect, Uint8Array, Uint32Array};
use wasm_bindgen::JsValue;
use watchpost_detector::{Event, Finite, Group, Level, Request, State, Verdict};

use crate::names::{NONE, Names};

/// Columns that grow until they are taken.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    row: Vec<u32>,
    time: Vec<f64>,
    surprise: Vec<f64>,
    flags: Vec<u8>,
    subject: Vec<u32>,
    group: Vec<u32>,
    value_event: Vec<u32>,
    value_series: Vec<u32>,
    value: Vec<f64>,
}

const ANOMALOUS: u8 = 1;
const ONSET: u8 = 2;
const FAILED: u8 = 4;
const SAMPLE: u8 = 8;
const LINE: u8 = 16;
const REQUEST: u8 = 32;

impl Columns {
    /// Adds an event.
    pub(crate) fn add(
        &mut self,
        row: u64,
        event: &Event<'_>,
        verdict: &Verdict,
        group: Option<Group<'_>>,
        names: &mut Names,
    ) {
        let state = match verdict.state {
            State::Anomalous { onset: true } => ANOMALOUS | ONSET,
            State::Anomalous { onset: false } => ANOMALOUS,
            State::Learning | State::Normal => 0,
        };
        let (subject, kind) = match event {
            Event::Sample(sample) => (sample.subject, SAMPLE),
            Event::Log(record) => (
                record.subject,
                LINE | failed(record.level.is_some_and(|level| level >= Level::Error)),
            ),
            Event::Request(request) => (
                request.subject,
                REQUEST | failed(request.status.is_none_or(|status| status >= 500)),
            ),
        };
        let subject = names.subject(&subject);
        match event {
            Event::Sample(sample) => {
                for value in sample.values {
                    self.value(subject, value.metric, value.value, names);
                }
            }
            Event::Log(record) => {
                for value in record.fields {
                    self.value(subject, value.metric, value.value, names);
                }
            }
            Event::Request(Request { duration, bytes, .. }) => {
                for (metric, value) in [("duration_ms", duration), ("bytes", bytes)] {
                    if let Some(value) = value {
                        self.value(subject, metric, *value, names);
                    }
                }
            }
        }
        self.row.push(u32::try_from(row).unwrap_or(u32::MAX));
        self.time.push(event.time().nanos() as f64 / 1e6);
        self.surprise.push(verdict.surprise);
        self.flags.push(state | kind);
        self.subject.push(subject);
        self.group.push(group.map_or(NONE, |group| names.group(subject, group)));
    }

    /// A value of the event that is being added.
    fn value(&mut self, subject: u32, metric: &str, value: Finite, names: &mut Names) {
        if let Some(series) = names.series(subject, metric) {
            self.value_event.push(self.row.len() as u32);
            self.value_series.push(series);
            self.value.push(value.value());
        }
    }

    /// What there is as an object of typed arrays, which are copies; and nothing is left.
    pub(crate) fn take(&mut self) -> Result<Object, JsValue> {
        let columns = Object::new();
        for (name, column) in [
            ("row", &mut self.row),
            ("subject", &mut self.subject),
            ("group", &mut self.group),
            ("value_event", &mut self.value_event),
            ("value_series", &mut self.value_series),
        ] {
            Reflect::set(&columns, &name.into(), &Uint32Array::from(column.as_slice()))?;
            column.clear();
        }
        for (name, column) in [
            ("time", &mut self.time),
            ("surprise", &mut self.surprise),
            ("value", &mut self.value),
        ] {
            Reflect::set(&columns, &name.into(), &Float64Array::from(column.as_slice()))?;
            column.clear();
        }
        Reflect::set(&columns, &"flags".into(), &Uint8Array::from(self.flags.as_slice()))?;
        self.flags.clear();
        Ok(columns)
    }
}

fn failed(failed: bool) -> u8 {
    if failed { FAILED } else { 0 }
}
