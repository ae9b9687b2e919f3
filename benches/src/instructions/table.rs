//! The page docs/INSTRUCTIONS.md, written and read again.

use std::fmt::Write as _;

use sedge_sim::energy::Processor;

use super::count::Counts;
use super::energy;

/// How much a figure may grow before the check fails: compilers differ a little.
const TOLERANCE: f64 = 0.03;
/// How far the simulator's table may be from what is counted.
const SIMULATOR: f64 = 0.01;

/// The most that something may take with compact loops.
const LIMITS: [(&str, u64); 3] = [
    (super::count::PARSE, 200),
    ("seal 64 B, DTLS 1.2, AES-128-CCM_8", 45_000),
    // It encrypts record numbers with a key of their own, which has to be expanded, too.
    ("seal 64 B, DTLS 1.3, AES-128-CCM_8", 50_000),
];

/// What the names of operations stand for, which are those of the simulator's table.
const OPERATIONS: [(&str, &str); 13] = [
    ("record", "AES-128-CCM_8: seal nothing, 13 B of additional data, key expansion included"),
    ("record_block", "AES-128-CCM_8: 16 B more of text"),
    ("aad_block", "AES-128-CCM_8: 16 B more of additional data"),
    ("block", "AES-128: one block, key expansion included"),
    ("hash", "SHA-256 of nothing"),
    ("hash_block", "SHA-256: 64 B more"),
    ("mac", "HMAC-SHA-256 of nothing, key of 32 B"),
    ("key_p256", "P-256: an ephemeral key"),
    ("agree_p256", "P-256: ECDH"),
    ("sign_p256", "P-256: an ECDSA signature"),
    ("verify_p256", "P-256: the check of an ECDSA signature"),
    ("key_x25519", "X25519: an ephemeral key"),
    ("agree_x25519", "X25519: ECDH"),
];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Section {
    Operations,
    Records,
    Clients,
}

/// Everything counted, with compact loops and with unrolled ones.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<Row>);

#[derive(Debug)]
struct Row {
    section: Section,
    name: String,
    counts: [u64; 2],
}

impl Row {
    /// What the page calls it.
    fn what(&self) -> &str {
        let known = OPERATIONS.iter().find(|(name, _)| *name == self.name);
        known.map_or(&self.name, |(_, what)| what)
    }

    /// Where it stands in its section: operations as they are listed, all else as it came.
    fn place(&self) -> Option<usize> {
        OPERATIONS.iter().position(|(name, _)| *name == self.name)
    }
}

impl Table {
    pub(super) fn put(&mut self, section: Section, column: usize, counts: Counts) {
        for (name, count) in counts {
            match self.0.iter_mut().find(|row| row.name == name) {
                Some(row) => row.counts[column] = count,
                None => {
                    let mut row = Row { section, name, counts: [0; 2] };
                    row.counts[column] = count;
                    self.0.push(row);
                }
            }
        }
    }

    fn get(&self, name: &str) -> Option<u64> {
        self.0.iter().find(|row| row.name == name).map(|row| row.counts[0])
    }

    /// What takes more than its limit.
    pub(super) fn beyond(&self) -> Vec<String> {
        let over = |&(name, most): &(&str, u64)| match self.get(name) {
            Some(count) if count <= most => None,
            Some(count) => Some(format!("{name}: {count} instructions, and {most} is the limit")),
            None => Some(format!("{name} was not counted")),
        };
        LIMITS.iter().filter_map(over).collect()
    }

    /// What has grown since the page was written, or is not on it.
    pub(super) fn growth_since(&self, page: &str) -> Vec<String> {
        let before = |what: &str| {
            let row = page.lines().find_map(|line| line.strip_prefix(&format!("| {what} | ")))?;
            let cells: Vec<u64> = row.split('|').filter_map(|cell| cell.trim().parse().ok()).collect();
            <[u64; 2]>::try_from(cells).ok()
        };
        let mut faults = Vec::new();
        for row in &self.0 {
            let Some(before) = before(row.what()) else {
                faults.push(format!("{} is not on the page: write it anew", row.what()));
                continue;
            };
            for (loops, (now, before)) in super::LOOPS.iter().zip(row.counts.into_iter().zip(before)) {
                if now as f64 > before as f64 * (1.0 + TOLERANCE) {
                    faults
                        .push(format!("{}, {loops} loops: {now} instructions, before {before}", row.what()));
                }
            }
        }
        faults
    }

