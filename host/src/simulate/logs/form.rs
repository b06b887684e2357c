//! The forms in which a log line can be written.

use super::super::shop::Service;
use super::super::wire::{self, Calendar};
use super::Level;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One object a line: timestamp, service, level, message.
    Json,
    /// `time=... level=info service=cart msg="..."`
    Logfmt,
    /// RFC 5424, from one host for each service.
    Syslog,
    /// `2026-11-20T09:00:00.123Z INFO service=cart ...`
    Text,
    /// A line as a string within an object that says whose it is and how to
    /// read it: of `json` from some services, of `kv` from the others.
    Envelope,
}

/// A line, with everything known of it.
pub(super) struct Said<'a> {
    pub(super) second: i64,
    pub(super) millisecond: u32,
    pub(super) service: Service,
    pub(super) level: Level,
    pub(super) message: &'a [u8],
    /// The time that it speaks of.
    pub(super) duration_ms: Option<u64>,
}

impl Said<'_> {
    pub(super) fn write(&self, form: Form, calendar: &Calendar, out: &mut Vec<u8>) {
        match form {
            Form::Json => {
                calendar.open(out, self.second, Some(self.millisecond), self.name());
                out.extend_from_slice(b",\"level\":\"");
                out.extend_from_slice(self.level.lower());
                out.extend_from_slice(b"\",\"message\":\"");
                wire::quoted(out, self.message);
                out.extend_from_slice(b"\"}");
            }
            Form::Logfmt => {
                out.extend_from_slice(b"time=");
                self.stamp(calendar, out);
                out.extend_from_slice(b" level=");
                out.extend_from_slice(self.level.lower());
                out.extend_from_slice(b" service=");
                out.extend_from_slice(self.name().as_bytes());
                out.extend_from_slice(b" msg=\"");
                wire::quoted(out, self.message);
                out.push(b'"');
            }
            Form::Syslog => {
                // Facility local0.
                out.push(b'<');
                wire::integer(out, 128 + self.level.syslog());
                out.extend_from_slice(b">1 ");
                self.stamp(calendar, out);
                out.push(b' ');
                out.extend_from_slice(self.name().as_bytes());
                out.extend_from_slice(b"-1 ");
                out.extend_from_slice(self.name().as_bytes());
                out.push(b' ');
                wire::integer(out, 4_100 + 17 * self.service as u64);
                out.extend_from_slice(b" - - ");
                out.extend_from_slice(self.message);
            }
            Form::Text => {
                self.stamp(calendar, out);
                out.push(b' ');
                out.extend_from_slice(self.level.upper());
                out.extend_from_slice(b" service=");
                out.extend_from_slice(self.name().as_bytes());
                out.push(b' ');
                out.extend_from_slice(self.message);
            }
            Form::Envelope => self.envelope(calendar, out),
        }
        out.push(b'\n');
    }

    fn envelope(&self, calendar: &Calendar, out: &mut Vec<u8>) {
        // What speaks JSON in a shop like this are the newer services.
        let (source, is_json) = match self.service {
            Service::Gateway => ("envoy", true),
            Service::Postgres => ("postgresql", false),
            Service::Orders | Service::Inventory => ("application", false),
            _ => ("application", true),
        };
        let measure: &[u8] = match self.service {
            Service::Postgres => b"query_time_ms",
            _ => b"response_time",
        };
        let mut raw = Vec::with_capacity(self.message.len() + 96);
        if is_json {
            raw.extend_from_slice(b"{\"timestamp\":\"");
            self.stamp(calendar, &mut raw);
            raw.extend_from_slice(b"\",\"level\":\"");
            raw.extend_from_slice(self.level.upper());
            if let Some(duration) = self.duration_ms {
                raw.extend_from_slice(b"\",\"");
                raw.extend_from_slice(measure);
                raw.extend_from_slice(b"\":");
                wire::integer(&mut raw, duration);
                raw.extend_from_slice(b",\"message\":\"");
            } else {
                raw.extend_from_slice(b"\",\"message\":\"");
            }
            wire::quoted(&mut raw, self.message);
            raw.extend_from_slice(b"\"}");
        } else {
            raw.extend_from_slice(b"timestamp=");
            self.stamp(calendar, &mut raw);
            raw.extend_from_slice(b" level=");
            raw.extend_from_slice(self.level.upper());
            if let Some(duration) = self.duration_ms {
                raw.push(b' ');
                raw.extend_from_slice(measure);
                raw.push(b'=');
                wire::integer(&mut raw, duration);
            }
            raw.extend_from_slice(b" message=\"");
            wire::quoted(&mut raw, self.message);
            raw.push(b'"');
        }
        out.extend_from_slice(b"{\"raw_log\":\"");
        wire::quoted(out, &raw);
        out.extend_from_slice(b"\",\"service\":\"");
        out.extend_from_slice(self.name().as_bytes());
        out.extend_from_slice(b"\",\"source\":\"");
        out.extend_from_slice(source.as_bytes());
        out.extend_from_slice(b"\",\"format_type\":\"");
        out.extend_from_slice(if is_json { b"json" } else { b"kv" });
        out.extend_from_slice(b"\"}");
    }

    fn name(&self) -> &'static str {
        self.service.profile().name
    }

    fn stamp(&self, calendar: &Calendar, out: &mut Vec<u8>) {
        calendar.stamp(out, self.second, Some(self.millisecond));
    }
}

impl Level {
    fn lower(self) -> &'static [u8] {
        match self {
            Level::Debug => b"debug",
            Level::Info => b"info",
            Level::Warn => b"warn",
            Level::Error => b"error",
        }
    }

    fn upper(self) -> &'static [u8] {
        match self {
            Level::Debug => b"DEBUG",
            Level::Info => b"INFO",
            Level::Warn => b"WARN",
            Level::Error => b"ERROR",
        }
    }

    /// The severity in numbers of RFC 5424.
    fn syslog(self) -> u64 {
        match self {
            Level::Debug => 7,
            Level::Info => 6,
            Level::Warn => 4,
            Level::Error => 3,
        }
    }
}
