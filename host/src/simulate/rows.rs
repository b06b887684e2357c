//! Rows of metrics, as JSON or as CSV.

use super::wire::{self, Calendar};

/// How rows of metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One object a line, with the metrics the row has.
    Ndjson,
    /// One table for processes and routes, where a cell is empty that does
    /// not concern a row.
    Csv,
}

/// Every metric, in the order in which rows have them.
const COLUMNS: [&str; 10] = [
    "gc_pause_ms",
    "memory_bytes",
    "cpu_ratio",
    "open_connections",
    "queue_depth",
    "threads",
    "requests_per_second",
    "error_ratio",
    "latency_p50_ms",
    "latency_p99_ms",
];

/// The names of the columns, as the first line of a file of them.
pub(super) fn header(out: &mut Vec<u8>) {
    out.extend_from_slice(b"timestamp,service,route");
    for column in COLUMNS {
        out.push(b',');
        out.extend_from_slice(column.as_bytes());
    }
    out.push(b'\n');
}

/// The row that is being written.
pub(super) struct Metrics<'a> {
    out: &'a mut Vec<u8>,
    form: Form,
    /// How many of the columns are behind.
    passed: usize,
    separator: &'static [u8],
}

impl<'a> Metrics<'a> {
    pub(super) fn open(
        out: &'a mut Vec<u8>,
        form: Form,
        calendar: &Calendar,
        now: i64,
        service: &str,
        route: Option<&str>,
    ) -> Self {
        match form {
            Form::Ndjson => {
                calendar.open(out, now, None, service);
                if let Some(route) = route {
                    out.extend_from_slice(b",\"route\":\"");
                    out.extend_from_slice(route.as_bytes());
                    out.push(b'"');
                }
                out.extend_from_slice(b",\"metrics\":{");
            }
            Form::Csv => {
                calendar.stamp(out, now, None);
                out.push(b',');
                out.extend_from_slice(service.as_bytes());
                out.push(b',');
                out.extend_from_slice(route.unwrap_or_default().as_bytes());
            }
        }
        Self {
            out,
            form,
            passed: 0,
            separator: b"\"",
        }
    }

    pub(super) fn count(&mut self, name: &str, value: u64) {
        self.key(name);
        wire::integer(self.out, value);
    }

    /// A measurement rounded to `places` decimals, as an exporter would.
    pub(super) fn gauge(&mut self, name: &str, value: f64, places: u32) {
        self.key(name);
        wire::decimal(self.out, value, places);
    }

    pub(super) fn close(self) {
        match self.form {
            Form::Ndjson => self.out.extend_from_slice(b"}}\n"),
            Form::Csv => {
                self.out.extend(std::iter::repeat_n(b',', COLUMNS.len() - self.passed));
                self.out.push(b'\n');
            }
        }
    }

    fn key(&mut self, name: &str) {
        match self.form {
            Form::Ndjson => {
                self.out.extend_from_slice(self.separator);
                self.out.extend_from_slice(name.as_bytes());
                self.out.extend_from_slice(b"\":");
                self.separator = b",\"";
            }
            Form::Csv => {
                let to_come = &COLUMNS[self.passed..];
                let skipped = to_come
                    .iter()
                    .position(|column| *column == name)
                    .expect("every metric is a column, and rows have them in the order of the columns");
                self.passed += skipped + 1;
                self.out.extend(std::iter::repeat_n(b',', skipped + 1));
            }
        }
    }
}
