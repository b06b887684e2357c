//! Lines that are passed on: which of them, and with what was said of them. What stands in the way of a stream (a command
//! in a pipe, a filter of an agent) joins the lines that it read with what the scorer wrote about them.

mod native_json;
#[cfg(test)]
mod tests;

use std::num::NonZeroU64;

use memchr::memchr;
use memchr::memmem;
use serde::{Deserialize, Serialize};

use crate::wire::{Format, MAX_LINE_BYTES};

/// What is passed on, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RelayConfig {
    /// Which lines are passed on. One that could not be read is passed on whatever is asked for: nobody has judged it.
    pub pass: Pass,
    /// One in so many of the lines that `pass` leaves out is passed on as well, the first of them included.
    pub sample: Option<NonZeroU64>,
    /// The field into which the verdict is written, in the place of what a line has in it; without it lines are passed on
    /// to the byte as they came.
    pub annotate: Option<FieldName>,
    /// Whether lines stay as they came in which nothing is strange and with which nothing was reported.
    pub only_strange: bool,
    /// What a line is.
    pub envelope: Envelope,
}

/// Which lines are passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Pass {
    /// Every line.
    #[default]
    All,
    /// Those in which nothing is strange.
    Normal,
    /// Those that belong to an open episode, or end an anomalous session.
    Anomalous,
}

/// What a line is, for who writes into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Envelope {
    /// A JSON object gets the field; any other line becomes the `message` of one.
    #[default]
    Object,
    /// One of Vector's events, `{"log": {…}}`: the event inside gets the field. A metric gets the tag
    /// `<field>_anomaly` when it is anomalous, since the values of tags are texts that are kept for ever. A list of
    /// events is passed on as it is; tags without a value become `[null]`, since Vector refuses the `null` that it writes.
    NativeJson,
}

impl Envelope {
    /// What a line of this format is.
    pub fn of(format: Format) -> Self {
        match format {
            Format::NativeJson => Envelope::NativeJson,
            _ => Envelope::Object,
        }
    }
}

/// The name of a field: of letters, digits, `_`, `-`, `.` and `@`, and at most 64 of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct FieldName(String);

impl FieldName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for FieldName {
    fn default() -> Self {
        FieldName("watchpost".to_owned())
    }
}

impl TryFrom<String> for FieldName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        const LONGEST: usize = 64;
        let is_plain = |sign: u8| sign.is_ascii_alphanumeric() || matches!(sign, b'_' | b'-' | b'.' | b'@');
        if (1..=LONGEST).contains(&name.len()) && name.bytes().all(is_plain) {
            Ok(FieldName(name))
        } else {
            Err(format!(
                "{name:?} is no name for a field: write 1 to {LONGEST} letters, digits, `_`, `-`, `.` or `@`"
            ))
        }
    }
}

impl From<FieldName> for String {
    fn from(name: FieldName) -> String {
        name.0
    }
}

/// How many lines came and went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Relayed {
    /// Lines that came.
    pub lines: u64,
    /// Of these, the lines in which something is strange.
    pub anomalous: u64,
    /// The lines that could not be read.
    pub unread: u64,
    /// Lines that were passed on.
    pub passed: u64,
    /// Of these, those that are only a sample.
    pub sampled: u64,
}

/// Joins lines with what was said of them.
///
/// The scorer has to be one that reads [line by line](crate::Input::line_by_line) and writes
/// [everything](crate::Emit::All); then the lines it writes about a line end with that of its row.
#[derive(Debug, Default)]
pub struct Relay {
    config: RelayConfig,
    /// The start of a line whose end has not come.
    partial: Vec<u8>,
    /// The line that has begun is too long to be judged, and is passed on as it comes.
    too_long: bool,
    /// What has been said since the last row: JSON objects with commas between them.
    reports: Vec<u8>,
    is_unread: bool,
    ends_session: bool,
    /// Whether the last row was strange, for the lines that only continue it.
    was_anomalous: bool,
    /// Lines that `pass` left out.
    left: u64,
    relayed: Relayed,
}

/// What was said of one line.
struct Said<'a> {
    row: &'a [u8],
    anomalous: bool,
    unread: bool,
}

impl Relay {
    /// Nothing has come yet.
    pub fn new(config: RelayConfig) -> Self {
        Relay {
            config,
            ..Relay::default()
        }
    }

    /// How many lines came and went so far.
    pub fn relayed(&self) -> Relayed {
        self.relayed
    }

