//! One line of the exposition format: a series and its value, or a comment.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::super::naming::{self, Kind};
use super::super::{quote, time};
use crate::event::{Finite, Timestamp};
use crate::order;

/// Where a text stands in a buffer.
pub(super) type Span = (usize, usize);

/// What is wrong with a line.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) field: Option<String>,
    pub(super) message: String,
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Found {
    /// The value of the series that was read.
    Value(Finite),
    /// The series has no value now.
    Gap,
    /// Nothing that is wanted.
    Nothing,
    /// The scrape is over.
    End,
}

/// The series of a line, and the type that the comments before it stated.
#[derive(Debug, Default)]
pub(super) struct Series {
    pub(super) time: Option<Timestamp>,
    family: String,
    kind: Type,
    /// The metric's name and the labels, unescaped.
    text: String,
    metric: Span,
    labels: Vec<(Span, Span)>,
    quantile: Option<Span>,
    has_bound: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Type {
    #[default]
    Unknown,
    Counter,
    Gauge,
    /// Histograms and summaries.
    Distribution,
    Info,
}

impl Series {
    /// Reads a line.
    pub(super) fn read(&mut self, line: &[u8]) -> Result<Found, Fault> {
        let line = std::str::from_utf8(line).map_err(|error| Fault {
            field: None,
            message: format!(
                "the line is not UTF-8 at column {}: save the scrape as UTF-8",
                error.valid_up_to() + 1
            ),
        })?;
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(Found::Nothing);
        }
        if let Some(comment) = line.strip_prefix('#') {
            return Ok(self.comment(comment.trim_ascii_start()));
        }
        self.series(line)
    }

    /// The metric's name, with what its type and its quantile add to it.
    pub(super) fn metric(&self) -> &str {
        self.of(self.metric)
    }

