import { expect } from "chai";
import { network } from "hardhat";

const { ethers } = await network.getOrCreate();

describe("a token of OpenZeppelin's parts", () => {
  const deployed = async () => {
    const [owner] = await ethers.getSigners();
    const token = await ethers.deployContract("Token", [owner.address]);
    await token.waitForDeployment();
    return { owner, token, minter: await token.MINTER() };
  };

  it("refuses who has no role, with the library's own error", async () => {
    const { owner, token, minter } = await deployed();
    await expect(token.mint(owner.address, 1n))
      .to.be.revertedWithCustomError(token, "AccessControlUnauthorizedAccount")
      .withArgs(owner.address, minter);
  });

  it("mints and transfers, with events and balances", async () => {
    const { owner, token, minter } = await deployed();
    await expect(token.grantRole(minter, owner.address)).to.emit(token, "RoleGranted").withArgs(minter, owner.address, owner.address);
    await (await token.mint(owner.address, 100n)).wait();
    const bob = ethers.Wallet.createRandom().address;
    await expect(token.transfer(bob, 40n)).to.changeTokenBalances(ethers, token, [owner, bob], [-40n, 40n]);
    await expect(token.transfer(bob, 61n)).to.be.revertedWithCustomError(token, "ERC20InsufficientBalance").withArgs(owner.address, 60n, 61n);
  });

  it("takes a signed allowance (EIP-2612)", async () => {
    const { owner, token } = await deployed();
    const spender = ethers.Wallet.createRandom().address;
    const { name, version, chainId, verifyingContract } = await token.eip712Domain();
    const types = { Permit: ["owner address", "spender address", "value uint256", "nonce uint256", "deadline uint256"].map((it) => {
      const [name, type] = it.split(" ");
      return { name, type };
    }) };
    const message = { owner: owner.address, spender, value: 7n, nonce: 0n, deadline: ethers.MaxUint256 };
    const { v, r, s } = ethers.Signature.from(await owner.signTypedData({ name, version, chainId, verifyingContract }, types, message));
    await (await token.permit(owner.address, spender, 7n, ethers.MaxUint256, v, r, s)).wait();
    expect(await token.allowance(owner.address, spender)).to.equal(7n);
  });
});
