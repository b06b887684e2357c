//! Lines to records: what stands around a line is taken off, and lines that belong together are joined.

use super::join::{self, Above, Belongs};
use super::prefix::Parts;
use super::{level, prefix};
use crate::event::{Event, Label, Level, LogRecord, Subject, Timestamp};
use crate::scorer::Input;
use crate::wire::payload::{Outer, Payload, service_of_source};
use crate::wire::record::hand_on;
use crate::wire::{Clock, Format, MAX_LINE_BYTES, Row, access, envoy, kubernetes, syslog};

/// A record that has more lines is handed on, and the others only continue it.
const MAX_LINES: u64 = 500;

/// How many sources can have a record each that is not complete.
const MAX_SOURCES: usize = 8;

/// A record is complete when so many lines of other sources have come since its last one.
const MAX_OTHERS: u64 = 16;

/// The records of one input that are not complete yet, one for each source.
#[derive(Debug)]
pub(super) struct Records {
    layers: Layers,
    year: i16,
    /// Lines without a time so far.
    undated: u8,
    payload: Payload,
    /// The service of the file, where its name tells one.
    service: Option<String>,
    joined: String,
    open: Vec<Record>,
    /// How many lines that only perhaps continue a record may still do so: few where most lines have no time.
    credit: i32,
    /// How many events have been handed on.
    events: u64,
}

/// What stands around the text of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layers {
    /// Nothing, and every line is a log line.
    Text,
    /// Nothing, and a line may be a request.
    Exchanges,
    /// A header.
    Syslog,
    /// What a container's runtime writes before its lines.
    Containers,
}

/// A record, of which more lines may come.
#[derive(Debug, Default)]
struct Record {
    source: String,
    text: String,
    time: Option<Timestamp>,
    level: Option<Level>,
    /// Empty where there is none.
    service: String,
    /// Where the parts of its first line are, if they have been taken apart already.
    spans: Option<Spans>,
    above: Above,
    /// The number of its first line, and of its last one.
    first: u64,
    last: u64,
    lines: u64,
    /// How many of its lines go on in the middle of the one before.
    splits: u64,
    blanks: u64,
    /// The next line goes on where the last one stopped.
    partial: bool,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// Only memory.
    #[default]
    Free,
    Open,
    /// Handed on, as this event of the input: while it is the last one, further lines can continue it.
    Gone(u64),
}

/// One line without what stands around its text.
#[derive(Debug, Clone, Copy)]
struct Bare<'a> {
    source: &'a str,
    time: Option<Timestamp>,
    level: Option<Level>,
    service: Option<&'a str>,
    text: &'a str,
    partial: bool,
}

/// In so many lines, a time is looked for that may lack its year.
const MOST_UNDATED: u8 = 100;

impl Records {
    pub(super) fn new(input: &Input) -> Self {
        Records {
            layers: match input.format {
                Format::Access | Format::Envoy => Layers::Exchanges,
                Format::Syslog => Layers::Syslog,
                Format::Kubernetes => Layers::Containers,
                _ => Layers::Text,
            },
            year: input.year,
            undated: 0,
            payload: Payload::new(input.year),
            service: service_of_source(input),
            joined: String::new(),
            open: Vec::new(),
            credit: 0,
            events: 0,
        }
    }

