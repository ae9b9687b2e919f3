//! `sedge access`: who may do what, and why.

use std::path::PathBuf;

use clap::Subcommand;
use sedge_access::{Definition, Grants, Verb};
use sedge_broker::admin::{AccessAnswer, AccessQuestion, AdminReply, AdminRequest};
use sedge_broker::config::Config;
use serde_json::{Value as Json, json};

use crate::admin::{Which, unexpected};
use crate::failure::Failure;
use crate::output::{self, Style, count};

const EXAMPLES: &str = "\
Examples:
    sedge access explain boiler-7 publish site/7/temp --data ./broker
    sedge access test who-may-what.csv --data ./broker
    sedge access test who-may-what.csv --config new.toml --data ./broker
    sedge access show --data ./broker
    sedge access reload --as admin.toml";

const EXPLAIN: &str = "\
Examples:
    sedge access explain boiler-7 publish site/7/temp --data ./broker
    sedge access explain display subscribe site/7/temp --as admin.toml --json

Each rule that spoke stands on a line of its own: + for, - against. Something is allowed if a
grant is for it, and the segments are. Exit status: 0 yes, 3 no, 1 it could not be found out.";

const TEST: &str = "\
The file has a line for each expectation, with commas between; empty lines and those that begin
with # mean nothing:

    # device, verb, topic, expected
    boiler-7, publish,   site/7/temp,  yes
    boiler-7, publish,   site/8/temp,  no
    display,  subscribe, control/pump, no: other-segment

After `no:` may stand why: no-grant, lacks-verb, other-segment, not-a-topic or no-device.
Verbs: publish, subscribe (or read), delete, configure.

Examples:
    sedge access test who-may-what.csv --data ./broker
    sedge access test who-may-what.csv --config new.toml --data ./broker    # before it is put in force

Exit status: 0 all as expected, 3 something is otherwise, 1 it could not be found out.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say whether a device may do something, and why, rule by rule
    #[command(after_help = EXPLAIN)]
    Explain(Explain),
    /// Hold a table of expectations against the rules
    #[command(after_help = TEST)]
    Test(Test),
    /// List roles, segments and bridges in force
    #[command(after_help = "Example:\n    sedge access show --data ./broker")]
    Show(Rulebook),
    /// Have a running broker read roles, segments and bridges again from its configuration file
    #[command(after_help = "Example:\n    sedge access reload --data ./broker")]
    Reload(Rulebook),
}

#[derive(Debug, clap::Args)]
struct Explain {
    /// The device's name
    device: String,
    /// What it wants to do: publish, subscribe (or read), delete, configure
    verb: String,
    /// The topic's name
    topic: String,
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Test {
    /// The table of expectations
    file: PathBuf,
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Rules {
    /// Go by the roles, segments and bridges of this configuration file, instead of those in force
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Rulebook {
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// So many questions are asked at once.
const AT_ONCE: usize = 200;

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Explain(args) => explain(args).await,
        Command::Test(args) => test(args).await,
        Command::Show(args) => rules(args, AdminRequest::AccessShow).await,
        Command::Reload(args) => rules(args, AdminRequest::AccessReload).await,
    }
}

async fn explain(args: Explain) -> Result<(), Failure> {
    let verb: Verb =
        args.verb.parse().map_err(|error| Failure::usage(format!("`{}`: {error}", args.verb)))?;
    let question = AccessQuestion { device: args.device, verb: verb.as_str().into(), topic: args.topic };
    let answers = ask(&args.which, &args.rules, std::slice::from_ref(&question)).await?;
    let answer = answers.first().ok_or_else(unexpected)?;
    output::line(if args.json {
        in_json(&question, answer).to_string()
    } else {
        in_words(&question, answer)
    })?;
    if answer.allowed { Ok(()) } else { Err(Failure::faults()) }
}

async fn test(args: Test) -> Result<(), Failure> {
    let text = std::fs::read_to_string(&args.file)
        .map_err(|error| Failure::new(format!("{}: {error}", args.file.display())))?;
    let expectations =
        table(&text).map_err(|what| Failure::new(format!("{}: {what}", args.file.display())))?;
    let questions: Vec<_> = expectations.iter().map(|expectation| expectation.question.clone()).collect();
    let answers = ask(&args.which, &args.rules, &questions).await?;
    let judged: Vec<_> = expectations.iter().zip(&answers).collect();
    let wrong: Vec<_> = judged.iter().filter(|(expectation, answer)| !expectation.is_met(answer)).collect();
    if args.json {
        let results = judged.iter().map(|(expectation, answer)| {
            let mut json = in_json(&expectation.question, answer);
            json["line"] = json!(expectation.line);
            json["expected"] = json!(expectation.expected());
            json["as_expected"] = json!(expectation.is_met(answer));
            json
        });
        output::line(json!({
            "expectations": judged.len(),
            "failures": wrong.len(),
            "results": results.collect::<Json>(),
        }))?;
    } else {
        let style = Style::stdout();
        for (expectation, answer) in &wrong {
            let place = format!("{}:{}", args.file.display(), expectation.line);
            output::line(format_args!("{}: expected {}, but:", style.bold(place), expectation.expected()))?;
            output::line(in_words(&expectation.question, answer))?;
        }
        let all = count(judged.len() as u64, "expectation");
        output::line(match wrong.len() {
            0 => style.green(format_args!("{all}, all met")),
            wrong => style.red(format_args!("{all}, {wrong} not met")),
        })?;
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::faults()) }
}

async fn ask(
    which: &Which,
    rules: &Rules,
    questions: &[AccessQuestion],
) -> Result<Vec<AccessAnswer>, Failure> {
    let definition = match &rules.config {
        Some(file) => Some(Config::read(file)?.access()),
        None => None,
    };
    let mut admin = which.connect().await?;
    let mut all = Vec::with_capacity(questions.len());
    for some in questions.chunks(AT_ONCE) {
        let request = AdminRequest::AccessExplain(some.to_vec(), definition.clone());
        let AdminReply::Access(answers) = admin.call(request).await? else { return Err(unexpected()) };
        if answers.len() != some.len() {
            return Err(unexpected());
        }
        all.extend(answers);
    }
    admin.close().await;
    Ok(all)
}

async fn rules(args: Rulebook, request: AdminRequest) -> Result<(), Failure> {
    let mut admin = args.which.connect().await?;
    let AdminReply::AccessRules(rules) = admin.call(request).await? else { return Err(unexpected()) };
    admin.close().await;
    output::line(if args.json { rules_in_json(&rules).to_string() } else { rules_in_words(&rules) })
}

/// A line of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Expectation {
    line: usize,
    question: AccessQuestion,
    allowed: bool,
    cause: Option<String>,
}

