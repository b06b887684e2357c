//! The wide form: an episode in a row, and below it its log line and the patterns that name it.

use std::io::{self, Write};

use anstyle::Style;
use unicode_width::UnicodeWidthStr;
use watchpost_detector::Anomaly;

use super::story::{Story, joined};
use super::{style, words};

const TITLES: [&str; 11] = [
    "ONSET (UTC)",
    "LASTED",
    "SEVERITY",
    "WHAT",
    "WHO",
    "CHANCE",
    "METRIC",
    "SEEN",
    "EXPECTED",
    "NORMAL",
    "WHY",
];

/// A cell may be shortened to so many characters when the page is too narrow; where there is no number, it may not.
const SHORTEST: [Option<usize>; 11] = [
    None,
    None,
    None,
    Some(20),
    Some(30),
    None,
    Some(16),
    Some(9),
    Some(16),
    Some(9),
    Some(20),
];

const SEVERITY: usize = 2;
const GAP: usize = 2;
const HEADER: Style = Style::new().dimmed();

/// Writes the table, or nothing and says so with `false` when the page is too narrow for it.
pub(super) fn write(episodes: &[Anomaly], width: usize, page: &mut impl Write) -> io::Result<bool> {
    let stories: Vec<Story> = episodes.iter().map(Story::of).collect();
    let rows: Vec<[String; 11]> = stories.iter().map(cells).collect();
    let Some(widths) = widths(&rows, width) else {
        return Ok(false);
    };
    let titles = TITLES.map(str::to_owned);
    line(&titles, &widths, [HEADER; 11], page)?;
    for ((row, story), episode) in rows.iter().zip(&stories).zip(episodes) {
        let mut styles = [Style::new(); 11];
        styles[SEVERITY] = style(episode.severity);
        line(row, &widths, styles, page)?;
        let indent = widths[0] + GAP;
        for text in story.line.iter().chain(&story.patterns).chain(&story.also) {
            let text = words::shortened(text, width.saturating_sub(indent));
            writeln!(page, "{:indent$}{text}", "")?;
        }
    }
    Ok(true)
}

fn cells(story: &Story) -> [String; 11] {
    let or_dash = |text: &str| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text.to_owned()
        }
    };
    // The title of the column says what it is, unless it is something else.
    let expected = match story.against {
        "expected" => story.expected.clone(),
        against => format!("{against} {}", story.expected).trim().to_owned(),
    };
    [
        story.onset.clone(),
        story.lasted.clone(),
        story.severity.to_owned(),
        story.what.clone(),
        story.subject.clone(),
        // In a column there is little room.
        or_dash(&story.odds.replace("less than", "<")),
        or_dash(&story.metric),
        or_dash(&story.seen),
        or_dash(&expected),
        or_dash(&story.normal),
        or_dash(&joined(story.why.iter().cloned())),
    ]
}

/// The width of each column: what its cells need, less what the page does not have, taken from those that are
/// farthest above what they must have.
fn widths(rows: &[[String; 11]], page: usize) -> Option<[usize; 11]> {
    let mut widths = TITLES.map(UnicodeWidthStr::width);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let gaps = GAP * (widths.len() - 1);
    while widths.iter().sum::<usize>() + gaps > page {
        let shrinkable = widths.iter_mut().zip(SHORTEST).filter_map(|(width, shortest)| {
            let shortest = shortest?;
            (*width > shortest).then_some((*width - shortest, width))
        });
        *shrinkable.max_by_key(|(spare, _)| *spare)?.1 -= 1;
    }
    Some(widths)
}

fn line(cells: &[String; 11], widths: &[usize; 11], styles: [Style; 11], page: &mut impl Write) -> io::Result<()> {
    let mut owed = 0;
    for ((cell, width), style) in cells.iter().zip(widths).zip(styles) {
        let text = words::shortened(cell, *width);
        // Blanks are written before the next cell, so that no line ends with them.
        write!(page, "{:owed$}{style}{text}{style:#}", "")?;
        owed = width - text.width() + GAP;
    }
    writeln!(page)
}
