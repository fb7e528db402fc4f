//! The contract's interface, in Solidity's words.
#![allow(missing_docs, reason = "the macro makes items that it does not document")]

alloy_sol_types::sol! {
    /// Who votes. Names and meanings of the four changes are those of FISCO BCOS's consensus precompile; a node id is
    /// the node's public key, 64 hex digits, with or without 0x. A change takes effect at the next height.
    interface IConsensus {
        /// One known node.
        struct Node {
            /// Its public key.
            bytes32 id;
            /// Its share of the vote; 0: an observer.
            uint64 weight;
            /// Who earns the fees of the blocks it proposes.
            address feeRecipient;
        }

        /// A node, new or an observer so far, votes with `weight`. A new one's fees go to the administrator.
        function addSealer(string nodeID, uint256 weight) external returns (int256);
        /// A node, new or a validator so far, follows without a vote.
        function addObserver(string nodeID) external returns (int256);
        /// A node is forgotten.
        function remove(string nodeID) external returns (int256);
        /// A validator gets another weight.
        function setWeight(string nodeID, uint256 weight) external returns (int256);
        /// All known nodes, in no order.
        function getNodes() external view returns (Node[] memory);
        /// Who alone may change them; 0: nobody.
        function getAdministrator() external view returns (address);

        event SealerAdded(bytes32 indexed node, uint64 weight);
        event ObserverAdded(bytes32 indexed node);
        event NodeRemoved(bytes32 indexed node);
        event WeightSet(bytes32 indexed node, uint64 before, uint64 weight);
    }
}