    /// Where the simulator charges something else.
    pub(super) fn strange_to(&self, simulator: &Processor) -> Vec<String> {
        let figures = [
            ("record", &simulator.record),
            ("record_block", &simulator.record_block),
            ("aad_block", &simulator.aad_block),
            ("block", &simulator.block),
            ("hash", &simulator.hash),
            ("hash_block", &simulator.hash_block),
            ("mac", &simulator.mac),
            ("key_p256", &simulator.key_p256),
            ("agree_p256", &simulator.agree_p256),
            ("sign_p256", &simulator.sign_p256),
            ("verify_p256", &simulator.verify_p256),
            ("key_x25519", &simulator.key_x25519),
            ("agree_x25519", &simulator.agree_x25519),
        ];
        let differs = |(name, figure): (&str, &sedge_sim::energy::Figure)| {
            let count = self.get(name)?;
            let far = (figure.value / count as f64 - 1.0).abs() > SIMULATOR;
            far.then(|| {
                format!("sim/profiles/cortex-m4.toml: {name} is {}, and {count} were counted", figure.value)
            })
        };
        figures.into_iter().filter_map(differs).collect()
    }

    /// The rows of a section.
    fn rows(&self, section: Section) -> String {
        let mut text = "| | compact | unrolled |\n|---|--:|--:|\n".to_owned();
        let mut rows: Vec<&Row> = self.0.iter().filter(|row| row.section == section).collect();
        rows.sort_by_key(|row| row.place());
        for row in rows {
            let [compact, unrolled] = row.counts;
            let _ = writeln!(text, "| {} | {compact} | {unrolled} |", row.what());
        }
        text
    }

    pub(super) fn page(&self, publications: &[energy::Line]) -> String {
        let [operations, records, clients] =
            [Section::Operations, Section::Records, Section::Clients].map(|section| self.rows(section));
        format!(
            "{HEAD}\n## Messages and records\n\n{records}\n{RECORDS}\n## Whole clients\n\n{clients}\n{CLIENTS}\n\
             ## Operations\n\n{OPERATIONS_TEXT}\n{operations}\n{}",
            energy::section(publications)
        )
    }
}

const HEAD: &str = "# What a device computes

Written by `cargo run --release -p sedge-bench -- instructions`; not to be edited by hand. `instructions --check` counts again
and fails if something has grown by more than 3 %, takes more than its limit (200 for parsing, with CCM_8 45,000 for sealing 64 B
in DTLS 1.2 and 50,000 in DTLS 1.3), or is more than 1 % from what the simulator charges for it.

Instructions of a Cortex-M4 (thumbv7em-none-eabihf, optimised for size, link-time optimisation), counted by QEMU
(mps2-an386, `-icount`, 40 to a tick of its clock). *Compact* is built as for [FOOTPRINT.md](FOOTPRINT.md), with
`--cfg sha2_backend_soft=\"compact\" --cfg aes_backend_soft=\"compact\"`; *unrolled* without. At 64 MHz a million instructions
is some 20 ms.
";

const RECORDS: &str = "Keys are expanded for each record, so that a session takes no more than its raw keys. Of a record in DTLS
1.2 with CCM_8 that is half of 16,600; each 16 B, the content type among them, are 4,100, and the longer additional data of a record
with Connection ID as much once more. DTLS 1.3 encrypts the record number with a key of its own: 11,600 for another expansion and one
block, without which it would be at 37,500. That is the floor of a session that keeps no expanded keys (352 B each).
";

const CLIENTS: &str = "A client's *handshake* is from the first call until it is connected. Its *publication* is one
confirmable PUT of 24 B, from the call until the acknowledgement has been taken; its *notification* a confirmable one of 4 B,
until it is handed over and acknowledged. Drivers and timers are not in it.
";

const OPERATIONS_TEXT: &str =
    "What the simulator charges its devices (`sim/profiles/cortex-m4.toml`, with compact loops).
";

#[cfg(test)]
mod tests {
    use super::*;

    fn table(parse: u64, record: u64) -> Table {
        let mut table = Table::default();
        for column in 0..2 {
            table.put(Section::Operations, column, vec![("record".to_owned(), record)]);
            let mut limited: Counts = LIMITS.iter().map(|(name, _)| ((*name).to_owned(), 33_000)).collect();
            limited[0].1 = parse;
            table.put(Section::Records, column, limited);
        }
        table
    }

    #[test]
    fn growth_and_limits_are_named() {
        let page = table(190, 16_565).page(&[]);
        assert_eq!(table(190, 17_000).growth_since(&page), [""; 0]);
        let grown = table(190, 17_100).growth_since(&page);
        assert_eq!(grown.len(), 2);
        assert!(grown[0].contains("compact loops: 17100 instructions, before 16565"), "{grown:?}");
        assert!(table(190, 16_565).growth_since("")[0].contains("is not on the page"));
        assert_eq!(table(200, 16_565).beyond(), [""; 0]);
        assert_eq!(
            table(201, 16_565).beyond(),
            ["parse a PUT of 53 B with four options: 201 instructions, and 200 is the limit"]
        );
    }

    #[test]
    fn the_simulators_table_has_to_agree() {
        let simulator = Processor::cortex_m4();
        let record = simulator.record.value as u64;
        assert_eq!(table(190, record).strange_to(&simulator), [""; 0]);
        assert!(table(190, record * 11 / 10).strange_to(&simulator)[0].contains("record is"));
    }
}
