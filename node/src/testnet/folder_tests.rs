use std::collections::BTreeSet;

use quorate_types::{Height, NodeKey};
use quorate_vote_log::Condition;

use super::*;
use crate::{
    config::{Overrides, load},
    testnet::plan::tests::options,
};

/// A network with ports that no other test uses; nothing is probed, since nothing runs.
fn created(folder: &Path, change: impl FnOnce(&mut Options)) -> eyre::Result<Created> {
    let mut options = Options { out: folder.join("net"), docker: true, ..options() };
    change(&mut options);
    create(&options)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn the_folder_holds_exactly_what_the_contract_names() {
    let place = tempfile::tempdir().expect("a folder");
    let net = created(place.path(), |_| ()).expect("created").folder;
    let expected = [
        "genesis.json",
        "node0.toml",
        "node1.toml",
        "node2.toml",
        "node3.toml",
        "observer0.toml",
        "start_all.sh",
        "stop_all.sh",
        "README.md",
        "accounts",
        "ca",
        "agency",
        "sdk",
        "node0",
        "node1",
        "node2",
        "node3",
        "observer0",
    ];
    assert_eq!(names(&net), expected.map(str::to_owned).into());
    assert_eq!(
        names(&net.join("node0")),
        ["node.key", "node.crt", "ca.crt", "data", "logs"].map(str::to_owned).into()
    );
    assert_eq!(names(&net.join("sdk")), ["ca.crt", "sdk.crt", "sdk.key"].map(str::to_owned).into());
    assert_eq!(names(place.path()), ["net".to_owned()].into(), "no draft is left");
}

#[test]
fn every_configuration_is_sound_and_finds_its_files() {
    let place = tempfile::tempdir().expect("a folder");
    let created = created(place.path(), |_| ()).expect("created");
    for member in &created.plan.members {
        let file = created.folder.join(format!("{}.toml", member.name));
        let config = load(&file, &Overrides::default()).expect("sound").config;
        let identity = &config.identity;
        for path in [&config.genesis, &config.data_dir, &identity.key, &identity.certificate, &identity.ca] {
            assert!(path.exists(), "{}", path.display());
        }
        let key = NodeKey::from_pem(&fs::read_to_string(&identity.key).expect("a key")).expect("sound").id();
        let votes = created.genesis.validators.iter().any(|it| it.key == key);
        assert_eq!(votes, member.validator, "{}", member.name);
        let mode = fs::metadata(&identity.key).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "a key is its owner's");
    }
}

#[test]
fn a_first_start_is_known_by_its_provisioned_vote_log() {
    // Fault wiped-node (Besu issue 8307): an empty data folder must not look like a new node's.
    let place = tempfile::tempdir().expect("a folder");
    let created = created(place.path(), |_| ()).expect("created");
    let domain = created.genesis.domain().expect("sound");
    for member in &created.plan.members {
        let data = created.folder.join(&member.config.data_dir);
        let key = fs::read_to_string(created.folder.join(&member.name).join("node.key")).expect("a key");
        let id = NodeKey::from_pem(&key).expect("sound").id();
        let (_, recovery) =
            VoteLog::open(&data, vote_log_identity(&domain, &id), Height::ZERO).expect("it opens");
        assert_eq!(recovery.condition, Condition::Fresh, "{}", member.name);
    }
}

#[test]
fn the_genesis_says_what_was_asked_for() {
    let place = tempfile::tempdir().expect("a folder");
    let alloc = place.path().join("alloc.json");
    fs::write(&alloc, "{\"0x00000000000000000000000000000000000000aa\": {\"balance\": \"5\"}}")
        .expect("written");
    let created = created(place.path(), |options| {
        options.chain_id = 7;
        options.validators = 1;
        options.observers = 0;
        options.block_interval = std::time::Duration::from_secs(2);
        options.empty_block_interval = std::time::Duration::from_secs(9);
        options.alloc = Some(alloc.clone());
    });
    let created = created.expect("created");
    let text = fs::read_to_string(created.folder.join("genesis.json")).expect("there");
    let genesis = Genesis::from_json(&text).expect("sound");
    assert_eq!(genesis.domain().expect("sound"), created.genesis.domain().expect("sound"));
    assert_eq!((genesis.config.chain_id, genesis.config.min_block_interval_ms), (7, 2000));
    assert_eq!(genesis.config.empty_block_interval_ms, 9000);
    assert_eq!((genesis.validators.len(), genesis.alloc.len()), (1, 11));
    assert_eq!(genesis.validators[0].fee_recipient, created.accounts[0].address);
    assert_eq!(genesis.config.administrator, Some(created.accounts[0].address));
    let key = fs::read_to_string(created.folder.join("accounts/administrator.key")).expect("there");
    assert_eq!(key.trim(), created.accounts[0].private_key);
    assert_eq!(genesis.config.fork_at(Height(0)), quorate_types::Fork::Osaka);
}

#[test]
fn nothing_is_overwritten_and_a_failure_leaves_nothing_behind() {
    let place = tempfile::tempdir().expect("a folder");
    created(place.path(), |_| ()).expect("created");
    let before = fs::read_to_string(place.path().join("net/genesis.json")).expect("there");
    let error = created(place.path(), |_| ()).expect_err("it exists");
    assert_eq!(crate::exit::exit_of(&error), Exit::Refused);
    assert_eq!(fs::read_to_string(place.path().join("net/genesis.json")).expect("there"), before);

    let failed = created(place.path(), |options| {
        options.out = place.path().join("other");
        options.chain_id = 0;
    });
    assert_eq!(crate::exit::exit_of(&failed.expect_err("no such chain id")), Exit::Configuration);
    assert_eq!(names(place.path()), ["net".to_owned()].into());
}

#[test]
fn a_taken_port_stops_a_local_network_before_anything_is_written() {
    let place = tempfile::tempdir().expect("a folder");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let failed = created(place.path(), |options| {
        options.docker = false;
        options.validators = 1;
        options.observers = 0;
        options.rpc_port = port;
    });
    let error = failed.expect_err("taken").to_string();
    assert!(error.contains(&format!("port {port}")) && error.contains("pid"), "{error}");
    assert!(names(place.path()).is_empty());
}

#[test]
fn the_scripts_call_the_program_that_made_them() {
    let place = tempfile::tempdir().expect("a folder");
    let net = created(place.path(), |_| ()).expect("created").folder;
    let script = fs::read_to_string(net.join("start_all.sh")).expect("there");
    let binary = std::env::current_exe().expect("this test");
    assert!(script.contains(&binary.display().to_string()) && script.contains("testnet up"), "{script}");
    let mode = fs::metadata(net.join("stop_all.sh")).expect("there").permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
}
