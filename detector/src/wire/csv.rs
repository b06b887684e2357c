//! Comma-separated values (RFC 4180) with a header row; where the header has no comma but semicolons or
//! tabs, those separate.
//!
//! | column | what it is |
//! |---|---|
//! | `timestamp`, `time`, `ts`, `date`, `datetime` or `@timestamp`, in any case | the time of the row: RFC 3339, `2026-11-20 09:00:00`, `2026-11-20`, or a number since 1970 |
//! | a column whose first value is a number | a metric |
//! | a column whose first value is a text | a label of the subject, unless the subject is given: then nothing |
//!
//! What a column is shows in its first value; the rows before that go without it. Empty cells, `NaN`, `inf`,
//! `null`, `none`, `NA`, `N/A` and `-` are no values, and a row without any number is a blank one. In a metric
//! a cell that is neither is a problem of that row alone. With semicolons, `1,5` is one and a half.
//!
//! A column without a name is called after its position, `column3`; so is one whose name is there already.
//! A file whose first row holds numbers has no header: that is a problem, and the row is still read.

mod table;

#[cfg(test)]
mod tests;

use csv_core::ReadRecordResult;
use memchr::{memchr, memchr_iter, memchr2};

use super::lines::without_mark;
use super::{Clock, MAX_LINE_BYTES, Row, too_long};
use crate::scorer::{Input, Problem};
use table::Table;

/// The reader of one input.
#[derive(Debug)]
pub(crate) struct Csv {
    subject: Option<Vec<String>>,
    stage: Stage,
    /// The line that the next byte belongs to, and the one that the row began on.
    line: u64,
    row_line: u64,
    /// How many bytes of the row have been read.
    row_bytes: usize,
    /// The first line, which tells the delimiter.
    head: Vec<u8>,
    core: csv_core::Reader,
    delimiter: u8,
    record: Record,
    table: Option<Table>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Rows,
    /// Within a line that is too long, up to its end.
    Skip,
}

/// The cells of a row: one text after the other, and where each ends.
#[derive(Debug, Default)]
struct Record {
    text: Vec<u8>,
    text_used: usize,
    ends: Vec<usize>,
    ends_used: usize,
}

impl Csv {
    pub(crate) fn new(input: &Input) -> Self {
        Csv {
            subject: input.subject.clone(),
            stage: Stage::Head,
            line: 1,
            row_line: 1,
            row_bytes: 0,
            head: Vec::new(),
            core: csv_core::Reader::new(),
            delimiter: b',',
            record: Record::default(),
            table: None,
        }
    }

