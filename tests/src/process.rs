//! Other programs, started and ended by the test that needs them.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A program that runs beside the test. It is killed, by its own process id, when this is dropped.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
    cursor: usize,
}

/// Everything the program has printed to either stream, in the order of arrival.
#[derive(Debug, Default)]
struct Output {
    state: Mutex<(Vec<u8>, usize)>,
    grown: Condvar,
}

impl Running {
    /// Starts a program with all three of its standard streams in the test's hands.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let output = Arc::new(Output::default());
        let input = child.stdin.take();
        let mut readers = Vec::new();
        if let Some(stream) = child.stdout.take() {
            readers.push(collect(stream, &output));
        }
        if let Some(stream) = child.stderr.take() {
            readers.push(collect(stream, &output));
        }
        Self { name, child, input, output, readers, cursor: 0 }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its standard input.
    ///
    /// # Panics
    /// If it has closed its standard input.
    pub fn send(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("its standard input is open");
        let written = input.write_all(bytes).and_then(|()| input.flush());
        written.unwrap_or_else(|error| panic!("{}: {error}\n{}", self.name, self.printed()));
    }

    /// Writes to its standard input; whether it still reads it.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.input.as_mut().is_some_and(|input| input.write_all(bytes).and_then(|()| input.flush()).is_ok())
    }

    /// Writes a line to its standard input.
    pub fn send_line(&mut self, line: &str) {
        self.send(format!("{line}\n").as_bytes());
    }

    /// Closes its standard input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Waits for a text among what it prints after what was last waited for, and returns the rest of that line.
    ///
    /// # Panics
    /// If it does not print it in time: the message shows what it printed instead.
    pub fn expect(&mut self, text: &str, within: Duration) -> String {
        self.find(text, within)
            .unwrap_or_else(|| panic!("{} did not print '{text}' but:\n{}", self.name, self.printed()))
    }

    /// Like [`Self::expect`], but `None` if it does not print the text in time.
    pub fn find(&mut self, text: &str, within: Duration) -> Option<String> {
        let cursor = self.cursor;
        let (line, end) = self.wait(within, |bytes, ended| {
            let start = cursor + find(&bytes[cursor..], text.as_bytes())? + text.len();
            let length = bytes[start..].iter().position(|&byte| byte == b'\n');
            // The last line of a program that has ended needs no end of line.
            let end = start + length.or(ended.then_some(bytes.len() - start))?;
            Some((String::from_utf8_lossy(&bytes[start..end]).trim().to_owned(), end))
        })?;
        self.cursor = end;
        Some(line)
    }

    /// Waits until it has printed these bytes after what was last waited for; no line has to end.
    ///
    /// # Panics
    /// If it does not print them in time.
    pub fn expect_bytes(&mut self, wanted: &[u8], within: Duration) {
        if !self.find_bytes(wanted, within) {
            panic!("{} did not print {wanted:02x?} but:\n{}", self.name, self.printed());
        }
    }

    /// Like [`Self::expect_bytes`], but says whether it printed them in time.
    pub fn find_bytes(&mut self, wanted: &[u8], within: Duration) -> bool {
        let cursor = self.cursor;
        let end = self.wait(within, |bytes, _| Some(cursor + find(&bytes[cursor..], wanted)? + wanted.len()));
        self.cursor = end.unwrap_or(cursor);
        end.is_some()
    }

    /// Waits until a program that prints whole CoAP messages, with nothing between them, has printed some bytes
    /// more, and returns them.
    pub fn take_bytes(&mut self, within: Duration) -> Option<Vec<u8>> {
        let cursor = self.cursor;
        let taken = self.wait(within, |bytes, _| (bytes.len() > cursor).then(|| bytes[cursor..].to_vec()))?;
        self.cursor += taken.len();
        Some(taken)
    }

    /// Waits for it to end by itself.
    ///
    /// # Panics
    /// If it has not ended in time.
    pub fn finish(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    for reader in self.readers.drain(..) {
                        let _ = reader.join();
                    }
                    return status;
                }
                Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
                Ok(None) => panic!("{} has not ended:\n{}", self.name, self.printed()),
                Err(error) => panic!("{}: {error}", self.name),
            }
        }
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Everything it has printed so far.
    pub fn printed(&self) -> String {
        let state = self.output.state.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&state.0).into_owned()
    }

    fn wait<T>(&self, within: Duration, mut look: impl FnMut(&[u8], bool) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + within;
        let mut state = self.output.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let ended = state.1 >= 2;
            if let Some(found) = look(&state.0, ended) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if ended || left.is_zero() {
                return None;
            }
            state = self.output.grown.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut stream: impl Read + Send + 'static, output: &Arc<Output>) -> JoinHandle<()> {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        let mut buffer = [0; 4_096];
        loop {
            let length = stream.read(&mut buffer).unwrap_or(0);
            let mut state = output.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.0.extend_from_slice(&buffer[..length]);
            state.1 += usize::from(length == 0);
            output.grown.notify_all();
            if length == 0 {
                return;
            }
        }
    })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[test]
    fn a_program_is_spoken_to_and_heard() {
        let mut shell = Running::start(Command::new("sh").args(["-c", "read a; echo got $a; echo end"]));
        shell.send_line("word");
        assert_eq!(shell.expect("got ", SOON), "word");
        assert_eq!(shell.find("got ", Duration::from_millis(50)), None);
        assert!(shell.finish(SOON).success());
        assert!(shell.printed().contains("end"));
    }

    #[test]
    #[should_panic(expected = "did not print 'never' but")]
    fn a_program_that_ends_is_not_waited_for() {
        let started = Instant::now();
        let mut shell = Running::start(Command::new("sh").args(["-c", "echo other"]));
        let missing = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| shell.expect("never", SOON)));
        assert!(started.elapsed() < SOON);
        std::panic::resume_unwind(missing.expect_err("it does not print that"));
    }

    #[test]
    fn a_program_ends_with_its_handle() {
        let sleeper = Running::start(Command::new("sleep").arg("600"));
        let proc = format!("/proc/{}", sleeper.id());
        assert!(std::path::Path::new(&proc).exists());
        drop(sleeper);
        assert!(!std::path::Path::new(&proc).exists());
    }
}
