//! Reading a scenario's tables: every key is asked for once, with what it may be; what nobody asked for is an error.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

use sedge_time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ScenarioError;

/// A scenario's file.
pub(super) struct Source<'t> {
    pub(super) file: &'t str,
    pub(super) text: &'t str,
}

/// One table of it.
pub(super) struct Reader<'t> {
    source: &'t Source<'t>,
    /// The table's name, with a dot behind it unless it is the whole file.
    path: String,
    table: &'t DeTable<'t>,
    span: Range<usize>,
    /// The keys that may be here.
    known: RefCell<BTreeSet<&'static str>>,
}

/// A value with its place.
#[derive(Clone)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    key: &'static str,
    span: Range<usize>,
}

type Result<T, E = ScenarioError> = std::result::Result<T, E>;

/// A kind of value that a key can have.
pub(super) trait Value: Sized {
    /// In words, for errors.
    const KIND: &'static str;

    /// Reads it.
    fn read(value: &DeValue<'_>) -> Option<Self>;

    /// What may have been meant by a value that cannot be read.
    fn meant(_value: &DeValue<'_>) -> String {
        String::new()
    }
}

impl<'t> Reader<'t> {
    pub(super) fn new(source: &'t Source<'t>, table: &'t Spanned<DeTable<'t>>) -> Self {
        Self::of(source, String::new(), table.get_ref(), 0..0)
    }

    fn of(source: &'t Source<'t>, path: String, table: &'t DeTable<'t>, span: Range<usize>) -> Self {
        Self { source, path, table, span, known: RefCell::default() }
    }

    /// An error about the whole table.
    pub(super) fn error(&self, message: impl Into<String>, help: impl Into<String>) -> ScenarioError {
        let span = (!self.path.is_empty()).then(|| self.span.clone());
        ScenarioError::new(self.source.file, self.source.text, span, message.into(), help.into())
    }

    /// An error about a value.
    pub(super) fn wrong<T>(
        &self,
        placed: &Placed<T>,
        message: impl std::fmt::Display,
        help: impl Into<String>,
    ) -> ScenarioError {
        let message = format!("{}{}: {message}", self.path, placed.key);
        let span = Some(placed.span.clone());
        ScenarioError::new(self.source.file, self.source.text, span, message, help.into())
    }

    fn entry(&self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        let _first = self.known.borrow_mut().insert(key);
        self.table.get(key)
    }

    /// The value of a key, if it is there.
    pub(super) fn find<T: Value>(&self, key: &'static str) -> Result<Option<Placed<T>>> {
        let Some(entry) = self.entry(key) else { return Ok(None) };
        let placed = Placed { value: (), key, span: entry.span() };
        match T::read(entry.get_ref()) {
            Some(value) => Ok(Some(Placed { value, key, span: entry.span() })),
            None => {
                let found = entry.get_ref().type_str();
                Err(self.wrong(
                    &placed,
                    format!("this {found} is not {}", T::KIND),
                    T::meant(entry.get_ref()),
                ))
            }
        }
    }

    /// The value of a key that must be there.
    pub(super) fn need<T: Value>(&self, key: &'static str, example: &str) -> Result<Placed<T>> {
        self.find(key)?.ok_or_else(|| {
            let name = self.path.trim_end_matches('.');
            let place = if name.is_empty() { "the scenario".into() } else { format!("[{name}]") };
            self.error(format!("{place} lacks `{key}`"), format!("for example `{key} = {example}`"))
        })
    }

    /// The value of a key, or what it is if it is not there.
    pub(super) fn or<T: Value>(&self, key: &'static str, default: T) -> Result<T> {
        Ok(self.find(key)?.map_or(default, |placed| placed.value))
    }

    /// A number from `range`.
    pub(super) fn within<T: Value + PartialOrd + std::fmt::Display + Copy>(
        &self,
        key: &'static str,
        default: T,
        range: std::ops::RangeInclusive<T>,
    ) -> Result<T> {
        let Some(placed) = self.find::<T>(key)? else { return Ok(default) };
        self.check(&placed, range)
    }

