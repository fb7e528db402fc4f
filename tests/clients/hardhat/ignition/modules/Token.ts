import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

export default buildModule("Token", (module) => {
  const administrator = module.getAccount(0);
  const token = module.contract("Token", [administrator]);
  const granted = module.call(token, "grantRole", [module.staticCall(token, "MINTER"), administrator]);
  module.call(token, "mint", [administrator, 1_000n], { after: [granted] });
  return { token };
});
