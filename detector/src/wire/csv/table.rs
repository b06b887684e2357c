//! What the columns are, and what the cells of a row come to.

use std::collections::BTreeSet;

use super::super::{Clock, Row, quote, recycle, time, with_subject};
use crate::event::{Event, Finite, Label, Sample, Value};
use crate::scorer::Problem;

/// Longer names of columns are cut.
const LONGEST_NAME: usize = 200;

/// The columns of one input.
#[derive(Debug)]
pub(super) struct Table {
    /// Whether the first row holds numbers instead of names, and is data itself.
    pub(super) header_is_missing: bool,
    names: Vec<String>,
    kinds: Vec<Kind>,
    /// The subject was given, so other texts are no labels.
    subject_given: bool,
    decimal_comma: bool,
    has_rows: bool,
    values: Vec<Value<'static>>,
    labels: Vec<Label<'static>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Time,
    /// No cell had a value yet.
    Undecided,
    Metric,
    Label,
    Ignored,
}

impl Table {
    /// A table with this header; what is odd about it is said, and read as well as it can be.
    pub(super) fn new(
        text: &[u8],
        ends: &[usize],
        subject: Option<&[String]>,
        decimal_comma: bool,
        line: u64,
    ) -> (Self, Vec<Problem>) {
        let mut header = Header {
            line,
            problems: Vec::new(),
        };
        let mut start = 0;
        let cells: Vec<String> = ends
            .iter()
            .map(|end| {
                let cell = text.get(start..*end).unwrap_or_default();
                start = *end;
                let name = String::from_utf8_lossy(cell);
                // Every message about a column repeats its name.
                name.trim().chars().take(LONGEST_NAME).collect()
            })
            .collect();
        let header_is_missing = is_data(&cells, decimal_comma);
        let names = if header_is_missing {
            header.missing(cells.len())
        } else {
            header.names(&cells)
        };
        let mut kinds = vec![Kind::Undecided; names.len()];
        let mut is_time: Vec<bool> = names.iter().map(|name| is_time(name)).collect();
        if header_is_missing {
            is_time = cells
                .iter()
                .map(|cell| number(cell, decimal_comma).is_none() && !is_absent(cell))
                .collect();
        }
        header.time(&names, &is_time, &mut kinds);
        header.subject(&names, subject.unwrap_or_default(), &mut kinds);
        let table = Table {
            header_is_missing,
            kinds,
            subject_given: subject.is_some(),
            decimal_comma,
            has_rows: false,
            values: Vec::with_capacity(names.len()),
            labels: Vec::with_capacity(names.len()),
            names,
        };
        (table, header.problems)
    }

