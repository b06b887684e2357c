//! Judges alarms by the truth of the recording. It knows nothing of the detector.

use std::collections::BTreeMap;
use std::fmt::Write;

use watchpost::recording::{Incident, Truth};

use super::{Bar, Expected};

/// One alarm: the onset of an episode.
#[derive(Debug, Clone)]
pub(crate) struct Alarm {
    /// Unix seconds.
    pub(crate) time: i64,
    pub(crate) kind: String,
    /// Whom it names; a detector that names nobody is taken to mean the right one.
    pub(crate) subject: Option<BTreeMap<String, String>>,
}

impl Alarm {
    pub(crate) fn at(time: i64) -> Self {
        Alarm {
            time,
            kind: "alarm".to_owned(),
            subject: None,
        }
    }

    fn is_fault(&self, incident: &Incident) -> bool {
        self.subject
            .as_ref()
            .is_none_or(|subject| incident.is_fault_of(subject))
    }

    fn touches(&self, incident: &Incident) -> bool {
        self.subject.as_ref().is_none_or(|subject| incident.touches(subject))
    }
}

/// As long as the windows in which requests are judged; what was wrong is still in them.
const AFTERMATH: i64 = 600;

/// What the truth says of the alarms.
#[derive(Debug, Default)]
pub(crate) struct Verdict<'a> {
    /// The faults in the order of time, each with the first alarm that names who is at fault.
    pub(crate) faults: Vec<(&'a Incident, Option<&'a Alarm>)>,
    /// On those who suffer from a fault, or on who is at fault when it has just ended.
    pub(crate) beside: Vec<(&'a Incident, &'a Alarm)>,
    /// At harmless events.
    pub(crate) at_harmless: Vec<(&'a str, &'a Alarm)>,
    /// When nothing happened.
    pub(crate) nowhere: Vec<&'a Alarm>,
}

impl<'a> Verdict<'a> {
    pub(crate) fn of(truth: &'a Truth, alarms: &'a [Alarm]) -> Self {
        let mut verdict = Verdict::default();
        for incident in &truth.incidents {
            let names =
                |alarm: &&Alarm| (incident.start..=incident.end).contains(&alarm.time) && alarm.is_fault(incident);
            verdict
                .faults
                .push((incident, alarms.iter().filter(names).min_by_key(|alarm| alarm.time)));
        }
        for alarm in alarms {
            let around = |incident: &&Incident| {
                (incident.start..=incident.end + AFTERMATH).contains(&alarm.time) && alarm.touches(incident)
            };
            // An alarm about the later of two faults is not one about the earlier.
            if let Some(incident) = truth.incidents.iter().rev().find(around) {
                if !verdict
                    .faults
                    .iter()
                    .any(|(_, first)| first.is_some_and(|first| std::ptr::eq(first, alarm)))
                {
                    verdict.beside.push((incident, alarm));
                }
                continue;
            }
            // A window sees what happened for as long as it is.
            let harmless = truth
                .harmless
                .iter()
                .rev()
                .find(|event| (event.start..=event.end + 120).contains(&alarm.time));
            match harmless {
                Some(event) => verdict.at_harmless.push((&event.name, alarm)),
                None => verdict.nowhere.push(alarm),
            }
        }
        verdict
    }
}

/// Everything that speaks against a run, or nothing.
pub(crate) fn against(bar: &Bar, verdict: &Verdict<'_>) -> Option<String> {
    let mut text = String::new();
    for (incident, alarm) in &verdict.faults {
        let kind = &incident.kind;
        let delay = alarm.map(|alarm| alarm.time - incident.start);
        match (bar.faults.iter().find(|(of, _)| of == kind), delay) {
            (None, _) => {
                let _ = writeln!(text, "{kind}: nobody says what is expected of it");
            }
            (Some((_, Expected::Found { within })), None) => {
                let _ = writeln!(text, "{kind}: not found, and has to be within {within} s");
            }
            (Some((_, Expected::Found { within })), Some(delay)) if delay > *within => {
                let _ = writeln!(text, "{kind}: found after {delay} s, and has to be within {within} s");
            }
            (Some((_, Expected::Missed(reason))), Some(_)) => {
                let _ = writeln!(text, "{kind} is found now: expect it to be ({reason})");
            }
            _ => {}
        }
    }
    for (what, count, most) in [
        ("when nothing happened", verdict.nowhere.len(), bar.most_false),
        ("at harmless events", verdict.at_harmless.len(), bar.most_at_harmless),
        ("beside those at fault", verdict.beside.len(), bar.most_beside),
    ] {
        if count > most {
            let _ = writeln!(text, "{count} alarms {what}, and {most} at most are allowed");
        }
    }
    (!text.is_empty()).then_some(text)
}

/// What was found when and by whom, and every other alarm.
pub(crate) fn table(truth: &Truth, verdict: &Verdict<'_>) -> String {
    let mut text = String::new();
    for (incident, alarm) in &verdict.faults {
        let found = alarm.map_or("missed".to_owned(), |alarm| {
            format!("found after {:>3} s by {}", alarm.time - incident.start, told(alarm))
        });
        let _ = writeln!(
            text,
            "  {:>4} s  {:<20} {found}",
            incident.start - truth.start,
            incident.kind
        );
    }
    let mut further = |what: &str, alarm: &Alarm| {
        let _ = writeln!(text, "  {:>4} s  {what}: {}", alarm.time - truth.start, told(alarm));
    };
    for (incident, alarm) in &verdict.beside {
        further(&format!("beside {}", incident.kind), alarm);
    }
    for (event, alarm) in &verdict.at_harmless {
        further(&format!("harmless, {event}"), alarm);
    }
    for alarm in &verdict.nowhere {
        further("nothing happened", alarm);
    }
    text
}

fn told(alarm: &Alarm) -> String {
    let labels: Vec<String> = alarm
        .subject
        .iter()
        .flatten()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let whose = if labels.is_empty() {
        "the site".to_owned()
    } else {
        labels.join(" ")
    };
    format!("{} of {whose}", alarm.kind)
}
