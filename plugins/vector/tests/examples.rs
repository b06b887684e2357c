//! The configurations for Vector: what they name is there, and the programs in them compile and do what they are for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_yaml_ng::{Mapping, Value as Yaml};
use vrl::compiler::function::{ArgumentList, Compiled, Example, FunctionCompileContext};
use vrl::compiler::runtime::Runtime;
use vrl::compiler::value::kind;
use vrl::compiler::{
    Context, Expression, Function, FunctionExpression, Parameter, Resolved, TargetValue, TimeZone, TypeDef, TypeState,
};
use vrl::value::kind::Collection;
use vrl::value::{Secrets, Value};

const SECTIONS: [&str; 4] = ["sources", "transforms", "sinks", "enrichment_tables"];

#[derive(Debug)]
struct Component {
    name: String,
    section: &'static str,
    settings: Yaml,
}

fn components(file: &str) -> Vec<Component> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(file);
    let text = fs::read_to_string(&path).unwrap();
    let document: Mapping = serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut components = Vec::new();
    for (section, of_section) in document {
        let section = section.as_str().unwrap();
        let section = SECTIONS.into_iter().find(|known| *known == section).unwrap();
        for (name, settings) in of_section.as_mapping().unwrap() {
            components.push(Component {
                name: name.as_str().unwrap().to_owned(),
                section,
                settings: settings.clone(),
            });
        }
    }
    components
}

fn files() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["enrichment.yaml", "inline.yaml", "tee.yaml"]);
    files
}

fn text<'a>(settings: &'a Yaml, field: &str) -> &'a str {
    settings[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} of {settings:?} is no text"))
}

#[test]
fn every_input_is_there_and_every_output_goes_somewhere() {
    for file in files() {
        let components = components(&file);
        let names: BTreeSet<&str> = components.iter().map(|component| component.name.as_str()).collect();
        assert_eq!(names.len(), components.len(), "{file}: a name is there twice");
        let mut used = BTreeSet::new();
        for component in &components {
            assert!(!text(&component.settings, "type").is_empty());
            if component.section == "sources" {
                continue;
            }
            for input in component.settings["inputs"].as_sequence().unwrap() {
                let input = input.as_str().unwrap();
                assert!(
                    names.contains(input),
                    "{file}: {} takes {input}, which is not there",
                    component.name
                );
                used.insert(input.to_owned());
            }
        }
        for component in &components {
            let program = component
                .settings
                .get("source")
                .and_then(Yaml::as_str)
                .unwrap_or_default();
            if let Some((_, call)) = program.split_once("get_enrichment_table_record(\"") {
                let table = call.split('"').next().unwrap();
                let is_table = |other: &Component| other.name == table && other.section == "enrichment_tables";
                assert!(components.iter().any(is_table), "{file}: there is no table {table}");
            }
            let is_last = matches!(component.section, "sinks" | "enrichment_tables");
            assert_eq!(used.contains(&component.name), !is_last, "{file}: {}", component.name);
        }
    }
}

/// The two ends of the program agree, and each is set as what it is for asks for.
#[test]
fn the_socket_and_the_program_fit() {
    for file in files() {
        let components = components(&file);
        let of = |kind: &str| {
            components
                .iter()
                .find(|component| text(&component.settings, "type") == kind)
                .unwrap()
        };
        let (sink, source) = (&of("socket").settings, &of("exec").settings);
        let command: Vec<&str> = source["command"]
            .as_sequence()
            .unwrap()
            .iter()
            .map(|part| part.as_str().unwrap())
            .collect();
        let listens = command.iter().position(|part| *part == "--listen").unwrap();
        assert_eq!(text(sink, "address"), command[listens + 1]);
        assert_eq!(command.contains(&"--emit"), file != "inline.yaml");
        for (settings, codec) in [(sink, "encoding"), (source, "decoding")] {
            assert_eq!(text(&settings[codec], "codec"), "native_json");
            assert_eq!(text(&settings["framing"], "method"), "newline_delimited");
        }
        assert_eq!(source["include_stderr"].as_bool(), Some(false));
        assert_eq!(source["streaming"]["respawn_on_exit"].as_bool(), Some(true));
        assert_eq!(sink["healthcheck"]["enabled"].as_bool(), Some(false));
        let when_full = if file == "inline.yaml" { "block" } else { "drop_newest" };
        assert_eq!(text(&sink["buffer"], "when_full"), when_full);
    }
}

/// The program of a component, run on an event: what it gives, and what becomes of the event.
fn run(file: &str, name: &str, event: &str) -> (Value, Value) {
    let component = components(file)
        .into_iter()
        .find(|component| component.name == name)
        .unwrap();
    let source = component.settings.get("source").or(component.settings.get("condition"));
    let source = source.and_then(Yaml::as_str).unwrap();
    let mut functions = vrl::stdlib::all();
    functions.push(Box::new(TableRecord));
    let compiled =
        vrl::compiler::compile(source, &functions).unwrap_or_else(|errors| panic!("{file}: {name}: {errors:?}"));
    assert!(compiled.warnings.is_empty(), "{file}: {name}: {:?}", compiled.warnings);
    let mut target = TargetValue {
        value: serde_json::from_str::<serde_json::Value>(event).unwrap().into(),
        metadata: Value::Object(BTreeMap::new()),
        secrets: Secrets::default(),
    };
    let result = Runtime::default()
        .resolve(&mut target, &compiled.program, &TimeZone::default())
        .unwrap_or_else(|error| panic!("{file}: {name}: {error:?}"));
    (result, target.value)
}