    /// The labels in order of their names.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels
            .iter()
            .map(|(name, value)| (self.of(*name), self.of(*value)))
    }

    /// The identity of the label set.
    pub(super) fn label_key(&self) -> u64 {
        self.labels().fold(0, |key, (name, value)| {
            xxh3_64_with_seed(value.as_bytes(), xxh3_64_with_seed(name.as_bytes(), key))
        })
    }

    fn of(&self, (start, end): Span) -> &str {
        self.text.get(start..end).unwrap_or_default()
    }

    fn comment(&mut self, comment: &str) -> Found {
        if comment == "EOF" {
            self.family.clear();
            return Found::End;
        }
        let Some(declared) = comment.strip_prefix("TYPE ") else {
            return Found::Nothing;
        };
        // A name in quotes may hold spaces; the type is the last word.
        let Some((name, kind)) = declared.trim_ascii().rsplit_once([' ', '\t']) else {
            return Found::Nothing;
        };
        self.family.clear();
        self.family.push_str(name.trim_ascii().trim_matches('"'));
        self.kind = match kind {
            "counter" => Type::Counter,
            "gauge" | "stateset" => Type::Gauge,
            "histogram" | "gaugehistogram" | "summary" => Type::Distribution,
            "info" => Type::Info,
            _ => Type::Unknown,
        };
        Found::Nothing
    }

    fn series(&mut self, line: &str) -> Result<Found, Fault> {
        self.text.clear();
        self.labels.clear();
        self.quantile = None;
        self.has_bound = false;
        let end = line
            .bytes()
            .position(|byte| matches!(byte, b'{' | b' ' | b'\t'))
            .unwrap_or(line.len());
        let (name, rest) = line.split_at_checked(end).unwrap_or((line, ""));
        let is_name = !name.starts_with(|c: char| c.is_ascii_digit() || "+-.,=}\"".contains(c))
            && !name.contains(['"', '=', '}', ',', ';', '<', '[']);
        if !is_name || (name.is_empty() && !rest.starts_with('{')) {
            return Err(fault(
                None,
                format!("{} is not the name of a metric: {EXAMPLE}", quote(name)),
            ));
        }
        self.metric = self.keep(name);
        let rest = rest.trim_ascii_start();
        let rest = match rest.strip_prefix('{') {
            Some(inside) => self.read_labels(inside)?,
            None => rest,
        };
        if self.metric().is_empty() {
            return Err(fault(None, format!("the metric has no name: {EXAMPLE}")));
        }
        self.sort_labels()?;
        // What stands behind `#` is an exemplar.
        let rest = rest.split('#').next().unwrap_or_default();
        let mut words = rest.split_ascii_whitespace();
        let Some(value) = words.next() else {
            return Err(fault(Some(name), format!("there is no value behind it: {EXAMPLE}")));
        };
        self.time = match words.next() {
            None => None,
            Some(stated) => match time::whole(stated) {
                Some(time) => Some(time),
                None => {
                    let message = "cannot be read: write milliseconds, or seconds, since 1970";
                    return Err(fault(Some(name), format!("the time {} {message}", quote(stated))));
                }
            },
        };
        let Ok(number) = value.parse::<f64>() else {
            let message = "is no number: write one such as 12.5, or NaN where there is none";
            return Err(fault(Some(name), format!("{} {message}", quote(value))));
        };
        if !self.name() {
            return Ok(Found::Nothing);
        }
        Ok(Finite::new(number).map_or(Found::Gap, Found::Value))
    }

    /// Reads labels up to the closing brace, and returns what follows it.
    fn read_labels<'a>(&mut self, mut rest: &'a str) -> Result<&'a str, Fault> {
        loop {
            rest = rest.trim_ascii_start().trim_start_matches(',').trim_ascii_start();
            if let Some(rest) = rest.strip_prefix('}') {
                return Ok(rest);
            }
            let name = match rest.strip_prefix('"') {
                Some(quoted) => {
                    let (name, after) = self.read_quoted(quoted)?;
                    rest = after.trim_ascii_start();
                    // Since Prometheus 3 a name with unusual letters stands in quotes among the labels.
                    if !rest.starts_with('=') {
                        self.metric = name;
                        continue;
                    }
                    name
                }
                None => {
                    let end = rest.find(['=', '}', ',', '"']).unwrap_or(rest.len());
                    let (name, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
                    rest = after;
                    self.keep(name.trim_ascii_end())
                }
            };
            let value = rest.strip_prefix('=').map(str::trim_ascii_start);
            let Some(value) = value.and_then(|value| value.strip_prefix('"')) else {
                if !rest.contains('}') {
                    let message = "a brace is open at the end of the line: close the labels with a }";
                    return Err(fault(Some(self.metric()), message.to_owned()));
                }
                let message = "the labels are broken here: write {name=\"value\",…}";
                return Err(fault(Some(self.of(name)), message.to_owned()));
            };
            let (value, after) = self.read_quoted(value)?;
            rest = after;
            match self.of(name) {
                "quantile" => self.quantile = Some(value),
                "le" => self.has_bound = true,
                // An empty label is the same as none.
                _ if value.0 == value.1 => {}
                _ => self.labels.push((name, value)),
            }
        }
    }

    /// Reads a text up to its closing quote, and returns what follows it.
    fn read_quoted<'a>(&mut self, rest: &'a str) -> Result<(Span, &'a str), Fault> {
        let start = self.text.len();
        let mut rest = rest;
        while let Some(at) = memchr::memchr2(b'"', b'\\', rest.as_bytes()) {
            let (plain, special) = rest.split_at_checked(at).unwrap_or((rest, ""));
            self.text.push_str(plain);
            if let Some(after) = special.strip_prefix('"') {
                return Ok(((start, self.text.len()), after));
            }
            let mut escaped = special.chars();
            escaped.next();
            match escaped.next() {
                Some('n') => self.text.push('\n'),
                Some(c @ ('"' | '\\')) => self.text.push(c),
                Some(c) => {
                    self.text.push('\\');
                    self.text.push(c);
                }
                None => {}
            }
            rest = escaped.as_str();
        }
        let name = self.metric().to_owned();
        Err(fault(
            Some(&name),
            "a quote is open at the end of the line: close it, and write a quote inside as \\\"".to_owned(),
        ))
    }

    fn sort_labels(&mut self) -> Result<(), Fault> {
        let Series { text, labels, .. } = self;
        let of = |(start, end): Span| text.get(start..end).unwrap_or_default();
        order::sort_by_key(labels, |label| of(label.0));
        let twice = labels.windows(2).find_map(|pair| match pair {
            [a, b] if of(a.0) == of(b.0) => Some(of(a.0).to_owned()),
            _ => None,
        });
        match twice {
            Some(name) => Err(fault(Some(&name), "the label is there twice: leave one out".to_owned())),
            None => Ok(()),
        }
    }

    /// Gives the metric the name by which the detector knows what it is; `false` when it is not wanted.
    fn name(&mut self) -> bool {
        let name = self.metric();
        let base = name.strip_suffix("_created").filter(|base| *base == self.family);
        if self.has_bound || (base.is_some() && self.kind != Type::Gauge) {
            return false;
        }
        let suffix = name
            .strip_prefix(self.family.as_str())
            .filter(|_| !self.family.is_empty());
        let kind = match (suffix, self.kind) {
            (Some("_info"), Type::Info) => return false,
            (Some("" | "_total"), Type::Counter) => Kind::Counter,
            (Some(""), Type::Gauge) => Kind::Gauge,
            _ => Kind::Unknown,
        };
        let ending = naming::ending(name, kind);
        if !ending.is_empty() || self.quantile.is_some() {
            let start = self.text.len();
            self.text.extend_from_within(self.metric.0..self.metric.1);
            self.text.push_str(ending);
            if let Some(quantile) = self.quantile {
                let quantile = self.of(quantile).to_owned();
                naming::push_quantile(&mut self.text, &quantile);
            }
            self.metric = (start, self.text.len());
        }
        true
    }

    fn keep(&mut self, text: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(text);
        (start, self.text.len())
    }
}

const EXAMPLE: &str = "a line is a name, its labels and a value, as in `http_requests_total{code=\"200\"} 1027`";

fn fault(field: Option<&str>, message: String) -> Fault {
    Fault {
        field: field.filter(|field| !field.is_empty()).map(str::to_owned),
        message,
    }
}
