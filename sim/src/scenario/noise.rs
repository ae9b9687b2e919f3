//! Recorded noise.

use std::path::Path;

use sedge_time::Duration;

use super::ScenarioError;
use super::reader::Reader;
use crate::phy::Noise;

const LINE: &str = "a line is a level in dBm, as -95.5; what follows a comma is not looked at";

/// Reads a section `[channel.noise]`.
pub(super) fn read(reader: &Reader<'_>, folder: &Path) -> Result<Noise, ScenarioError> {
    let step = reader.or("step", Duration::from_millis(1))?;
    if step.as_micros() == 0 {
        return Err(reader.error("levels follow one another in no time", "for example `step = \"1ms\"`"));
    }
    let levels = match reader.find::<Vec<f64>>("levels")? {
        Some(levels) => levels.value,
        None => {
            let file = reader.need::<String>("file", "\"noise.csv\"")?;
            let text = std::fs::read_to_string(folder.join(&file.value))
                .map_err(|error| reader.wrong(&file, format!("cannot be read: {error}"), LINE))?;
            levels(&text).map_err(|message| reader.wrong(&file, message, LINE))?
        }
    };
    if levels.is_empty() || !levels.iter().all(|level| (-150.0..=30.0).contains(level)) {
        return Err(reader.error("levels of noise are from -150 to 30 dBm, and there is one at least", LINE));
    }
    reader.finish()?;
    Ok(Noise::Recorded { dbm: levels.iter().map(|&level| level as f32).collect(), step })
}

/// The first column of a CSV file; a line that begins with a letter is its head.
fn levels(text: &str) -> Result<Vec<f64>, String> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with(|first: char| first.is_ascii_alphabetic() || first == '#')
    });
    lines
        .map(|(number, line)| {
            let level = line.split(',').next().unwrap_or_default().trim();
            level.parse().map_err(|_| format!("line {number}: `{level}` is no level"))
        })
        .collect()
}

/// The text of the scenario with the levels that were read from a file.
pub(super) fn portable(noise: &Noise, text: &str) -> String {
    let (Noise::Recorded { dbm, .. }, Ok(mut root)) = (noise, text.parse::<toml::Table>()) else {
        return text.into();
    };
    let levels = dbm.iter().map(|&level| toml::Value::Float(level.into())).collect();
    let section = root.get_mut("channel").and_then(|channel| channel.get_mut("noise"));
    if let Some(toml::Value::Table(section)) = section {
        let _file = section.remove("file");
        let _before = section.insert("levels".into(), toml::Value::Array(levels));
    }
    root.to_string()
}

#[cfg(test)]
mod tests {
    use crate::scenario::Scenario;

    const TEXT: &str = "duration = \"1h\"\n[topology]\nnodes = 2\n[radio]\nprofile = \"nrf52840\"\nclock-ppm = 40\n\
        switching = \"130us\"\n[channel.noise]\nstep = \"2ms\"\n";

    #[test]
    fn a_recording_is_read_from_a_file_and_goes_along_with_the_results() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("noise.csv"), "dbm,note\n-91.5,quiet\n\n-60,a burst\n").unwrap();
        let text = format!("{TEXT}file = \"noise.csv\"\n");
        let scenario = Scenario::read("s.toml", &text, folder.path()).unwrap();
        let portable = scenario.portable(&text);
        assert!(portable.contains("-91.5") && !portable.contains("noise.csv"), "{portable}");
        let again = Scenario::parse("s.toml", &portable).unwrap();
        let run = |scenario: &Scenario| {
            let mut simulation = scenario.builder(3).build().unwrap();
            simulation.run_for(sedge_time::Duration::from_secs(30));
            simulation.hash()
        };
        assert_eq!(run(&scenario), run(&again));
        let quiet = Scenario::parse("s.toml", &portable.replace("-60", "-90")).unwrap();
        assert_ne!(run(&scenario), run(&quiet), "the burst is heard");
    }

    #[test]
    fn what_is_no_recording_is_refused() {
        for (levels, said) in [("levels = []", "one at least"), ("levels = [400.0]", "-150 to 30 dBm")] {
            let error = Scenario::parse("s.toml", &format!("{TEXT}{levels}\n")).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("noise.csv"), "-91.5\n--\n").unwrap();
        let error =
            Scenario::read("s.toml", &format!("{TEXT}file = \"noise.csv\"\n"), folder.path()).unwrap_err();
        assert!(error.to_string().contains("line 2: `--` is no level"), "{error}");
    }
}
