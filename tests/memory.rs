//! Memory is a function of the configuration, never of the traffic: an allocator counts what a detector holds while
//! hostile traffic tries to make it hold more than `footprint` says that it can.

#![allow(
    unsafe_code,
    reason = "an allocator is unsafe by its trait; this one passes everything on to the system's"
)]

#[path = "quality/random.rs"]
#[allow(dead_code, reason = "shared with the other tests, of which each needs a part")]
mod random;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use random::Random;
use watchpost_detector::{
    Config, Detector, Event, FeedbackLabel, Fingerprint, Finite, Label, Level, LogRecord, Report, Request, Sample,
    Subject, Timestamp, Value, footprint,
};
use watchpost_tests::letters;

struct Counting;

thread_local! {
    /// A detector lives on one thread, and so does its test: what other tests hold does not count.
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

/// What a block takes: eight bytes of the allocator's own, in steps of sixteen, as in most allocators.
fn taken(size: usize) -> i64 {
    (size + 8).next_multiple_of(16).max(32) as i64
}

// SAFETY: every call is passed on to the system's allocator as it came; counting touches nothing but a number of
// this thread, which is never dropped and never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.set(LIVE.get() + taken(layout.size()));
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - taken(layout.size()));
        // SAFETY: the block came from the system with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.set(LIVE.get() + taken(size) - taken(layout.size()));
        // SAFETY: the block came from the system with this layout.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SERIES: u32 = 60;
const METRICS: u32 = 240;
const TEMPLATES: u32 = 200;
const ROUTES: u32 = 40;
const OF_REQUESTS: [&str; 3] = ["routes", "upstreams", "sites"];

#[test]
fn every_event_a_new_subject() {
    let long = "x".repeat(4_000);
    hostile(&["series", "metrics"], 600, |watch, n| {
        let name = format!("{long}{n}");
        watch.time += 10;
        watch.row(
            &[(&name, &name), ("service", &name)],
            &[("cpu", (n % 7) as f64), ("rows_total", n as f64)],
        );
    });
}

/// One line can carry a hundred thousand labels.
#[test]
fn every_event_a_new_subject_of_many_labels() {
    hostile(&["series", "metrics"], 200, |watch, n| {
        let names: Vec<String> = (0..400).map(|label| format!("label-{n}-{label}")).collect();
        let labels: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
        watch.time += 10;
        watch.row(&labels, &[("cpu", 1.0)]);
    });
}

#[test]
fn every_event_a_new_log() {
    let long = "y".repeat(4_000);
    hostile(&["series", "templates"], 600, |watch, n| {
        let name = format!("{long}{n}");
        watch.time += 10;
        watch.line(&[("service", &name)], Level::Fatal, "out of memory, killed", None);
    });
}

#[test]
fn a_subject_of_thousands_of_metrics() {
    let names: Vec<String> = (0..2_000).map(|n| format!("{}{n}", "m".repeat(240))).collect();
    let mut random = Random::new(1);
    hostile(&["series", "metrics"], 300, |watch, _| {
        watch.time += 1_200;
        let values: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), random.heavy() * 1e3)).collect();
        watch.row(&[("service", "a")], &values);
    });
}

/// Rows of all sizes, values of all sizes, every one of them an alarm if it can be.
#[test]
fn metrics_that_fill_everything_that_can_be_kept_of_them() {
    let names: Vec<String> = (0..METRICS).map(|n| format!("{}{n}", "m".repeat(240))).collect();
    let mut random = Random::new(2);
    hostile(&["series", "metrics"], 12_000, |watch, n| {
        watch.time += if n % 40 == 0 { 900 } else { 31 };
        let service = (n % u64::from(SERIES)).to_string();
        let own = names.iter().skip((n % u64::from(SERIES)) as usize * 4).take(4);
        let wild = |random: &mut Random| [1.0, 1.5, 3.0, 40.0, 1e4, 1e9][random.below(6) as usize] * random.heavy();
        let values: Vec<(&str, f64)> = own.map(|name| (name.as_str(), wild(&mut random))).collect();
        watch.row(&[("service", &service)], &values);
    });
}

