//! The services behind Envoy in these tests: their routes, what is usual of them, and an hour of it that nobody had to
//! wait for.

use watchpost_detector::{
    Anomaly, Config, Detector, Event, Finite, Kind, Label, Phase, Report, Request, Subject, Timestamp,
};

use crate::random::Random;

/// The service that the plugin is told to be a part of.
pub(super) const SERVICE: &str = "shop";

/// One route of Envoy, and what is usual of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    /// Its name in Envoy's configuration; requests go to `/name/…`.
    pub(super) name: &'static str,
    pub(super) cluster: &'static str,
    /// Requests in a second.
    pub(super) rate: f64,
    pub(super) usual: Usual,
}

/// How a route behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usual {
    /// Durations are lognormal: their median in milliseconds, and the spread of their logarithm.
    pub(super) median: f64,
    pub(super) spread: f64,
    /// The share of requests that fail with 503.
    pub(super) errors: f64,
}

const fn route(name: &'static str, cluster: &'static str, rate: f64, median: f64) -> Route {
    let usual = Usual {
        median,
        spread: 0.35,
        errors: 0.002,
    };
    Route {
        name,
        cluster,
        rate,
        usual,
    }
}

/// About sixty requests a second. They take long enough that what a busy machine adds to them is little.
pub(super) const ROUTES: [Route; 9] = [
    route("home", "web", 10.0, 150.0),
    route("search", "catalog", 10.0, 200.0),
    route("product", "catalog", 10.0, 170.0),
    route("cart", "orders", 8.0, 160.0),
    route("checkout", "orders", 6.0, 190.0),
    route("pay", "payment", 4.0, 180.0),
    route("refund", "payment", 3.0, 170.0),
    route("profile", "account", 6.0, 150.0),
    route("avatar", "account", 6.0, 140.0),
];

/// Paths that do not exist, in a second: favicons and bookmarks, from clients all over.
pub(super) const STRAYS: f64 = 0.05;

/// The trouble that the live test makes, all of it at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// One route becomes slower.
    Slow,
    /// One route fails now and then.
    Errors,
    /// An upstream does not answer: Envoy gives up after the route's timeout.
    Hangs,
    /// One client asks for paths that do not exist.
    Scan,
    /// Nobody asks one route any more.
    Silent,
}

pub(super) const SCANNER: &str = "203.0.113.66";

/// How slow, how often, how fast.
pub(super) const SLOWER: f64 = 2.2;
pub(super) const FAILING: f64 = 0.35;
pub(super) const SCANS: f64 = 2.0;

impl Fault {
    pub(super) const ALL: [Fault; 5] = [Fault::Slow, Fault::Errors, Fault::Hangs, Fault::Scan, Fault::Silent];

    /// The label that a verdict has to name, its value, and the kinds that it may be of.
    pub(super) fn truth(self) -> (&'static str, &'static str, &'static [Kind]) {
        match self {
            Fault::Slow => ("route", "search", &[Kind::Latency]),
            Fault::Errors => ("route", "checkout", &[Kind::Errors, Kind::RetryStorm]),
            Fault::Hangs => ("upstream", "payment", &[Kind::Errors, Kind::RetryStorm]),
            Fault::Scan => ("client", SCANNER, &[Kind::PathScan]),
            Fault::Silent => ("route", "avatar", &[Kind::TrafficDrop]),
        }
    }

    /// Whether a verdict is about this fault and names the right one: a route is named without its upstream being
    /// blamed, which is a verdict without a route.
    pub(super) fn is_named_by(self, anomaly: &Anomaly) -> bool {
        let (label, value, kinds) = self.truth();
        let named = |wanted: &str| anomaly.subject.get(wanted).map(String::as_str);
        let blames = ["client", "route", "upstream"]
            .into_iter()
            .find(|label| named(label).is_some());
        blames == Some(label) && named(label) == Some(value) && kinds.contains(&anomaly.kind)
    }
}

/// What a fault makes of a route.
pub(super) fn under(faults: &[Fault], route: &Route) -> (f64, Usual) {
    let mut usual = route.usual;
    let mut rate = route.rate;
    for fault in faults {
        match (fault, route.name) {
            (Fault::Slow, "search") => usual.median *= SLOWER,
            (Fault::Errors, "checkout") => usual.errors = FAILING,
            (Fault::Silent, "avatar") => rate = 0.0,
            _ => {}
        }
    }
    (rate, usual)
}

/// The duration of a request in milliseconds.
pub(super) fn duration(usual: &Usual, random: &mut Random) -> f64 {
    usual.median * (usual.spread * random.normal()).exp()
}

/// How long until the next of so many a second comes, in seconds.
pub(super) fn gap(rate: f64, random: &mut Random) -> f64 {
    if rate <= 0.0 {
        return f64::INFINITY;
    }
    -(1.0 - random.unit()).ln() / rate
}

