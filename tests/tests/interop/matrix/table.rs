//! The matrix as Markdown.

use std::fmt::Write;

use super::cell::{Cell, LOSS};
use super::feature::Version;
use super::library::Library;

/// What became of a cell.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Passed,
    /// The library cannot do it.
    Cannot(&'static str),
    Failed(String),
}

impl Outcome {
    pub(crate) fn failure(&self) -> Option<&str> {
        match self {
            Self::Failed(why) => Some(why),
            _ => None,
        }
    }
}

/// The whole document.
pub(crate) fn render(cells: &[Cell], outcomes: &[Outcome]) -> String {
    let run: Vec<(&Cell, &Outcome)> = cells.iter().zip(outcomes).collect();
    let passed = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Passed)).count();
    let mut text = format!(
        "# Interoperability\n\n\
         What Sedge's DTLS engine and implementations that nobody here wrote can do with each other. The test \
         `interop` runs\nevery cell with real processes over real sockets and writes this file; it fails when \
         the file says something else.\n`tests/interop/setup` builds the peers.\n\n\
         The columns: the peer is the server or the client and Sedge the other side, over a link that loses \
         nothing or over one\nwith `{LOSS}` each way. A cell passes when the handshake \
         completes, both sides name the version, suite, group and\nConnection IDs that they were told, a line \
         comes back, and the goodbye is understood; \"new port\" goes on from another\nsource port (where \
         the client can, over the good link), \"new keys\" after a KeyUpdate, \"ticket\" and \"session id\" \
         with a\nsecond connection that resumes the first; \"another group\" makes the server ask for another \
         key share. Certificates are\nP-256, both sides' unless it says otherwise. {passed} cells pass.\n"
    );
    for library in Library::ALL {
        let of_library: Vec<_> = run.iter().filter(|(cell, _)| cell.library == library).copied().collect();
        section(&mut text, &library.title(), &of_library);
    }
    text
}

fn section(text: &mut String, title: &str, cells: &[(&Cell, &Outcome)]) {
    let _ = writeln!(text, "\n## {title}\n");
    let without_1_3 = "has no DTLS 1.3";
    let speaks_1_3 = cells.iter().any(|(cell, outcome)| {
        cell.feature.version == Version::V13
            && !matches!(outcome, Outcome::Cannot(why) if *why == without_1_3)
    });
    if !speaks_1_3 {
        text.push_str("It has no DTLS 1.3.\n\n");
    }
    text.push_str(
        "| DTLS | what | server | server, loss | client | client, loss |\n|---|---|---|---|---|---|\n",
    );
    for row in cells.chunks(4) {
        let feature = row[0].0.feature;
        if feature.version == Version::V13 && !speaks_1_3 {
            continue;
        }
        let _ = write!(text, "| {} | {} |", feature.version.name(), feature.name);
        let same = row.iter().all(|(_, outcome)| words(outcome) == words(row[0].1));
        for (column, (_, outcome)) in row.iter().enumerate() {
            // What no column can do is said once.
            let said = same && column > 0 && matches!(outcome, Outcome::Cannot(_));
            let _ = write!(text, " {} |", if said { "" } else { words(outcome) });
        }
        text.push('\n');
    }
}

fn words(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Passed => "pass",
        Outcome::Cannot(why) => why,
        Outcome::Failed(_) => "FAILS",
    }
}
