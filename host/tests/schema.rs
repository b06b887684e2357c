//! The schemas are part of the interface: what `watchpost config schema` prints is checked in under `tests/schema`,
//! so that a change of it is seen. `cargo xtask bless` writes the files anew.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use watchpost_detector::{Document, Line};

fn watchpost(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_watchpost"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that reads nothing may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn schema(of: &str) -> String {
    let output = watchpost(&["config", "schema", of], "");
    assert!(
        output.status.success(),
        "{of}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn parsed(of: &str) -> serde_json::Value {
    serde_json::from_str(&schema(of)).unwrap()
}

#[test]
fn schemas_are_as_they_are_checked_in() {
    let bless = std::env::var_os("WATCHPOST_BLESS").is_some_and(|value| value == "1");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/schema");
    for of in ["config", "event", "verdict"] {
        let path = folder.join(format!("{of}.json"));
        let printed = schema(of);
        if bless {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &printed).unwrap();
        }
        let expected = fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask bless` writes it", path.display()));
        assert!(
            printed == expected,
            "the schema of {of} is not {} any more; `cargo xtask bless` writes it anew",
            path.display()
        );
    }
}

/// The reader of events is written by hand, and so is its schema: the two must agree.
#[test]
fn every_example_of_an_event_is_read() {
    let schema = parsed("event");
    let examples = schema["examples"].as_array().unwrap();
    assert!(examples.len() >= 4);
    let mut lines: Vec<String> = examples.iter().map(ToString::to_string).collect();
    for name in schema["properties"].as_object().unwrap().keys() {
        let property = &schema["properties"][name];
        let definition = property["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"));
        let shared = definition.map(|definition| &schema["$defs"][definition]["examples"]);
        let own = property["examples"]
            .as_array()
            .or(shared.and_then(|shared| shared.as_array()));
        for value in own.unwrap_or_else(|| panic!("{name} has no examples")) {
            lines.push(serde_json::json!({ "message": "here", name: value }).to_string());
        }
    }
    let output = watchpost(
        &[
            "score", "--quiet", "--scores", "--input", "ndjson", "--engine", "native", "-",
        ],
        &(lines.join("\n") + "\n"),
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let verdicts = String::from_utf8(output.stdout).unwrap();
    let rows = verdicts.lines().filter(|line| line.starts_with("{\"row\":")).count();
    assert_eq!(rows, lines.len());
}

/// Every field that is written stands in the schema, and the other way round.
#[test]
fn the_schema_of_the_configuration_has_its_fields() {
    let document = serde_json::to_value(Document::default()).unwrap();
    let schema = parsed("config");
    let names = |object: &serde_json::Value| -> Vec<String> { object.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names(&schema["properties"]), names(&document));
    assert_eq!(
        names(&schema["$defs"]["Config"]["properties"]),
        names(&document["detector"])
    );
    assert_eq!(
        names(&schema["$defs"]["Bounds"]["properties"]),
        names(&document["detector"]["bounds"])
    );
}

/// What the engine writes is read back by the type that the schema of verdicts is derived from.
#[test]
fn every_line_is_one_that_the_schema_of_verdicts_describes() {
    let input = "{\"message\": \"started\", \"session\": \"a\"}\n{\"cpu\": 1}\n";
    let output = watchpost(&["score", "--quiet", "--scores", "--input", "ndjson", "-"], input);
    let lines: Vec<Line> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        matches!(lines[..], [Line::Row(_), Line::Row(_), Line::Session(_)]),
        "{lines:?}"
    );
    assert_eq!(parsed("verdict")["anyOf"].as_array().unwrap().len(), 6);
}
