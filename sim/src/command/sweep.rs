//! `sweep`: many runs, one table.

use serde_json::{Map, Value, json};

use super::progress::Progress;
use super::{Failure, SweepArgs, line, run as running};
use crate::record::Kind;
use crate::scenario::Settings;
use crate::sweep::{Sweep, Table};

pub(super) fn run(args: &SweepArgs) -> Result<(), Failure> {
    let file = args.scenario.display().to_string();
    let text = running::changed(&file, running::read(&args.scenario)?, &args.set)?;
    let vary = args.vary.iter().map(|vary| Settings::parse_many(vary)).collect::<Result<Vec<_>, _>>();
    let vary = vary.map_err(Failure::new)?;
    let keys: Vec<&str> = vary.iter().filter_map(|values| Some(values.first()?.key.as_str())).collect();
    if let Some(twice) = (1..keys.len()).find(|at| keys[..*at].contains(&keys[*at])) {
        let key = keys[twice];
        return Err(Failure::new(format!(
            "`{key}` is varied twice\nhelp: give all its values at once, as in `--vary {key}=1,2`"
        )));
    }
    let out = args.out.as_deref().map(running::folder_for_results).transpose()?;
    let sweep = Sweep::new(&args.scenario, &text, &vary, args.first_seed, args.seeds)?;
    reach(&sweep)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut progress = Progress::new(args.quiet);
    let total = sweep.runs();
    let table = sweep.run(args.jobs.unwrap_or(cores).max(1), |done| {
        progress.show(done as f64 / total as f64, &format!("{done} of {total} runs"));
    });
    progress.end();
    let table = table.map_err(Failure::new)?;
    if let Some(out) = &out {
        out.write("sweep.csv", &table.csv())
            .and_then(|()| out.write("sweep.json", &format!("{:#}\n", as_json(&table))))
            .and_then(|()| out.write("sweep.html", &table.page()))
            .map_err(|error| Failure::new(format!("the report: {error}")))?;
    }
    if args.json { line(format!("{:#}", as_json(&table))) } else { tell(&table) }
}

/// Says before the work which settings have devices out of reach, as the first seed places them. A sweep may well look for
/// the end of a radio's range, so it is refused only if nobody can reach anybody in any of its networks.
fn reach(sweep: &Sweep) -> Result<(), Failure> {
    let mut warnings = Vec::new();
    let mut alone = 0;
    for number in 0..sweep.settings() {
        let (scenario, simulation) = sweep.first_run(number).map_err(Failure::new)?;
        let (lost, all) = (running::out_of_reach(&scenario, &simulation).len(), scenario.topology.devices());
        alone += usize::from(lost == usize::from(all));
        if lost > 0 {
            let setting = sweep.setting(number);
            warnings.push(format!("with {setting} {lost} of {all} devices cannot reach the border router"));
        }
    }
    if alone == sweep.settings() {
        let message = "no device can reach the border router, whatever the setting";
        return Err(Failure::new(format!("{message}\nhelp: {}", running::NEARER)));
    }
    const SHOWN: usize = 8;
    warnings.iter().take(SHOWN).for_each(|warning| eprintln!("warning: {warning}"));
    if warnings.len() > SHOWN {
        eprintln!("warning: and so in {} more settings", warnings.len() - SHOWN);
    }
    if !warnings.is_empty() {
        eprintln!("help: {}", running::NEARER);
    }
    Ok(())
}

fn as_json(table: &Table) -> Value {
    let rows: Vec<Value> = table
        .rows
        .iter()
        .map(|row| {
            let settings: Map<String, Value> =
                table.keys.iter().zip(&row.values).map(|(key, value)| (key.clone(), json!(value))).collect();
            let metrics: Map<String, Value> = row
                .metrics
                .iter()
                .map(|(name, estimate)| {
                    let value =
                        json!({ "mean": estimate.mean, "ci95": estimate.half_width, "runs": estimate.count });
                    (name.clone(), value)
                })
                .collect();
            json!({ "settings": settings, "hashes": row.hashes, "metrics": metrics })
        })
        .collect();
    json!({ "scenario": table.name, "seeds": table.seeds, "rows": rows })
}

fn tell(table: &Table) -> Result<(), Failure> {
    // What most people look at first, of the messages that this network is for.
    let has = |name: &str| table.rows.iter().any(|row| row.metrics.iter().any(|(other, _)| other == name));
    let kind = Kind::ALL.into_iter().find(|kind| has(&format!("{kind}.delivery")));
    let kind = kind.unwrap_or(Kind::Publication);
    let shown = [
        (format!("{kind}.delivery"), format!("{kind}s delivered")),
        (format!("{kind}.latency_p50_ms"), "median latency (ms)".to_owned()),
        ("device.energy_mean_j".to_owned(), "energy per device (J)".to_owned()),
    ];
    let keys = table.keys.iter().map(|key| format!("{key:<16}")).collect::<String>();
    let names = shown.iter().map(|(_, name)| format!("{name:>24}")).collect::<String>();
    line(format!("{keys}{names}"))?;
    for row in &table.rows {
        let values = row.values.iter().map(|value| format!("{value:<16}")).collect::<String>();
        let metrics = shown.iter().map(|(name, _)| {
            let found = row.metrics.iter().find(|(other, _)| other == name);
            let text = found.map_or("–".into(), |(_, estimate)| estimate.to_string());
            format!("{text:>24}")
        });
        line(format!("{values}{}", metrics.collect::<String>()))?;
    }
    line(table.legend())
}
