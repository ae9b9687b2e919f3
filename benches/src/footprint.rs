//! What a client costs on a Cortex-M4: flash, static memory, stack and instructions, image by image, as
//! docs/FOOTPRINT.md has it. The images are in `tests/no_std`; QEMU runs them against a server in this process.

pub(crate) mod board;
mod coap;
mod elf;
mod images;
pub(crate) mod server;
mod symbols;
mod table;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use images::Image;
use symbols::{Book, Symbols};
use table::{Line, Shares, Table};

const TARGET: &str = "thumbv7em-none-eabihf";

/// Builds and runs every image. Writes the page to `markdown` and the symbols beside the images; with `check`, compares with
/// what these say instead, and fails if an image is beyond its line, or a figure has grown beyond the tolerance, naming the
/// symbols that grew.
pub(crate) fn run(markdown: &Path, check: bool) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = root.join("tests/no_std");
    let images = images::read(&folder.join("images.txt"))?;
    let built = Command::new(folder.join("build"))
        .arg("--footprint")
        .env("CARGO_TARGET_DIR", target_dir(&root))
        .env_remove("RUSTFLAGS")
        .status()
        .map_err(|error| format!("cannot run tests/no_std/build: {error}"))?;
    if !built.success() {
        return Err("tests/no_std/build failed".into());
    }
    let (mut table, mut book) = (Table::default(), Book::default());
    for image in &images {
        let path = target_dir(&root).join("no_std").join(TARGET).join("release").join(&image.name);
        let of_image = |why| format!("{}: {why}", image.name);
        let figures = measure(image, &path, &folder.join("pki")).map_err(of_image)?;
        let symbols = Symbols::of(&path).map_err(of_image)?;
        eprintln!("{}: {figures:?}", image.what);
        let shares = Shares::of(&symbols);
        table.0.push(Line { what: image.what.clone(), figures, shares });
        let _ = book.0.insert(image.name.clone(), symbols);
    }
    print!("{}", table.markdown());
    let symbols = folder.join("symbols.txt");
    let read = |path: &Path| {
        fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let write = |path: &Path, text: String| {
        fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
    };
    let guide = root.join("docs/PORTING.md");
    if !check {
        write(markdown, table.page())?;
        write(&guide, table.put_into(&read(&guide)?)?)?;
        return write(&symbols, book.text());
    }
    let (before, known) = (Table::parse(&read(markdown)?)?, Book::parse(&read(&symbols)?)?);
    let mut faults = table.gone_since(&before);
    let text = read(&guide)?;
    if before.put_into(&text)? != text {
        faults.push("the table of docs/PORTING.md is not that of docs/FOOTPRINT.md".into());
    }
    for (image, line) in images.iter().zip(&table.0) {
        let mut grown = line.beyond(image);
        grown.extend(line.growth_since(&before));
        if let (false, Some(now)) = (grown.is_empty(), book.0.get(&image.name)) {
            grown.extend(now.growth_since(known.0.get(&image.name).unwrap_or(&Symbols::default())));
        }
        faults.append(&mut grown);
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

fn target_dir(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// The figures of one image, in the table's order.
fn measure(image: &Image, path: &Path, pki: &Path) -> Result<[Option<u64>; 7], String> {
    let sections = elf::Sections::read(path)?;
    let mut figures = [Some(sections.flash), Some(sections.ram), None, None, None, None, None];
    if image.stack.is_some() {
        let report = board::run(path, &mut server::Server::new(pki)?)?;
        let run = [report.handshake, report.session, report.stack, report.instructions, report.bytes];
        figures.iter_mut().skip(2).zip(run).for_each(|(place, figure)| *place = Some(figure));
    }
    Ok(figures)
}
