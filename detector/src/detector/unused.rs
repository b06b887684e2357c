//! What a configuration asks for and what came has never given anything to look at.

use std::collections::BTreeSet;

use super::Detector;
use crate::pattern::{When, Words};
use crate::series::{Model, Series};

/// So many things of one kind are named; the rest is counted.
const MOST_NAMED: usize = 5;

impl Detector {
    /// What was configured and had nothing to look at, in words, with what to do: limits of numbers that did not come since
    /// the detector was made or restored, and patterns and models whose logs and metrics it does not know; and patterns that
    /// have found nothing since the state began. Empty while there was nothing at all, and of patterns and models once
    /// series were evicted, since nobody knows then.
    pub fn unused(&self) -> Vec<String> {
        let mut unused = Vec::new();
        if self.core.time.now.is_none() {
            return unused;
        }
        unused.extend(told(
            "nothing was compared with the limits of",
            &self.unmet.named().map(|name| format!("`{name}`")).collect::<Vec<_>>(),
            "no such number came: look for a slip in the service or in the field, or leave them out",
        ));
        let Detector { config, core, .. } = self;
        if core.table.evicted > 0 {
            return unused;
        }
        let (mut rows, mut lines, mut together) = (false, false, false);
        let services = config
            .patterns
            .own()
            .iter()
            .filter_map(|pattern| pattern.service.as_ref());
        let mut missing: BTreeSet<&str> = services.map(Words::as_str).collect();
        for Series { labels, model, .. } in core.table.all() {
            match model {
                Model::Row(row) => {
                    rows = true;
                    together |= row.is_together();
                }
                Model::Log(_) => lines = true,
            }
            if let Some((_, service)) = labels.iter().find(|(name, _)| name == "service") {
                missing.remove(service.as_str());
            }
        }
        if !config.models.together.is_empty() && !together {
            unused.push(
                "`models.together` was not used: no subject has three metrics or more: leave it out, or give a subject \
                 more of them"
                    .to_owned(),
            );
        }
        let (mut nowhere, mut strangers, mut unmatched) = (Vec::new(), Vec::new(), Vec::new());
        let reports = self.patterns();
        let matches = |name: &str| {
            reports
                .iter()
                .find(|report| report.name == name)
                .map_or(0, |found| found.matches)
        };
        for pattern in config.patterns.own() {
            let is_fed = lines || rows && matches!(pattern.when, When::Surprise(_));
            let service = pattern.service.as_ref().map(Words::as_str);
            if !is_fed {
                nowhere.push(format!("`{}`", pattern.name.as_str()));
            } else if let Some(service) = service
                && missing.contains(service)
            {
                strangers.push(format!("`{}` (`{service}`)", pattern.name.as_str()));
            } else if core.counts.events > 0 && matches(pattern.name.as_str()) == 0 {
                unmatched.push(format!("`{}`", pattern.name.as_str()));
            }
        }
        unused.extend(told(
            "nothing was looked at for the patterns",
            &nowhere,
            "no log lines came: give a log, or leave them out",
        ));
        unused.extend(told(
            "nothing was looked at for the patterns",
            &strangers,
            "nothing came of these services: look for a slip, or leave them out",
        ));
        unused.extend(told(
            "nothing was found by the patterns",
            &unmatched,
            "what they look for has not come, or there is a slip in what they look for",
        ));
        unused
    }
}

/// Nothing of nothing.
fn told(what: &str, names: &[String], why: &str) -> Option<String> {
    let named = names.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => None,
        count if count <= MOST_NAMED => Some(format!("{what} {named}: {why}")),
        count => Some(format!("{what} {named} and {} more: {why}", count - MOST_NAMED)),
    }
}
