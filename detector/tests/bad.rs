//! Bad inputs and bad configurations, and exactly what is said of each (`tests/bad`).
//!
//! A table holds entries of three parts, parted by lines of `---` and begun by a line of `=== name`: how it is read, the
//! text, and what is said of it. In a text, `<<ff 00>>` stands for bytes in hex, `<<1000 x>>` for a thousand times what
//! comes after the blank, and `<<cut>>` at the end for no line end there.
//!
//! `WATCHPOST_BLESS=1` writes the last part of every entry anew; read the difference before you keep it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use watchpost_detector::wire::{Reader, Row};
use watchpost_detector::{Config, Emit, Input, Scorer};

/// What nobody should have to read who knows neither Rust nor serde.
const JARGON: [&str; 20] = [
    "invalid type",
    "invalid value",
    "invalid length",
    "expected ",
    "missing field",
    "duplicate field",
    "unknown field",
    "unknown variant",
    "untagged",
    "struct ",
    "enum ",
    "variant",
    "sequence",
    "ident ",
    "EOF",
    "trailing c",
    "f64",
    "u32",
    "u64",
    "nonzero",
];

/// One entry of a table.
struct Entry {
    name: String,
    how: String,
    text: String,
    said: String,
}

fn table(name: &str) -> (PathBuf, String, Vec<Entry>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bad").join(name);
    let file = fs::read_to_string(&path).unwrap();
    let mut parts = file.split("=== ");
    let head = parts.next().unwrap_or_default().to_owned();
    let entries = parts
        .map(|entry| {
            let (name, rest) = entry.split_once('\n').unwrap();
            let mut parts = rest.split("---\n");
            let mut next = || parts.next().unwrap_or_default().to_owned();
            let (how, text, said) = (next(), next(), next());
            assert!(
                parts.next().is_none() && !text.is_empty(),
                "{name}: an entry has three parts"
            );
            Entry {
                name: name.to_owned(),
                how,
                text,
                said: said.trim_end().to_owned(),
            }
        })
        .collect();
    (path, head, entries)
}

/// Compares what is said of every entry with what stands in the table, or writes it there.
fn check(name: &str, say: impl Fn(&Entry) -> String) -> Vec<Entry> {
    let (path, head, mut entries) = table(name);
    let names: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names.len(), entries.len(), "{name}: every entry has a name of its own");
    let bless = env::var_os("WATCHPOST_BLESS").is_some_and(|value| value == "1");
    let mut file = head;
    let mut failures = Vec::new();
    for entry in &mut entries {
        let said = say(entry);
        if said != entry.said && !bless {
            failures.push(format!("{}\n  expected {}\n  found    {said}", entry.name, entry.said));
        }
        entry.said = said;
        let Entry { name, how, text, said } = entry;
        file.push_str(&format!("=== {name}\n{how}---\n{text}---\n{said}\n\n"));
    }
    if bless {
        fs::write(path, format!("{}\n", file.trim_end())).unwrap();
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    for entry in &entries {
        // Names are quoted, and one of them may be a word that is jargon elsewhere.
        let prose: String = entry.said.split('`').step_by(2).collect();
        for word in JARGON {
            assert!(!prose.contains(word), "{}: `{word}` in {}", entry.name, entry.said);
        }
    }
    entries
}

/// The bytes that a text stands for.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, (inside, after))) = rest
        .split_once("<<")
        .and_then(|(plain, rest)| Some((plain, rest.split_once(">>")?)))
    {
        bytes.extend_from_slice(plain.as_bytes());
        rest = after;
        if inside == "cut" {
            rest = "";
        } else if let Some((count, text)) = inside.split_once(' ')
            && let Ok(count) = count.parse::<usize>()
            && count >= 100
        {
            bytes.extend(text.repeat(count).into_bytes());
        } else {
            let hex = |byte: &str| u8::from_str_radix(byte, 16).unwrap();
            bytes.extend(inside.split(' ').map(hex));
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// What a reader makes of an input that comes in chunks of this size: how many rows of each kind, and the problems.
fn rows(input: &Input, bytes: &[u8], chunk: usize) -> String {
    let mut reader = Reader::new(input, None);
    let (mut events, mut others, mut bad) = (0, 0, 0);
    let mut said = String::new();
    let mut each = |row: Row<'_>| match row {
        Row::Event(_) => events += 1,
        Row::Continues | Row::Blank => others += 1,
        Row::Found(_, note) => said.push_str(&format!("\n{note}")),
        Row::Bad(problem) => {
            bad += 1;
            said.push_str(&format!("\n{}", serde_json::to_string(&problem).unwrap()));
        }
    };
    for part in bytes.chunks(chunk) {
        reader.read(part, &mut each);
    }
    reader.finish(&mut each);
    format!("events {events}, problems {bad}, other rows {others}{said}")
}

#[test]
fn bad_inputs_are_told_and_cost_no_good_row() {
    let entries = check("inputs.txt", |entry| {
        let input = Input::from_json(&entry.how).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
        let bytes = bytes(&entry.text);
        let said = rows(&input, &bytes, usize::MAX);
        let cut: &[usize] = if bytes.len() < 10_000 { &[1, 7] } else { &[4093] };
        for chunk in cut {
            assert_eq!(
                rows(&input, &bytes, *chunk),
                said,
                "{} in chunks of {chunk}",
                entry.name
            );
        }
        // The scorer says the same problems, and scores every row.
        let mut scorer = Scorer::open("", None).unwrap();
        scorer.begin(Input {
            emit: Emit::Rows,
            ..input
        });
        let mut out = Vec::new();
        scorer.push(&bytes, &mut out);
        scorer.finish(&mut out);
        scorer.close(&mut out);
        let out = String::from_utf8(out).unwrap();
        let of = |kind: &str| out.lines().filter(|line| line.starts_with(kind)).count();
        let counted: Vec<usize> = numbers(&said);
        assert_eq!(of("{\"row\""), counted.iter().sum::<usize>(), "{}", entry.name);
        assert_eq!(of("{\"problem\""), counted[1], "{}", entry.name);
        said
    });
    let told = entries.iter().filter(|entry| entry.said.contains("{\"line\"")).count();
    assert!(entries.len() >= 70 && told >= 60, "{told} of {}", entries.len());
    for entry in &entries {
        // Every text has good rows around what is bad, but for those that are bad as a whole.
        let events = numbers(&entry.said)[0];
        assert!(
            events >= 2 || entry.name.contains("(whole)"),
            "{}: {events}",
            entry.name
        );
    }
}

/// How many rows of each kind there were.
fn numbers(said: &str) -> Vec<usize> {
    let counts = said.lines().next().unwrap().split(", ");
    counts
        .map(|count| count.rsplit(' ').next().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn bad_configurations_are_told() {
    let entries = check("configs.txt", |entry| {
        let text = String::from_utf8(bytes(&entry.text)).unwrap();
        let error = match entry.how.trim() {
            "document" => Scorer::open(&text, None).map(|_| ()).map_err(|error| error.to_string()),
            "detector" => Config::from_json(&text).map(|_| ()).map_err(|error| error.to_string()),
            "input" => Input::from_json(&text).map(|_| ()).map_err(|error| error.to_string()),
            other => panic!("{}: {other} is none of document, detector and input", entry.name),
        };
        error.expect_err(&entry.name)
    });
    assert!(entries.len() >= 45, "{}", entries.len());
}
