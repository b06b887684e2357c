//! All routes, upstreams, sites and clients: where a request belongs, and who is to be named when something is wrong.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::client::{Clients, Scan};
use super::evidence::{Evidence, Family};
use super::node::{Looks, Node};
use super::reference::Reference;
use super::route::{Known, Paths, method};
use super::table::{Entry, Table};
use super::window::{Ring, SLOT};
use crate::decide::Rules;
use crate::detector::Report;
use crate::episode::{HYSTERESIS, Strange};
use crate::event::{Finite, Request, Timestamp};
use crate::limit::{self, Hit};
use crate::series::{WRONG_CLOCK, labels_of, shortened};
use crate::threshold::{Budget, of_sum};
use crate::verdict::{Explanation, Fingerprint, Kind, Phase, State};

/// What is known of all requests.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Traffic {
    routes: Table<Route>,
    upstreams: Table<Upstream>,
    sites: Table<Site>,
    /// The slot that is open.
    slot: Option<i64>,
    /// Routes, upstreams and sites that were evicted to stay within the bounds.
    pub(crate) evicted: u64,
    /// The surprise of an alarm that was raised when the last slot closed, until a request is there to carry it.
    raised: Option<f64>,
    #[serde(skip)]
    name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Route {
    duration: Reference,
    size: Reference,
    site: u64,
    upstream: Option<u64>,
    /// It has been served by several upstreams, and is a part of none.
    mixed: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Upstream {
    site: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Site {
    paths: Paths,
    clients: Clients,
    /// Its log names routes.
    named: bool,
}

/// What the detector lends for a decision.
pub(crate) struct Context<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) budget: &'a mut Budget,
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
const ASSUMED_ERRORS: (f64, f64) = (0.005, 0.02);

/// Reference distributions learn in spans of five minutes, in slots.
const SPAN: i64 = 30;

/// After a pause of the whole feed, at most a minute of it counts.
const LONGEST_PAUSE: i64 = 6;

/// A group is named instead of its strangest member when the rest of it has changed at least half as much.
const HALF: f64 = 0.5;

impl Traffic {
    pub(crate) fn new() -> Self {
        Traffic {
            routes: Table::new(),
            upstreams: Table::new(),
            sites: Table::new(),
            slot: None,
            evicted: 0,
            raised: None,
            name: String::new(),
        }
    }

    /// Routes that are known.
    pub(crate) fn routes(&self) -> usize {
        self.routes.len()
    }

    /// Time has come to here: slots that are over close. Without a tick, a pause of the feed is no time.
    pub(crate) fn advance(&mut self, now: Timestamp, ticked: bool, context: &mut Context<'_>, out: &mut Vec<Report>) {
        let to = now.nanos().div_euclid(SLOT * 1_000_000_000);
        let Some(slot) = self.slot else {
            return;
        };
        let behind = to.saturating_sub(slot);
        if behind < -(WRONG_CLOCK as i64) / SLOT {
            self.slot = Some(to);
            return;
        }
        let most = if ticked {
            super::window::KEPT as i64
        } else {
            LONGEST_PAUSE
        };
        for ago in (0..behind.min(most)).rev() {
            self.close_slot(to - ago, context, out);
        }
        self.slot = Some(slot.max(to));
    }

    /// Adds a request where it belongs, after [`Traffic::advance`] has come to its time.
    pub(crate) fn observe(
        &mut self,
        request: &Request<'_>,
        hits: &[Hit<'_>],
        max: usize,
        context: &mut Context<'_>,
        out: &mut Vec<Report>,
    ) -> Said {
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
            let evicted = self.sites.insert(entry(site_key, labels(), slot, of), max);
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
                surprise: surprise.max(said.surprise),
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
        let mut trouble = route.node.trouble();
        let (server, client) = errors;
        let of_outcome = match outcome {
            Outcome::Fine => 0.0,
            Outcome::ServerError => -libm::log10(server.mean().min(1.0)),
            Outcome::ClientError => -libm::log10(client.mean().min(1.0)),
        };
        let of_duration = duration.map_or(0.0, |standing| standing.surprise);
        if let Some(upstream) = upstream_key.and_then(|key| self.upstreams.get_mut(key)) {
            upstream.node.last = slot;
            // What is hardly known of a new route would be taken for certain in a group.
            add(&mut upstream.node, !young);
            trouble = trouble.or(upstream.node.trouble());
        }
        if let Some(site) = self.sites.get_mut(site_key) {
            add(&mut site.node, !young);
            trouble = trouble.or(site.node.trouble());
        }
        let surprise = of_sum(&[of_duration, of_outcome]);
        // In an episode those requests are anomalous that show what it is about.
        let part = trouble.is_some_and(|(kind, _)| shows(kind, outcome, of_duration));
        Said {
            surprise: match trouble {
                Some((_, strange)) if part => strange.max(surprise),
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
            fingerprint: said.fingerprint,
            level: None,
            above_limit: limit::farthest(hits),
        };
        let Node {
            episode, labels, pulse, ..
        } = node;
        let step = context.rules.decide(episode, labels, &event, pulse, out, |total| {
            limit::explain(hits, total, true, None)
        });
        context.alarms += u64::from(step.opened && context.rules.scoring);
        Said {
            surprise: said.surprise.max(step.surprise),
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

    /// Judges a site with its upstreams and routes: what is wrong, and who is to be named.
    fn judge(
        &mut self,
        site: usize,
        end: Timestamp,
        minute_ends: bool,
        context: &mut Context<'_>,
        out: &mut Vec<Report>,
    ) {
        let Traffic {
            routes,
            upstreams,
            sites,
            raised,
            ..
        } = self;
        let Some(site) = sites.at_mut(site) else {
            return;
        };
        let site_key = site.node.key;
        let (server, client) = site.node.error_rates(ASSUMED_ERRORS);
        let assumed = (server.mean(), client.mean());
        let site_windows = site.node.ring.windows(&[]);
        // Nominal surprise that is enough for an alarm, more often than not.
        let enough = context.rules.threshold + HYSTERESIS;

        // From the routes up. What the trouble of a member explains is no evidence against its group.
        let of_routes: Vec<usize> = (0..routes.len())
            .filter(|at| {
                routes
                    .at(*at)
                    .is_some_and(|route| route.of.site == site_key && !route.node.ring.is_idle())
            })
            .collect();
        let mut members: Vec<Member> = of_routes
            .iter()
            .filter_map(|at| {
                let route = routes.at(*at)?;
                let looks = route
                    .node
                    .look(&route.node.ring.windows(&[]), Some(&site_windows), assumed, enough);
                Some(Member::new(*at, &route.node, looks))
            })
            .collect();
        let mut groups: Vec<Member> = Vec::new();
        let mut parts: Vec<Vec<usize>> = Vec::new();
        for at in 0..upstreams.len() {
            let Some(upstream) = upstreams.at(at).filter(|upstream| upstream.of.site == site_key) else {
                continue;
            };
            let own: Vec<usize> = (0..members.len())
                .filter(|member| {
                    let place = members.get(*member).map(|member| member.at);
                    place
                        .and_then(|place| routes.at(place))
                        .is_some_and(|route| route.of.upstream == Some(upstream.node.key))
                })
                .collect();
            let troubled = own.iter().filter_map(|member| routes.at(members.get(*member)?.at));
            let troubled = troubled.filter(|route| upstream.node.episode.is_none() && route.node.episode.is_some());
            let explained: Vec<&Ring> = troubled.map(|route| &route.node.ring).collect();
            let windows = upstream.node.ring.windows(&explained);
            // Of a part of the traffic nobody knows how much there should be.
            let looks = upstream.node.look(&windows, Some(&site_windows), assumed, enough);
            let looks = if explained.is_empty() {
                looks
            } else {
                looks.without_traffic()
            };
            groups.push(Member::new(at, &upstream.node, looks));
            parts.push(own);
        }
        for (group, own) in groups.iter_mut().zip(&parts) {
            let Some(upstream) = upstreams.at(group.at) else {
                continue;
            };
            attribute(group, own, &mut members, &upstream.node, |member| {
                routes.at(member.at).map(|route| &route.node)
            });
        }
        let explained: Vec<&Ring> = if site.node.episode.is_some() {
            Vec::new()
        } else {
            let of_routes = members.iter().filter_map(|member| routes.at(member.at));
            let troubled = of_routes.filter(|route| {
                let upstream = route
                    .of
                    .upstream
                    .and_then(|key| upstreams.place(key))
                    .and_then(|at| upstreams.at(at));
                route.node.episode.is_some() || upstream.is_some_and(|upstream| upstream.node.episode.is_some())
            });
            troubled.map(|route| &route.node.ring).collect()
        };
        let looks = site
            .node
            .look(&site.node.ring.windows(&explained), None, ASSUMED_ERRORS, enough);
        let looks = if explained.is_empty() {
            looks
        } else {
            looks.without_traffic()
        };
        let mut whole = Member::new(0, &site.node, looks);
        if groups.is_empty() {
            let all: Vec<usize> = (0..members.len()).collect();
            attribute(&mut whole, &all, &mut members, &site.node, |member| {
                routes.at(member.at).map(|route| &route.node)
            });
        } else {
            let all: Vec<usize> = (0..groups.len()).collect();
            attribute(&mut whole, &all, &mut groups, &site.node, |member| {
                upstreams.at(member.at).map(|upstream| &upstream.node)
            });
            // As long as a group is in trouble, and its windows remember it, its members are not news, unless they are
            // in new trouble that the group is not in.
            for (group, own) in groups.iter().zip(&parts) {
                let trouble = upstreams.at(group.at).and_then(|upstream| upstream.node.trouble());
                let Some((family, _)) = trouble else { continue };
                for member in own {
                    let Some(member) = members.get_mut(*member) else {
                        continue;
                    };
                    let recent = member.looks.plainest(family).is_some_and(Evidence::is_recent);
                    if !recent || !group.excused.has(family) {
                        member.covered.add(family);
                    }
                }
            }
            // What the site has to answer for, neither its upstreams nor their routes have.
            for (group, own) in groups.iter().zip(&parts) {
                for member in own {
                    if let Some(member) = members.get_mut(*member) {
                        member.covered |= group.covered;
                    }
                }
            }
        }

        let mut decide = |node: &mut Node, member: &Member, route: Option<&mut Route>| {
            if let Some(surprise) = decide(node, member, route, end, minute_ends, context, out) {
                *raised = Some(raised.map_or(surprise, |other| other.max(surprise)));
            }
        };
        decide(&mut site.node, &whole, None);
        for member in &groups {
            if let Some(upstream) = upstreams.at_mut(member.at) {
                decide(&mut upstream.node, member, None);
            }
        }
        for member in &members {
            if let Some(route) = routes.at_mut(member.at) {
                let Entry { node, of } = route;
                decide(node, member, Some(of));
            }
        }
        // Trouble of a group is trouble of its members and the other way round, as far as learning goes.
        let site_guarded = site.node.episode.is_some();
        for (group, own) in groups.iter().zip(&parts) {
            let Some(upstream) = upstreams.at_mut(group.at) else {
                continue;
            };
            let strange = site_guarded || upstream.node.episode.is_some();
            for member in own {
                let Some(route) = members.get(*member).and_then(|member| routes.at_mut(member.at)) else {
                    continue;
                };
                if route.node.episode.is_some() {
                    upstream.node.guard();
                }
                if strange {
                    route.node.guard();
                }
            }
            if site_guarded {
                upstream.node.guard();
            }
            if upstream.node.episode.is_some() {
                site.node.guard();
            }
        }
        for member in &members {
            if routes.at(member.at).is_some_and(|route| route.node.episode.is_some()) {
                site.node.guard();
            }
        }
    }

    fn scans(
        &mut self,
        site: usize,
        end: Timestamp,
        minute_ends: bool,
        weight: Option<f64>,
        context: &mut Context<'_>,
        out: &mut Vec<Report>,
    ) {
        let Some(Entry { node, of: site }) = self.sites.at_mut(site) else {
            return;
        };
        let clients = &mut site.clients;
        let seen: Vec<(usize, Option<Scan>)> = clients.look().collect();
        let mut strangest = 0.0_f64;
        for (at, scan) in seen {
            let nominal = scan.map_or(0.0, |scan| scan.surprise);
            let measured = clients.measured(nominal);
            let Some(client) = clients.get_mut(at) else { continue };
            if scan.is_none() && client.episode.is_none() {
                continue;
            }
            let fingerprint = Fingerprint(client.key);
            let surprise = (measured + (context.answers)(fingerprint)).max(0.0);
            let event = Strange {
                time: end,
                surprise: if scan.is_some() { surprise } else { 0.0 },
                fingerprint,
                level: None,
                above_limit: None,
            };
            let mut labels = node.labels.clone();
            labels.push(("client".to_owned(), client.address.clone()));
            client.pulse.event(end);
            let threshold = context.rules.threshold;
            let step = context
                .rules
                .decide(&mut client.episode, &labels, &event, &mut client.pulse, out, |total| {
                    scan.map_or_else(nothing, |scan| scan.explain(total, threshold))
                });
            if step.charged {
                context.budget.alarm();
            }
            if step.opened && context.rules.scoring {
                context.alarms += 1;
                self.raised = Some(self.raised.map_or(surprise, |other| other.max(surprise)));
            }
            if client.episode.is_none() {
                strangest = strangest.max(nominal);
            }
        }
        context.budget.event(end, context.rules.alarms_per_day);
        if minute_ends && weight.is_some() {
            clients.learn_strangeness(strangest, 1.0);
        }
        clients.close_slot(minute_ends, weight);
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

/// An episode that goes on is explained by what it began with.
fn nothing() -> (Kind, Explanation) {
    (Kind::Errors, Explanation::default())
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
            // The client went away (Envoy's DC), or nobody knows.
            _ if request.flags.is_some_and(|flags| flags.contains("DC")) => Outcome::ClientError,
            Some(_) => Outcome::ServerError,
            None => Outcome::Fine,
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
        Family::Traffic | Family::Surge | Family::Size => true,
    }
}

/// A node in a judgement: what speaks against it, and what it is excused from, because somebody else is to be named.
struct Member {
    at: usize,
    looks: Looks,
    surprises: [f64; Family::COUNT],
    /// Its members are to be named.
    excused: Families,
    /// Its group is to be named.
    covered: Families,
}

/// A set of families.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Families(u8);

impl std::ops::BitOrAssign for Families {
    fn bitor_assign(&mut self, other: Families) {
        self.0 |= other.0;
    }
}

impl Families {
    fn add(&mut self, family: Family) {
        self.0 |= 1 << family as u8;
    }

    fn has(self, family: Family) -> bool {
        self.0 & (1 << family as u8) != 0
    }
}

impl Member {
    fn new(at: usize, node: &Node, looks: Looks) -> Self {
        let surprises = Family::ALL.map(|family| looks.of(family).map_or(0.0, |look| node.measured(look.surprise)));
        Member {
            at,
            looks,
            surprises,
            excused: Families::default(),
            covered: Families::default(),
        }
    }

    fn surprise(&self, family: Family) -> f64 {
        self.surprises.get(family as usize).copied().unwrap_or(0.0)
    }

    /// The strongest evidence that somebody else is not to be named for.
    fn strongest(&self) -> Option<(&Evidence, f64)> {
        Family::ALL
            .iter()
            .filter(|family| !self.excused.has(**family) && !self.covered.has(**family))
            .filter_map(|family| Some((self.looks.of(*family)?, self.surprise(*family))))
            .reduce(|best, next| if next.1 > best.1 { next } else { best })
    }
}

/// Who is to be named, a group or one of its members: the group, when what is left of it without the strangest member
/// has changed at least half as much as that one. The other is excused.
fn attribute<'a>(
    group: &mut Member,
    own: &[usize],
    members: &mut [Member],
    node: &'a Node,
    node_of: impl Fn(&Member) -> Option<&'a Node>,
) {
    for family in Family::ALL {
        let of_members = || own.iter().filter_map(|at| members.get(*at));
        let strangest = of_members()
            .filter(|member| member.looks.of(family).is_some())
            .reduce(|best, next| {
                if next.surprise(family) > best.surprise(family) {
                    next
                } else {
                    best
                }
            });
        // Where the group sees it before any member does, the one with the largest part in it is asked.
        let evidence = strangest.and_then(|member| member.looks.plainest(family));
        let evidence = evidence.or(group.looks.plainest(family));
        let Some(evidence) = evidence.copied() else {
            continue;
        };
        let effect = |node: &Node| {
            let sums = node.ring.windows(&[]).get(evidence.window).copied().flatten()?;
            let effect = evidence.effect_in(&sums, node.usual_rate(), Some(0.0))? * evidence.effect.signum();
            Some((effect, sums.requests))
        };
        let strangest = strangest.and_then(&node_of).or_else(|| {
            let part = |node: &Node| effect(node).map_or(0.0, |(effect, requests)| effect * requests);
            of_members()
                .filter_map(&node_of)
                .reduce(|best, next| if part(next) > part(best) { next } else { best })
        });
        let whole = strangest.is_some_and(|member| {
            let rest = node
                .ring
                .windows(&[&member.ring])
                .get(evidence.window)
                .copied()
                .flatten();
            let rest = rest.and_then(|rest| evidence.effect_in(&rest, node.usual_rate(), member.usual_rate()));
            let own = effect(member).map_or(evidence.effect.abs(), |(effect, _)| effect);
            rest.is_some_and(|rest| rest * evidence.effect.signum() >= HALF * own)
        });
        if whole && group.looks.of(family).is_some() {
            for at in own {
                if let Some(member) = members.get_mut(*at) {
                    member.covered.add(family);
                }
            }
        } else {
            group.excused.add(family);
        }
    }
}

/// Decides on a node at the end of a slot. Returns the surprise of the alarm that was raised.
fn decide(
    node: &mut Node,
    member: &Member,
    route: Option<&mut Route>,
    end: Timestamp,
    minute_ends: bool,
    context: &mut Context<'_>,
    out: &mut Vec<Report>,
) -> Option<f64> {
    let strongest = member.strongest().map(|(evidence, surprise)| (*evidence, surprise));
    let fingerprint = Fingerprint(node.key);
    let answers = (context.answers)(fingerprint);
    let surprise = strongest.map_or(0.0, |(_, surprise)| (surprise + answers).max(0.0));
    let event = Strange {
        time: end,
        surprise,
        fingerprint,
        level: None,
        above_limit: None,
    };
    node.surprise = surprise;
    let strange = surprise >= context.rules.threshold - HYSTERESIS;
    if let (Some((evidence, _)), Some(before), true) = (strongest, node.family, strange)
        && evidence.family != before
        && evidence.is_recent()
        && node.measured(member.looks.recent(before)) < context.rules.threshold - HYSTERESIS
        && let Some(over) = node.episode.take()
    {
        // Other trouble than before, which only the long windows remember, is an episode of its own.
        context.rules.report(&over, Phase::End, &node.labels, out);
    }
    if strange {
        node.family = strongest.map(|(evidence, _)| evidence.family);
    }
    node.pulse.event(end);
    let usual = node.usual_rate();
    let step = {
        let Node {
            episode, labels, pulse, ..
        } = &mut *node;
        context.rules.decide(episode, labels, &event, pulse, out, |total| {
            let reference = route.as_deref().map(|route| &route.duration);
            strongest.map_or_else(nothing, |(evidence, _)| evidence.explain(total, reference, usual))
        })
    };
    if surprise >= context.rules.threshold - 2.0 * HYSTERESIS {
        node.guard();
    }
    if step.accepted {
        node.restart();
        if let Some(route) = route {
            route.duration.restart();
            route.size.restart();
        }
    }
    context.budget.event(end, context.rules.alarms_per_day);
    // Windows overlap, and once a minute is enough to learn what they look like.
    if minute_ends && let Some(weight) = step.weight {
        let nominal = member.looks.strongest().map_or(0.0, |evidence| evidence.surprise);
        node.learn_strangeness(nominal, weight);
    }
    if step.charged {
        context.budget.alarm();
    }
    if step.opened && context.rules.scoring {
        context.alarms += 1;
        return Some(surprise);
    }
    None
}
