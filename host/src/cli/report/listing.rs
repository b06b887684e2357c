//! The report for people: the alarms in groups, and what other budgets would have fired.

use std::collections::BTreeMap;
use std::io::{self, Write};

use watchpost_detector::{AlarmRate, Anomaly};

use super::budgets::Budgets;
use super::incidents::Incident;
use super::{By, Told};
use crate::cli::page::{self, words};

/// Alarms that are listed together, and the heading above them.
struct Group<'a> {
    heading: String,
    alarms: Vec<&'a Incident>,
}

pub(super) fn write(
    told: &Told<'_>,
    by: Option<By>,
    asked: Option<AlarmRate>,
    width: usize,
    page: &mut Vec<u8>,
) -> io::Result<()> {
    let period = told
        .period
        .map(|period| format!("{}: ", period.told()))
        .unwrap_or_default();
    let alarms = match told.alarms.len() {
        0 => "no alarms".to_owned(),
        count => words::counted(count as u64, "alarm"),
    };
    let under = asked
        .map(|rate| format!(" under a budget of {} false alarms a day", rate.per_day()))
        .unwrap_or_default();
    line(&format!("{period}{alarms}{under}"), width, page)?;
    for group in groups(told.alarms, by) {
        writeln!(page)?;
        let count = words::counted(group.alarms.len() as u64, "alarm");
        let room = width.saturating_sub(count.len() + 2);
        writeln!(page, "{}: {count}", words::shortened(&group.heading, room))?;
        for alarm in group.alarms {
            block(alarm, by, width, page)?;
        }
    }
    writeln!(page)?;
    budgets(told.budgets, width, page)
}

/// The groups with the most alarms first, and those with as many in the order of their first.
fn groups<'a>(alarms: &[&'a Incident], by: Option<By>) -> Vec<Group<'a>> {
    let mut found: BTreeMap<String, Vec<&'a Incident>> = BTreeMap::new();
    for alarm in alarms {
        found.entry(heading(&alarm.anomaly, by)).or_default().push(alarm);
    }
    let mut groups: Vec<Group<'_>> = found
        .into_iter()
        .map(|(heading, alarms)| Group { heading, alarms })
        .collect();
    let first = |group: &Group<'_>| group.alarms.first().map(|alarm| alarm.anomaly.timestamp);
    groups.sort_by_key(|group| (std::cmp::Reverse(group.alarms.len()), first(group)));
    groups
}

/// The labels that a group is called by.
fn is_heading(label: &str, by: Option<By>) -> bool {
    match by {
        // Who asks is neither route nor upstream.
        None => label != "client",
        Some(By::Route) => matches!(label, "route" | "method"),
        Some(By::Upstream) => label == "upstream",
        Some(By::Kind) => false,
    }
}

fn heading(anomaly: &Anomaly, by: Option<By>) -> String {
    if by == Some(By::Kind) {
        return words::kind(anomaly.kind).to_owned();
    }
    let labels = anomaly.subject.iter().filter(|(name, _)| is_heading(name, by));
    let labels: BTreeMap<String, String> = labels.map(|(name, value)| (name.clone(), value.clone())).collect();
    match by {
        _ if !labels.is_empty() => words::subject(&labels),
        Some(By::Route) => "no route".to_owned(),
        Some(By::Upstream) => "no upstream".to_owned(),
        Some(By::Kind) | None => "no route and no upstream".to_owned(),
    }
}

/// An alarm as `score` prints it, indented, without what the heading says.
fn block(alarm: &Incident, by: Option<By>, width: usize, page: &mut Vec<u8>) -> io::Result<()> {
    let mut anomaly = alarm.anomaly.clone();
    anomaly.subject.retain(|name, _| !is_heading(name, by));
    let mut beside = Vec::new();
    if alarm.workers > 1 {
        beside.push(words::glued(&format!("seen by {} workers", alarm.workers)));
    }
    if !alarm.is_whole() {
        beside.push(words::glued("no end in the log"));
    }
    if alarm.is_near() {
        beside.push(words::glued("a near miss"));
    }
    let mut lines = Vec::new();
    page::write_block(&anomaly, &beside, width.saturating_sub(2), &mut lines)?;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        page.write_all(b"  ")?;
        page.write_all(line)?;
    }
    Ok(())
}

fn budgets(budgets: &Budgets, width: usize, page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(page, "false alarms a day  alarms")?;
    for row in &budgets.rows {
        let now = if row.false_alarms_per_day == budgets.now {
            " (now)"
        } else {
            ""
        };
        let alarms = row.alarms.map_or("?".to_owned(), |alarms| words::count(alarms as u64));
        writeln!(page, "{:<18}{alarms:>8}", format!("{}{now}", row.false_alarms_per_day))?;
    }
    line(&told(budgets), width, page)
}

/// Where the figures are from, and what they do not tell.
fn told(budgets: &Budgets) -> String {
    let alarms = words::counted(budgets.alarms as u64, "alarm");
    let mut text = if budgets.told_up_to > budgets.now {
        let near = words::counted_as(budgets.near_misses as u64, "near miss", "near misses");
        format!(
            "Counted from {alarms} and {near}, which tell of budgets up to {}.",
            budgets.told_up_to
        )
    } else {
        format!(
            "Counted from {alarms}. What a larger budget would have fired cannot be told: the log has no near misses, \
             which are written where the configuration has near_misses."
        )
    };
    if budgets.without_end > 0 {
        let open = words::counted(budgets.without_end as u64, "alarm");
        text += &format!(" The log has no end of {open}, so that smaller budgets may have fired more than is shown.");
    }
    text
}

/// A sentence in as many lines as it takes.
fn line(text: &str, width: usize, page: &mut Vec<u8>) -> io::Result<()> {
    words::wrapped(text, width, 9)
        .iter()
        .try_for_each(|line| writeln!(page, "{line}"))
}
