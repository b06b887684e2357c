//! What Envoy says of itself: its admin interface.

use std::collections::BTreeMap;

use serde_json::Value;

use super::load::Client;

/// One metric as Prometheus reads it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

/// The metrics of one moment.
#[derive(Debug, Clone)]
pub(super) struct Metrics(pub(super) Vec<Metric>);

impl Metrics {
    /// The sum over all metrics of a name that have these labels.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.of(name, labels).map(|metric| metric.value).sum()
    }

    pub(super) fn of<'a>(&'a self, name: &'a str, labels: &'a [(&str, &str)]) -> impl Iterator<Item = &'a Metric> {
        self.0.iter().filter(move |metric| {
            let has = |&(label, value): &(&str, &str)| metric.labels.get(label).is_some_and(|own| own == value);
            metric.name == name && labels.iter().all(has)
        })
    }

    /// Those of the plugin.
    pub(super) fn ours(&self) -> impl Iterator<Item = &Metric> {
        self.0.iter().filter(|metric| metric.name.starts_with("watchpost_"))
    }
}

pub(super) async fn json(admin: &Client, path: &str) -> Value {
    serde_json::from_str(&text(admin, path).await).expect("the admin interface writes JSON")
}

/// The metrics as Prometheus gets them.
pub(super) async fn metrics(admin: &Client) -> Metrics {
    let page = text(admin, "/stats?format=prometheus").await;
    let lines = page.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    Metrics(lines.map(metric).collect())
}

/// The counters and gauges by the names that Envoy has for them.
pub(super) async fn stats(admin: &Client) -> BTreeMap<String, u64> {
    let page = json(admin, "/stats?format=json").await;
    let stats = page["stats"].as_array().expect("a list of stats");
    let number = |stat: &Value| Some((stat["name"].as_str()?.to_owned(), stat["value"].as_u64()?));
    stats.iter().filter_map(number).collect()
}

async fn text(admin: &Client, path: &str) -> String {
    let answer = admin.get(path, None).await.expect("the admin interface answers");
    assert_eq!(answer.status, 200, "{path}");
    String::from_utf8(answer.body.to_vec()).expect("the admin interface writes UTF-8")
}

/// `name{label="value",…} 1`: values of labels have `\\`, `\"` and `\n` escaped.
fn metric(line: &str) -> Metric {
    let (head, value) = line.rsplit_once(' ').expect("a name and a value");
    let (name, rest) = head.split_once('{').unwrap_or((head, "}"));
    let mut labels = BTreeMap::new();
    let mut rest = rest;
    while let Some((label, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next() {
                Some((at, '"')) => break at,
                Some((_, '\\')) => value.extend(characters.next().map(|(_, c)| if c == 'n' { '\n' } else { c })),
                Some((_, c)) => value.push(c),
                None => panic!("the value of a label does not end: {line}"),
            }
        };
        labels.insert(label.trim_start_matches(',').to_owned(), value);
        rest = &after[end + 1..];
    }
    Metric {
        name: name.to_owned(),
        labels,
        value: value.parse().expect("a number"),
    }
}

#[test]
fn labels_are_read_whatever_is_in_them() {
    let read = metric(r#"watchpost_alarms{kind="errors",route="/a{b},\"c\"=.d",upstream=""} 3"#);
    assert_eq!(read.name, "watchpost_alarms");
    assert_eq!(read.labels["route"], r#"/a{b},"c"=.d"#);
    assert_eq!((read.labels["upstream"].as_str(), read.value), ("", 3.0));
    assert_eq!(metric("watchpost_routes{} 12").value, 12.0);
}
