//! The table of docs/FOOTPRINT.md, written and read again.

use std::fmt::Write as _;

use super::images::Image;
use super::symbols::Symbols;

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

/// One image.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) what: String,
    /// What was not measured is `None`.
    pub(super) figures: [Option<u64>; 7],
    pub(super) shares: Shares,
}

/// Whose the bytes of flash are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Shares {
    ours: u64,
    cryptography: u64,
    core: u64,
    harness: u64,
}

impl Shares {
    /// What the harness calls once is inlined there, and counts as ours.
    pub(super) fn of(symbols: &Symbols) -> Self {
        let is_harness = |name: &str| {
            ["::serial::", "::stack::", "::footprint::run", "::footprint::transmit", "Board"]
                .iter()
                .any(|part| name.contains(part))
        };
        let is_core = |name: &str| {
            let name = name.trim_start_matches('<');
            ["core::", "compiler_builtins", "__", "mem"].iter().any(|start| name.starts_with(start))
        };
        let is_cryptography = |name: &str| {
            [
                "sedge_crypto",
                "aes::",
                "sha2",
                "p256",
                "primeorder",
                "elliptic_curve",
                "ecdsa",
                "crypto_bigint",
            ]
            .iter()
            .any(|part| name.contains(part))
                && !name.contains("sedge_dtls")
        };
        let kinds = |name: &str| match name {
            _ if is_harness(name) => 3,
            _ if is_cryptography(name) => 1,
            _ if is_core(name) => 2,
            _ => 0,
        };
        let [ours, cryptography, core, harness] =
            [0, 1, 2, 3].map(|kind| symbols.sum(|name| kinds(name) == kind));
        Self { ours, cryptography, core, harness }
    }
}

impl Line {
    /// What is beyond the image's line, in words.
    pub(super) fn beyond(&self, image: &Image) -> Vec<String> {
        let lines = [(0, Some(image.flash)), (1, Some(image.ram)), (4, image.stack)];
        let mut faults = Vec::new();
        for (at, line) in lines {
            if let (Some(figure), Some(line)) = (self.figures[at], line)
                && figure > line
            {
                faults
                    .push(format!("{}: {} is {figure}, beyond its line of {line}", self.what, HEADINGS[at]));
            }
        }
        faults
    }

    /// What has grown beyond the tolerance since `before`, in words.
    pub(super) fn growth_since(&self, before: &Table) -> Vec<String> {
        let Some(old) = before.0.iter().find(|old| old.what == self.what) else {
            return vec![format!("{}: not in the page yet", self.what)];
        };
        let mut faults = Vec::new();
        for ((heading, old), new) in HEADINGS.iter().zip(old.figures).zip(self.figures) {
            if let (Some(old), Some(new)) = (old, new)
                && new as f64 > old as f64 * (1.0 + TOLERANCE)
            {
                faults.push(format!("{}: {heading} grew from {old} to {new}", self.what));
            }
        }
        faults
    }
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Table(pub(super) Vec<Line>);

impl Table {
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("| client | {} |\n|---|{}\n", HEADINGS.join(" | "), "--:|".repeat(7));
        for line in &self.0 {
            let figures = line.figures.map(|figure| figure.map_or("-".into(), |figure| figure.to_string()));
            let _ = writeln!(text, "| {} | {} |", line.what, figures.join(" | "));
        }
        text
    }

    fn shares(&self) -> String {
        let mut text = String::from(
            "| client | Sedge, B | cryptography, B | core and the compiler's own, B | what measures, B |\n\
             |---|--:|--:|--:|--:|\n",
        );
        for Line { what, shares: Shares { ours, cryptography, core, harness }, .. } in &self.0 {
            let _ = writeln!(text, "| {what} | {ours} | {cryptography} | {core} | {harness} |");
        }
        text
    }

    /// The whole page.
    pub(super) fn page(&self) -> String {
        format!("{HEAD}{}{TAIL}{SHARES}{}", self.markdown(), self.shares())
    }

    /// Finds the first table in a page.
    pub(super) fn parse(page: &str) -> Result<Self, String> {
        let rows = page.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
        rows.take_while(|line| line.starts_with('|'))
            .map(|row| {
                let mut cells = row.trim_matches('|').split('|').map(str::trim);
                let what = cells.next().unwrap_or_default().to_owned();
                let fault = || format!("not a line of the table: {row}");
                let figures: Vec<Option<u64>> = cells
                    .map(|cell| if cell == "-" { Ok(None) } else { cell.parse().map(Some) })
                    .collect::<Result<_, _>>()
                    .map_err(|_| fault())?;
                let figures = figures.try_into().map_err(|_| fault())?;
                Ok(Line { what, figures, shares: Shares::default() })
            })
            .collect::<Result<_, String>>()
            .map(Self)
    }

    /// Puts the whole clients, and what they take of a board, between the marks in a guide.
    pub(super) fn put_into(&self, guide: &str) -> Result<String, String> {
        const MARKS: [&str; 2] = ["<!-- from FOOTPRINT.md -->\n", "<!-- until here -->"];
        let missing = || format!("the guide has no {MARKS:?}");
        let (before, rest) = guide.split_once(MARKS[0]).ok_or_else(missing)?;
        let (_, after) = rest.split_once(MARKS[1]).ok_or_else(missing)?;
        let mut text = String::from(
            "| the client does | flash, B | static RAM, B | deepest stack, B |\n|---|--:|--:|--:|\n",
        );
        for line in &self.0 {
            let Some(what) = line.what.strip_prefix("client: ") else { continue };
            let [flash, ram, stack] =
                [0, 1, 4].map(|at| line.figures[at].map_or("-".into(), |figure: u64| figure.to_string()));
            let _ = writeln!(text, "| {what} | {flash} | {ram} | {stack} |");
        }
        Ok(format!("{before}{}{text}{}{after}", MARKS[0], MARKS[1]))
    }

