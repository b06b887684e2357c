//! The cases are the specification: what goes in, and the bytes that come out. Every one is run natively and
//! through the engine, whole and cut up, and all of that must be the expectation to the byte.
//!
//! `cargo xtask bless` (or `WATCHPOST_BLESS=1`) writes the expectations anew; read the difference before
//! you keep it.

use std::env;
use std::fs;

use watchpost::engine::Choice;
use watchpost_tests::Case;

/// Whole, one byte at a time, and sizes that no line and no buffer has.
const CHUNKS: [usize; 4] = [usize::MAX, 1, 7, 4093];

#[test]
fn every_case_gives_its_expectation_natively_and_in_wasm() {
    let cases = Case::all().unwrap();
    assert!(!cases.is_empty(), "tests/cases is empty, so nothing was tested");
    let bless = env::var_os("WATCHPOST_BLESS").is_some_and(|value| value == "1");
    let failures: Vec<String> = cases.iter().filter_map(|case| check(case, bless).err()).collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases failed:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

fn check(case: &Case, bless: bool) -> Result<(), String> {
    let name = case.name();
    if bless {
        let lines = case
            .run(&Choice::Native, usize::MAX)
            .map_err(|error| format!("{name}: {error}"))?;
        fs::write(case.expectation(), lines).map_err(|error| format!("{name}: {error}"))?;
    }
    let expected = fs::read(case.expectation())
        .map_err(|error| format!("{name}: expected.ndjson: {error}; `cargo xtask bless` writes it"))?;
    for choice in [Choice::Native, Choice::Wasm] {
        for chunk in CHUNKS {
            let found = case
                .run(&choice, chunk)
                .map_err(|error| format!("{name}, {choice:?} in chunks of {chunk}: {error}"))?;
            if found != expected {
                return Err(format!(
                    "{name}, {choice:?} in chunks of {chunk}: {}",
                    difference(&expected, &found)
                ));
            }
        }
    }
    Ok(())
}

/// The first line that differs, from both sides.
fn difference(expected: &[u8], found: &[u8]) -> String {
    let mut expected_lines = expected.split(|byte| *byte == b'\n');
    let mut found_lines = found.split(|byte| *byte == b'\n');
    let mut number = 1;
    loop {
        match (expected_lines.next(), found_lines.next()) {
            (Some(left), Some(right)) if left == right => number += 1,
            (left, right) => {
                return format!(
                    "line {number} differs\n  expected {}\n  found    {}",
                    text(left),
                    text(right)
                );
            }
        }
    }
}

fn text(line: Option<&[u8]>) -> String {
    line.map_or_else(
        || "the end".to_owned(),
        |line| String::from_utf8_lossy(line).into_owned(),
    )
}
