//! All routes, upstreams, sites and clients: where a request belongs, and who is to be named when something is wrong.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::client::Clients;
use super::evidence::Family;
use super::node::Node;
use super::reference::Reference;
use super::route::{Known, Paths, method};
use super::table::{Entry, Table};
use super::window::SLOT;
use crate::decide::Rules;
use crate::detector::Report;
use crate::episode::Strange;
use crate::event::{Finite, Request, Timestamp};
use crate::limit::{self, Hit};
use crate::near::NearMisses;
use crate::number::Bounded;
use crate::series::{WRONG_CLOCK, labels_of, shortened};
use crate::threshold::{Budget, of_sum};
use crate::verdict::{Fingerprint, Phase, State};

/// What is known of all requests.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Traffic {
    pub(super) routes: Table<Route>,
    pub(super) upstreams: Table<Upstream>,
    pub(super) sites: Table<Site>,
    /// The slot that is open.
    slot: Option<i64>,
    /// Routes, upstreams and sites that were evicted to stay within the bounds.
    pub(crate) evicted: u64,
    /// The surprise of an alarm that was raised when the last slot closed, until a request is there to carry it.
    pub(super) raised: Option<f64>,
    /// No request has come since the input began.
    fresh: bool,
    /// The route of the request that was observed last.
    #[serde(skip)]
    name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Route {
    pub(super) duration: Reference,
    pub(super) size: Reference,
    pub(super) site: u64,
    pub(super) upstream: Option<u64>,
    /// It has been served by several upstreams, and is a part of none.
    mixed: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Upstream {
    pub(super) site: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Site {
    paths: Paths,
    pub(super) clients: Clients,
    /// Its log names routes.
    named: bool,
}

/// What the detector lends for a decision.
pub(crate) struct Context<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) budget: &'a mut Budget,
    pub(crate) near: &'a mut NearMisses,
    /// What people said of a fingerprint, in decades.
    pub(crate) answers: &'a dyn Fn(Fingerprint) -> f64,
    /// How many alarms were raised.
    pub(crate) alarms: u64,
}

/// What a request says of itself, taken apart once.
#[derive(Clone, Copy)]
struct Exchange<'a> {
    request: &'a Request<'a>,
    /// The name of its route.
    name: &'a str,
    method: Option<&'static str>,
    upstream: Option<&'a str>,
    site: u64,
    outcome: Outcome,
}

/// What is said of one request.
pub(crate) struct Said {
    pub(crate) surprise: f64,
    pub(crate) state: State,
    pub(crate) fingerprint: Fingerprint,
}

/// A site has so many requests and errors to begin with: what is assumed of the shares of errors before anything is
/// known, as far as it takes to be surprised by a new site that fails.
pub(super) const ASSUMED_ERRORS: (f64, f64) = (0.005, 0.02);

/// Reference distributions learn in spans of five minutes, in slots.
const SPAN: i64 = 30;

/// After a pause of the whole feed, at most a minute of it counts.
const LONGEST_PAUSE: i64 = 6;

impl Traffic {
    pub(crate) fn new() -> Self {
        Traffic {
            routes: Table::new(),
            upstreams: Table::new(),
            sites: Table::new(),
            slot: None,
            evicted: 0,
            raised: None,
            fresh: false,
            name: String::new(),
        }
    }

    /// The route of the request that was observed last.
    pub(crate) fn last_route(&self) -> &str {
        &self.name
    }

    /// Routes that are known.
    pub(crate) fn routes(&self) -> usize {
        self.routes.len()
    }

