//! Routes from raw paths: what identifies a thing becomes `{id}`, and a place in the path that takes too many values
//! to be part of a route becomes `*`.

use std::fmt::Write;
use std::hash::BuildHasherDefault;

use hashbrown::HashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::keys::KeyHasher;
use crate::order;

/// Different values of one place in a path that are still names: after the site's root, and deeper.
const MOST_AT_ROOT: u16 = 200;
const MOST_CHILDREN: u16 = 40;

/// Places that are remembered over all paths.
const MOST_PLACES: usize = 2048;

/// Deeper segments are not told apart.
const MOST_SEGMENTS: usize = 8;

/// A route's name is not longer than this, in bytes.
const MOST_BYTES: usize = 160;

/// Which places of paths take few values, and so are part of a route.
#[derive(Debug, Clone, Default)]
pub(super) struct Paths {
    /// By a hash of the path up to a segment: how many values the segment after it has had.
    places: HashMap<u64, u16, BuildHasherDefault<KeyHasher>>,
}

/// A path as a route, and whether all of its places are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known(pub(super) bool);

impl Paths {
    /// Writes the route of a path to `route`.
    pub(super) fn route(&self, path: &str, route: &mut String) -> Known {
        route.clear();
        let mut known = true;
        let mut place = ROOT;
        for segment in segments(path) {
            if route.len() + segment.len() > MOST_BYTES {
                route.push_str("/*");
                break;
            }
            let start = route.len();
            route.push('/');
            masked(segment, route);
            let masked = route.get(start..).unwrap_or_default();
            let next = after(place, masked);
            if self.places.contains_key(&next) {
                place = next;
            } else if self.is_open(place) || self.places.len() >= MOST_PLACES {
                route.truncate(start);
                route.push_str("/*");
                place = after(place, "/*");
                known &= self.places.contains_key(&place);
            } else {
                place = next;
                known = false;
            }
        }
        if route.is_empty() {
            route.push('/');
        }
        Known(known)
    }

    /// The server knows this path: its places become known as well.
    pub(super) fn learn(&mut self, path: &str) {
        let mut place = ROOT;
        let mut masked_segment = String::new();
        for segment in segments(path) {
            masked_segment.clear();
            masked_segment.push('/');
            masked(segment, &mut masked_segment);
            let mut next = after(place, &masked_segment);
            if !self.places.contains_key(&next) {
                if self.is_open(place) || self.places.len() >= MOST_PLACES {
                    next = after(place, "/*");
                } else {
                    let children = self.places.entry(place).or_insert(0);
                    *children = children.saturating_add(1);
                }
                if self.places.len() < 2 * MOST_PLACES {
                    self.places.entry(next).or_insert(0);
                }
            }
            place = next;
        }
    }

    /// Whether a place has taken so many values that they are no names.
    fn is_open(&self, place: u64) -> bool {
        let most = if place == ROOT { MOST_AT_ROOT } else { MOST_CHILDREN };
        self.places.get(&place).is_some_and(|children| *children >= most)
    }
}

const ROOT: u64 = 0x726f_6f74_7061_7468;

fn after(place: u64, segment: &str) -> u64 {
    xxh3_64_with_seed(segment.as_bytes(), place)
}

/// The segments of a path without its host and its query.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    let path = match path.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|start| rest.get(start..)).unwrap_or("/"),
        None => path,
    };
    let end = path.find(['?', '#', ';']).unwrap_or(path.len());
    let path = path.get(..end).unwrap_or(path);
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .take(MOST_SEGMENTS)
}

/// A segment with `{id}` for what identifies a thing; a file keeps its extension.
fn masked(segment: &str, out: &mut String) {
    let (stem, extension) = match segment.rsplit_once('.') {
        Some((stem, extension))
            if !stem.is_empty()
                && (1..=5).contains(&extension.len())
                && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && extension.bytes().any(|byte| byte.is_ascii_alphabetic()) =>
        {
            (stem, Some(extension))
        }
        _ => (segment, None),
    };
    if segment.contains(['@', '%']) {
        out.push_str("{id}");
        return;
    }
    if is_identifier(stem) {
        out.push_str("{id}");
    } else {
        without_numbers(stem, out);
    }
    if let Some(extension) = extension {
        // Writing to a string cannot fail.
        let _ = write!(out, ".{extension}");
    }
}

