//! OTLP in JSON: logs and metrics, as the collector's file exporter and `otlphttp` write them.

use super::payload::Outer;
use super::{Clock, Row};

/// What is kept from object to object: only memory, no content.
#[derive(Debug, Default)]
pub(super) struct Otlp {}

impl Otlp {
    /// Reads one whole export object, `{"resourceLogs": […]}` or `{"resourceMetrics": […]}` (also in snake case), that
    /// begins on this line: a row for each record and for each point or set of points.
    pub(super) fn read(
        &mut self,
        _object: &str,
        _outer: &Outer<'_>,
        _line: u64,
        _clock: &mut Clock,
        _each: &mut dyn FnMut(Row<'_>),
    ) {
    }
}
