//! A module for Envoy as an OCI image, laid out in files.
//!
//! The format is the variant "compat" of the Wasm image specification
//! (<https://github.com/solo-io/wasm/blob/master/spec/spec-compat.md>): an ordinary image, whose last layer is a
//! `tar+gzip` with `plugin.wasm`. Istio and Envoy Gateway look for it first, and every registry and every tool for
//! images can store it, which is not so of the variant with media types of its own. The layout is that of the OCI image
//! specification, 1.1; no daemon is needed to write it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;

use super::sha256;
use super::tarball::{self, Tarball};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The name that those who load modules look for.
const MODULE: &str = "plugin.wasm";

/// What an image says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) title: &'a str,
    pub(crate) description: &'a str,
    pub(crate) version: &'a str,
    pub(crate) license: &'a str,
    pub(crate) source: &'a str,
}

/// An image, as the files of its layout.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) files: Tarball,
    /// Of the manifest: what `image@sha256:…` and the `sha256` of a `WasmPlugin` are.
    pub(crate) digest: String,
}

impl Image {
    /// Makes an image of a module. It holds neither times nor anything of the machine that makes it.
    pub(crate) fn new(module: &[u8], about: &About<'_>) -> Result<Image> {
        let mut files = Tarball::default();
        let mut root = Tarball::default();
        root.add(MODULE, module.to_vec());
        let tar = root.tar("")?;
        let layer = blob(&mut files, LAYER, tarball::gzip(&tar)?);
        let config = Config {
            architecture: "wasm",
            os: "wasip1",
            config: Execution {},
            rootfs: RootFs {
                kind: "layers",
                diff_ids: vec![format!("sha256:{}", sha256(&tar))],
            },
        };
        let config = blob(&mut files, CONFIG, json(&config)?);
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST,
            config,
            layers: vec![layer],
            annotations: BTreeMap::from([
                ("module.wasm.image/variant", "compat"),
                ("org.opencontainers.image.description", about.description),
                ("org.opencontainers.image.licenses", about.license),
                ("org.opencontainers.image.source", about.source),
                ("org.opencontainers.image.title", about.title),
                ("org.opencontainers.image.version", about.version),
            ]),
        };
        let mut manifest = blob(&mut files, MANIFEST, json(&manifest)?);
        let digest = manifest.digest.clone();
        manifest.annotations = BTreeMap::from([("org.opencontainers.image.ref.name", about.version)]);
        let index = Index {
            schema_version: 2,
            media_type: INDEX,
            manifests: vec![manifest],
        };
        files.add("index.json", json(&index)?);
        files.add("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
        Ok(Image { files, digest })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u32,
    media_type: &'static str,
    manifests: Vec<Descriptor<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u32,
    media_type: &'static str,
    config: Descriptor<'a>,
    layers: Vec<Descriptor<'a>>,
    annotations: BTreeMap<&'static str, &'a str>,
}

/// What one file of a layout says of another.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    media_type: &'static str,
    digest: String,
    size: usize,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, &'a str>,
}

/// The configuration of an image. A module runs on every machine, so its platform is the one that WebAssembly has in the
/// lists of the specification.
#[derive(Serialize)]
struct Config {
    architecture: &'static str,
    os: &'static str,
    config: Execution,
    rootfs: RootFs,
}

/// How an image is run: nobody runs this one, but tools want the field.
#[derive(Serialize)]
struct Execution {}

#[derive(Serialize)]
struct RootFs {
    #[serde(rename = "type")]
    kind: &'static str,
    diff_ids: Vec<String>,
}

/// Adds a file under the name of its digest.
fn blob<'a>(files: &mut Tarball, media_type: &'static str, bytes: Vec<u8>) -> Descriptor<'a> {
    let digest = sha256(&bytes);
    let size = bytes.len();
    files.add(format!("blobs/sha256/{digest}"), bytes);
    Descriptor {
        media_type,
        digest: format!("sha256:{digest}"),
        size,
        annotations: BTreeMap::new(),
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).context("write a part of an image")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About<'_> = About {
        title: "a module",
        description: "does nothing",
        version: "1.2.3",
        license: "Apache-2.0",
        source: "https://example.com/source",
    };

    #[test]
    fn the_same_module_gives_the_same_image() {
        let [one, again, other] = [&b"\0asm 1"[..], b"\0asm 1", b"\0asm 2"].map(|module| {
            let image = Image::new(module, &ABOUT).unwrap();
            (image.digest, image.files.tar("").unwrap())
        });
        assert_eq!(one, again);
        assert_ne!(one.0, other.0);
    }
}
