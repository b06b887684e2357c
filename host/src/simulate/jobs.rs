//! The timetable: work that starts by the clock, and what it says.

use super::logs::Level;
use super::shop::Service;

/// Something cron starts.
pub(super) struct Job {
    /// Seconds between two runs, and the first one's second of the day.
    every: i64,
    at: i64,
    lasts: i64,
    /// Added to the CPU ratio and to the mean queue depth while it runs.
    pub(super) costs: &'static [(Service, f64, f64)],
    pub(super) cues: &'static [Cue],
}

/// A line said at a set time after something started.
pub(super) struct Cue {
    pub(super) after: i64,
    pub(super) service: Service,
    pub(super) level: Level,
    pub(super) text: &'static str,
}

impl Job {
    pub(super) fn running(&self, now: i64) -> bool {
        self.elapsed(now) < self.lasts
    }

    /// Seconds since the latest start.
    pub(super) fn elapsed(&self, now: i64) -> i64 {
        (now - self.at).rem_euclid(self.every)
    }
}

pub(super) const JOBS: &[Job] = &[
    Job {
        every: 3600,
        at: 300,
        lasts: 180,
        costs: &[(Service::Inventory, 0.24, 9.0), (Service::Postgres, 0.05, 0.5)],
        cues: &[
            cue(
                0,
                Service::Inventory,
                Level::Info,
                "inventory sync started, source warehouse-{small}",
            ),
            cue(
                12,
                Service::Inventory,
                Level::Info,
                "fetched {number} stock levels in {ms} ms",
            ),
            cue(
                50,
                Service::Inventory,
                Level::Info,
                "synced batch 1 of 4, {number} items",
            ),
            cue(
                85,
                Service::Inventory,
                Level::Info,
                "synced batch 2 of 4, {number} items",
            ),
            cue(
                121,
                Service::Inventory,
                Level::Info,
                "synced batch 3 of 4, {number} items",
            ),
            cue(
                160,
                Service::Inventory,
                Level::Info,
                "synced batch 4 of 4, {number} items",
            ),
            cue(
                171,
                Service::Inventory,
                Level::Info,
                "inventory sync finished, {number} items changed",
            ),
        ],
    },
    Job {
        every: 86_400,
        at: 2 * 3600 + 1800,
        lasts: 1320,
        costs: &[(Service::Orders, 0.31, 14.0), (Service::Postgres, 0.22, 2.0)],
        cues: &[
            cue(
                0,
                Service::Orders,
                Level::Info,
                "nightly settlement started for {number} orders",
            ),
            cue(
                410,
                Service::Orders,
                Level::Info,
                "settlement at 33 %, {number} orders closed",
            ),
            cue(
                840,
                Service::Orders,
                Level::Info,
                "settlement at 66 %, {number} orders closed",
            ),
            cue(
                850,
                Service::Orders,
                Level::Warn,
                "settlement skipped order {order}: amount differs by {amount} EUR",
            ),
            cue(
                1290,
                Service::Orders,
                Level::Info,
                "settlement file settlement-{number}.csv written, {number} lines",
            ),
            cue(1311, Service::Orders, Level::Info, "nightly settlement finished"),
        ],
    },
    Job {
        every: 86_400,
        at: 3 * 3600 + 600,
        lasts: 660,
        costs: &[(Service::Search, 0.23, 3.0), (Service::Catalog, 0.08, 1.0)],
        cues: &[
            cue(0, Service::Search, Level::Info, "reindex started, {number} documents"),
            cue(330, Service::Search, Level::Info, "reindex at 50 %"),
            cue(
                640,
                Service::Search,
                Level::Info,
                "reindex finished, segment seg-{hex} is live",
            ),
            cue(642, Service::Search, Level::Info, "dropped segment seg-{hex}"),
        ],
    },
    Job {
        every: 86_400,
        at: 4 * 3600 + 1200,
        lasts: 420,
        costs: &[(Service::Postgres, 0.12, 1.0)],
        cues: &[
            cue(
                0,
                Service::Postgres,
                Level::Info,
                "base backup started, label nightly-{number}",
            ),
            cue(
                400,
                Service::Postgres,
                Level::Info,
                "base backup finished, {number} MB in {number} s",
            ),
        ],
    },
];

pub(super) const fn cue(after: i64, service: Service, level: Level, text: &'static str) -> Cue {
    Cue {
        after,
        service,
        level,
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_speak_while_they_run() {
        for job in JOBS {
            assert!(job.cues.iter().all(|cue| cue.after < job.lasts));
            assert!(job.running(job.at) && !job.running(job.at + job.lasts));
        }
    }
}
