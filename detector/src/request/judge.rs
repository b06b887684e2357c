//! When a slot closes: what is wrong with a site, and who is to be named for it.

use super::client::Scan;
use super::evidence::{Evidence, Family};
use super::node::{Looks, Node};
use super::table::Entry;
use super::traffic::{ASSUMED_ERRORS, Context, Route, Traffic};
use super::window::Ring;
use crate::config::Learning;
use crate::decide::Course;
use crate::detector::Report;
use crate::episode::{HYSTERESIS, Strange};
use crate::event::Timestamp;
use crate::verdict::{Explanation, Fingerprint, Kind, Phase};

/// A group is named instead of its strangest member when the rest of it has changed at least half as much.
const HALF: f64 = 0.5;

impl Traffic {
    /// Judges a site with its upstreams and routes: what is wrong, and who is to be named.
    pub(super) fn judge(
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
        let load = site.node.load(&site_windows);
        // Nominal surprise that is enough for an alarm, more often than not.
        let enough = context.rules.threshold + HYSTERESIS;

        // From the routes up. What the trouble of a member explains is no evidence against its group.
        // One that has fallen silent is looked at for as long as that is an episode.
        let of_routes: Vec<usize> = (0..routes.len())
            .filter(|at| {
                routes.at(*at).is_some_and(|route| {
                    let Entry { node, of } = route;
                    of.site == site_key && (node.episode.is_some() || !node.ring.is_idle())
                })
            })
            .collect();
        let mut members: Vec<Member> = of_routes
            .iter()
            .filter_map(|at| {
                let route = routes.at(*at)?;
                let looks = route.node.look(
                    &route.node.ring.windows(&[]),
                    Some(&site_windows),
                    assumed,
                    &load,
                    enough,
                );
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
            let looks = upstream
                .node
                .look(&windows, Some(&site_windows), assumed, &load, enough);
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
            .look(&site.node.ring.windows(&explained), None, ASSUMED_ERRORS, &load, enough);
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
        if context.rules.learning == Learning::Open {
            return;
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

    pub(super) fn scans(
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
                state: if scan.is_some() { surprise } else { 0.0 },
                fingerprint,
                level: None,
                above_limit: None,
                pattern: None,
                named: &Vec::new,
            };
            let mut labels = node.labels.clone();
            labels.push(("client".to_owned(), client.address.clone()));
            client.pulse.event(end);
            let threshold = context.rules.threshold;
            let course = Course {
                key: client.key,
                labels: &labels,
                episode: &mut client.episode,
                pulse: &mut client.pulse,
            };
            let near = &mut *context.near;
            let step = context.rules.decide(course, &event, near, out, |total| {
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
}

/// An episode that goes on is explained by what it began with.
fn nothing() -> (Kind, Explanation) {
    (Kind::Errors, Explanation::default())
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
    let least = context.rules.threshold - HYSTERESIS;
    let strange = surprise >= least;
    // What the short windows have seen once is over when they see it no longer: the long ones remember it for minutes.
    let soon = strongest.is_some_and(|(evidence, _)| node.measured(member.looks.recent(evidence.family)) >= least);
    node.seen_soon = soon || (node.seen_soon && node.episode.is_some());
    let lasts = soon || !node.seen_soon;
    let event = Strange {
        time: end,
        surprise: if lasts { surprise } else { 0.0 },
        state: if lasts { surprise } else { 0.0 },
        fingerprint,
        level: None,
        above_limit: None,
        pattern: None,
        named: &Vec::new,
    };
    node.surprise = surprise;
    node.strange = strange && lasts;
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
    let near = &mut *context.near;
    let step = context.rules.decide(node.course(), &event, near, out, |total| {
        let reference = route.as_deref().map(|route| &route.duration);
        strongest.map_or_else(nothing, |(evidence, _)| evidence.explain(total, reference, usual))
    });
    if surprise >= context.rules.threshold - 2.0 * HYSTERESIS && context.rules.learning != Learning::Open {
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
