// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// What is used here of forge's cheat codes; forge-std is not on npm.
interface Vm {
    function startBroadcast(uint256 key) external;
    function stopBroadcast() external;
    function envUint(string calldata name) external view returns (uint256);
    function envAddress(string calldata name) external view returns (address);
    function prank(address sender) external;
    function expectRevert(bytes calldata error) external;
}

Vm constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
