//! Who is linked with whom, and how scenarios name links.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Which pairs of nodes are neighbours: they dial each other, and nobody else does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topology {
    /// Every pair.
    #[default]
    Full,
    /// Each validator with the next one; the observer with validator 0.
    Ring,
    /// Everyone with validator 0 alone.
    Star,
}

impl Topology {
    /// The pairs, the lower index first. The last of `nodes` is the observer.
    #[must_use]
    pub fn pairs(self, nodes: usize) -> BTreeSet<(usize, usize)> {
        let observer = nodes - 1;
        let all = (0..nodes).flat_map(|a| (a + 1..nodes).map(move |b| (a, b)));
        let neighbours = |&(a, b): &(usize, usize)| match self {
            Self::Full => true,
            Self::Star => a == 0,
            Self::Ring if b == observer => a == 0,
            Self::Ring => b == a + 1 || (a == 0 && b == observer - 1),
        };
        all.filter(neighbours).collect()
    }
}

/// Links as a scenario names them: `0-1` is both ways, `0>1` what goes from 0 to 1, `3-*` all of node 3, and `*` all.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Links {
    text: String,
    from: Option<usize>,
    to: Option<usize>,
    both_ways: bool,
}

impl Links {
    /// Whether what goes from one node to another is among them.
    #[must_use]
    pub fn contain(&self, from: usize, to: usize) -> bool {
        let fits = |from, to| self.from.is_none_or(|it| it == from) && self.to.is_none_or(|it| it == to);
        fits(from, to) || (self.both_ways && fits(to, from))
    }
}

impl FromStr for Links {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} names no links: write 0-1, 0>1, 3-* or *");
        let end = |text: &str| match text.trim() {
            "*" => Ok(None),
            number => number.parse().map(Some).map_err(|_| wrong()),
        };
        let links = |from, to, both_ways| {
            Ok(Self { text: text.to_owned(), from: end(from)?, to: end(to)?, both_ways })
        };
        match (text.split_once('-'), text.split_once('>')) {
            (Some((a, b)), None) => links(a, b, true),
            (None, Some((from, to))) => links(from, to, false),
            _ if text == "*" => links("*", "*", true),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Links {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Links> for String {
    fn from(links: Links) -> Self {
        links.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_and_stars_leave_most_pairs_apart() {
        let pairs = |topology: Topology| topology.pairs(5).into_iter().collect::<Vec<_>>();
        assert_eq!(pairs(Topology::Full).len(), 10);
        assert_eq!(pairs(Topology::Ring), [(0, 1), (0, 3), (0, 4), (1, 2), (2, 3)]);
        assert_eq!(pairs(Topology::Star), [(0, 1), (0, 2), (0, 3), (0, 4)]);
    }

    #[test]
    fn links_are_named_one_way_both_ways_and_by_node() {
        let links = |text: &str| text.parse::<Links>().expect("links");
        let is = |text: &str, from, to| links(text).contain(from, to);
        assert!(is("0-1", 0, 1) && is("0-1", 1, 0) && !is("0-1", 0, 2));
        assert!(is("0>1", 0, 1) && !is("0>1", 1, 0));
        assert!(is("3-*", 3, 1) && is("3-*", 2, 3) && !is("3-*", 1, 2));
        assert!(is("3>*", 3, 1) && !is("3>*", 1, 3));
        assert!(is("*", 4, 0));
        for wrong in ["", "0", "0-", "a-b", "0-1>2"] {
            assert!(wrong.parse::<Links>().is_err(), "{wrong}");
        }
    }
}
