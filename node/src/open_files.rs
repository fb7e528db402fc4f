//! How many files and sockets this process may have open. Most systems give a program 1,024 at first and more when it asks; without them
//! a thousand idle clients would take the database's own.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is not for clients: 512 of the database (`quorate_storage`), peers with several streams each, logs, listeners.
const RESERVED: u64 = 768;

/// Takes as many as the system allows.
pub(crate) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, ?current, ?maximum, "could not raise the limit of open files");
    }
}

/// How many of `wanted` connections of clients there is room for. Fewer than wanted are said in the log.
pub(crate) fn room_for_clients(wanted: u32) -> u32 {
    let limit = getrlimit(Resource::Nofile).current;
    let room = room(limit, wanted);
    if room < wanted {
        tracing::warn!(
            open_files = ?limit, wanted, room,
            "clients have fewer connections than rpc.max_connections: raise `ulimit -n` (LimitNOFILE in systemd) or lower the setting"
        );
    }
    room
}

/// One client at the least, so that the node can be asked what is wrong with it.
fn room(limit: Option<u64>, wanted: u32) -> u32 {
    let left = limit.map_or(u64::MAX, |limit| limit.saturating_sub(RESERVED));
    u32::try_from(left).unwrap_or(u32::MAX).clamp(1, wanted.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_the_node_does_not_need() {
        assert_eq!(room(None, 4096), 4096);
        assert_eq!(room(Some(1 << 20), 4096), 4096);
        assert_eq!(room(Some(RESERVED + 100), 4096), 100);
        assert_eq!(room(Some(100), 4096), 1);
    }
}
