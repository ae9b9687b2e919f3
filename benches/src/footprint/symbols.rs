//! What an image is made of: its largest symbols, kept beside the images so that a check can name those that grew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// Smaller ones are counted together.
const SMALLEST: u64 = 96;
const OTHERS: &str = "(smaller ones)";
/// How many of those that grew are named.
const NAMED: usize = 12;

/// Bytes of code and constants, by name. One name may stand for several copies of a generic function.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Symbols(BTreeMap<String, u64>);

impl Symbols {
    /// Asks the toolchain's `nm`.
    pub(super) fn of(image: &Path) -> Result<Self, String> {
        let tools = ["arm-none-eabi-nm", "llvm-nm", "rust-nm"];
        let output = tools.into_iter().find_map(|tool| {
            Command::new(tool).args(["--demangle", "--print-size", "--radix=d"]).arg(image).output().ok()
        });
        let output = output.ok_or_else(|| format!("none of {} is here", tools.join(", ")))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(Self::from_nm(&String::from_utf8_lossy(&output.stdout)))
    }

    fn from_nm(listing: &str) -> Self {
        let mut all = BTreeMap::<String, u64>::new();
        for line in listing.lines() {
            let mut cells = line.splitn(4, ' ');
            let (_address, size, kind, name) = (cells.next(), cells.next(), cells.next(), cells.next());
            let (Some(Ok(size)), Some("t" | "T" | "r" | "R" | "W" | "V"), Some(name)) =
                (size.map(str::parse::<u64>), kind, name)
            else {
                continue;
            };
            *all.entry(without_hash(name).to_owned()).or_default() += size;
        }
        let mut large = BTreeMap::<String, u64>::new();
        for (name, size) in all {
            *large.entry(if size < SMALLEST { OTHERS.to_owned() } else { name }).or_default() += size;
        }
        Self(large)
    }

    /// The bytes of all symbols whose names `is_one` says yes to.
    pub(super) fn sum(&self, is_one: impl Fn(&str) -> bool) -> u64 {
        self.0.iter().filter(|(name, _)| is_one(name)).map(|(_, size)| size).sum()
    }

    /// Those that grew most since `before`, in words.
    pub(super) fn growth_since(&self, before: &Self) -> Vec<String> {
        let mut grown: Vec<(u64, String)> = Vec::new();
        for (name, &size) in &self.0 {
            let old = before.0.get(name).copied().unwrap_or(0);
            if size > old {
                grown.push((size - old, format!("  +{} {name} ({old} -> {size})", size - old)));
            }
        }
        grown.sort_by(|a, b| b.cmp(a));
        grown.into_iter().take(NAMED).map(|(_, words)| words).collect()
    }
}

/// Older manglings end in a hash, which differs from build to build.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => name,
        _ => name,
    }
}

/// The symbols of all images, as a file has them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Book(pub(super) BTreeMap<String, Symbols>);

impl Book {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut book = Self::default();
        let mut current = None;
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match (line.strip_prefix("  "), &mut current) {
                (None, _) => current = Some(book.0.entry(line.to_owned()).or_default()),
                (Some(symbol), Some(symbols)) => {
                    let (size, name) = symbol.trim().split_once(' ').ok_or_else(|| line.to_owned())?;
                    let size = size.parse().map_err(|_| format!("no size: {line}"))?;
                    let _ = symbols.0.insert(name.to_owned(), size);
                }
                (Some(_), None) => return Err(format!("of no image: {line}")),
            }
        }
        Ok(book)
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::from(
            "# The symbols of each image, in bytes, largest first. Written by `sedge-bench footprint`; with it\n\
             # `sedge-bench footprint --check` names what grew.\n",
        );
        for (image, symbols) in &self.0 {
            let _ = writeln!(text, "{image}");
            let mut sorted: Vec<_> = symbols.0.iter().collect();
            sorted.sort_by_key(|(name, size)| (u64::MAX - **size, name.as_str()));
            for (name, size) in sorted {
                let _ = writeln!(text, "  {size:>5} {name}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "00000100 00000300 t sedge::big::h0123456789abcdef\n\
                           00000400 00000200 T sedge::other\n\
                           00000600 00000040 t tiny\n\
                           00000700 00000030 r small\n\
                           20000000 00009999 b RAM\n\
                           00000000 t no_size\n";

    #[test]
    fn code_and_constants_are_read_and_small_ones_are_joined() {
        let symbols = Symbols::from_nm(LISTING);
        assert_eq!(symbols.0.get("sedge::big"), Some(&300));
        assert_eq!(symbols.0.get(OTHERS), Some(&70));
        assert_eq!(symbols.sum(|name| name.starts_with("sedge")), 500);
        assert_eq!(symbols.0.len(), 3);
    }

    #[test]
    fn a_book_is_read_as_it_was_written_and_growth_is_named() {
        let before = Symbols::from_nm(LISTING);
        let after = Symbols::from_nm(&LISTING.replace("00000300", "00000450"));
        let book = Book([("one".to_owned(), before.clone()), ("two".to_owned(), after.clone())].into());
        assert_eq!(Book::parse(&book.text()), Ok(book));
        assert_eq!(after.growth_since(&before), ["  +150 sedge::big (300 -> 450)"]);
        assert_eq!(before.growth_since(&after), Vec::<String>::new());
    }
}
