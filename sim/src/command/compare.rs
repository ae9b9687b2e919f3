//! `compare`: two runs side by side.

use serde_json::{Map, Value, json};

use super::saved::Saved;
use super::{CompareArgs, Failure, line};
use crate::report::plot::number;

pub(super) fn run(args: &CompareArgs) -> Result<(), Failure> {
    let (one, other) = (Saved::open(&args.one)?, Saved::open(&args.other)?);
    let metrics = |saved: &Saved| saved.summary["metrics"].as_object().cloned().unwrap_or_default();
    let (first, second) = (metrics(&one), metrics(&other));
    let mut names: Vec<&String> = first.keys().chain(second.keys()).collect();
    names.sort();
    names.dedup();
    let value = |metrics: &Map<String, Value>, name: &String| metrics.get(name).and_then(Value::as_f64);
    let same = one.hash == other.hash;
    if args.json {
        let differences: Map<String, Value> = names
            .iter()
            .map(|name| ((*name).clone(), json!([value(&first, name), value(&second, name)])))
            .collect();
        return line(format!(
            "{:#}",
            json!({ "same": same, "hashes": [one.hash, other.hash], "metrics": differences })
        ));
    }
    line(format!(
        "  {}: {}, seed {}, {}",
        args.one.display(),
        one.scenario.name,
        one.seed,
        &one.hash[..12.min(one.hash.len())]
    ))?;
    line(format!(
        "  {}: {}, seed {}, {}",
        args.other.display(),
        other.scenario.name,
        other.seed,
        &other.hash[..12.min(other.hash.len())]
    ))?;
    if same {
        return line("the same run to the bit");
    }
    line(format!("{:<32} {:>12} {:>12} {:>10}", "", "first", "second", "change"))?;
    let shown = |value: Option<f64>| value.map_or("–".into(), number);
    for name in names {
        let (a, b) = (value(&first, name), value(&second, name));
        let change = match (a, b) {
            (Some(a), Some(b)) if a == b => "=".into(),
            (Some(a), Some(b)) if a != 0.0 => format!("{:+.1} %", (b / a - 1.0) * 100.0),
            _ => String::new(),
        };
        line(format!("{name:<32} {:>12} {:>12} {change:>10}", shown(a), shown(b)))?;
    }
    Ok(())
}
