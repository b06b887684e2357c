//! What there is to tell of an episode, in words, before it is laid out.

use watchpost_detector::{Anomaly, Contribution, Kind, NamedPattern, Observation, Phase, Substitution};

use super::words;

/// An episode in words; what is unknown is empty.
pub(super) struct Story {
    pub(super) onset: String,
    /// `12m 30s`, or `ongoing`; a single event has lasted `0s` whatever comes after it.
    pub(super) lasted: String,
    pub(super) severity: &'static str,
    /// `level shift`, or `pattern payment-gateway-down`.
    pub(super) what: String,
    /// Whether a pattern explains it.
    pub(super) is_named: bool,
    pub(super) subject: String,
    /// `at 14:05:30`: when a pattern explains it that was found after its onset.
    pub(super) fired: String,
    /// Nothing where it is no matter of chance: a person has set that it is anomalous.
    pub(super) odds: String,
    /// What the strongest evidence is about, for example a metric, and what was seen of it.
    pub(super) metric: String,
    pub(super) seen: String,
    /// `expected 204 ms (180 to 230 ms)`, `limit 95 %`, or `rule fires at 3`.
    pub(super) against: &'static str,
    pub(super) expected: String,
    /// What the models say of what a pattern explains.
    pub(super) besides: String,
    /// `≤ 212 ms`: what would not have been flagged, where that says more than what was expected.
    pub(super) normal: String,
    /// The strongest evidence, each with its share where there are several: `latency_ms shift 71 %`,
    /// `error_ratio point 29 %`. Nothing where that has been said.
    pub(super) why: Vec<String>,
    /// What was said: the line that a pattern was found with, or else the template, with its count where it stands for a
    /// rise of the lines of a minute.
    pub(super) line: Option<String>,
    /// What people call it: `disk-full: A disk or a quota is full`; of the pattern that explains it what it means.
    pub(super) patterns: Vec<String>,
    /// The other patterns of the episode, and in how many events they were found.
    pub(super) also: Option<String>,
}

/// So many pieces of evidence are told, and so many patterns with what they mean.
const EVIDENCE: usize = 3;
const PATTERNS: usize = 2;

/// A line so many seconds after the beginning of its episode is found without being told when it came.
const NEAR: f64 = 60.0;

impl Story {
    pub(super) fn of(anomaly: &Anomaly) -> Story {
        let explanation = &anomaly.explanation;
        let strongest = explanation.contributions.first();
        let named = strongest.filter(|found| found.model == "pattern");
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
        let (against, expected) = strongest.map_or(("expected", String::new()), against);
        let is_chance = explanation.contributions.is_empty() || explanation.contributions.iter().any(is_of_models);
        let line = explanation.line.as_ref().or(explanation.template.as_ref());
        let (patterns, also) = patterns(anomaly, named);
        Story {
            // A time that was only assumed says nothing.
            onset: match anomaly.row {
                Some(row) => format!("row {row}"),
                None => words::moment(anomaly.timestamp),
            },
            lasted: match anomaly.phase {
                Phase::End | Phase::Near => words::duration(anomaly.seconds),
                // A silence is one event, and goes on.
                Phase::Onset | Phase::Worse | Phase::Open if anomaly.events > 1 || anomaly.kind == Kind::Silence => {
                    "ongoing".to_owned()
                }
                Phase::Onset | Phase::Worse | Phase::Open => words::duration(0.0),
            },
            severity: words::severity(anomaly.severity),
            what: match named {
                Some(found) => format!("{} {}", words::kind(anomaly.kind), words::plain(&found.of)),
                None => words::kind(anomaly.kind).to_owned(),
            },
            is_named: named.is_some(),
            // Whoever looks for the line that is shown must not look where the episode began.
            fired: if anomaly.row.is_none()
                && (named.is_some() && anomaly.peak != anomaly.timestamp
                    || line.is_some() && anomaly.peak.seconds_since(anomaly.timestamp) > NEAR)
            {
                words::glued(&format!("at {}", &words::moment(anomaly.peak)[11..]))
            } else {
                String::new()
            },
            subject: words::subject(&anomaly.subject),
            odds: if is_chance {
                words::odds(anomaly.surprise)
            } else {
                String::new()
            },
            metric: strongest
                .filter(|_| named.is_none())
                .map(|found| words::plain(&found.of))
                .unwrap_or_default(),
            seen: strongest
                // The line itself is told as a line.
                .filter(|found| named.is_none() || matches!(found.observed, Observation::Number(_)))
                .map(|found| words::observation(digits, &found.observed, unit))
                .unwrap_or_default(),
            against,
            expected,
            besides: named.and_then(|_| besides(anomaly)).unwrap_or_default(),
            // What only came close has crossed no bound.
            normal: if anomaly.phase == Phase::Near {
                String::new()
            } else {
                normal(&normals, strongest)
            },
            why: why(&explanation.contributions),
            line: line.map(|line| match explanation.template_lines {
                // What was counted is told with its count.
                Some(lines) => format!("{lines} × {}", words::plain(line)),
                None => words::plain(line),
            }),
            patterns,
            also,
        }
    }