/// Everything is above its limit, with names of all sizes.
#[test]
fn metrics_above_their_limits() {
    let names: Vec<String> = (0..METRICS).map(|n| format!("{}{n}", "m".repeat(240))).collect();
    let limits: Vec<String> = names.iter().map(|name| format!(r#""{name}": 1e-9"#)).collect();
    let config = Config::from_json(&format!(
        r#"{{
            "bounds": {{"max_series": {SERIES}, "max_metrics": {METRICS}, "max_templates": {TEMPLATES}}},
            "rules": {{"__default__": {{{}}}}}
        }}"#,
        limits.join(",")
    ))
    .unwrap();
    let labels: Vec<(String, String)> = (0..20)
        .map(|n| (format!("{n}{}", "l".repeat(400)), "v".repeat(400)))
        .collect();
    let mut random = Random::new(8);
    let held = held(&config, |watch| {
        for n in 0..20_000_u64 {
            watch.time += 31;
            let service = (n % u64::from(SERIES)).to_string();
            let own = names.iter().skip((n % u64::from(SERIES)) as usize * 4).take(4);
            let values: Vec<(&str, f64)> = own.map(|name| (name.as_str(), random.heavy() * 1e3)).collect();
            let mut labels: Vec<(&str, &str)> = labels.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            labels.push(("service", &service));
            watch.row(&labels, &values);
        }
    });
    let allowed = total(&config, &["series", "metrics", "limits"]);
    println!("limits: {held} bytes, {allowed} allowed");
    assert!(held <= allowed, "{held} bytes are held, and {allowed} allowed");
}

#[test]
fn every_line_a_new_template() {
    let mut random = Random::new(3);
    hostile(&["series", "templates"], 1_500, |watch, _| {
        watch.time += 1;
        let message: String = (0..200)
            .map(|_| words(&mut random, 12) + ["=", " ", ":", "/", ","][random.below(5) as usize])
            .collect();
        watch.line(&[("service", "a")], Level::Info, &message, None);
    });
}

/// A word of a line is as long as its writer wants.
#[test]
fn every_line_a_new_template_with_one_endless_word() {
    let long = "r".repeat(100_000);
    hostile(&["series", "templates"], 600, |watch, n| {
        watch.time += 1;
        watch.line(
            &[("service", "a")],
            Level::Info,
            &format!("{} er{long}", letters(n)),
            None,
        );
    });
}

/// Templates that begin alike are found by their beginning. Where they go again, they must leave no room behind.
#[test]
fn templates_that_begin_alike_come_and_go() {
    let mut random = Random::new(4);
    let all = u64::from(TEMPLATES);
    hostile(&["series", "templates"], 12 * all, |watch, n| {
        watch.time += 1;
        // Every round begins with another word. One line of each is seen again in every later round, so that it
        // stays while the others of its round give way.
        let (round, place) = (n / all, n % all);
        let message = if place <= round.min(all / 2) {
            let word = letters(place);
            format!("{word} stays here for ever {word}")
        } else {
            let word = letters(round);
            let mut other = || words(&mut random, 8);
            format!("{word} {} {} {} ever {word}", other(), other(), other())
        };
        watch.line(&[], Level::Info, &message, None);
    });
}

#[test]
fn sessions_without_end() {
    let mut random = Random::new(5);
    let long = "s".repeat(2_000);
    hostile(&["series", "templates", "sessions"], 300_000, |watch, n| {
        // More than may be open within the time after which they are over.
        watch.time += i64::from(n % 640 == 0);
        let session = format!("{}{long}", if n % 3 == 0 { n } else { n / 300 });
        let message = ["open", "read", "write", "close", "move", "copy"][random.below(6) as usize].to_owned()
            + &letters(random.below(60));
        watch.line(&[("service", "a")], Level::Info, &message, Some(&session));
    });
}

/// A million paths, clients, upstreams and hosts, each of them once.
#[test]
fn every_request_a_new_route_of_a_new_upstream_of_a_new_site() {
    let long = "z".repeat(2_000);
    hostile(&OF_REQUESTS, 100_000, |watch, n| {
        watch.time += i64::from(n % 8 == 0);
        let name = format!("/{long}{n}");
        watch.request(&[("service", &name)], &name, None, &name, &name, 500);
    });
}

