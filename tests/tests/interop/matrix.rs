//! Every implementation, as server and as client, over a good link and a lossy one: what they and Sedge can do with each
//! other. `docs/INTEROP.md` is what this test finds; `SEDGE_WRITE_INTEROP=1` writes it anew.
//!
//! `SEDGE_INTEROP="wolfssl 1.3 ticket"` runs only the cells whose name has all these words.
mod cell;
mod end;
mod feature;
mod keys;
mod library;
mod table;
mod tools;
mod tshark;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use sedge_tests::need;

use cell::Cell;
use feature::FEATURES;
use keys::Keys;
use library::{Library, Role};
use table::{Outcome, render};

/// How many cells run at a time. Mostly they wait.
const WORKERS: usize = 6;

#[test]
fn every_cell_of_the_matrix() {
    for library in Library::ALL {
        let Some(()) = need::or_say_why("interop::matrix", library.available()) else { return };
    }
    let filter = std::env::var("SEDGE_INTEROP").unwrap_or_default();
    let all = cells();
    let chosen = |cell: &&Cell| filter.split_whitespace().all(|word| cell.label().contains(word));
    let cells: Vec<Cell> = all.iter().filter(chosen).copied().collect();
    assert!(!cells.is_empty(), "no cell is called '{filter}'");

    let outcomes = run(&cells);
    let failures: Vec<&str> = outcomes.iter().filter_map(Outcome::failure).collect();
    let ran = outcomes.iter().filter(|outcome| !matches!(outcome, Outcome::Cannot(_))).count();
    println!("{ran} cells ran, {} cannot", outcomes.len() - ran);
    assert!(failures.is_empty(), "{} of {ran} cells failed:\n\n{}", failures.len(), failures.join("\n\n"));
    if cells.len() < all.len() {
        return;
    }
    let found = render(&cells, &outcomes);
    if std::env::var_os("SEDGE_WRITE_INTEROP").is_some() {
        std::fs::write(document(), &found).expect("the table can be written");
    }
    let known = std::fs::read_to_string(document()).unwrap_or_default();
    assert!(known == found, "docs/INTEROP.md says something else: SEDGE_WRITE_INTEROP=1 writes it\n{found}");
}

#[test]
fn the_table_has_every_cell() {
    for tool in [Library::OpenSsl, Library::GnuTls] {
        // Their versions are in it.
        let Some(()) = need::or_say_why("interop::matrix table", tool.available()) else { return };
    }
    let cells = cells();
    let as_meant: Vec<Outcome> =
        cells.iter().map(|cell| cell.cannot().map_or(Outcome::Passed, Outcome::Cannot)).collect();
    let known = std::fs::read_to_string(document()).unwrap_or_default();
    assert!(known == render(&cells, &as_meant), "docs/INTEROP.md is of another matrix");
}

fn document() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/INTEROP.md")
}

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for library in Library::ALL {
        for (number, feature) in FEATURES.iter().enumerate() {
            for role in [Role::Server, Role::Client] {
                for lossy in [false, true] {
                    cells.push(Cell { library, role, feature, number, lossy });
                }
            }
        }
    }
    cells
}

/// The outcomes, in the order of the cells.
fn run(cells: &[Cell]) -> Vec<Outcome> {
    let keys = Keys::new(false);
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![Outcome::Passed; cells.len()]);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = match cell.cannot() {
                        Some(why) => Outcome::Cannot(why),
                        None => cell.run(&keys).map_or_else(Outcome::Failed, |()| Outcome::Passed),
                    };
                    let place =
                        cells.iter().position(|other| std::ptr::eq(other, cell)).expect("it is there");
                    outcomes.lock().expect("nobody panics with it")[place] = outcome;
                }
            });
        }
    });
    outcomes.into_inner().expect("nobody panicked with it")
}
