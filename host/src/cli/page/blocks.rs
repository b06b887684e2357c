//! The narrow form: a block of a few lines for each episode, which reads better at 80 columns than a table whose
//! columns are all cut off.

use std::io::{self, Write};

use watchpost_detector::Anomaly;

use super::story::{Story, joined};
use super::{style, words};

pub(super) fn write(episodes: &[Anomaly], width: usize, page: &mut impl Write) -> io::Result<()> {
    for (at, episode) in episodes.iter().enumerate() {
        if at > 0 {
            writeln!(page)?;
        }
        block(episode, &[], width, page)?;
    }
    Ok(())
}

/// One episode, and what else is to be said of it.
pub(super) fn block(episode: &Anomaly, beside: &[String], width: usize, page: &mut impl Write) -> io::Result<()> {
    let story = Story::of(episode);
    let colour = style(episode.severity);
    let what = if episode.subject.is_empty() {
        story.what.clone()
    } else {
        format!("{} in {}", story.what, story.subject)
    };
    let used = story.onset.len() + story.severity.len() + 4;
    let mut what = words::wrapped(&what, width.saturating_sub(used), 2).into_iter();
    let first = what.next().unwrap_or_default();
    writeln!(page, "{}  {colour}{}{colour:#}  {first}", story.onset, story.severity)?;
    for rest in what {
        writeln!(page, "{:used$}{rest}", "")?;
    }

    let lasted = match story.lasted.as_str() {
        "0s" => String::new(),
        "ongoing" => "ongoing".to_owned(),
        lasted => format!("lasted {}", words::glued(lasted)),
    };
    // A silence that goes on is no event to be counted.
    let events = if lasted == "ongoing" && episode.events == 1 {
        String::new()
    } else {
        words::glued(&words::counted(episode.events, "event"))
    };
    let chance = match &*story.odds {
        "" => String::new(),
        odds => format!("chance {}", words::glued(odds)),
    };
    let why = joined(story.why.iter().cloned());
    let parts = [joined([lasted, events, chance].into_iter()), why];
    let parts = parts.into_iter().chain(beside.iter().cloned());
    let last = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
    let line = story.line.clone().unwrap_or_default();
    // What a pattern means comes first where it is the headline: the line is only an instance of it.
    let (before, behind) = match story.is_named {
        true => (story.patterns.clone(), Vec::new()),
        false => (Vec::new(), story.patterns.clone()),
    };
    let also = story.also.clone();
    for text in before
        .into_iter()
        .chain([line])
        .chain(behind)
        .chain([story.evidence(), story.besides.clone()])
        .chain(also)
        .chain([last])
    {
        let indents = ["  ", "    "];
        // The deeper indent holds for both lines, so that none is too long.
        let lines = words::wrapped(&text, width.saturating_sub(4), 2);
        for (line, indent) in lines.iter().zip(indents).filter(|(line, _)| !line.is_empty()) {
            writeln!(page, "{indent}{line}")?;
        }
    }
    Ok(())
}