/// All that a route and an upstream can keep: names and values of all sizes, and every one an alarm if it can be.
#[test]
fn requests_that_fill_everything_that_can_be_kept_of_them() {
    let mut random = Random::new(9);
    let labels: Vec<(String, String)> = (0..40)
        .map(|n| (format!("{n}{}", "l".repeat(400)), "v".repeat(400)))
        .collect();
    let labels: Vec<(&str, &str)> = labels.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    hostile(&["routes", "upstreams"], 60_000, |watch, n| {
        watch.time += i64::from(n % 20 == 0);
        let route = format!("{}{}", random.below(u64::from(ROUTES)), "r".repeat(400));
        let trouble = (watch.time / 1_200) % 2 == 1;
        let status = if trouble && n % 3 == 0 { 503 } else { 200 };
        watch.request(&labels, "/", Some(&route), &route, "192.0.2.1", status);
    });
}

/// A site remembers paths that exist, and clients that ask for others.
#[test]
fn sites_of_endless_paths_and_clients() {
    let bounds = r#"{"false_alarms_per_day": 1000, "bounds": {"max_routes": 2}}"#;
    let config = Config::from_json(bounds).unwrap();
    let mut random = Random::new(10);
    let held = held(&config, |watch| {
        for n in 0..250_000_u64 {
            watch.time += i64::from(n % 60 == 0);
            let service = (n % 2).to_string();
            // Names until there is no room for names, and then what has none below each of them.
            let (first, second) = (letters(random.below(198)), letters(random.below(40)));
            let third = words(&mut random, if n < 100_000 { 0 } else { 8 });
            let path = format!("/{first}/{second}/{third}");
            if n % 3 == 0 {
                let client = format!("{:0200}", random.below(100));
                watch.request(
                    &[("service", &service)],
                    &format!("/{n}.php{path}"),
                    None,
                    "u",
                    &client,
                    404,
                );
            } else {
                watch.request(&[("service", &service)], &path, None, "u", "c", 200);
            }
        }
    });
    let allowed = total(&config, &OF_REQUESTS);
    println!("sites: {held} bytes, {allowed} allowed");
    assert!(held <= allowed, "{held} bytes are held, and {allowed} allowed");
}

#[test]
fn answers_to_everything() {
    let config = config();
    let before = LIVE.get();
    let mut detector = Detector::new(config.clone());
    for fingerprint in 0..200_000 {
        detector.feedback(Fingerprint(fingerprint), FeedbackLabel::Fine);
    }
    let held = (LIVE.get() - before) as u64;
    println!("answers: {held} bytes");
    assert!(held <= total(&config, &[""]));
}