    pub(crate) fn read(&mut self, chunk: &[u8], clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let read = match self.stage {
                Stage::Head => self.read_head(rest, clock, each),
                Stage::Rows => self.read_rows(rest, clock, each),
                Stage::Skip => self.skip(rest),
            };
            rest = rest.get(read..).unwrap_or_default();
        }
    }

    pub(crate) fn finish(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        if self.stage == Stage::Head {
            self.end_head(clock, each);
        }
        while self.stage == Stage::Rows {
            let (result, _, text, ends) = self.record.read(&mut self.core, &[]);
            self.record.advance(text, ends);
            match result {
                ReadRecordResult::Record => self.end_record(clock, each),
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => self.record.grow(),
                ReadRecordResult::InputEmpty | ReadRecordResult::End => break,
            }
        }
        if let Some(message) = self.table.as_ref().and_then(Table::without_metrics) {
            each(Row::Bad(Problem {
                line: 1,
                field: None,
                message,
            }));
        }
        self.table = None;
    }

    /// Gathers the first line that is not blank; only then is the delimiter known.
    fn read_head(&mut self, chunk: &[u8], clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) -> usize {
        let end = memchr2(b'\n', b'\r', chunk);
        let part = end.and_then(|end| chunk.get(..end)).unwrap_or(chunk);
        if self.head.len() + part.len() > MAX_LINE_BYTES {
            let read = (MAX_LINE_BYTES + 1).saturating_sub(self.head.len());
            self.head.clear();
            self.give_up(self.line, clock, each);
            return read;
        }
        self.head.extend_from_slice(part);
        let Some(end) = end else {
            return chunk.len();
        };
        self.end_head(clock, each);
        if self.stage == Stage::Head {
            self.line += u64::from(chunk.get(end) == Some(&b'\n'));
            return end + 1;
        }
        // The end of the line is for the csv reader: it may stand within quotes.
        end
    }

    fn end_head(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        let head = std::mem::take(&mut self.head);
        let line = if self.line == 1 { without_mark(&head) } else { &head };
        if !line.trim_ascii().is_empty() {
            self.delimiter = delimiter(line);
            self.core = csv_core::ReaderBuilder::new().delimiter(self.delimiter).build();
            self.stage = Stage::Rows;
            self.read(line, clock, each);
        }
    }

    fn read_rows(&mut self, chunk: &[u8], clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) -> usize {
        if self.row_bytes == 0 {
            let blank = chunk.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if blank > 0 {
                self.count_lines(chunk.get(..blank).unwrap_or_default());
                return blank;
            }
            self.row_line = self.line;
        }
        let room = (MAX_LINE_BYTES + 1).saturating_sub(self.row_bytes);
        let window = chunk.get(..room).unwrap_or(chunk);
        let (result, read, text, ends) = self.record.read(&mut self.core, window);
        self.record.advance(text, ends);
        self.row_bytes += read;
        self.count_lines(window.get(..read).unwrap_or_default());
        match result {
            ReadRecordResult::Record => self.end_record(clock, each),
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => self.record.grow(),
            ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
        }
        if self.row_bytes > MAX_LINE_BYTES {
            self.record.clear();
            self.core.reset();
            self.give_up(self.row_line, clock, each);
        }
        read
    }

    fn end_record(&mut self, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        self.row_bytes = 0;
        let (text, ends) = self.record.cells();
        let table = match &mut self.table {
            Some(table) => table,
            None => {
                let (table, problems) = Table::new(
                    text,
                    ends,
                    self.subject.as_deref(),
                    self.delimiter == b';',
                    self.row_line,
                );
                for problem in problems {
                    each(Row::Bad(problem));
                }
                let is_row = table.header_is_missing;
                let table = self.table.insert(table);
                if !is_row {
                    self.record.clear();
                    return;
                }
                table
            }
        };
        table.row(text, ends, self.row_line, clock, each);
        self.record.clear();
    }

    fn give_up(&mut self, line: u64, clock: &mut Clock, each: &mut dyn FnMut(Row<'_>)) {
        self.row_bytes = 0;
        self.stage = Stage::Skip;
        clock.pass(None);
        let mut problem = too_long(line);
        problem.message.push_str("; perhaps a quote is missing its partner");
        each(Row::Bad(problem));
    }

    fn skip(&mut self, chunk: &[u8]) -> usize {
        let Some(end) = memchr(b'\n', chunk) else {
            return chunk.len();
        };
        self.line += 1;
        self.stage = if self.table.is_some() { Stage::Rows } else { Stage::Head };
        end + 1
    }

    fn count_lines(&mut self, read: &[u8]) {
        self.line += memchr_iter(b'\n', read).count() as u64;
    }
}

impl Record {
    fn read(&mut self, core: &mut csv_core::Reader, input: &[u8]) -> (ReadRecordResult, usize, usize, usize) {
        core.read_record(
            input,
            self.text.get_mut(self.text_used..).unwrap_or_default(),
            self.ends.get_mut(self.ends_used..).unwrap_or_default(),
        )
    }

    fn advance(&mut self, text: usize, ends: usize) {
        self.text_used += text;
        self.ends_used += ends;
    }

    /// A row's cells are no longer than the row, so this ends where rows do.
    fn grow(&mut self) {
        if self.text_used == self.text.len() {
            self.text.resize((self.text_used * 2).max(256), 0);
        }
        if self.ends_used == self.ends.len() {
            self.ends.resize((self.ends_used * 2).max(32), 0);
        }
    }

    fn cells(&self) -> (&[u8], &[usize]) {
        (
            self.text.get(..self.text_used).unwrap_or_default(),
            self.ends.get(..self.ends_used).unwrap_or_default(),
        )
    }

    fn clear(&mut self) {
        self.text_used = 0;
        self.ends_used = 0;
    }
}

/// The first of comma, semicolon and tab that stands outside of quotes.
fn delimiter(header: &[u8]) -> u8 {
    let has = |delimiter| {
        let mut quoted = false;
        header.iter().any(|byte| {
            quoted ^= *byte == b'"';
            *byte == delimiter && !quoted
        })
    };
    [b',', b';', b'\t'].into_iter().find(|byte| has(*byte)).unwrap_or(b',')
}
