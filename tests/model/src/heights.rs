//! Several heights: records on disk, lost logs, and when a key may sign again.
//!
//! Blocks and views are left out: a height is decided once a quorum committed it, and a key contradicts itself once it
//! signs at a height at which it signed before its log was lost.

use std::fmt;

use stateright::{Model, Property};

use crate::{HONEST, Mutant, QUORUM};

/// R20: nothing is signed while so many decided blocks are not on disk.
const UNSYNCED_LIMIT: u8 = 2;
/// R21: how far above the highest head of the others a key signs again.
const MARGIN: u8 = 3;

/// One honest validator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Validator {
    /// The last height that it knows to be decided.
    decided: u8,
    /// The last height of which the record is on disk.
    record: u8,
    /// The highest height at which it signed since its log was lost.
    signed: u8,
    /// What its vote log holds above the record: bit i for height record + 1 + i.
    log: u8,
    /// Whether it committed the height above the last one that anybody decided.
    committed: bool,
    /// The highest height at which its key signed before the log was lost; 0: nothing of the kind.
    forgotten: u8,
    /// Whether it signed at a height up to that one again.
    contradicted: bool,
    /// Where it signs again; 0: it does not abstain.
    resume_at: u8,
}

impl Validator {
    /// Whether it may sign at its height, the one above the last decided (R20, R21).
    const fn may_sign(&self, resumes_unsynced: bool) -> bool {
        let firm = if resumes_unsynced { self.decided } else { self.record };
        self.decided - self.record < UNSYNCED_LIMIT && firm + 1 >= self.resume_at
    }

    /// Whether its log says that it signed at `height`, which is above its record.
    const fn knows(&self, height: u8) -> bool {
        self.log >> (height - self.record - 1) & 1 == 1
    }

    fn sign(&mut self, height: u8) {
        self.contradicted |= height <= self.forgotten;
        self.signed = self.signed.max(height);
        self.log |= 1 << (height - self.record - 1);
        self.resume_at = 0;
    }

    /// One more record is on disk.
    fn sync(&mut self) {
        self.record += 1;
        self.log >>= 1;
        if self.record >= self.forgotten && self.signed >= self.forgotten {
            // It can come back there no more, and what it loses next covers it.
            self.forgotten = 0;
        }
    }
}

/// A chain and its honest validators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chain {
    /// The last height that a quorum committed.
    decided: u8,
    validators: [Validator; HONEST],
    /// How many logs were lost so far.
    losses: u8,
}

impl Chain {
    /// The one state that stands for all that differ by the names of validators alone.
    #[must_use]
    pub fn representative(&self) -> Self {
        let mut chain = *self;
        chain.validators.sort_unstable();
        chain
    }
}

/// What may happen next, and to which validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    by: usize,
    kind: Kind,
    /// Of what it signs, sees decided or has on disk.
    height: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It signs something other than a commit at its height.
    Sign,
    /// It signs a commit.
    Commit,
    /// It learns that its height is decided.
    Decide,
    /// Its next block record reaches the disk.
    Sync,
    /// Its power fails: what is not on its disk is gone.
    PowerCut,
    /// Its log and database are lost; it abstains.
    Loss,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, kind, height } = self;
        match kind {
            Kind::Sign => write!(f, "validator {by} signs at height {height}"),
            Kind::Commit => write!(f, "validator {by} commits at height {height}"),
            Kind::Decide => write!(f, "validator {by} sees height {height} decided"),
            Kind::Sync => write!(f, "validator {by} has the record of height {height} on disk"),
            Kind::PowerCut => write!(f, "validator {by} loses power and starts again at head {height}"),
            Kind::Loss => write!(f, "validator {by} loses its log and database and starts again"),
        }
    }
}

/// The rules between heights.
#[derive(Clone, Copy, Debug)]
pub struct Heights {
    /// The last height.
    pub last: u8,
    /// How many logs may be lost, one after the other.
    pub losses: u8,
    /// The rule that is left out.
    pub mutant: Option<Mutant>,
}