    /// Checks that a number is from `range`.
    pub(super) fn check<T: PartialOrd + std::fmt::Display + Copy>(
        &self,
        placed: &Placed<T>,
        range: std::ops::RangeInclusive<T>,
    ) -> Result<T> {
        if range.contains(&placed.value) {
            return Ok(placed.value);
        }
        let (least, most) = (range.start(), range.end());
        Err(self.wrong(placed, format!("{} is not from {least} to {most}", placed.value), ""))
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&self, key: &'static str, default: T, words: &[(&str, T)]) -> Result<T> {
        let Some(placed) = self.find::<String>(key)? else { return Ok(default) };
        match words.iter().find(|(word, _)| *word == placed.value) {
            Some((_, meaning)) => Ok(*meaning),
            None => {
                let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                Err(self.wrong(
                    &placed,
                    format!("\"{}\" is none of its values", placed.value),
                    hint(&placed.value, &all),
                ))
            }
        }
    }

    /// A table below this one, or an empty one.
    pub(super) fn table(&self, key: &'static str) -> Result<Option<Reader<'t>>> {
        let Some(entry) = self.entry(key) else { return Ok(None) };
        match entry.get_ref() {
            DeValue::Table(table) => {
                Ok(Some(Self::of(self.source, format!("{}{key}.", self.path), table, entry.span())))
            }
            _ => {
                let placed = Placed { value: (), key, span: entry.span() };
                Err(self.wrong(&placed, "this is not a table", format!("write it as a section: [{key}]")))
            }
        }
    }

    /// The tables of an array of tables.
    pub(super) fn tables(&self, key: &'static str) -> Result<Vec<Reader<'t>>> {
        let Some(entry) = self.entry(key) else { return Ok(Vec::new()) };
        let placed = Placed { value: (), key, span: entry.span() };
        let wrong =
            || self.wrong(&placed, "these are not tables", format!("write each as a section: [[{key}]]"));
        let DeValue::Array(array) = entry.get_ref() else { return Err(wrong()) };
        let tables = array.iter().map(|item| match item.get_ref() {
            DeValue::Table(table) => {
                Ok(Self::of(self.source, format!("{}{key}.", self.path), table, item.span()))
            }
            _ => Err(wrong()),
        });
        tables.collect()
    }

    /// Refuses the keys that nobody has asked for.
    pub(super) fn finish(&self) -> Result<()> {
        let known = self.known.borrow();
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if !known.contains(name) {
                let all: Vec<&str> = known.iter().copied().collect();
                let message = format!("{}{name}: there is no such key here", self.path);
                let span = Some(key.span());
                let (file, text) = (self.source.file, self.source.text);
                return Err(ScenarioError::new(file, text, span, message, hint(name, &all)));
            }
        }
        Ok(())
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Whether a key is there, which it may be.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.entry(key).is_some()
    }
}

/// What could have been meant.
pub(super) fn hint(word: &str, all: &[&str]) -> String {
    let near = all.iter().map(|other| (distance(word, other), *other)).min();
    let list = all.iter().map(|other| format!("`{other}`")).collect::<Vec<_>>().join(", ");
    match near {
        Some((steps, other)) if steps <= 2.max(word.len() / 3) => {
            format!("perhaps `{other}` is meant; there are {list}")
        }
        _ => format!("there are {list}"),
    }
}

/// How many letters have to change to make one word of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in other.chars().enumerate() {
            let next = (corner + usize::from(a != b)).min(row[j] + 1).min(row[j + 1] + 1);
            corner = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row.last().copied().unwrap_or_default()
}

impl Value for String {
    const KIND: &'static str = "a text in quotation marks";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        // A version, such as 1.3, is a text that looks like a number.
        value.as_str().or(value.as_float().map(|float| float.as_str())).map(str::to_owned)
    }
}

