//! What a scorer sees and says, for doors that show more than lines.

use crate::detector::Detector;
use crate::event::Event;
use crate::verdict::{Anomaly, Verdict};

/// Something that a scorer sees or says, while it reads. What is told with an event comes before the event.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// An event of an input that is scored; history is not shown.
    Event {
        /// The row that it stands in, counted from 0 over all scored inputs. A row can hold several events.
        row: u64,
        /// As it was read.
        event: &'a Event<'a>,
        /// What is said of it.
        verdict: &'a Verdict,
        /// What it is one of many of.
        group: Option<Group<'a>>,
    },
    /// An anomaly was written.
    Told {
        /// The anomaly.
        anomaly: &'a Anomaly,
        /// The line that was written, with its end.
        line: &'a [u8],
    },
}

/// Events of the same kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group<'a> {
    /// Log lines of one template.
    Template {
        /// With `<*>` for what varies.
        text: &'a str,
        /// Stays when the text becomes more general.
        id: u64,
    },
    /// Requests of one route.
    Route {
        /// In capitals; one that servers do not know is `OTHER`.
        method: Option<&'static str>,
        /// The name that the log gives it, or the path with `{id}` for what identifies a thing.
        route: &'a str,
    },
}

impl<'a> Group<'a> {
    pub(super) fn of(event: &Event<'_>, template: Option<(&'a str, u64)>, detector: &'a Detector) -> Option<Self> {
        match event {
            Event::Sample(_) => None,
            Event::Log(_) => template.map(|(text, id)| Group::Template { text, id }),
            Event::Request(request) => {
                let (method, route) = detector.route(request);
                Some(Group::Route { method, route })
            }
        }
    }
}
