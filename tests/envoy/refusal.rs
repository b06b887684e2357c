//! Configurations that Envoy takes, and what it prints of those that it does not.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::bootstrap::{Plugin, stats_tags, validate_filter};
use super::process::{self, module};

/// A document, and what the message has to say: where it is wrong, and what to do.
const BAD: &[(&str, &[&str])] = &[
    ("{", &["line 1"]),
    (
        "{\"envoy\": {\"mode\": \"filtre\"}}",
        &["envoy.mode", "filtre", "did you mean `filter`"],
    ),
    ("{\"envoy\": {\"modus\": \"filter\"}}", &["modus", "mode"]),
    ("{\"envoi\": {}}", &["envoi", "envoy"]),
    (
        "{\"envoy\": {\"checkpoint_seconds\": 0}}",
        &["checkpoint_seconds", "86400"],
    ),
    (
        "{\"envoy\": {\"checkpoint_seconds\": 2.5}}",
        &["checkpoint_seconds", "whole number"],
    ),
    (
        "{\"envoy\": {\"response_header\": \"x watchpost\"}}",
        &["response_header", "x watchpost"],
    ),
    ("{\"envoy\": {\"journal\": 1}}", &["journal", "true or false"]),
    (
        "{\"envoy\": {\"collector\": {\"path\": \"/\"}}}",
        &["collector", "cluster"],
    ),
    (
        "{\"envoy\": {\"collector\": {\"cluster\": \"c\", \"timeout_seconds\": 600}}}",
        &["timeout_seconds", "60"],
    ),
    ("{\"envoy\": {\"warm_start\": {}}}", &["warm_start", "snapshot"]),
    (
        "{\"envoy\": {\"warm_start\": {\"snapshot\": \"%%%\"}}}",
        &["warm_start", "is not base64"],
    ),
    (
        "{\"envoy\": {\"warm_start\": {\"snapshot\": \"bm90aGluZw==\"}}}",
        &["no state of a Watchpost detector"],
    ),
    (
        "{\"detector\": {\"false_alarms_per_day\": -1}}",
        &["detector.false_alarms_per_day", "-1"],
    ),
    (
        "{\n  \"detector\": {\n    \"bounds\": {\"max_routes\": 0}\n  }\n}",
        &["max_routes", "line 3"],
    ),
];

#[test]
fn envoy_refuses_bad_configurations_and_says_why() {
    let module = module();
    let mut wrong = Vec::new();
    for (document, wanted) in BAD {
        let mut plugin = Plugin::new("watchpost", &module, &Value::Null);
        plugin.document = (*document).to_owned();
        let (status, said) = validate_filter(&plugin);
        let said_by_us: Vec<&str> = said.lines().filter(|line| line.contains("watchpost: ")).collect();
        println!("{document}\n  {}", said_by_us.join("\n  "));
        let says = |part: &&&str| !said_by_us.iter().any(|line| line.contains(**part));
        let missing: Vec<_> = wanted.iter().filter(says).collect();
        if status.code() != Some(1) || !missing.is_empty() {
            wrong.push(format!("{document}\n  {status}, without {missing:?}, in:\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn envoy_takes_good_configurations() {
    let module = module();
    for document in [
        "",
        "{}",
        "{\"detector\": {}, \"envoy\": {}}",
        "{\"envoy\": {\"service\": \"shop\", \"route\": \"path\", \"response_header\": \"X-Watchpost\", \"journal\": true}}",
        "{\"detector\": {\"false_alarms_per_day\": 4, \"bounds\": {\"max_routes\": 100}}}",
    ] {
        let mut plugin = Plugin::new("watchpost", &module, &Value::Null);
        plugin.document = document.to_owned();
        let (status, said) = validate_filter(&plugin);
        assert!(status.success(), "{document}: {status}\n{said}");
    }
}

/// The examples are for people to begin with: Envoy takes them as they are, beside the module.
#[test]
fn envoy_takes_the_examples() {
    let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/envoy");
    let pattern = plugin.join("examples/*.yaml");
    let examples: Vec<PathBuf> = glob::glob(&pattern.to_string_lossy())
        .expect("a pattern")
        .map(|path| path.expect("a folder that can be read"))
        .collect();
    let mut seen = 0;
    for example in examples {
        let text = std::fs::read_to_string(&example).expect("the file was just found");
        // A resource of Kubernetes is nothing for Envoy.
        if text.lines().any(|line| line.starts_with("apiVersion:")) {
            continue;
        }
        let document: Value = serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{example:?}: {error}"));
        // What makes labels of metrics is tested with these.
        assert_eq!(
            document["stats_config"]["stats_tags"],
            json!(stats_tags()),
            "{}",
            example.display()
        );
        let (status, said) = process::validate_beside_module(&text);
        assert!(status.success(), "{}: {status}\n{said}", example.display());
        seen += 1;
    }
    assert!(seen > 0, "there are no examples in {}", pattern.display());
}
