//! The task that owns the swarm: what it waits for, and who handles it.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
};

use arc_swap::ArcSwap;
use futures::StreamExt;
use libp2p::{PeerId, Swarm, request_response::OutboundRequestId, swarm::SwarmEvent};
use libp2p_stream::Control;
use quorate_proto::Hello;
use quorate_types::NodeId;
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    NetworkConfig,
    churn::Churn,
    handle::{Command, NetworkHandle, Roster, Shared},
    redial::Redials,
    session::Session,
};
use crate::{
    NetworkError, NetworkEvent, NetworkEvents, RequestError,
    admission::Admission,
    behaviour::{Behaviour, BehaviourEvent},
    events::Served,
    limits::{
        BATCH_LANE, COMMAND_QUEUE, CONSENSUS_LANE, GUESTS_SERVED_IN_FLIGHT, MAX_GUEST_PEERS, REFUSAL_LANE,
        REPORT_QUEUE, SERVED_IN_FLIGHT, TICK,
    },
    stream::{CONSENSUS, Report, TRANSACTIONS, accept_streams, receive_batches, receive_frames},
};

/// Everything that changes.
pub(super) struct NetworkTask {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) control: Control,
    pub(super) own: NodeId,
    pub(super) listen: SocketAddr,
    pub(super) hello: watch::Receiver<Hello>,
    pub(super) shared: Shared,
    pub(super) guests_most: usize,
    pub(super) sessions: HashMap<PeerId, Session>,
    pub(super) next_stream: u64,
    pub(super) redials: Redials,
    pub(super) lanes: Lanes,
    /// Peers that came and went, not told to the node yet. At most one entry to come and one to go
    /// for each peer: see [`NetworkTask::announce`].
    pub(super) announcements: VecDeque<Announcement>,
    pub(super) asked: HashMap<OutboundRequestId, Asked>,
    /// Nodes that may not come back before a moment.
    pub(super) parted: HashMap<NodeId, Instant>,
    /// Who keeps connecting.
    pub(super) churn: Churn,
    inputs: Inputs,
}

/// The network's ends of the lanes to the node.
pub(super) struct Lanes {
    pub(super) consensus: mpsc::Sender<NetworkEvent>,
    pub(super) requests: mpsc::Sender<NetworkEvent>,
    pub(super) batches: mpsc::Sender<NetworkEvent>,
    pub(super) refusals: mpsc::Sender<NetworkEvent>,
    pub(super) served_places: Arc<Semaphore>,
    pub(super) guests_served_places: Arc<Semaphore>,
    pub(super) answers: mpsc::Sender<Served>,
    pub(super) reports: mpsc::Sender<Report>,
}

/// What comes to the task from the node and from its own streams.
struct Inputs {
    commands: mpsc::Receiver<Command>,
    answers: mpsc::Receiver<Served>,
    reports: mpsc::Receiver<Report>,
}

/// A peer came or went.
pub(super) enum Announcement {
    Connected(PeerId, NodeId, Hello),
    Disconnected(NodeId),
}

/// A request that waits for its answer.
pub(super) struct Asked {
    pub(super) peer: NodeId,
    pub(super) reply: oneshot::Sender<Result<bytes::Bytes, RequestError>>,
}

