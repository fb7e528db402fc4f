//! Answers to other nodes' requests: decided blocks, bodies, transactions.

use std::sync::Arc;

use parking_lot::Mutex;
use quorate_proto::{CertifiedBlock, MAX_BLOCKS_PER_RESPONSE, Request, Response};
use quorate_storage::{StorageError, Store};
use quorate_txpool::Pool;
use quorate_types::{B256, Block, Height};

use crate::chain::Candidates;

/// What answers are made of.
#[derive(Clone)]
pub(crate) struct Library {
    pub(crate) store: Arc<Store>,
    pub(crate) pool: Arc<Mutex<Pool>>,
    pub(crate) candidates: Candidates,
}

impl Library {
    /// Answers one request; reads the disk.
    pub(crate) fn answer(&self, request: Request) -> Result<Response, StorageError> {
        Ok(match request {
            Request::Blocks { from, count } => Response::blocks(self.blocks(from, count)),
            Request::BlockByHash(hash) => Response::Block(self.block_by_hash(&hash)?),
            Request::Transactions(hashes) => Response::transactions(self.transactions(&hashes)),
            Request::Offer(hashes) => Response::Missing(self.missing(hashes)),
        })
    }

    /// Read one after the other, so that no more is in memory than goes out.
    fn blocks(&self, from: Height, count: u32) -> impl Iterator<Item = CertifiedBlock> {
        let heights = std::iter::successors(Some(from), |height| Some(height.next()));
        let count = usize::try_from(count.min(MAX_BLOCKS_PER_RESPONSE)).unwrap_or(0);
        heights.take(count).map_while(|height| {
            let found =
                self.store.block(height).and_then(|block| Ok((block, self.store.certificate(height)?)));
            match found {
                Ok((Some(stored), Some(certificate))) => {
                    Some(CertifiedBlock { block: (*stored.block).clone(), certificate })
                }
                Ok(_) => None,
                Err(error) => {
                    tracing::error!(%height, %error, "could not read a block for a peer");
                    None
                }
            }
        })
    }

    fn block_by_hash(&self, hash: &B256) -> Result<Option<Arc<Block>>, StorageError> {
        if let Some(block) = self.candidates.block(hash) {
            return Ok(Some(block));
        }
        let Some(height) = self.store.height_of(*hash)? else { return Ok(None) };
        Ok(self.store.block(height)?.map(|stored| stored.block.clone()))
    }

    fn missing(&self, mut hashes: Vec<B256>) -> Vec<B256> {
        let pool = self.pool.lock();
        hashes.retain(|hash| !pool.contains(*hash));
        hashes
    }

    fn transactions(&self, hashes: &[B256]) -> Vec<quorate_types::Bytes> {
        let mut found = Vec::with_capacity(hashes.len());
        let mut missing = Vec::new();
        {
            let pool = self.pool.lock();
            for hash in hashes {
                match pool.get(*hash) {
                    Some(transaction) => found.push(transaction.raw().clone()),
                    None => missing.push(*hash),
                }
            }
        }
        if !missing.is_empty() {
            found.extend(self.candidates.transactions(&missing));
        }
        found
    }
}
