//! Serves a folder on this machine and nowhere else.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, anyhow};
use tiny_http::{Header, Method, Request, Response, Server, StatusCode};

/// Types by the endings of names. Browsers take a module or a wasm file of another type for neither.
const TYPES: [(&str, &str); 13] = [
    ("css", "text/css; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("gz", "application/gzip"),
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("log", "text/plain; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("ndjson", "application/x-ndjson"),
    ("prom", "text/plain; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("wasm", "application/wasm"),
    ("webmanifest", "application/manifest+json"),
];

/// Serves until it is ended.
pub(crate) fn serve(folder: &Path, port: u16) -> Result<()> {
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let server = Server::http(address).map_err(|error| anyhow!("listen on {address}: {error}"))?;
    println!("http://{}/", server.server_addr());
    for request in server.incoming_requests() {
        // Who has gone away misses nothing.
        drop(answer(request, folder));
    }
    Ok(())
}

fn answer(request: Request, folder: &Path) -> std::io::Result<()> {
    let status = |code: u16| Response::empty(StatusCode(code));
    if !matches!(request.method(), Method::Get | Method::Head) {
        return request.respond(status(405));
    }
    let Some(path) = path(request.url()) else {
        return request.respond(status(404));
    };
    let Ok(file) = File::open(folder.join(&path)) else {
        return request.respond(status(404));
    };
    let mut response = Response::from_file(file);
    let headers = [("Content-Type", kind(&path)), ("Cache-Control", "no-cache")];
    for header in headers
        .into_iter()
        .flat_map(|(name, value)| Header::from_bytes(name, value))
    {
        response.add_header(header);
    }
    request.respond(response)
}

/// The path of what was asked for, below the folder; of a folder its page.
fn path(url: &str) -> Option<PathBuf> {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let asked = url.get(..end)?.strip_prefix('/')?;
    let path = if asked.is_empty() || asked.ends_with('/') {
        format!("{asked}index.html")
    } else {
        asked.to_owned()
    };
    let path = PathBuf::from(path);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    is_plain.then_some(path)
}

fn kind(path: &Path) -> &'static str {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    TYPES
        .iter()
        .find(|(known, _)| *known == ending)
        .map_or("application/octet-stream", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_the_folder_is_served() {
        for (url, expected) in [
            ("/", Some("index.html")),
            ("/?emit=all", Some("index.html")),
            ("/js/worker.js", Some("js/worker.js")),
            ("/../Cargo.toml", None),
            ("/js/../../Cargo.toml", None),
            ("//etc/passwd", None),
            ("*", None),
        ] {
            assert_eq!(path(url), expected.map(PathBuf::from), "{url}");
        }
    }

    #[test]
    fn modules_have_the_type_that_browsers_ask_for() {
        assert_eq!(kind(Path::new("pkg/watchpost_bg.wasm")), "application/wasm");
        assert!(kind(Path::new("js/worker.js")).starts_with("text/javascript"));
    }
}