    /// Time has come to here: slots that are over close. Without a tick, a pause of the feed is no time.
    pub(crate) fn advance(&mut self, now: Timestamp, ticked: bool, context: &mut Context<'_>, out: &mut Vec<Report>) {
        let to = now.nanos().div_euclid(SLOT * 1_000_000_000);
        let (Some(slot), false) = (self.slot, self.fresh && !ticked) else {
            return;
        };
        let behind = to.saturating_sub(slot);
        let kept = super::window::KEPT as i64;
        if behind < -(WRONG_CLOCK as i64) / SLOT {
            self.slot = Some(to);
            return;
        }
        for next in 1..=behind.min(if ticked { kept } else { LONGEST_PAUSE }) {
            self.close_slot(slot + next, context, out);
        }
        if behind > kept {
            self.pause();
        }
        self.slot = Some(slot.max(to));
    }

    /// Another input begins. Until a request comes in it, nobody knows whether requests are missing; and it may tell of
    /// the same hours as the one before, from their beginning.
    pub(crate) fn begin(&mut self) {
        self.fresh = true;
    }

    /// The first request of an input has come.
    fn resume(&mut self, time: Timestamp) {
        let to = time.nanos().div_euclid(SLOT * 1_000_000_000);
        if std::mem::take(&mut self.fresh) && self.slot.is_some_and(|slot| to < slot) {
            self.slot = Some(to);
            self.pause();
        }
    }

    fn pause(&mut self) {
        self.routes.iter_mut().for_each(|route| route.node.ring.pause());
        self.upstreams
            .iter_mut()
            .for_each(|upstream| upstream.node.ring.pause());
        self.sites.iter_mut().for_each(|site| site.node.ring.pause());
    }