impl Value for bool {
    const KIND: &'static str = "`true` or `false`";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_bool()
    }
}

impl Value for i64 {
    const KIND: &'static str = "a whole number";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let integer = value.as_integer()?;
        Self::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
    }
}

impl Value for f64 {
    const KIND: &'static str = "a number";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let number = match value.as_float() {
            Some(float) => float.as_str().replace('_', "").parse().ok()?,
            None => i64::read(value)? as Self,
        };
        number.is_finite().then_some(number)
    }
}

impl Value for [f64; 3] {
    const KIND: &'static str = "a position in metres, like `[10.0, 20.0]` or `[10.0, 20.0, 2.5]`";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let numbers: Vec<f64> =
            value.as_array()?.iter().map(|item| f64::read(item.get_ref())).collect::<Option<_>>()?;
        match numbers[..] {
            [x, y] => Some([x, y, 0.0]),
            [x, y, z] => Some([x, y, z]),
            _ => None,
        }
    }
}

impl Value for Vec<f64> {
    const KIND: &'static str = "a list of numbers, like `[-95, -90.5]`";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_array()?.iter().map(|number| f64::read(number.get_ref())).collect()
    }
}

impl Value for Vec<[f64; 3]> {
    const KIND: &'static str = "a list of positions in metres, like `[[0, 0], [10, 20]]`";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_array()?.iter().map(|item| <[f64; 3]>::read(item.get_ref())).collect()
    }
}

impl Value for Duration {
    const KIND: &'static str = "a time, like \"250ms\", \"10s\", \"5min\", \"24h\" or \"7d\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        duration(value.as_str()?)
    }

    fn meant(value: &DeValue<'_>) -> String {
        if let Some(number) = f64::read(value) {
            return format!("a time has a unit: \"{number}s\", \"{number}min\"");
        }
        let text = value.as_str().unwrap_or_default().trim();
        match text.strip_suffix('m') {
            Some(number) if duration(&format!("{number}s")).is_some() => {
                format!("minutes are \"{number}min\", metres have no unit")
            }
            _ => String::new(),
        }
    }
}

/// Reads a time with its unit.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit);
    let micros = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "min" => 60e6,
        "h" => 3_600e6,
        "d" => 86_400e6,
        _ => return None,
    };
    let number: f64 = number.trim().parse().ok()?;
    // A thousand years are enough for everyone.
    let total = number * micros;
    (0.0..=3.2e16).contains(&total).then(|| Duration::from_micros(total.round() as u64))
}

/// Nodes by their numbers: `"all"`, or numbers and ranges as in `"1-10,15"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Nodes {
    /// All devices.
    All,
    /// These, as ranges.
    Some(Vec<(u16, u16)>),
}

impl Value for Nodes {
    const KIND: &'static str = "a set of devices, like \"all\", \"3\" or \"1-10,15\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        if let Ok(number) = u16::try_from(i64::read(value).unwrap_or(-1)) {
            return Some(Self::Some(vec![(number, number)]));
        }
        let text = value.as_str()?;
        if text == "all" {
            return Some(Self::All);
        }
        let ranges = text.split(',').map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (first <= last).then_some((first, last))
        });
        Some(Self::Some(ranges.collect::<Option<_>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let micros = |text| duration(text).map(Duration::as_micros);
        assert_eq!(micros("250ms"), Some(250_000));
        assert_eq!(micros("1.5 h"), Some(5_400_000_000));
        assert_eq!((micros("7d"), micros("3us")), (Some(604_800_000_000), Some(3)));
        assert_eq!((micros("5"), micros("5 parsecs"), micros("-1s"), micros("s")), (None, None, None, None));
    }

    #[test]
    fn near_words_are_found() {
        assert!(hint("spaceing", &["kind", "spacing"]).starts_with("perhaps `spacing`"));
        assert!(hint("zzz", &["kind", "spacing"]).starts_with("there are `kind`"));
        assert_eq!((distance("", "abc"), distance("kitten", "sitting")), (3, 3));
    }
}
