//! Requests that are made from a seed: a site that lives, with trouble now and then.

use watchpost_detector::{Event, Finite, Label, Request, Subject, Timestamp};

use super::Random;

/// One request that owns what it is made of.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Exchange {
    pub(crate) time: i64,
    pub(crate) method: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) route: Option<String>,
    pub(crate) upstream: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) flags: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) ms: Option<f64>,
    pub(crate) bytes: Option<f64>,
}

impl Exchange {
    pub(crate) fn with<T>(&self, then: impl FnOnce(&Event<'_>) -> T) -> T {
        let mut labels = [Label {
            name: "service",
            value: "front",
        }];
        then(&Event::Request(Request {
            time: Timestamp::from_nanos(self.time),
            subject: Subject::new(&mut labels),
            method: self.method.as_deref(),
            path: self.path.as_deref(),
            route: self.route.as_deref(),
            upstream: self.upstream.as_deref(),
            client: self.client.as_deref(),
            status: self.status,
            duration: self.ms.and_then(Finite::new),
            bytes: self.bytes.and_then(Finite::new),
            flags: self.flags.as_deref(),
        }))
    }

    /// So many seconds later.
    pub(crate) fn at(&self, seconds: i64) -> Timestamp {
        Timestamp::from_nanos(self.time + seconds * SECOND)
    }
}

const SECOND: i64 = 1_000_000_000;

/// What is wrong with the site.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wrong {
    Nothing,
    SlowRoute,
    Failing,
    Scanned,
}

/// A site of eight routes and three upstreams, asked ten times a second.
pub(crate) struct Site {
    random: Random,
    time: i64,
    wrong: Wrong,
    left: u64,
}

const ROUTES: [(&str, &str, &str, f64); 8] = [
    ("a", "GET", "/", 10.0),
    ("a", "GET", "/plays", 22.0),
    ("a", "GET", "/plays/#", 30.0),
    ("a", "POST", "/plays/#/seats", 140.0),
    ("b", "GET", "/halls", 18.0),
    ("b", "GET", "/halls/#", 26.0),
    ("c", "POST", "/pay", 210.0),
    ("c", "GET", "/pay/#", 34.0),
];

impl Site {
    pub(crate) fn new(seed: u64) -> Self {
        Site {
            random: Random::new(seed),
            time: 1_800_000_000 * SECOND,
            wrong: Wrong::Nothing,
            left: 0,
        }
    }

    pub(crate) fn now(&self) -> i64 {
        self.time
    }

    pub(crate) fn pause(&mut self, seconds: i64) {
        self.time += seconds * SECOND;
    }

    /// As life goes: half of the time something is wrong, some lines are late, and the feed pauses now and then.
    pub(crate) fn take(&mut self, count: usize) -> Vec<Exchange> {
        (0..count)
            .map(|_| {
                if self.left == 0 {
                    self.left = 1_000 + self.random.below(3_000);
                    self.wrong = match self.random.below(6) {
                        0 => Wrong::SlowRoute,
                        1 => Wrong::Failing,
                        2 => Wrong::Scanned,
                        _ => Wrong::Nothing,
                    };
                }
                self.left -= 1;
                if self.random.below(2_500) == 0 {
                    self.pause(20 + self.random.clone().below(300) as i64);
                }
                let mut exchange = self.next();
                if self.random.below(60) == 0 {
                    exchange.time -= self.random.below(40) as i64 * SECOND;
                }
                exchange
            })
            .collect()
    }

    pub(crate) fn healthy(&mut self, count: usize) -> Vec<Exchange> {
        self.all(Wrong::Nothing, count)
    }

    pub(crate) fn failing(&mut self, count: usize) -> Vec<Exchange> {
        self.all(Wrong::Failing, count)
    }

    pub(crate) fn slow_route(&mut self, count: usize) -> Vec<Exchange> {
        self.all(Wrong::SlowRoute, count)
    }

    fn all(&mut self, wrong: Wrong, count: usize) -> Vec<Exchange> {
        self.wrong = wrong;
        self.left = 0;
        (0..count).map(|_| self.next()).collect()
    }

    fn next(&mut self) -> Exchange {
        let random = &mut self.random;
        self.time += 50_000_000 + random.below(100) as i64 * 1_000_000;
        let at = random.below(ROUTES.len() as u64) as usize;
        let (upstream, method, path, ms) = ROUTES[at];
        let number = random.below(9_000).to_string();
        let noise = 1.0 + 0.3 * random.normal().clamp(-2.0, 3.0);
        let mut exchange = Exchange {
            time: self.time,
            method: Some(method.to_owned()),
            path: Some(path.replace('#', &number)),
            route: None,
            upstream: Some(upstream.to_owned()),
            client: Some(format!("192.0.2.{}", random.below(200))),
            flags: None,
            status: Some(if random.below(400) == 0 { 500 } else { 200 }),
            ms: Some(ms * noise),
            bytes: Some(2_000.0 * (1.0 + 0.1 * random.normal())),
        };
        match self.wrong {
            Wrong::Nothing => {}
            Wrong::SlowRoute if at == 6 => exchange.ms = Some(2.2 * ms * noise),
            Wrong::SlowRoute => {}
            Wrong::Failing if at < 4 && random.below(5) == 0 => exchange.status = Some(503),
            Wrong::Failing => {}
            Wrong::Scanned if random.below(4) == 0 => {
                exchange.path = Some(format!("/{number}.php/x{number}"));
                exchange.status = Some(404);
                exchange.client = Some("203.0.113.9".to_owned());
            }
            Wrong::Scanned => {}
        }
        exchange
    }
}