    /// Takes the bytes that a scorer has been given, cut anywhere, and what it `said` about them: appends the lines that
    /// are passed on to `out`. What is about the run and not about one line's strangeness (problems and notes) goes to
    /// `aside`, as it was written.
    pub fn pass(&mut self, mut chunk: &[u8], said: &[u8], out: &mut Vec<u8>, aside: &mut Vec<u8>) {
        let mut said = lines(said);
        while let Some((head, rest)) = memchr(b'\n', chunk).and_then(|end| chunk.split_at_checked(end + 1)) {
            chunk = rest;
            let head = head.strip_suffix(b"\n").unwrap_or(head);
            if self.partial.is_empty() && !self.too_long {
                self.line(head, true, &mut said, out, aside);
            } else {
                self.keep(head, out);
                let line = std::mem::take(&mut self.partial);
                self.line(&line, true, &mut said, out, aside);
                self.partial = line;
                self.partial.clear();
                self.too_long = false;
            }
        }
        self.keep(chunk, out);
        // What is left is about no line: a format that was found.
        self.hear(&mut said, aside);
    }

    /// Takes what was said when the input was over: the last line may have no end.
    pub fn finish(&mut self, said: &[u8], out: &mut Vec<u8>, aside: &mut Vec<u8>) {
        let mut said = lines(said);
        if self.too_long || !self.partial.is_empty() {
            let line = std::mem::take(&mut self.partial);
            self.line(&line, false, &mut said, out, aside);
            self.too_long = false;
        }
        self.hear(&mut said, aside);
        self.flush(out);
    }

    /// Takes what was said while no line came, for example because time went on.
    pub fn aside(&mut self, said: &[u8], out: &mut Vec<u8>, aside: &mut Vec<u8>) {
        self.hear(&mut lines(said), aside);
        self.flush(out);
    }

    /// Reports that belong to no line become a line of their own, where lines have a field for them.
    fn flush(&mut self, out: &mut Vec<u8>) {
        let reports = std::mem::take(&mut self.reports);
        self.ends_session = false;
        self.is_unread = false;
        let Some(field) = &self.config.annotate else { return };
        if reports.is_empty() {
            return;
        }
        let (before, after): (&[u8], &[u8]) = match self.config.envelope {
            Envelope::Object => (b"{\"", b"]}}\n"),
            Envelope::NativeJson => (b"{\"log\":{\"", b"]}}}\n"),
        };
        out.extend_from_slice(before);
        out.extend_from_slice(field.0.as_bytes());
        out.extend_from_slice(b"\":{\"reports\":[");
        out.extend_from_slice(&reports);
        out.extend_from_slice(after);
    }

    fn keep(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if !self.too_long && self.partial.len() + bytes.len() > MAX_LINE_BYTES {
            self.too_long = true;
            out.append(&mut self.partial);
        }
        let place = if self.too_long { out } else { &mut self.partial };
        place.extend_from_slice(bytes);
    }