impl Expectation {
    fn is_met(&self, answer: &AccessAnswer) -> bool {
        let cause = self.cause.as_ref().is_none_or(|cause| answer.cause.as_ref() == Some(cause));
        answer.allowed == self.allowed && cause
    }

    fn expected(&self) -> String {
        match (&self.cause, self.allowed) {
            (_, true) => "yes".into(),
            (None, false) => "no".into(),
            (Some(cause), false) => format!("no: {cause}"),
        }
    }
}

const CAUSES: [&str; 5] = ["no-grant", "lacks-verb", "other-segment", "not-a-topic", "no-device"];

/// Reads a table of expectations, or says what is wrong in which line.
fn table(text: &str) -> Result<Vec<Expectation>, String> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let meant = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let expectations: Result<Vec<_>, _> = meant
        .map(|(number, line)| expectation(number, line).map_err(|what| format!("line {number}: {what}")))
        .collect();
    match expectations?.as_slice() {
        [] => Err("there is no expectation in it".into()),
        some => Ok(some.to_vec()),
    }
}

fn expectation(line: usize, text: &str) -> Result<Expectation, String> {
    let shape = "a line is `device, verb, topic, yes` or `..., no`";
    // Names of topics may have commas.
    let (device, rest) = text.split_once(',').ok_or(shape)?;
    let (verb, rest) = rest.split_once(',').ok_or(shape)?;
    let (topic, expected) = rest.rsplit_once(',').ok_or(shape)?;
    let verb: Verb = verb.trim().parse().map_err(|error| format!("`{}`: {error}", verb.trim()))?;
    let (word, cause) = match expected.split_once(':') {
        Some((word, cause)) => (word.trim(), Some(cause.trim())),
        None => (expected.trim(), None),
    };
    let allowed = match (word, cause) {
        ("yes", None) => true,
        ("no", _) => false,
        _ => return Err(format!("`{}`: expected is `yes`, `no`, or `no: REASON`", expected.trim())),
    };
    if let Some(cause) = cause.filter(|cause| !CAUSES.contains(cause)) {
        return Err(format!("`{cause}` is none of the reasons {}", CAUSES.join(", ")));
    }
    let question = AccessQuestion {
        device: device.trim().into(),
        verb: verb.as_str().into(),
        topic: topic.trim().into(),
    };
    Ok(Expectation { line, question, allowed, cause: cause.map(Into::into) })
}

fn in_words(question: &AccessQuestion, answer: &AccessAnswer) -> String {
    let style = Style::stdout();
    let AccessQuestion { device, verb, topic } = question;
    let verdict = match &answer.cause {
        None => format!("{}: {device} may {verb} {topic}", style.green("yes")),
        Some(cause) => format!("{}: {device} may not {verb} {topic} ({cause})", style.red("no")),
    };
    let rule = |rule: &sedge_broker::admin::AccessRule| match rule.allows {
        true => format!("  {} {}", style.green("+"), rule.text),
        false => format!("  {} {}", style.red("-"), rule.text),
    };
    std::iter::once(verdict).chain(answer.rules.iter().map(rule)).collect::<Vec<_>>().join("\n")
}

