//! Licences of all dependencies against the list in `deny.toml`, which cargo-deny reads too.

use std::collections::BTreeMap;

use crate::graph::Graph;

/// What is allowed to all, and what to single crates.
pub(crate) struct Policy {
    allow: Vec<String>,
    exceptions: BTreeMap<String, Vec<String>>,
}

#[derive(serde::Deserialize)]
struct File {
    licenses: Licenses,
}

#[derive(serde::Deserialize)]
struct Licenses {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(serde::Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

impl Policy {
    pub(crate) fn parse(deny_toml: &str) -> Result<Self, toml::de::Error> {
        let File { licenses } = toml::from_str(deny_toml)?;
        let exceptions = licenses.exceptions.into_iter().map(|it| (it.name, it.allow)).collect();
        Ok(Self { allow: licenses.allow, exceptions })
    }

    /// Whether an SPDX expression can be met.
    fn accepts(&self, name: &str, expression: &str) -> bool {
        let own = self.exceptions.get(name);
        let allowed =
            |licence: &str| self.allow.iter().chain(own.into_iter().flatten()).any(|it| it == licence);
        let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
        let tokens: Vec<_> = spaced.split_whitespace().collect();
        let (met, rest) = any(&tokens, &allowed);
        met && rest.is_empty()
    }
}

type Parsed<'t> = (bool, &'t [&'t str]);

/// One of several joined by OR.
fn any<'t>(tokens: &'t [&'t str], allowed: &dyn Fn(&str) -> bool) -> Parsed<'t> {
    let (mut met, mut rest) = all(tokens, allowed);
    while let ["OR", after @ ..] = rest {
        let (also, after) = all(after, allowed);
        (met, rest) = (met || also, after);
    }
    (met, rest)
}

/// All of several joined by AND.
fn all<'t>(tokens: &'t [&'t str], allowed: &dyn Fn(&str) -> bool) -> Parsed<'t> {
    let (mut met, mut rest) = one(tokens, allowed);
    while let ["AND", after @ ..] = rest {
        let (also, after) = one(after, allowed);
        (met, rest) = (met && also, after);
    }
    (met, rest)
}

/// One licence, with its exception if it has one, or what stands in parentheses.
fn one<'t>(tokens: &'t [&'t str], allowed: &dyn Fn(&str) -> bool) -> Parsed<'t> {
    match tokens {
        ["(", inside @ ..] => match any(inside, allowed) {
            (met, [")", after @ ..]) => (met, after),
            (_, rest) => (false, rest),
        },
        [licence, "WITH", exception, after @ ..] => (allowed(&format!("{licence} WITH {exception}")), after),
        [licence, after @ ..] => (allowed(licence), after),
        [] => (false, tokens),
    }
}

/// Every dependency without a licence that is allowed.
pub(crate) fn check(graph: &Graph, policy: &Policy) -> Vec<String> {
    let mut found = Vec::new();
    for (name, dependency) in &graph.0 {
        for licence in &dependency.licences {
            match licence {
                Some(licence) if policy.accepts(name, licence) => (),
                Some(licence) => {
                    found.push(format!("{name}: the licence {licence} is not allowed by deny.toml"))
                }
                None => found.push(format!("{name} names no licence")),
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = "[licenses]\nallow = ['MIT', 'Apache-2.0', 'ISC']\n\
        exceptions = [{ crate = 'special', allow = ['MPL-2.0'] }]";

    #[test]
    fn expressions_are_weighed_as_spdx_says() {
        let policy = Policy::parse(DENY).expect("a policy");
        for good in ["MIT", "GPL-3.0 OR MIT", "MIT/GPL-3.0", "(GPL-3.0 OR MIT) AND (ISC AND Apache-2.0)"] {
            assert!(policy.accepts("any", good), "{good}");
        }
        for bad in
            ["GPL-3.0", "MIT AND GPL-3.0", "MIT WITH Oddity", "(MIT", "", "(GPL-3.0 OR LGPL-3.0) AND MIT"]
        {
            assert!(!policy.accepts("any", bad), "{bad}");
        }
        assert!(policy.accepts("special", "MPL-2.0") && !policy.accepts("any", "MPL-2.0"));
    }

    #[test]
    fn a_dependency_with_a_foreign_licence_or_none_is_found() {
        let mut graph = Graph::sample(&[("good", &[]), ("copyleft", &[]), ("silent", &[])]);
        for (name, licence) in [("good", Some("MIT")), ("copyleft", Some("AGPL-3.0")), ("silent", None)] {
            let entry = graph.0.get_mut(name).expect("there");
            entry.licences.insert(licence.map(str::to_owned));
        }
        let found = check(&graph, &Policy::parse(DENY).expect("a policy"));
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
