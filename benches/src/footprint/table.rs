//! The table of docs/FOOTPRINT.md, written and read again.

use std::fmt::Write as _;

const HEADINGS: [&str; 7] = [
    "flash, B",
    "static RAM, B",
    "of it the handshake, B",
    "and the session, B",
    "deepest stack, B",
    "instructions of a handshake",
    "handshake on the wire, B",
];

/// How much a figure may grow before the check fails: compilers differ a little.
const TOLERANCE: f64 = 0.03;

#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) what: String,
    pub(super) figures: [u64; 7],
}

#[derive(Debug, PartialEq)]
pub(super) struct Table(pub(super) Vec<Line>);

impl Table {
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("| client | {} |\n|---|{}\n", HEADINGS.join(" | "), "--:|".repeat(7));
        for line in &self.0 {
            let figures = line.figures.map(|figure| figure.to_string()).join(" | ");
            let _ = writeln!(text, "| {} | {figures} |", line.what);
        }
        text
    }

    /// The whole page.
    pub(super) fn page(&self) -> String {
        format!("{HEAD}{}{TAIL}", self.markdown())
    }

    /// Finds the table in a page.
    pub(super) fn parse(page: &str) -> Result<Self, String> {
        let rows = page.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
        rows.take_while(|line| line.starts_with('|'))
            .map(|row| {
                let mut cells = row.trim_matches('|').split('|').map(str::trim);
                let what = cells.next().unwrap_or_default().to_owned();
                let figures: Vec<u64> = cells.map_while(|cell| cell.parse().ok()).collect();
                let figures = figures.try_into().map_err(|_| format!("not a line of the table: {row}"))?;
                Ok(Line { what, figures })
            })
            .collect::<Result<_, String>>()
            .map(Self)
    }

    /// What has grown beyond the tolerance since `before`, and what is new or gone, in words.
    pub(super) fn growth_since(&self, before: &Self) -> Vec<String> {
        let mut faults = Vec::new();
        for line in &self.0 {
            let Some(old) = before.0.iter().find(|old| old.what == line.what) else {
                faults.push(format!("{}: not in the page yet", line.what));
                continue;
            };
            for ((heading, old), new) in HEADINGS.iter().zip(old.figures).zip(line.figures) {
                if new as f64 > old as f64 * (1.0 + TOLERANCE) {
                    faults.push(format!("{}: {heading} grew from {old} to {new}", line.what));
                }
            }
        }
        let gone = before.0.iter().filter(|old| !self.0.iter().any(|line| line.what == old.what));
        faults.extend(gone.map(|old| format!("{}: no longer measured", old.what)));
        faults
    }
}

const HEAD: &str = "# What a device needs

Written by `cargo run --release -p sedge-bench -- footprint`; not to be edited by hand. `footprint --check` measures again
and fails if a figure has grown by more than 3 %.

Each line is one image for a Cortex-M4 (thumbv7em-none-eabihf, optimised for size, link-time optimisation) with nothing in it
but that client of `sedge-dtls`, a driver for a serial port, and what measures it.

";

const TAIL: &str = "
- **Flash** is code and constants, the core library's included. CoAP, retransmission and the client's API come on top:
  `tests/no_std/build` prints the size of an image with all of that.
- **Static RAM** holds the handshake, which is needed only while one is under way, the session that it leaves behind, and a
  buffer of 1200 bytes for datagrams.
- **Deepest stack** is measured: the image paints its stack, connects, sends a record and gets it back, and looks how far
  the paint is gone. The handshake and the session are not on it, but for the moment in which they are made.
- **Instructions** are those of the handshake's calls, counted by QEMU (mps2-an386, `-icount`), to 40 exactly. At 64 MHz a
  million of them is some 20 ms.
- **On the wire**: UDP payload, cookie included, both ways, with a server that gives a Connection ID of one byte, until the
  server is done. X.509: one certificate of 434 bytes on each side, and no issuers.
- Cryptography is RustCrypto's without GCM and X25519 (`Rfc7925<RustCrypto>`), suites are those with CCM_8. The images are
  built with `--cfg sha2_backend_soft=\"compact\" --cfg aes_backend_soft=\"compact\"`, which saves 7.5 kB of unrolled loops.
- With X.509 the device checks one signature of an issuer that it knows by its key, the name, the usage and the form of the
  certificate. It has no clock, so it does not check dates.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn table(flash: u64) -> Table {
        let line = |what: &str, flash| Line { what: what.into(), figures: [flash, 2, 3, 4, 5, 6, 7] };
        Table(vec![line("one", flash), line("two", 1000)])
    }

    #[test]
    fn a_page_is_read_as_it_was_written() {
        assert_eq!(Table::parse(&table(1000).page()), Ok(table(1000)));
    }

    #[test]
    fn growth_beyond_the_tolerance_is_told() {
        assert_eq!(table(1030).growth_since(&table(1000)), Vec::<String>::new());
        assert_eq!(table(1031).growth_since(&table(1000)), ["one: flash, B grew from 1000 to 1031"]);
        let gone = Table(vec![]).growth_since(&table(1));
        assert_eq!(gone, ["one: no longer measured", "two: no longer measured"]);
    }
}
