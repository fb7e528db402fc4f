//! Who is in the network, and where each listens.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use quorate_types::MAX_VALIDATORS;

use crate::{
    config::{HostPort, NodeConfig, PeerAddress, PeerName},
    exit::{Exit, Failure},
};

/// The RPC port that clients expect of the first node.
pub(super) const DEFAULT_RPC_PORT: u16 = 20200;
/// Where code written for geth looks for a node.
const GETH_PORT: u16 = 8545;

/// What `testnet new` is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder to write; it must not exist.
    pub out: PathBuf,
    /// How many nodes vote.
    pub validators: usize,
    /// How many follow without voting.
    pub observers: usize,
    /// The EIP-155 chain id.
    pub chain_id: u64,
    /// The least time between two blocks.
    pub block_interval: Duration,
    /// The time after which a block comes without any transaction; zero: never.
    pub empty_block_interval: Duration,
    /// Further accounts of block 0: a file with geth's `alloc`, or a geth genesis that has one.
    pub alloc: Option<PathBuf>,
    /// Node i answers clients at this port + i.
    pub rpc_port: u16,
    /// Node i answers operators at this port + i.
    pub ops_port: u16,
    /// Node i meets other nodes at this port + i.
    pub p2p_port: u16,
    /// The host of each node, in order; empty: all on loopback.
    pub hosts: Vec<String>,
    /// For containers: each node's host is its name, and it listens on all its addresses.
    pub docker: bool,
}

/// One node of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// `node0` or `observer0`: the name of its folder, its file and its container.
    pub name: String,
    /// Whether it votes.
    pub validator: bool,
    /// Where others find it.
    pub address: HostPort,
    /// Its configuration; paths are relative to the network's folder.
    pub config: NodeConfig,
}

/// The whole network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Validators, then observers.
    pub members: Vec<Member>,
    /// Whether all run on this machine, so that its ports can be probed.
    pub local: bool,
}

impl Plan {
    /// Places every node.
    ///
    /// # Errors
    /// With [`Exit::Usage`] for numbers that make no network.
    pub fn new(options: &Options) -> Result<Self, Failure> {
        check_numbers(options)?;
        let names = (0..options.validators).map(|i| (format!("node{i}"), true));
        let names = names.chain((0..options.observers).map(|i| (format!("observer{i}"), false)));
        let mut members = Vec::new();
        for (index, (name, validator)) in names.enumerate() {
            members.push(place(options, index, name, validator)?);
        }
        let addresses: Vec<_> = members
            .iter()
            .map(|it| PeerAddress { name: PeerName::Name(it.name.clone()), address: it.address.clone() })
            .collect();
        for (index, member) in members.iter_mut().enumerate() {
            let others = addresses.iter().enumerate().filter(|(other, _)| *other != index);
            member.config.p2p.peers = others.map(|(_, address)| address.clone()).collect();
        }
        let plan = Self { members, local: !options.docker && options.hosts.is_empty() };
        plan.check_ports()?;
        Ok(plan)
    }

    /// One port wanted twice would let the second node fail to start.
    fn check_ports(&self) -> Result<(), Failure> {
        let mut taken = BTreeSet::new();
        for member in &self.members {
            let NodeConfig { rpc, ops, p2p, .. } = &member.config;
            for address in rpc.listen.iter().chain([&ops.listen, &p2p.listen]) {
                if !taken.insert((&member.address.host, address.port())) {
                    let port = address.port();
                    return Err(usage(format!(
                        "port {port} is wanted twice\n  space --rpc-port, --ops-port and --p2p-port further apart"
                    )));
                }
            }
        }
        Ok(())
    }
}

fn check_numbers(options: &Options) -> Result<(), Failure> {
    let nodes = options.validators + options.observers;
    if options.validators == 0 {
        return Err(usage("a network needs at least one validator"));
    }
    if options.validators > MAX_VALIDATORS || options.observers > MAX_VALIDATORS {
        return Err(usage(format!("at most {MAX_VALIDATORS} validators and as many observers")));
    }
    if options.docker && !options.hosts.is_empty() {
        return Err(usage("--docker names the hosts itself; leave out --hosts"));
    }
    if !options.hosts.is_empty() && options.hosts.len() != nodes {
        let given = options.hosts.len();
        return Err(usage(format!(
            "--hosts names {given} hosts for {nodes} nodes: name one per node, validators first"
        )));
    }
    Ok(())
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, message)
}

