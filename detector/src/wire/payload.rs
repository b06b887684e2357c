//! The text inside another format: of a container's line, a syslog message, an envelope, a journal entry. It is itself
//! JSON, logfmt, an access log or plain text; what it does not say is taken from outside.

#[cfg(test)]
mod tests;

use super::json::Scan;
use super::ndjson::{self, Objects};
use super::record::{Buffers, Record, hand_on};
use super::text::{ESCAPE, prefix, without_colours};
use super::{Clock, Row, access, envoy, logfmt, service, with_subject};
use crate::event::{Event, Label, Level, LogRecord, Timestamp};
use crate::scorer::Input;

/// What is known of a text from outside it. The text's own time, level, service and session win.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Outer<'a> {
    pub(super) time: Option<Timestamp>,
    pub(super) level: Option<Level>,
    pub(super) service: Option<&'a str>,
    pub(super) session: Option<&'a str>,
    /// Whether its level and its service are known for certain, also that there is none: then the text's do not win.
    pub(super) settled: bool,
}

impl<'a> Outer<'a> {
    /// The level of a text that says this one.
    pub(super) fn level_or(&self, said: Option<Level>) -> Option<Level> {
        match self.settled {
            true => self.level.or(said),
            false => said.or(self.level),
        }
    }

    /// The service of pairs that name this one.
    pub(super) fn service_or(&self, said: Option<&'a str>) -> Option<&'a str> {
        match self.settled {
            true => self.service.or(said),
            false => said.or(self.service),
        }
    }
}

/// Reads payloads; what is kept from text to text is only memory, no content.
#[derive(Debug)]
pub(super) struct Payload {
    year: i16,
    /// How many texts this one is in.
    depth: u8,
    joined: String,
    plain: String,
    scan: Scan,
    buffers: Buffers,
    /// Made when the first text comes that may be JSON.
    objects: Option<Box<Objects>>,
}

/// JSON in JSON in JSON is a text.
const DEEPEST: u8 = 2;

impl Payload {
    /// `year` is that of times that name none ([`Input::year`]).
    pub(super) fn new(year: i16) -> Self {
        Self::at(0, year)
    }

    fn at(depth: u8, year: i16) -> Self {
        Payload {
            year,
            depth,
            joined: String::new(),
            plain: String::new(),
            scan: Scan::default(),
            buffers: Buffers::default(),
            objects: None,
        }
    }

    /// Reads a text, which may be of several lines that have been joined, and hands on exactly one row. `line` is the
    /// number of its first line, for problems.
    pub(super) fn read(
        &mut self,
        text: &str,
        outer: &Outer<'_>,
        line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        if memchr::memchr(ESCAPE, text.as_bytes()).is_some() {
            let mut plain = std::mem::take(&mut self.plain);
            without_colours(text, &mut plain);
            self.read_plain(&plain, outer, line, clock, each);
            self.plain = plain;
        } else {
            self.read_plain(text, outer, line, clock, each);
        }
    }

    fn read_plain(
        &mut self,
        text: &str,
        outer: &Outer<'_>,
        line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        let text = text.trim_end();
        if text.is_empty() {
            clock.pass(outer.time);
            each(Row::Blank);
            return;
        }
        if self.structured(text, outer, line, clock, each) {
            return;
        }
        if let Some(exchange) = envoy::read(text).or_else(|| access::read(text)) {
            hand_on(&exchange, outer, clock, each);
            return;
        }
        let parts = prefix::read(text, self.year);
        // A stamp and a service may stand before a structured text, too.
        if parts.message.len() < text.len() && parts.before.is_empty() {
            let outer = Outer {
                time: parts.time.or(outer.time),
                level: level_of(&parts, outer),
                service: service_of(&parts, outer),
                ..*outer
            };
            if self.structured(parts.message, &outer, line, clock, each) {
                return;
            }
        }
        let message = if parts.before.is_empty() {
            parts.message
        } else {
            self.joined.clear();
            self.joined.push_str(parts.before);
            self.joined.push_str(parts.message);
            &self.joined
        };
        let label = service_of(&parts, outer).map(|value| Label { name: "service", value });
        let time = clock.time(parts.time.or(outer.time));
        with_subject(label.as_slice(), |subject| {
            each(Row::Event(Event::Log(LogRecord {
                time,
                subject,
                level: level_of(&parts, outer),
                message,
                session: outer.session,
                fields: &[],
            })));
        });
    }

    /// Reads a text of pairs. Nothing is handed on where it is none.
    fn structured(
        &mut self,
        text: &str,
        outer: &Outer<'_>,
        line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) -> bool {
        if text.starts_with('{') && text.ends_with('}') && self.depth < DEEPEST {
            let (depth, year) = (self.depth + 1, self.year);
            let objects = self
                .objects
                .get_or_insert_with(|| Box::new(Objects::within(Payload::at(depth, year), year)));
            return objects.one(text, outer, line, clock, each);
        }
        if logfmt::read(text, &mut self.scan).is_none() {
            return false;
        }
        let mut record = Record::new(std::mem::take(&mut self.buffers));
        ndjson::fill(&mut record, &self.scan, text);
        record.emit_or(Some(text), outer, line, clock, each);
        self.buffers = record.into_buffers();
        true
    }
}

/// The level of a plain text.
fn level_of(parts: &prefix::Parts<'_>, outer: &Outer<'_>) -> Option<Level> {
    match parts.guessed {
        true => outer.level.or(parts.level),
        false => outer.level_or(parts.level),
    }
}

/// The service of a plain text, which may only mention one.
fn service_of<'a>(parts: &prefix::Parts<'a>, outer: &Outer<'a>) -> Option<&'a str> {
    match outer.settled {
        true => outer.service,
        false => parts.service.or(outer.service),
    }
}

/// The service of a file that holds the log of one container, as Kubernetes names them:
/// `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/0.log` and `/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log`.
///
/// It is the container's name, unless that is one of those that say nothing: then the pod's, without its hashes.
pub(super) fn service_of_source(input: &Input) -> Option<String> {
    let source = input.source.as_deref()?;
    let (pod, container) = pod_of_path(source)?;
    if service::says_nothing(container) && !pod.is_empty() {
        return Some(service::of_pod(pod).to_owned());
    }
    Some(container.to_owned())
}

fn pod_of_path(path: &str) -> Option<(&str, &str)> {
    let mut parts = path.rsplit(['/', '\\']);
    let file = parts.next()?;
    let folder = parts.next()?;
    if folder == "containers" {
        let name = file.split(".log").next()?;
        let (pod, rest) = name.split_once('_')?;
        let (_namespace, rest) = rest.split_once('_')?;
        let (container, id) = rest.rsplit_once('-')?;
        let is_id = id.len() >= 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        return (is_id && !container.is_empty()).then_some((pod, container));
    }
    let pod = parts.next()?;
    let mut words = pod.split('_');
    let (_namespace, pod, id) = (words.next()?, words.next()?, words.next()?);
    let is_log = file.bytes().next()?.is_ascii_digit() && file.contains(".log");
    let is_pods = parts.next() == Some("pods");
    (is_log && is_pods && !id.is_empty() && !folder.is_empty()).then_some((pod, folder))
}
