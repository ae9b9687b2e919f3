//! The broker's log on standard error, one line per entry.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::time::SystemTime;

use sedge_broker::config::LogLevel;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use crate::output;

struct Log {
    most: Level,
}

/// Shows entries of this severity and above.
pub(crate) fn start(level: LogLevel) {
    let most = match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    };
    // Only a second call could fail, and there is none.
    let _set = tracing::subscriber::set_global_default(Log { most });
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most && metadata.target().starts_with("sedge")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let level = event.metadata().level().as_str().to_lowercase();
        let mut line = Line { text: format!("{} {level:<5}", output::date(now.as_secs())) };
        event.record(&mut line);
        // A log that nobody can read stops nothing.
        let _written = writeln!(std::io::stderr().lock(), "{}", line.text);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line {
    text: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _written = match field.name() {
            "message" => write!(self.text, " {value:?}"),
            name => write!(self.text, " {name}={value:?}"),
        };
    }
}
