//! A gate with a real network behind it, in which this node is alone.

use quorate_proto::encode_message;

use quorate_types::{
    Block, Header, Height, Phase, Proposal, Propose, Signable, SignedViewChange, Validator, View, ViewChange,
    Vote,
};

use super::*;
use crate::{
    labels::Labels,
    test_network::{self, DOMAIN, PATIENCE, key},
};

fn validators() -> ValidatorSet {
    ValidatorSet::new((1..=4).map(|seed| Validator::new(key(seed).id(), 1))).expect("a set")
}

/// Validators 1 to 4 at height 1.
struct Rig {
    gate: Gate,
    current: watch::Sender<Current>,
    events: mpsc::Receiver<Event>,
}

impl Rig {
    async fn new() -> Self {
        let (current, seen) =
            watch::channel(Current { height: Height(1), validators: Arc::new(validators()) });
        let (sender, events) = mpsc::channel(64);
        let conduct = Conduct::new(test_network::start(99, &[]).await.0, seen.clone(), Labels::default());
        Self { gate: Gate::new(DOMAIN, conduct, seen, sender), current, events }
    }

    fn tell(&self, from: u8, message: &Message) -> Option<Event> {
        self.gate.check(key(from).id(), encode_message(message))
    }

    fn brings(&self, from: u8, message: &Message) -> bool {
        is_message_from(self.tell(from, message), from)
    }

    fn begin(&self, height: u64) {
        self.current.send_modify(|current| current.height = Height(height));
        self.gate.begin();
    }

    /// Useful, useless and invalid frames of a neighbour.
    fn counted(&self, from: u8) -> [u32; 3] {
        self.gate.conduct.counted(&key(from).id())
    }

    async fn until_counted(&self, from: u8, counts: [u32; 3]) {
        let reached = async {
            while self.counted(from) != counts {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, reached).await;
        in_time.unwrap_or_else(|_| panic!("{:?} is not {counts:?}", self.counted(from)));
    }
}

fn sign<S: Signable>(signer: u8, statement: S) -> Signed<S> {
    Signed::sign(statement, &DOMAIN, &key(signer)).expect("a key in memory signs")
}

fn vote(signer: u8, height: u64) -> Message {
    let vote = Vote {
        phase: Phase::Prevote,
        height: Height(height),
        view: View(0),
        block_hash: B256::repeat_byte(7),
    };
    Message::Vote(sign(signer, vote))
}

/// Signed for one height, and sent for another: no signature of that.
fn forged_vote(signer: u8, height: u64) -> Message {
    let Message::Vote(mut vote) = vote(signer, height + 1) else { unreachable!("a vote") };
    vote.statement.height = Height(height);
    Message::Vote(vote)
}

/// The offer of one leader, beside which anyone may put other raw transactions.
fn offer_with(raw: u8) -> Message {
    let header = Header { number: 1, transactions_root: Block::transactions_root(&[]), ..Header::default() };
    let propose = Propose {
        height: Height(1),
        view: View(0),
        block_hash: Block::new(header.clone(), vec![]).hash(),
        body_hash: Proposal::body_hash(&[B256::ZERO]),
    };
    let leads = |seed: &u8| validators().leader(Height(1), View(0)).key == key(*seed).id();
    Message::Proposal(Arc::new(Proposal {
        propose: sign((1..=4).find(leads).expect("a member leads"), propose),
        header,
        transaction_hashes: vec![B256::ZERO],
        prefilled: vec![(0, vec![raw].into())],
        justification: None,
    }))
}

fn wish(view: u64) -> Message {
    let change = ViewChange { height: Height(1), view: View(view), prepared: None };
    Message::ViewChange(SignedViewChange { signed: sign(4, change), certificate: None })
}

fn status(signer: u8, clock_ms: u64) -> Message {
    let status =
        Status { height: Height(1), view: View(0), head_hash: B256::ZERO, clock_ms, in_view_change: false };
    Message::Status(sign(signer, status))
}

fn is_message_from(event: Option<Event>, neighbour: u8) -> bool {
    matches!(event, Some(Event::Input(Input::Message { from, .. })) if from == key(neighbour).id())
}

/// faults.md, flood: given forged and true messages of the next height, when that begins, then only the true ones go on, and
/// each is counted for its sender.
#[tokio::test(flavor = "multi_thread")]
async fn flood_of_early_forgeries_is_counted_when_their_height_begins() {
    let mut rig = Rig::new().await;
    assert!((1..=3).all(|signer| rig.tell(9, &forged_vote(signer, 2)).is_none()), "it waits");
    assert!(rig.tell(3, &vote(4, 2)).is_none(), "it waits");
    assert_eq!((rig.counted(9), rig.counted(3)), ([0; 3], [0; 3]), "nobody knows yet");

    rig.begin(2);
    let event = tokio::time::timeout(PATIENCE, rig.events.recv()).await.expect("it comes");
    assert!(is_message_from(event, 3));
    rig.until_counted(9, [0, 0, 3]).await;
    rig.until_counted(3, [1, 0, 0]).await;
    assert!(rig.events.try_recv().is_err(), "no forgery reaches the replica");
}

/// A height that began and ended meanwhile has other validators: nothing is checked against the present ones.
#[tokio::test(flavor = "multi_thread")]
async fn what_waited_for_a_height_that_is_over_is_forgotten() {
    let mut rig = Rig::new().await;
    assert!(rig.tell(9, &forged_vote(1, 2)).is_none());
    rig.begin(3);
    assert!(rig.tell(3, &vote(4, 4)).is_none());
    rig.begin(4);
    let event = tokio::time::timeout(PATIENCE, rig.events.recv()).await.expect("it comes");
    assert!(is_message_from(event, 3));
    assert_eq!(rig.counted(9), [0; 3]);
}

/// faults.md, flood: a share of what waits is each neighbour's, and the rest is counted.
#[tokio::test(flavor = "multi_thread")]
async fn flood_of_early_messages_comes_to_nothing() {
    let rig = Rig::new().await;
    assert!((0..2).all(|_| rig.tell(9, &vote(1, 2)).is_none()));
    assert_eq!(rig.counted(9), [0, 1, 0], "the second copy has no place");
}

/// faults.md, flood: keys cost nothing; given a status for each of many fresh ones, then none is even checked.
#[tokio::test(flavor = "multi_thread")]
async fn flood_of_statuses_under_fresh_keys_is_refused_unchecked() {
    let rig = Rig::new().await;
    assert!((10..60).all(|signer| rig.tell(9, &status(signer, 1)).is_none()));
    assert_eq!(rig.counted(9), [0, 50, 0]);
    assert!(is_message_from(rig.tell(9, &status(9, 1)), 9), "a guest speaks for itself");
    assert!(rig.tell(9, &status(9, 2)).is_none(), "now and then");
}

/// faults.md, flood: given statuses of a validator that somebody has recorded, when they are sent again, then they count as
/// late, without a look at their signatures.
#[tokio::test(flavor = "multi_thread")]
async fn flood_of_recorded_statuses_is_late() {
    let rig = Rig::new().await;
    assert!(is_message_from(rig.tell(2, &status(1, 100)), 2));
    assert!((1..=100).all(|clock| rig.tell(9, &status(1, clock)).is_none()));
    let Message::Status(mut forged) = status(1, 200) else { unreachable!("a status") };
    forged.statement.clock_ms = 100;
    assert!(rig.tell(9, &Message::Status(forged)).is_none());
    assert_eq!(rig.counted(9), [0, 101, 0]);
    assert!(is_message_from(rig.tell(9, &status(1, 101)), 9), "a newer one is news from anyone");
}

/// faults.md, flood: given a validator that signs wishes for ever higher views, then so many are checked and the rest is counted
/// against who brought them; on another link it has its whole allowance, and its votes are not touched.
#[tokio::test(flavor = "multi_thread")]
async fn flood_of_signed_wishes_is_checked_within_an_allowance() {
    let rig = Rig::new().await;
    let told = |from: u8| (1..=200).filter(|view| rig.tell(from, &wish(*view)).is_some()).count();
    let most = allowance::WISHES_PER_SECOND.get() as usize;
    assert!((most..most + 20).contains(&told(4)));
    let [useful, useless, invalid] = rig.counted(4);
    assert_eq!((useful + useless, invalid), (200, 0));
    assert!(told(3) >= most);
    assert!(is_message_from(rig.tell(4, &vote(4, 1)), 4));
}

/// R21: given a status that a third node passes on faster than the link to its signer is, then it counts once more when it
/// comes from there, and what anyone else repeats does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_told_in_person_counts_however_late() {
    let rig = Rig::new().await;
    let (status, vote) = (status(1, 100), vote(1, 1));
    assert!(rig.brings(2, &status) && rig.brings(1, &status));
    assert!(!rig.brings(3, &status));
    assert!(rig.brings(2, &vote) && !rig.brings(1, &vote), "a vote counts whoever brings it");
}

