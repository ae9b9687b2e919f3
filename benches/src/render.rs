//! The report as text: a table for a terminal, and a page of Markdown.

use std::fmt::Write as _;

use crate::report::{Book, Goal, Report, Row};

const HEADINGS: [&str; 7] = ["Part", "What", "Sedge", "Beside it", "Times better", "Goal", ""];

/// The table for a terminal.
pub(crate) fn terminal(report: &Report) -> String {
    let mut lines = vec![HEADINGS.map(str::to_owned)];
    lines.extend(report.rows.iter().map(cells));
    let widths: [usize; 7] = std::array::from_fn(|column| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
    });
    lines.insert(1, widths.map(|width| "-".repeat(width)));

    let mut text = String::new();
    let mut part = String::new();
    for line in &mut lines {
        // The part is named once, on its first line.
        if line[0] == part {
            line[0].clear();
        } else {
            part.clone_from(&line[0]);
        }
        let padded: Vec<_> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", padded.join("  ").trim_end());
    }
    let _ = writeln!(text, "\n{}", ratio_legend());
    for note in notes(report) {
        let _ = writeln!(text, "- {note}");
    }
    let _ = writeln!(text, "{}\n", machine(report));
    text
}

/// The page of Markdown.
pub(crate) fn markdown(book: &Book) -> String {
    let mut text = String::from(
        "# Benchmarks\n\n\
         Written by `cargo run --release -p sedge-bench -- all --markdown docs/BENCHMARKS.md`; not to be edited \
         by hand.\n\n\
         Everything in one part of the table was measured in one run on one machine, contenders in turn, so only the \
         ratios mean something elsewhere. Figures per second are per second of *server CPU time* (user and system) \
         where nothing else is said: the load generator shares the machine and is not counted. ",
    );
    let _ = writeln!(text, "{}\n", ratio_legend());
    let _ = writeln!(text, "| {} |", HEADINGS.join(" | ").trim_end());
    let _ = writeln!(text, "|---|---|--:|--:|--:|--:|---|");
    for row in book.reports.iter().flat_map(|report| &report.rows) {
        let cells = cells(row).map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push_str(METHOD);
    text.push_str("\n## Notes\n\n");
    for note in book.reports.iter().flat_map(notes) {
        let _ = writeln!(text, "- {note}");
    }
    text.push_str("\n## Machine and peers\n\n");
    for report in &book.reports {
        let quick = if report.quick { " (quick)" } else { "" };
        let _ = writeln!(text, "- {}{quick}: {}", report.name, machine(report));
    }
    text.push('\n');
    for peer in &book.peers {
        let _ = writeln!(text, "- {peer}");
    }
    text
}

const METHOD: &str = "
## How it is measured

- **Contenders take turns**, repetition by repetition, after one round to warm up; the table has medians.
- **Servers** run in a process of their own, with one thread on the sockets. Their CPU time (user and system, all \
threads, the store's included) is read from outside with `clock_getcpuclockid`, until they rest.
- **Clients** are one thread with one socket that speaks from as many addresses of 127.0.0.0/8 as there are \
clients (IP_PKTINFO). It polls instead of sleeping in the kernel, so that no server pays for waking it. Every contender \
gets the same clients: Sedge's own, but for handshakes with certificates, resumed ones and DTLS 1.3, whose clients are \
OpenSSL (DTLS 1.2) and wolfSSL (DTLS 1.3).
- **(broker)** is `sedge broker` as it comes, with its store, on one shard, but for two settings: \
notifications are not confirmable where the table does not say that they are, and one topic may be published to \
without limit. **(endpoint)** is `sedge-endpoint` on a socket, without a broker around it.
- **Peers** are servers of our own over others' libraries, each with cookies, one socket, recvmmsg and sendmmsg. \
**OpenSSL** runs with SSL_MODE_RELEASE_BUFFERS, **Mbed TLS** with buffers of 1 kB, **wolfSSL** with its assembly for this processor, \
**dimpl** over AWS-LC, which takes a client's certificate without looking for an issuer, **rtc-dtls** over ring; \
**libcoap** is Debian's coap-server-openssl. `benches/setup` installs what is missing of them.
- **Handshakes**: with a cookie, every client from a new address, every key exchange with a new key; P-256 throughout. The \
suites are those with CCM_8, but dimpl's, which has certificates with GCM only. Certificates are checked up to a CA. \
Where a goal stands, the line compares with the best of the others; resumed handshakes are checked to be resumed. \
Clients send in bursts, so that no server sleeps more because it is faster.
- **What of a handshake is the kernel's**: most of the CPU time of a fast server passes in the kernel, which sends and \
receives the same datagrams for everybody; on loopback, what a server sends it also delivers to the client's socket. \
*CPU time outside of the kernel's UDP* is what is left without the system calls that wait, receive and send, which \
a preloaded library times in repetitions of their own. *The same datagrams without DTLS* is an echo that \
receives and sends as many datagrams of as many bytes, in as many rounds: no engine can be faster, and its note \
says how many times the best of the others an engine would be that took no time at all.
- **Echo**: 16 sessions, 128 requests at once, every answer decrypted and compared. The yardstick is a loop of \
recv_from and send_to that returns 64 bytes.
- **Memory**: growth of VmRSS from the first session to the last, each with one observation of one topic.
- **Million**: every session is a client with an address of its own, behind one socket; both ends on this machine, \
which is what limits the handshakes by the clock. Requests go out one at a time, each of another session.
- **Fan-out**: one publication, all observers of its topic; the first time every notification is decrypted and \
compared. The yardstick is a loop of sendmmsg that sends as many datagrams of the same size to the same addresses.
- **Simulator**: one process and one thread a run; CPU time from the first node to the last event, sign-ons included. Devices are \
the real client and talk to the real broker's parts with TLS_PSK_WITH_AES_128_CCM_8, on radios with 6LoWPAN, acknowledgements and \
retransmissions where the line says so. ns-3 moves UDP datagrams of the same length between the same number of nodes at \
the same distances and intervals, on its own IEEE 802.15.4 and 6LoWPAN, without security or anything else above UDP.
- **Codec**: CPU time of the thread; allocations are counted by the process's heap in a separate call.
";

const fn ratio_legend() -> &'static str {
    "\"Times better\" is the median of the ratios of single repetitions, with the lowest and highest behind it; \
     below 1 Sedge loses."
}

fn cells(row: &Row) -> [String; 7] {
    let value = |value: Option<f64>| value.map_or("-".into(), |value| with_unit(value, &row.unit));
    [
        row.part.clone().into_owned(),
        row.what.clone(),
        value(row.sedge),
        row.other
            .as_ref()
            .map_or("-".into(), |other| format!("{}: {}", other.name, with_unit(other.value, &row.unit))),
        match (row.ratio, row.ratio_range) {
            (Some(ratio), Some((low, high))) => {
                format!("{} ({} to {})", times(ratio), times(low), times(high))
            }
            (Some(ratio), None) => times(ratio),
            (None, _) => "-".into(),
        },
        match row.goal {
            Some(Goal::Ratio(least)) => format!(">= {}", times(least)),
            Some(Goal::AtMost(most)) => format!("<= {}", with_unit(most, &row.unit)),
            None => "-".into(),
        },
        match row.reached {
            Some(true) => "reached".into(),
            Some(false) => "MISSED".into(),
            None => String::new(),
        },
    ]
}

fn notes(report: &Report) -> impl Iterator<Item = String> {
    report.rows.iter().filter_map(|row| Some(format!("{}, {}: {}", row.part, row.what, row.note.as_ref()?)))
}

fn machine(report: &Report) -> String {
    let machine = &report.machine;
    format!(
        "{} x {}, Linux {}, load {:.1} to {:.1}, {}, revision {}",
        machine.cores,
        machine.cpu,
        machine.kernel,
        machine.load_at_start,
        machine.load_at_end,
        machine.rustc,
        machine.revision
    )
}

/// `12.3 k/s`, `480 B`, `1.25 us`: three digits that count.
fn with_unit(value: f64, unit: &str) -> String {
    let (scaled, prefix) = match unit {
        "/s" if value >= 1e6 => (value / 1e6, "M"),
        "/s" if value >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let number = match scaled.abs() {
        _ if scaled.fract() == 0.0 => format!("{scaled:.0}"),
        ..10.0 => format!("{scaled:.2}"),
        ..100.0 => format!("{scaled:.1}"),
        _ => format!("{scaled:.0}"),
    };
    format!("{number} {prefix}{unit}").trim_end().into()
}

fn times(ratio: f64) -> String {
    match ratio {
        ..10.0 => format!("{ratio:.2}"),
        ..100.0 => format!("{ratio:.1}"),
        _ => format!("{ratio:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Samples;
    use crate::report::{Better, Machine};

    fn book() -> Book {
        Book { peers: vec!["peer 1.0".into()], reports: vec![report()] }
    }

    fn report() -> Report {
        let (sedge, other) = (Samples(vec![30_000.0, 10_000.0, 20_000.0]), Samples(vec![10_000.0; 3]));
        let row = Row::compare("part", "a|b", "/s", Better::Higher, &sedge, ("peer", &other));
        let alone = Row::figure("part", "size", "B", Better::Lower, 486.0);
        let rows = vec![
            row.goal(Goal::Ratio(2.5)),
            alone.goal(Goal::AtMost(500.0)).note("counted"),
            Row::missing("other", "thing", "no compiler"),
        ];
        Report { name: "part".into(), quick: false, machine: Machine::here(), rows }
    }

    #[test]
    fn a_goal_is_judged_by_the_median_of_ratios() {
        let report = report();
        assert_eq!(report.rows[0].ratio, Some(2.0));
        assert_eq!(report.rows[0].ratio_range, Some((1.0, 3.0)));
        assert_eq!(report.rows[0].reached, Some(false));
        assert_eq!(report.rows[1].reached, Some(true));
        assert_eq!(report.rows[2].reached, None);
    }

    #[test]
    fn less_is_better_turns_the_ratio_round() {
        let (sedge, other) = (Samples(vec![25.0]), Samples(vec![500.0]));
        let row = Row::compare("part", "time", "ns", Better::Lower, &sedge, ("peer", &other));
        assert_eq!((row.ratio, row.ratio_range), (Some(20.0), None));
    }

    #[test]
    fn the_terminal_table_lines_up_and_tells_what_is_missing() {
        let text = terminal(&report());
        let lines: Vec<_> = text.lines().collect();
        let column = |line: &str, text: &str| line.find(text).unwrap_or_else(|| panic!("{text} in {line}"));
        assert_eq!(column(lines[2], "20 k/s"), column(lines[3], "486 B"), "{text}");
        assert!(lines[2].contains("2.00 (1.00 to 3.00)") && lines[2].ends_with("MISSED"), "{text}");
        assert!(lines[3].starts_with("     ") && lines[3].ends_with("reached"), "{text}");
        assert!(text.contains("- other, thing: not measured: no compiler"), "{text}");
    }

    #[test]
    fn the_markdown_table_keeps_its_columns() {
        let text = markdown(&book());
        let pipes = |line: &str| line.replace("\\|", "").matches('|').count();
        let table: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(table.len(), 5);
        assert!(table.iter().all(|line| pipes(line) == pipes(table[0])), "{table:#?}");
        assert!(text.contains("peer 1.0"));
    }

    #[test]
    fn figures_have_three_digits() {
        let texts =
            [(12_345.0, "/s"), (7_340.2, "/s"), (486.0, "B"), (14.84, "ns"), (1.5e6, "/s"), (0.0, "")]
                .map(|(value, unit)| with_unit(value, unit));
        assert_eq!(texts, ["12.3 k/s", "7340 /s", "486 B", "14.8 ns", "1.50 M/s", "0"]);
    }
}