fn value(json: &str) -> Value {
    serde_json::from_str::<serde_json::Value>(json).unwrap().into()
}

#[test]
fn the_programs_do_what_they_are_for() {
    let is = |file, name, event, expected: bool| {
        assert_eq!(run(file, name, event).0, Value::Boolean(expected), "{name} of {event}");
    };
    is(
        "inline.yaml",
        "strange",
        r#"{"watchpost":{"row":7,"anomaly":true}}"#,
        true,
    );
    is(
        "inline.yaml",
        "strange",
        r#"{"watchpost":{"row":7,"anomaly":false}}"#,
        false,
    );
    is("inline.yaml", "strange", r#"{"message":"unread"}"#, false);
    is(
        "inline.yaml",
        "strange",
        r#"{"name":"n","tags":{"watchpost_anomaly":"true"}}"#,
        true,
    );
    is("tee.yaml", "urgent", r#"{"severity":"high","phase":"onset"}"#, true);
    is("tee.yaml", "urgent", r#"{"severity":"high","phase":"end"}"#, false);
    is("tee.yaml", "urgent", r#"{"session":"r-17","score":0.99}"#, false);
    is(
        "enrichment.yaml",
        "of_a_service",
        r#"{"subject":{"service":"cart"}}"#,
        true,
    );
    is("enrichment.yaml", "of_a_service", r#"{"subject":{}}"#, false);

    let becomes = |file, name, event, expected| assert_eq!(run(file, name, event).1, value(expected), "{name}");
    becomes(
        "tee.yaml",
        "short",
        r#"{"message":"up","timestamp":"2026-11-20T09:00:00Z","host":"web1","file":"/var/log/app/cart.log"}"#,
        r#"{"message":"up","timestamp":"2026-11-20T09:00:00Z","file":"/var/log/app/cart.log"}"#,
    );
    becomes(
        "enrichment.yaml",
        "named",
        r#"{"message":"up","file":"/var/log/app/cart.log"}"#,
        r#"{"message":"up","file":"/var/log/app/cart.log","service":"cart"}"#,
    );
    becomes(
        "enrichment.yaml",
        "by_service",
        r#"{"subject":{"service":"cart"},"kind":"spike","severity":"high","score":0.99,"phase":"worse","surprise":4.5}"#,
        r#"{"cart":{"anomaly":true,"kind":"spike","severity":"high","score":0.99}}"#,
    );
    becomes(
        "enrichment.yaml",
        "enriched",
        r#"{"service":"cart"}"#,
        r#"{"service":"cart","watchpost":{"anomaly":true}}"#,
    );
    becomes(
        "enrichment.yaml",
        "enriched",
        r#"{"service":"pay"}"#,
        r#"{"service":"pay"}"#,
    );
}

#[test]
fn every_program_is_run_by_a_test() {
    let this = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples.rs")).unwrap();
    for file in files() {
        for component in components(&file) {
            let has_program = component
                .settings
                .get("source")
                .or(component.settings.get("condition"))
                .is_some();
            let is_run = this.contains(&format!("\"{}\",", component.name));
            assert!(!has_program || is_run, "{file}: {} is not run", component.name);
        }
    }
}

/// Vector's own function, which is not part of the language: here the table has a row for `cart`.
#[derive(Debug, Clone, Copy)]
struct TableRecord;

impl Function for TableRecord {
    fn identifier(&self) -> &'static str {
        "get_enrichment_table_record"
    }

    fn usage(&self) -> &'static str {
        "The row of a table."
    }

    fn category(&self) -> &'static str {
        "Enrichment"
    }

    fn return_kind(&self) -> u16 {
        kind::OBJECT
    }

    fn parameters(&self) -> &'static [Parameter] {
        const PARAMETERS: &[Parameter] = &[
            Parameter::required("table", kind::BYTES, "The table."),
            Parameter::required("condition", kind::OBJECT, "Which row."),
        ];
        PARAMETERS
    }

    fn examples(&self) -> &'static [Example] {
        &[]
    }

    fn compile(&self, _: &TypeState, _: &mut FunctionCompileContext, arguments: ArgumentList) -> Compiled {
        Ok(Lookup(arguments.required("condition")).as_expr())
    }
}

#[derive(Debug, Clone)]
struct Lookup(Box<dyn Expression>);

impl FunctionExpression for Lookup {
    fn resolve(&self, context: &mut Context) -> Resolved {
        let condition = self.0.resolve(context)?;
        let key = condition.as_object().and_then(|condition| condition.get("key"));
        match key.and_then(Value::to_str_lossy).as_deref() {
            Some("cart") => Ok(value(r#"{"key":"cart","value":{"anomaly":true},"ttl":60}"#)),
            _ => Err("no row found".into()),
        }
    }

    fn type_def(&self, _: &TypeState) -> TypeDef {
        TypeDef::object(Collection::any()).fallible()
    }
}
