//! The cases of requests: trouble of a site that has to be seen, with who is to be named for it, and what its life
//! brings and is none. Two hours of ordinary life come before all trouble.

use super::site::{Exchange, OF_LIBRARY, RATE, ROUTES, ask, other, serve};
use super::stream::{DAY, HOUR, MINUTE, Stream, Trouble, daily, workday};
use super::{Case, Expected, Found, Harmless, Noisy, Random};

/// Trouble is seen in so many minutes.
const SOON: Expected = Found { within: 3.0 };

/// What is known of the alarms of day and night, which is not yet their cause.
const OF_TRAFFIC: &str = "most are alarms of traffic where a route has few requests";

pub(crate) const CASES: &[Case] = &[
    ("route: slower", slower_route, SOON),
    ("route: slower, same mean", split_route, Found { within: 10.0 }),
    ("route: errors", failing_route, SOON),
    ("route: refused", refused_route, SOON),
    ("route: silent", silent_route, SOON),
    ("route: new, and errs", new_route_errs, SOON),
    ("route: slow drift", drifting_route, Found { within: 15.0 }),
    ("route: empty responses", empty_route, SOON),
    ("route: retry storm", retry_storm, SOON),
    ("one of twelve routes slower", one_of_twelve_slower, SOON),
    ("upstream: slower", slower_upstream, SOON),
    ("upstream: errors", failing_upstream, SOON),
    ("upstream: no response", lost_upstream, SOON),
    ("site: slower", slower_site, SOON),
    ("site: errors", failing_site, SOON),
    ("site: silent", silent_site, SOON),
    ("scan by one client", scan, SOON),
    ("requests in peace", in_peace, Harmless),
    (
        "deploy of 15 s",
        deploy,
        Noisy("fifteen seconds can touch three slots of ten seconds"),
    ),
    ("traffic doubles", doubled, Harmless),
    (
        "cache warms up",
        warm_up,
        Noisy("a minute is the shortest window, and a third of it is enough"),
    ),
    ("new healthy routes", new_routes, Harmless),
    ("crawler of known paths", crawler, Harmless),
    ("a few broken links", broken_links, Harmless),
    ("requests of day and night", day_and_night, Noisy(OF_TRAFFIC)),
    ("requests of a holiday", holiday, Harmless),
    ("requests of a weekend", weekend, Noisy(OF_TRAFFIC)),
    ("one request a minute", sparse, Harmless),
];

/// Whose trouble is nobody else's, and how many alarms of others there are all the same, over all streams.
pub(crate) const NAMED_ALONE: &[(&str, u64)] = &[
    ("route: slower", 0),
    ("route: errors", 0),
    ("route: silent", 0),
    ("route: retry storm", 0),
    ("one of twelve routes slower", 0),
    ("upstream: slower", 6),
    ("upstream: errors", 12),
    ("site: slower", 11),
    ("site: errors", 11),
    ("site: silent", 0),
    ("scan by one client", 1),
];

/// Three hours, with trouble of 20 minutes in the third.
fn trouble(
    stream: &mut Stream,
    who: &'static [(&'static str, &'static str)],
    what: &'static [&'static str],
    spoil: impl FnMut(&mut Exchange, &mut Random),
) {
    let trouble = at(stream, 20 * MINUTE);
    stream.names_only(who);
    stream.names(None, what);
    during(stream, trouble, spoil);
}

fn at(stream: &mut Stream, seconds: i64) -> Trouble {
    let at = 2 * HOUR + stream.random.below(1_800) as i64;
    stream.trouble_at(at, seconds)
}

fn during(stream: &mut Stream, trouble: Trouble, mut spoil: impl FnMut(&mut Exchange, &mut Random)) {
    serve(
        stream,
        3 * HOUR,
        |_| RATE,
        |time, exchange, random| {
            if trouble.holds(time) {
                spoil(exchange, random);
            }
        },
        |_, _| {},
    );
}

const SLOW: &[&str] = &["typical duration", "duration, times the usual", "slow requests"];
const ERRORS: &[&str] = &["server errors"];
const SEARCH: &[(&str, &str)] = &[("route", "/find"), ("upstream", "library")];
const BORROW: &[(&str, &str)] = &[("route", "/loans"), ("upstream", "loans")];
const LIBRARY: &[(&str, &str)] = &[("upstream", "library")];
const SITE: &[(&str, &str)] = &[];

fn is(exchange: &Exchange, method: &str, path: &str) -> bool {
    ROUTES
        .get(exchange.route)
        .is_some_and(|route| route.path == path && route.method == method)
}

fn slower_route(stream: &mut Stream) {
    trouble(stream, BORROW, SLOW, |exchange, _| {
        if is(exchange, "POST", "/loans") {
            exchange.ms *= 1.9;
        }
    });
}

/// Seven of ten answers take half of the time, and the others so much longer that the mean is as before.
fn split_route(stream: &mut Stream) {
    trouble(stream, SEARCH, &["slow requests"], |exchange, random| {
        if is(exchange, "GET", "/find") {
            exchange.ms *= if random.unit() < 0.7 { 0.5 } else { 0.65 / 0.3 };
        }
    });
}

