//! The text inside another format: of a container's line, a syslog message, an envelope, a journal entry. It is itself
//! JSON, logfmt, an access log or plain text; what it does not say is taken from outside.

use super::record::hand_on;
use super::text::prefix;
use super::{Clock, Row, access, envoy, with_subject};
use crate::event::{Event, Label, Level, LogRecord, Timestamp};

/// What is known of a text from outside it. The text's own time, level, service and session win.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Outer<'a> {
    pub(super) time: Option<Timestamp>,
    pub(super) level: Option<Level>,
    pub(super) service: Option<&'a str>,
    pub(super) session: Option<&'a str>,
}

/// Reads payloads; what is kept from text to text is only memory, no content.
#[derive(Debug)]
pub(super) struct Payload {
    year: i16,
    joined: String,
}

impl Payload {
    /// `year` is that of times that name none ([`Input::year`](crate::Input::year)).
    pub(super) fn new(year: i16) -> Self {
        Payload {
            year,
            joined: String::new(),
        }
    }

    /// Reads a text, which may be of several lines that have been joined, and hands on exactly one row. `line` is the
    /// number of its first line, for problems.
    pub(super) fn read(
        &mut self,
        text: &str,
        outer: &Outer<'_>,
        _line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        let text = text.trim_end();
        if text.is_empty() {
            clock.pass(outer.time);
            each(Row::Blank);
            return;
        }
        if let Some(exchange) = envoy::read(text).or_else(|| access::read(text)) {
            hand_on(&exchange, outer, clock, each);
            return;
        }
        let parts = prefix::read(text, self.year);
        let message = if parts.before.is_empty() {
            parts.message
        } else {
            self.joined.clear();
            self.joined.push_str(parts.before);
            self.joined.push_str(parts.message);
            &self.joined
        };
        let label = parts.service.or(outer.service).map(|value| Label { name: "service", value });
        let time = clock.time(parts.time.or(outer.time));
        with_subject(label.as_slice(), |subject| {
            each(Row::Event(Event::Log(LogRecord {
                time,
                subject,
                level: parts.level.or(outer.level),
                message,
                session: outer.session,
                fields: &[],
            })));
        });
    }
}
