//! What is usual on each route beside its latency: statuses that are no
//! failure, the sizes of requests and answers, and paths.

use super::people;
use crate::simulate::noise::Noise;
use crate::simulate::phrases::{PROBES, PRODUCTS};
use crate::simulate::shop::{ROUTES, RouteId};
use crate::simulate::wire;

pub(super) struct Manners {
    /// The status of most answers.
    success: u16,
    /// Others that are no failure: status, share, and what part of the usual
    /// time such an answer takes.
    others: &'static [(u16, f64, f64)],
    /// Bytes of the body of a request and of an answer, in the median.
    received: f64,
    sent: f64,
}

pub(super) fn of(route: RouteId) -> &'static Manners {
    &MANNERS[route]
}

impl Manners {
    /// The status that a number from 0 to 1 stands for, and the part of the
    /// usual time.
    pub(super) fn status(&self, luck: f64) -> (u16, f64) {
        let mut rest = 1.0 - luck;
        for &(status, share, time) in self.others {
            if rest < share {
                return (status, time);
            }
            rest -= share;
        }
        (self.success, 1.0)
    }

    pub(super) fn received(&self, noise: &mut Noise) -> u32 {
        if self.received == 0.0 {
            return 0;
        }
        (self.received * noise.lognormal(0.35)) as u32
    }

    pub(super) fn sent(&self, noise: &mut Noise, status: u16) -> u32 {
        let median = match status {
            0 | 204 | 304 => return 0,
            200..300 => self.sent,
            400..500 => 84.0,
            // As long as what proxies say themselves.
            _ => 91.0,
        };
        (median * noise.lognormal(if status < 300 { 0.55 } else { 0.1 })) as u32
    }
}

/// The path of an exchange, with everything variable taken from `what`.
pub(super) fn path(route: Option<RouteId>, what: u64, out: &mut Vec<u8>) {
    let Some(route) = route else {
        let probe = PROBES[(what % PROBES.len() as u64) as usize];
        out.extend_from_slice(probe.as_bytes());
        return;
    };
    let name = ROUTES[route].name;
    let path = name.split_once(' ').map_or(name, |(_, path)| path);
    let product = || 1_000 + people::rank(what, 24_000);
    match path {
        "/api/products" => {
            out.extend_from_slice(b"/api/products/");
            wire::integer(out, product());
        }
        "/search" => {
            out.extend_from_slice(b"/search?q=");
            word(what, out);
            if what >> 40 & 7 == 0 {
                out.extend_from_slice(b"&page=");
                wire::integer(out, 2 + (what >> 43 & 3));
            }
        }
        "/suggest" => {
            out.extend_from_slice(b"/suggest?prefix=");
            let mut whole = Vec::new();
            word(what, &mut whole);
            let length = 2 + (what >> 50 & 3) as usize;
            out.extend(whole.into_iter().take(length));
        }
        _ => {
            let (before, after) = path.split_once(":id").unwrap_or((path, ""));
            out.extend_from_slice(before.as_bytes());
            if before.len() < path.len() {
                if before.starts_with("/orders") {
                    out.extend_from_slice(b"ORD-2026-");
                    wire::integer(out, 400_000 + what % 90_000);
                } else {
                    wire::integer(out, product());
                }
            }
            out.extend_from_slice(after.as_bytes());
        }
    }
}

fn word(what: u64, out: &mut Vec<u8>) {
    let product = PRODUCTS[(what >> 8) as usize % PRODUCTS.len()];
    out.extend(product.bytes().map(|byte| if byte == b' ' { b'+' } else { byte }));
}

const READ: Manners = Manners {
    success: 200,
    others: &[(304, 0.09, 0.6), (404, 0.012, 0.5)],
    received: 0.0,
    sent: 2_000.0,
};

const WRITTEN: Manners = Manners {
    success: 201,
    others: &[(400, 0.008, 0.15), (409, 0.004, 0.6)],
    received: 480.0,
    sent: 320.0,
};

/// In the order of [`ROUTES`].
const MANNERS: [Manners; ROUTES.len()] = [
    Manners {
        others: &[
            (400, 0.015, 0.1),
            (401, 0.010, 0.05),
            (409, 0.006, 0.7),
            (402, 0.012, 0.9),
        ],
        received: 1_150.0,
        sent: 620.0,
        ..WRITTEN
    },
    Manners { sent: 7_400.0, ..READ },
    Manners {
        others: &[(409, 0.006, 0.7), (402, 0.012, 0.9)],
        received: 940.0,
        sent: 540.0,
        ..WRITTEN
    },
    Manners {
        others: &[(400, 0.01, 0.2), (422, 0.006, 0.4)],
        sent: 380.0,
        ..READ
    },
    Manners {
        others: &[(304, 0.12, 0.7), (401, 0.006, 0.2)],
        sent: 1_900.0,
        ..READ
    },
    Manners { sent: 420.0, ..WRITTEN },
    Manners { sent: 6_200.0, ..READ },
    Manners { sent: 3_100.0, ..READ },
    Manners {
        others: &[(400, 0.005, 0.1)],
        sent: 9_800.0,
        ..READ
    },
    Manners {
        others: &[(204, 0.16, 0.8)],
        sent: 740.0,
        ..READ
    },
    Manners {
        others: &[(401, 0.012, 0.1), (403, 0.003, 0.3), (404, 0.009, 0.5)],
        sent: 2_400.0,
        ..READ
    },
    Manners { sent: 310.0, ..WRITTEN },
    Manners {
        success: 200,
        others: &[(402, 0.03, 1.0)],
        received: 610.0,
        sent: 290.0,
    },
    Manners {
        success: 202,
        others: &[(409, 0.02, 0.5)],
        received: 260.0,
        sent: 240.0,
    },
    Manners {
        others: &[(409, 0.014, 0.8)],
        received: 220.0,
        sent: 180.0,
        ..WRITTEN
    },
];
