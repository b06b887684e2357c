//! Who makes requests: visitors of whom few come often and many seldom, the
//! services among themselves, and one who means no good.

use std::net::Ipv4Addr;

use super::caller;
use crate::simulate::noise::Noise;
use crate::simulate::shop::{Route, Service};

/// Whoever makes a request.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Client {
    /// One of many, by popularity.
    Visitor(u32),
    /// A process of the shop.
    Pod(Service, u8),
    /// Somebody who looks for what was forgotten to be locked.
    Scanner(Ipv4Addr),
}

const VISITORS: u64 = 12_000;

impl Client {
    pub(super) fn draw(noise: &mut Noise, route: &Route) -> Self {
        match caller(route) {
            Some(service) => Client::Pod(service, noise.below(PODS) as u8),
            None => Client::visitor(noise),
        }
    }

    pub(super) fn visitor(noise: &mut Noise) -> Self {
        Client::Visitor(rank(noise.bits(), VISITORS) as u32)
    }

    pub(super) fn address(self, seed: u64) -> Ipv4Addr {
        match self {
            // 198.18.0.0/15 is for benchmarks and belongs to nobody.
            Client::Visitor(rank) => {
                Ipv4Addr::from_bits(0xc612_0000 | (mixed(seed, u64::from(rank)) as u32 & 0x1_ffff))
            }
            Client::Pod(service, pod) => pod_address(service, pod),
            Client::Scanner(address) => address,
        }
    }

    pub(super) fn agent(self, seed: u64) -> &'static str {
        match self {
            Client::Visitor(rank) => {
                let luck = mixed(seed, u64::from(rank)) >> 32;
                AGENTS[(luck % AGENTS.len() as u64) as usize]
            }
            Client::Pod(..) => "Go-http-client/2.0",
            Client::Scanner(_) => "Mozilla/5.0 zgrab/0.x",
        }
    }
}

pub(super) const PODS: u32 = 3;

pub(super) fn pod_address(service: Service, pod: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 42, 10 + service as u8, 20 + 7 * pod)
}

/// Where something stands among `count` by popularity, from 0: the first tenth
/// of one per cent make some six per cent of all, and nobody makes one.
pub(super) fn rank(bits: u64, count: u64) -> u64 {
    let unit = (bits >> 11) as f64 / (1u64 << 53) as f64;
    let place = libm::exp(unit.sqrt() * libm::log(count as f64));
    (place as u64 - 1).min(count - 1)
}

/// Two numbers made one that looks random, after Sebastiano Vigna's
/// splitmix64.
pub(super) fn mixed(seed: u64, value: u64) -> u64 {
    let mut z = seed ^ value.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const AGENTS: [&str; 9] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "ShopApp/7.4.1 (iOS 18.6)",
    "ShopApp/7.4.0 (Android 15)",
    "PriceBot/2.1 (+https://prices.example/bot)",
];
