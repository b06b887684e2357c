//! What there is to tell of an episode, in words, before it is laid out.

use watchpost_detector::{Anomaly, Contribution, Observation, Phase};

use super::words;

/// An episode in words; what is unknown is empty.
pub(super) struct Story {
    pub(super) onset: String,
    /// `12m 30s`, or `ongoing`.
    pub(super) lasted: String,
    pub(super) severity: &'static str,
    pub(super) kind: &'static str,
    pub(super) subject: String,
    pub(super) odds: String,
    /// What the strongest evidence is about, for example a metric, and what was seen of it.
    pub(super) metric: String,
    pub(super) seen: String,
    pub(super) expected: String,
    /// `≤ 212 ms`: what would not have been flagged.
    pub(super) normal: String,
    /// The strongest evidence with its share: `shift 71 %`, `error_ratio point 29 %`. The metric is named where
    /// it is another.
    pub(super) why: Vec<String>,
    pub(super) template: Option<String>,
}

/// So many pieces of evidence are told.
const EVIDENCE: usize = 3;

impl Story {
    pub(super) fn of(anomaly: &Anomaly) -> Story {
        let explanation = &anomaly.explanation;
        let strongest = explanation.contributions.first();
        let unit = strongest.and_then(|contribution| contribution.unit.as_deref());
        Story {
            onset: words::moment(anomaly.timestamp),
            lasted: match anomaly.phase {
                Phase::End => words::duration(anomaly.seconds),
                Phase::Onset | Phase::Open => "ongoing".to_owned(),
            },
            severity: words::severity(anomaly.severity),
            kind: words::kind(anomaly.kind),
            subject: words::subject(&anomaly.subject),
            odds: words::odds(anomaly.surprise),
            metric: strongest.map(|found| words::plain(&found.of)).unwrap_or_default(),
            seen: strongest
                .map(|found| words::observation(&found.observed, unit))
                .unwrap_or_default(),
            expected: strongest
                .map(|found| words::expected(&found.expected, unit))
                .unwrap_or_default(),
            normal: normal(anomaly),
            why: why(&explanation.contributions),
            template: explanation.template.as_deref().map(words::plain),
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

/// The parts that are not empty.
pub(super) fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// The nearest values that would not have been flagged, each on its side of what was seen. The name of the metric
/// is told only where it is not the one that everything else is about.
fn normal(anomaly: &Anomaly) -> String {
    let contributions = &anomaly.explanation.contributions;
    let strongest = contributions.first().map(|contribution| contribution.of.as_str());
    let each = anomaly.explanation.counterfactual.iter().map(|substitution| {
        let about = contributions
            .iter()
            .find(|contribution| contribution.of == substitution.of);
        let side = match about.map(|contribution| &contribution.observed) {
            Some(Observation::Number(observed)) if *observed > substitution.value => "≤ ",
            Some(Observation::Number(observed)) if *observed < substitution.value => "≥ ",
            _ => "",
        };
        let unit = about.and_then(|contribution| contribution.unit.as_deref());
        let value = words::quantity(substitution.value, unit);
        if strongest == Some(&*substitution.of) {
            format!("{side}{value}")
        } else {
            format!("{} {side}{value}", words::plain(&substitution.of))
        }
    });
    each.collect::<Vec<_>>().join(", ")
}

fn why(contributions: &[Contribution]) -> Vec<String> {
    let strongest = contributions.first().map(|contribution| &contribution.of);
    let total: f64 = contributions.iter().map(|contribution| contribution.surprise).sum();
    let told = contributions.iter().take(EVIDENCE).map(|contribution| {
        let model = words::plain(&contribution.model);
        let name = if strongest == Some(&contribution.of) {
            model
        } else {
            format!("{} {model}", words::plain(&contribution.of))
        };
        // One piece of evidence is all of it, and where the whole is nothing there are no shares.
        if contributions.len() == 1 || total <= 0.0 {
            name
        } else {
            format!("{name} {:.0} %", contribution.surprise / total * 100.0)
        }
    });
    told.collect()
}
