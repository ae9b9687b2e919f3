//! Whether a device may do something, with as many rules and devices as a large site has.

use std::hint::black_box;
use std::sync::Arc;

use sedge_access::{
    Bridge, Definition, Grant, Grants, Permissions, Policy, Role, Segment, Subject, TopicPattern, Verb,
};
use sedge_bench_allocations::count;
use sedge_time::Instant;

use crate::Settings;
use crate::cpu::{Samples, cpu_seconds};
use crate::report::{Better, Goal, Report, Row};

const PART: &str = "access";
const RULES: usize = 10_000;
const DEVICES: usize = 100_000;
const PLANTS: usize = 500;
const ROLES: usize = 100;
/// Grants of each role: what is left of the rules beside a segment and a bridge for each plant.
const GRANTS: usize = (RULES - 2 * PLANTS) / ROLES;

/// A device, what it wants, and of which topic.
type Question = (Arc<Subject>, Verb, String);

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let site = site()?;
    let all = Role { name: "all".into(), grants: every_grant(&site)? };
    let all = compile(Definition { roles: vec![all], ..Definition::default() })?;
    let policy = compile(site)?;
    let devices = devices()?;
    let mut bench = Bench { settings, rows: &mut report.rows };
    bench.case("decide, 100 roles, 500 segments and bridges", &policy, &questions(&devices, 0));
    bench.case("decide, about another plant", &policy, &questions(&devices, 1));
    // All rules in one role, which everyone has.
    let everyone = Arc::new(Subject::device("device", &Grants::none()).in_roles(["all"]));
    let theirs = questions(&devices, 0).into_iter().map(|(_, verb, topic)| (everyone.clone(), verb, topic));
    bench.case("decide, all rules in one role", &all, &theirs.collect::<Vec<_>>());
    Ok(())
}

struct Bench<'a> {
    settings: &'a Settings,
    rows: &'a mut Vec<Row>,
}

impl Bench<'_> {
    fn case(&mut self, what: &str, policy: &Policy, questions: &[Question]) {
        let rounds = if self.settings.quick { 1 } else { 10 };
        let mut samples = Samples::default();
        // Once to warm up, and then the repetitions that count.
        for repetition in 0..=self.settings.repetitions(15) {
            let seconds = cpu_seconds(|| {
                for (subject, verb, topic) in (0..rounds).flat_map(|_| questions) {
                    let decision = policy.decide(Instant::EPOCH, black_box(subject), *verb, black_box(topic));
                    black_box(decision.is_allowed());
                }
            });
            if repetition > 0 {
                samples.push(seconds * 1e9 / (rounds * questions.len()) as f64);
            }
        }
        let (allowed, allocations) = count(|| {
            let allowed = |(subject, verb, topic): &&Question| {
                policy.decide(Instant::EPOCH, subject, *verb, topic).is_allowed()
            };
            questions.iter().filter(allowed).count()
        });
        let share = allowed * 100 / questions.len();
        let row = Row::figure(PART, what, "ns", Better::Lower, samples.median());
        self.rows.push(
            row.goal(Goal::AtMost(1000.0))
                .note(format!("{RULES} rules, {DEVICES} devices in turn; {share} % are told yes")),
        );
        let what = format!("{what}, allocations");
        let row = Row::figure(PART, what, "", Better::Lower, allocations.count as f64);
        self.rows.push(row.goal(Goal::AtMost(0.0)));
    }
}

fn compile(definition: Definition) -> Result<Policy, String> {
    Policy::new(definition).map_err(|error| error.to_string())
}

fn pattern(text: &str) -> Result<TopicPattern, String> {
    TopicPattern::new(text).map_err(|error| error.to_string())
}

/// Plants with their segments, bridges to the next one, and roles for some lines of some plants each.
fn site() -> Result<Definition, String> {
    let grant = |role: usize, number: usize| {
        let plant = (role + number * ROLES) % PLANTS;
        let (text, permissions) = match number % 4 {
            0 => (format!("plant/{plant}/line/{number}/#"), Permissions::READ),
            1 => (format!("plant/{plant}/line/+/temp"), Permissions::READ),
            2 => (format!("plant/{plant}/line/{number}/valve"), Permissions::PUBLISH),
            _ => (format!("plant/{plant}/+/{number}/alarm"), Permissions::PUBLISH | Permissions::READ),
        };
        Ok(Grant { pattern: pattern(&text)?, permissions })
    };
    let role = |number| {
        let grants = (0..GRANTS).map(|at| grant(number, at)).collect::<Result<Grants, String>>()?;
        Ok(Role { name: format!("role-{number}"), grants })
    };
    let segment = |plant| Segment { name: format!("plant-{plant}"), topics: vec![format!("plant/{plant}")] };
    let bridge = |plant| Bridge {
        from: format!("plant-{plant}"),
        to: format!("plant-{}", (plant + 1) % PLANTS),
        both: false,
        topics: vec![TopicPattern::everything()],
        permissions: Permissions::READ,
    };
    Ok(Definition {
        roles: (0..ROLES).map(role).collect::<Result<_, String>>()?,
        segments: (0..PLANTS).map(segment).collect(),
        bridges: (0..PLANTS).map(bridge).collect(),
    })
}

/// The grants of all roles, and two more for each plant.
fn every_grant(site: &Definition) -> Result<Grants, String> {
    let of_plant = |plant: usize| ["status", "+/alarm"].map(|name| format!("plant/{plant}/{name}"));
    let more = (0..PLANTS)
        .flat_map(of_plant)
        .map(|text| Ok(Grant { pattern: pattern(&text)?, permissions: Permissions::READ }));
    site.roles.iter().flat_map(|role| role.grants.list().iter().cloned().map(Ok)).chain(more).collect()
}

/// Devices with grants of their own, three roles and a segment each.
fn devices() -> Result<Vec<Arc<Subject>>, String> {
    let device = |number: usize| {
        let plant = number % PLANTS;
        let own = Grants::none()
            .with(pattern(&format!("plant/{plant}/device/{number}/+"))?, Permissions::PUBLISH)
            .with(pattern(&format!("plant/{plant}/device/{number}/config"))?, Permissions::READ);
        let roles = [number, number + 7, number + 31].map(|role| format!("role-{}", role % ROLES));
        let subject = Subject::device(&format!("device-{number}"), &own)
            .in_roles(roles.iter().map(String::as_str))
            .in_segment(Some(&format!("plant-{plant}")));
        Ok(Arc::new(subject))
    };
    (0..DEVICES).map(device).collect()
}

/// One question of each device, about its own plant or the one so many further on.
fn questions(devices: &[Arc<Subject>], further: usize) -> Vec<Question> {
    let question = |(number, device): (usize, &Arc<Subject>)| {
        let plant = (number + further) % PLANTS;
        // The number of a grant that one of its roles has of this plant.
        let line = (PLANTS + plant - number % ROLES) % PLANTS / ROLES;
        let (verb, topic) = match number % 3 {
            0 => (Verb::Publish, format!("plant/{plant}/device/{number}/temp")),
            1 => (Verb::Read, format!("plant/{plant}/line/{line}/temp")),
            _ => (Verb::Publish, format!("plant/{plant}/line/{}/valve", line + 20)),
        };
        (device.clone(), verb, topic)
    };
    devices.iter().enumerate().map(question).collect()
}
