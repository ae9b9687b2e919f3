//! What a device computes, in instructions of a Cortex-M4, and what a publication costs its battery: docs/INSTRUCTIONS.md.
//!
//! The images are in `tests/no_std`, built twice: with the compact loops of AES and SHA-256 that docs/FOOTPRINT.md is
//! measured with, and with unrolled ones. QEMU runs them, and counts.

mod count;
mod energy;
mod sessions;
mod table;

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use sedge_sim::energy::Processor;

use table::{Section, Table};

/// How the loops of AES and SHA-256 are built: as for docs/FOOTPRINT.md, and for speed.
const LOOPS: [&str; 2] = ["compact", "unrolled"];

/// Builds and runs the images, and writes the page; with `check`, compares with it instead, and fails if something takes
/// more than its limit, has grown beyond the tolerance, or is not what the simulator charges for it.
pub(crate) fn run(page: &Path, check: bool) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = root.join("tests/no_std");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let built = Command::new(folder.join("build"))
        .arg("--instructions")
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .status()
        .map_err(|error| format!("cannot run tests/no_std/build: {error}"))?;
    if !built.success() {
        return Err("tests/no_std/build failed".into());
    }
    let mut table = Table::default();
    let mut publications = Vec::new();
    for (column, loops) in LOOPS.into_iter().enumerate() {
        let images = target.join("no_std").join(loops).join("thumbv7em-none-eabihf/release");
        let in_images = |why| format!("{loops} loops: {why}");
        eprintln!("counting, with {loops} loops ...");
        let [records, operations] = count::operations(&images, &folder.join("pki")).map_err(in_images)?;
        table.put(Section::Records, column, records);
        table.put(Section::Operations, column, operations);
        let (clients, published) = count::clients(&images, &folder.join("pki")).map_err(in_images)?;
        table.put(Section::Clients, column, clients);
        if column == 0 {
            publications = published;
        }
    }
    // What a session costs does not depend on how it began.
    let with_psk = publications.iter().filter(|publication| publication.what.starts_with("PSK"));
    let text = table.page(&with_psk.map(energy::Line::of).collect::<Vec<_>>());
    print!("{text}");
    if !check {
        return fs::write(page, text).map_err(|error| format!("cannot write {}: {error}", page.display()));
    }
    let before =
        fs::read_to_string(page).map_err(|error| format!("cannot read {}: {error}", page.display()))?;
    let mut faults = table.beyond();
    faults.extend(table.growth_since(&before));
    faults.extend(table.strange_to(&Processor::cortex_m4()));
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}
