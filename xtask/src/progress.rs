//! One line per thing that takes time, on stderr: a spinner on a terminal, plain lines elsewhere.

use std::{
    fs::{self, File},
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    sync::{
        LazyLock,
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Every spinner, since steps run beside each other and beside lines.
static SPINNERS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// What finishes faster than this is not worth a line.
const QUIET: Duration = Duration::from_secs(2);

/// How often a plain log hears that a step still runs.
const HEARTBEAT: Duration = Duration::from_secs(30);

const TAIL_LINES: usize = 60;

/// Writes one line for people; stdout stays free for results.
pub(crate) fn say(line: &str) {
    // A closed stderr must not end a build.
    let _ = SPINNERS.suspend(|| writeln!(io::stderr(), "{line}"));
}

/// Runs a command with its output kept in a log, whose end is shown if it fails.
pub(crate) fn step(what: &str, command: &mut Command) -> Result<()> {
    let (log, status) = logged(what, command)?;
    if status.success() {
        return fs::remove_file(&log).with_context(|| format!("removing {}", log.display()));
    }
    let text = fs::read_to_string(&log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    for line in &lines[lines.len().saturating_sub(TAIL_LINES)..] {
        say(line);
    }
    let program = command.get_program().display();
    bail!("{what}: {program} ended with {status}; its whole output is in {}", log.display())
}

fn logged(what: &str, command: &mut Command) -> Result<(PathBuf, ExitStatus)> {
    let log = log_path(what)?;
    let file = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let mut child = command
        .spawn()
        .with_context(|| format!("{what}: starting {}", command.get_program().display()))?;
    let (sender, receiver) = channel();
    let waiter = thread::spawn(move || sender.send(child.wait()));
    let meter = Meter::new(what);
    let status = loop {
        match receiver.recv_timeout(meter.tick()) {
            Ok(status) => break status?,
            Err(RecvTimeoutError::Timeout) => meter.beat(),
            Err(RecvTimeoutError::Disconnected) => bail!("{what}: lost its process"),
        }
    };
    drop(waiter.join());
    meter.done(status.success());
    Ok((log, status))
}

fn log_path(what: &str) -> Result<PathBuf> {
    let folder = crate::workspace::target().join("xtask/logs");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let name: String =
        what.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    Ok(folder.join(format!("{name}.{}.log", std::process::id())))
}

/// Shows that one step runs and for how long.
struct Meter {
    what: String,
    start: Instant,
    spinner: Option<ProgressBar>,
}

impl Meter {
    fn new(what: &str) -> Self {
        let spinner = io::stderr().is_terminal().then(|| {
            let bar = SPINNERS.add(ProgressBar::new_spinner().with_message(what.to_owned()));
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar
        });
        Self { what: what.to_owned(), start: Instant::now(), spinner }
    }

    fn tick(&self) -> Duration {
        match self.spinner {
            Some(_) => Duration::from_millis(100),
            None if self.start.elapsed() < QUIET => QUIET,
            None => HEARTBEAT,
        }
    }

    fn beat(&self) {
        match &self.spinner {
            Some(bar) => bar.tick(),
            None => say(&format!("{} … {}", self.what, elapsed(self.start))),
        }
    }

    fn done(self, success: bool) {
        if let Some(bar) = &self.spinner {
            bar.finish_and_clear();
        }
        if success && self.start.elapsed() >= QUIET {
            say(&format!("{}: done in {}", self.what, elapsed(self.start)));
        }
    }
}

fn elapsed(start: Instant) -> String {
    let seconds = start.elapsed().as_secs();
    if seconds < 60 {
        format!("{seconds} s")
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}
