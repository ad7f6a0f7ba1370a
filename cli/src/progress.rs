//! A progress bar for long work, on a terminal only, on standard error.

use std::{
    cell::Cell,
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_millis(400);

/// Shows how far long work is. Gone from the screen when dropped.
pub(crate) struct Progress {
    bar: ProgressBar,
    begun: Instant,
    shown: Cell<bool>,
}

impl Progress {
    /// A bar with a word in front. It shows nothing where standard error is no terminal.
    pub(crate) fn new(what: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self { bar: bar.with_message(what), begun: Instant::now(), shown: Cell::new(false) }
    }

    /// So much is done of so much.
    pub(crate) fn at(&self, done: u64, total: u64) {
        if !self.shown.get() && self.begun.elapsed() > PATIENCE {
            self.shown.set(true);
            if std::io::stderr().is_terminal() {
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
            }
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
