//! Who may be asked: what each peer claims, and how it served so far.

use std::collections::BTreeMap;

use quorate_types::{Height, NodeId};

use crate::{Failure, RequestId};

/// Peers with an entry: a full validator set and its observers. Whoever comes later is not asked.
const MAX_PEERS: usize = 512;
/// Requests to one peer at a time: while one answer is on its way the peer reads the other from disk.
const MAX_IN_FLIGHT_PER_PEER: u32 = 2;
/// Blocks in the first request to a peer, before anything is known about its link.
const FIRST_BATCH: u32 = 8;
/// Blocks in one request: at a hundred transactions each some hundred kilobytes.
pub const MAX_BLOCKS_PER_REQUEST: u32 = 32;
/// The longest rest, in ticks of [`crate::Timer::Rest`], for peers that lie or lack what they claim.
const MAX_REST_TICKS: u32 = 64;
/// The longest rest of peers that did not answer: after an outage they are honest, and soon wanted.
const MAX_SILENT_REST_TICKS: u32 = 8;
/// What invalid data costs: a rest of eight ticks the first time.
const STRIKES_FOR_A_LIE: u32 = 4;
/// More would change no rest.
const MAX_STRIKES: u32 = 8;
/// Ticks without a fault that make one strike good: a peer that answers nothing costs a timeout that often.
const STRIKE_DECAY_TICKS: u32 = 30;
/// From this many strikes on a silent peer's claim to a higher head is not believed.
const STRIKES_OF_DOUBT: u32 = 3;

/// What went wrong with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It sent invalid data.
    Lie,
    /// A request to it came to nothing.
    Failure(Failure),
}

#[derive(Debug)]
struct Peer {
    /// Its head, by its own word.
    claim: Height,
    /// What it did not deliver: from here on its claim is not believed, until it delivers this height.
    lacks: Option<Height>,
    connected: bool,
    in_flight: u32,
    /// The last request to it, so that peers take turns.
    last_asked: Option<RequestId>,
    /// Blocks in the next request to it.
    batch: u32,
    /// Faults that later service has not made good.
    strikes: u32,
    /// Ticks until it may be asked again.
    rest: u32,
    /// Ticks since the last strike came or went.
    calm: u32,
}

impl Peer {
    const fn new() -> Self {
        Self {
            claim: Height::ZERO,
            lacks: None,
            connected: true,
            in_flight: 0,
            last_asked: None,
            batch: FIRST_BATCH,
            strikes: 0,
            rest: 0,
            calm: 0,
        }
    }

    const fn is_ready(&self) -> bool {
        self.connected && self.rest == 0
    }

    const fn is_struck(&self) -> bool {
        self.strikes > 0 || self.rest > 0
    }

    fn believed(&self) -> Height {
        let known = self.lacks.and_then(Height::previous);
        known.map_or(self.claim, |known| known.min(self.claim))
    }
}

/// Whom to ask next, and for how much at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) peer: NodeId,
    pub(crate) claim: Height,
    pub(crate) batch: u32,
    pub(crate) strikes: u32,
}

/// All peers, in the order of their ids.
#[derive(Debug, Default)]
pub(crate) struct Peers(BTreeMap<NodeId, Peer>);

impl Peers {
    /// The peer says where its head is; it may have gone back.
    pub(crate) fn set_claim(&mut self, id: NodeId, height: Height) {
        if let Some(peer) = self.entry(id) {
            peer.connected = true;
            peer.claim = height;
        }
    }

    /// Somebody heard from the peer that it is at least at `height`.
    pub(crate) fn raise_claim(&mut self, id: NodeId, height: Height) {
        if let Some(peer) = self.entry(id) {
            peer.connected = true;
            peer.claim = peer.claim.max(height);
        }
    }

    fn entry(&mut self, id: NodeId) -> Option<&mut Peer> {
        if self.0.len() >= MAX_PEERS && !self.0.contains_key(&id) {
            let gone = self.0.iter().find(|(_, peer)| !peer.connected).map(|(id, _)| *id)?;
            self.0.remove(&gone);
        }
        Some(self.0.entry(id).or_insert_with(Peer::new))
    }

    /// The peer is gone. One with strikes is remembered: coming back clears no record.
    pub(crate) fn disconnect(&mut self, id: &NodeId) {
        if let Some(peer) = self.0.get_mut(id) {
            peer.connected = false;
            peer.in_flight = 0;
            if !peer.is_struck() {
                self.0.remove(id);
            }
        }
    }

    /// Who should be asked for the block at `height`: of those who claim it whoever served best, and of equals
    /// whoever waited longest. While the best are busy nobody is asked: a peer that failed before would only
    /// hold the range up.
    pub(crate) fn choose(&self, height: Height) -> Option<Choice> {
        let able = || self.0.iter().filter(|(_, peer)| peer.is_ready() && peer.claim >= height);
        let fewest = able().map(|(_, peer)| peer.strikes).min()?;
        let (id, peer) = able()
            .filter(|(_, peer)| peer.strikes == fewest && peer.in_flight < MAX_IN_FLIGHT_PER_PEER)
            .min_by_key(|(_, peer)| (peer.in_flight, peer.last_asked))?;
        Some(Choice { peer: *id, claim: peer.claim, batch: peer.batch, strikes: peer.strikes })
    }

