//! Episodes for people: a table where there is room for one, blocks of lines where there is not.

mod blocks;
mod story;
mod table;
pub(crate) mod words;

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use watchpost_detector::{Anomaly, SessionVerdict, Severity, Status};

/// How episodes are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people, at the end.
    Table,
    /// One anomaly as a JSON object a line, as soon as its alarm is raised, and again when it becomes worse.
    Ndjson,
    /// One JSON object at the end.
    Json,
}

/// From so many columns on, an episode fits into a row without being cut to pieces.
const WIDE: usize = 160;

/// Columns of what is not a terminal.
const UNKNOWN_WIDTH: usize = 100;

/// So many sessions are named; the rest is counted.
const SHOWN_SESSIONS: usize = 20;

/// Prints the episodes, and the sessions that are anomalous, to standard output, as wide as it is. With the status
/// of a whole run it says so when there are none.
pub(crate) fn print_table(
    episodes: &[Anomaly],
    sessions: &[SessionVerdict],
    status: Option<&Status>,
) -> anyhow::Result<()> {
    let width = width();
    let mut page = Vec::new();
    match status {
        Some(status) if episodes.is_empty() && sessions.is_empty() => writeln!(page, "{}", nothing_found(status))?,
        _ if episodes.is_empty() => {}
        _ => write_table(episodes, width, &mut page)?,
    }
    if !episodes.is_empty() && !sessions.is_empty() {
        writeln!(page)?;
    }
    write_sessions(sessions, width, &mut page)?;
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(&page)?;
    stdout.flush()?;
    Ok(())
}

/// Writes one episode as a block of lines, with what else is to be said of it at the end.
pub(crate) fn write_block(episode: &Anomaly, beside: &[String], width: usize, page: &mut impl Write) -> io::Result<()> {
    blocks::block(episode, beside, width, page)
}

/// One episode in a sentence: when, what, whose, and the strongest evidence.
pub(crate) fn sentence(episode: &Anomaly) -> String {
    story::Story::of(episode).sentence()
}

/// What is to be said when nothing is.
pub(crate) fn nothing_found(status: &Status) -> String {
    if status.events == 0 {
        return "no events: there was nothing to score".to_owned();
    }
    let events = words::counted(status.events, "event");
    format!("no anomalies in {events} ({})", words::span(status.days * 86_400.0))
}

fn write_table(episodes: &[Anomaly], width: usize, page: &mut impl Write) -> io::Result<()> {
    if width >= WIDE && table::write(episodes, width, page)? {
        return Ok(());
    }
    blocks::write(episodes, width, page)
}

/// The strangest sessions first.
fn write_sessions(sessions: &[SessionVerdict], width: usize, page: &mut impl Write) -> io::Result<()> {
    let mut strangest: Vec<&SessionVerdict> = sessions.iter().collect();
    strangest.sort_by(|a, b| b.surprise.total_cmp(&a.surprise));
    for session in strangest.iter().take(SHOWN_SESSIONS) {
        let odds = words::odds(session.surprise);
        let name = words::shortened(&words::plain(&session.session), width.saturating_sub(odds.len() + 17));
        writeln!(page, "session {name}  chance {odds}")?;
        if let Some(evidence) = session.evidence.first() {
            for (line, indent) in words::wrapped(&words::plain(&evidence.to_string()), width.saturating_sub(4), 2)
                .iter()
                .zip(["  ", "    "])
            {
                writeln!(page, "{indent}{line}")?;
            }
        }
    }
    if let Some(more) = sessions.len().checked_sub(SHOWN_SESSIONS).filter(|more| *more > 0) {
        writeln!(page, "… and {} more anomalous sessions", words::count(more as u64))?;
    }
    Ok(())
}

/// The columns of standard output: what COLUMNS says, or those of the terminal.
pub(crate) fn width() -> usize {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || {
        let (width, _) = terminal_size::terminal_size_of(io::stdout())?;
        Some(usize::from(width.0))
    };
    let known = asked.or_else(|| io::stdout().is_terminal().then(terminal).flatten());
    known.filter(|columns| *columns >= 40).unwrap_or(UNKNOWN_WIDTH)
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::Low => AnsiColor::Cyan.on_default(),
        Severity::Medium => AnsiColor::Yellow.on_default(),
        Severity::High => AnsiColor::Red.on_default(),
        Severity::Critical => AnsiColor::Red.on_default().bold(),
    }
}

#[cfg(test)]
mod tests;
