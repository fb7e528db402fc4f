//! Writes the folder of a network: beside its place first, then renamed, so that it is there whole or
//! not at all.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use eyre::WrapErr as _;
use quorate_types::{Address, ChainConfig, Genesis, GenesisValidator, NodeId};
use quorate_vote_log::VoteLog;

use super::{
    accounts::{self, DevelopmentAccount, development_accounts},
    material::{Authorities, private_folder, write, write_secret},
    plan::{Options, Plan},
    ports, texts,
};
use crate::{
    config,
    exit::{Exit, Failure},
    identity::vote_log_identity,
};

/// What was written.
#[derive(Debug)]
pub struct Created {
    /// The folder, absolute.
    pub folder: PathBuf,
    /// Who is in the network.
    pub plan: Plan,
    /// What all its nodes agree on.
    pub genesis: Genesis,
    /// The funded accounts.
    pub accounts: Vec<DevelopmentAccount>,
    /// What an operator should know, such as a busy port that is not needed.
    pub warnings: Vec<String>,
}

/// Writes a new network.
///
/// # Errors
/// When the folder exists (nothing is ever overwritten), the numbers make no network, a port is taken,
/// or a file cannot be written. Nothing is left behind then.
pub fn create(options: &Options) -> eyre::Result<Created> {
    if options.out.symlink_metadata().is_ok() {
        let message = format!(
            "{} exists already, and nothing is overwritten\n  start what is in it with `testnet up {0}`, or choose another --out",
            options.out.display()
        );
        return Err(Failure::new(Exit::Refused, message).into());
    }
    let plan = Plan::new(options)?;
    let warnings = if plan.local { probe_ports(&plan)? } else { Vec::new() };
    let folder = std::path::absolute(&options.out)?;
    let beside = draft_of(&folder)?;
    let drafted = draft(&beside, options, &plan);
    let renamed = drafted.and_then(|drafted| {
        fs::rename(&beside, &folder).wrap_err_with(|| format!("cannot make {}", folder.display()))?;
        Ok(drafted)
    });
    match renamed {
        Ok((genesis, accounts)) => Ok(Created { folder, plan, genesis, accounts, warnings }),
        Err(error) => {
            // What is left of the draft is worth nothing, and the error says what matters.
            let _ = fs::remove_dir_all(&beside);
            Err(error)
        }
    }
}

/// A place on the same file system, so that renaming is one step.
fn draft_of(folder: &Path) -> eyre::Result<PathBuf> {
    let parent = folder.parent().ok_or_else(|| Failure::new(Exit::Usage, "--out names no folder"))?;
    fs::create_dir_all(parent).wrap_err_with(|| format!("cannot make the folder {}", parent.display()))?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    Ok(parent.join(format!(".{name}.draft-{}", std::process::id())))
}

/// Probes every port. Those that a node can do without are warnings.
fn probe_ports(plan: &Plan) -> Result<Vec<String>, Failure> {
    let mut warnings = Vec::new();
    for member in &plan.members {
        let (needed, wanted) = ports::of(&member.config);
        for address in needed {
            ports::probe(address)?;
        }
        let busy = wanted.into_iter().filter_map(|address| ports::probe(address).err());
        warnings.extend(busy.map(|failure| format!("{} will do without {failure}", member.name)));
    }
    Ok(warnings)
}

fn draft(folder: &Path, options: &Options, plan: &Plan) -> eyre::Result<(Genesis, Vec<DevelopmentAccount>)> {
    private_folder(folder)?;
    let authorities = Authorities::create(folder)?;
    let mut nodes = Vec::new();
    for member in &plan.members {
        nodes.push(authorities.certify(&folder.join(&member.name), &member.name)?);
        for name in ["data", "logs"] {
            private_folder(&folder.join(&member.name).join(name))?;
        }
        write(&folder.join(format!("{}.toml", member.name)), &config::render(&member.config))?;
    }
    let accounts = development_accounts()?;
    let genesis = genesis(options, plan, &nodes, &accounts)?;
    write(&folder.join("genesis.json"), &genesis.to_json()?)?;
    provision_vote_logs(folder, plan, &nodes, &genesis)?;

    private_folder(&folder.join("accounts"))?;
    write(&folder.join("accounts/accounts.json"), &format!("{:#}\n", accounts::listing(&accounts)))?;
    write(&folder.join("accounts/README.md"), texts::ACCOUNTS)?;
    write_secret(&folder.join("accounts/administrator.key"), &format!("{}\n", accounts[0].private_key))?;
    write(&folder.join("README.md"), &texts::readme(plan, &genesis, &accounts))?;
    let binary = std::env::current_exe().wrap_err("cannot tell where this program stands")?;
    for (name, verb) in [("start_all.sh", "up"), ("stop_all.sh", "down")] {
        let script = folder.join(name);
        write(&script, &texts::script(verb, &binary))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    }
    Ok((genesis, accounts))
}

/// A vote log that is there and empty says: this node has never voted. One that is missing may have
/// been lost, and the node abstains until a quorum of others has told it where the chain is.
fn provision_vote_logs(folder: &Path, plan: &Plan, nodes: &[NodeId], genesis: &Genesis) -> eyre::Result<()> {
    let domain = genesis.domain()?;
    for (member, node) in plan.members.iter().zip(nodes) {
        let data = folder.join(&member.config.data_dir);
        VoteLog::create(&data, vote_log_identity(&domain, node))
            .wrap_err_with(|| format!("the vote log in {}", data.display()))?;
    }
    Ok(())
}

fn genesis(
    options: &Options,
    plan: &Plan,
    nodes: &[NodeId],
    accounts: &[DevelopmentAccount],
) -> eyre::Result<Genesis> {
    let fee_recipient: Address = accounts[0].address;
    let validators = plan.members.iter().zip(nodes).filter(|(member, _)| member.validator);
    let validators = validators.map(|(_, node)| GenesisValidator { key: *node, weight: 1, fee_recipient });
    let milliseconds = |interval: Duration| {
        u64::try_from(interval.as_millis())
            .map_err(|_| Failure::new(Exit::Usage, "an interval is longer than the world is old"))
    };
    let genesis = Genesis {
        config: ChainConfig {
            min_block_interval_ms: milliseconds(options.block_interval)?,
            empty_block_interval_ms: milliseconds(options.empty_block_interval)?,
            // Whose key everybody knows, as is right for a network of this kind.
            administrator: Some(accounts[0].address),
            ..ChainConfig::new(options.chain_id)
        },
        timestamp: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs(),
        validators: validators.collect(),
        alloc: accounts::alloc(accounts, options.alloc.as_deref())?,
    };
    // Written and read once, so that what stands in the file is known to make a chain.
    Ok(Genesis::from_json(&genesis.to_json()?)?)
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