    pub(super) fn line(&mut self, number: u64, line: &str, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        self.find_year(line, clock);
        let bare = self.bare(line);
        self.leave(number, bare.source, clock, each);
        let text = bare.text.trim_end();
        let at = self
            .open
            .iter()
            .position(|record| record.stage != Stage::Free && record.is_of(bare.source));
        if let Some(record) = at.and_then(|at| self.open.get_mut(at))
            && record.partial
            && record.stage == Stage::Open
        {
            record.go_on(number, "", bare.text, bare.partial);
            record.splits += 1;
            return;
        }
        if text.is_empty() && !bare.partial {
            if self.layers == Layers::Syslog && bare.text.len() < line.len() {
                // The header says that there is a message, and when.
                self.end(at, clock, each);
                self.empty(&bare, clock, each);
            } else {
                self.blank(at, each);
            }
            return;
        }
        if self.layers == Layers::Exchanges
            && let Some(exchange) = envoy::read(text).or_else(|| access::read(text))
        {
            self.end(at, clock, each);
            self.events += 1;
            let outer = Outer {
                service: bare.service.or(self.service.as_deref()),
                ..Outer::default()
            };
            hand_on(&exchange, &outer, clock, each);
            return;
        }
        let parts = match self.layers {
            Layers::Text if !text.starts_with([' ', '\t']) => Some(prefix::read(text, self.year)),
            _ => None,
        };
        let stamped = match &parts {
            Some(parts) => parts.stamped,
            None => prefix::is_stamped(text, self.year),
        };
        let belongs = match at.and_then(|at| self.open.get(at)) {
            Some(record) if !stamped && record.can_go_on(self.events) => {
                let blank = record.blanks > 0;
                join::belongs(text, Above { blank, ..record.above })
            }
            _ => Belongs::Apart,
        };
        let expects = match belongs {
            Belongs::Above(expects) => Some(expects),
            Belongs::Perhaps => {
                self.credit = (self.credit - 1).max(-64);
                let record = at.and_then(|at| self.open.get(at));
                record.filter(|_| self.credit >= 0).map(|record| record.above.expects)
            }
            Belongs::Apart => {
                let more = match (stamped, number) {
                    (true, 1) => 16,
                    (true, _) => 2,
                    (false, _) => -1,
                };
                self.credit = (self.credit + more).clamp(-64, 64);
                None
            }
        };
        if let (Some(expects), Some(at)) = (expects, at) {
            self.go_on(at, number, expects, &bare, clock, each);
            return;
        }
        self.end(at, clock, each);
        self.free(clock, each).begin(number, &bare, stamped, parts.as_ref());
    }

    /// Finds out from the first line with a time whether the times of the input name a year.
    fn find_year(&mut self, line: &str, clock: &mut Clock) {
        if self.undated >= MOST_UNDATED {
            return;
        }
        self.undated += 1;
        let time = |year| match self.layers {
            Layers::Syslog => syslog::read(line, year).and_then(|message| message.time),
            _ => prefix::read(line, year).time,
        };
        if let Some(found) = time(self.year) {
            self.undated = MOST_UNDATED;
            if time(self.year.saturating_sub(1)) != Some(found) {
                clock.assume_year(self.year);
            }
        }
    }

    /// Hands on every record that has its last line.
    pub(super) fn flush(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        for at in 0..self.open.len() {
            if self.open.get(at).is_some_and(|record| !record.partial) {
                self.hand_on(at, clock, each);
            }
        }
    }

    /// Hands on everything.
    pub(super) fn finish(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        // In the order of their first lines, which is that of the input.
        while let Some(at) = self.oldest(Record::is_open) {
            self.end(Some(at), clock, each);
        }
        for record in &mut self.open {
            record.stage = Stage::Free;
        }
    }

