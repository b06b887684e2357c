//! Scores the rows of a table: `tabular [--model NAME] TABLE.csv` prints one number per row, higher = more anomalous.
//!
//! The table has a header row and numbers only. The model is an isolation forest, or another by its name in a
//! configuration's `models.together`. A forest has a thousand trees rather than the usual hundred: more trees mean less
//! chance in the scores, and a table of 5,000 rows takes a fraction of a second all the same.

use std::io::Write;
use std::process::ExitCode;

use watchpost_detector::Finite;
use watchpost_detector::forest::{ForestError, Table};
use watchpost_detector::joint::{Fitted, JointModel};

fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let mut model = Some(JointModel::Forest);
    if arguments.len() > 2 && arguments[0] == "--model" {
        model = JointModel::ALL.into_iter().find(|model| arguments[1] == model.name());
        arguments.drain(..2);
    }
    let (Some(model), [path]) = (model, &arguments[..]) else {
        let names = JointModel::ALL.map(JointModel::name).join(", ");
        eprintln!("usage: tabular [--model NAME] TABLE.csv, where NAME is one of {names}");
        return ExitCode::from(2);
    };
    let path = std::path::PathBuf::from(path);
    let scores = read(&path).and_then(|(width, values)| Ok(score(model, width, &values)?));
    let scores = match scores {
        Ok(scores) => scores,
        Err(problem) => {
            eprintln!("{}: {problem}", path.display());
            return ExitCode::FAILURE;
        }
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match scores
        .iter()
        .try_for_each(|score| writeln!(out, "{score}"))
        .and_then(|()| out.flush())
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("standard output: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn score(model: JointModel, width: usize, values: &[Finite]) -> Result<Vec<f64>, ForestError> {
    let table = Table::new(width, values)?;
    Fitted::new(model, table, 0)?.score_many(table)
}

/// What is wrong with a table.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{0}")]
    Csv(#[from] csv::Error),
    #[error("line 1: there is no header row")]
    Header,
    #[error("line {line}, column {column} ({name}): `{text}` is not a finite number")]
    Number {
        line: u64,
        column: usize,
        name: String,
        text: String,
    },
    #[error("{0}")]
    Forest(#[from] ForestError),
}

/// The number of columns, and all values row by row.
fn read(path: &std::path::Path) -> Result<(usize, Vec<Finite>), Problem> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path)?;
    let header = reader.headers()?.clone();
    if header.is_empty() {
        return Err(Problem::Header);
    }
    let mut values = Vec::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        for (column, text) in record.iter().enumerate() {
            let Some(value) = text.parse().ok().and_then(Finite::new) else {
                return Err(Problem::Number {
                    line: record.position().map_or(0, csv::Position::line),
                    column: column + 1,
                    name: header.get(column).unwrap_or_default().to_owned(),
                    text: text.to_owned(),
                });
            };
            values.push(value);
        }
    }
    Ok((header.len(), values))
}