/// A client of many.
pub(super) fn client(random: &mut Random) -> String {
    format!("198.51.100.{}", random.below(250) + 1)
}

/// Feeds a detector natively with what these services are asked, from one time to another, in seconds.
pub(super) fn simulate(
    detector: &mut Detector,
    from: f64,
    to: f64,
    faults: &[Fault],
    random: &mut Random,
) -> Vec<Anomaly> {
    let mut reports = Vec::new();
    let rates: Vec<f64> = ROUTES
        .iter()
        .map(|route| under(faults, route).0)
        .chain([STRAYS, if faults.contains(&Fault::Scan) { SCANS } else { 0.0 }])
        .collect();
    let mut next: Vec<f64> = rates.iter().map(|rate| from + gap(*rate, random)).collect();
    let mut second = from.floor() + 1.0;
    loop {
        let (at, time) = next
            .iter()
            .copied()
            .enumerate()
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .expect("there are routes");
        // The plugin ticks once a second.
        while second <= time.min(to) {
            detector.tick(at_seconds(second), &mut reports);
            second += 1.0;
        }
        if time >= to {
            break;
        }
        next[at] = time + gap(rates[at], random);
        let number = random.below(1 << 40);
        let stray = format!("/{number:x}.php");
        let address = if at == ROUTES.len() + 1 {
            SCANNER.to_owned()
        } else {
            client(random)
        };
        let mut labels = [Label {
            name: "service",
            value: SERVICE,
        }];
        let mut request = Request {
            time: at_seconds(time),
            subject: Subject::new(&mut labels),
            method: Some("GET"),
            path: Some(&stray),
            route: None,
            upstream: None,
            client: Some(&address),
            status: Some(404),
            duration: Finite::new(0.1),
            bytes: None,
            flags: Some("NR"),
        };
        let path;
        if let Some(route) = ROUTES.get(at) {
            let usual = under(faults, route).1;
            let fails = random.unit() < usual.errors;
            let mut took = duration(&usual, random);
            (request.status, request.flags) = (Some(if fails { 503 } else { 200 }), None);
            if faults.contains(&Fault::Hangs) && route.cluster == "payment" {
                (request.status, request.flags, took) = (Some(504), Some("UT"), 2000.0);
            }
            path = format!("/{}/{number}", route.name);
            request.path = Some(&path);
            request.route = Some(route.name);
            request.upstream = Some(route.cluster);
            request.duration = Finite::new(took);
        }
        detector.observe(&Event::Request(request), &mut reports);
    }
    onsets(&reports)
}

/// The state of a detector that has seen an hour of normal traffic that ended just now.
pub(super) fn hour_until(now: Timestamp) -> Vec<u8> {
    let mut detector = Detector::new(Config::default());
    let mut random = Random::new(41);
    let end = now.nanos() as f64 / 1e9;
    detector.set_scoring(false);
    simulate(&mut detector, end - 3_600.0, end, &[], &mut random);
    detector.snapshot()
}

fn at_seconds(seconds: f64) -> Timestamp {
    Timestamp::from_nanos((seconds * 1e9) as i64)
}

fn onsets(reports: &[Report]) -> Vec<Anomaly> {
    let anomalies = reports.iter().filter_map(|report| match report {
        Report::Anomaly(anomaly) if anomaly.phase == Phase::Onset => Some(Anomaly::clone(anomaly)),
        _ => None,
    });
    anomalies.collect()
}

/// The rehearsal: the detector alone sees in simulated requests what the plugin is to see in real ones. Where this
/// holds and the live test does not, it is the plugin.
#[test]
fn the_detector_sees_these_faults_in_two_minutes() {
    for seed in 0..5 {
        let start = 1_795_000_000.0 + 1_234.0 * f64::from(seed as u32);
        let mut random = Random::new(seed);
        let snapshot = hour_until(at_seconds(start));
        let mut detector = Detector::restore(Config::default(), &snapshot).expect("the snapshot was made just now");
        let quiet = simulate(&mut detector, start, start + 75.0, &[], &mut random);
        assert!(quiet.is_empty(), "alarms without trouble: {quiet:?}");
        let begin = start + 75.0;
        let found = simulate(&mut detector, begin, begin + 125.0, &Fault::ALL, &mut random);
        for fault in Fault::ALL {
            let first = found.iter().find(|anomaly| fault.is_named_by(anomaly));
            let after = first.map(|anomaly| anomaly.timestamp.seconds_since(at_seconds(begin)));
            println!("{seed} {fault:?}: {after:.0?} s");
            assert!(first.is_some(), "{fault:?} was not named: {found:#?}");
        }
        for anomaly in &found {
            assert!(
                Fault::ALL.iter().any(|fault| fault.is_named_by(anomaly)),
                "nobody did that: {anomaly:#?}"
            );
        }
    }
}
