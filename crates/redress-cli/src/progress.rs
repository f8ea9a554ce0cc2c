//! A progress bar on standard error, for runs that take longer than two seconds.
//!
//! It is hidden where standard error is a file or a pipe, so that a log of CI has no control characters. It is erased
//! at the end: the result is the only output that stays.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long a run takes before the bar is shown: a short one prints its result at once.
const PATIENCE: Duration = Duration::from_secs(2);
/// The resolution of the bar, finer than any terminal is wide.
const STEPS: u64 = 1_000;

/// A bar on standard error, hidden for the first two seconds and unless standard error is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    /// The start of the run: the bar is hidden for the first two seconds.
    start: Instant,
}

impl Progress {
    /// Begins a bar behind the name of the work.
    pub(crate) fn new(what: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{msg} {bar:34} {percent} %").expect("a legal template");
        Self { bar: bar.with_style(style).with_message(what.to_owned()), start: Instant::now() }
    }

    /// Moves the bar to a share from 0 to 1, and shows it once the run takes long enough.
    pub(crate) fn tell(&self, share: f64) {
        self.bar.set_position((share * STEPS as f64) as u64);
        if self.bar.is_hidden() && self.start.elapsed() >= PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Erases the bar while the function prints, and draws it again.
    pub(crate) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Names the part of the work that has begun, such as a scenario.
    pub(crate) fn say(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
