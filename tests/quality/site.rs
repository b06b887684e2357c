//! A site that serves HTTP: three upstreams with nineteen routes between them. Its requests go to a detector as they
//! are made, without bytes in between: how formats are read is another matter.

use watchpost_detector::{Finite, Label, Request, Subject};

use super::random::Random;
use super::stream::Stream;

/// One route as it usually is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) upstream: &'static str,
    pub(crate) method: &'static str,
    /// Its path; `#` stands for a number that differs from request to request.
    pub(crate) path: &'static str,
    /// Its part of the traffic.
    weight: f64,
    /// The usual duration, in milliseconds, and the spread of its logarithm.
    ms: f64,
    spread: f64,
    bytes: f64,
}

const fn route(
    upstream: &'static str,
    method: &'static str,
    path: &'static str,
    weight: f64,
    ms: f64,
    spread: f64,
) -> Route {
    Route {
        upstream,
        method,
        path,
        weight,
        ms,
        spread,
        bytes: 900.0 + 40.0 * ms,
    }
}

pub(crate) const ROUTES: [Route; 19] = [
    route("library", "GET", "/books", 9.0, 24.0, 0.5),
    route("library", "GET", "/books/#", 12.0, 17.0, 0.4),
    route("library", "GET", "/books/#/cover", 7.0, 6.0, 0.6),
    route("library", "GET", "/authors", 4.0, 31.0, 0.5),
    route("library", "GET", "/authors/#", 6.0, 19.0, 0.5),
    route("library", "GET", "/shelves", 3.0, 45.0, 0.4),
    route("library", "GET", "/shelves/#", 5.0, 38.0, 0.6),
    route("library", "GET", "/find", 8.0, 85.0, 0.7),
    route("library", "GET", "/news", 4.0, 11.0, 0.3),
    route("library", "POST", "/books/#/reviews", 2.0, 52.0, 0.5),
    route("library", "GET", "/books/#/reviews", 5.0, 27.0, 0.5),
    route("library", "GET", "/lists/#", 3.0, 33.0, 0.4),
    route("loans", "GET", "/loans", 6.0, 29.0, 0.4),
    route("loans", "POST", "/loans", 5.0, 120.0, 0.5),
    route("loans", "DELETE", "/loans/#", 4.0, 64.0, 0.4),
    route("loans", "GET", "/fines", 3.0, 22.0, 0.5),
    route("readers", "POST", "/login", 5.0, 150.0, 0.3),
    route("readers", "GET", "/readers/#", 6.0, 14.0, 0.4),
    route("readers", "PUT", "/readers/#/card", 2.0, 70.0, 0.5),
];

/// Routes of one upstream come first, and there are twelve of them.
pub(crate) const OF_LIBRARY: usize = 12;

/// One exchange, which trouble may spoil before it is seen.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) route: usize,
    pub(crate) upstream: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) status: Option<u16>,
    pub(crate) flags: Option<&'static str>,
    pub(crate) ms: f64,
    pub(crate) bytes: f64,
    pub(crate) client: u64,
    /// How many times it is seen: a client may give up, or ask again.
    pub(crate) times: u64,
}

impl Exchange {
    /// It fails, with this chance.
    pub(crate) fn fails(&mut self, chance: f64, status: u16, random: &mut Random) {
        if random.unit() < chance {
            self.status = Some(status);
        }
    }

    fn of(at: usize, route: &Route, random: &mut Random) -> Self {
        let mut path = route.path.to_owned();
        if route.path.contains('#') {
            path = path.replace('#', &(1_000 + random.below(90_000)).to_string());
        }
        Exchange {
            route: at,
            upstream: route.upstream,
            method: route.method,
            path,
            status: Some(match random.below(1_000) {
                0..=2 => 500,
                3..=12 => 404,
                _ => 200,
            }),
            flags: None,
            ms: route.ms * exp(route.spread * random.normal()),
            bytes: route.bytes * exp(0.3 * random.normal()),
            client: random.below(400),
            times: 1,
        }
    }
}

/// Requests a second where nothing else is said.
pub(crate) const RATE: f64 = 10.0;

/// Asks the site for so many seconds' requests, at so many a second as `rate` says. `spoil` is what trouble makes of
/// each, and `beside` is what else is asked in a second.
pub(crate) fn serve(
    stream: &mut Stream,
    seconds: i64,
    rate: impl Fn(i64) -> f64,
    mut spoil: impl FnMut(i64, &mut Exchange, &mut Random),
    mut beside: impl FnMut(i64, &mut Stream),
) {
    let all: f64 = ROUTES.iter().map(|route| route.weight).sum();
    for time in 0..seconds {
        let count = stream.random.count(rate(time));
        for part in 0..count {
            let mut place = stream.random.unit() * all;
            let at = ROUTES.iter().position(|route| {
                place -= route.weight;
                place < 0.0
            });
            let at = at.unwrap_or(0);
            let mut exchange = Exchange::of(at, &ROUTES[at], &mut stream.random);
            spoil(time, &mut exchange, &mut stream.random);
            for _ in 0..exchange.times {
                ask(stream, time, part as f64 / count as f64, &exchange);
            }
        }
        beside(time, stream);
    }
}

/// One request, at a part of a second.
pub(crate) fn ask(stream: &mut Stream, time: i64, part: f64, exchange: &Exchange) {
    let client = format!("198.51.{}.{}", 100 + exchange.client / 250, exchange.client % 250);
    let mut labels = [Label {
        name: "service",
        value: "front",
    }];
    let request = Request {
        time: Stream::moment(time).plus_seconds(part),
        subject: Subject::new(&mut labels),
        method: Some(exchange.method),
        path: Some(&exchange.path),
        route: None,
        upstream: Some(exchange.upstream),
        client: Some(&client),
        status: exchange.status,
        duration: Finite::new(exchange.ms),
        bytes: Finite::new(exchange.bytes),
        flags: exchange.flags,
    };
    stream.request(time, &request);
}

/// A request for a path that no route has, which is answered like this.
pub(crate) fn other(path: String, status: u16, random: &mut Random) -> Exchange {
    Exchange {
        method: "GET",
        path,
        status: Some(status),
        ..Exchange::of(0, &ROUTES[0], random)
    }
}

/// The exponential function, as far as it takes: multiplications only, which are the same on every machine.
fn exp(x: f64) -> f64 {
    (0..10).fold(1.0 + x / 1024.0, |power, _| power * power)
}
