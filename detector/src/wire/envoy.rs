//! Envoy's text access logs: its default format, and Istio's, which says more.
//!
//! ```text
//! [2026-11-20T09:00:00.123Z] "GET /pay HTTP/1.1" 200 - 0 512 37 36 "10.0.0.9" "curl/8" "5bd0…" "shop" "10.0.0.7:8080"
//! ```
//!
//! | part | how it is written |
//! |---|---|
//! | time | when the request began, in brackets: the duration is added |
//! | request, status | as in other access logs; status 0 is no response |
//! | flags | `UF,URX`; `-` for none |
//! | bytes, duration | the second and the third of four numbers: received, sent, milliseconds, milliseconds of the upstream |
//! | client | Istio's downstream address, or the first address of `X-Forwarded-For` |
//! | upstream | Istio's cluster, `outbound\|8080\|\|cart.shop.svc.cluster.local`, or the upstream host |
//! | route | the last word of Istio's format |
//!
//! Between flags and numbers Istio writes why a connection ended; older versions wrote fewer words, so what
//! counts is where the four numbers are. A TCP connection has no method, no path and no status.

#[cfg(test)]
mod tests;

use super::access::{Exchange, Token, Tokens, count, first_address, method_and_path, quoted_request, status};
use super::time::Cursor;

/// The exchange of a line, when the line is one of Envoy's.
pub(super) fn read(line: &str) -> Option<Exchange<'_>> {
    let mut cursor = Cursor(line.as_bytes());
    cursor.byte(b'[')?;
    let start = cursor.date_time()?;
    cursor.literal(b"] ")?;
    let rest = line.get(line.len().checked_sub(cursor.0.len())?..)?;
    let (request, rest) = quoted_request(rest)?;
    let mut tokens = Tokens(rest);
    let code = bare(tokens.next())?;
    let flags = bare(tokens.next())?;
    let mut exchange = Exchange {
        status: status(code)?,
        flags: said(flags).filter(|flags| are_flags(flags)),
        ..Exchange::default()
    };
    if said(flags).is_some() && exchange.flags.is_none() {
        return None;
    }
    (exchange.method, exchange.path) = method_and_path(request);
    let [_received, sent, duration, _upstream] = four_numbers(&mut tokens)?;
    exchange.bytes = count(sent);
    exchange.duration = count(duration);
    let (forwarded, host) = forwarded_and_host(&mut tokens)?;
    let cluster = bare(tokens.next()).unwrap_or("-");
    let _local = tokens.next();
    let _downstream_local = tokens.next();
    let downstream = bare(tokens.next()).unwrap_or("-");
    let _server_name = tokens.next();
    exchange.route = bare(tokens.next()).and_then(said);
    exchange.upstream = said(cluster).or(said(host));
    let seconds = exchange.duration.map_or(0.0, |duration| duration.value() / 1e3);
    exchange.time = Some(start.plus_seconds(seconds));
    exchange.client = first_address(downstream).or(first_address(forwarded));
    Some(exchange)
}

/// The first and the last of the five quoted parts; those in between are the agent, the request's id and the authority.
/// Envoy escapes no quotes, of which an agent may have some: then the fifth part is the one before the last quote.
fn forwarded_and_host<'a>(tokens: &mut Tokens<'a>) -> Option<(&'a str, &'a str)> {
    let text = tokens.0;
    let mut parts = [""; 5];
    let as_written = parts.iter_mut().all(|part| {
        quoted(tokens.next()).is_some_and(|quoted| {
            *part = quoted;
            true
        })
    });
    if as_written {
        return Some((parts[0], parts[4]));
    }
    let (inside, rest) = text.trim_start().strip_prefix('"')?.rsplit_once('"')?;
    tokens.0 = rest;
    let (forwarded, _) = inside.split_once("\" \"")?;
    let mut from_end = inside.rsplit("\" \"");
    let host = from_end.next()?;
    // Authority, id, agent, and what was forwarded are before it.
    from_end.nth(3)?;
    Some((forwarded, host))
}

/// The first three or four numbers in a row, which stand before the quoted parts; `-` for the last where there
/// was no upstream.
fn four_numbers<'a>(tokens: &mut Tokens<'a>) -> Option<[&'a str; 4]> {
    const FAR: usize = 16;
    let mut last = ["-"; 4];
    for _ in 0..FAR {
        let token = tokens.next()?;
        let Token::Bare(word) = token else {
            last = ["-"; 4];
            continue;
        };
        last.rotate_left(1);
        last[3] = word;
        if last[..3].iter().all(|word| count(word).is_some()) && (word == "-" || count(word).is_some()) {
            return Some(last);
        }
    }
    None
}

/// `UF,URX`: letters, and digits in a few.
fn are_flags(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b',')
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase())
}

fn quoted(token: Option<Token<'_>>) -> Option<&str> {
    match token? {
        Token::Quoted(text) => Some(text),
        _ => None,
    }
}

fn bare(token: Option<Token<'_>>) -> Option<&str> {
    match token? {
        Token::Bare(text) => Some(text),
        _ => None,
    }
}

fn said(text: &str) -> Option<&str> {
    (!matches!(text, "-" | "")).then_some(text)
}