/// A number, a UUID, a hash, an address, or a long word with digits in it.
fn is_identifier(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let hex = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let all_digits = digits > 0
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.' | b','));
    all_digits
        || (hex && digits > 0 && text.len() >= 8)
        || (digits >= 3 && text.len() >= 16 && !text.contains(['-', '_', '.']))
        || text.len() > 64
}

/// Long numbers inside of a word: `order-12345` is `order-{id}`, and `v2` is `v2`.
fn without_numbers(text: &str, out: &mut String) {
    const LONG: usize = 4;
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let length = from.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = from.split_at(length);
        out.push_str(before);
        out.push_str(if length >= LONG { "{id}" } else { number });
        rest = after;
    }
    out.push_str(rest);
}

/// The method, if it is one that servers know: a client can send anything.
pub(crate) fn method(method: Option<&str>) -> Option<&'static str> {
    const KNOWN: [&str; 9] = [
        "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE",
    ];
    let method = method.filter(|method| !method.is_empty() && *method != "-")?;
    Some(
        KNOWN
            .iter()
            .find(|known| known.eq_ignore_ascii_case(method))
            .copied()
            .unwrap_or("OTHER"),
    )
}

impl Serialize for Paths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // In order of the keys: the order in a hash table is nobody's business.
        let mut places: Vec<(u64, u16)> = self.places.iter().map(|(place, count)| (*place, *count)).collect();
        order::sort_by_key(&mut places, |place| place.0);
        places.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let places = Vec::<(u64, u16)>::deserialize(deserializer)?;
        Ok(Paths {
            places: places.into_iter().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(paths: &Paths, path: &str) -> String {
        let mut route = String::new();
        paths.route(path, &mut route);
        route
    }

    #[test]
    fn what_identifies_a_thing_is_no_part_of_a_route() {
        let paths = Paths::default();
        for (path, expected) in [
            ("/", "/"),
            ("", "/"),
            ("/orders/17", "/orders/{id}"),
            ("/orders/17/items?page=2", "/orders/{id}/items"),
            ("/orders/550e8400-e29b-41d4-a716-446655440000", "/orders/{id}"),
            ("/static/4711.js", "/static/{id}.js"),
            ("/static/app.3f9c2b1d.js", "/static/app.3f9c2b1d.js"),
            ("/api/v2/users/ann@example.org", "/api/v2/users/{id}"),
            ("/files/deadbeef0123", "/files/{id}"),
            ("/blog/2026/11/20/hello-world", "/blog/{id}/{id}/{id}/hello-world"),
            ("/order-12345/s3", "/order-{id}/s3"),
            ("https://shop.example/cart?x=1", "/cart"),
            ("//a//b/", "/a/b"),
        ] {
            assert_eq!(route(&paths, path), expected, "{path}");
        }
    }

    #[test]
    fn a_place_with_too_many_values_is_no_name() {
        let mut paths = Paths::default();
        for n in 0..300u32 {
            // Names without digits, as of articles.
            let name: String = (0..4)
                .map(|k| char::from(b'a' + ((n >> (2 * k)) % 4 + k * 5) as u8))
                .collect();
            paths.learn(&format!("/articles/{name}"));
        }
        assert_eq!(route(&paths, "/articles/anything"), "/articles/*");
        assert_eq!(route(&paths, "/cart/anything"), "/cart/anything");
    }

    #[test]
    fn places_are_bounded() {
        let mut paths = Paths::default();
        for a in 0..199u32 {
            for b in 0..60u32 {
                let name =
                    |n: u32| -> String { (0..3).map(|k| char::from(b'a' + ((n >> (3 * k)) % 8) as u8)).collect() };
                paths.learn(&format!("/{}/{}", name(a), name(b)));
            }
        }
        assert!(paths.places.len() <= 2 * MOST_PLACES);
    }

    #[test]
    fn nothing_panics() {
        let paths = Paths::default();
        for path in ["/%%%", "/é/ü?ö", "/a.b.c.", "/.", "/..", "://", "?", "/\u{0}", "/1.é"] {
            route(&paths, path);
        }
    }
}
