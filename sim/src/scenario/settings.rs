//! Single keys of a scenario, set from outside.

use super::ScenarioError;
use super::protocol::OF_DTLS;
use super::reader::hint;

/// A key of a scenario with another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The path of the key.
    pub(crate) key: String,
    /// The value as TOML.
    pub(crate) value: String,
}

/// What keys are called for short.
const SHORT: [(&str, &str); 9] = [
    ("nodes", "topology.nodes"),
    ("loss", "channel.loss"),
    ("security", "protocol.security"),
    ("dtls", "protocol.dtls"),
    ("suite", "protocol.suite"),
    ("connection-id", "protocol.connection-id"),
    ("block", "protocol.block"),
    ("messages", "protocol.messages"),
    ("protected", "protocol.protected"),
];

/// The keys that stand in no section.
const TOP: [&str; 5] = ["name", "description", "duration", "boot", "capture-megabytes"];

impl Settings {
    /// Reads `key=value`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let usage = || format!("`{text}` is not of the form KEY=VALUE, as in `topology.nodes=20`");
        let (key, value) = text.split_once('=').ok_or_else(usage)?;
        let (key, value) = (key.trim(), value.trim());
        let word =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if value.is_empty() || !key.split('.').all(word) {
            return Err(usage());
        }
        let key = SHORT.iter().find(|(short, _)| *short == key).map_or(key, |(_, long)| long);
        if !key.contains('.') && !TOP.contains(&key) {
            let all: Vec<&str> = SHORT.iter().map(|(short, _)| *short).chain(TOP).collect();
            let help =
                format!("{}; any other key has its section before it: `topology.radius=5`", hint(key, &all));
            return Err(format!("`{text}`: there is no key `{key}` at the top of a scenario\nhelp: {help}"));
        }
        Ok(Self { key: key.into(), value: toml_value(value) })
    }

    /// Reads `key=value,value`.
    pub(crate) fn parse_many(text: &str) -> Result<Vec<Self>, String> {
        let (key, values) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` is not of the form KEY=VALUE,VALUE, as in `loss=0,0.1,0.2`"))?;
        let values: Vec<&str> = values.split(',').map(str::trim).collect();
        if values.contains(&"") {
            return Err(format!("`{text}`: a value is missing, as in `loss=0,0.1,0.2`"));
        }
        if let Some(twice) = (1..values.len()).find(|at| values[..*at].contains(&values[*at])) {
            return Err(format!("`{text}`: {} is there twice", values[twice]));
        }
        values.into_iter().map(|value| Self::parse(&format!("{key}={value}"))).collect()
    }

    /// The scenario's text with this value.
    pub(crate) fn apply(&self, file: &str, text: &str) -> Result<String, ScenarioError> {
        let broken = |message: String| {
            let help = "a key is written with the section before it, as in `topology.nodes=20`";
            ScenarioError::new(file, text, None, message, help.into())
        };
        let mut root: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            ScenarioError::new(
                file,
                text,
                error.span(),
                format!("this is no TOML: {}", error.message()),
                String::new(),
            )
        })?;
        let line = format!("value = {}", self.value);
        let parsed: toml::Table =
            line.parse().map_err(|_| broken(format!("{}: `{}` is no value", self.key, self.value)))?;
        let value = parsed["value"].clone();
        let mut parts: Vec<&str> = self.key.split('.').collect();
        let last = parts.pop().unwrap_or_default();
        let mut table = &mut root;
        for part in parts {
            let entry = table.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            // The first of several sections is meant.
            let section = match entry.is_array() {
                true => entry.as_array_mut().and_then(|sections| sections.first_mut()?.as_table_mut()),
                false => entry.as_table_mut(),
            };
            table = section.ok_or_else(|| broken(format!("{}: `{part}` is no section", self.key)))?;
        }
        // So that plain CoAP can be compared with whatever else the scenario says.
        if self.key == "protocol.security" && value.as_str() == Some("none") {
            table.retain(|key, _| !OF_DTLS.contains(&key));
        }
        let _before = table.insert(last.into(), value);
        Ok(root.to_string())
    }
}

/// A value as TOML has it: what is neither a number nor a truth is a text.
fn toml_value(text: &str) -> String {
    let plain = text == "true" || text == "false" || text.parse::<f64>().is_ok_and(f64::is_finite);
    if plain || text.starts_with(['"', '[']) { text.into() } else { format!("{text:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_set_in_their_sections() {
        let text = "duration = \"1h\"\n[topology]\nnodes = 3\n[[traffic]]\nperiod = \"60s\"\n";
        let apply = |setting: &str| {
            Settings::parse(setting).unwrap().apply("s", text).unwrap().parse::<toml::Table>().unwrap()
        };
        assert_eq!(apply("nodes=20")["topology"]["nodes"].as_integer(), Some(20));
        assert_eq!(apply("loss=0.25")["channel"]["loss"].as_float(), Some(0.25));
        assert_eq!(apply("duration=2h")["duration"].as_str(), Some("2h"));
        assert_eq!(apply("traffic.period=5s")["traffic"][0]["period"].as_str(), Some("5s"));
        assert!(
            Settings::parse("nodes").is_err()
                && Settings::parse("=3").is_err()
                && Settings::parse("a b=3").is_err()
        );
        assert_eq!(Settings::parse_many("loss=0,0.1").unwrap().len(), 2);
        assert!(Settings::parse("losss=0").unwrap_err().contains("perhaps `loss` is meant"));
        assert!(Settings::parse_many("loss=0,,1").unwrap_err().contains("missing"));
        assert!(Settings::parse_many("loss=0,1, 0").unwrap_err().contains("0 is there twice"));
        let text = "[protocol]\nblock = 64\ndtls = \"1.2\"\nsecurity = \"psk\"\n";
        let open = Settings::parse("security=none").unwrap().apply("s", text).unwrap();
        assert_eq!(open, "[protocol]\nblock = 64\nsecurity = \"none\"\n");
    }
}
