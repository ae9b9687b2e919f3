//! Turns a TOML error into one line that says where, what, and what was probably meant.

use super::DEFAULT_TOML;

/// One line for `error`, which arose from reading `text`.
pub(super) fn explain(text: &str, error: &toml::de::Error) -> String {
    let span = error.span().unwrap_or(0..0);
    let line = text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1);
    let written = text.get(span).unwrap_or("").trim();
    if error.message().starts_with("unknown field") {
        let suggestion = nearest(written).map_or(String::new(), |key| format!("; the nearest is `{key}`"));
        return format!(
            "line {line}: unknown key `{written}`{suggestion} (`sedge broker --print-config` lists every key)"
        );
    }
    format!("line {line}: {}", error.message().replace('\n', " "))
}

/// The known key, of whatever section, that takes the fewest edits, if it takes few.
fn nearest(written: &str) -> Option<String> {
    let defaults: toml::Table = DEFAULT_TOML.parse().ok()?;
    let mut keys: Vec<String> = defaults.keys().cloned().collect();
    keys.extend(
        defaults.values().filter_map(toml::Value::as_table).flat_map(|section| section.keys().cloned()),
    );
    // Those that are printed as comments, because their sections have names.
    keys.extend(NAMED.map(str::to_owned));
    let (edits, key) = keys.into_iter().map(|key| (edits(written, &key), key)).min()?;
    (edits <= 1 + written.len() / 3).then_some(key)
}

const NAMED: [&str; 12] = [
    "role",
    "segment",
    "bridge",
    "publish",
    "subscribe",
    "delete",
    "configure",
    "topics",
    "from",
    "to",
    "both",
    "verbs",
];

/// Levenshtein distance in bytes.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "ab"), 2);
        assert_eq!(nearest("sesions").as_deref(), Some("sessions"));
        assert_eq!(nearest("completely_different_thing"), None);
    }
}
