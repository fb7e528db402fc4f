//! How far it is, in a line of the terminal.

use std::{io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quorate_bench::Progress;
use tokio::sync::watch;

/// How often the line is drawn anew.
const REDRAW: Duration = Duration::from_millis(200);

/// Draws how far it is, where somebody looks.
pub(super) async fn draw(mut progress: watch::Receiver<Progress>) {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(None, target);
    let style = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {pos}/{len} committed, {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(REDRAW);
    loop {
        match *progress.borrow_and_update() {
            Progress::Preparing => bar.set_message("preparing"),
            Progress::Auditing => bar.set_message("auditing"),
            Progress::Loading { accepted, committed, of } => {
                bar.set_message(format!("{accepted} accepted"));
                bar.set_length(of as u64);
                bar.set_position(committed as u64);
            }
        }
        if progress.changed().await.is_err() {
            bar.finish_and_clear();
            return;
        }
    }
}