fn place(options: &Options, index: usize, name: String, validator: bool) -> Result<Member, Failure> {
    let port = |base: u16| {
        let port =
            u16::try_from(index).ok().and_then(|index| base.checked_add(index)).filter(|port| *port != 0);
        port.ok_or_else(|| {
            usage(format!("{name} would need a port outside 1..65535, counting on from {base}"))
        })
    };
    let (rpc, ops, p2p) = (port(options.rpc_port)?, port(options.ops_port)?, port(options.p2p_port)?);
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let everywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let host = match options.hosts.get(index) {
        Some(host) => host.clone(),
        None if options.docker => name.clone(),
        None => loopback.to_string(),
    };
    let clients = if options.docker { everywhere } else { loopback };
    let nodes = if options.docker || !options.hosts.is_empty() { everywhere } else { loopback };
    // A host may come as an IPv6 address with or without brackets.
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let address = HostPort { host: bare, port: p2p };
    address.to_string().parse::<HostPort>().map_err(|error| usage(format!("--hosts: {error}")))?;

    let mut config = NodeConfig { data_dir: format!("{name}/data").into(), ..NodeConfig::default() };
    config.identity.key = format!("{name}/node.key").into();
    config.identity.certificate = format!("{name}/node.crt").into();
    config.identity.ca = format!("{name}/ca.crt").into();
    // Who runs containers collects what they write to their terminal.
    config.log.directory = (!options.docker).then(|| format!("{name}/logs").into());
    config.rpc.listen = vec![SocketAddr::new(clients, rpc)];
    if index == 0 && options.rpc_port == DEFAULT_RPC_PORT {
        config.rpc.listen.push(SocketAddr::new(clients, GETH_PORT));
    }
    config.ops.listen = SocketAddr::new(clients, ops);
    config.p2p.listen = SocketAddr::new(nodes, p2p);
    config.p2p.advertise = nodes.is_unspecified().then(|| address.clone());
    Ok(Member { name, validator, address, config })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn options() -> Options {
        Options {
            out: "net".into(),
            validators: 4,
            observers: 1,
            chain_id: 20200,
            block_interval: Duration::from_millis(50),
            empty_block_interval: Duration::ZERO,
            alloc: None,
            rpc_port: 20200,
            ops_port: 20300,
            p2p_port: 30300,
            hosts: Vec::new(),
            docker: false,
        }
    }

    #[test]
    fn ports_count_on_from_validators_to_observers() {
        let plan = Plan::new(&options()).expect("the default network");
        let observer = plan.members.last().expect("five nodes");
        assert_eq!((plan.members.len(), observer.name.as_str(), observer.validator), (5, "observer0", false));
        assert_eq!(observer.config.rpc.listen, ["127.0.0.1:20204".parse().expect("an address")]);
        assert_eq!(observer.config.ops.listen.port(), 20304);
        assert_eq!(observer.config.p2p.listen.port(), 30304);
        let peers: Vec<_> = observer.config.p2p.peers.iter().map(ToString::to_string).collect();
        assert_eq!(peers[3], "node3@127.0.0.1:30303");
        assert_eq!(peers.len(), 4);
    }

    #[test]
    fn node_0_answers_at_geths_port_with_the_default_rpc_port_only() {
        let of_node_0 =
            |options: &Options| Plan::new(options).expect("sound").members[0].config.rpc.listen.len();
        assert_eq!(of_node_0(&options()), 2);
        assert_eq!(of_node_0(&Options { rpc_port: 21200, ..options() }), 1);
    }

    #[test]
    fn in_containers_a_node_listens_everywhere_and_is_found_by_its_name() {
        let plan = Plan::new(&Options { docker: true, ..options() }).expect("sound");
        let config = &plan.members[1].config;
        assert_eq!(config.rpc.listen[0].to_string(), "0.0.0.0:20201");
        assert_eq!(config.p2p.peers[0].to_string(), "node0@node0:30300");
        assert_eq!(config.p2p.advertise.as_ref().expect("named").to_string(), "node1:30301");
        assert_eq!(config.log.directory, None);
        assert!(!plan.local);
    }

    #[test]
    fn on_several_hosts_only_the_p2p_port_is_open_to_others() {
        let hosts = ["a.example", "b.example", "192.0.2.1", "::1", "[::2]"].map(str::to_owned).to_vec();
        let plan = Plan::new(&Options { hosts, ..options() }).expect("sound");
        let config = &plan.members[0].config;
        assert!(config.p2p.listen.ip().is_unspecified() && config.rpc.listen[0].ip().is_loopback());
        assert_eq!(config.p2p.peers[3].to_string(), "observer0@[::2]:30304");
    }

    #[test]
    fn what_makes_no_network_is_a_usage_error() {
        let wrong = [
            Options { validators: 0, ..options() },
            Options { validators: 300, ..options() },
            Options { ops_port: 20203, ..options() },
            Options { p2p_port: 65533, ..options() },
            Options { hosts: vec!["a".to_owned()], ..options() },
            Options { hosts: vec!["a b".to_owned(); 5], ..options() },
        ];
        for options in wrong {
            assert_eq!(Plan::new(&options).expect_err("no network").exit, Exit::Usage, "{options:?}");
        }
    }
}
