//! Every key of the file: what it means, in which unit.

/// One key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its path, such as `rpc.listen`; top-level keys come first.
    pub path: &'static str,
    /// What it means, in which unit.
    pub meaning: &'static str,
    /// What to write, for a key without a default; empty for the others.
    pub example: &'static str,
    /// Whether its value is a list.
    pub list: bool,
}

impl Key {
    const fn new(path: &'static str, meaning: &'static str) -> Self {
        Self { path, meaning, example: "", list: false }
    }

    const fn list(self) -> Self {
        Self { list: true, ..self }
    }

    const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    /// The section that the key stands in; empty at the top level.
    #[must_use]
    pub fn section(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(section, _)| section)
    }

    /// The key without its section.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }

    /// The environment variable that overrides the file's value.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{ENVIRONMENT_PREFIX}{}", self.path.replace('.', "__").to_uppercase())
    }
}

/// How the environment variables of all keys begin.
pub(super) const ENVIRONMENT_PREFIX: &str = "QUORATE__";

/// The keys in the order of the generated file, each section in one piece.
pub const KEYS: &[Key] = &[
    Key::new("genesis", "The genesis file: what all nodes of the chain agree on."),
    Key::new("data_dir", "The folder of the database and the vote log. Never copy it to a second node."),
    Key::new("identity.key", "The node's ed25519 key, PKCS#8 PEM: it votes, connects and proves who it is."),
    Key::new("identity.certificate", "The node's certificate, then its agency's, PEM."),
    Key::new("identity.ca", "The chain's CA, PEM: who is not certified by it cannot connect."),
    Key::new("identity.crls", "Revocation lists, PEM.").list(),
    Key::new("p2p.listen", "Where other nodes connect: IP:PORT."),
    Key::new("p2p.advertise", "What other nodes are told to dial, when that differs from listen: HOST:PORT.")
        .example("\"node0.example.org:30300\""),
    Key::new(
        "p2p.peers",
        "Whom to dial, for ever: NAME@HOST:PORT, or NODEID@HOST:PORT to accept nobody else there.",
    )
    .list(),
    Key::new(
        "rpc.listen",
        "Where clients connect, JSON-RPC over HTTP and WebSocket: IP:PORT. A busy first address is an error, \
         a busy further one a warning.",
    )
    .list(),
    Key::new("rpc.max_connections", "The most connections at a time."),
    Key::new("rpc.max_body_bytes", "The most bytes of one request."),
    Key::new("rpc.max_batch", "The most calls in one batch."),
    Key::new("rpc.batch_timeout", "After this the rest of a batch is refused, such as \"30s\"."),
    Key::new("rpc.max_response_bytes", "The most bytes of one answer."),
    Key::new("rpc.max_subscriptions", "The most subscriptions on one connection."),
    Key::new("rpc.call_gas_cap", "The most gas that eth_call and eth_estimateGas may use."),
    Key::new("rpc.call_timeout", "The most time that they may take, such as \"5s\" or \"500ms\"."),
    Key::new("rpc.max_log_results", "The most logs that one query returns."),
    Key::new("rpc.max_log_blocks", "The most blocks that one query for logs spans."),
    Key::new("ops.listen", "Where operators find /metrics, /livez and /readyz: IP:PORT. Keep it private."),
    Key::new("pool.max_transactions", "The most pending transactions that this node keeps."),
    Key::new("pool.max_bytes", "The most bytes that they may take."),
    Key::new("pool.per_sender", "The most of one sender, and the widest gap of nonces."),
    Key::new("log.format", "\"text\" for people, \"json\" for machines."),
    Key::new("log.filter", "What is logged, such as \"info\" or \"info,quorate_p2p=debug\"."),
    Key::new("log.directory", "The folder of the log files. Without it everything goes to stderr.")
        .example("\"logs\""),
    Key::new(
        "storage.min_free_bytes",
        "The free disk space below which the node stops proposing and voting.",
    ),
    Key::new("storage.history", "How far back old states can be read: \"archive\" is to block 0."),
];

/// The key of that path.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether a section of that name exists.
pub(super) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| !key.section().is_empty() && key.section() == name)
}

/// What somebody who wrote `unknown` may have meant: the nearest path, and failing that the path whose
/// last part is nearest, for a key in the wrong section.
pub(super) fn nearest(unknown: &str) -> Option<&'static str> {
    let leaf = unknown.rsplit('.').next().unwrap_or(unknown);
    let whole = KEYS.iter().map(|key| (strsim::damerau_levenshtein(key.path, unknown), key.path));
    let moved = KEYS.iter().map(|key| (strsim::damerau_levenshtein(key.name(), leaf), key.path));
    let sections =
        KEYS.iter().map(|key| (strsim::damerau_levenshtein(key.section(), unknown), key.section()));
    // More than a third of the letters wrong is another word.
    let near = |(distance, _): &(usize, &str)| *distance * 3 <= leaf.len().max(3);
    whole
        .chain(sections)
        .filter(near)
        .min_by_key(|it| it.0)
        .or_else(|| moved.filter(near).min_by_key(|it| it.0))
        .map(|it| it.1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::NodeConfig;

    #[test]
    fn the_table_names_exactly_the_keys_that_the_structs_have() {
        let value = toml::Table::try_from(NodeConfig::default()).expect("the default has a form");
        let mut written = BTreeSet::new();
        for (name, value) in &value {
            match value {
                toml::Value::Table(section) => {
                    written.extend(section.keys().map(|key| format!("{name}.{key}")));
                }
                _ => drop(written.insert(name.clone())),
            }
        }
        let with_default: BTreeSet<_> =
            KEYS.iter().filter(|key| key.example.is_empty()).map(|key| key.path.to_owned()).collect();
        assert_eq!(written, with_default);
        // And those without a default are known to the structs, which refuse what they do not know.
        for key in KEYS.iter().filter(|key| !key.example.is_empty()) {
            let text = format!("[{}]\n{} = {}", key.section(), key.name(), key.example);
            toml::from_str::<NodeConfig>(&text).expect(key.path);
        }
    }

    #[test]
    fn a_misspelt_or_misplaced_key_finds_its_neighbour() {
        assert_eq!(nearest("rpc.lisen"), Some("rpc.listen"));
        assert_eq!(nearest("p2p.listne"), Some("p2p.listen"));
        assert_eq!(nearest("rcp"), Some("rpc"));
        assert_eq!(nearest("rpc.min_free_bytes"), Some("storage.min_free_bytes"));
        assert_eq!(nearest("rpc.block_interval"), None);
    }
}