    /// Hands on a row.
    pub(super) fn row(
        &mut self,
        text: &[u8],
        ends: &[usize],
        line: u64,
        clock: &mut Clock,
        each: &mut dyn FnMut(Row<'_>),
    ) {
        self.has_rows = true;
        let mut values: Vec<Value<'_>> = std::mem::take(&mut self.values);
        let mut labels: Vec<Label<'_>> = std::mem::take(&mut self.labels);
        let mut time = None;
        let mut fault: Option<(Option<&str>, String)> = None;
        if ends.len() != self.names.len() {
            fault = Some((None, ragged(ends.len(), self.names.len(), text.contains(&b'\n'))));
        }
        let is_utf8 = std::str::from_utf8(text).ok();
        let mut start = 0;
        for ((name, kind), end) in self.names.iter().zip(&mut self.kinds).zip(ends) {
            let Some(cell) = is_utf8.and_then(|text| text.get(start..*end)) else {
                fault.get_or_insert_with(|| (None, "the row is not UTF-8: save the file as UTF-8".to_owned()));
                break;
            };
            start = *end;
            let cell = cell.trim();
            if cell.is_empty() {
                continue;
            }
            if *kind == Kind::Undecided && fault.is_none() && !is_absent(cell) {
                *kind = match number(cell, self.decimal_comma) {
                    Some(_) => Kind::Metric,
                    None if self.subject_given => Kind::Ignored,
                    None => Kind::Label,
                };
            }
            match kind {
                Kind::Undecided | Kind::Ignored => {}
                Kind::Time => match time::whole(cell) {
                    Some(read) => time = Some(read),
                    None if is_absent(cell) => {}
                    None => {
                        fault.get_or_insert_with(|| (Some(name), time::unreadable(&quote(cell))));
                    }
                },
                Kind::Metric => match number(cell, self.decimal_comma).map(Finite::new) {
                    Some(Some(value)) => values.push(Value { metric: name, value }),
                    _ if is_absent(cell) => {}
                    found => {
                        fault.get_or_insert_with(|| (Some(name), no_number(cell, found.is_some())));
                    }
                },
                Kind::Label if is_absent(cell) => {}
                Kind::Label => labels.push(Label { name, value: cell }),
            }
        }
        if let Some((mut field, mut message)) = fault {
            if is_header(&self.names, text, ends) {
                field = None;
                "the header is there again: leave it out where files are joined".clone_into(&mut message);
            }
            clock.pass(time);
            each(Row::Bad(Problem {
                line,
                field: field.map(str::to_owned),
                message,
            }));
        } else if values.is_empty() {
            clock.pass(time);
            each(Row::Blank);
        } else {
            let time = clock.time(time);
            with_subject(&labels, |subject| {
                each(Row::Event(Event::Sample(Sample {
                    time,
                    subject,
                    values: &values,
                })));
            });
        }
        self.values = recycle(values);
        self.labels = recycle(labels);
    }

    /// What to say when the input is over and no column turned out to be a metric.
    pub(super) fn without_metrics(&self) -> Option<String> {
        (self.has_rows && !self.kinds.contains(&Kind::Metric)).then(|| {
            format!(
                "no column holds numbers, so there is nothing to watch; the columns are {}",
                list(&self.names)
            )
        })
    }
}

/// What there is to say about a header.
struct Header {
    line: u64,
    problems: Vec<Problem>,
}

impl Header {
    /// A header can be odd in as many ways as it has columns; a few are enough to see what is wrong.
    fn complain(&mut self, field: Option<&str>, message: impl FnOnce() -> String) {
        const MOST: usize = 20;
        if self.problems.len() < MOST {
            self.problems.push(Problem {
                line: self.line,
                field: field.map(str::to_owned),
                message: message(),
            });
        }
    }

    fn missing(&mut self, columns: usize) -> Vec<String> {
        self.complain(None, || {
            format!(
                "the first line holds numbers where the names of the columns should be: write a header such as \
                 timestamp,value above it; it is read as a row, and the columns are called column1 to column{columns}"
            )
        });
        (1..=columns).map(|column| format!("column{column}")).collect()
    }

    /// Every column has a name, and every name is there once.
    fn names(&mut self, cells: &[String]) -> Vec<String> {
        let mut stated = BTreeSet::new();
        stated.extend(cells.iter().map(String::as_str));
        let mut taken = BTreeSet::new();
        let mut names = Vec::with_capacity(cells.len());
        for (cell, column) in cells.iter().zip(1..) {
            let is_first = taken.insert(cell.as_str());
            if is_first && !cell.is_empty() {
                names.push(cell.clone());
                continue;
            }
            let mut name = format!("column{column}");
            while stated.contains(name.as_str()) {
                name.push('_');
            }
            if !cell.is_empty() {
                self.complain(Some(cell), || {
                    format!(
                        "two columns are called {}: the second one is read as {name}, give it a name of its own",
                        quote(cell)
                    )
                });
            }
            names.push(name);
        }
        names
    }

    fn time(&mut self, names: &[String], is_time: &[bool], kinds: &mut [Kind]) {
        let mut first: Option<&str> = None;
        for ((name, kind), _) in names.iter().zip(kinds).zip(is_time).filter(|(_, is_time)| **is_time) {
            let Some(first) = first else {
                first = Some(name);
                *kind = Kind::Time;
                continue;
            };
            *kind = Kind::Ignored;
            self.complain(Some(name), || {
                format!(
                    "{} and {} are both times: only the first is read, join them or call the other something else",
                    quote(first),
                    quote(name)
                )
            });
        }
    }

