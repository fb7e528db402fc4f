//! Who may know whom: the table of `ARCHITECTURE.md`.

use crate::graph::Graph;

/// What a crate may link of the workspace, and what it must never link directly.
struct Rule {
    name: &'static str,
    may: &'static [&'static str],
    never: &'static [&'static str],
}

const fn rule(name: &'static str, may: &'static [&'static str], never: &'static [&'static str]) -> Rule {
    Rule { name, may, never }
}

const RULES: &[Rule] = &[
    rule("types", &[], &["tokio", "prost", "rocksdb", "revm"]),
    rule("proto", &["types"], &["tokio", "rocksdb", "revm", "libp2p"]),
    rule("consensus", &["types"], &["tokio", "rocksdb", "revm", "libp2p", "prost"]),
    rule("consensus-mutants", &["types"], &["tokio", "rocksdb", "revm", "libp2p", "prost"]),
    rule("execution", &["types"], &["tokio", "rocksdb", "libp2p"]),
    rule("storage", &["types"], &["tokio", "libp2p", "jsonrpsee"]),
    rule("vote-log", &["types"], &["tokio", "rocksdb", "revm", "libp2p", "prost"]),
    rule("txpool", &["types"], &["tokio", "rocksdb", "revm", "libp2p"]),
    rule("sync", &["types"], &["tokio", "rocksdb", "revm", "libp2p"]),
    rule("p2p", &["types", "proto"], &["rocksdb", "revm", "jsonrpsee"]),
    rule("light", &["types"], &["tokio", "rocksdb", "revm", "libp2p"]),
    rule("bench", &["types"], &["rocksdb", "revm", "libp2p"]),
    rule("rpc", &["types", "proto", "storage", "execution", "txpool"], &["rocksdb", "libp2p"]),
    rule(
        "node",
        &[
            "types",
            "proto",
            "consensus",
            "execution",
            "storage",
            "vote-log",
            "txpool",
            "sync",
            "p2p",
            "rpc",
            "light",
            "bench",
        ],
        &["rocksdb"],
    ),
    rule("simulator", &["types", "proto", "consensus-mutants", "sync", "vote-log"], &["tokio", "rocksdb"]),
    // It states the rules anew, so it knows none of the code that follows them.
    rule("model", &[], &["tokio", "rocksdb"]),
    // What runs the product is a dependency of tests only.
    rule("tests", &["types", "consensus", "simulator"], &[]),
];

/// Values and state machines: nothing that waits, stores or connects is in what they are linked with.
const PURE: &[&str] = &["types", "consensus", "sync", "txpool", "vote-log", "light", "simulator", "model"];
const IMPURE: &[&str] = &["tokio", "mio", "hyper", "libp2p", "rocksdb", "librocksdb-sys", "revm"];
/// These have no direct dependency but `types`, and a macro that is gone once it is expanded.
const ALONE: &[&str] = &["consensus", "sync"];
const MACROS: &[&str] = &["thiserror"];

fn full(name: &str) -> String {
    format!("quorate-{name}")
}

/// Everything that breaks the table.
pub(crate) fn check(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for (name, member) in graph.members() {
        let Some(rule) = RULES.iter().find(|rule| full(rule.name) == *name) else {
            found.push(format!("{name} is not in the table: say in architecture/edges.rs whom it may know"));
            continue;
        };
        for linked in &member.links {
            let ours = graph.0.get(linked).is_some_and(|it| it.folder.is_some());
            if ours && !rule.may.iter().any(|may| full(may) == *linked) {
                found.push(format!("{name} must not know {linked}"));
            }
            if rule.never.contains(&linked.as_str()) {
                found.push(format!("{name} must never know {linked}"));
            }
            let alone = ALONE.contains(&rule.name) && !MACROS.contains(&linked.as_str());
            if alone && *linked != full("types") {
                found.push(format!("{name} depends on types alone, not on {linked}"));
            }
        }
        if PURE.contains(&rule.name) {
            let reached = graph.reach(name);
            let impure = IMPURE.iter().filter(|it| reached.contains(**it));
            found.extend(impure.map(|it| format!("{name} is pure, and is linked with {it}")));
        }
    }
    found
}

/// Deliberately broken rules must not be in the product: nobody turns the feature on, and the node is not linked with the
/// package that is built with it.
pub(crate) fn check_mutants(graph: &Graph) -> Vec<String> {
    let consensus = full("consensus");
    let mut found = Vec::new();
    if graph.0.get(&consensus).is_some_and(|it| it.default.iter().any(|feature| feature == "mutants")) {
        found.push("quorate-consensus has mutants on by default".to_owned());
    }
    if graph.0.get(&consensus).is_some_and(|it| it.enabled.contains("mutants")) {
        found.push("quorate-consensus is built with mutants".to_owned());
    }
    let product = graph.reach(&full("node"));
    if product.contains(&full("consensus-mutants")) {
        found.push("quorate-node is linked with quorate-consensus-mutants".to_owned());
    }
    for name in product {
        let asks = graph.0[&name].asks.iter().filter(|(of, _)| *of == consensus);
        let mutants = asks.flat_map(|(_, features)| features).filter(|feature| *feature == "mutants");
        found.extend(mutants.map(|_| format!("{name} turns on the mutants of quorate-consensus")));
    }
    found
}

/// Without this feature senders are recovered by k256, which takes nine times as long.
pub(crate) fn check_recovery(graph: &Graph) -> Vec<String> {
    let asks_for = |name: &str| {
        let asks = graph.0.get(name).into_iter().flat_map(|it| &it.asks);
        asks.filter(|(of, _)| of == "alloy-consensus")
            .flat_map(|(_, features)| features)
            .any(|it| it == "secp256k1")
    };
    let enabled = graph.0.get("alloy-consensus").is_some_and(|it| it.enabled.contains("secp256k1"));
    let mut found = Vec::new();
    if !asks_for("quorate-types") {
        found.push("quorate-types does not ask alloy-consensus for secp256k1".to_owned());
    }
    if !enabled {
        found.push("alloy-consensus has no secp256k1".to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_edge_is_found() {
        let graph = Graph::sample(&[
            ("quorate-types", &[]),
            ("quorate-consensus", &["quorate-types", "quorate-storage"]),
            ("quorate-storage", &["quorate-types"]),
            ("quorate-rpc", &["libp2p"]),
        ]);
        let found = check(&graph).join("\n");
        assert!(found.contains("quorate-consensus must not know quorate-storage"), "{found}");
        assert!(found.contains("quorate-rpc must never know libp2p"), "{found}");
    }

    #[test]
    fn a_pure_core_that_is_linked_with_a_runtime_is_found() {
        let graph = Graph::sample(&[
            ("quorate-types", &["helper"]),
            ("helper", &["tokio"]),
            ("tokio", &[]),
            ("quorate-consensus", &["quorate-types", "helper"]),
        ]);
        let found = check(&graph).join("\n");
        assert!(found.contains("quorate-types is pure, and is linked with tokio"), "{found}");
        assert!(found.contains("quorate-consensus depends on types alone, not on helper"), "{found}");
    }

    #[test]
    fn a_crate_without_a_rule_is_found() {
        assert_eq!(check(&Graph::sample(&[("quorate-utils", &[])])).len(), 1);
    }

    #[test]
    fn mutants_in_the_product_are_found() {
        let mut graph =
            Graph::sample(&[("quorate-node", &["quorate-consensus"]), ("quorate-consensus", &[])]);
        assert_eq!(check_mutants(&graph), Vec::<String>::new());
        let node = graph.0.get_mut("quorate-node").expect("there");
        node.asks.push(("quorate-consensus".to_owned(), vec!["mutants".to_owned()]));
        assert_eq!(check_mutants(&graph), ["quorate-node turns on the mutants of quorate-consensus"]);
        graph.0.get_mut("quorate-consensus").expect("there").default.push("mutants".to_owned());
        assert_eq!(check_mutants(&graph).len(), 2);
    }

    #[test]
    fn slow_recovery_is_found() {
        let graph = Graph::sample(&[("quorate-types", &["alloy-consensus"]), ("alloy-consensus", &[])]);
        assert_eq!(check_recovery(&graph).len(), 2);
    }
}
