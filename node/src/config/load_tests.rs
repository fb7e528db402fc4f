use std::time::Duration;

use super::*;
use crate::config::LogFormat;

struct Story {
    folder: tempfile::TempDir,
    overrides: Overrides,
}

impl Story {
    fn file(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("node.toml"), text).expect("written");
        Self { folder, overrides: Overrides::default() }
    }

    fn environment(mut self, name: &str, value: &str) -> Self {
        self.overrides.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn flag(mut self, flag: &str) -> Self {
        self.overrides.flags.push(flag.to_owned());
        self
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        load(&self.folder.path().join("node.toml"), &self.overrides)
    }

    fn error(&self) -> String {
        self.load().expect_err("it must be refused").to_string()
    }
}

#[test]
fn an_empty_file_is_all_defaults_with_paths_beside_the_file() {
    let story = Story::file("");
    let loaded = story.load().expect("defaults are sound");
    let folder = story.folder.path().canonicalize().expect("exists");
    assert_eq!(loaded.config.genesis, folder.join("genesis.json"));
    assert_eq!(loaded.config.identity.key, folder.join("node.key"));
    assert_eq!(loaded.config.rpc, NodeConfig::default().rpc);
    assert!(loaded.values().iter().all(|(key, _)| *loaded.origin(key.path) == Origin::Default));
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    let file = "[rpc]\nmax_batch = 1\nmax_connections = 1\nmax_subscriptions = 1\n";
    let story = Story::file(file)
        .environment("QUORATE__RPC__MAX_CONNECTIONS", "2")
        .environment("QUORATE__RPC__MAX_SUBSCRIPTIONS", "2")
        .environment("PATH", "/bin")
        .flag("rpc.max_subscriptions=3");
    let loaded = story.load().expect("sound");
    let rpc = &loaded.config.rpc;
    assert_eq!((rpc.max_batch, rpc.max_connections, rpc.max_subscriptions), (1, 2, 3));
    assert_eq!(rpc.max_body_bytes, 5 << 20);
    assert_eq!(*loaded.origin("rpc.max_batch"), Origin::File(2));
    let variable = Origin::Environment("QUORATE__RPC__MAX_CONNECTIONS".to_owned());
    assert_eq!(*loaded.origin("rpc.max_connections"), variable);
    assert_eq!(*loaded.origin("rpc.max_subscriptions"), Origin::Flag);
}

#[test]
fn every_kind_of_value_can_come_from_the_environment() {
    let story = Story::file("")
        .environment("QUORATE__RPC__LISTEN", "127.0.0.1:1,127.0.0.1:2")
        .environment("QUORATE__RPC__CALL_TIMEOUT", "250ms")
        .environment("QUORATE__P2P__PEERS", "a@host:1")
        .environment("QUORATE__P2P__ADVERTISE", "example.org:9")
        .environment("QUORATE__LOG__FORMAT", "json")
        .environment("QUORATE__LOG__DIRECTORY", "logs")
        .environment("QUORATE__STORAGE__MIN_FREE_BYTES", "17")
        .environment("QUORATE__DATA_DIR", "/var/lib/quorate");
    let config = story.load().expect("sound").config;
    assert_eq!(config.rpc.listen.len(), 2);
    assert_eq!(config.rpc.call_timeout, Duration::from_millis(250));
    assert_eq!(config.p2p.peers[0].to_string(), "a@host:1");
    assert_eq!(config.p2p.advertise.expect("set").to_string(), "example.org:9");
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(config.log.directory.expect("set").ends_with("logs"));
    assert_eq!(config.storage.min_free_bytes, 17);
    assert_eq!(config.data_dir, Path::new("/var/lib/quorate"));
}