    /// Takes off what stands around a line.
    fn bare<'a>(&self, line: &'a str) -> Bare<'a> {
        let mut bare = Bare {
            source: "",
            time: None,
            level: None,
            service: None,
            text: line,
            partial: false,
        };
        let output = match self.layers {
            Layers::Containers => kubernetes::cri(line).or_else(|| kubernetes::prefixed(line)),
            _ => kubernetes::prefixed(line),
        };
        if let Some(output) = output {
            bare.source = output.source;
            bare.time = output.time;
            bare.service = output.service;
            bare.text = output.text;
            bare.partial = output.partial;
        } else if self.layers == Layers::Syslog
            && let Some(message) = syslog::read(line, self.year)
        {
            bare.source = message.service.unwrap_or_default();
            bare.time = message.time;
            bare.level = message.level;
            bare.service = message.service;
            bare.text = message.text;
        }
        bare
    }

    /// A blank line is part of a record when what comes after it is.
    fn blank(&mut self, at: Option<usize>, each: &mut dyn FnMut(Row<'_>)) {
        match at.and_then(|at| self.open.get_mut(at)) {
            Some(record) if record.stage == Stage::Open => record.blanks += 1,
            _ => each(Row::Blank),
        }
    }

    /// Hands on a record that has a header and no text.
    fn empty(&mut self, bare: &Bare<'_>, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        self.events += 1;
        let outer = Outer {
            time: bare.time,
            level: bare.level,
            service: bare.service.or(self.service.as_deref()),
            ..Outer::default()
        };
        log(&Parts::of_message(""), &outer, &mut self.joined, clock, each);
    }

    fn go_on(
        &mut self,
        at: usize,
        number: u64,
        expects: join::Expects,
        bare: &Bare<'_>,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        let Some(record) = self.open.get_mut(at) else {
            return;
        };
        record.above.expects = expects;
        if let Stage::Gone(_) = record.stage {
            record.last = number;
            each(Row::Continues);
            return;
        }
        for _ in 0..std::mem::take(&mut record.blanks) {
            record.go_on(number, "\n", "", false);
        }
        record.go_on(number, "\n", bare.text.trim_end(), bare.partial);
        if record.lines >= MAX_LINES {
            self.hand_on(at, clock, each);
        }
    }

    /// A record that no line can continue any more.
    fn end(&mut self, at: Option<usize>, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Some(at) = at else {
            return;
        };
        self.hand_on(at, clock, each);
        if let Some(record) = self.open.get_mut(at) {
            record.stage = Stage::Free;
        }
    }

    /// A line of this source comes: a record of another one waits on only when more of it is expected.
    fn leave(&mut self, number: u64, source: &str, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let is_left = |record: &Record| {
            record.stage == Stage::Open
                && !record.is_of(source)
                && (!record.expects_more() || number.saturating_sub(record.last + record.blanks) > MAX_OTHERS)
        };
        while let Some(at) = self.oldest(is_left) {
            self.end(Some(at), clock, each);
        }
    }

    /// The record that began first of those that are asked for.
    fn oldest(&self, is_asked: impl Fn(&Record) -> bool) -> Option<usize> {
        let open = self.open.iter().enumerate();
        open.filter(|(_, record)| is_asked(record))
            .min_by_key(|(_, record)| record.first)
            .map(|(at, _)| at)
    }

    /// Memory for one more record.
    fn free(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) -> &mut Record {
        let is_free = |record: &Record| record.stage == Stage::Free;
        let at = match self.open.iter().position(is_free) {
            Some(at) => at,
            None if self.open.len() < MAX_SOURCES => {
                self.open.push(Record::default());
                self.open.len() - 1
            }
            None => {
                let at = self.open.iter().position(|record| record.stage != Stage::Open);
                let at = at.or_else(|| self.oldest(Record::is_open)).unwrap_or_default();
                self.end(Some(at), clock, each);
                at
            }
        };
        self.open.get_mut(at).expect("this place was found or made above")
    }

    /// Hands on the event of a record and what is to be said of its further lines.
    fn hand_on(&mut self, at: usize, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let Some(record) = self.open.get_mut(at) else {
            return;
        };
        if record.stage != Stage::Open {
            return;
        }
        self.events += 1;
        record.stage = Stage::Gone(self.events);
        record.partial = false;
        let said = (!record.service.is_empty()).then_some(record.service.as_str());
        let outer = Outer {
            time: record.time,
            level: record.level.or_else(|| join::failure(&record.text, record.above)),
            service: said.or(self.service.as_deref()),
            ..Outer::default()
        };
        if self.layers == Layers::Text {
            let text = record.text.as_str();
            let mut parts = match &record.spans {
                Some(spans) => spans.parts(text),
                None => prefix::read(text, self.year),
            };
            if parts.level.is_none() && record.spans.is_some_and(|spans| spans.level_below) {
                let below = text.split('\n').nth(1).unwrap_or_default();
                parts.level = level::find(below, false).map(|found| found.level);
            }
            log(&parts, &outer, &mut self.joined, clock, each);
        } else {
            self.payload.read(&record.text, &outer, record.first, clock, each);
        }
        for _ in 1..record.lines {
            each(Row::Continues);
        }
        for _ in 0..std::mem::take(&mut record.blanks) {
            each(Row::Blank);
        }
    }
}

