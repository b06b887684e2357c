//! What people said of rows: the file of `--feedback`, and which of its lines came to nothing.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use watchpost_detector::Answer;

use crate::cli::console::Console;
use crate::cli::document;
use crate::cli::page::words;

/// The marks of a file.
#[derive(Debug, Default)]
pub(super) struct Marks {
    file: String,
    list: Vec<Mark>,
}

/// One line of it.
#[derive(Debug, Serialize)]
pub(super) struct Mark {
    /// The line of the file, from 1.
    line: usize,
    #[serde(flatten)]
    answer: Answer,
    /// Why nothing was learned from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    unused: Option<String>,
}

impl Marks {
    /// Reads a file, and fails at the first line that is no mark: a part of what people said is not what they said.
    pub(super) fn read(path: &Path) -> anyhow::Result<Marks> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(|| format!("feedback {file}"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let lines = text.lines().zip(1..).filter(|(text, _)| !text.trim().is_empty());
        let list = lines
            .map(|(text, line)| {
                Ok(Mark {
                    line,
                    answer: document::line(&file, line, text)?,
                    unused: None,
                })
            })
            .collect::<anyhow::Result<Vec<Mark>>>()?;
        Ok(Marks { file, list })
    }

    pub(super) fn answers(&self) -> Vec<Answer> {
        self.list.iter().map(|mark| mark.answer).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The marks from which nothing was learned.
    pub(super) fn unused(&self) -> Vec<&Mark> {
        self.list.iter().filter(|mark| mark.unused.is_some()).collect()
    }

    /// Nothing was learned from what was said of this row.
    pub(super) fn are_unused(&mut self, row: u64, why: &str, console: &Console) {
        let about = |mark: &&mut Mark| mark.answer.row == row && mark.unused.is_none();
        // The engine says it once for each mark, and two lines may mark the same row.
        if let Some(mark) = self.list.iter_mut().find(about) {
            let why = words::plain(why);
            console.problem(format_args!("{}:{}: {why}", self.file, mark.line));
            mark.unused = Some(why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_that_is_wrong_is_named_by_line_and_field() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks");
        let told = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let error = Marks::read(&path).unwrap_err().to_string();
            error.strip_prefix(&*path.display().to_string()).unwrap().to_owned()
        };
        assert_eq!(
            told("{\"row\": 1, \"label\": \"fine\"}\n\n{\"row\": 2, \"label\": \"bad\"}\n"),
            ":3:25: label: `bad` is none of the choices: write `fine` or `matters`"
        );
        assert_eq!(told("{\"row\": 1}"), ":1:10: the field `label` is missing: add it");
        assert_eq!(
            told("{\"row\": -1, \"label\": \"fine\"}"),
            ":1:10: row: this is -1: write a whole number from 0 to 18446744073709551615"
        );
        std::fs::write(&path, "\u{feff}{\"row\": 1, \"label\": \"fine\"}").unwrap();
        assert_eq!(Marks::read(&path).unwrap().answers().len(), 1);
    }

    #[test]
    fn each_of_two_marks_on_a_row_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks");
        let mark = "{\"row\": 7, \"label\": \"fine\"}\n";
        std::fs::write(&path, mark.repeat(2)).unwrap();
        let mut marks = Marks::read(&path).unwrap();
        for unused in 1..=2 {
            marks.are_unused(7, "the row is blank", &Console::new(true));
            assert_eq!(marks.unused().len(), unused);
        }
    }
}
