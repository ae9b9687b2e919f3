//! What a client costs on a Cortex-M4: flash, static memory, stack and instructions, image by image, as
//! docs/FOOTPRINT.md has it. The images are in `tests/no_std`; QEMU runs them against a server in this process.

mod board;
mod elf;
mod server;
mod table;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use table::{Line, Table};

/// Images and what the table calls them.
const IMAGES: [(&str, &str); 8] = [
    ("psk_1_2", "PSK, DTLS 1.2"),
    ("psk_1_3", "PSK, DTLS 1.3"),
    ("psk_both", "PSK, DTLS 1.2 and 1.3"),
    ("rpk_1_2", "raw public key, DTLS 1.2"),
    ("rpk_1_3", "raw public key, DTLS 1.3"),
    ("x509_1_2", "X.509, pinned issuer, DTLS 1.2"),
    ("x509_1_3", "X.509, pinned issuer, DTLS 1.3"),
    ("x509_both", "X.509, pinned issuer, DTLS 1.2 and 1.3"),
];

const TARGET: &str = "thumbv7em-none-eabihf";

/// Builds and runs every image. Writes the page to `markdown`; with `check`, compares with what that page says
/// instead, and fails if a figure has grown beyond the tolerance.
pub(crate) fn run(markdown: &Path, check: bool) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let built = Command::new(root.join("tests/no_std/build"))
        .arg("--footprint")
        .env("CARGO_TARGET_DIR", target_dir(&root))
        .env_remove("RUSTFLAGS")
        .status()
        .map_err(|error| format!("cannot run tests/no_std/build: {error}"))?;
    if !built.success() {
        return Err("tests/no_std/build failed".into());
    }
    let mut lines = Vec::new();
    for (image, what) in IMAGES {
        let path = target_dir(&root).join("no_std").join(TARGET).join("release").join(image);
        let measured =
            measure(&path, &root.join("tests/no_std/pki")).map_err(|why| format!("{image}: {why}"))?;
        eprintln!("{what}: {measured:?}");
        lines.push(Line { what: what.into(), figures: measured });
    }
    let table = Table(lines);
    print!("{}", table.markdown());
    if check {
        let page = fs::read_to_string(markdown)
            .map_err(|error| format!("cannot read {}: {error}", markdown.display()))?;
        let faults = table.growth_since(&Table::parse(&page)?);
        return if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) };
    }
    fs::write(markdown, table.page()).map_err(|error| format!("cannot write {}: {error}", markdown.display()))
}

fn target_dir(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// The figures of one image, in the table's order.
fn measure(image: &Path, pki: &Path) -> Result<[u64; 7], String> {
    let sections = elf::Sections::read(image)?;
    let report = board::run(image, &mut server::Server::new(pki)?)?;
    Ok([
        sections.flash,
        sections.ram,
        report.handshake,
        report.session,
        report.stack,
        report.instructions,
        report.bytes,
    ])
}