fn failing_route(stream: &mut Stream) {
    trouble(stream, BORROW, ERRORS, |exchange, random| {
        if is(exchange, "POST", "/loans") {
            exchange.fails(0.25, 500, random);
        }
    });
}

fn refused_route(stream: &mut Stream) {
    let who = &[("route", "/login"), ("upstream", "readers")];
    trouble(stream, who, &["client errors"], |exchange, random| {
        if is(exchange, "POST", "/login") {
            exchange.fails(0.5, 401, random);
        }
    });
}

fn silent_route(stream: &mut Stream) {
    trouble(stream, SEARCH, &["requests per minute"], |exchange, _| {
        if is(exchange, "GET", "/find") {
            exchange.times = 0;
        }
    });
}

fn new_route_errs(stream: &mut Stream) {
    let trouble = at(stream, 20 * MINUTE);
    stream.names_only(&[("route", "/gifts"), ("upstream", "loans")]);
    stream.names(None, ERRORS);
    serve(
        stream,
        3 * HOUR,
        |_| RATE,
        |_, _, _| {},
        |time, stream| {
            if trouble.from <= time && time % 2 == 0 {
                let status = if stream.random.unit() < 0.4 { 500 } else { 200 };
                let mut exchange = other("/gifts".to_owned(), status, &mut stream.random);
                exchange.upstream = "loans";
                ask(stream, time, 0.99, &exchange);
            }
        },
    );
}

fn drifting_route(stream: &mut Stream) {
    let trouble = at(stream, 45 * MINUTE);
    stream.names_only(BORROW);
    stream.names(None, SLOW);
    serve(
        stream,
        3 * HOUR + HOUR / 2,
        |_| RATE,
        |time, exchange, _| {
            if trouble.holds(time) && is(exchange, "POST", "/loans") {
                exchange.ms *= 1.0 + 2.0 * trouble.part(time);
            }
        },
        |_, _| {},
    );
}

fn empty_route(stream: &mut Stream) {
    let what = &["response size, times the usual"];
    trouble(stream, SEARCH, what, |exchange, _| {
        if is(exchange, "GET", "/find") {
            exchange.bytes *= 0.1;
        }
    });
}

fn retry_storm(stream: &mut Stream) {
    trouble(stream, BORROW, ERRORS, |exchange, random| {
        if is(exchange, "POST", "/loans") {
            exchange.fails(0.5, 503, random);
            if exchange.status == Some(503) {
                exchange.times = 4;
            }
        }
    });
}

fn one_of_twelve_slower(stream: &mut Stream) {
    trouble(stream, SEARCH, SLOW, |exchange, _| {
        if is(exchange, "GET", "/find") {
            exchange.ms *= 2.5;
        }
    });
}

fn slower_upstream(stream: &mut Stream) {
    trouble(stream, LIBRARY, SLOW, |exchange, _| {
        if exchange.route < OF_LIBRARY {
            exchange.ms *= 2.0;
        }
    });
}

fn failing_upstream(stream: &mut Stream) {
    trouble(stream, LIBRARY, ERRORS, |exchange, random| {
        if exchange.route < OF_LIBRARY {
            exchange.fails(0.15, 503, random);
        }
    });
}

/// As Envoy tells of what it could not reach: a flag, and no status.
fn lost_upstream(stream: &mut Stream) {
    trouble(stream, LIBRARY, ERRORS, |exchange, random| {
        if exchange.route < OF_LIBRARY && random.unit() < 0.3 {
            (exchange.status, exchange.flags) = (None, Some("UF,URX"));
        }
    });
}

fn slower_site(stream: &mut Stream) {
    trouble(stream, SITE, SLOW, |exchange, _| exchange.ms *= 2.0);
}

fn failing_site(stream: &mut Stream) {
    trouble(stream, SITE, ERRORS, |exchange, random| {
        exchange.fails(0.15, 503, random);
    });
}

/// Nothing comes any more, and only the clock says so.
fn silent_site(stream: &mut Stream) {
    let trouble = at(stream, 20 * MINUTE);
    stream.names_only(SITE);
    stream.names(None, &["requests per minute"]);
    let rate = |time| if trouble.holds(time) { 0.0 } else { RATE };
    serve(
        stream,
        3 * HOUR,
        rate,
        |_, _, _| {},
        |time, stream| {
            if time % 5 == 4 {
                stream.tick(time);
            }
        },
    );
}

fn scan(stream: &mut Stream) {
    let trouble = at(stream, 10 * MINUTE);
    stream.names_only(&[("client", "198.51.102.9")]);
    serve(
        stream,
        3 * HOUR,
        |_| RATE,
        |_, _, _| {},
        |time, stream| {
            if trouble.holds(time) {
                let path = format!("/{}/setup.php", word(stream.random.below(5_000)));
                let mut exchange = other(path, 404, &mut stream.random);
                exchange.client = 509;
                ask(stream, time, 0.99, &exchange);
            }
        },
    );
}