    /// Adds a request where it belongs, once slots that are over by its time are closed.
    pub(crate) fn observe(
        &mut self,
        request: &Request<'_>,
        hits: &[Hit<'_>],
        max: usize,
        context: &mut Context<'_>,
        out: &mut Vec<Report>,
    ) -> Said {
        self.resume(request.time);
        self.advance(request.time, false, context, out);
        let slot = *self
            .slot
            .get_or_insert_with(|| request.time.nanos().div_euclid(SLOT * 1_000_000_000));
        let site_key = xxh3_64_with_seed(b"site", request.subject.key());
        let labels = || labels_of(&request.subject);
        if !self.sites.contains(site_key) {
            let of = Site {
                paths: Paths::default(),
                clients: Clients::new(),
                named: false,
            };
            let evicted = self
                .sites
                .insert(entry(site_key, labels(), slot, of), super::most_sites(max));
            self.evict(evicted, context, out);
        }
        let upstream = request.upstream.filter(|text| !text.is_empty() && *text != "-");
        let named = request.route.filter(|text| !text.is_empty() && *text != "-");
        let method = method(request.method);
        let mut name = std::mem::take(&mut self.name);
        let outcome = Outcome::of(request);
        let mut found = true;
        if let Some(site) = self.sites.get_mut(site_key) {
            site.node.last = slot;
            match named {
                Some(route) => {
                    site.of.named = true;
                    name.clear();
                    name.push_str(route);
                }
                None => {
                    let path = request.path.unwrap_or_default();
                    let Known(known) = site.of.paths.route(path, &mut name);
                    let unrouted = request
                        .flags
                        .is_some_and(|flags| flags.split(',').any(|flag| flag == "NR"));
                    let answered = !unrouted && outcome != Outcome::ClientError;
                    found = !unrouted && (answered || (known && !site.of.named));
                    if answered && !known && context.rules.learns() {
                        site.of.paths.learn(path);
                    }
                }
            }
        }
        let said = if found {
            let exchange = Exchange {
                request,
                name: &name,
                method,
                upstream,
                site: site_key,
                outcome,
            };
            let said = self.count(&exchange, slot, max, context, out);
            self.limits(said, request.time, hits, context, out)
        } else {
            self.not_found(request, site_key, context)
        };
        self.name = name;
        match self.raised.take() {
            Some(surprise) => Said {
                surprise: surprise.at_least(said.surprise),
                state: State::Anomalous { onset: true },
                ..said
            },
            None => said,
        }
    }

    fn count(
        &mut self,
        exchange: &Exchange<'_>,
        slot: i64,
        max: usize,
        context: &mut Context<'_>,
        out: &mut Vec<Report>,
    ) -> Said {
        let Exchange {
            request,
            name,
            method,
            upstream,
            site: site_key,
            outcome,
        } = *exchange;
        let of_method = xxh3_64_with_seed(method.unwrap_or_default().as_bytes(), site_key);
        let key = xxh3_64_with_seed(name.as_bytes(), of_method);
        let upstream_key = upstream.map(|name| xxh3_64_with_seed(name.as_bytes(), site_key ^ 0x7570_7374_7265_616d));
        if !self.routes.contains(key) {
            let mut labels = labels_of(&request.subject);
            labels.push(("route".to_owned(), shortened(name)));
            labels.extend(method.map(|method| ("method".to_owned(), method.to_owned())));
            labels.extend(upstream.map(|upstream| ("upstream".to_owned(), shortened(upstream))));
            let of = Route {
                duration: Reference::new(1.0),
                size: Reference::new(100.0),
                site: site_key,
                upstream: upstream_key,
                mixed: false,
            };
            let evicted = self.routes.insert(entry(key, labels, slot, of), max);
            self.evict(evicted, context, out);
        }
        if let Some(upstream_key) = upstream_key
            && !self.upstreams.contains(upstream_key)
        {
            let mut labels = labels_of(&request.subject);
            labels.push(("upstream".to_owned(), shortened(upstream.unwrap_or_default())));
            let of = Upstream { site: site_key };
            let evicted = self.upstreams.insert(entry(upstream_key, labels, slot, of), max);
            self.evict(evicted, context, out);
        }
        let assumed = self.assumed(site_key);
        let fingerprint = Fingerprint(key);
        let Some(route) = self.routes.get_mut(key) else {
            return Said::nothing(fingerprint);
        };
        route.node.last = slot;
        if upstream_key.is_some() && route.of.upstream != upstream_key && !route.of.mixed {
            match route.of.upstream {
                None => route.of.upstream = upstream_key,
                Some(_) => {
                    route.of.mixed = true;
                    route.of.upstream = None;
                    route.node.labels.retain(|(name, _)| name != "upstream");
                }
            }
        }
        // Requests that fail are counted; how long they take is another matter, and so is what they send.
        let answered = outcome == Outcome::Fine;
        let positive = |value: Option<Finite>| value.map(Finite::value).filter(|value| answered && *value >= 0.0);
        let duration = positive(request.duration).and_then(|value| route.of.duration.observe(value));
        let size = positive(request.bytes).and_then(|value| route.of.size.observe(value));
        let slow_share = route.of.duration.slow_share();
        let young = route.node.age < super::window::KEPT as u32;
        let add = |node: &mut Node, with_values: bool| {
            node.slot.requests += 1;
            node.slot.server_errors += u32::from(outcome == Outcome::ServerError);
            node.slot.client_errors += u32::from(outcome == Outcome::ClientError);
            if let Some(standing) = duration.as_ref().filter(|_| with_values) {
                node.slot.duration(standing, slow_share);
            }
            if let Some(standing) = size.as_ref().filter(|_| with_values) {
                node.slot.size(standing);
            }
        };
        add(&mut route.node, true);
        let learning = route.node.is_learning();
        let errors = route.node.error_rates(assumed);
        let mut trouble = route.node.showing();
        let (server, client) = errors;
        let of_outcome = match outcome {
            Outcome::Fine => 0.0,
            Outcome::ServerError => -libm::log10(server.mean().at_most(1.0)),
            Outcome::ClientError => -libm::log10(client.mean().at_most(1.0)),
        };
        let of_duration = duration.map_or(0.0, |standing| standing.surprise);
        if let Some(upstream) = upstream_key.and_then(|key| self.upstreams.get_mut(key)) {
            upstream.node.last = slot;
            // What is hardly known of a new route would be taken for certain in a group.
            add(&mut upstream.node, !young);
            trouble = trouble.or(upstream.node.showing());
        }
        if let Some(site) = self.sites.get_mut(site_key) {
            add(&mut site.node, !young);
            trouble = trouble.or(site.node.showing());
        }
        let surprise = of_sum(&[of_duration, of_outcome]);
        // In an episode those requests are anomalous that show what it is about.
        let part = trouble.is_some_and(|(kind, _)| shows(kind, outcome, of_duration));
        Said {
            surprise: match trouble {
                Some((_, strange)) if part => strange.at_least(surprise),
                _ => surprise,
            },
            state: match (part, learning) {
                (true, _) => State::Anomalous { onset: false },
                (false, true) => State::Learning,
                (false, false) => State::Normal,
            },
            fingerprint,
        }
    }

    /// A request that is above a hard limit is anomalous at once.
    fn limits(
        &mut self,
        said: Said,
        time: Timestamp,
        hits: &[Hit<'_>],
        context: &mut Context<'_>,
        out: &mut Vec<Report>,
    ) -> Said {
        if hits.is_empty() {
            return said;
        }
        let Some(Entry { node, .. }) = self.routes.get_mut(said.fingerprint.0) else {
            return said;
        };
        // What the models find, they say of windows.
        let event = Strange {
            time,
            surprise: 0.0,
            state: 0.0,
            fingerprint: said.fingerprint,
            level: None,
            above_limit: limit::farthest(hits),
            pattern: None,
            named: &Vec::new,
        };
        let near = &mut *context.near;
        let step = context.rules.decide(node.course(), &event, near, out, |total| {
            limit::explain(hits, total, true, None)
        });
        context.alarms += u64::from(step.opened && context.rules.scoring);
        Said {
            surprise: said.surprise.at_least(step.surprise),
            state: step.state,
            ..said
        }
    }

    fn not_found(&mut self, request: &Request<'_>, site_key: u64, context: &Context<'_>) -> Said {
        let address = request.client.unwrap_or_default();
        let key = xxh3_64_with_seed(address.as_bytes(), site_key);
        let path = xxh3_64_with_seed(request.path.unwrap_or_default().as_bytes(), 0);
        let mut said = Said::nothing(Fingerprint(key));
        if address.is_empty() {
            return said;
        }
        if let Some(site) = self.sites.get_mut(site_key)
            && let Some(client) = site.of.clients.observe(key, address, path)
            && let Some(episode) = &client.episode
            && context.rules.scoring
        {
            said.surprise = episode.surprise();
            said.state = State::Anomalous { onset: false };
        }
        said
    }

    /// The shares of errors of a site, which is what is assumed of its routes.
    fn assumed(&self, site: u64) -> (f64, f64) {
        let site = self.sites.place(site).and_then(|place| self.sites.at(place));
        site.map_or(ASSUMED_ERRORS, |site| {
            let (server, client) = site.node.error_rates(ASSUMED_ERRORS);
            (server.mean(), client.mean())
        })
    }

    fn evict<T>(&mut self, evicted: Option<Entry<T>>, context: &Context<'_>, out: &mut Vec<Report>) {
        let Some(Entry { node, .. }) = evicted else {
            return;
        };
        self.evicted += 1;
        if let Some(episode) = &node.episode {
            context.rules.report(episode, Phase::End, &node.labels, out);
        }
    }

    fn close_slot(&mut self, slot: i64, context: &mut Context<'_>, out: &mut Vec<Report>) {
        let weight = context.rules.learns().then_some(1.0);
        let minute_ends = slot.rem_euclid(6) == 0;
        let Traffic {
            routes,
            upstreams,
            sites,
            ..
        } = self;
        let of_site = |sites: &Table<Site>, key: u64| {
            let site = sites.place(key).and_then(|place| sites.at(place));
            site.and_then(|site| site.node.ring.oldest())
                .map_or(0.0, |slot| f64::from(slot.requests))
        };
        for route in routes.iter_mut() {
            let site = of_site(sites, route.of.site);
            let weight = route.node.close_slot(|old| site - f64::from(old.requests), weight);
            let young = route.node.age < super::window::KEPT as u32;
            if if young { minute_ends } else { slot.rem_euclid(SPAN) == 0 } {
                route.of.duration.turn(SPAN as f64, weight, young);
                route.of.size.turn(SPAN as f64, weight, young);
            }
        }
        for upstream in upstreams.iter_mut() {
            let site = of_site(sites, upstream.of.site);
            upstream.node.close_slot(|old| site - f64::from(old.requests), weight);
        }
        for site in sites.iter_mut() {
            site.node.close_slot(|_| 0.0, weight);
        }
        let end = Timestamp::from_seconds(slot.saturating_mul(SLOT));
        for site in 0..self.sites.len() {
            self.judge(site, end, minute_ends, context, out);
            self.scans(site, end, minute_ends, weight, context, out);
        }
    }

    /// Everything is over: what is open is reported as it stands.
    pub(crate) fn close(&mut self, rules: &Rules, out: &mut Vec<Report>) {
        for site in self.sites.iter_mut() {
            close(&mut site.node, rules, out);
            for client in site.of.clients.iter_mut() {
                if let Some(episode) = client.episode.take() {
                    let mut labels = site.node.labels.clone();
                    labels.push(("client".to_owned(), client.address.clone()));
                    rules.report(&episode, Phase::Open, &labels, out);
                }
            }
        }
        self.upstreams
            .iter_mut()
            .for_each(|upstream| close(&mut upstream.node, rules, out));
        self.routes
            .iter_mut()
            .for_each(|route| close(&mut route.node, rules, out));
    }

    /// Episodes of history are nobody's business later.
    pub(crate) fn forget_episodes(&mut self) {
        for site in self.sites.iter_mut() {
            site.node.episode = None;
            site.of.clients.iter_mut().for_each(|client| client.episode = None);
        }
        self.upstreams
            .iter_mut()
            .for_each(|upstream| upstream.node.episode = None);
        self.routes.iter_mut().for_each(|route| route.node.episode = None);
    }
}

fn close(node: &mut Node, rules: &Rules, out: &mut Vec<Report>) {
    if let Some(episode) = node.episode.take() {
        rules.report(&episode, Phase::Open, &node.labels, out);
    }
}

fn entry<T>(key: u64, labels: Vec<(String, String)>, slot: i64, of: T) -> Entry<T> {
    Entry {
        node: Node::new(key, labels, slot),
        of,
    }
}

impl Said {
    fn nothing(fingerprint: Fingerprint) -> Self {
        Said {
            surprise: 0.0,
            state: State::Normal,
            fingerprint,
        }
    }
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Fine,
    ClientError,
    ServerError,
}

impl Outcome {
    fn of(request: &Request<'_>) -> Self {
        match request.status {
            Some(500..) => Outcome::ServerError,
            Some(400..=499) => Outcome::ClientError,
            Some(100..=399) => Outcome::Fine,
            // There was no response: Envoy's flags tell who is to blame, the client that went away or the upstream.
            _ => match request.flags.filter(|flags| !flags.is_empty() && *flags != "-") {
                Some(flags) if flags.split(',').any(|flag| flag == "DC") => Outcome::ClientError,
                Some(_) => Outcome::ServerError,
                None => Outcome::Fine,
            },
        }
    }
}

/// Whether a request shows what an episode is about.
fn shows(family: Family, outcome: Outcome, of_duration: f64) -> bool {
    match family {
        Family::Errors => outcome == Outcome::ServerError,
        Family::ClientErrors => outcome == Outcome::ClientError,
        // Slower than half of the usual requests.
        Family::Latency => of_duration > std::f64::consts::LOG10_2,
        Family::Size => outcome == Outcome::Fine,
        Family::Surge => true,
        // It is those that do not come.
        Family::Traffic => false,
    }
}