impl Heights {
    fn without(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    fn may_commit(&self, chain: &Chain, by: usize) -> bool {
        let me = &chain.validators[by];
        let synced = me.record == me.decided || self.without(Mutant::CommitsOnUnsyncedParent);
        me.decided == chain.decided && !me.committed && synced
    }

    /// One log at a time: with a liar, a second one is beyond F. The next is lost once the last has signed again.
    fn may_lose(&self, chain: &Chain, by: usize) -> bool {
        let others = || chain.validators.iter().enumerate().filter(|(index, _)| *index != by);
        let alone = others().all(|(_, it)| it.resume_at == 0) || self.without(Mutant::LosesTwoLogs);
        chain.losses < self.losses && chain.validators[by].resume_at == 0 && alone
    }

    /// Where `by` signs again after a start without its log (R21). It hears all others at once, and from the
    /// liar the head 0: heads only grow, and what is heard later makes the wait longer.
    fn resume_at(&self, chain: &Chain, by: usize) -> u8 {
        let heads = || (0..HONEST).filter(|it| *it != by).map(|it| chain.validators[it].record);
        let (me, liar) = (1, 1);
        let is_new = self.without(Mutant::AbstainsNotAtBirth)
            && chain.validators[by].record == 0
            && me + liar + heads().filter(|head| *head == 0).count() >= QUORUM;
        let margin = MARGIN - u8::from(self.without(Mutant::ResumesEarly));
        let heard = heads().max().unwrap_or(0);
        if is_new || self.without(Mutant::TrustsLostLog) { 0 } else { heard + margin }
    }

    fn lose(&self, chain: &mut Chain, by: usize) {
        let lost = chain.validators[by];
        chain.validators[by] = Validator {
            forgotten: lost.forgotten.max(lost.signed),
            // What it sent is still with the others.
            committed: lost.committed,
            resume_at: self.resume_at(chain, by),
            ..Validator::default()
        };
        chain.losses += 1;
    }

    fn cut_power(&self, chain: &mut Chain, by: usize) {
        let resume_at = self.resume_at(chain, by);
        let me = &mut chain.validators[by];
        if self.without(Mutant::RecyclesEarly) {
            let undecided = me.log >> (me.decided - me.record) << (me.decided - me.record);
            if undecided != me.log {
                (me.forgotten, me.log) = (me.forgotten.max(me.decided), undecided);
            }
        }
        me.decided = me.record;
        if me.resume_at > 0 {
            // R21: until it has signed again, each start begins anew.
            me.resume_at = resume_at;
        }
    }

    fn commit(chain: &mut Chain, by: usize, height: u8) {
        chain.validators[by].sign(height);
        chain.validators[by].committed = true;
        let (liar, committed) = (1, chain.validators.iter().filter(|it| it.committed).count());
        if liar + committed >= QUORUM {
            chain.decided = height;
            chain.validators.iter_mut().for_each(|it| it.committed = false);
        }
    }
}

impl Model for Heights {
    type State = Chain;
    type Action = Event;

    fn init_states(&self) -> Vec<Self::State> {
        vec![Chain::default()]
    }

    fn actions(&self, chain: &Self::State, events: &mut Vec<Self::Action>) {
        for (by, me) in chain.validators.iter().enumerate() {
            let (next, behind) = (me.decided + 1, me.record < me.decided);
            let may_sign = me.may_sign(self.without(Mutant::ResumesUnsynced)) && next <= self.last;
            let possible = [
                (may_sign && !me.knows(next), Kind::Sign, next),
                (may_sign && self.may_commit(chain, by), Kind::Commit, next),
                (me.decided < chain.decided, Kind::Decide, next),
                (behind, Kind::Sync, me.record + 1),
                (behind || me.resume_at > 0, Kind::PowerCut, me.record),
                (self.may_lose(chain, by), Kind::Loss, 0),
            ];
            let possible = possible.into_iter().filter(|(may, ..)| *may);
            events.extend(possible.map(|(_, kind, height)| Event { by, kind, height }));
        }
    }

    fn next_state(&self, last_state: &Self::State, event: Self::Action) -> Option<Self::State> {
        let mut chain = *last_state;
        let Event { by, kind, height } = event;
        match kind {
            Kind::Sign => chain.validators[by].sign(height),
            Kind::Commit => Self::commit(&mut chain, by, height),
            Kind::Decide => chain.validators[by].decided = height,
            Kind::Sync => chain.validators[by].sync(),
            Kind::PowerCut => self.cut_power(&mut chain, by),
            Kind::Loss => self.lose(&mut chain, by),
        }
        (chain != *last_state).then_some(chain)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always("nothing signed where it signed before", |_, chain| {
                chain.validators.iter().all(|it| !it.contradicted)
            }),
            Property::<Self>::sometimes("a key had signed at M + 2", |_, chain| {
                chain.validators.iter().any(|it| it.forgotten > 0 && it.forgotten + 1 == it.resume_at)
            }),
            Property::<Self>::sometimes("who lost its log signs again", |_, chain| {
                chain.losses > 0 && chain.validators.iter().all(|it| it.signed > 0 && it.resume_at == 0)
            }),
            Property::<Self>::sometimes("the last height is decided", |model, chain| {
                chain.decided == model.last
            }),
        ]
    }
}
