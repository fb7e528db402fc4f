//! Runs the checker, and says what it found.

use std::{fmt::Display, hash::Hash, time::Instant};

use serde::Serialize;
use stateright::{Checker, Expectation, HasDiscoveries, Model, Path, Property};

use crate::Mutant;

/// What was checked, within which bounds, and what came of it.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Which model.
    pub model: &'static str,
    /// Its bounds, in words.
    pub bounds: String,
    /// How many states were generated, those seen before included.
    pub states: usize,
    /// How many different ones there are among them; by symmetry where that is used.
    pub unique_states: usize,
    /// The length of the longest run.
    pub depth: usize,
    /// How long it took.
    pub seconds: f64,
    /// Whether all states were visited. It ends early when a property is broken.
    pub exhausted: bool,
    /// One for each property.
    pub verdicts: Vec<Verdict>,
}

impl Report {
    /// Whether everything that must always be was, and everything that must be possible is.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.exhausted && self.verdicts.iter().all(|it| it.holds)
    }

    /// The property that was found broken.
    #[must_use]
    pub fn broken(&self) -> Option<&Verdict> {
        self.verdicts.iter().find(|it| it.must == Must::Always && !it.holds)
    }
}

/// What is demanded of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Must {
    /// It holds in each state.
    Always,
    /// It holds in some state, else the model would show nothing.
    Sometimes,
}

/// One property.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// Its name.
    pub property: &'static str,
    /// What is demanded.
    pub must: Must,
    /// Whether that is so; of what must always be, as far as the search went.
    pub holds: bool,
    /// The run that breaks it, or that shows it to be possible.
    pub path: Vec<String>,
}

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Depth first, one state for all that are symmetric: least memory.
    Everything,
    /// Breadth first, to a short run that breaks the first property.
    Counterexample,
}

impl Search {
    /// Whatever leaves a rule out is expected to fail.
    #[must_use]
    pub const fn of(mutant: Option<Mutant>) -> Self {
        if mutant.is_none() { Self::Everything } else { Self::Counterexample }
    }
}

/// Searches the states of `model` on one thread.
pub fn check<M>(
    name: &'static str,
    bounds: String,
    model: M,
    search: Search,
    representative: fn(&M::State) -> M::State,
) -> Report
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + PartialEq + Hash + Send + Sync,
    M::Action: Clone + PartialEq + Display,
{
    let started = Instant::now();
    let first = model.properties().first().map(|it| it.name);
    let finish = match search {
        Search::Everything => HasDiscoveries::AnyFailures,
        Search::Counterexample => HasDiscoveries::AllOf(first.into_iter().collect()),
    };
    let builder = model.checker().finish_when(finish);
    let mut report = match search {
        Search::Everything => report(&builder.symmetry_fn(representative).spawn_dfs().join()),
        Search::Counterexample => report(&builder.spawn_bfs().join()),
    };
    report.model = name;
    report.bounds = bounds;
    report.seconds = started.elapsed().as_secs_f64();
    report
}

fn report<M>(checker: &impl Checker<M>) -> Report
where
    M: Model,
    M::State: Clone + PartialEq + Hash,
    M::Action: Clone + PartialEq + Display,
{
    let verdicts = checker.model().properties().into_iter().map(|property| {
        let found = checker.discovery(property.name).map(Path::into_actions);
        let must = match property.expectation {
            Expectation::Sometimes => Must::Sometimes,
            Expectation::Always | Expectation::Eventually => Must::Always,
        };
        let holds = found.is_some() == (must == Must::Sometimes);
        let path = found.map(|actions| shortened(checker.model(), &property, actions)).unwrap_or_default();
        Verdict { property: property.name, must, holds, path: path.iter().map(ToString::to_string).collect() }
    });
    let verdicts: Vec<_> = verdicts.collect();
    Report {
        states: checker.state_count(),
        unique_states: checker.unique_state_count(),
        depth: checker.max_depth(),
        exhausted: !verdicts.iter().any(|it| it.must == Must::Always && !it.holds),
        verdicts,
        ..Report::default()
    }
}

/// Leaves out every step that the outcome does not need: the checker returns some run, not the plainest.
fn shortened<M>(model: &M, property: &Property<M>, mut actions: Vec<M::Action>) -> Vec<M::Action>
where
    M: Model,
    M::Action: Clone + PartialEq,
{
    let wanted = property.expectation == Expectation::Sometimes;
    let mut index = 0;
    while index < actions.len() {
        let mut fewer = actions.clone();
        fewer.remove(index);
        if replay(model, &fewer).is_some_and(|state| (property.condition)(model, &state) == wanted) {
            (actions, index) = (fewer, 0);
        } else {
            index += 1;
        }
    }
    actions
}

/// Where `actions` lead, if each of them is possible in its turn.
fn replay<M>(model: &M, actions: &[M::Action]) -> Option<M::State>
where
    M: Model,
    M::Action: Clone + PartialEq,
{
    let start = model.init_states().into_iter().next()?;
    actions.iter().try_fold(start, |state, action| {
        let mut possible = Vec::new();
        model.actions(&state, &mut possible);
        if possible.contains(action) { model.next_state(&state, action.clone()) } else { None }
    })
}
