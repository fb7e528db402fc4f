//! Asking peers in turn, without waiting long for one that does not answer: a liar must not hold up what others have.

use std::time::Duration;

use futures::{StreamExt as _, stream::FuturesUnordered};
use quorate_types::NodeId;
use tokio::time::timeout;

/// How long one peer is waited for alone before the next is asked as well: some round trips of a long way.
const PATIENCE: Duration = Duration::from_millis(300);

/// Asks one peer after the other until `take` has what it wants. The next is asked when the one before has answered in
/// vain, or has had its time; what it still answers counts. False when all have answered in vain.
pub(crate) async fn ask_in_turn<T, F: Future<Output = T>>(
    peers: Vec<NodeId>,
    ask: impl Fn(NodeId) -> F,
    mut take: impl FnMut(T) -> bool,
) -> bool {
    let mut left = peers.into_iter();
    let mut asked = FuturesUnordered::new();
    loop {
        asked.extend(left.next().map(&ask));
        let answer = if left.len() == 0 {
            let Some(answer) = asked.next().await else { return false };
            answer
        } else {
            let Ok(Some(answer)) = timeout(PATIENCE, asked.next()).await else { continue };
            answer
        };
        if take(answer) {
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future::pending};

    use super::*;

    const PEERS: [NodeId; 3] = [NodeId([1; 32]), NodeId([2; 32]), NodeId([3; 32])];

    /// Given a peer that never answers and one that has nothing, then the third is asked all the same.
    #[tokio::test]
    async fn who_does_not_answer_holds_up_nobody() {
        let asked = RefCell::new(Vec::new());
        let found = ask_in_turn(
            PEERS.to_vec(),
            |peer| {
                asked.borrow_mut().push(peer);
                async move {
                    if peer == PEERS[0] {
                        pending::<()>().await;
                    }
                    (peer == PEERS[2]).then_some("the block")
                }
            },
            |answer| answer.is_some(),
        );
        assert!(found.await);
        assert_eq!(asked.into_inner(), PEERS);
    }

    /// Given a peer that is slow, then its answer counts though others were asked meanwhile; and when nobody has it, it ends.
    #[tokio::test]
    async fn a_late_answer_counts() {
        let slow = |peer| async move {
            if peer == PEERS[0] {
                tokio::time::sleep(PATIENCE * 3).await;
            }
            peer
        };
        assert!(ask_in_turn(PEERS.to_vec(), slow, |peer| peer == PEERS[0]).await);
        assert!(!ask_in_turn(PEERS.to_vec(), slow, |_| false).await);
        assert!(!ask_in_turn(vec![], slow, |_| true).await);
    }
}
