//! Errors as a person meets them: one line that says what to do, and an exit status.

use std::fmt::Display;
use std::process::ExitCode;

use clap::error::ErrorKind;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Nothing if there is nothing to say.
    message: Option<String>,
    status: u8,
}

/// The command could not do what it was asked.
const FAILED: u8 = 1;
/// The command was asked wrongly.
const USAGE: u8 = 2;
/// What was looked at has faults.
const FAULTS: u8 = 3;
/// 128 and the number of the signal, as shells count.
const INTERRUPTED: u8 = 130;

impl Failure {
    /// The command could not do what it was asked.
    pub(crate) fn new(message: impl Display) -> Self {
        Self { message: Some(message.to_string()), status: FAILED }
    }

    /// The command was asked wrongly.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self { message: Some(message.to_string()), status: USAGE }
    }

    /// Everything was said already.
    pub(crate) const fn silent() -> Self {
        Self { message: None, status: FAILED }
    }

    /// It was done, and has shown faults.
    pub(crate) const fn faults() -> Self {
        Self { message: None, status: FAULTS }
    }

    /// The user has ended it.
    pub(crate) const fn interrupted() -> Self {
        Self { message: None, status: INTERRUPTED }
    }

    /// Prints the line and gives the exit status.
    pub(crate) fn report(&self) -> ExitCode {
        if let Some(message) = &self.message {
            eprintln!("sedge: {}", one_line(message));
        }
        ExitCode::from(self.status)
    }
}

impl<T: std::error::Error> From<T> for Failure {
    fn from(error: T) -> Self {
        Self::new(error)
    }
}

/// Prints what the argument parser has to say: help as it is, an error as one line.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let shows = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if shows {
        // A reader who has gone away has seen enough.
        let _printed = error.print();
        return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
    }
    let text = error.render().to_string();
    let (problem, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
    let tips = rest.lines().map(str::trim).filter_map(|line| line.strip_prefix("tip: "));
    let usage = rest.lines().find_map(|line| line.trim().strip_prefix("Usage: "));
    let command = usage.map_or_else(|| "sedge".into(), command_of);
    let problem = one_line(problem.trim_start_matches("error: "));
    let tips: String = tips.map(|tip| format!("; {tip}")).collect();
    Failure::usage(format!("{problem}{tips} (`{command} --help` tells more)")).report()
}

/// The words of a usage line that name the command.
fn command_of(usage: &str) -> String {
    let is_name = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase());
    usage.split(' ').take_while(is_name).collect::<Vec<_>>().join(" ")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