    pub(crate) fn on_asked(&mut self, id: &NodeId, request: RequestId) {
        if let Some(peer) = self.0.get_mut(id) {
            peer.in_flight += 1;
            peer.last_asked = Some(request);
        }
    }

    /// A request to the peer is over, whatever came of it.
    pub(crate) fn on_closed(&mut self, id: &NodeId) {
        if let Some(peer) = self.0.get_mut(id) {
            peer.in_flight = peer.in_flight.saturating_sub(1);
        }
    }

    /// An answer arrived whose blocks end at `last`; all that was asked for, or as much as fits an answer.
    pub(crate) fn on_delivered(&mut self, id: &NodeId, last: Height, complete: bool) {
        if let Some(peer) = self.0.get_mut(id) {
            if peer.lacks.is_some_and(|lacks| lacks <= last) {
                peer.lacks = None;
            }
            if complete {
                peer.batch = (peer.batch * 2).min(MAX_BLOCKS_PER_REQUEST);
            }
        }
    }

    /// A block of this peer was applied: it makes one fault good.
    pub(crate) fn on_applied(&mut self, id: &NodeId) {
        if let Some(peer) = self.0.get_mut(id) {
            peer.strikes = peer.strikes.saturating_sub(1);
        }
    }

    /// The peer failed at the block of `height`, and rests: the more often, the longer.
    pub(crate) fn on_fault(&mut self, id: &NodeId, height: Height, fault: Fault) {
        let Some(peer) = self.0.get_mut(id) else { return };
        let (strikes, longest) = match fault {
            Fault::Lie | Fault::Failure(Failure::Malformed) => (STRIKES_FOR_A_LIE, MAX_REST_TICKS),
            Fault::Failure(Failure::Empty) => (1, MAX_REST_TICKS),
            Fault::Failure(Failure::Timeout | Failure::Unreachable) => (1, MAX_SILENT_REST_TICKS),
        };
        peer.strikes = (peer.strikes + strikes).min(MAX_STRIKES);
        peer.calm = 0;
        peer.rest = (1 << (peer.strikes - 1)).min(longest);
        match fault {
            Fault::Failure(Failure::Timeout | Failure::Unreachable) if peer.strikes < STRIKES_OF_DOUBT => {}
            _ => peer.lacks = Some(peer.lacks.map_or(height, |lacks| lacks.min(height))),
        }
        if fault == Fault::Failure(Failure::Timeout) {
            // The answer may be too large for the link.
            peer.batch = (peer.batch / 2).max(1);
        }
    }

    /// A tick is over: rests get shorter, and in the end strikes are forgotten.
    pub(crate) fn tick(&mut self) {
        for peer in self.0.values_mut() {
            peer.rest = peer.rest.saturating_sub(1);
            peer.calm += 1;
            if peer.calm >= STRIKE_DECAY_TICKS {
                peer.calm = 0;
                peer.strikes = peer.strikes.saturating_sub(1);
            }
        }
        self.0.retain(|_, peer| peer.connected || peer.is_struck());
    }

    /// Whether ticks still change anything.
    pub(crate) fn is_anyone_struck(&self) -> bool {
        self.0.values().any(Peer::is_struck)
    }

    /// The highest head that somebody claims who may be asked: what there is to fetch.
    pub(crate) fn highest_claim(&self) -> Option<Height> {
        self.0.values().filter(|peer| peer.is_ready()).map(|peer| peer.claim).max()
    }

    /// The highest head that somebody claims and was not caught lacking: what there is to be shown.
    pub(crate) fn highest_believed(&self) -> Option<Height> {
        self.0.values().filter(|peer| peer.connected).map(Peer::believed).max()
    }

