//! How far a run is: a bar on a terminal, once the run takes long enough for anyone to ask.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const PATIENCE: Duration = Duration::from_secs(2);

/// A bar on the standard error stream, which is hidden for the first two seconds and wherever there is no terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    start: Instant,
    shown: bool,
}

impl Progress {
    /// Begins a run of so many steps.
    ///
    /// # Panics
    /// Never: the template is legal.
    #[must_use]
    pub fn new(steps: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{bar:34} {pos}/{len} rounds").expect("a legal template");
        let bar = bar.with_style(style);
        Self { bar, start: Instant::now(), shown: false }
    }

    /// Notes that a step is done.
    pub fn step(&mut self) {
        self.bar.inc(1);
        if !self.shown && self.start.elapsed() >= PATIENCE {
            self.shown = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Ends the run and removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