/// Given a liar between two that are not connected, when it has used up what its link may bring, then the same from another link
/// counts: a copy that was refused was not seen.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_link_may_not_bring_another_may() {
    let rig = Rig::new().await;
    let last = (1..=200).map(wish).find(|it| !rig.brings(9, it)).expect("its allowance has an end");
    assert!(rig.brings(3, &last));
    assert!(!rig.brings(2, &last), "now it is a copy");
}

/// A forgery around a signature that was seen a moment ago is no copy: no honest node passes such on.
#[tokio::test(flavor = "multi_thread")]
async fn a_forgery_around_a_sound_signature_is_invalid() {
    let rig = Rig::new().await;
    let Message::Vote(mut forged) = vote(1, 1) else { unreachable!("a vote") };
    assert!(rig.brings(2, &vote(1, 1)));
    forged.statement.block_hash = B256::ZERO;
    assert!(!rig.brings(9, &Message::Vote(forged)));
    assert_eq!(rig.counted(9), [0, 0, 1]);
}

/// faults.md, flood: given one proposal with ever other raw transactions beside it, which nobody signed, then one variant is of use,
/// and the others count against who brings them.
#[tokio::test(flavor = "multi_thread")]
async fn flood_of_variants_of_one_offer_is_of_no_use() {
    let rig = Rig::new().await;
    let variants: Vec<Message> = (0..50).map(offer_with).collect();
    let accepted = variants.iter().filter(|it| rig.brings(9, it)).count();
    assert!((1..10).contains(&accepted), "{accepted}: one in a while");
    assert_eq!(rig.counted(9).iter().sum::<u32>(), 50);
}

/// The others have to hear of a validator whose clock was set back, or it gets no help to come back.
#[tokio::test(flavor = "multi_thread")]
async fn a_validator_whose_clock_was_set_back_is_still_heard() {
    let rig = Rig::new().await;
    assert!(is_message_from(rig.tell(1, &status(1, 100)), 1));
    assert!(is_message_from(rig.tell(1, &status(1, 50)), 1));
    assert!(rig.tell(1, &status(1, 51)).is_none(), "at a bounded rate");
}
