//! What is wrong with a scenario, and where.

use std::fmt;
use std::ops::Range;

/// Why a scenario cannot be run: file, line, what is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    file: String,
    /// Line and column from 1, and the line itself; none if the file as a whole is meant.
    place: Option<(usize, usize, usize, String)>,
    message: String,
    help: String,
}

impl ScenarioError {
    pub(super) fn new(
        file: &str,
        text: &str,
        span: Option<Range<usize>>,
        message: String,
        help: String,
    ) -> Self {
        let place = span.map(|span| {
            let start = span.start.min(text.len());
            let before = text.get(..start).unwrap_or(text);
            let begin = before.rfind('\n').map_or(0, |at| at + 1);
            let line = text.get(begin..).unwrap_or_default().lines().next().unwrap_or_default();
            let column = before.get(begin..).unwrap_or_default().chars().count();
            let marked =
                text.get(start..span.end.min(begin + line.len())).unwrap_or_default().chars().count();
            (before.matches('\n').count() + 1, column + 1, marked.max(1), line.to_owned())
        });
        Self { file: file.to_owned(), place, message, help }
    }

    /// The line that is wrong, from 1.
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.0)
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What would be right.
    pub fn help(&self) -> &str {
        &self.help
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            None => write!(f, "{}: {}", self.file, self.message)?,
            Some((line, column, width, text)) => {
                let gutter = " ".repeat(line.to_string().len());
                let marks = "^".repeat(*width);
                let indent = " ".repeat(column - 1);
                writeln!(f, "{}:{line}:{column}: {}", self.file, self.message)?;
                write!(f, " {gutter} |\n {line} | {text}\n {gutter} | {indent}{marks}")?;
            }
        }
        if self.help.is_empty() { Ok(()) } else { write!(f, "\nhelp: {}", self.help) }
    }
}

impl std::error::Error for ScenarioError {}

impl ScenarioError {
    /// The same place, for another reason.
    pub(super) fn because(mut self, message: String, help: String) -> Self {
        self.message = message;
        self.help = help;
        self
    }
}