    /// When, what, whose, and the strongest of what speaks against it being normal.
    pub(super) fn sentence(&self) -> String {
        let whose = match &*self.subject {
            "-" => String::new(),
            subject => format!(" in {subject}"),
        };
        let said = self
            .line
            .as_deref()
            .map(|line| words::shortened(line, 60))
            .unwrap_or_default();
        let what = joined([said, self.evidence()].into_iter());
        format!("{}  {}{whose}: {what}", self.onset, self.what)
    }

    /// What speaks against the episode being normal, in a sentence.
    pub(super) fn evidence(&self) -> String {
        let prefixed = |prefix: &str, text: &str| match text {
            "" => String::new(),
            text => format!("{prefix} {text}"),
        };
        let parts = [
            format!("{} {}", self.metric, self.seen).trim().to_owned(),
            prefixed(self.against, &self.expected),
            prefixed("normal", &self.normal),
            self.fired.clone(),
        ];
        joined(parts.into_iter())
    }
}

/// What the models found first, beside a pattern.
fn besides(anomaly: &Anomaly) -> Option<String> {
    let found = anomaly
        .explanation
        .contributions
        .iter()
        .find(|part| is_of_models(part))?;
    let unit = found.unit.as_deref();
    let expected = if is_as_expected(found) {
        String::new()
    } else {
        format!(", expected {}", words::expected(&found.expected, unit))
    };
    Some(format!(
        "{} {}{expected}",
        words::plain(&found.of),
        words::observation(words::DIGITS, &found.observed, unit),
    ))
}

/// Whether what was seen reads like what was expected: in a log of which most lines are fatal, one more is strange for
/// another reason, and to say that it was expected explains nothing.
fn is_as_expected(found: &Contribution) -> bool {
    let told = |seen| words::observation(words::DIGITS, seen, None);
    found.expected.low.is_none()
        && found.expected.high.is_none()
        && told(&found.observed) == told(&found.expected.value)
}

/// Whether it is the models that found it, and nothing that a person has set.
fn is_of_models(part: &Contribution) -> bool {
    !matches!(&*part.model, "rule" | "pattern")
}

/// What the evidence is held against, and how that is called.
fn against(found: &Contribution) -> (&'static str, String) {
    let unit = found.unit.as_deref();
    match (&*found.model, &found.expected.value, found.expected.high) {
        ("rule", value, _) => ("limit", words::observation(words::DIGITS, value, unit)),
        // A line that did not come in time has been waited for as long as the rule says.
        ("pattern", _, Some(_)) if unit.is_some_and(|unit| unit.starts_with("s without")) => ("", String::new()),
        ("pattern", Observation::Number(value), Some(high)) => {
            // The unit has been said, and only a sign bears to be said again.
            let percent = unit.filter(|unit| unit.starts_with('%')).map(|_| "%");
            let least = words::glued(&words::quantity(high, percent));
            if *value == high {
                ("rule fires at", least)
            } else {
                ("usual", format!("{}, rule fires at {least}", words::number(*value)))
            }
        }
        // That there is usually no such line goes without saying.
        ("pattern", ..) => ("", String::new()),
        _ if is_as_expected(found) => ("", String::new()),
        _ => ("expected", words::expected(&found.expected, unit)),
    }
}