    fn subject(&mut self, names: &[String], subject: &[String], kinds: &mut [Kind]) {
        for wanted in subject {
            let mut columns = names.iter().zip(kinds.iter_mut());
            match columns.find(|(name, _)| *name == wanted) {
                Some((_, Kind::Time)) => self.complain(Some(wanted), || {
                    format!(
                        "{} is the time of a row and cannot be part of its subject",
                        quote(wanted)
                    )
                }),
                Some((_, kind)) => *kind = Kind::Label,
                None => self.complain(Some(wanted), || {
                    format!(
                        "there is no column {} for the subject: there are {}",
                        quote(wanted),
                        list(names)
                    )
                }),
            }
        }
    }
}

/// Names for a message, as many as can be read at a glance.
fn list(names: &[String]) -> String {
    const MOST: usize = 20;
    let mut text = names
        .iter()
        .take(MOST)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > MOST {
        text.push_str(&format!(" and {} more", names.len() - MOST));
    }
    text
}

/// Whether a row holds the names of the columns.
fn is_header(names: &[String], text: &[u8], ends: &[usize]) -> bool {
    let mut start = 0;
    ends.len() == names.len()
        && names.iter().zip(ends).all(|(name, end)| {
            let cell = text.get(start..*end).unwrap_or_default();
            start = *end;
            cell.trim_ascii() == name.as_bytes()
        })
}

/// What to say about a row that has not as many fields as the header has columns.
fn ragged(fields: usize, columns: usize, spans_lines: bool) -> String {
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let what_to_do = if spans_lines {
        "it goes on over several lines, so perhaps a double quote on the first of them is missing its partner"
    } else if fields < columns {
        "leave a field empty where there is no value"
    } else {
        "put a field in double quotes where its text holds a separator"
    };
    format!(
        "the row has {}, and the header has {}: {what_to_do}",
        counted(fields, "field"),
        counted(columns, "column")
    )
}

fn is_time(name: &str) -> bool {
    ["timestamp", "time", "ts", "date", "datetime", "@timestamp"]
        .iter()
        .any(|time| name.eq_ignore_ascii_case(time))
}

/// Whether what should be a header holds values only.
fn is_data(cells: &[String], decimal_comma: bool) -> bool {
    let mut numbers = 0;
    cells.iter().all(|cell| {
        let is_number = number(cell, decimal_comma).is_some();
        numbers += usize::from(is_number);
        is_number || is_absent(cell) || time::whole(cell).is_some()
    }) && numbers > 0
}

fn is_absent(cell: &str) -> bool {
    let unsigned = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    unsigned.is_empty()
        || ["nan", "inf", "infinity", "null", "none", "na", "n/a"]
            .iter()
            .any(|absent| unsigned.eq_ignore_ascii_case(absent))
}

/// The number in a cell; it may be too large to be finite.
fn number(cell: &str, decimal_comma: bool) -> Option<f64> {
    // `parse` also takes words for what is no number.
    if !cell.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if let Ok(number) = cell.parse() {
        return Some(number);
    }
    if !decimal_comma || cell.contains('.') {
        return None;
    }
    let (whole, decimals) = cell.split_once(',')?;
    let mut written = [0; 40];
    let mut left = written.as_mut_slice();
    for part in [whole.as_bytes(), b".", decimals.as_bytes()] {
        let (head, tail) = left.split_at_mut_checked(part.len())?;
        head.copy_from_slice(part);
        left = tail;
    }
    let used = whole.len() + 1 + decimals.len();
    std::str::from_utf8(written.get(..used)?).ok()?.parse().ok()
}

fn no_number(cell: &str, too_large: bool) -> String {
    if too_large {
        return format!("the number {} is too large: the largest is 1.8e308", quote(cell));
    }
    format!(
        "{} is not a number, and this column holds numbers: leave the cell empty where there is no value",
        quote(cell)
    )
}
