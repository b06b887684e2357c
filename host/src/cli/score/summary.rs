//! The sentences that a run ends with: what was found beside what was allowed, and what was lost to the bounds.

use std::cmp::Reverse;

use watchpost_detector::{PatternReport, Status};

use crate::cli::page::words;

/// What happened, and what was allowed. The budget is for false alarms, and which of these are false is not known; a
/// rate is told only where it is no extrapolation from hours.
pub(super) fn tally(alarms: u64, days: f64, budget: f64) -> String {
    let alarms_told = words::counted(alarms, "alarm");
    let during = if days > 2.0 {
        let rate = words::number(alarms as f64 / days);
        format!(" in {}, {rate} a day", words::span(days * 86_400.0))
    } else if days > 0.0 {
        format!(" in {}", words::span(days * 86_400.0))
    } else {
        String::new()
    };
    format!("{alarms_told}{during} (budget: {budget} false alarms a day)")
}

/// What was lost to the bounds on memory, and what to do: without it, a detector that forgets looks like one that has
/// nothing to say.
pub(super) fn bounds_reached(status: &Status) -> impl Iterator<Item = String> {
    let remedy = "raise it (`watchpost size` prints the cost)";
    [
        (
            status.evicted_series,
            "subject",
            "forgotten to stay within `bounds.max_series` or `bounds.max_metrics`",
            "leave out labels that never come back, or raise them (`watchpost size` prints the cost)",
        ),
        (
            status.evicted_templates,
            "template",
            "forgotten to stay within `bounds.max_templates`",
            remedy,
        ),
        (
            status.evicted_routes,
            "route",
            "forgotten (or an upstream or a site) to stay within `bounds.max_routes`",
            remedy,
        ),
        (
            status.evicted_sessions,
            "session",
            "judged early since 10,000 were open at once",
            "score the logs of fewer services in one run, or give sessions a field of their own",
        ),
        (
            status.evicted_tracks,
            "track",
            "dropped since patterns follow at most 10,000 sequences, counts and pauses at once",
            "have fewer patterns by `session` or `capture`",
        ),
        (
            status.ignored_metrics,
            "value",
            "left out because one subject alone has more metrics than `bounds.max_metrics`",
            remedy,
        ),
    ]
    .into_iter()
    .filter(|(amount, ..)| *amount > 0)
    .map(|(amount, noun, lost, remedy)| {
        let were = if amount == 1 { "was" } else { "were" };
        format!("{} {were} {lost}: {remedy}", words::counted(amount, noun))
    })
}

/// Which patterns were found in this run, the most frequent first, with what people said of them so far.
pub(super) fn patterns_found(before: &[PatternReport], now: &[PatternReport]) -> Option<String> {
    const SHOWN: usize = 5;
    let known = |name: &str| before.iter().find(|pattern| pattern.name == name);
    let mut found: Vec<(u64, &PatternReport)> = now
        .iter()
        .map(|pattern| {
            (
                pattern.matches - known(&pattern.name).map_or(0, |known| known.matches.min(pattern.matches)),
                pattern,
            )
        })
        .filter(|(matches, _)| *matches > 0)
        .collect();
    found.sort_by_key(|(matches, _)| Reverse(*matches));
    let told = found.iter().take(SHOWN).map(|(matches, pattern)| {
        let answers = pattern.fine + pattern.matters;
        let said = if answers > 0 {
            format!(", mattered {} of {answers} times", pattern.matters)
        } else {
            String::new()
        };
        format!("{} ({}{said})", words::plain(&pattern.name), words::count(*matches))
    });
    let told = told.collect::<Vec<_>>().join(", ");
    match found.len() {
        0 => None,
        count if count <= SHOWN => Some(format!("patterns found: {told}")),
        count => Some(format!(
            "patterns found: {told} and {} more (--output json has all)",
            count - SHOWN
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_told_beside_their_budget_and_not_extrapolated() {
        assert_eq!(tally(1, 0.5, 0.1), "1 alarm in 12h (budget: 0.1 false alarms a day)");
        assert_eq!(
            tally(7, 14.0, 1.0),
            "7 alarms in 14 days, 0.5 a day (budget: 1 false alarms a day)"
        );
        assert_eq!(tally(2, 0.0, 0.1), "2 alarms (budget: 0.1 false alarms a day)");
    }

    #[test]
    fn what_the_bounds_cost_is_told_and_nothing_else() {
        assert_eq!(bounds_reached(&Status::default()).count(), 0);
        let status = Status {
            evicted_series: 1,
            evicted_templates: 1200,
            evicted_sessions: 3,
            ignored_metrics: 7,
            ..Status::default()
        };
        let told: Vec<String> = bounds_reached(&status).collect();
        assert!(told[0].starts_with("1 subject was forgotten to stay within `bounds.max_series`"));
        assert!(told[1].starts_with("1,200 templates were forgotten to stay within `bounds.max_templates`: raise it"));
        assert!(told[2].starts_with("3 sessions were judged early since 10,000 were open at once: "));
        assert!(told[3].starts_with("7 values were left out because one subject alone has"));
    }
}