impl NetworkTask {
    /// Makes all channels and starts the tasks.
    pub(super) fn spawn(
        swarm: Swarm<Behaviour>,
        admission: Arc<Admission>,
        listening: Vec<SocketAddr>,
        config: NetworkConfig,
    ) -> Result<(NetworkHandle, NetworkEvents), NetworkError> {
        let own = config.key.id();
        let shared = Shared {
            admission,
            roster: Arc::new(ArcSwap::from_pointee(Roster::new())),
            validators: Arc::new(ArcSwap::from_pointee(config.validators)),
            connections: Arc::default(),
            stop: CancellationToken::new(),
            stopped: CancellationToken::new(),
        };
        let (command_sender, commands) = mpsc::channel(COMMAND_QUEUE);
        let (lanes, inputs, events) = lanes(commands);
        let mut control = swarm.behaviour().streams.new_control();
        let mut accept =
            |protocol| control.accept(protocol).map_err(|error| NetworkError::Stack(error.to_string()));
        let (frames, batches) = (accept(CONSENSUS)?, accept(TRANSACTIONS)?);
        tokio::spawn(accept_streams(frames, receive_frames, lanes.reports.clone(), shared.stop.clone()));
        tokio::spawn(accept_streams(batches, receive_batches, lanes.reports.clone(), shared.stop.clone()));
        // What came before may have named another port than 0.
        let listen =
            listening.first().copied().filter(|_| config.listen.port() == 0).unwrap_or(config.listen);
        let task = Self {
            swarm,
            control,
            own,
            listen,
            hello: config.hello,
            shared: shared.clone(),
            guests_most: config.limits.guests.min(MAX_GUEST_PEERS),
            sessions: HashMap::new(),
            next_stream: 0,
            redials: Redials::new(own, config.peers),
            lanes,
            announcements: VecDeque::new(),
            asked: HashMap::new(),
            parted: HashMap::new(),
            churn: Churn::default(),
            inputs,
        };
        tokio::spawn(task.run());
        Ok((NetworkHandle::new(own, listening, shared, command_sender), events))
    }

    /// Runs until it is told to stop or nobody holds a handle. Whatever ends it, waiters learn of it.
    async fn run(mut self) {
        let _stopped = self.shared.stopped.clone().drop_guard();
        let _stop = self.shared.stop.clone().drop_guard();
        let stop = self.shared.stop.clone();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                command = self.inputs.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => break,
                },
                Some(report) = self.inputs.reports.recv() => self.on_report(report),
                Some(served) = self.inputs.answers.recv() => self.on_served(served),
                Ok(permit) = self.lanes.consensus.clone().reserve_owned(), if !self.announcements.is_empty() => {
                    if let Some(event) = self.next_announcement() {
                        permit.send(event);
                    }
                }
                due = self.redials.due() => self.on_due(due),
                _ = tick.tick() => self.on_tick(),
            }
        }
        tracing::info!(id = %self.own, "the P2P network stops");
        self.shared.roster.store(Arc::new(Roster::new()));
        for session in self.sessions.values() {
            session.stop.cancel();
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Requests(event)) => self.on_fetch(event),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(event)) => self.on_ping(event),
            event => self.on_connection_event(event),
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Request { to, request, reply } => self.ask(to, request, reply),
            Command::Recheck => self.recheck(),
            Command::Part { node, reason, until } => self.part(node, &reason, until),
        }
    }
}

/// The lanes to the node and the queues back, each with the room that its places need.
fn lanes(commands: mpsc::Receiver<Command>) -> (Lanes, Inputs, NetworkEvents) {
    let (consensus, urgent) = mpsc::channel(CONSENSUS_LANE);
    let (requests, request_events) = mpsc::channel(SERVED_IN_FLIGHT + GUESTS_SERVED_IN_FLIGHT);
    let (batches, batch_events) = mpsc::channel(BATCH_LANE);
    let (refusals, refusal_events) = mpsc::channel(REFUSAL_LANE);
    let (answer_sender, answers) = mpsc::channel(SERVED_IN_FLIGHT + GUESTS_SERVED_IN_FLIGHT);
    let (report_sender, reports) = mpsc::channel(REPORT_QUEUE);
    let lanes = Lanes {
        consensus,
        requests,
        batches,
        refusals,
        served_places: Arc::new(Semaphore::new(SERVED_IN_FLIGHT)),
        guests_served_places: Arc::new(Semaphore::new(GUESTS_SERVED_IN_FLIGHT)),
        answers: answer_sender,
        reports: report_sender,
    };
    let events = NetworkEvents {
        consensus: urgent,
        requests: request_events,
        batches: batch_events,
        refusals: refusal_events,
    };
    (lanes, Inputs { commands, answers, reports }, events)
}
