//! The driver of the replica: feeds it inputs, performs its effects in order, owns the key, the vote log and the
//! timers. It runs on a thread of its own, so that a sync of the log delays votes and nothing else.
//!
//! ```text
//! gate --Event::Input--> +--------+ --Effect--> sign + log + send   (here, in this order)
//! bodies, chain -------> | replica|             timers              (here)
//! ingress --Work-------> +--------+             build, check, commit (chain thread)
//! ```

mod perform;
mod sign;
mod state;
mod validators;

use std::sync::Arc;

use futures::StreamExt;
use quorate_consensus::{Head, Input, Recovered, Replica, ReplicaConfig, Timer};
use quorate_p2p::NetworkHandle;
use quorate_types::{Height, Message, NodeId};
use tokio::{
    sync::{mpsc, watch},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

pub(crate) use sign::{SignError, SigningDesk};
pub(crate) use state::Current;

use crate::{
    bodies::Bodies,
    chain::ChainHandle,
    clock::ClockSkew,
    gate::Gate,
    stop::Stop,
    timers::Timers,
    watch::{PUBLISH_INTERVAL, Watcher},
};

/// Inputs that may wait. The gate stops reading from the network when it is full, so a flood waits in the
/// peers' sockets.
pub(crate) const EVENT_CAPACITY: usize = 4096;
/// Answers that may wait: to what the replica asked for, which is bounded by its own bounds. They have a queue of
/// their own, so that a flood from outside never costs an answer.
pub(crate) const ANSWER_CAPACITY: usize = 8192;

/// What reaches the driver.
#[expect(clippy::large_enum_variant, reason = "nearly all are inputs, and each is moved twice")]
pub(crate) enum Event {
    /// For the replica as it is.
    Input(Input),
    /// Somebody is at a lower height.
    Behind { from: NodeId, height: Height },
    /// Blocks are durable up to here.
    Committed { height: Height },
}

/// What the driver works with.
pub(crate) struct DriverParts {
    pub(crate) desk: SigningDesk,
    pub(crate) network: NetworkHandle,
    pub(crate) chain: ChainHandle,
    pub(crate) bodies: Bodies,
    pub(crate) store: Arc<quorate_storage::Store>,
    pub(crate) answers: mpsc::Sender<Event>,
    /// The height in flight and its validators, for the gate.
    pub(crate) current: watch::Sender<Current>,
    /// Where messages of the next height wait for it.
    pub(crate) gate: Gate,
    pub(crate) watcher: Watcher,
    /// Hints about heights that others have decided.
    pub(crate) sync: mpsc::Sender<quorate_sync::Input>,
    pub(crate) stop: Stop,
    /// Where work done beside the driver runs: fetching bodies, answering laggards.
    pub(crate) runtime: tokio::runtime::Handle,
}

/// The driver's state.
pub(crate) struct Driver {
    pub(super) replica: Replica,
    pub(super) timers: Timers<Timer>,
    pub(super) skew: ClockSkew,
    /// Whether something happened since the state was shown.
    unshown: bool,
    pub(super) parts: DriverParts,
}

/// The two ways in.
pub(crate) struct DriverQueues {
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) answers: mpsc::Receiver<Event>,
}

impl Driver {
    /// Starts the thread. What the vote log held is known to the guard before anything is signed.
    pub(crate) fn start(
        config: ReplicaConfig,
        head: Head,
        recovered: Recovered,
        mut parts: DriverParts,
        queues: DriverQueues,
    ) -> std::io::Result<std::thread::JoinHandle<()>> {
        let logged = recovered.records.values().flat_map(|record| &record.messages);
        logged.for_each(|message| parts.desk.remember(message));
        let cancel = parts.stop.token();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let vital = parts.stop.vital("consensus thread");
        std::thread::Builder::new().name("consensus".to_owned()).spawn(move || {
            let _vital = vital;
            runtime.block_on(async {
                let driver = Self {
                    replica: Replica::new(config, head, recovered),
                    timers: Timers::new(),
                    skew: ClockSkew::default(),
                    unshown: true,
                    parts,
                };
                driver.run(queues, cancel).await;
            });
        })
    }

    /// Runs until the node stops. Timers and answers go before what comes from outside.
    async fn run(mut self, mut queues: DriverQueues, cancel: CancellationToken) {
        self.feed(Input::Start);
        let mut beat = tokio::time::interval(PUBLISH_INTERVAL);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                _ = beat.tick(), if self.unshown => {
                    self.show();
                    continue;
                }
                Some(timer) = self.timers.next() => Event::Input(Input::Timer(timer)),
                Some(answer) = queues.answers.recv() => answer,
                event = queues.events.recv() => match event {
                    Some(event) => event,
                    None => return,
                },
            };
            self.take(event);
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Input(input) => {
                self.note_clock(&input);
                let moved = matches!(input, Input::Synced(_));
                self.feed(input);
                if moved {
                    self.look_for_work();
                }
            }
            Event::Behind { from, height } => self.feed(Input::Behind { height, from }),
            Event::Committed { height } => {
                self.parts.desk.release(height);
                self.parts.watcher.on_committed(height);
                self.feed(Input::Durable(height));
                self.look_for_work();
            }
        }
    }

    /// A new head: what waits in the pool is executable or not by what the pool says now.
    fn look_for_work(&mut self) {
        let work = self.parts.bodies.has_work();
        self.feed(Input::Work(work));
    }

    fn note_clock(&mut self, input: &Input) {
        if let Input::Message { message, .. } = input
            && let Message::Status(status) = &**message
            && self.replica.validators().contains(&status.signer)
        {
            self.skew.observe(status.signer, status.statement.clock_ms);
        }
    }

    /// One step, and everything it asks for, in order. Performing an effect may give an input at once (own signed
    /// messages), which is fed after the step's last effect.
    pub(super) fn feed(&mut self, input: Input) {
        if self.parts.stop.is_stopping() {
            return;
        }
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let effects = self.replica.step(input);
            self.parts.watcher.on_step(self.replica.notes(), self.replica.phase());
            for effect in effects {
                match self.perform(effect) {
                    Ok(Some(answer)) => inputs.push_back(answer),
                    Ok(None) => {}
                    Err(failure) => {
                        self.parts.stop.now(failure);
                        return;
                    }
                }
            }
        }
        self.unshown = true;
        self.publish();
    }

    /// For the gate: at once.
    fn publish(&mut self) {
        let Some(before) = self.tell_height() else { return };
        self.parts.gate.begin();
        if before.validators != *self.replica.validators() {
            let current = self.parts.current.borrow().clone();
            let view = self.replica.snapshot();
            self.on_new_set(&before.validators, &current, &view);
        }
    }

    /// Tells the gate of a new height and its validators; what was known until now comes back.
    fn tell_height(&self) -> Option<Current> {
        let height = self.replica.height();
        let news = self.parts.current.borrow().height != height;
        news.then(|| {
            let validators = self.replica.validators().clone();
            self.parts.current.send_replace(Current { height, validators })
        })
    }

    /// For people; ten times a second is enough.
    fn show(&mut self) {
        self.unshown = false;
        let snapshot = self.replica.snapshot();
        let timer = self.timers.left(&Timer::View(snapshot.height, snapshot.view));
        self.parts.watcher.publish(&snapshot, timer);
    }
}
