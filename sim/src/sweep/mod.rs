//! Many runs of one scenario, with other settings and other seeds, on all cores.
//!
//! Each run has one thread to itself, so the results do not depend on how many there are.

mod estimate;
mod page;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use sedge_time::Instant;

pub(crate) use estimate::Estimate;

use crate::report::Run;
use crate::scenario::{Scenario, ScenarioError, Settings};
use crate::simulation::Simulation;

/// What is to be run.
pub(crate) struct Sweep {
    name: String,
    folder: PathBuf,
    file: String,
    keys: Vec<String>,
    /// The values of the keys, and the scenario that has them.
    settings: Vec<(Vec<String>, String)>,
    first_seed: u64,
    seeds: u32,
}

/// What came of it.
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) keys: Vec<String>,
    pub(crate) seeds: u32,
    pub(crate) rows: Vec<Row>,
}

/// The runs of one setting.
pub(crate) struct Row {
    pub(crate) values: Vec<String>,
    /// The fingerprints of the runs, by seed.
    pub(crate) hashes: Vec<String>,
    pub(crate) metrics: Vec<(String, Estimate)>,
}

/// One run that is over.
#[derive(Clone, Default)]
struct Outcome {
    hash: String,
    metrics: Vec<(String, f64)>,
}

impl Sweep {
    /// Every combination of the values, each with so many seeds.
    pub(crate) fn new(
        path: &Path,
        text: &str,
        vary: &[Vec<Settings>],
        first_seed: u64,
        seeds: u32,
    ) -> Result<Self, ScenarioError> {
        let file = path.display().to_string();
        let folder = path.parent().unwrap_or(Path::new(".")).to_path_buf();
        let name = Scenario::read(&file, text, &folder)?.name;
        let mut settings = vec![(Vec::new(), text.to_owned())];
        for values in vary {
            let mut next = Vec::with_capacity(settings.len() * values.len());
            for (known, text) in &settings {
                for value in values {
                    let all: Vec<String> =
                        known.iter().cloned().chain([value.value.trim_matches('"').to_owned()]).collect();
                    next.push((all, value.apply(&file, text)?));
                }
            }
            settings = next;
        }
        let keys = vary.iter().filter_map(|values| Some(values.first()?.key.clone())).collect();
        let sweep = Self { name, folder, file, keys, settings, first_seed, seeds };
        // What is wrong is found before anything is run.
        for setting in 0..sweep.settings.len() {
            let _possible = sweep.scenario(setting)?;
        }
        Ok(sweep)
    }

    /// A setting in words.
    pub(crate) fn setting(&self, number: usize) -> String {
        let (values, _) = &self.settings[number];
        let pairs = self.keys.iter().zip(values).map(|(key, value)| format!("{key}={value}"));
        pairs.collect::<Vec<_>>().join(" ")
    }

    /// How many settings there are.
    pub(crate) fn settings(&self) -> usize {
        self.settings.len()
    }

    /// The scenario of a setting.
    pub(crate) fn scenario(&self, number: usize) -> Result<Scenario, ScenarioError> {
        let file = format!("{} ({})", self.file, self.setting(number));
        Scenario::read(&file, &self.settings[number].1, &self.folder)
    }

    /// The first run of a setting, which has not begun.
    pub(crate) fn first_run(&self, number: usize) -> Result<(Scenario, Simulation), String> {
        let scenario = self.scenario(number).map_err(|error| error.to_string())?;
        let simulation = scenario.builder(self.first_seed).build().map_err(|error| error.to_string())?;
        Ok((scenario, simulation))
    }

    /// How many runs it takes.
    pub(crate) fn runs(&self) -> usize {
        self.settings.len() * self.seeds as usize
    }

