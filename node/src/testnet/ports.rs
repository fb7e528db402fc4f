//! Whether a port is free, and who holds it when it is not.

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    net::{SocketAddr, TcpListener},
};

use crate::{
    config::NodeConfig,
    exit::{Exit, Failure},
};

/// The state `LISTEN` in `/proc/net/tcp` (the kernel's `tcp_states.h`).
const LISTEN: &str = "0A";

/// A process that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub pid: u32,
    /// Its name, as the kernel has it.
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

/// Checks that somebody may listen at `address`.
///
/// # Errors
/// When it is taken: by whom, as far as `/proc` tells; or when the system refuses for another reason.
pub fn probe(address: SocketAddr) -> Result<(), Failure> {
    let Err(error) = TcpListener::bind(address) else { return Ok(()) };
    if error.kind() != io::ErrorKind::AddrInUse {
        let exit = match error.kind() {
            io::ErrorKind::PermissionDenied => Exit::Permission,
            _ => Exit::Other,
        };
        return Err(Failure::new(
            exit,
            format!("cannot listen at {address}: {error}\n  choose another address"),
        ));
    }
    let holder = match holder(address.port()) {
        Some(holder) => format!("held by {holder}"),
        None => "held by a process that this user may not see".to_owned(),
    };
    let port = address.port();
    Err(Failure::new(
        Exit::Other,
        format!("port {port} is taken: {holder}\n  end that process, or choose other ports"),
    ))
}

/// The addresses that a node cannot start without, and those that it can.
pub(super) fn of(config: &NodeConfig) -> (Vec<SocketAddr>, Vec<SocketAddr>) {
    let (first, further) = config.rpc.listen.split_at(config.rpc.listen.len().min(1));
    ([first, &[config.ops.listen, config.p2p.listen]].concat(), further.to_vec())
}

/// The process that listens at a TCP port of this machine. `None` when nobody does, when the process
/// belongs to another user, and where there is no `/proc`.
#[must_use]
pub fn holder(port: u16) -> Option<Holder> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| fs::read_to_string(file).unwrap_or_default());
    let sockets: BTreeSet<_> = tables
        .iter()
        .flat_map(|table| listening(table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if sockets.is_empty() {
        return None;
    }
    let pid = processes().find(|pid| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        files
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| target.to_str().is_some_and(|target| sockets.contains(target)))
    })?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(Holder { pid, name: name.trim().to_owned() })
}

/// The ids of all processes.
pub(super) fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The inodes of the sockets that listen at `port`, from a table of the kernel's form: columns are
/// number, local address, remote address, state, ..., and the tenth is the inode.
fn listening<'t>(table: &'t str, port: u16) -> Vec<&'t str> {
    let suffix = format!(":{port:04X}");
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let inode = |row: Vec<&'t str>| match row[..] {
        [_, local, _, state, _, _, _, _, _, inode, ..] if local.ends_with(&suffix) && state == LISTEN => {
            Some(inode)
        }
        _ => None,
    };
    rows.filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_the_process_that_holds_it() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let me = holder(address.port()).expect("this process listens");
        assert_eq!(me.pid, std::process::id());
        let failure = probe(address).expect_err("taken");
        assert!(failure.message.contains(&format!("port {}", address.port())), "{failure}");
        assert!(failure.message.contains(&format!("pid {}", me.pid)), "{failure}");

        drop(listener);
        probe(address).expect("free again");
        assert_eq!(holder(address.port()), None);
    }

    #[test]
    fn only_listening_sockets_of_that_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode\n\
            0: 0100007F:4EE8 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 111 1\n\
            1: 0100007F:4EE8 0100007F:9999 01 00000000:00000000 00:00000000 00000000 0 0 222 1\n\
            2: 0100007F:4EE9 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 333 1\n";
        assert_eq!(listening(table, 20200), ["111"]);
    }
}