fn in_peace(stream: &mut Stream) {
    serve(stream, 12 * HOUR, |_| RATE, |_, _, _| {}, |_, _| {});
}

fn deploy(stream: &mut Stream) {
    let at = 2 * HOUR + stream.random.below(1_800) as i64;
    let harmless = at..at + 15;
    serve(
        stream,
        3 * HOUR,
        |_| RATE,
        |time, exchange, random| {
            if harmless.contains(&time) && exchange.route < OF_LIBRARY {
                exchange.fails(0.25, 503, random);
            }
        },
        |_, _| {},
    );
}

fn doubled(stream: &mut Stream) {
    let at = 2 * HOUR + stream.random.below(1_800) as i64;
    // Within five minutes; after half an hour it is over.
    let rate = |time: i64| {
        let risen = (time - at) as f64 / 300.0;
        let fallen = (time - at - 1_800) as f64 / 300.0;
        RATE * (1.0 + risen.clamp(0.0, 1.0) - fallen.clamp(0.0, 1.0))
    };
    serve(stream, 3 * HOUR, rate, |_, _, _| {}, |_, _| {});
}

/// After a restart a cache is empty: for a minute fewer and fewer answers of two routes take twice as long.
fn warm_up(stream: &mut Stream) {
    let at = 2 * HOUR + stream.random.below(1_800) as i64;
    serve(
        stream,
        3 * HOUR,
        |_| RATE,
        |time, exchange, random| {
            let cold = 0.6 * (1.0 - (time - at) as f64 / 60.0);
            let cached = is(exchange, "GET", "/books") || is(exchange, "GET", "/books/#");
            if time >= at && cached && random.unit() < cold {
                exchange.ms *= 2.0;
            }
        },
        |_, _| {},
    );
}

fn new_routes(stream: &mut Stream) {
    let at = 2 * HOUR + stream.random.below(1_800) as i64;
    serve(
        stream,
        3 * HOUR,
        |_| RATE,
        |_, _, _| {},
        |time, stream| {
            if at <= time && time % 2 == 0 {
                let path = ["/games", "/games/top", "/films"][stream.random.below(3) as usize];
                let status = if stream.random.below(300) == 0 { 500 } else { 200 };
                let exchange = other(path.to_owned(), status, &mut stream.random);
                ask(stream, time, 0.99, &exchange);
            }
        },
    );
}

/// One client asks for many paths, and all of them are there.
fn crawler(stream: &mut Stream) {
    let at = 2 * HOUR + stream.random.below(1_800) as i64;
    serve(
        stream,
        3 * HOUR,
        |_| RATE,
        |_, _, _| {},
        |time, stream| {
            if (at..at + 20 * MINUTE).contains(&time) {
                let path = format!("/books/{}", 1_000 + stream.random.below(90_000));
                let mut exchange = other(path, 200, &mut stream.random);
                (exchange.ms, exchange.client) = (17.0 + stream.random.normal(), 509);
                ask(stream, time, 0.99, &exchange);
            }
        },
    );
}

/// Every client has a bookmark that leads nowhere, and one asks for five of them.
fn broken_links(stream: &mut Stream) {
    serve(
        stream,
        3 * HOUR,
        |_| RATE,
        |_, _, _| {},
        |time, stream| {
            let many = time % 1_200 < 5;
            if many || stream.random.below(40) == 0 {
                let path = format!("/old/{}", word(stream.random.below(300)));
                let mut exchange = other(path, 404, &mut stream.random);
                if many {
                    exchange.client = 17;
                }
                ask(stream, time, 0.99, &exchange);
            }
        },
    );
}

fn day_and_night(stream: &mut Stream) {
    serve(stream, 2 * DAY, |time| 2.0 + 1.5 * daily(time), |_, _, _| {}, |_, _| {});
}

/// The third day is one: three tenths of the usual traffic.
fn holiday(stream: &mut Stream) {
    let rate = |time: i64| {
        let share = if (2 * DAY..3 * DAY).contains(&time) { 0.3 } else { 1.0 };
        share * (2.0 + 1.5 * daily(time))
    };
    serve(stream, 3 * DAY, rate, |_, _, _| {}, |_, _| {});
}

/// From Monday to the next Tuesday.
fn weekend(stream: &mut Stream) {
    let rate = |time: i64| (0.6 + 0.4 * daily(time)) * (0.4 + 0.6 * workday(time));
    serve(stream, 8 * DAY, rate, |_, _, _| {}, |_, _| {});
}

fn sparse(stream: &mut Stream) {
    serve(stream, 3 * DAY, |_| 1.0 / 60.0, |_, _, _| {}, |_, _| {});
}

/// A word without digits that stands for a number.
fn word(number: u64) -> String {
    (0..4)
        .map(|place| char::from(b'a' + (number / 13_u64.pow(place) % 13 + u64::from(place)) as u8))
        .collect()
}
