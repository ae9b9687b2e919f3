//! The list of images, each with the most that it may take: `tests/no_std/images.txt`.

use std::fs;
use std::path::Path;

/// One image.
#[derive(Debug, PartialEq)]
pub(super) struct Image {
    /// Of the program in `tests/no_std/src/bin`.
    pub(super) name: String,
    /// What the table calls it.
    pub(super) what: String,
    /// Bytes of flash and of static RAM.
    pub(super) flash: u64,
    pub(super) ram: u64,
    /// Bytes of stack; `None` for an image that is not run.
    pub(super) stack: Option<u64>,
}

pub(super) fn read(path: &Path) -> Result<Vec<Image>, String> {
    let text =
        fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).map(parse).collect()
}

fn parse(line: &str) -> Result<Image, String> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let [name, what, flash, ram, stack] = cells[..] else {
        return Err(format!("not five cells: {line}"));
    };
    let number = |cell: &str| cell.parse().map_err(|_| format!("{cell} is no number: {line}"));
    let stack = if stack == "-" { None } else { Some(number(stack)?) };
    Ok(Image { name: name.into(), what: what.into(), flash: number(flash)?, ram: number(ram)?, stack })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_five_cells() {
        let image = |stack| Image { name: "a".into(), what: "A, b".into(), flash: 10, ram: 20, stack };
        assert_eq!(parse("a | A, b | 10 | 20 | 30"), Ok(image(Some(30))));
        assert_eq!(parse("a|A, b|10|20|-"), Ok(image(None)));
        assert!(parse("a | A | 10 | 20").is_err());
        assert!(parse("a | A | 10 | many | 30").is_err());
    }
}