    /// One line, of which everything has been said with its row.
    fn line<'s>(
        &mut self,
        line: &[u8],
        ended: bool,
        said: &mut impl Iterator<Item = &'s [u8]>,
        out: &mut Vec<u8>,
        aside: &mut Vec<u8>,
    ) {
        let row = self.hear(said, aside);
        let continues = row.is_some_and(|row| memmem::find(row, b",\"continues\":").is_some());
        let anomalous = match row {
            Some(_) if continues => self.was_anomalous,
            Some(row) => memmem::find(row, b"\"anomaly\":true").is_some(),
            None => false,
        };
        self.was_anomalous = anomalous;
        let said = Said {
            row: row.unwrap_or_default(),
            anomalous: anomalous | std::mem::take(&mut self.ends_session),
            unread: std::mem::take(&mut self.is_unread) | row.is_none(),
        };
        self.relayed.lines += 1;
        self.relayed.anomalous += u64::from(said.anomalous);
        self.relayed.unread += u64::from(said.unread);
        if self.is_passed(&said) {
            self.relayed.passed += 1;
            self.write(line, ended, &said, out);
        }
        self.reports.clear();
    }

    /// Takes what was said until the next row, which is returned.
    fn hear<'s>(&mut self, said: &mut impl Iterator<Item = &'s [u8]>, aside: &mut Vec<u8>) -> Option<&'s [u8]> {
        for line in said {
            if line.starts_with(b"{\"row\":") {
                return Some(line);
            }
            if line.starts_with(b"{\"problem\":") || line.starts_with(b"{\"note\":") {
                self.is_unread |= line.starts_with(b"{\"problem\":");
                aside.extend_from_slice(line);
                aside.push(b'\n');
                continue;
            }
            if line.starts_with(b"{\"session\":") {
                self.ends_session |= memmem::find(line, b"\"anomaly\":true").is_some();
            }
            if !self.reports.is_empty() {
                self.reports.push(b',');
            }
            self.reports.extend_from_slice(line);
        }
        None
    }

    fn is_passed(&mut self, said: &Said<'_>) -> bool {
        let wanted = match self.config.pass {
            Pass::All => true,
            Pass::Normal => !said.anomalous,
            Pass::Anomalous => said.anomalous,
        };
        if wanted || said.unread {
            return true;
        }
        let Some(sample) = self.config.sample else { return false };
        let is_sample = self.left.is_multiple_of(sample.get());
        self.left += 1;
        self.relayed.sampled += u64::from(is_sample);
        is_sample
    }

    fn write(&self, line: &[u8], ended: bool, said: &Said<'_>, out: &mut Vec<u8>) {
        let object = line.trim_ascii_end();
        let field = self
            .config
            .annotate
            .as_ref()
            .filter(|_| !said.unread && !object.is_empty() && self.is_annotated(said));
        match (self.config.envelope, field) {
            (Envelope::Object, Some(field)) => {
                match in_object(object) {
                    Some((before, after)) => {
                        without(field, before, out);
                        self.field(field, !out.trim_ascii_end().ends_with(b"{"), said, out);
                        out.extend_from_slice(after);
                    }
                    None => {
                        out.extend_from_slice(b"{\"message\":");
                        let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
                        crate::scorer::json(out, &text);
                        self.field(field, true, said, out);
                        out.push(b'}');
                    }
                }
                out.push(b'\n');
                return;
            }
            (Envelope::NativeJson, Some(field)) => {
                let mut verdict = Vec::new();
                self.verdict(said, &mut verdict);
                native_json::annotate(object, field, &verdict, said.anomalous, out);
                out.push(b'\n');
                return;
            }
            (Envelope::NativeJson, None) => native_json::pass(line, out),
            (Envelope::Object, None) => out.extend_from_slice(line),
        }
        if ended {
            out.push(b'\n');
        }
    }

    fn is_annotated(&self, said: &Said<'_>) -> bool {
        !self.config.only_strange || said.anomalous || !self.reports.is_empty()
    }

    fn field(&self, field: &FieldName, follows: bool, said: &Said<'_>, out: &mut Vec<u8>) {
        if follows {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(field.0.as_bytes());
        out.extend_from_slice(b"\":");
        self.verdict(said, out);
    }

    /// The verdict on the row as the detector wrote it, and the reports that came with it.
    fn verdict(&self, said: &Said<'_>, out: &mut Vec<u8>) {
        if self.reports.is_empty() {
            out.extend_from_slice(said.row);
            return;
        }
        out.extend_from_slice(said.row.strip_suffix(b"}").unwrap_or(said.row));
        out.extend_from_slice(b",\"reports\":[");
        out.extend_from_slice(&self.reports);
        out.extend_from_slice(b"]}");
    }
}

fn lines(said: &[u8]) -> impl Iterator<Item = &[u8]> {
    said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// An object before its last brace, and from there on.
fn in_object(object: &[u8]) -> Option<(&[u8], &[u8])> {
    if !object.trim_ascii_start().starts_with(b"{") || !object.ends_with(b"}") {
        return None;
    }
    object.split_at_checked(object.len() - 1)
}

/// Copies an object as far as it goes, but for the members of this name: a reader of an object with two of a name takes
/// either of them.
fn without(field: &FieldName, object: &[u8], out: &mut Vec<u8>) {
    let quoted = format!("\"{}\"", field.0);
    if memmem::find(object, quoted.as_bytes()).is_none() {
        out.extend_from_slice(object);
        return;
    }
    // What follows the member before: its comma is that of a member that is left out.
    let (mut depth, mut at, mut copied) = (0_usize, 0, 0);
    let mut left_out = None;
    while let Some(byte) = object.get(at) {
        match byte {
            b'"' => {
                let rest = object.get(at + 1..).unwrap_or_default();
                let end = at + 1 + native_json::end_of_text(rest).unwrap_or(rest.len());
                let after = object.get(end..).unwrap_or_default().trim_ascii_start();
                if depth == 1
                    && left_out.is_none()
                    && after.starts_with(b":")
                    && object.get(at..end) == Some(quoted.as_bytes())
                {
                    out.extend_from_slice(object.get(copied..at).unwrap_or_default());
                    left_out = Some(at);
                }
                at = end;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 1 && left_out.take().is_some() => copied = at + 1,
            _ => {}
        }
        at += 1;
    }
    if left_out.is_none() {
        out.extend_from_slice(object.get(copied..).unwrap_or_default());
        return;
    }
    // It was the last one.
    out.truncate(out.trim_ascii_end().len());
    if out.ends_with(b",") {
        out.pop();
    }
}