/// The patterns of an episode with what they mean, and the names of those for which there is no room. Of the one that
/// explains it, `named`, the name has been said.
fn patterns(anomaly: &Anomaly, named: Option<&Contribution>) -> (Vec<String>, Option<String>) {
    let is_named = |pattern: &&NamedPattern| named.is_some_and(|found| found.of == pattern.name);
    let mut gravest: Vec<&NamedPattern> = anomaly.explanation.patterns.iter().collect();
    gravest.sort_by_key(|pattern| std::cmp::Reverse(pattern.severity));
    let all = || gravest.iter().copied();
    let counted = |pattern: &NamedPattern| match pattern.events {
        _ if anomaly.events < 2 => String::new(),
        0 => String::new(),
        events => words::glued(&format!(" ({})", words::counted(events, "event"))),
    };
    let called = |pattern: &NamedPattern| {
        let about = pattern
            .about
            .as_deref()
            .map(|about| format!(" {}", words::plain(about)));
        format!(
            "{}{}{}",
            words::plain(&pattern.name),
            about.unwrap_or_default(),
            counted(pattern)
        )
    };
    let with_meaning = |pattern: &NamedPattern, name: String| match (&*name, &*pattern.description) {
        (name, "") => name.to_owned(),
        ("", meaning) => words::plain(meaning),
        (name, meaning) => format!("{name}: {}", words::plain(meaning)),
    };
    if let Some(found) = all().find(is_named) {
        let about = found
            .about
            .as_deref()
            .map(|about| format!("for {}", words::plain(about)));
        let others: Vec<String> = all().filter(|pattern| !is_named(pattern)).map(called).collect();
        let also = (!others.is_empty()).then(|| format!("also found: {}", others.join(", ")));
        let meaning = with_meaning(found, about.unwrap_or_default());
        return ((!meaning.is_empty()).then_some(meaning).into_iter().collect(), also);
    }
    let told = all()
        .take(PATTERNS)
        .map(|pattern| with_meaning(pattern, called(pattern)));
    let others: Vec<String> = all().skip(PATTERNS).map(called).collect();
    let also = (!others.is_empty()).then(|| format!("also found: {}", others.join(", ")));
    (told.collect(), also)
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

/// `≤ 262 ms`; where other metrics would have had to be different as well, or instead, with those: `≤ 262 ms with
/// process_open_fds ≤ 402`.
fn normal(normals: &[Normal<'_>], strongest: Option<&Contribution>) -> String {
    let is_of_strongest = |normal: &&Normal<'_>| strongest.is_some_and(|found| found.of == normal.of);
    let own = normals.iter().find(is_of_strongest).map(|normal| normal.told.clone());
    let others = normals.iter().filter(|normal| !is_of_strongest(normal));
    let others: Vec<String> = others
        .map(|normal| format!("{} {}", words::plain(normal.of), normal.told))
        .collect();
    let others = (!others.is_empty()).then(|| format!("with {}", others.join(" and ")));
    own.into_iter().chain(others).collect::<Vec<_>>().join(" ")
}

fn why(contributions: &[Contribution]) -> Vec<String> {
    let told: Vec<&Contribution> = match contributions {
        // What is looked at of requests is called after what it is looked at for, and a limit is a limit.
        [only]
            if matches!(
                &*only.model,
                "latency" | "spread" | "errors" | "rate" | "size" | "scan" | "rule"
            ) =>
        {
            Vec::new()
        }
        // A pattern has been named.
        all => all.iter().filter(|part| part.model != "pattern").collect(),
    };
    let total: f64 = told.iter().map(|contribution| contribution.surprise).sum();
    let each = told.iter().take(EVIDENCE).map(|contribution| {
        let model = words::plain(&contribution.model);
        // One piece of evidence is all of it, and where the whole is nothing there are no shares.
        let model = if told.len() == 1 || total <= 0.0 {
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
    each.collect()
}
