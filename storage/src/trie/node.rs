//! The nodes of a Merkle-Patricia trie (Yellow Paper, appendix D) and how parents refer to them.

use std::sync::Arc;

use alloy_rlp::Encodable;
use alloy_trie::{
    Nibbles, TrieMask,
    nodes::{BranchNodeRef, ExtensionNodeRef, LeafNodeRef, RlpNode},
};
use quorate_types::{B256, Bytes};

/// A node where it stands: below so many nibbles of the path to it.
#[derive(Clone, Debug)]
pub(super) struct Child<V> {
    pub(super) node: Node<V>,
    /// What the node above holds of it: its hash, or all of it when that is shorter.
    pub(super) reference: RlpNode,
}

/// A node wherever it stands. What leads to a branch over nibbles that all its keys share, an extension, is no node of its own.
#[derive(Clone, Debug)]
pub(super) enum Node<V> {
    Leaf(Arc<Leaf<V>>),
    Branch(Arc<Branch<V>>),
}

#[derive(Debug)]
pub(super) struct Leaf<V> {
    pub(super) key: B256,
    pub(super) value: V,
}

/// Where keys part: two children at the least.
#[derive(Debug)]
pub(super) struct Branch<V> {
    /// What all keys below begin with.
    pub(super) path: Nibbles,
    /// Which nibbles come next.
    mask: TrieMask,
    /// By these nibbles, in order.
    children: Box<[Child<V>]>,
    /// Of the branch alone, without the extension.
    reference: RlpNode,
}

/// The children of a node to be, by their nibbles.
pub(super) type Children<V> = [Option<Child<V>>; 16];

impl<V: Encodable> Branch<V> {
    /// The child behind the nibble.
    pub(super) fn child(&self, nibble: u8) -> Option<&Child<V>> {
        let before = (self.mask.get() & ((1 << nibble) - 1)).count_ones();
        self.mask.is_bit_set(nibble).then(|| &self.children[before as usize])
    }
}

impl<V: Encodable> Node<V> {
    /// A branch behind `path`; the only child itself where there is one, and nothing where there is none.
    pub(super) fn above(path: Nibbles, children: Children<V>, encoder: &mut Encoder) -> Option<Self> {
        let mut mask = TrieMask::default();
        (0..)
            .zip(&children)
            .filter(|(_, child)| child.is_some())
            .for_each(|(nibble, _)| mask.set_bit(nibble));
        let mut standing = children.into_iter().flatten();
        if mask.count_ones() < 2 {
            return standing.next().map(|child| child.node);
        }
        let children: Box<[_]> = standing.collect();
        let reference = RlpNode::from_rlp(encoder.branch(&children, mask));
        Some(Self::Branch(Arc::new(Branch { path, mask, children, reference })))
    }

    /// The node below `depth` nibbles.
    pub(super) fn at(self, depth: usize, encoder: &mut Encoder) -> Child<V> {
        let reference = match &self {
            Self::Leaf(leaf) => RlpNode::from_rlp(encoder.leaf(leaf, depth)),
            Self::Branch(branch) if branch.path.len() == depth => branch.reference.clone(),
            Self::Branch(branch) => RlpNode::from_rlp(encoder.extension(branch, depth)),
        };
        Child { node: self, reference }
    }
}

/// Room to encode nodes in, one after the other.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    node: Vec<u8>,
    value: Vec<u8>,
    references: Vec<RlpNode>,
}

impl Encoder {
    fn leaf<V: Encodable>(&mut self, leaf: &Leaf<V>, depth: usize) -> &[u8] {
        self.node.clear();
        self.value.clear();
        leaf.value.encode(&mut self.value);
        let key = Nibbles::unpack(leaf.key).slice(depth..);
        LeafNodeRef::new(&key, &self.value).encode(&mut self.node);
        &self.node
    }

    fn extension<V>(&mut self, branch: &Branch<V>, depth: usize) -> &[u8] {
        self.node.clear();
        let path = branch.path.slice(depth..);
        ExtensionNodeRef::new(&path, &branch.reference).encode(&mut self.node);
        &self.node
    }

    fn branch<V>(&mut self, children: &[Child<V>], mask: TrieMask) -> &[u8] {
        self.node.clear();
        self.references.clear();
        self.references.extend(children.iter().map(|child| child.reference.clone()));
        BranchNodeRef::new(&self.references, mask).encode(&mut self.node);
        &self.node
    }

    /// The node's own bytes below `depth` nibbles, of an extension and of the branch behind it.
    pub(super) fn bytes<V: Encodable>(&mut self, node: &Node<V>, depth: usize) -> Vec<Bytes> {
        match node {
            Node::Leaf(leaf) => vec![Bytes::copy_from_slice(self.leaf(leaf, depth))],
            Node::Branch(branch) => {
                let extension = (branch.path.len() > depth)
                    .then(|| Bytes::copy_from_slice(self.extension(branch, depth)));
                let branch = Bytes::copy_from_slice(self.branch(&branch.children, branch.mask));
                extension.into_iter().chain([branch]).collect()
            }
        }
    }
}
