//! Standard error: notes, problems and progress, which must not get into each other's way.

use std::fmt::Display;
use std::io::Write;
use std::thread;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What a subcommand says beside its data.
pub(crate) struct Console {
    quiet: bool,
    bar: ProgressBar,
}

/// Without a bar nobody wonders for so long.
const PATIENCE: Duration = Duration::from_millis(700);

const DIM: Style = Style::new().dimmed();
const WARNING: Style = AnsiColor::Yellow.on_default();

impl Console {
    pub(crate) fn new(quiet: bool) -> Self {
        Console {
            quiet,
            bar: ProgressBar::hidden(),
        }
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Something that is good to know.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet {
            self.line(format_args!("{DIM}{text}{DIM:#}"));
        }
    }

    /// The result in a sentence, after the data.
    pub(crate) fn summary(&self, text: impl Display) {
        if !self.quiet {
            self.line(text);
        }
    }

    /// Something that was lost, said even when quiet: the user would not notice otherwise.
    pub(crate) fn problem(&self, text: impl Display) {
        self.line(format_args!("{WARNING}{text}{WARNING:#}"));
    }

    /// A console with a bar for so many bytes, or with a spinner where their number is unknown. On anything but
    /// a terminal both are invisible.
    pub(crate) fn with_bytes(&self, total: Option<u64>) -> Console {
        let (bar, style) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            ),
            None => (ProgressBar::new_spinner(), "{spinner} {bytes} read, {bytes_per_sec}"),
        };
        self.with(bar, style)
    }

    /// A console with a bar for so many steps of one kind.
    pub(crate) fn with_steps(&self, total: u64, of: &str) -> Console {
        self.with(
            ProgressBar::new(total),
            &format!("{{bar:30}} {{percent}} % of {of}, {{eta}} left"),
        )
    }

    fn with(&self, bar: ProgressBar, style: &str) -> Console {
        if self.quiet {
            return Console::new(true);
        }
        bar.set_style(ProgressStyle::with_template(style).expect("the templates of this file are valid"));
        // What is done at once needs no bar, which would only flash up.
        bar.set_draw_target(ProgressDrawTarget::hidden());
        let late = bar.clone();
        thread::spawn(move || {
            thread::sleep(PATIENCE);
            if !late.is_finished() {
                late.set_draw_target(ProgressDrawTarget::stderr());
            }
        });
        Console { quiet: false, bar }
    }

    /// The bar itself, for those who count.
    pub(crate) fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    fn line(&self, text: impl Display) {
        // A closed standard error must not end the run: the data goes elsewhere.
        self.bar.suspend(|| {
            let _ = writeln!(anstream::stderr(), "{text}");
        });
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