impl Record {
    fn begin(&mut self, number: u64, bare: &Bare<'_>, stamped: bool, parts: Option<&Parts<'_>>) {
        let text = if bare.partial { bare.text } else { bare.text.trim_end() };
        self.source.clear();
        self.source.push_str(bare.source);
        self.text.clear();
        self.text.push_str(text);
        self.time = bare.time;
        self.level = bare.level;
        self.service.clear();
        self.service.push_str(bare.service.unwrap_or_default());
        self.spans = parts.map(|parts| Spans::new(text, parts));
        self.above = Above {
            stamped,
            leveled: !stamped && level::find(text, false).is_some(),
            expects: join::opened_by(text.trim_end(), stamped),
            blank: false,
        };
        self.first = number;
        self.last = number;
        self.lines = 1;
        self.splits = 0;
        self.blanks = 0;
        self.partial = bare.partial;
        self.stage = Stage::Open;
    }

    /// One more line. Its text is left out where there is too much of it.
    fn go_on(&mut self, number: u64, separator: &str, text: &str, partial: bool) {
        if self.text.len() + text.len() < MAX_LINE_BYTES {
            self.text.push_str(separator);
            self.text.push_str(text);
        }
        self.last = number;
        self.lines += 1;
        self.partial = partial;
    }

    /// Most lines have no source. That is asked first: comparing nothing with nothing took a third of all the time,
    /// as an empty `String` points to no memory, which the vector instructions of `memcmp` are slow to find out.
    fn is_of(&self, source: &str) -> bool {
        self.source.len() == source.len() && (source.is_empty() || self.source == source)
    }

    fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    fn expects_more(&self) -> bool {
        self.partial || self.lines > self.splits + 1 || self.above.expects != join::Expects::Nothing
    }

    fn can_go_on(&self, events: u64) -> bool {
        match self.stage {
            Stage::Free => false,
            Stage::Open => true,
            Stage::Gone(event) => event == events,
        }
    }
}

/// The parts of a record's first line, as places in the record's text: the message goes on to its end.
#[derive(Debug, Clone, Copy)]
struct Spans {
    time: Option<Timestamp>,
    level: Option<Level>,
    service: Option<(usize, usize)>,
    before: (usize, usize),
    message: usize,
    /// The level is on the second line.
    level_below: bool,
}

impl Spans {
    fn new(text: &str, parts: &Parts<'_>) -> Self {
        let place = |part: &str| {
            let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
            (start, start + part.len())
        };
        Spans {
            time: parts.time,
            level: parts.level,
            service: parts.service.map(place),
            before: if parts.before.is_empty() {
                (0, 0)
            } else {
                place(parts.before)
            },
            message: text.len() - parts.message.len(),
            level_below: join::opened_by(text, parts.stamped) == join::Expects::Java,
        }
    }

    fn parts<'a>(&self, text: &'a str) -> Parts<'a> {
        let part = |(start, end): (usize, usize)| text.get(start..end);
        Parts {
            time: self.time,
            level: self.level,
            service: self.service.and_then(part),
            before: part(self.before).unwrap_or_default(),
            message: text.get(self.message..).unwrap_or_default(),
            guessed: false,
            stamped: true,
        }
    }
}

/// Hands on a record as a log line.
fn log(parts: &Parts<'_>, outer: &Outer<'_>, joined: &mut String, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
    let message = if parts.before.is_empty() {
        parts.message
    } else {
        joined.clear();
        joined.push_str(parts.before);
        joined.push_str(parts.message);
        joined
    };
    let service = parts.service.or(outer.service);
    let mut labels = service.map(|value| Label { name: "service", value });
    each(Row::Event(Event::Log(LogRecord {
        time: clock.time(parts.time.or(outer.time)),
        subject: Subject::new(labels.as_mut_slice()),
        level: parts.level.or(outer.level),
        message,
        session: None,
        fields: &[],
    })));
}
