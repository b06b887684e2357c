//! What was found of what went wrong, and what was reported for nothing. The definitions are in the help of the
//! command.

use std::fmt;

use serde::Serialize;
use watchpost::{recording, simulate};
use watchpost_detector::{Anomaly, Timestamp};

use crate::cli::page::words;

/// Something that went wrong, in the simulation or in earnest. Times are unix seconds.
pub(super) trait Fault: fmt::Debug + Serialize {
    /// So many seconds after its end its traces are not false alarms: queues drain, and caches fill again.
    const AFTERMATH: i64;

    fn name(&self) -> &str;
    fn start(&self) -> i64;
    fn impact(&self) -> i64;
    fn end(&self) -> i64;

    /// Whether an alarm is about a subject that it touches: the one at fault, or one that depends on it.
    fn concerns(&self, alarm: &Anomaly) -> bool;
}

#[derive(Debug)]
pub(super) struct Judgement<'a, F> {
    pub(super) findings: Vec<Finding<'a, F>>,
    pub(super) false_alarms: Vec<&'a Anomaly>,
}

/// An incident, and the first alarm that it raised.
#[derive(Debug, Serialize)]
pub(super) struct Finding<'a, F> {
    incident: &'a F,
    alarm: Option<&'a Anomaly>,
    /// From the start of the incident to the alarm.
    seconds_after_start: Option<f64>,
    /// From the alarm to the impact.
    seconds_before_impact: Option<f64>,
}

impl<'a, F: Fault> Judgement<'a, F> {
    /// Judges the alarms of what was scored, each as its episode was told last: what it is called is the same everywhere.
    pub(super) fn of(incidents: &'a [F], episodes: &'a [Anomaly]) -> Judgement<'a, F> {
        let within = |alarm: &Anomaly, incident: &F, grace: i64| {
            let time = alarm.timestamp;
            time >= Timestamp::from_seconds(incident.start())
                && time <= Timestamp::from_seconds(incident.end() + grace)
                && incident.concerns(alarm)
        };
        let findings = incidents.iter().map(|incident| {
            let alarms = episodes.iter().filter(|alarm| within(alarm, incident, 0));
            let alarm = alarms.min_by_key(|alarm| alarm.timestamp);
            Finding {
                incident,
                alarm,
                seconds_after_start: alarm
                    .map(|alarm| alarm.timestamp.seconds_since(Timestamp::from_seconds(incident.start()))),
                seconds_before_impact: alarm
                    .map(|alarm| Timestamp::from_seconds(incident.impact()).seconds_since(alarm.timestamp)),
            }
        });
        let is_false = |alarm: &&Anomaly| !incidents.iter().any(|incident| within(alarm, incident, F::AFTERMATH));
        Judgement {
            findings: findings.collect(),
            false_alarms: episodes.iter().filter(is_false).collect(),
        }
    }

    pub(super) fn found(&self) -> usize {
        self.findings.iter().filter(|finding| finding.alarm.is_some()).count()
    }

    /// The median of the times from alarm to impact.
    pub(super) fn lead_time(&self) -> Option<f64> {
        let mut leads: Vec<f64> = self
            .findings
            .iter()
            .filter_map(|finding| finding.seconds_before_impact)
            .collect();
        leads.sort_by(f64::total_cmp);
        let upper = *leads.get(leads.len() / 2)?;
        let lower = leads[(leads.len() - 1) / 2];
        Some((lower + upper) / 2.0)
    }
}

impl Fault for simulate::Incident {
    const AFTERMATH: i64 = 30 * 60;

    fn name(&self) -> &str {
        &self.name
    }

    fn start(&self) -> i64 {
        self.start
    }

    fn impact(&self) -> i64 {
        self.impact
    }

    fn end(&self) -> i64 {
        self.end
    }

    fn concerns(&self, alarm: &Anomaly) -> bool {
        let label = |name: &str| alarm.subject.get(name).map(String::as_str);
        let is =
            |subject: &simulate::Subject| label("service") == Some(subject.service) && label("route") == subject.route;
        self.at_fault.iter().chain(&self.affected).any(is)
    }
}

impl Fault for recording::Incident {
    /// As long as the windows in which requests are judged.
    const AFTERMATH: i64 = 10 * 60;

    fn name(&self) -> &str {
        &self.name
    }

    fn start(&self) -> i64 {
        self.start
    }

    fn impact(&self) -> i64 {
        self.impact
    }

    fn end(&self) -> i64 {
        self.end
    }

    fn concerns(&self, alarm: &Anomaly) -> bool {
        self.touches(&alarm.subject)
    }
}