    /// What is no longer measured, in words.
    pub(super) fn gone_since(&self, before: &Self) -> Vec<String> {
        let gone = before.0.iter().filter(|old| !self.0.iter().any(|line| line.what == old.what));
        gone.map(|old| format!("{}: no longer measured", old.what)).collect()
    }
}

const HEAD: &str = "# What a device needs

Written by `cargo run --release -p sedge-bench -- footprint`; not to be edited by hand. `footprint --check` measures again
and fails if a figure has grown by more than 3 %, or beyond its line in `tests/no_std/images.txt`; it names the symbols that grew
since `tests/no_std/symbols.txt`.

Each line is one image for a Cortex-M4 (thumbv7em-none-eabihf, optimised for size, link-time optimisation) with nothing in it
but that client of `sedge-dtls`, a driver for a serial port, and what measures it. The lines that begin with *client* are whole
clients: with CoAP, Observe and block-wise transfer.

";

const TAIL: &str = "
- **Flash** is code and constants, the core library's included. What a serial driver and the measuring take of it, the last
  table says.
- **Static RAM** holds the handshake, which is needed only while one is under way, the session that it leaves behind, and a
  buffer of 1200 bytes for datagrams.
- **Deepest stack** is measured: the image paints its stack, connects, sends a record and gets it back, and looks how far
  the paint is gone. The handshake and the session are not on it, but for the moment in which they are made.
- **Instructions** are those of the handshake's calls, counted by QEMU (mps2-an386, `-icount`), to 40 exactly. At 64 MHz a
  million of them is some 20 ms. Of the client with async functions they end when it is connected; the others have asked for
  their first topic by then.
- **On the wire**: UDP payload, cookie included, both ways, with a server that gives a Connection ID of one byte, until the
  server is done. X.509: one certificate of 434 bytes on each side, and no issuers.
- Cryptography is RustCrypto's without GCM and X25519 (`Rfc7925<RustCrypto>`), suites are those with CCM_8. The images are
  built with `--cfg sha2_backend_soft=\"compact\" --cfg aes_backend_soft=\"compact\"`, which saves 7.5 kB of unrolled loops.
- With X.509 the device checks one signature of an issuer that it knows by its key, the name, the usage and the form of the
  certificate. It has no clock, so it does not check dates.

## What it is meant to be, and the floor

| client | flash meant, KB | static RAM meant, KB | stack meant, KB |
|---|--:|--:|--:|
| PSK, DTLS 1.2 | 24 | 3 | 3 |
| the same and topics in COSE_Encrypt0 | 28 | 3.5 | 3 |
| PSK, DTLS 1.3 | 30 | 4 | 4 |
| raw public keys | 60 | 5 | 8 |

Static RAM and the stack are met everywhere, flash only with raw public keys in DTLS 1.2. What was tried for flash and is not in these
figures: `opt-level = \"z\"` takes nothing from the first client and 1.2 kB from DTLS 1.3, LLVM's machine outliner 0.3 kB, merging
identical functions in the linker 0.35 kB, and an inline threshold of 0 nothing; so no flag reaches it. Cryptography (5.5 kB with
compact loops) and the compiler's own (1.8 kB) are what the first line cannot do without; DTLS, CoAP and the client would have to come
from 27.5 kB to 17.2. Of these DTLS takes about 15; what is left to cut there is reassembly, contradictions, and messages that come
early. DTLS 1.3 takes 12 kB more: its key schedule, acknowledgements, replaced keys and Connection IDs. Topics in COSE_Encrypt0 take 9.1 kB:
strict CBOR 1.9, headers and messages 2.7, and some 4 for the window, the senders and numbers that outlive a loss of power; 4 kB in all
would take a fixed form of message in place of a reader of CBOR. The stack's deepest chain with P-256 is the library's check of a
signature, 4.4 kB of tables and 1.4 kB below it; without, it is the handshake.
";

const SHARES: &str = "
## Whose the bytes are

By symbol. What is called once is inlined into its caller and counts there; of the compiler's own most is for copying and
clearing memory.

";

#[cfg(test)]
mod tests {
    use super::*;

    fn line(what: &str, flash: u64) -> Line {
        let figures = [Some(flash), Some(2), Some(3), Some(4), Some(5), None, Some(7)];
        Line { what: what.into(), figures, shares: Shares::default() }
    }

    fn table(flash: u64) -> Table {
        Table(vec![line("one", flash), line("two", 1000)])
    }

    #[test]
    fn a_page_is_read_as_it_was_written() {
        assert_eq!(Table::parse(&table(1000).page()), Ok(table(1000)));
    }

    #[test]
    fn growth_beyond_the_tolerance_is_told() {
        assert_eq!(line("one", 1030).growth_since(&table(1000)), Vec::<String>::new());
        assert_eq!(line("one", 1031).growth_since(&table(1000)), ["one: flash, B grew from 1000 to 1031"]);
        assert_eq!(line("three", 1).growth_since(&table(1000)), ["three: not in the page yet"]);
        let gone = Table(vec![]).gone_since(&table(1));
        assert_eq!(gone, ["one: no longer measured", "two: no longer measured"]);
    }

    #[test]
    fn what_is_beyond_its_line_is_told() {
        let image = |flash| Image { name: "o".into(), what: "one".into(), flash, ram: 2, stack: Some(4) };
        let stack = "one: deepest stack, B is 5, beyond its line of 4";
        assert_eq!(line("one", 1000).beyond(&image(1000)), [stack]);
        assert_eq!(
            line("one", 1000).beyond(&image(999)),
            ["one: flash, B is 1000, beyond its line of 999", stack]
        );
    }
}
