//! Whether two greetings fit.

use quorate_proto::Hello;

/// Compares what must be equal.
///
/// # Errors
/// What differs, worded so that both sides can be told the same.
pub(crate) fn check_greeting(ours: &Hello, theirs: &Hello) -> Result<(), String> {
    if ours.protocol_version != theirs.protocol_version {
        return Err(format!(
            "protocol versions differ: the greeting says {}, this node speaks {} ({}); upgrade the older of the two",
            theirs.protocol_version, ours.protocol_version, ours.agent
        ));
    }
    if ours.chain_id != theirs.chain_id {
        return Err(format!(
            "chain ids differ: the greeting says {}, this node is on chain {}",
            theirs.chain_id, ours.chain_id
        ));
    }
    if ours.genesis_hash != theirs.genesis_hash {
        return Err(format!(
            "genesis blocks differ: the greeting says {}, this node has {}; compare the genesis.json files",
            theirs.genesis_hash, ours.genesis_hash
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use quorate_types::{B256, Height};

    use super::*;

    fn hello() -> Hello {
        Hello {
            protocol_version: 1,
            chain_id: 7,
            genesis_hash: B256::repeat_byte(1),
            height: Height(3),
            head_hash: B256::repeat_byte(2),
            agent: "quorate/0.1.0".into(),
        }
    }

    #[test]
    fn heads_and_agents_may_differ_and_nothing_else() {
        let ours = hello();
        let ahead = Hello { height: Height(9), head_hash: B256::ZERO, agent: "other".into(), ..hello() };
        assert_eq!(check_greeting(&ours, &ahead), Ok(()));

        let reason = |theirs: Hello| check_greeting(&ours, &theirs).expect_err("they do not fit");
        assert!(reason(Hello { protocol_version: 2, ..hello() }).contains("protocol versions differ"));
        assert!(reason(Hello { chain_id: 8, ..hello() }).contains("chain ids differ"));
        assert!(reason(Hello { genesis_hash: B256::ZERO, ..hello() }).contains("genesis blocks differ"));
    }
}