#[test]
fn every_kind_of_value_can_come_from_a_flag() {
    let story = Story::file("p2p.peers = ['a@host:1']")
        .flag("rpc.listen=127.0.0.1:1, 127.0.0.1:2")
        .flag("rpc.call_timeout=1m")
        .flag("p2p.peers=")
        .flag("pool.max_bytes=18");
    let config = story.load().expect("sound").config;
    assert_eq!(config.rpc.listen.len(), 2);
    assert_eq!(config.rpc.call_timeout, Duration::from_secs(60));
    assert!(config.p2p.peers.is_empty());
    assert_eq!(config.pool.max_bytes, 18);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_a_suggestion() {
    let error = Story::file("# a comment\n\n[rpc]\nlisen = []\n").error();
    assert!(error.contains("node.toml:4: unknown key `rpc.lisen`"), "{error}");
    assert!(error.contains("did you mean `rpc.listen`?"), "{error}");
}

#[test]
fn an_unknown_section_and_a_section_in_place_of_a_value_are_refused() {
    assert!(Story::file("[rcp]\nlisten = []").error().contains("did you mean `rpc`?"));
    assert!(Story::file("rpc = 3").error().contains("node.toml:1:"));
    assert!(Story::file("[genesis]\nfile = 'x'").error().contains("node.toml:"));
}

#[test]
fn what_belongs_into_the_genesis_is_sent_there() {
    // Fault local-config-stall (FISCO BCOS issue 4656): no node's own file may set the pace of the chain.
    let error = Story::file("[consensus]\nmin_block_interval_ms = 9000").error();
    assert!(error.contains("unknown key `consensus`") && error.contains("genesis file"), "{error}");
}

#[test]
fn a_value_of_the_wrong_kind_or_broken_syntax_is_named_with_its_line() {
    let wrong = [
        ("[rpc]\n\nmax_batch = 'many'", 3, "u32"),
        ("[rpc]\nlisten = ['localhost']", 2, "socket address"),
        ("[rpc]\ncall_timeout = 'soon'", 2, "a duration"),
        ("[p2p]\npeers = ['nobody']", 2, "NAME@HOST:PORT"),
        ("[log]\nformat = 'xml'", 2, "json"),
        ("[storage]\nhistory = 'some'", 2, "archive"),
        ("a = \n[rpc", 1, ""),
    ];
    for (text, line, expected) in wrong {
        let error = Story::file(text).error();
        assert!(error.contains(&format!("node.toml:{line}: ")) && error.contains(expected), "{error}");
    }
}

#[test]
fn a_wrong_override_is_named_by_its_place() {
    let error = Story::file("").environment("QUORATE__RPC__LISEN", "x").error();
    assert!(error.contains("QUORATE__RPC__LISEN") && error.contains("QUORATE__RPC__LISTEN?"), "{error}");
    let error = Story::file("").environment("QUORATE__RPC__MAX_BATCH", "many").error();
    assert!(error.contains("QUORATE__RPC__MAX_BATCH") && error.contains("many"), "{error}");
    assert!(Story::file("").flag("rpc.max_batch").error().contains("--set KEY=VALUE"));
    assert!(Story::file("").flag("rpc.maxbatch=1").error().contains("rpc.max_batch"));
}

#[test]
fn values_out_of_bounds_are_refused_where_they_stand() {
    let wrong = [
        "[rpc]\nlisten = []",
        "[rpc]\nmax_connections = 0",
        "[rpc]\ncall_timeout = '0s'",
        "[pool]\nper_sender = 0",
        "[log]\nfilter = 'quorate=loud'",
        "[ops]\nlisten = '127.0.0.1:20200'",
    ];
    for text in wrong {
        let error = Story::file(text).error();
        assert!(error.contains("node.toml:2: "), "{error}");
    }
}

#[test]
fn the_files_that_a_node_needs_are_looked_for_when_asked() {
    let story = Story::file("genesis = 'chain.json'");
    let error = story.load().expect("sound").check_files().expect_err("no genesis").to_string();
    assert!(error.contains("node.toml:1: genesis: ") && error.contains("chain.json"), "{error}");
    for name in ["chain.json", "node.key", "node.crt", "ca.crt"] {
        fs::write(story.folder.path().join(name), "").expect("written");
    }
    story.load().expect("sound").check_files().expect("all are there");
}

#[test]
fn a_missing_file_is_named() {
    let error = load(Path::new("/nowhere/node.toml"), &Overrides::default()).expect_err("missing");
    assert!(error.to_string().contains("/nowhere/node.toml"));
}