/// What one of each needs in ordinary use; `footprint` says it to users.
#[test]
fn ordinary_use_needs_what_the_footprint_says() {
    let rows = |services: u64, metrics: usize| {
        let names: Vec<String> = (0..metrics)
            .map(|n| format!("http_request_duration_seconds_p{n}"))
            .collect();
        let mut random = Random::new(6);
        held(&Config::default(), |watch| {
            for minute in 0..3 * 1440 {
                watch.time = minute * 60;
                for service in 0..services {
                    let values: Vec<(&str, f64)> = names
                        .iter()
                        .map(|name| (name.as_str(), 50.0 + 3.0 * random.normal()))
                        .collect();
                    watch.row(
                        &[("service", &format!("service-{service}")), ("zone", "eu-west-1b")],
                        &values,
                    );
                }
            }
        })
    };
    let lines = |services: u64, templates: u64| {
        let mut random = Random::new(7);
        held(&Config::default(), |watch| {
            for n in 0..60_000 {
                watch.time = n;
                let (service, template) = (random.below(services), letters(random.below(templates)));
                let message = format!(
                    "{template} of request {n} for user {} from host {} in {template}",
                    n * 7,
                    n % 900
                );
                watch.line(
                    &[("service", &format!("service-{service}"))],
                    Level::Info,
                    &message,
                    None,
                );
            }
        })
    };
    let sessions = |count: i64, steps: u64| {
        held(&Config::default(), |watch| {
            for n in 0..count {
                for step in 0..steps {
                    watch.line(
                        &[],
                        Level::Info,
                        &format!("step {} done", letters(step)),
                        Some(&format!("request-{n}")),
                    );
                }
            }
        })
    };
    // Three hours of routes of an upstream, of upstreams of a site, and of sites, two requests a second each.
    let requests = |sites: u64, upstreams: u64, routes: u64| {
        let mut random = Random::new(11);
        let routes: Vec<(String, String, String)> = (0..sites)
            .flat_map(|site| (0..upstreams).map(move |upstream| (site, upstream)))
            .flat_map(|(site, upstream)| (0..routes).map(move |route| (site, upstream, route)))
            .map(|(site, upstream, route)| (format!("service-{site}"), format!("cluster-{upstream}"), letters(route)))
            .collect();
        held(&Config::default(), |watch| {
            for second in 0..3 * 3_600 {
                watch.time = second;
                for (site, upstream, route) in &routes {
                    let path = format!("/api/{upstream}/{route}/{}", random.below(100_000));
                    let client = format!("192.0.2.{}", random.below(250));
                    let status = [200, 200, 200, 404][random.below(4) as usize];
                    watch.request(&[("service", site)], &path, None, upstream, &client, status);
                }
            }
        })
    };
    let of_route = (requests(1, 1, 9) - requests(1, 1, 1)) / 8;
    let of_upstream = (requests(1, 9, 1) - requests(1, 1, 1)) / 8 - of_route;
    let of_site = (requests(5, 1, 1) - requests(1, 1, 1)) / 4 - of_route - of_upstream;
    println!("ordinary use, in bytes: route {of_route}, upstream {of_upstream}, site {of_site}");
    // From three metrics on they are compared with others together, which takes a share for each.
    let of_metric = (rows(12, 9) - rows(12, 3)) / (12 * 6);
    let of_series = ((rows(24, 3) - rows(12, 3)) / 12).saturating_sub(3 * of_metric);
    let of_template = (lines(1, 400) - lines(1, 100)) / 300;
    let of_log = (lines(81, 100) - lines(1, 100)) / 80;
    let of_session = (sessions(4_000, 5) - sessions(2_000, 5)) / 2_000;
    println!(
        "ordinary use, in bytes: series {of_series}, metric {of_metric}, template {of_template}, session {of_session}; \
         a log with its counts {of_log}"
    );
    for (name, found) in [
        ("series", of_series),
        ("metrics", of_metric),
        ("templates", of_template),
        ("sessions", of_session),
        ("routes", of_route),
        ("upstreams", of_upstream),
        ("sites", of_site),
    ] {
        let parts = footprint(&Config::default());
        let part = parts.iter().find(|part| part.name.contains(name)).unwrap();
        assert!(
            found <= part.most_bytes,
            "{name}: {found} bytes, and {} at most",
            part.most_bytes
        );
        let usual = part.usual_bytes;
        assert!(
            found * 2 >= usual && found * 2 <= usual * 3,
            "{name}: {found} bytes in ordinary use, and {usual} are told"
        );
    }
}

/// Hostile input is of the longest texts and the most lines; ordinary input has short ones, of which one is awaited.
#[test]
fn what_patterns_follow() {
    let kind = |when: &str| {
        format!(
            r#"{{"patterns": {{"library": false, "rules": [{{"name": "a", "alarm": false, "when": {{{when},
                "of": {{"regex": "user=(?<user>\\S+) failed"}}, "by": {{"capture": "user"}}}}}}}}]}}}}"#
        )
    };
    let each = |when: &str, lines: u64, length: usize| {
        let config = Config::from_json(&kind(when)).unwrap_or_else(|error| panic!("{error}"));
        let parts = footprint(&config);
        let part = parts.iter().find(|part| part.name == "tracks of patterns").unwrap();
        let of = |users: u64| {
            held(&config, |watch| {
                for n in 0..part.count * lines {
                    watch.time += i64::from(n % 100 == 0);
                    let message = format!("user={:x>length$} failed", n % users);
                    watch.line(&[("service", "a")], Level::Info, &message, None);
                }
            })
        };
        ((of(part.count) - of(1)) / part.count, part.most_bytes, part.usual_bytes)
    };
    let (held, most, _) = each(r#""rate": {"count": 64, "window_seconds": 604800"#, 33, 250);
    assert!(held <= most && most <= held + held / 2, "{held} bytes, {most} allowed");
    let (held, _, usual) = each(r#""absence": {"within_seconds": 99999"#, 1, 12);
    assert!(held <= usual && usual <= held + held / 2, "{held} bytes, {usual} usual");
}

/// Runs hostile traffic, then ten times as much, and compares what is held with what these parts of the footprint
/// allow.
fn hostile(parts: &[&str], events: u64, mut event: impl FnMut(&mut Watch, u64)) {
    let config = config();
    let before = LIVE.get();
    let mut watch = Watch::new(&config);
    let mut most = [0, 0];
    for n in 0..events * 11 {
        event(&mut watch, n);
        let held = (LIVE.get() - before) as u64;
        let most = &mut most[usize::from(n >= events)];
        *most = held.max(*most);
    }
    let allowed = total(&config, parts);
    println!(
        "{parts:?}: {} bytes, {} after ten times as many events, {allowed} allowed",
        most[0], most[1]
    );
    assert!(
        most[0].max(most[1]) <= allowed,
        "{} bytes are held, and {allowed} allowed",
        most[0].max(most[1])
    );
    assert!(
        // A season, or another scale of values, can be found late.
        most[1] <= most[0] + most[0] / 4,
        "{} bytes became {}",
        most[0],
        most[1]
    );
}

/// What a detector holds after some traffic.
fn held(config: &Config, traffic: impl FnOnce(&mut Watch)) -> u64 {
    let before = LIVE.get();
    let mut watch = Watch::new(config);
    traffic(&mut watch);
    watch.reports = Vec::new();
    (LIVE.get() - before) as u64
}

fn config() -> Config {
    let text = format!(
        r#"{{
            "false_alarms_per_day": 1000,
            "bounds": {{"max_series": {SERIES}, "max_metrics": {METRICS}, "max_templates": {TEMPLATES},
                "max_routes": {ROUTES}}}
        }}"#
    );
    Config::from_json(&text).unwrap()
}