    pub(crate) fn ready(&self) -> usize {
        self.0.values().filter(|peer| peer.is_ready()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: NodeId = NodeId([1; 32]);
    const GOOD: NodeId = NodeId([2; 32]);
    const TIMEOUT: Fault = Fault::Failure(Failure::Timeout);

    /// Two peers at height 100, of whom one let a request time out; it may be asked again.
    fn one_failed() -> Peers {
        let mut peers = Peers::default();
        peers.set_claim(FAILED, Height(100));
        peers.set_claim(GOOD, Height(100));
        peers.on_fault(&FAILED, Height(1), TIMEOUT);
        assert_eq!(peers.ready(), 1);
        peers.tick();
        assert_eq!(peers.ready(), 2);
        peers
    }

    fn chosen(peers: &Peers) -> Option<NodeId> {
        peers.choose(Height(1)).map(|choice| choice.peer)
    }

    #[test]
    fn who_failed_is_not_asked_while_better_ones_are_only_busy() {
        let mut peers = one_failed();
        for id in 0..2 {
            assert_eq!(chosen(&peers), Some(GOOD));
            peers.on_asked(&GOOD, RequestId(id));
        }
        assert_eq!(chosen(&peers), None);
        peers.disconnect(&GOOD);
        assert_eq!(chosen(&peers), Some(FAILED));
    }

    #[test]
    fn equals_take_turns() {
        let mut peers = Peers::default();
        let all = [1, 2, 3].map(|number| NodeId([number; 32]));
        all.iter().for_each(|id| peers.set_claim(*id, Height(100)));
        let mut turns = Vec::new();
        for number in 0..6 {
            let id = chosen(&peers).expect("all of them are free");
            peers.on_asked(&id, RequestId(number));
            peers.on_closed(&id);
            turns.push(id);
        }
        assert_eq!(turns, [all, all].concat());
    }

    #[test]
    fn faults_are_made_good_by_service_and_by_time() {
        let mut served = one_failed();
        served.on_applied(&FAILED);
        assert_eq!(chosen(&served), Some(FAILED));
        let mut waited = one_failed();
        (0..STRIKE_DECAY_TICKS).for_each(|_| waited.tick());
        assert_eq!(chosen(&waited), Some(FAILED));
        assert!(!waited.is_anyone_struck());
    }

    #[test]
    fn coming_back_clears_no_record() {
        let mut peers = Peers::default();
        peers.set_claim(FAILED, Height(100));
        peers.on_fault(&FAILED, Height(1), Fault::Lie);
        peers.disconnect(&FAILED);
        peers.set_claim(FAILED, Height(100));
        assert_eq!(chosen(&peers), None);
        (0..8).for_each(|_| peers.tick());
        assert_eq!(chosen(&peers), Some(FAILED));
    }

    #[test]
    fn the_silent_rest_a_few_ticks_at_most_and_liars_longer() {
        for (fault, longest) in [(TIMEOUT, MAX_SILENT_REST_TICKS), (Fault::Lie, MAX_REST_TICKS)] {
            let mut peers = Peers::default();
            peers.set_claim(FAILED, Height(100));
            (0..20).for_each(|_| peers.on_fault(&FAILED, Height(1), fault));
            (1..longest).for_each(|_| peers.tick());
            assert_eq!(chosen(&peers), None);
            peers.tick();
            assert_eq!(chosen(&peers), Some(FAILED));
        }
    }

    /// A slow link gets ever smaller requests, a good one ever larger.
    #[test]
    fn requests_fit_the_link() {
        let mut peers = Peers::default();
        peers.set_claim(GOOD, Height(100));
        let batch = |peers: &Peers| peers.choose(Height(1)).map(|choice| choice.batch);
        assert_eq!(batch(&peers), Some(FIRST_BATCH));
        (0..9).for_each(|_| peers.on_delivered(&GOOD, Height(8), true));
        assert_eq!(batch(&peers), Some(MAX_BLOCKS_PER_REQUEST));
        (0..9).for_each(|_| peers.on_fault(&GOOD, Height(9), TIMEOUT));
        (0..MAX_SILENT_REST_TICKS).for_each(|_| peers.tick());
        assert_eq!(batch(&peers), Some(1));
    }

    #[test]
    fn a_claim_is_believed_again_when_the_lacking_block_is_delivered() {
        let mut peers = Peers::default();
        peers.set_claim(GOOD, Height(100));
        peers.on_fault(&GOOD, Height(90), Fault::Failure(Failure::Empty));
        assert_eq!(peers.highest_believed(), Some(Height(89)));
        peers.on_delivered(&GOOD, Height(89), true);
        assert_eq!(peers.highest_believed(), Some(Height(89)));
        peers.on_delivered(&GOOD, Height(90), true);
        assert_eq!(peers.highest_believed(), Some(Height(100)));
    }

    #[test]
    fn the_silent_are_doubted_only_after_some_time() {
        let mut peers = one_failed();
        assert_eq!(peers.highest_believed(), Some(Height(100)));
        peers.disconnect(&GOOD);
        for _ in 0..2 {
            peers.on_fault(&FAILED, Height(1), TIMEOUT);
        }
        assert_eq!(peers.highest_believed(), Some(Height::ZERO));
    }

    #[test]
    fn a_full_table_makes_room_by_forgetting_who_is_gone() {
        let mut peers = Peers::default();
        let id = |number: u16| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            NodeId(bytes)
        };
        for number in 0..600 {
            peers.set_claim(id(number), Height(1));
        }
        assert_eq!(peers.0.len(), MAX_PEERS);
        peers.on_fault(&id(7), Height(1), Fault::Lie);
        peers.disconnect(&id(7));
        peers.set_claim(GOOD, Height(5));
        assert_eq!((peers.0.len(), peers.highest_claim()), (MAX_PEERS, Some(Height(5))));
    }
}
