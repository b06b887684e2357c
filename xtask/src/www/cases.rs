//! The cases of the tests as things to try.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use super::site::{Site, gzip};

/// The inputs of cases, and how they are read where nothing is said.
const INPUTS: [(&str, &str); 4] = [
    ("input.ndjson", "ndjson"),
    ("input.csv", "csv"),
    ("input.log", "text"),
    ("input.prom", "prometheus"),
];

/// Words of names that are no words.
const CAPITALS: [&str; 4] = ["csv", "cri", "ndjson", "otlp"];

/// Adds the recording and every case that has something in it, and the list of them.
pub(crate) fn add(site: &mut Site) -> Result<()> {
    let tests = watchpost_guests::root().join("tests");
    let recording = read(&tests.join("recording").join("recording.ndjson.zst"))?;
    let recording = gzip(&zstd::decode_all(recording.as_slice()).context("unpack the recording")?)?;
    let mut list = vec![json!({
        "name": "recording",
        "title": "A recording: services behind an Envoy, made to fail",
        "file": "cases/recording.ndjson.gz",
        "bytes": recording.len(),
    })];
    site.later("cases/recording.ndjson.gz", recording);
    let folder = tests.join("cases");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    for name in names {
        let folder = folder.join(&name);
        let Some((file, format)) = INPUTS.into_iter().find(|(file, _)| folder.join(file).is_file()) else {
            bail!("{} has no input", folder.display());
        };
        let bytes = read(&folder.join(file))?;
        if bytes.is_empty() {
            continue;
        }
        let mut input = json(&folder.join("input.json"))?.unwrap_or_default();
        input.entry("format").or_insert_with(|| format.into());
        let path = format!("cases/{name}/{file}");
        let mut case =
            json!({ "name": name, "title": title(&name), "file": path, "input": input, "bytes": bytes.len() });
        if let (Some(config), Value::Object(case)) = (json(&folder.join("config.json"))?, &mut case) {
            case.insert("config".to_owned(), Value::Object(config));
        }
        list.push(case);
        site.first(path, bytes);
    }
    site.first("cases/index.json", Value::Array(list).to_string().into_bytes());
    Ok(())
}

/// A name as people read it.
fn title(name: &str) -> String {
    let words = name.split('-').enumerate().map(|(at, word)| {
        if CAPITALS.contains(&word) {
            return word.to_uppercase();
        }
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if at == 0 => first.to_uppercase().chain(letters).collect(),
            _ => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn json(path: &Path) -> Result<Option<Map<String, Value>>> {
    if !path.is_file() {
        return Ok(None);
    }
    let object = serde_json::from_slice(&read(path)?).with_context(|| format!("read {}", path.display()))?;
    Ok(Some(object))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_titles() {
        assert_eq!(title("csv-subjects-and-bad-cells"), "CSV subjects and bad cells");
        assert_eq!(title("kubernetes-cri"), "Kubernetes CRI");
    }
}
