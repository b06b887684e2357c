//! Finds out the format of an input from its first lines: at most 50 lines or 64 KiB, fewer when the first one settles
//! it, so that a program that pauses is not waited for long. In this order:
//!
//! 1. a file called `*.csv` or `*.tsv` is CSV unless it begins with `{`,
//! 2. an input that begins with `{`, or with `[` and an object, is JSON; lines between that are none are log lines,
//! 3. what four in five of the first lines are: container logs (CRI), Envoy's and other access logs, logfmt, syslog,
//!    Prometheus' exposition, objects in JSON,
//! 4. what one in three of them is, where the reader takes the others as log lines: container logs, requests, syslog,
//!    objects,
//! 5. names, then as many values with a number among them: CSV,
//! 6. an access log where there is any request among the lines, as requests and log lines come mixed,
//! 7. text, which reads every log line.

#[cfg(test)]
mod tests;

use super::json::Scan;
use super::lines::without_mark;
use super::{Format, access, envoy, kubernetes, logfmt, syslog};
use crate::scorer::Input;

/// Collects the start of an input until its format is clear.
#[derive(Debug)]
pub(super) struct Auto {
    input: Input,
    bytes: Vec<u8>,
    /// How far the bytes have been looked at for line ends, and how many there were.
    seen: usize,
    lines: usize,
    tried_first: bool,
}

/// A format, why it was chosen, and the bytes that have been read until then.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) format: Format,
    pub(super) input: Input,
    pub(super) bytes: Vec<u8>,
    /// So many of the bytes were looked at, however they were cut.
    pub(super) looked_at: usize,
    reason: &'static str,
}

const MOST_LINES: usize = 50;
const MOST_BYTES: usize = 1 << 16;

impl Found {
    /// What was looked at.
    pub(super) fn start(&self) -> &[u8] {
        self.bytes.get(..self.looked_at).unwrap_or(&self.bytes)
    }

    /// What was found and why, for people.
    pub(super) fn note(&self) -> String {
        format!("read as {}: {}", name(self.format), self.reason)
    }
}

fn name(format: Format) -> &'static str {
    match format {
        Format::Auto => "a format to be found out",
        Format::Ndjson => "JSON",
        Format::Csv => "CSV",
        Format::Text => "log lines",
        Format::Logfmt => "logfmt",
        Format::Syslog => "syslog",
        Format::Access => "an access log",
        Format::Envoy => "Envoy's access log",
        Format::Kubernetes => "a container log",
        Format::Otlp => "OTLP",
        Format::Prometheus => "Prometheus' text exposition",
        Format::NativeJson => "Vector's events",
    }
}

impl Auto {
    pub(super) fn new(input: &Input) -> Self {
        Auto {
            input: input.clone(),
            bytes: Vec::new(),
            seen: 0,
            lines: 0,
            tried_first: false,
        }
    }

    /// Takes a chunk; the format, when it is clear. What it is depends on the bytes alone, not on how they are cut.
    pub(super) fn read(&mut self, chunk: &[u8]) -> Option<Found> {
        self.bytes.extend_from_slice(chunk);
        loop {
            let new = self.bytes.get(self.seen..).unwrap_or_default();
            let end = memchr::memchr(b'\n', new).map(|end| self.seen + end + 1);
            let limit = end.unwrap_or(self.bytes.len());
            if limit >= MOST_BYTES {
                return Some(self.decide(MOST_BYTES, false));
            }
            let end = end?;
            self.seen = end;
            self.lines += 1;
            if !self.tried_first {
                let start = self.bytes.get(..end).unwrap_or_default();
                if !without_mark(start).trim_ascii().is_empty() {
                    self.tried_first = true;
                    if let Some((format, reason)) = of_first_line(&self.input, start) {
                        return Some(self.found(end, format, reason));
                    }
                }
            }
            if self.lines >= MOST_LINES {
                return Some(self.decide(end, false));
            }
        }
    }

    /// What can be told from the lines that have come so far; nothing when there is none.
    pub(super) fn flush(&mut self) -> Option<Found> {
        (self.lines > 0).then(|| self.decide(self.seen, false))
    }

    /// What the whole input is.
    pub(super) fn finish(&mut self) -> Found {
        self.decide(self.bytes.len(), true)
    }

    fn decide(&mut self, end: usize, whole: bool) -> Found {
        let start = self.bytes.get(..end).unwrap_or(&self.bytes);
        let text = String::from_utf8_lossy(without_mark(start)).into_owned();
        let (format, reason) = of_first_line(&self.input, text.as_bytes()).unwrap_or_else(|| {
            let lines = Lines::of(&text, self.input.year);
            lines
                .most()
                .or_else(|| of_table(&text, whole))
                .or_else(|| lines.some_requests())
                .unwrap_or((Format::Text, "its first lines fit no other format"))
        });
        // The line that is cut is read as a whole later.
        let looked_at = if whole {
            end
        } else {
            memchr::memrchr(b'\n', start).map_or(0, |end| end + 1)
        };
        self.found(looked_at, format, reason)
    }

    fn found(&mut self, looked_at: usize, format: Format, reason: &'static str) -> Found {
        Found {
            format,
            input: Input {
                format,
                ..self.input.clone()
            },
            bytes: std::mem::take(&mut self.bytes),
            looked_at,
            reason,
        }
    }
}