impl<F: Fault> Judgement<'_, F> {
    /// The findings in sentences that are no longer than a line may be.
    pub(super) fn told(&self, width: usize) -> String {
        let mut told = vec!["What went wrong, and when it was noticed:".to_owned()];
        for finding in &self.findings {
            let start = words::moment(Timestamp::from_seconds(finding.incident.start()));
            let name = finding.incident.name();
            let found = match (
                finding.alarm,
                finding.seconds_after_start,
                finding.seconds_before_impact,
            ) {
                (Some(alarm), Some(after), Some(before)) => {
                    let kind = words::kind(alarm.kind);
                    let subject = words::subject(&alarm.subject);
                    let (distance, side) = if before >= 0.0 {
                        (before, "before")
                    } else {
                        (-before, "after")
                    };
                    format!(
                        "found by {kind} in {subject}, {} after it began and {} {side} its impact",
                        words::glued(&words::duration(after)),
                        words::glued(&words::duration(distance))
                    )
                }
                _ => "missed".to_owned(),
            };
            let sentence = format!("{}  {name}: {found}", words::glued(&start));
            let lines = words::wrapped(&sentence, width.saturating_sub(4), 9);
            told.extend(
                lines
                    .iter()
                    .zip(["  "].into_iter().chain(std::iter::repeat("    ")))
                    .map(|(line, indent)| format!("{indent}{line}")),
            );
        }
        let others = match self.false_alarms.len() {
            0 => "Nothing else was reported.".to_owned(),
            1 => "One other alarm was raised, where nothing was wrong.".to_owned(),
            others => format!("{others} other alarms were raised, where nothing was wrong."),
        };
        told.push(others);
        told.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use watchpost::simulate::{Plan, Subject, Truth};

    use super::*;

    fn alarm(seconds: i64, subject: &Subject) -> Anomaly {
        let labels = [("service", Some(subject.service)), ("route", subject.route)];
        let labels: serde_json::Map<_, _> = labels
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
            .collect();
        serde_json::from_value(serde_json::json!({
            "timestamp": Timestamp::from_seconds(seconds), "subject": labels, "kind": "spike", "anomaly_type": "pattern",
            "severity": "high",
            "score": 0.9, "surprise": 1.0, "threshold": 1.0, "phase": "onset", "seconds": 0.0, "events": 1,
            "peak": Timestamp::from_seconds(seconds), "fingerprint": "00000000000000ff",
            "explanation": {"contributions": [], "counterfactual": []}
        }))
        .unwrap()
    }

    #[test]
    fn alarms_count_for_incidents_by_time_and_subject() {
        let truth = Truth::of(&Plan::demo());
        let [first, second, _] = &truth.incidents[..] else {
            panic!("three incidents")
        };
        let stranger = Subject {
            service: "nobody",
            route: None,
        };
        let onsets = [
            alarm(first.start - 1, &first.at_fault[0]),
            alarm(first.start + 900, &first.affected[0]),
            alarm(first.start + 600, &first.at_fault[0]),
            alarm(first.start + 700, &stranger),
            alarm(first.end + 1800, &first.at_fault[0]),
            alarm(first.end + 1801, &first.at_fault[0]),
            alarm(second.end + 1, &second.at_fault[0]),
        ];
        let judgement = Judgement::of(&truth.incidents, &onsets);
        assert_eq!(judgement.found(), 1, "an alarm after the end finds nothing");
        assert_eq!(judgement.findings[0].seconds_after_start, Some(600.0));
        assert_eq!(judgement.lead_time(), Some((first.impact - first.start - 600) as f64));
        let times: Vec<_> = judgement.false_alarms.iter().map(|alarm| alarm.timestamp).collect();
        assert_eq!(times, [onsets[0].timestamp, onsets[3].timestamp, onsets[5].timestamp]);
        let told = judgement.told(200);
        assert!(told.contains("10m after it began") && told.contains("missed"), "{told}");
    }

    #[test]
    fn alarms_on_recorded_requests_count_by_upstream_route_and_client() {
        let truth = recording::Truth::built_in().unwrap();
        let of_kind = |kind: &str| truth.incidents.iter().find(|incident| incident.kind == kind).unwrap();
        let (scan, crash) = (of_kind("path_scan"), of_kind("crash"));
        let named = |incident: &recording::Incident, labels: serde_json::Value| {
            let mut alarm = alarm(incident.start + 5, &Truth::of(&Plan::demo()).incidents[0].at_fault[0]);
            alarm.subject = serde_json::from_value(labels).unwrap();
            incident.concerns(&alarm)
        };
        assert!(named(scan, serde_json::json!({"client": scan.client})));
        assert!(!named(scan, serde_json::json!({"client": "198.18.0.1"})));
        assert!(!named(crash, serde_json::json!({"client": scan.client})));
        assert!(named(
            crash,
            serde_json::json!({"upstream": "cart", "route": "cart-add", "method": "POST"})
        ));
        assert!(named(crash, serde_json::json!({"service": "cart"})));
        assert!(!named(crash, serde_json::json!({"upstream": "reviews"})));
    }

    #[test]
    fn nothing_found_has_no_lead_time() {
        let truth = Truth::of(&Plan::demo());
        assert_eq!(Judgement::of(&truth.incidents, &[]).lead_time(), None);
    }
}
