//! What there is to tell of an episode, in words, before it is laid out.

use watchpost_detector::{Anomaly, Contribution, Kind, NamedPattern, Observation, Phase, Substitution};

use super::words;

/// An episode in words; what is unknown is empty.
pub(super) struct Story {
    pub(super) onset: String,
    /// `12m 30s`, or `ongoing`; a single event has lasted `0s` whatever comes after it.
    pub(super) lasted: String,
    pub(super) severity: &'static str,
    pub(super) kind: &'static str,
    pub(super) subject: String,
    pub(super) odds: String,
    /// What the strongest evidence is about, for example a metric, and what was seen of it.
    pub(super) metric: String,
    pub(super) seen: String,
    pub(super) expected: String,
    /// `≤ 212 ms`: what would not have been flagged, where that says more than what was expected.
    pub(super) normal: String,
    /// The strongest evidence, each with its share where there are several: `latency_ms shift 71 %`,
    /// `error_ratio point 29 %`.
    pub(super) why: Vec<String>,
    pub(super) template: Option<String>,
    /// What people call lines like it: `disk-full: A disk or a quota is full`.
    pub(super) patterns: Vec<String>,
}

/// So many pieces of evidence are told, and so many patterns.
const EVIDENCE: usize = 3;
const PATTERNS: usize = 2;

impl Story {
    pub(super) fn of(anomaly: &Anomaly) -> Story {
        let explanation = &anomaly.explanation;
        let strongest = explanation.contributions.first();
        let unit = strongest.and_then(|contribution| contribution.unit.as_deref());
        let normals: Vec<Normal<'_>> = explanation
            .counterfactual
            .iter()
            .filter_map(|substitution| Normal::of(substitution, &explanation.contributions))
            .collect();
        let digits = normals
            .iter()
            .find(|normal| strongest.is_some_and(|found| found.of == normal.of))
            .map_or(words::DIGITS, |normal| normal.digits);
        Story {
            onset: words::moment(anomaly.timestamp),
            lasted: match anomaly.phase {
                Phase::End | Phase::Near => words::duration(anomaly.seconds),
                // A silence is one event, and goes on.
                Phase::Onset | Phase::Open if anomaly.events > 1 || anomaly.kind == Kind::Silence => {
                    "ongoing".to_owned()
                }
                Phase::Onset | Phase::Open => words::duration(0.0),
            },
            severity: words::severity(anomaly.severity),
            kind: words::kind(anomaly.kind),
            subject: words::subject(&anomaly.subject),
            odds: words::odds(anomaly.surprise),
            metric: strongest.map(|found| words::plain(&found.of)).unwrap_or_default(),
            seen: strongest
                .map(|found| words::observation(digits, &found.observed, unit))
                .unwrap_or_default(),
            expected: strongest
                .map(|found| words::expected(&found.expected, unit))
                .unwrap_or_default(),
            normal: normal(&normals, strongest),
            why: why(&explanation.contributions),
            template: explanation.template.as_deref().map(words::plain),
            patterns: explanation.patterns.iter().take(PATTERNS).map(pattern).collect(),
        }
    }

    /// What speaks against the episode being normal, in a sentence.
    pub(super) fn evidence(&self) -> String {
        if self.metric.is_empty() {
            return String::new();
        }
        let normal = if self.normal.is_empty() {
            String::new()
        } else {
            format!("normal {}", self.normal)
        };
        let parts = [
            format!("{} {}", self.metric, self.seen),
            format!("expected {}", self.expected),
            normal,
        ];
        joined(parts.into_iter())
    }
}

fn pattern(found: &NamedPattern) -> String {
    let about = found.about.as_deref().map(|about| format!(" {}", words::plain(about)));
    let name = format!("{}{}", words::plain(&found.name), about.unwrap_or_default());
    if found.description.is_empty() {
        name
    } else {
        format!("{name}: {}", words::plain(&found.description))
    }
}

/// The parts that are not empty.
pub(super) fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// The nearest value of a metric that would not have been flagged, as it is told.
struct Normal<'a> {
    of: &'a str,
    /// So many digits tell it from what was seen.
    digits: u32,
    /// `≤ 212 ms`, in one piece.
    told: String,
}

impl<'a> Normal<'a> {
    /// Nothing where it would read like what was expected, or like what was seen even with a digit more.
    fn of(substitution: &'a Substitution, contributions: &[Contribution]) -> Option<Normal<'a>> {
        let about = contributions
            .iter()
            .find(|contribution| contribution.of == substitution.of);
        let unit = about.and_then(|contribution| contribution.unit.as_deref());
        let told = |digits, value| words::quantity_to(digits, value, unit);
        let expected = about.map(|contribution| &contribution.expected.value);
        if let Some(Observation::Number(expected)) = expected
            && told(words::DIGITS, *expected) == told(words::DIGITS, substitution.value)
        {
            return None;
        }
        let (side, digits) = match about.map(|contribution| &contribution.observed) {
            Some(Observation::Number(observed)) => {
                let side = if *observed > substitution.value { "≤ " } else { "≥ " };
                let differs = |digits: &u32| told(*digits, *observed) != told(*digits, substitution.value);
                (side, [words::DIGITS, words::DIGITS + 1].into_iter().find(differs)?)
            }
            _ => ("", words::DIGITS),
        };
        Some(Normal {
            of: &substitution.of,
            digits,
            told: words::glued(&format!("{side}{}", told(digits, substitution.value))),
        })
    }
}

/// The name of the metric is told only where it is not the one that everything else is about.
fn normal(normals: &[Normal<'_>], strongest: Option<&Contribution>) -> String {
    let each = normals.iter().map(|normal| {
        if strongest.is_some_and(|found| found.of == normal.of) {
            normal.told.clone()
        } else {
            format!("{} {}", words::plain(normal.of), normal.told)
        }
    });
    each.collect::<Vec<_>>().join(", ")
}

fn why(contributions: &[Contribution]) -> Vec<String> {
    let total: f64 = contributions.iter().map(|contribution| contribution.surprise).sum();
    let told = contributions.iter().take(EVIDENCE).map(|contribution| {
        let model = words::plain(&contribution.model);
        // One piece of evidence is all of it, and where the whole is nothing there are no shares.
        let model = if contributions.len() == 1 || total <= 0.0 {
            model
        } else {
            words::glued(&format!("{model} {:.0} %", contribution.surprise / total * 100.0))
        };
        // Silence is about nothing but itself.
        if contribution.model == "silence" {
            model
        } else {
            format!("{} {model}", words::plain(&contribution.of))
        }
    });
    told.collect()
}