    /// Runs everything, so much at once.
    pub(crate) fn run(&self, jobs: usize, mut progress: impl FnMut(usize)) -> Result<Table, String> {
        let total = self.runs();
        let next = AtomicUsize::new(0);
        let outcomes = Mutex::new(vec![Outcome::default(); total]);
        let (done, news) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..jobs.min(total) {
                let (done, next, outcomes) = (done.clone(), &next, &outcomes);
                let _worker = scope.spawn(move || {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= total {
                            break;
                        }
                        let outcome = self.one(index / self.seeds as usize, index % self.seeds as usize);
                        let failed = outcome.as_ref().err().cloned();
                        if let (Ok(outcome), Ok(mut outcomes)) = (outcome, outcomes.lock()) {
                            outcomes[index] = outcome;
                        }
                        // Nobody listens any more after a failure.
                        let _heard = done.send(failed);
                    }
                });
            }
            drop(done);
            for (count, failed) in (1..).zip(news) {
                if let Some(failed) = failed {
                    next.store(total, Ordering::Relaxed);
                    return Err(failed);
                }
                progress(count);
            }
            Ok(())
        })?;
        let outcomes = outcomes.into_inner().map_err(|_| "a run has panicked".to_owned())?;
        let rows =
            self.settings.iter().zip(outcomes.chunks(self.seeds as usize)).map(|((values, _), outcomes)| {
                Row {
                    values: values.clone(),
                    hashes: outcomes.iter().map(|outcome| outcome.hash.clone()).collect(),
                    metrics: estimates(outcomes),
                }
            });
        Ok(Table {
            name: self.name.clone(),
            keys: self.keys.clone(),
            seeds: self.seeds,
            rows: rows.collect(),
        })
    }

    fn one(&self, setting: usize, seed: usize) -> Result<Outcome, String> {
        let scenario = self.scenario(setting).map_err(|error| error.to_string())?;
        let seed = self.first_seed.wrapping_add(seed as u64);
        let mut simulation = scenario.builder(seed).build().map_err(|error| error.to_string())?;
        simulation.run_until(Instant::EPOCH + scenario.duration);
        let run = Run::new(&scenario, seed, &simulation);
        Ok(Outcome { hash: run.hash(), metrics: run.metrics() })
    }
}

/// The means over all runs that have a metric.
fn estimates(outcomes: &[Outcome]) -> Vec<(String, Estimate)> {
    let mut names: Vec<&String> =
        outcomes.iter().flat_map(|outcome| outcome.metrics.iter().map(|(name, _)| name)).collect();
    names.sort();
    names.dedup();
    let values = |name: &String| -> Vec<f64> {
        let of = |outcome: &Outcome| {
            outcome.metrics.iter().find(|(other, _)| other == name).map(|(_, value)| *value)
        };
        outcomes.iter().filter_map(of).collect()
    };
    names.into_iter().map(|name| (name.clone(), Estimate::of(&values(name)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_core_and_two_give_the_same_table() {
        let text = "duration = \"2min\"\n[topology]\nnodes = 2\n[[traffic]]\nperiod = \"10s\"\n";
        let vary = [Settings::parse_many("loss=0,0.2").unwrap(), Settings::parse_many("nodes=1,3").unwrap()];
        let sweep = Sweep::new(Path::new("s.toml"), text, &vary, 1, 3).unwrap();
        let tables = [1, 2].map(|jobs| {
            let mut counted = 0;
            let table = sweep.run(jobs, |done| counted = done).unwrap();
            assert_eq!(counted, 12);
            table
        });
        let hashes = |table: &Table| table.rows.iter().flat_map(|row| row.hashes.clone()).collect::<Vec<_>>();
        assert_eq!(hashes(&tables[0]), hashes(&tables[1]));
        assert_eq!(tables[0].csv(), tables[1].csv());
        let mut all = hashes(&tables[0]);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 12, "no two runs are the same");
        let delivery = |row: usize| {
            tables[0].rows[row].metrics.iter().find(|(name, _)| name == "publication.delivery").unwrap().1
        };
        assert_eq!((delivery(0).mean, delivery(0).half_width), (1.0, 0.0));
        assert!(tables[0].page().contains("channel.loss"));
    }
}