fn in_json(question: &AccessQuestion, answer: &AccessAnswer) -> Json {
    let rule = |rule: &sedge_broker::admin::AccessRule| json!({ "allows": rule.allows, "kind": rule.kind, "text": rule.text });
    json!({
        "device": question.device,
        "verb": question.verb,
        "topic": question.topic,
        "allowed": answer.allowed,
        "reason": answer.cause,
        "rules": answer.rules.iter().map(rule).collect::<Json>(),
    })
}

fn rules_in_words(rules: &Definition) -> String {
    let style = Style::stdout();
    let mut lines = Vec::new();
    for role in &rules.roles {
        lines.push(format!("role {}", style.bold(&role.name)));
        lines
            .extend(granted(&role.grants).map(|(permissions, pattern)| format!("  {permissions} {pattern}")));
    }
    for segment in &rules.segments {
        lines.push(format!("segment {}", style.bold(&segment.name)));
        lines.extend(segment.topics.iter().map(|prefix| format!("  {prefix}")));
    }
    for (number, bridge) in rules.bridges.iter().enumerate() {
        let arrow = if bridge.both { "<->" } else { "->" };
        let ends = style.bold(format_args!("{} {arrow} {}", bridge.from, bridge.to));
        let topics: Vec<_> = bridge.topics.iter().map(|pattern| pattern.as_str()).collect();
        lines.push(format!("bridge {number} {ends}\n  {} {}", bridge.permissions, topics.join(" ")));
    }
    if lines.is_empty() {
        return "There are no roles, segments or bridges: what a device is granted itself decides.".into();
    }
    lines.join("\n")
}

fn rules_in_json(rules: &Definition) -> Json {
    json!({
        "roles": rules.roles.iter().map(|role| json!({ "name": role.name, "grants": grants_in_json(&role.grants) })).collect::<Json>(),
        "segments": rules.segments.iter().map(|it| json!({ "name": it.name, "topics": it.topics })).collect::<Json>(),
        "bridges": rules.bridges.iter().map(|bridge| json!({
            "from": bridge.from,
            "to": bridge.to,
            "both": bridge.both,
            "permissions": bridge.permissions.to_string(),
            "topics": bridge.topics.iter().map(|pattern| pattern.as_str()).collect::<Json>(),
        })).collect::<Json>(),
    })
}

/// What is granted, as an array.
pub(super) fn grants_in_json(grants: &Grants) -> Json {
    granted(grants)
        .map(|(permissions, pattern)| json!({ "permissions": permissions, "topics": pattern }))
        .collect()
}

/// What is granted: permissions, each with a pattern.
pub(super) fn granted(grants: &Grants) -> impl Iterator<Item = (String, &str)> {
    grants.list().iter().map(|grant| (grant.permissions.to_string(), grant.pattern.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_and_its_mistakes_are_shown_with_their_lines() {
        let text = "# who, what, where\n\n t1 , subscribe , a/b,c , yes\nt2,publish,a,no: lacks-verb\n";
        let read = table(text).unwrap();
        let question = |device: &str, verb: &str, topic: &str| AccessQuestion {
            device: device.into(),
            verb: verb.into(),
            topic: topic.into(),
        };
        assert_eq!(read[0].question, question("t1", "read", "a/b,c"));
        assert_eq!((read[0].line, read[0].expected().as_str()), (3, "yes"));
        assert_eq!(read[1].question, question("t2", "publish", "a"));
        assert_eq!((read[1].line, read[1].expected().as_str()), (4, "no: lacks-verb"));
        for (text, hint) in [
            ("", "no expectation"),
            ("# nothing", "no expectation"),
            ("t1, read, a", "line 1: a line is"),
            ("\nt1, fly, a, yes", "line 2: `fly`"),
            ("t1, read, a, maybe", "line 1: `maybe`"),
            ("t1, read, a, yes: no-grant", "line 1:"),
            ("t1, read, a, no: because", "`because` is none of the reasons no-grant"),
        ] {
            let message = table(text).unwrap_err();
            assert!(message.contains(hint), "{text}: {message}");
        }
    }

    #[test]
    fn an_expectation_may_leave_the_reason_open() {
        let no = |cause: &str| AccessAnswer { allowed: false, cause: Some(cause.into()), rules: Vec::new() };
        let yes = AccessAnswer { allowed: true, cause: None, rules: Vec::new() };
        let expected = |text: &str| expectation(1, &format!("t, read, a, {text}")).unwrap();
        assert!(expected("yes").is_met(&yes) && !expected("yes").is_met(&no("no-grant")));
        assert!(expected("no").is_met(&no("no-grant")) && !expected("no").is_met(&yes));
        assert!(expected("no: no-grant").is_met(&no("no-grant")));
        assert!(!expected("no: no-grant").is_met(&no("other-segment")));
    }
}