/// What the beginning of an input settles.
fn of_first_line(input: &Input, start: &[u8]) -> Option<(Format, &'static str)> {
    let start = without_mark(start).trim_ascii_start();
    let begins_list = start
        .strip_prefix(b"[")
        .is_some_and(|rest| matches!(rest.trim_ascii_start(), [] | [b'{', ..]));
    if start.starts_with(b"{") || begins_list {
        return Some((Format::Ndjson, "it begins with an object"));
    }
    let source = input.source.as_deref().unwrap_or_default().to_ascii_lowercase();
    let source = source
        .strip_suffix(".gz")
        .or(source.strip_suffix(".zst"))
        .unwrap_or(&source);
    match source.rsplit('.').next() {
        Some("csv" | "tsv") => Some((Format::Csv, "its name says so")),
        Some("ndjson" | "jsonl") => Some((Format::Ndjson, "its name says so")),
        _ if start.starts_with(b"# HELP ") || start.starts_with(b"# TYPE ") => {
            Some((Format::Prometheus, "it begins with `# HELP` or `# TYPE`"))
        }
        _ => None,
    }
}

/// What the first lines are. A line can look like one format only: the ones that say most come first.
#[derive(Debug, Default)]
struct Lines {
    /// How many there are of each of [`KINDS`].
    counts: [usize; KINDS.len()],
    /// How many there are that do not just continue a record.
    all: usize,
}

const KINDS: [(Format, &str); 7] = [
    (Format::Kubernetes, "its first lines are those of containers"),
    (Format::Envoy, "its first lines are requests as Envoy writes them"),
    (Format::Access, "its first lines are requests as web servers write them"),
    (Format::Syslog, "its first lines are syslog messages"),
    (Format::Logfmt, "its first lines are pairs"),
    (Format::Prometheus, "its first lines are samples"),
    (Format::Ndjson, "its first lines are objects"),
];

impl Lines {
    fn of(text: &str, year: i16) -> Self {
        let mut lines = Lines::default();
        let mut scan = Scan::default();
        for line in text.lines() {
            // A line that continues a record says nothing about it.
            if line.trim().is_empty() || line.starts_with([' ', '\t']) {
                continue;
            }
            lines.all += 1;
            let line = line.trim_end();
            let is = if line.starts_with('{') && line.ends_with('}') {
                6
            } else if kubernetes::cri(line).or_else(|| kubernetes::prefixed(line)).is_some() {
                0
            } else if envoy::read(line).is_some() {
                1
            } else if access::read(line).is_some() {
                2
            } else if logfmt::read(line, &mut scan).is_some() {
                4
            } else if syslog::read(line, year).is_some_and(|message| message.service.is_some() || line.starts_with('<'))
            {
                3
            } else if is_exposition(line) {
                5
            } else {
                continue;
            };
            if let Some(count) = lines.counts.get_mut(is) {
                *count += 1;
            }
        }
        lines
    }

    /// What four in five of them are; one in three is enough where the reader of that format reads the others, too, as
    /// the log lines that they are.
    fn most(&self) -> Option<(Format, &'static str)> {
        let mixes = |format| {
            matches!(
                format,
                Format::Kubernetes | Format::Envoy | Format::Access | Format::Syslog | Format::Ndjson
            )
        };
        let counted = || self.counts.iter().zip(KINDS).filter(|(count, _)| **count > 0);
        let most = counted().find(|(count, _)| **count * 5 >= self.all * 4);
        let many = || {
            counted()
                .filter(|(count, (format, _))| mixes(*format) && **count * 3 >= self.all)
                // The first of those that are as many.
                .rev()
                .max_by_key(|(count, _)| **count)
        };
        most.or_else(many).map(|(_, kind)| kind)
    }

    fn some_requests(&self) -> Option<(Format, &'static str)> {
        let [_, envoy, access, ..] = self.counts;
        (envoy + access > 0).then_some((Format::Access, "there are requests among its first lines"))
    }
}

/// `http_requests_total{code="200"} 17`, which has its labels in braces; without labels it takes a comment to be sure.
fn is_exposition(line: &str) -> bool {
    let Some((name, rest)) = line.split_once('{') else {
        return line.starts_with("# ");
    };
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'));
    let Some((labels, value)) = rest.rsplit_once('}') else {
        return false;
    };
    let number = value.split_ascii_whitespace().next().unwrap_or_default();
    is_name && labels.contains("=\"") && number.parse::<f64>().is_ok()
}

/// Names, and below them values.
fn of_table(text: &str, whole: bool) -> Option<(Format, &'static str)> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let header = lines.next()?;
    let rows: Vec<&str> = lines.take(3).collect();
    for (separator, reason) in [
        (',', "its first lines are separated by commas"),
        (';', "its first lines are separated by semicolons"),
        ('\t', "its first lines are separated by tabs"),
    ] {
        let names = fields(header, separator);
        if names.len() < 2 {
            continue;
        }
        let values = fields(rows.first()?, separator);
        let is_table = names.iter().all(|name| is_name(name))
            && values.len() == names.len()
            && values.iter().any(|value| is_number(value));
        return is_table.then_some((Format::Csv, reason));
    }
    let enough = rows.len() == 3 || whole && !rows.is_empty();
    let is_column = enough && is_name(header) && rows.iter().all(|row| is_number(row));
    is_column.then_some((Format::Csv, "its first line is a name, and numbers follow"))
}

/// The fields of a line; a separator in quotes separates nothing.
fn fields(line: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    line.split(|character| {
        quoted ^= character == '"';
        character == separator && !quoted
    })
    .map(|field| field.trim().trim_matches('"'))
    .collect()
}

fn is_name(field: &str) -> bool {
    const LONGEST: usize = 80;
    !field.is_empty() && field.len() <= LONGEST && !is_number(field) && super::time::whole(field).is_none()
}

fn is_number(field: &str) -> bool {
    let field = field.trim();
    field.parse::<f64>().is_ok() || field.replacen(',', ".", 1).parse::<f64>().is_ok()
}