/// What the parts of the footprint with these words in their names allow.
fn total(config: &Config, words: &[&str]) -> u64 {
    let parts = footprint(config).into_iter();
    let of = parts.filter(|part| words.iter().any(|word| part.name.contains(word)));
    of.map(|part| part.count * part.most_bytes).sum()
}

/// A detector and its time in seconds.
struct Watch {
    detector: Detector,
    time: i64,
    reports: Vec<Report>,
    asked: u64,
}

impl Watch {
    fn new(config: &Config) -> Self {
        Watch {
            detector: Detector::new(config.clone()),
            time: 0,
            reports: Vec::new(),
            asked: 0,
        }
    }

    fn row(&mut self, labels: &[(&str, &str)], values: &[(&str, f64)]) {
        let value = |&(metric, value)| Value {
            metric,
            value: Finite::new(value).unwrap(),
        };
        let values: Vec<Value<'_>> = values.iter().map(value).collect();
        let (mut labels, time) = (named(labels), self.now());
        let sample = Sample {
            time,
            subject: Subject::new(&mut labels),
            values: &values,
        };
        self.detector.observe(&Event::Sample(sample), &mut self.reports);
        self.reports = Vec::new();
    }

    fn line(&mut self, labels: &[(&str, &str)], level: Level, message: &str, session: Option<&str>) {
        let (mut labels, time) = (named(labels), self.now());
        let subject = Subject::new(&mut labels);
        let record = LogRecord {
            time,
            subject,
            level: Some(level),
            message,
            session,
            fields: &[],
        };
        self.detector.observe(&Event::Log(record), &mut self.reports);
        self.reports = Vec::new();
    }

    fn request(
        &mut self,
        labels: &[(&str, &str)],
        path: &str,
        route: Option<&str>,
        upstream: &str,
        client: &str,
        status: u16,
    ) {
        let (mut labels, time) = (named(labels), self.now());
        // Durations and sizes of all orders, so that there is nothing that a distribution does not have.
        let size = [1e-3, 0.3, 2.0, 17.0, 400.0, 9e3, 1e6, 1e9][(self.asked % 8) as usize];
        self.asked += 1;
        let request = Request {
            time,
            subject: Subject::new(&mut labels),
            method: Some("GET"),
            path: Some(path),
            route,
            upstream: Some(upstream),
            client: Some(client),
            status: Some(status),
            duration: Finite::new(size),
            bytes: Finite::new(size),
            flags: None,
        };
        self.detector.observe(&Event::Request(request), &mut self.reports);
        self.reports = Vec::new();
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + self.time)
    }
}

fn named<'a>(labels: &[(&'a str, &'a str)]) -> Vec<Label<'a>> {
    labels.iter().map(|&(name, value)| Label { name, value }).collect()
}

/// A random word of letters.
fn words(random: &mut Random, length: usize) -> String {
    (0..length).map(|_| char::from(b'a' + random.below(26) as u8)).collect()
}
